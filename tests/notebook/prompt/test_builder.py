"""What a prompt is made of: of several files that were meant at once, those that can't be sent are left out, which is said."""

from __future__ import annotations

import pytest

from nbgemini.errors import PromptError
from nbgemini.messages.attachments import told
from nbgemini.notebook.prompt.attachments import Attached
from nbgemini.notebook.prompt.builder import PromptDraft


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "good.txt").write_text("good")
    (tmp_path / "bad.bin").write_bytes(b"\x00\x01\x02\xff")
    (tmp_path / "worse.gif").write_bytes(b"GIF89a\0")
    return tmp_path


def prompt(folder, *names, among="*"):
    return PromptDraft([Attached(name, folder / name, among) for name in names], ["Well?"])


async def turns(made):
    return [made.build_now(), await made.build()]


async def test_one_bad_file_of_many_is_left_out_and_it_is_said(folder, capsys):
    for turn in await turns(prompt(folder, "bad.bin", "good.txt", "worse.gif")):
        sent = "".join(part["text"] for part in turn.parts)
        assert "good.txt:\n```txt\ngood\n```" in sent
        assert "(bad.bin was left out: bad.bin is of no kind that can be sent" in sent
        assert "(worse.gif was left out: worse.gif (image/gif) is of no kind" in sent
        assert "nothing was sent" not in sent
        assert "[📎 left out: bad.bin is of no kind" in told(turn)
    assert "left out: bad.bin is of no kind" in capsys.readouterr().out  # in the cell, where its user is


async def test_where_all_are_bad_nothing_is_sent(folder):
    made = prompt(folder, "bad.bin", "worse.gif")
    with pytest.raises(PromptError, match="bad.bin is of no kind that can be sent"):
        made.build_now()
    with pytest.raises(PromptError, match="bad.bin is of no kind that can be sent"):
        await made.build()


async def test_a_bad_file_that_was_meant_alone_is_refused(folder):
    made = PromptDraft([Attached("bad.bin", folder / "bad.bin"), Attached("good.txt", folder / "good.txt", "*")], ["Well?"])
    with pytest.raises(PromptError, match="bad.bin is of no kind that can be sent"):
        made.build_now()
