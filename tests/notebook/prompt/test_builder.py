"""What a prompt is made of: of several files that were meant at once, those that can't be sent are left out, which is said."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from nbgemini.errors import PromptError
from nbgemini.messages.attachments import display_text
from nbgemini.notebook.prompt.builder import PromptDraft
from nbgemini.notebook.prompt.lookup import NamedAttachment
from nbgemini.prompts.placeholders import parse_placeholders


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "good.txt").write_text("good")
    (tmp_path / "bad.bin").write_bytes(b"\x00\x01\x02\xff")
    (tmp_path / "worse.gif").write_bytes(b"GIF89a\0")
    return tmp_path


def prompt(folder, *names, among="*"):
    return PromptDraft([NamedAttachment(name, folder / name, among) for name in names], ["Well?"])


async def turns(made):
    return [made.build_now(print), await made.build(print)]


async def test_one_bad_file_of_many_is_left_out_and_it_is_said(folder, capsys):
    for turn in await turns(prompt(folder, "bad.bin", "good.txt", "worse.gif")):
        sent = "".join(part["text"] for part in turn.parts)
        assert "good.txt:\n```txt\ngood\n```" in sent
        assert "(bad.bin was left out: bad.bin can't be sent" in sent
        assert "(worse.gif was left out: worse.gif (image/gif) can't be sent" in sent
        assert "nothing was sent" not in sent
        assert "[📎 left out: bad.bin can't be sent" in display_text(turn)
    assert "left out: bad.bin can't be sent" in capsys.readouterr().out  # in the cell, where its user is


async def test_a_file_of_a_list_that_is_gone_is_left_out_and_it_is_said(folder, capsys):
    for turn in await turns(prompt(folder, "gone.txt", "good.txt")):
        sent = "".join(part["text"] for part in turn.parts)
        assert "good.txt:\n```txt\ngood\n```" in sent
        assert "(gone.txt was left out: there is no file" in sent
    assert f"left out: there is no file {str(folder / 'gone.txt')!r}" in capsys.readouterr().out


async def test_where_all_are_bad_nothing_is_sent(folder):
    made = prompt(folder, "bad.bin", "worse.gif")
    with pytest.raises(PromptError, match="bad.bin can't be sent"):
        made.build_now(print)
    with pytest.raises(PromptError, match="bad.bin can't be sent"):
        await made.build(print)


async def test_a_bad_file_that_was_meant_alone_is_refused(folder):
    made = PromptDraft(
        [NamedAttachment("bad.bin", folder / "bad.bin"), NamedAttachment("good.txt", folder / "good.txt", "*")], ["Well?"]
    )
    with pytest.raises(PromptError, match="bad.bin can't be sent"):
        made.build_now(print)


def words(text, **names):
    """A prompt of these words, with these names in the notebook."""
    return PromptDraft([], list(parse_placeholders(text, names)))


ROWS = pd.DataFrame({"a": [1, 2]})


async def test_a_table_in_a_sentence_stands_apart():
    for turn in await turns(words("Sum up {df} in a line", df=ROWS)):
        assert turn.parts[0]["text"] == "Sum up \n\n| a |\n| --- |\n| 1 |\n| 2 |\n\n in a line"
    for turn in await turns(words("Sum up\n{df}\nin {n} line{s}", df=ROWS, n=1, s="s\nor two")):
        assert (
            turn.parts[0]["text"] == "Sum up\n| a |\n| --- |\n| 1 |\n| 2 |\nin 1 lines\nor two"
        )  # texts stand where they are put
    for turn in await turns(words("{df}{df}", df=ROWS)):
        assert turn.parts[0]["text"] == "| a |\n| --- |\n| 1 |\n| 2 |" + "\n\n| a |\n| --- |\n| 1 |\n| 2 |"


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (pd.DataFrame({"a": range(500)}), "df: first 50 of 500 rows sent → text = df.to_csv(), and {text} is all of it"),
        (
            pd.DataFrame({n: [1] for n in range(99)}),
            "df: first 30 of 99 columns sent → text = df.to_csv(), and {text} is all of it",
        ),
        (list(range(100_000)), "df: shortened where … stands → name a text made of it to send more"),
        ("x" * 4_000_001, "df: 4,000,000 of 4,000,001 characters sent → name a text made of it to send more"),
    ],
    ids=["rows", "columns", "list", "text"],
)
async def test_what_is_cut_is_said_in_the_cell(value, line, capsys):
    for made in (words("{df} and {df}", df=value), PromptDraft([NamedAttachment("df", value)], ["Well?"])):
        for waits in (False, True):
            _ = await made.build(print) if waits else made.build_now(print)
            shown = capsys.readouterr().out
            assert shown.count("df: ") == 1
            assert line in shown


@pytest.mark.parametrize(
    ("value", "sent", "line"),
    [
        (Path("gone.csv"), "gone.csv", "it: only the path sent, as there is no such file → check the path"),
        (Path(), ".", "it: only the path sent, as it is a folder → name a file in it"),
        (len, "{it}", "it: it stays as typed, as its source is not known → put what you mean into a text"),
        (pd, "{it}", "it: it stays as typed, as its source is not known → put what you mean into a text"),
    ],
    ids=["file", "folder", "built-in", "module"],
)
async def test_what_says_nothing_of_what_was_meant_is_said_in_the_cell(value, sent, line, capsys):
    for waits in (False, True):
        turn = await words("{it}", it=value).build(print) if waits else words("{it}", it=value).build_now(print)
        assert turn.parts[0]["text"] == sent
        assert capsys.readouterr().out.splitlines() == [line]


async def test_what_is_whole_is_not_spoken_of(capsys):
    await turns(words("{df} {n}", df=ROWS, n=1))
    assert capsys.readouterr().out == ""
