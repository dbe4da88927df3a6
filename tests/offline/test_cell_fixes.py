"""A cell that failed is corrected by a rule for its exception: the corrected cell runs, and says what was wrong."""

from __future__ import annotations

import linecache
import re
import traceback

import pytest
from hypothesis import given, strategies as st

from nbgemini.notebook.prompt.error_context import exception_line
from nbgemini.offline.cell_fixes import fix_cell

ASKED = "Code in my notebook failed with {error}\nSay why.\n\nCell [3], which failed:\n```python\n{cell}\n```\n"
SETUP = """
class Table(dict):
    columns = ['city', 'sold']
stock, words, total, n, zero, empty, missing, age = {'apples': 3}, ['one', 'two'], None, 3, 0, [], None, '3'
def area(width, height): return width, height
"""
CASES = [
    ("NameError", "math.sqrt(4)", "import math\n\nmath.sqrt(4)"),
    ("NameError", "Counter('aab')", "from collections import Counter\n\nCounter('aab')"),
    ("NameError", "prnt(1)", "print(1)"),
    ("NameError", "done = true", "done = True"),
    ("NameError", "zzqx", "zzqx = None  # put the value here: nothing in this notebook defines it\nzzqx"),
    ("KeyError", "stock['aples']", "stock['apples']"),
    ("KeyError", "stock['cherries']", "stock.get('cherries')"),
    ("KeyError", "stock[5]", "stock.get(5)"),
    ("TypeError", "'n is ' + n + '!'", "'n is ' + str(n) + '!'"),
    ("TypeError", "'a' + 1", "'a' + str(1)"),
    ("TypeError", "total + 1", "(total or 0) + 1"),
    ("TypeError", "area(3)", "area(3, height=None)"),
    ("TypeError", "area(1, 2, 3)", "area(1, 2)"),
    ("TypeError", "area(1, heigth=2)", "area(1, height=2)"),
    ("TypeError", "[i for i in 5]", "[i for i in range(5)]"),
    ("TypeError", "for i in 5:\n    pass", "for i in range(5):\n    pass"),
    ("TypeError", "len(5)", "len(str(5))"),
    ("TypeError", "words['1']", "words[int('1')]"),
    ("TypeError", "{[1, 2]: 3}", "{tuple([1, 2]): 3}"),
    ("TypeError", "words(0)", "words[0]"),
    ("TypeError", "n.real()", "n.real"),
    ("TypeError", "age * 2.5", "float(age) * 2.5"),
    ("TypeError", "class Dog:\n    def bark():\n        return 1\nDog().bark()", "class Dog:\n    def bark(self):\n        return 1\nDog().bark()"),
    ("TypeError", "for word in words:\n    n += word", 'for word in words:\n    try:\n        n += word\n    except TypeError as error:\n        print("TypeError:", error)'),
    ("ValueError", "import pandas as pd\nrow = pd.Series([1, 2])\nrow[row > 0 and row < 2]", "import pandas as pd\nrow = pd.Series([1, 2])\nrow[(row > 0) & (row < 2)]"),
    ("ValueError", "from datetime import datetime\ndatetime.strptime('24/12/2025', '%Y-%m-%d')", "from datetime import datetime\ndatetime.strptime('24/12/2025', '%d/%m/%Y')"),
    ("JSONDecodeError", "import json\njson.loads(\"{'a': 1}\")", "import ast\n\nimport json\nast.literal_eval(\"{'a': 1}\")"),
    ("JSONDecodeError", "import json\njson.loads('nope')", "import json\ntry:\n    json.loads('nope')\nexcept Exception as error:\n    print(\"JSONDecodeError:\", error)"),
    ("ValueError", "int('3.5')", "int(float('3.5'))"),
    ("ValueError", "float('1,000')", "float(str('1,000').replace(\",\", \"\"))"),
    ("ValueError", "a, b = [1, 2, 3]", "a, b, *rest = [1, 2, 3]"),
    ("ValueError", "a, b, c = [1, 2]", "a, b = [1, 2]\nc = None"),
    ("ValueError", "words.remove('three')", "(words.remove('three') if 'three' in words else None)"),
    ("IndexError", "words[2]", "(words[2] if -len(words) <= 2 < len(words) else None)"),
    ("IndexError", "words[len(words)]", "words[-1]"),
    ("IndexError", "empty.pop()", "(empty.pop() if empty else None)"),
    ("AttributeError", "words.push('three')", "words.append('three')"),
    ("AttributeError", "words.length", "len(words)"),
    ("AttributeError", "'a'.upperr()", "'a'.upper()"),
    ("AttributeError", "missing.group(1)", "(missing.group(1) if missing is not None else None)"),
    ("AttributeError", "import math\nmath.sqroot(4)", "import math\nmath.sqrt(4)"),
    ("AttributeError", "import pandas as pd\npd.DataFrame({'a': [1]}).group_by('a')", "import pandas as pd\npd.DataFrame({'a': [1]}).groupby('a')"),
    ("AttributeError", "'a'.append('b')", "'a' + str('b')"),
    ("AttributeError", "stock.apples", 'stock["apples"]'),
    ("KeyError", "import pandas as pd\npd.DataFrame({'a': [1]}).loc['x']", "import pandas as pd\ntry:\n    pd.DataFrame({'a': [1]}).loc['x']\nexcept KeyError as error:\n    print(\"KeyError:\", error)"),
    ("TypeError", "with 5:\n    pass", 'try:\n    with 5:\n        pass\nexcept TypeError as error:\n    print("TypeError:", error)'),
    ("AttributeError", "(3).colour()", 'try:\n    (3).colour()\nexcept AttributeError as error:\n    print("AttributeError:", error)'),
    ("AttributeError", "(3).colour", 'getattr(3, "colour", None)'),
    ("ZeroDivisionError", "n / zero", '(n / zero if zero else float("nan"))'),
    ("ZeroDivisionError", "1 / 0", 'try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    print("ZeroDivisionError:", error)'),
    ("ZeroDivisionError", "n % (zero + 0)", '(n % (zero + 0) if (zero + 0) else float("nan"))'),
    ("ModuleNotFoundError", "import jsonn", "import json"),
    ("ModuleNotFoundError", "import cv2", "%pip install opencv-python\n\nimport cv2"),
    ("ImportError", "from math import sqroot", "from math import sqrt"),
    ("SyntaxError", "def f(x)\n    return x", "def f(x):\n    return x"),
    ("SyntaxError", "print 'a'", "print('a')"),
    ("SyntaxError", "print((1)", "print((1))"),
    ("SyntaxError", "x = [1, 2\ny = 3", "x = [1, 2]\ny = 3"),
    ("SyntaxError", "if n = 3:\n    pass", "if n == 3:\n    pass"),
    ("SyntaxError", "for i in words print(i)", "for i in words: print(i)"),
    ("SyntaxError", "s = 'abc", "s = 'abc'"),
    ("SyntaxError", "print('abc)", "print('abc')"),
    ("SyntaxError", "x = 3)", "x = 3"),
    ("SyntaxError", "if n == 3 && zero == 0:\n    pass", "if n == 3 and zero == 0:\n    pass"),
    ("SyntaxError", "words n", "words, n"),
    ("SyntaxError", "1 +", "# 1 +"),
    ("IndentationError", "def g():\nreturn 1", "def g():\n    return 1"),
    ("IndentationError", "x = 1\n  y = 2", "x = 1\ny = 2"),
    ("NameError", "datetime.now().year", "from datetime import datetime\n\ndatetime.now().year"),
    ("KeyError", "for w in words:\n    stock[w] += 1", "for w in words:\n    stock[w] = stock.get(w, 0) + 1"),
    ("KeyError", "stock['x'].append(1)", "stock.setdefault('x', []).append(1)"),
    ("KeyError", "cost = stock['pears'] * 3", "try:\n    cost = stock['pears'] * 3\nexcept KeyError as error:\n    print(\"KeyError:\", error)"),
    ("KeyError", "Apples = 1\nstock['Apples'] + Apples", "Apples = 1\nstock['apples'] + Apples"),
    ("KeyError", "import pandas as pd\npd.DataFrame({'City': [1]})['city'].sum()", "import pandas as pd\npd.DataFrame({'City': [1]})['City'].sum()"),
    ("TypeError", "words2 = ['b', 'a'].sort()\nwords2[0]", "words2 = sorted(['b', 'a'])\nwords2[0]"),
    ("TypeError", "','.join([1, 2])", "','.join(map(str, [1, 2]))"),
    ("TypeError", "sum(1, 2, 3)", "sum([1, 2, 3])"),
    ("TypeError", "words.append(1, 2)", "words.extend([1, 2])"),
    ("TypeError", "age + n", "float(age) + n"),
    ("TypeError", "age > n", "float(age) > n"),
    ("TypeError", "[1] + 2", "[1] + [2]"),
    ("TypeError", "some = {1, 2}\nsome[0]", "some = {1, 2}\nlist(some)[0]"),
    ("TypeError", "pair = (1, 2)\npair[0] = 3", "pair = (1, 2)\npair = list(pair)\npair[0] = 3"),
    ("TypeError", "for i in range(10 / 2):\n    pass", "for i in range(int(10 / 2)):\n    pass"),
    ("TypeError", "import json\njson.dumps({1})", "import json\njson.dumps({1}, default=list)"),
    ("TypeError", "class Cat:\n    def purr(self):\n        return 1\nCat.purr()", "class Cat:\n    def purr(self):\n        return 1\nCat().purr()"),
    ("TypeError", "for i, word in [1, 2]:\n    pass", "for i, word in enumerate([1, 2]):\n    pass"),
    ("TypeError", "import numpy as np\nnp.zeros(2, 3)", "import numpy as np\nnp.zeros((2, 3))"),
    ("TypeError", "import pandas as pd\ntable = pd.DataFrame({'a': [1]})\npd.concat(table, table)", "import pandas as pd\ntable = pd.DataFrame({'a': [1]})\npd.concat([table, table])"),
    ("ValueError", "for key, value in stock:\n    pass", "for key, value in stock.items():\n    pass"),
    ("ValueError", "float('12,5')", "float(str('12,5').replace(\",\", \".\"))"),
    ("ValueError", "import numpy as np\nnp.ones(3) + np.ones(2)", 'import numpy as np\ntry:\n    np.ones(3) + np.ones(2)\nexcept ValueError as error:\n    print("ValueError:", error)'),
    ("ValueError", "from datetime import datetime\ndatetime.strptime('03/04/2025', '%Y-%m-%d')", "from datetime import datetime\ntry:\n    datetime.strptime('03/04/2025', '%Y-%m-%d')\nexcept ValueError as error:\n    print(\"ValueError:\", error)"),
    ("ValueError", "from dataclasses import dataclass\n@dataclass\nclass Box:\n    held: list = []", "from dataclasses import field\n\nfrom dataclasses import dataclass\n@dataclass\nclass Box:\n    held: list = field(default_factory=lambda: [])"),
    ("IndexError", "for i in range(len(words)):\n    print(words[i], words[i + 1])", "for i in range(len(words) - 1):\n    print(words[i], words[i + 1])"),
    ("IndexError", "for i in range(len(words) + 1):\n    print(words[i])", "for i in range(len(words)):\n    print(words[i])"),
    ("IndexError", "i = 0\nwhile i <= len(words):\n    words[i]\n    i += 1", "i = 0\nwhile i < len(words):\n    words[i]\n    i += 1"),
    ("IndexError", "words[5].upper()", 'try:\n    words[5].upper()\nexcept IndexError as error:\n    print("IndexError:", error)'),
    ("UnboundLocalError", "def more():\n    n += 1\nmore()", "def more():\n    global n\n    n += 1\nmore()"),
    ("RecursionError", "def f(n):\n    return n * f(n - 1)\nf(3)", 'def f(n):\n    return n * f(n - 1)\ntry:\n    f(3)\nexcept RecursionError as error:\n    print("RecursionError:", error)'),
    ("AttributeError", "import re\nre.match('a', 'b').group()", "import re\n(found.group() if (found := re.match('a', 'b')) is not None else None)"),
    ("AttributeError", "import datetime\ndatetime.now()", "import datetime\ndatetime.datetime.now()"),
    ("AttributeError", "['A'].lower()", "[text.lower() for text in ['A']]"),
    ("AttributeError", "import numpy as np\nnp.int(3)", "import numpy as np\nint(3)"),
    ("AttributeError", "import matplotlib.pyplot as plt\nfig, ax = plt.subplots(2, 2)\nax.plot([1])", "import matplotlib.pyplot as plt\nfig, ax = plt.subplots(2, 2)\nax.flat[0].plot([1])"),
    ("FileNotFoundError", "import pathlib\npathlib.Path('no/x.txt').write_text('')", "from pathlib import Path\n\nPath('no/x.txt').parent.mkdir(parents=True, exist_ok=True)\n\nimport pathlib\npathlib.Path('no/x.txt').write_text('')"),
    ("SyntaxError", "int k = 5", "k = 5"),
    ("SyntaxError", "elif n:\n    pass", "# elif n:\n#     pass"),
    ("RuntimeError", "raise RuntimeError('no')", "try:\n    raise RuntimeError('no')\nexcept RuntimeError as error:\n    print(\"RuntimeError:\", error)"),
]  # fmt: skip


