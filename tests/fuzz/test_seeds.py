"""What the fuzzers begin with, and what they ever found, passes."""

from __future__ import annotations

import random

import pytest

from tests.fuzz.harnesses import HARNESSES
from tests.fuzz.mutation import mutated
from tests.fuzz.seeds import seeds


@pytest.mark.parametrize("name", HARNESSES)
def test_what_the_fuzzers_begin_with_passes(name):
    for data in seeds(name):
        HARNESSES[name](data)


@pytest.mark.parametrize("name", HARNESSES)
def test_some_changes_of_it_pass(name):
    chance, begun = random.Random(7), [data for data in seeds(name) if len(data) < 5000]
    for _ in range(150):
        HARNESSES[name](mutated(begun, chance))
