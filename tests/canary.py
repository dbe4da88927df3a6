"""A key that must stand in no byte that the suite writes or says, and the search for it in any of its disguises."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import traceback
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

CANARY = "AIzaSyCANARY+k3y/0f=th1s_su1te-9z8y7x6w"  # with letters that URLs, JSON and HTML write otherwise


def forms(key=CANARY):
    """The key as it might be written: plain, in URLs, in JSON, in HTML, in hex, in reverse, and inside any base64."""
    plain = {
        key,
        quote(key),
        quote(key, safe=""),
        json.dumps(key)[1:-1],
        key.replace("/", "\\/"),
        key[::-1],
        key.encode().hex(),
    }
    inside = {base64.b64encode(b"x" * before + key.encode())[4 * before // 3 + 4 : -4].decode() for before in (0, 1, 2)}
    inside |= {form.translate(str.maketrans("+/", "-_")) for form in inside}
    return sorted(form.encode() for form in plain | inside)


FORMS = forms()


def found_in(data):
    """The forms of the key in these bytes or this text."""
    data = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    return [form.decode() for form in FORMS if form in data]


def found_under(*folders):
    """The files below these folders that hold the key."""
    files = (path for folder in folders for path in Path(folder).rglob("*") if path.is_file() and not path.is_symlink())
    return [str(path) for path in files if found_in(path.read_bytes())]


def said_by(error):
    """All that an exception and those chained to it say and hold, down to the attributes of what they hold."""
    said = traceback.format_exception(error)
    chain, seen = [error], set()
    while chain:
        one = chain.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        chain += [one.__cause__, one.__context__]
        said += [repr(one), str(one), repr(one.args), *held_by(vars(one)), *_frames(one)]
    return "\n".join(said)


def _frames(error):
    return [repr(value) for frame, _ in traceback.walk_tb(error.__traceback__) for value in frame.f_locals.values()]


def held_by(values, depth=3):
    """The representations of values, and of what they hold."""
    for value in values.values():
        if type(value).__name__ == "Secret":
            yield repr(value)
            continue
        yield repr(value)
        if type(value).__name__ == "Headers":
            yield repr(value.raw)  # its repr masks some and not others
        held = getattr(value, "__dict__", None)
        if depth and isinstance(held, dict) and type(value).__module__.split(".")[0] in ("nbgemini", "httpx2", "httpcore2"):
            yield from held_by(held, depth - 1)


class Listener:
    """Hears every record of the loggers that may know the key, at any level; others hear no more than before."""

    NAMES = ("nbgemini", "httpx2", "httpcore2.connection", "httpcore2.http11", "httpcore2.http2", "httpcore2.proxy")

    def __init__(self):
        self.leaks = []
        self.heard = 0
        self._former = {}

    @contextmanager
    def attached(self):
        """Listen for as long as this lasts."""
        loggers = [logging.getLogger(name) for name in self.NAMES]
        self._former = {logger.name: (logger.level, logger.getEffectiveLevel()) for logger in loggers}
        for logger in loggers:
            logger.filters.insert(0, self)  # before one that is attached already and keeps the quiet to itself
            logger.setLevel(1)
        yield self
        for logger in loggers:
            logger.removeFilter(self)
            logger.setLevel(self._former[logger.name][0])

    def filter(self, record):
        self.heard += 1
        if found := found_in(f"{record.getMessage()} {record.args} {record.exc_text}"):
            self.leaks.append(f"{record.name}: {found}")
        return record.levelno >= self._former[record.name][1]


@pytest.fixture(scope="session", autouse=True)
def no_byte_holds_the_key(tmp_path_factory):
    """Nothing that the whole suite wrote to its folders or said to its loggers holds the key it used."""
    listener = Listener()
    with listener.attached():
        yield
    assert listener.leaks == []
    assert found_under(tmp_path_factory.getbasetemp(), os.environ["JUPYTER_DATA_DIR"]) == []


def digests(key):
    """What a name may be that is derived from a key."""
    return [hashlib.new(name, key.encode()).hexdigest()[:12] for name in ("md5", "sha1", "sha256", "sha512", "blake2b")]
