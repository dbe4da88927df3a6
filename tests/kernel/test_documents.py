"""What is made of an executed notebook: LaTeX and rst read well, and two runs without durations are the same."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import nbformat
import pytest
from nbconvert import HTMLExporter, LatexExporter, PDFExporter, RSTExporter

from tests.support.runners import execute

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ANSWER = """# Why the sky is blue

- short waves **scatter**
- long ones `pass`

| colour | nm |
|--------|---:|
| blue | $450$ |

$$I \\propto \\lambda^{-4}$$

```python
total = {"a_b": 1}
```

\\input{/etc/passwd} costs 5 % of $10
"""
DIRECTIVE = json.dumps({"parts": [["thought", "**Light**\n\nIt scatters."], ["answer", ANSWER]], "pieces": 5, "gap": 0.02})
SLEEPY = "def add(a: int, b: int) -> int:\n    'Add.'\n    import time\n    time.sleep(0.1)\n    return a + b"


def executed(*cells):
    made = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell(code, id=f"c{n}") for n, code in enumerate(("%load_ext nbgemini\n%gemini demo", *cells))
        ]
    )
    execute(made)
    return made


@pytest.fixture(scope="module")
def book():
    return executed(f"%%gemini -o r\noffline: {DIRECTIVE}", "r")


def test_latex_has_headings_lists_tables_formulas_and_code(book):
    tex, _ = LatexExporter().from_notebook_node(book)
    body = tex[tex.index(r"\begin{document}") :]
    for wanted in (
        r"\section*{Why the sky is blue}",
        r"\item{}short waves \textbf{scatter}",
        r"\texttt{pass}",
        r"blue & {$450$} \tabularnewline",
        r"\[I \propto \lambda^{-4}\]",
        r'total = \{"a_b": 1\}',
        r"\textbackslash{}input\{/etc/passwd\} costs 5 \% of \$10",
        r"\textbf{Light}",
    ):
        assert body.count(wanted) == 2, wanted  # below its prompt, and where the reply is shown
    boxes = re.findall(
        r"\\begin\{Verbatim\}(.*?)\\end\{Verbatim\}", body.partition("offline:")[2].partition("\\end{Verbatim}")[2], re.DOTALL
    )
    assert not any("**" in box or "|--" in box for box in boxes[1:])


@pytest.mark.skipif(shutil.which("xelatex") is None, reason="there is no xelatex: make setup-documents")
@pytest.mark.timeout(300)
def test_it_becomes_a_pdf(book):
    pdf, _ = PDFExporter().from_notebook_node(book)
    assert pdf.startswith(b"%PDF")


def test_rst_holds_the_page_as_it_is(book):
    """And nothing of it as its source."""
    rst, _ = RSTExporter().from_notebook_node(book)
    answer = next(part for part in rst.split(".. raw:: html\n") if "nbgemini-answer" in part)
    assert "<h1>Why the sky is blue</h1>" in answer
    assert "<strong>scatter</strong>" in answer
    assert all(line.startswith("    ") for line in answer.split("\n\n\n")[0].splitlines() if line)
    assert "parsed-literal" not in rst


@pytest.mark.skipif(shutil.which("pandoc") is None, reason="there is no pandoc: make setup-documents")
def test_pandoc_makes_readable_rst_of_the_page(book, tmp_path):
    """As the page on compatibility says."""
    html, _ = HTMLExporter(template_name="basic").from_notebook_node(book)
    (tmp_path / "book.html").write_text(html, encoding="utf-8")
    form = "html-native_divs-native_spans+tex_math_dollars"
    command = ["pandoc", "-f", form, "-t", "rst", str(tmp_path / "book.html")]
    rst = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=60, check=True).stdout
    for wanted in (
        "Why the sky is blue\n===================",
        "-  short waves **scatter**\n-  long ones ``pass``",
        "====== ===========\ncolour nm\n====== ===========\nblue   :math:`450`\n",
        ".. math:: I \\propto \\lambda^{-4}",
        '.. code:: python\n\n   total = {"a_b": 1}',
        "\n**Light**\n",
    ):
        assert rst.count(wanted) == 2, wanted
    assert "raw:: html" not in rst
    assert "container::" not in rst


def test_without_it_the_same_outputs_as_ever():
    (_, asked) = executed(f"%config Gemini.latex = False\n%gemini ask offline: {DIRECTIVE}").cells
    assert {mime for output in asked.outputs for mime in output.data} == {"text/html", "text/plain"}


def test_two_runs_without_durations_are_the_same():
    cells = (
        "%config Gemini.show_duration = False",
        f"%%gemini -o r\noffline: {DIRECTIVE}",
        SLEEPY,
        '%%gemini -t add --approve auto\noffline: {"parts": [["call", "add", {"a": 2, "b": 3}]]}',
        "r",
        "rows = [{'n': 1}, {'n': 2}]",
        "%gemini map -o table rows What is {n} + 1?",
        "table",
        "%gemini show",
    )
    first, second = ([cell.outputs for cell in executed(*cells).cells] for _ in range(2))
    assert first == second
    assert "Tool add · done" in json.dumps(first, ensure_ascii=False)
    assert not re.search(r"\d s\b", json.dumps(first).partition("offline service \\u00b7")[2])
