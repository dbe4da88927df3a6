"""The lowest versions of all that the package and its extras need, as `pip install` takes them: `python -m tests.floors`."""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def requirements():
    """What is needed here, extras too."""
    said = [*PROJECT["dependencies"], *(need for extra in PROJECT["optional-dependencies"].values() for need in extra)]
    return [need for need in map(Requirement, said) if need.marker is None or need.marker.evaluate()]


def floors():
    """Each of them at its floor."""
    return [f"{need.name}=={next(iter(need.specifier)).version}" for need in requirements()]


if __name__ == "__main__":
    print("\n".join(floors()))
