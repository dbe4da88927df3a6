"""What runs is what was approved."""

from __future__ import annotations

import builtins
import functools
import types
from collections import defaultdict, deque
from typing import ClassVar

import pytest

from nbgemini.tools.decorator import declare
from tests.fakes.functions import (
    cached,
    three,
)


def versions(body):
    space = {}
    exec(f"def f(x):\n    {body}", space)  # no source, as in a plain interpreter
    return declare(space["f"]).source_hash


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
    assert declare(three).source_hash == declare(three).source_hash != declare(cached).source_hash
    assert declare(functools.partial(three, 1)).source_hash != declare(functools.partial(three, 2)).source_hash
    assert declare({"a": 1}.get, name="get").source_hash


def mark(function, name=None):
    return declare(function, name=name).source_hash


def test_the_values_that_a_function_was_made_with_are_part_of_its_fingerprint():
    def made(root, others=()):
        def delete(path: str, deep: bool = root == "/"):
            return root, path, deep, others

        return mark(delete)

    assert made("/tmp") == made("/tmp") != made("/var") != made("/")
    assert made("/tmp", [1]) == made("/tmp", [1]) != made("/tmp", [2])
    assert made("/tmp", {"root": "/tmp"}) != made("/tmp", {"root": "/"})


class Disk:
    def __init__(self, root="/tmp"):
        self.root = root
        self.calls = 0

    def delete(self, path: str):
        self.calls += 1
        return helper(path), self.root


class Slotted:
    __slots__ = ()

    def delete(self, path: str):
        return path


def helper(path):
    return path


def shouting(path):
    return path * 2


def test_a_method_is_bound_to_its_object():
    one, other = Disk(), Disk()
    before = mark(one.delete)
    assert before == mark(one.delete) != mark(other.delete)
    one.delete("x")
    assert mark(one.delete) == before  # what it counts itself is no other object
    one.root = "/"
    assert mark(one.delete) != before
    one.helper = helper
    hooked = mark(one.delete)
    one.helper = shouting
    assert mark(one.delete) != hooked


def test_an_object_that_was_made_where_another_was_is_another():
    gone = Disk()
    place, before = id(gone), mark(gone.delete)
    del gone
    later = [Disk() for _ in range(200)]
    assert all(mark(disk.delete) != before for disk in later)
    assert place  # often one of them lies there


def test_an_object_that_can_not_be_told_from_another_is_asked_about_each_time():
    slotted = Slotted()
    assert mark(slotted.delete) != mark(slotted.delete)


def test_callable_objects_are_themselves_and_their_class():
    class Call:
        def __call__(self, x: int):
            return x

    one, other = Call(), Call()
    before = mark(one, "call")
    assert before == mark(one, "call") != mark(other, "call")
    Call.__call__ = lambda self, x: (self, x)
    assert mark(one, "call") != before


def wrapped(action):
    def around(function):
        @functools.wraps(function)
        def inner(*args, **kwargs):
            action()
            return function(*args, **kwargs)

        return inner

    return around


def test_every_layer_of_wrappers_counts():
    def made(action, *, twice=False):
        @wrapped(action)
        def work(x: int):
            return x

        return mark(wrapped(print)(work) if twice else work)

    assert made(helper) == made(helper) != made(shouting)
    assert made(helper, twice=True) != made(helper)

    @functools.lru_cache
    def cached(x: int):
        return x

    assert mark(cached) == mark(cached)


@pytest.mark.parametrize(
    "change",
    [
        lambda space: exec("def low():\n    return 2", space),
        lambda space: exec("def high():\n    return low() + 1", space),
        lambda space: exec("LIMIT = 6", space),
        lambda space: space["CONFIG"].update(root="/"),
        lambda space: space["os"].__dict__.update(remove=helper),
        lambda space: setattr(space["Kind"], "act", helper),
        lambda space: space["f"].__kwdefaults__.update(how=shouting),
    ],
)
def test_what_its_code_names_counts_as_far_down_as_it_goes(change):
    space = {"os": types.ModuleType("os"), "CONFIG": {"root": "/tmp"}, "LIMIT": 5, "helper": helper}
    space["os"].remove = shouting
    exec(
        "def low():\n    return 1\ndef high():\n    return low()\nclass Kind:\n    def act(self): return 1\n"
        "def f(x: int, *, how=helper):\n"
        "    def inner():\n        return high(), LIMIT, CONFIG, os.remove(x), Kind().act()\n    return inner()",
        space,
    )
    before = mark(space["f"])
    assert mark(space["f"]) == before
    change(space)
    assert mark(space["f"]) != before


