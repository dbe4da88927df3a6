"""A question behind %gemini ask is a call, wherever a line magic may stand; calls for help stay what they are."""

from __future__ import annotations

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from nbgemini.notebook.kernel.cell_transforms import AwaitHook, called

ASK = "get_ipython().run_line_magic('gemini', 'ask why?')"


def transformed(code, *, automagic=False):
    manager = TransformerManager()
    manager.cleanup_transforms.append(lambda lines: called(lines, automagic=automagic))
    return manager.transform_cell(code)


@pytest.mark.parametrize(
    ("code", "becomes"),
    [
        ("%gemini ask why?", ASK),
        ("  %gemini ask why?  ", ASK),
        ("for i in range(2):\n    %gemini ask why?\n    i", f"for i in range(2):\n    {ASK}\n    i"),
        ("if 1:\n\tx = %gemini ask why?", f"if 1:\n\tx = {ASK}"),
        ("x = %gemini ask why?", f"x = {ASK}"),
        ("d['a'], b.c = %gemini ask why?", f"d['a'], b.c = {ASK}"),
        ("%time %gemini ask why?", "get_ipython().run_line_magic('time', '%gemini ask why?')"),
        ("%timeit -n1 x = %gemini ask why?", "get_ipython().run_line_magic('timeit', '-n1 x = %gemini ask why?')"),
        ("%gemini ask it's why?\n%gemini ask why?", f"get_ipython().run_line_magic('gemini', \"ask it's why?\")\n{ASK}"),
        ("!echo it's\n%gemini ask why?", f'get_ipython().system("echo it\'s")\n{ASK}'),
        ("%gemini ask \\\n  why?\n1", f"{ASK}\n\n1"),
        ("%gemini map rows Is {a} = {b}?", "get_ipython().run_line_magic('gemini', 'map rows Is {a} = {b}?')"),
        ("%gemini what is it?", "get_ipython().run_line_magic('gemini', 'what is it?')"),
        ("%gemini explain x?", "get_ipython().run_line_magic('gemini', 'explain x?')"),
    ],
)
def test_a_question_is_asked(code, becomes):
    assert transformed(code).rstrip("\n") == becomes


@pytest.mark.parametrize(
    ("code", "becomes"),
    [
        ("%gemini?", "get_ipython().run_line_magic('pinfo', '%gemini')"),
        ("%gemini??", "get_ipython().run_line_magic('pinfo2', '%gemini')"),
        ("%%gemini?", "get_ipython().run_line_magic('pinfo', '%%gemini')"),
        ("%gemini ask?", "get_ipython().run_line_magic('gemini', 'help ask')"),
        ("  %gemini map??", "get_ipython().run_line_magic('gemini', 'help map')"),
        ("gemini?", "get_ipython().run_line_magic('pinfo', 'gemini')"),
        ("x?\n%gemini", "get_ipython().run_line_magic('pinfo', 'x')\nget_ipython().run_line_magic('gemini', '')"),
    ],
)
def test_a_call_for_help_stays_one(code, becomes):
    assert transformed(code, automagic=True).rstrip("\n") == becomes


@pytest.mark.parametrize(
    "code",
    [
        "s = '''\n%gemini ask why?\n'''",
        "f'''\n{1}\n  %gemini ask why?\n'''",
        "# x = %gemini ask why?",
        's = "%gemini ask why?"',
    ],
)
def test_text_stays_as_it_is(code):
    assert transformed(code, automagic=True).rstrip("\n") == code


def test_where_magics_need_no_sign_a_question_needs_none():
    assert transformed("gemini ask why?", automagic=True).rstrip("\n") == ASK


def test_a_cell_of_another_magic_keeps_its_text():
    assert called(["%%bash\n", "%gemini ask why?\n"], automagic=True) == ["%%bash\n", "%gemini ask why?\n"]


MISPLACED = "get_ipython().run_line_magic('gemini', '%%gemini')\n"


@pytest.mark.parametrize(
    ("code", "becomes"),
    [
        ("# a note\n\n%%gemini -w\nhi\n# and\n", "%%gemini -w\nhi\n# and\n"),
        ("  %%gemini\nhi\n", "%%gemini\nhi\n"),
        ("x = 1\n%%gemini\nhi\n", MISPLACED),
        ("if x:\n    %%gemini\n    hi\n", MISPLACED),
        ("s = '''\n%%gemini\n'''\n", None),
        ("%%bash\n%%gemini\n", None),
        ("%%gemini\nabout\n%%gemini\n", None),
        ("x = '%%gemini'\n%%geminis\n", None),
        ("", None),
    ],
)
def test_a_cell_magic_below_comments_is_one_and_below_code_is_refused(code, becomes):
    lines = code.splitlines(keepends=True)
    assert "".join(AwaitHook(object(), str).keep_from_ipython(lines)) == (code if becomes is None else becomes)
