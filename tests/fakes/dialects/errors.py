"""How a request is declined: with which status and for which reason, before a protocol puts it into its own words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

_T = TypeVar("_T")
_WHERE = re.compile(r"^(?P<fault>.*?)(?: - at `(?:key in )?\$(?P<path>.*)`)?$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `(.*)`$")
_UNKNOWN = re.compile(r"^Object contains unknown field `(.*)`$", re.DOTALL)
_INDEX = re.compile(r"\[(\d+|\.\.\.)\]")


class RequestError(Exception):
    """A request is answered with an error.

    Attributes:
        status: of HTTP.
        kind: the protocol's word for what is wrong, if it is not the usual one of this status.
        param: the field that is wrong.
        code: the protocol's code for the fault.
        headers: what the answer says besides.
    """

    def __init__(  # noqa: PLR0913 - what an error is made of
        self,
        status: int,
        message: str,
        *,
        kind: str = "",
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep what there is to say."""
        super().__init__(message)
        self.status, self.kind, self.param, self.code = status, kind, param, code
        self.headers = dict(headers or {})


class ShapeError(Exception):
    """A body has a field too few, one too many, or one of another type; each protocol says so in its own words.

    Attributes:
        fault: `missing`, `unknown` or `wrong`.
        path: the field's names and numbers, outermost first.
        said: what is wrong with it.
    """

    def __init__(self, error: msgspec.ValidationError) -> None:
        """Read what the comparison found."""
        found = _WHERE.match(str(error))
        self.said, path = (found["fault"], found["path"] or "") if found else (str(error), "")
        self.path = [step for step in _INDEX.sub(r".\1", path).split(".") if step]
        super().__init__(self.said)
        self.fault = "wrong"
        for fault, pattern in (("missing", _MISSING), ("unknown", _UNKNOWN)):
            if field := pattern.match(self.said):
                self.fault = fault
                self.path.append(field[1])


def shaped(body: Any, shape: type[_T]) -> _T:
    """Return the body as that type.

    Raises:
        ShapeError: it is not.
    """
    try:
        return msgspec.convert(body, shape)
    except msgspec.ValidationError as error:
        raise ShapeError(error) from None


def key_in(headers: Mapping[str, str], *names: str) -> str:
    """Return the key that a request carries, in the first of these headers or as a bearer."""
    own = next((headers[name] for name in names if headers.get(name)), "")
    return own or headers.get("authorization", "").removeprefix("Bearer ").strip()


def is_bad(key: str) -> bool:
    """Whether a key is refused: tests name it so."""
    return key.startswith("bad")