def names():
    space = {}
    exec(SETUP, space)
    return space


def failed(cell, space):
    """The prompt about a cell that fails, as `%gemini fix` writes it."""
    cell_lines = f"{cell}\n".splitlines(keepends=True)  # as IPython has them
    linecache.cache["In[3]"] = (len(cell), None, cell_lines, "In[3]")
    try:
        exec(compile(cell, "In[3]", "exec"), space)
    except Exception as error:  # noqa: BLE001 - that is what is looked at
        told = traceback.TracebackException.from_exception(error, compact=True)
        told.stack = traceback.StackSummary.from_list([frame for frame in told.stack if frame.filename == "In[3]"])
        trace = "".join(told.format()).replace('"In[3]"', '"Cell In[3]"')
        last = exception_line(error)
        kinds = [
            f"{name}: {type(value).__name__} = {value!r}"
            for name, value in names().items()
            if name not in ("area", "__builtins__")
        ]
        values = "\n".join([*kinds, "area: function area(width, height)"])
        prompt = ASKED.format(error=last, cell=cell)
        return type(error).__name__, f"{prompt}Traceback:\n```\n{trace}```\nValues when it failed:\n```\n{values}\n```\n"
    raise AssertionError(f"{cell!r} went well")


def corrected(prompt):
    (_, thought), (_, answer) = fix_cell(prompt)
    assert thought.startswith("**Reading the error**")
    assert "offline service, not from Gemini" in answer
    return re.search(r"```python\n(.*?)\n```", answer, re.DOTALL)[1]


