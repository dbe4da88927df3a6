"""Who wants to see a notebook's whole log sees nothing of what the libraries below say of every step."""

from __future__ import annotations

import pytest

from tests.kernel.conftest import complaints

LISTEN = """\
import logging
heard = []
class Hear(logging.Handler):
    def emit(self, record): heard.append((record.name, record.levelname, record.getMessage()[:80]))
logging.basicConfig(level=logging.DEBUG, handlers=[Hear()])
"""
CELLS = [
    "%load_ext nbgemini\n%gemini demo",
    "%%gemini\nWrite a table and a list",
    "%%gemini --wait -c other\nWrite **bold** text",
    "_gemini.text",
    "%gemini models\n%gemini usage\n%gemini journal\n%gemini show\n%gemini",
    "rows = ['a', 'b']\n%gemini map --wait rows Say {row}",
    "def double(x: int) -> int:\n    'Double.'\n    return 2 * x",
    "%%gemini -t double --approve auto --wait\nuse double",
    "%gemini export it.md\n%gemini export it.ipynb",
    "%config Gemini.widgets = False",
    "%%gemini --wait\nWrite `code`",
    "%config Gemini.cache = 'memory'",
    "%gemini ask --once hello\n%gemini ask --once hello",
    "_gemini.text",
]


def heard(kernel, source):
    kernel.run(f"import os, tempfile\nos.chdir(tempfile.mkdtemp())\n{LISTEN}")
    for cell in [*CELLS[:1], f"%config Gemini.source = '{source}'", *CELLS[1:]]:
        assert complaints(kernel.run(cell)) == []
    return kernel.text("print(*heard, sep='\\n', end='')")


@pytest.mark.parametrize("source", ["rest", "sdk"])
def test_a_log_of_everything_holds_nothing_of_ours(fresh_kernel, source):
    assert heard(fresh_kernel, source) == ""


def test_who_asks_a_library_for_its_log_gets_it(fresh_kernel):
    fresh_kernel.run(f"{LISTEN}logging.getLogger('markdown_it').setLevel(logging.DEBUG)")
    fresh_kernel.run("%load_ext nbgemini\n%gemini demo")
    fresh_kernel.run("%gemini ask --wait hello")
    assert fresh_kernel.text("print({name.partition('.')[0] for name, *_ in heard})").strip() == "{'markdown_it'}"
