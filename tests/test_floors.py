"""Dependencies have one floor each, and none is above what Colab has."""

from __future__ import annotations

from pathlib import Path

from tests.floors import requirements

PINS = Path(__file__).parent / "kernel" / "colab.txt"


def test_each_has_a_floor_and_no_ceiling():
    for need in requirements():
        assert [bound.operator for bound in need.specifier] == [">="], need


def test_colab_has_enough_of_each():
    lines = [line.strip() for line in PINS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    pins = dict(line.split("==") for line in lines)
    needed = {need.name: need.specifier for need in requirements() if need.name in pins}
    assert {"ipykernel", "ipython", "ipywidgets", "google-genai", "httpx2", "anywidget", "pydantic"} <= set(needed)
    assert {name: pins[name] for name, needs in needed.items() if pins[name] not in needs} == {}
