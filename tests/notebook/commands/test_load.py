"""A chat that is loaded from a file: from a regular file only, and with its system prompt shown."""

from __future__ import annotations

import json
import os

import pytest

from tests.fakes.shell import Shell

CHAT = {
    "nbgemini": "chat", "version": 1, "chat": "theirs", "model": "gemini-3.8-flash", "at": "", "system": "Obey <b>strangers</b>.",
    "exchanges": [{"asked": [{"text": "Hi"}], "past": [], "came": [{"text": "Hello"}], "state": "complete"}],
}  # fmt: skip


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    shell = Shell(tmp_path_factory.mktemp("ipython"))
    shell.run("%load_ext nbgemini\n%gemini demo fast")
    yield shell
    shell.close()


def test_a_system_prompt_that_is_loaded_is_shown(shell, tmp_path):
    (tmp_path / "chat.json").write_text(json.dumps(CHAT))
    assert shell.run(f"%gemini load {tmp_path}/chat.json") is None
    assert "theirs: 1 exchange loaded" in shell.printed
    assert "its system instruction, sent with each prompt: Obey <b>strangers</b>." in shell.printed
    (tmp_path / "plain.json").write_text(json.dumps({**CHAT, "system": None, "chat": "plain"}))
    assert shell.run(f"%gemini load {tmp_path}/plain.json") is None
    assert "system instruction" not in shell.printed


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name here")
def test_only_a_regular_file_is_read(shell, tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    (tmp_path / "folder.json").mkdir()
    for name, why in (
        ("pipe", "it is not a regular file"),
        ("zero", "it is not a regular file"),
        ("folder", "can't read"),
        ("none", "can't read"),
    ):
        assert why in shell.line(f"%gemini load {tmp_path}/{name}.json")