@pytest.mark.parametrize(("kind", "cell", "expected"), CASES)
def test_the_corrected_cell_does_not_fail_in_the_same_way(kind, cell, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    space = names()
    found, prompt = failed(cell, space)
    assert found == kind
    code = corrected(prompt)
    assert code == expected
    if not code.startswith("%pip"):
        exec(compile(code, "cell", "exec"), names() | ({"zzqx": 1} if "zzqx" in code else {}))


def test_a_file_that_is_not_there_shows_what_is_beside_it(tmp_path, capsys):
    (tmp_path / "sales-2026.csv").touch()
    cell = f"rows = open({str(tmp_path / 'sales.csv')!r})\nfirst = rows.readline()"
    _, prompt = failed(cell, {})
    exec(corrected(prompt), {})
    assert "sales-2026.csv" in capsys.readouterr().out


def test_a_function_of_another_cell_comes_first_in_the_corrected_cell():
    prompt = ASKED.format(error="IndexError: list index out of range", cell="pick(3)") + (
        "pick, from Cell In[2]:\n```python\ndef pick(n):\n    return words[n * 2]\n```\nTraceback:\n```\n"
        'Traceback (most recent call last):\n  File "Cell In[3]", line 1, in <module>\n    pick(3)\n'
        '  File "Cell In[2]", line 7, in pick\n    return words[n * 2]\nIndexError: list index out of range\n```\n'
    )
    space = {"words": ["a"]}
    exec(corrected(prompt), space)
    assert space["pick"](0) == "a"
    assert space["pick"](3) is None


def test_the_columns_are_named_where_none_is_near():
    prompt = ASKED.format(error="KeyError: 'salary'", cell="df['salary'].mean()") + (
        "Traceback:\n```\nTraceback (most recent call last):\n  File \"Cell In[3]\", line 1, in <module>\n    df['salary'].mean()\n"
        "    ~~^^^^^^^^^^\nKeyError: 'salary'\n```\nValues when it failed:\n```\n"
        "df: DataFrame of shape (2, 2), columns City str, Unit price float64\n```\n"
    )
    assert "the columns are `City`, `Unit price`" in fix_cell(prompt)[1][1]
    assert corrected(prompt).startswith("try:\n    df['salary'].mean()")
    assert corrected(prompt.replace("salary", "unit price")) == "df['Unit price'].mean()"


def test_magics_stay_where_they_are():
    prompt = ASKED.format(error="NameError: name 'prnt' is not defined", cell="%matplotlib inline\n!ls\nprnt(1)")
    assert corrected(prompt) == "%matplotlib inline\n!ls\nprint(1)"


def test_letters_of_several_bytes_do_not_shift_what_is_replaced():
    _, prompt = failed("größe = 'ä' + n + '!'", names())
    assert corrected(prompt) == "größe = 'ä' + str(n) + '!'"


@pytest.mark.parametrize(
    "prompt",
    [
        "Why is the sky blue?",
        "Code in my notebook failed with KeyError: 'a'",
        ASKED.format(error="SystemError: x", cell="((("),
    ],
)
def test_another_prompt_is_left_alone(prompt):
    assert fix_cell(prompt) is None


@given(st.sampled_from([kind for kind, _, _ in CASES]), st.text(), st.text())
def test_any_prompt_is_safe(kind, text, code):
    fix_cell(ASKED.format(error=f"{kind}: '{text}' {code}", cell=code or text) + f"Traceback:\n```\n{text}\n```\n{code}")
