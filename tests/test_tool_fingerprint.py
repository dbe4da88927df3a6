"""What runs is what was approved."""

from __future__ import annotations

import functools

from nbgemini.tools import declare
from tests.fakes.functions import (
    cached,
    three,
)


def versions(body):
    space = {}
    exec(f"def f(x):\n    {body}", space)  # no source, as in a plain interpreter
    return declare(space["f"]).fingerprint


def test_another_function_has_another_fingerprint():
    assert versions("return x + 1") == versions("return x + 1")
    assert (
        len(
            {
                versions(body)
                for body in ("return x + 1", "return x + 2", "return x.a", "return x.b", "return lambda: 1", "return lambda: 2")
            }
        )
        == 6
    )
    assert declare(three).fingerprint == declare(three).fingerprint != declare(cached).fingerprint
    assert declare(functools.partial(three, 1)).fingerprint != declare(functools.partial(three, 2)).fingerprint
    assert declare({"a": 1}.get, name="get").fingerprint


def test_the_values_that_a_function_was_made_with_are_part_of_its_fingerprint():
    def made(root, others=()):
        def delete(path: str, deep: bool = root == "/"):
            return root, path, deep, others

        return declare(delete).fingerprint

    assert made("/tmp") == made("/tmp") != made("/var") != made("/")
    assert made("/tmp", [1]) == made("/tmp", [2])  # what changes by itself would ask again for ever
