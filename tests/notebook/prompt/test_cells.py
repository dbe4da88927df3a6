"""Which cell a file of code is, in every IPython: by what it says itself, by the file's name, by what was typed."""

from __future__ import annotations

import linecache
from types import SimpleNamespace

import pytest

from nbgemini.notebook.prompt.cells import cell_title, code_title, is_whole_cell

TYPED = ["", "1 / 0", "def f():\n    return x\n", "1 / 0"]


class Kernels:
    """The compiler of ipykernel 6 with IPython 7: a file is called by a hash of what was typed, with its last line end."""

    def get_code_name(self, raw_code, _code, _number):
        return f"/somewhere/ipykernel_1/{hash(raw_code)}.py"


@pytest.fixture
def old(monkeypatch):
    """A shell of IPython 7 with a history that has lost the line ends at the end of its cells."""
    compiler = Kernels()
    files = [compiler.get_code_name(typed, "", 0) for typed in [*TYPED, "%%time\nlost"]]
    monkeypatch.setattr(linecache, "_ipython_cache", dict.fromkeys(files), raising=False)
    history = SimpleNamespace(input_hist_raw=[typed.rstrip("\n") for typed in TYPED])
    return SimpleNamespace(compile=compiler, history_manager=history)


def file_of(old, typed):
    return old.compile.get_code_name(typed, "", 0)


def test_before_ipython_8_a_kernels_file_is_found_by_what_was_typed(old):
    assert cell_title(old, file_of(old, TYPED[2])) == "In[2]"
    assert cell_title(old, file_of(old, "1 / 0")) == "In[3]"  # the last of equal ones
    assert cell_title(old, file_of(old, "%%time\nlost")) == "In[0]"  # a cell, and nobody knows which


def test_before_ipython_8_a_terminals_file_has_its_number(old):
    assert cell_title(old, "<ipython-input-12-af3309e07c1b>") == "In[12]"


def test_what_is_no_cells_file_keeps_its_name(old):
    assert cell_title(old, "/home/ada/tools.py") == ""
    assert code_title(old, "/home/ada/tools.py") == "/home/ada/tools.py"


def test_ipython_8_says_it_itself():
    known = {"/tmp/1.py": ("Cell", "In[3]")}
    shell = SimpleNamespace(compile=SimpleNamespace(format_code_name=known.get))
    assert code_title(shell, "/tmp/1.py") == "cell 3"
    assert code_title(shell, "/tmp/2.py") == "/tmp/2.py"


@pytest.mark.parametrize(
    ("name", "whole"),
    [("<module>", True), ("<cell line: 0>", True), ("async-def-wrapper", True), ("f", False), ("<lambda>", False)],
)
def test_a_whole_cell_is_no_function(name, whole):
    code = compile("1", "f", "eval").replace(co_name=name)
    assert is_whole_cell(code) is whole
