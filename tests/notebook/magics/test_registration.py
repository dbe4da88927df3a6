"""Another extension with a %%gemini of its own: before us, after us, and when we go."""

from __future__ import annotations

import sys
import types

import pytest
from IPython.core.magic import Magics, line_cell_magic, magics_class

from tests.fakes.shell import Shell


@pytest.fixture
def shell(tmp_path, monkeypatch):
    shell = Shell(tmp_path)
    theirs = types.ModuleType("google.generativeai.notebook.magics")  # what it registers, without its dependencies

    @magics_class
    class Theirs(Magics):
        @line_cell_magic
        def llm(self, _line, cell=None):
            print("theirs:", cell)

        @line_cell_magic
        def gemini(self, _line, cell=None):
            print("theirs:", cell)

    for function in (Theirs.llm, Theirs.gemini):
        function.__module__ = theirs.__name__
    theirs.load_ipython_extension = lambda ip: ip.register_magics(Theirs)
    monkeypatch.setitem(sys.modules, "theirs", theirs)
    yield shell
    shell.run("%load_ext nbgemini")
    shell.close()


def test_they_come_first(shell):
    shell.run("%load_ext theirs")
    shell.run("%load_ext nbgemini")
    assert shell.printed == "%%gemini is nbgemini's from here on; google.generativeai's is %%llm\n"
    shell.run("%gemini demo fast")
    shell.run("%%gemini\nhello")
    assert "offline service" in shell.printed
    shell.run("%%llm\nhello")
    assert shell.printed == "theirs: hello\n\n"


def test_they_have_it_back_when_we_go(shell):
    shell.run("%load_ext theirs")
    shell.run("%load_ext nbgemini")
    shell.run("%unload_ext nbgemini")
    shell.run("%%gemini\nhello")
    assert shell.printed == "theirs: hello\n\n"


def test_they_come_later(shell):
    shell.run("%load_ext nbgemini\n%gemini demo fast")
    shell.run("%load_ext theirs")
    assert shell.printed == "%%gemini is google.generativeai's from here on; %reload_ext nbgemini takes it back\n"
    shell.run("%%gemini\nhello")
    assert shell.printed == "theirs: hello\n\n"
    shell.run("1")
    assert "from here on" not in shell.printed
    shell.run("%reload_ext nbgemini")
    assert shell.printed == "%%gemini is nbgemini's from here on; google.generativeai's is %%llm\n"
    shell.run("%gemini demo fast")
    shell.run("%%gemini\nhello")
    assert "offline service" in shell.printed


def test_alone_nothing_is_said(shell):
    shell.run("%load_ext nbgemini")
    assert shell.printed == ""
    shell.run("%reload_ext nbgemini")
    assert shell.printed == ""