@pytest.mark.parametrize(
    "body",
    [
        "global n\n    n += 1", "log.append(x)", "memo[x] = x", "memo.setdefault(x, []).append(x)", "deep['log'].append(x)",
        "seen.add(x)", "del deep['old']", "[log.append(y) for y in (x,)]",
        "many['a'].append(x)", "queue.appendleft(x)",
    ],
)  # fmt: skip
def test_what_the_code_changes_itself_is_no_change(body):
    """What a call writes down would ask again for ever."""
    space = {
        "n": 0,
        "log": [],
        "memo": {},
        "deep": {"log": [], "old": 1},
        "seen": set(),
        "many": defaultdict(list),
        "queue": deque(),
    }
    exec(f"def f(x: int):\n    {body}\n    return x", space)
    before = mark(space["f"])
    space["f"](1)
    assert mark(space["f"]) == before


def test_what_a_closure_changes_itself_is_no_change():
    def made():
        count, log = 0, []

        def f(x: int):
            nonlocal count
            count += 1
            log.append(x)
            return count

        return f

    counting = made()
    before = mark(counting)
    counting(1)
    assert mark(counting) == before


def test_a_large_value_costs_no_more_than_it_must():
    space = {"data": list(range(1_000_000)), "objects": [object() for _ in range(20_000)]}
    exec("def f(i: int):\n    return data[i]\ndef g(i: int):\n    return objects[i]", space)
    assert mark(space["f"]) == mark(space["f"])
    assert mark(space["g"]) != mark(space["g"])  # too many to compare: unsure


class Config:
    def __init__(self):
        self.url = "https://a.example"


class Client:
    limits: ClassVar = {"most": 5}

    def __init__(self):
        self.most, self.roots, self.config, self.calls, self.log = 5, ["/tmp"], Config(), 0, []

    def work(self, x: int):
        self.calls += 1
        self.log.append(x)
        return self.most, self.roots, self.config.url, self.limits["most"], x


@pytest.mark.parametrize(
    "change",
    [
        lambda one: setattr(one, "most", 500),
        lambda one: one.roots.append("/"),
        lambda one: setattr(one, "roots", ["/"]),
        lambda one: setattr(one, "config", Config()),
        lambda one: setattr(one.config, "url", "https://b.example"),
        lambda one: one.limits.update(most=500),
    ],
)
def test_what_its_object_holds_counts_as_far_down_as_it_goes(change, monkeypatch):
    monkeypatch.setattr(Client, "limits", {"most": 5})
    one = Client()
    before = mark(one.work)
    one.work(1)
    assert mark(one.work) == before, "what a call writes down would ask again for ever"
    change(one)
    assert mark(one.work) != before


@pytest.mark.parametrize(
    "change",
    [
        lambda own: setattr(own, "URL", "https://b.example"),
        lambda own: own.SETTINGS.update(root="/"),
        lambda own: setattr(own.inner, "act", helper),
        lambda own: setattr(own.inner, "DEPTH", 2),
        lambda own: exec("def act():\n    return 2", vars(own.inner)),
    ],
)
def test_what_is_in_a_module_of_the_users_counts_after_it_was_edited_and_loaded_again(change):
    own, inner = types.ModuleType("own"), types.ModuleType("own.inner")
    vars(own).update(URL="https://a.example", SETTINGS={"root": "/tmp"}, inner=inner, calls=0)
    exec("DEPTH = 1\ndef act():\n    return 1", vars(inner))
    space = {"own": own}
    exec("def f(x: int):\n    own.calls += 1\n    return own.URL, own.SETTINGS, own.inner.act(), own.inner.DEPTH", space)
    before = mark(space["f"])
    space["f"](1)
    assert mark(space["f"]) == before
    change(own)
    assert mark(space["f"]) != before


def test_what_replaces_a_function_of_python_itself_counts(monkeypatch):
    space = {}
    exec("def f(x: int):\n    return abs(x)", space)
    before = mark(space["f"])
    monkeypatch.setattr(builtins, "abs", helper)
    assert mark(space["f"]) != before


def test_functions_made_in_a_loop_are_told_apart_by_what_they_hold():
    made = [lambda x=number: x for number in range(2)]
    partials = [functools.partial(helper, number) for number in range(2)]
    for one, other in (made, partials):
        assert mark(one, "f") == mark(one, "f") != mark(other, "f")
