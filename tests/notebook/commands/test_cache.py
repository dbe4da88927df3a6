"""%config Gemini.cache, %gemini cache and --fresh, in a shell."""

from __future__ import annotations

import re

import pytest

from nbgemini.errors import ConfigurationError
from nbgemini.notebook.config import Gemini
from tests.fakes.shell import Shell


@pytest.fixture
def shell(tmp_path):
    shell = Shell(tmp_path / "ipython")
    assert shell.run("%load_ext nbgemini\n%gemini demo fast") is None
    yield shell
    shell.run('get_ipython().run_line_magic("config", \'Gemini.cache = ""\')')
    shell.close()


def ask(shell, line="%gemini ask --once Why is the sky blue?"):
    assert shell.run(line) is None, shell.printed
    assert shell.run("await _gemini") is None, shell.printed
    return shell.reply


def said(shell, line):
    assert shell.run(line) is None, shell.printed
    return re.sub(r"\s+", " ", shell.printed)


def test_there_is_none_unless_it_is_wanted(shell):
    assert "there is no cache; %config Gemini.cache" in said(shell, "%gemini cache")
    assert [ask(shell).badge for _ in range(2)] == ["offline service"] * 2


def test_a_hit_is_marked_and_costs_nothing(shell):
    assert shell.run('%config Gemini.cache = "memory"') is None
    first, again = ask(shell), ask(shell)
    assert (first.badge, again.badge, again.text == first.text) == ("offline service", "cache", True)
    shown = said(shell, "%gemini cache")
    assert "memory of this kernel" in shown
    assert "1 answer, " in shown
    assert "7 days; at most the 1,000 used last" in shown
    assert "1 hit, 1 missed: hit rate 50%" in shown
    assert re.search(r"saved [│ ]*\d+ in / [\d ,]*", shown)
    assert "$" not in shown  # what the offline service says costs nothing


def test_the_line_below_says_so(shell):
    assert shell.run('%config Gemini.cache = "memory"') is None
    ask(shell)
    assert shell.run("%gemini ask --wait --once Why is the sky blue?") is None
    assert "cache" in shell.printed
    assert "nothing spent" in shell.printed


def test_fresh_and_retry_ask_anew(shell):
    assert shell.run('%config Gemini.cache = "memory"') is None
    ask(shell, "%gemini ask Why is the sky blue?")
    assert ask(shell, "%gemini retry").badge == "offline service"
    assert shell.run("%gemini reset") is None
    assert ask(shell, "%gemini ask Why is the sky blue?").badge == "cache"
    assert shell.run("%gemini reset") is None
    assert ask(shell, "%gemini ask --fresh Why is the sky blue?").badge == "offline service"


def test_what_is_cleared_is_asked_again(shell, tmp_path):
    path = tmp_path / "cache.sqlite3"
    assert shell.run(f'%config Gemini.cache = "sqlite:{path}"') is None
    ask(shell)
    assert ask(shell).badge == "cache"
    assert f"1 answer removed from {path}" in said(shell, "%gemini cache clear")
    assert ask(shell).badge == "offline service"


def test_other_settings_leave_it_what_it_is(shell):
    assert shell.run('%config Gemini.cache = "memory"') is None
    ask(shell)
    assert shell.run("%config Gemini.retries = 1") is None
    assert ask(shell).badge == "cache"


def test_nonsense_is_one_line(shell):
    assert "(did you mean clear?)" in shell.line("%gemini cache claer")
    with pytest.raises(ConfigurationError, match=r"^Gemini\.cache: 'memroy' is no cache \(did you mean memory\?\)") as caught:
        Gemini().cache = "memroy"
    assert "\n" not in str(caught.value)


def test_the_place_may_come_from_the_environment(shell, monkeypatch):
    """An address with a password is no text of a notebook."""
    monkeypatch.setenv("NBGEMINI_CACHE", "memory")
    ask(shell)
    assert ask(shell).badge == "cache"
    monkeypatch.setenv("NBGEMINI_CACHE", "redis://someone:secret@")
    assert "names no server" in shell.line("%gemini cache")
    assert "secret" not in shell.printed
