"""A cell that asks shows its answer once: the reply that a magic returns is not shown again as the cell's value."""

from __future__ import annotations

import pytest

from tests.kernel.conftest import PATIENCE, complaints


def values(messages):
    return [m["content"]["data"]["text/plain"] for m in messages if m["msg_type"] == "execute_result"]


@pytest.mark.parametrize("sits", [True, False])
@pytest.mark.parametrize(
    "code",
    [
        "%gemini ask --wait hello",
        "%time %gemini ask --wait hello",
        "%time %gemini ask why?",
        "%%time\n%gemini ask --wait hello",
        "x = %gemini ask --wait hello\nx",
        "get_ipython().run_line_magic('gemini', 'ask hello')",
        "get_ipython().run_cell('%gemini ask hello --wait');",
    ],
)
def test_the_cell_that_asked_shows_no_reply_as_its_value(kernel, code, sits):
    messages = kernel.run(code, sits=sits)
    assert complaints(messages) == []
    assert values(messages) == []


def test_nor_does_a_cell_that_cannot_await(kernel):
    kernel.run("%autoawait False")
    try:
        assert values(kernel.run("%gemini ask --wait hello", sits=False)) == []
    finally:
        kernel.run("%autoawait True")


def test_it_is_there_as_what_the_cell_gave(kernel):
    kernel.run("%time %gemini ask --wait hello")
    assert kernel.text("print(_ is _gemini)").strip() == "True"


@pytest.mark.parametrize("code", ["late", "[late][0]"])
def test_another_cell_shows_it(kernel, code):
    kernel.run("late = get_ipython().run_line_magic('gemini', 'ask --wait hello')")
    (value,) = values(kernel.run(code))
    assert value.startswith("<Reply complete")


def test_display_shows_it_where_one_likes(kernel):
    messages = kernel.run("x = %gemini ask --wait hello\ndisplay(x)")
    assert any(str(m["content"].get("data", {}).get("text/plain")).startswith("<Reply complete") for m in messages)


@pytest.mark.parametrize(
    "code",
    [
        "for i in range(2):\n    %gemini ask --wait why?",
        "if True:\n    x = %gemini ask --wait why?",
        "x = %gemini ask --wait why?",
        "%time x = %gemini ask --wait why?",
        "%time %gemini ask --wait why?",
        "gemini ask --wait why?",
    ],
)
def test_a_question_mark_is_asked_wherever_a_line_magic_may_stand(kernel, code):
    assert complaints(kernel.run(code)) == []
    assert kernel.text("print(repr(_gemini.exchange.asked.parts[0]['text']))").strip() == "'why?'"


@pytest.mark.parametrize("code", ["%gemini?", "%%gemini?", "%gemini??", "gemini?"])
def test_help_stays_help(kernel, code):
    mine = kernel.client.execute(code)
    while (reply := kernel.client.get_shell_msg(timeout=PATIENCE))["parent_header"]["msg_id"] != mine:
        pass
    (page,) = reply["content"]["payload"]
    assert "gemini" in page["data"]["text/plain"]
