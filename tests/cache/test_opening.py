"""What a setting means, in one line where it means nothing."""

from __future__ import annotations

import sys

import pytest

from nbgemini._storage.sqlite import default_path
from nbgemini.cache import open_cache
from nbgemini.errors import ConfigurationError


@pytest.mark.parametrize(
    ("setting", "where"),
    [
        ("memory", "memory of this kernel"),
        ("sqlite:/a/b.sqlite3", "/a/b.sqlite3"),
        (" redis://h:1/2 ", "redis://h:1/2"),
        ("rediss://u:p@h", "rediss://h"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
    ],
)
def test_a_setting_names_a_store(setting, where):
    assert open_cache(setting).where == where


def test_off_is_none_and_sqlite_is_beside_the_journal():
    assert open_cache("off") is None
    assert open_cache("sqlite").where == str(default_path("cache.sqlite3"))
    assert default_path("cache.sqlite3").parts[-2:] == ("nbgemini", "cache.sqlite3")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("", "'' is no cache; use off, memory, sqlite, sqlite:PATH or redis://HOST:PORT/DB"),
        ("memroy", "did you mean memory?"),
        ("memory:x", "is no cache"),
        ("redis", "is no cache"),
        ("redis:localhost", "is no cache"),
        ("redis://", "names no server"),
        ("redis://h:99999", "names no server"),
        ("redis://[h", "names no server"),
        ("http://u:secret@h", "'http://…@h' is no cache"),
    ],
)
def test_another_is_one_line_without_a_password(setting, said):
    with pytest.raises(ConfigurationError) as caught:
        open_cache(setting)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_time_must_be_one():
    with pytest.raises(ConfigurationError, match="more than 0 seconds"):
        open_cache("memory", seconds=0)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'nbgemini\[redis\]'"):
        open_cache("redis://h")


def test_nothing_is_imported_before_it_is_used():
    import subprocess

    code = "import sys; from nbgemini.cache import open_cache; open_cache('redis://h'); assert 'redis' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
