"""What a text defines for all of itself: addresses of links by label, and footnotes.

Both may be used before they are defined. So a block remembers for which labels it asked in vain; if one of them is defined
later, the block is rendered once more.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

_LINKS, _FOOTNOTES = "references", "footnotes"  # the parser's own name, and ours
_LONGEST = 1_000  # characters of a label
Environment = MutableMapping[str, Any]


class Links(dict[str, Any]):
    """Addresses and titles by label, as the parser keeps them."""

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__()
        self.missed: set[str] = set()

    def get(self, label: str, default: Any = None) -> Any:
        """Return what is defined; note that it was asked for where it is not."""
        if label not in self and len(label) <= _LONGEST:
            self.missed.add(label)
        return super().get(label, default)


class Footnotes:
    """The labels that have a footnote."""

    def __init__(self) -> None:
        """Begin with none."""
        self.missed: set[str] = set()
        self._labels: set[str] = set()

    def add(self, label: str) -> None:
        """Note that there is one."""
        self._labels.add(label)

    def has(self, label: str) -> bool:
        """Say whether there is one; note that it was asked for where there is none."""
        if label not in self._labels:
            self.missed.add(label)
        return label in self._labels


def environment() -> dict[str, Any]:
    """Return what the blocks of one text share."""
    return {_LINKS: Links(), _FOOTNOTES: Footnotes()}


def footnotes_of(env: Environment) -> Footnotes:
    """Return the footnotes of a text."""
    found: Footnotes = env.setdefault(_FOOTNOTES, Footnotes())
    return found


def missed(env: Environment) -> tuple[frozenset[str], frozenset[str]]:
    """Return the labels that were asked for in vain since this was called last: of links, and of footnotes."""
    links, footnotes = env[_LINKS], env[_FOOTNOTES]
    found = frozenset(links.missed), frozenset(footnotes.missed)
    links.missed.clear()
    footnotes.missed.clear()
    return found


def is_defined_now(env: Environment, labels: tuple[frozenset[str], frozenset[str]]) -> bool:
    """Say whether one of them has been defined meanwhile."""
    links, footnotes = labels
    return any(label in env[_LINKS] for label in links) or any(map(env[_FOOTNOTES].has, footnotes))
