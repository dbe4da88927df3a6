"""Every setting says what it is for; a value that is none is refused in one line and changes nothing."""

from __future__ import annotations

import math
import re

import pytest
from traitlets.config import Config

from nbgemini.errors import ConfigurationError
from nbgemini.notebook.config import Gemini

WRONG = {
    "retries": [-1, "x", 1.5],
    "max_streams": [0],
    "think": ["hard", "-1", "1.5", -1, True],
    "approve": ["perhaps", "unguarded"],
    "wait": ["maybe", 2],
    "widgets": ["no"],
    "updates_per_second": [0],
    "gap_timeout": [0, -1, "soon", math.nan, math.inf],
    "cache_hours": [0, math.nan],
    "aliases": [{"a": 1}, {1: "a"}, "a"],
    "prices": ["/none/prices.json", __file__],
    "model": [None],
    "services": [{"mine": "127.0.0.1:9000"}, {"mine": 5}],
}


def test_every_setting_has_a_sentence_of_help():
    for name, trait in Gemini.class_own_traits(config=True).items():
        assert trait.help.endswith("."), name
        assert "\n" not in trait.help, name


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_value_is_one_line_with_what_the_setting_is_for(name, value):
    config = Gemini()
    before = getattr(config, name)
    with pytest.raises(ConfigurationError) as raised:
        setattr(config, name, value)
    assert "\n" not in str(raised.value)
    assert not re.search("trait|instance|unicode", str(raised.value))
    assert str(raised.value).endswith(f" → {Gemini.class_traits()[name].help}")
    assert getattr(config, name) == before


@pytest.mark.parametrize(("name", "value"), [(name, values[0]) for name, values in WRONG.items()])
def test_a_wrong_value_from_config_changes_nothing_either(name, value):
    config = Gemini()
    before = getattr(config, name)
    with pytest.raises(Exception, match=r"\A.+\Z"):
        config.update_config(Config(Gemini={name: value}))
    assert getattr(config, name) == before
    config.update_config(Config(Gemini={"chat": "other"}))
    assert config.chat == "other"


def test_levels_are_levels_however_they_are_written_and_paths_are_whole(tmp_path, monkeypatch):
    (tmp_path / "own.json").write_text('{"date": "2027-01-02", "models": {}}')
    monkeypatch.chdir(tmp_path)
    config = Gemini(think="HIGH", prices="own.json")
    assert (config.think, config.prices) == ("high", str((tmp_path / "own.json").resolve()))
    config.think, config.prices, config.chat = "", " ", ""
    assert (config.think, config.prices, config.chat) == ("", "", "main")
    config.think = 1024
    assert config.think == "1024"
