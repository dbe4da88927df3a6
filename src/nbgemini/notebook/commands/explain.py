"""%gemini explain: a question about an object of the notebook, about some words, or about the last cell."""

from __future__ import annotations

import builtins
import inspect
import re
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

from nbgemini.errors import PromptError
from nbgemini.messages.turns import Part
from nbgemini.notebook.kernel.environment import visible
from nbgemini.notebook.magics.parsing import Ask, nearest, parse_ask

if TYPE_CHECKING:
    from nbgemini.notebook.prompt.builder import Question
    from nbgemini.notebook.session import Session

_DOC, _MOST_NAMES = 6_000, 200
_PATH = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*$")


def asked_to_explain(session: Session, rest: str) -> tuple[Ask, Question]:
    """Return what `%gemini explain [options] [OBJECT | -- text]` asks.

    Raises:
        PromptError: there is no such object, or no cell has run; the message names what is near.
    """
    from nbgemini.notebook.prompt.builder import Question, prompt_of  # noqa: PLC0415 - at first use

    ask, words = parse_ask(rest)
    if words and _are_words(rest, words):
        return ask, Question("explain", ({"text": "Explain, briefly: "},), prompt_of(session, ask, words))
    if words:
        return ask, Question("explain", _about_object(session, words), prompt_of(session, ask, ""))
    return ask, Question("explain", _about_last_cell(session), prompt_of(session, ask, ""))


def _are_words(rest: str, words: str) -> bool:
    return rest.rstrip().removesuffix(words).rstrip().endswith("--")


def _about_last_cell(session: Session) -> tuple[Part, ...]:
    from nbgemini.notebook.prompt.cell_context import cells_above  # noqa: PLC0415

    cell = cells_above(session.shell, 1)
    if cell is None:
        raise PromptError("no cell has run yet; %gemini explain NAME is about an object, %gemini explain -- words about them")
    return {"text": "Explain what this cell does and what its output means, briefly.\n\n"}, cell


def _about_object(session: Session, path: str) -> tuple[Part, ...]:
    value = _found(path, {**vars(builtins), **visible(session.shell)})
    return {"text": f"Explain `{path}` of my notebook, briefly: what it is, and how it is used.\n\n"}, *_told(path, value)


def _found(path: str, names: Mapping[str, Any]) -> Any:
    """Return what a name with attributes leads to.

    Raises:
        PromptError: nothing.
    """
    if not _PATH.match(path):
        raise PromptError(f"{path!r} is no name of an object; words go after --: %gemini explain -- {path}")
    first, *attributes = path.split(".")
    if first not in names:
        raise PromptError(f"no object {first!r} in this notebook{nearest(first, names)}; words go after --")
    value = names[first]
    for attribute in attributes:
        try:
            value = getattr(value, attribute)
        except AttributeError:
            known = [name for name in dir(value) if not name.startswith("_")]
            raise PromptError(f"no {attribute!r} in {path.rpartition('.')[0]}{nearest(attribute, known)}") from None
        except Exception as error:  # noqa: BLE001 - a property may raise anything
            raise PromptError(f"{path} can't be read, {type(error).__name__}: {str(error)[:200]}") from None
    return value


def _told(path: str, value: Any) -> list[Part]:
    from nbgemini.notebook.prompt.builder import told_part  # noqa: PLC0415

    kind: str = type(value).__name__
    if isinstance(value, ModuleType | type) or inspect.isroutine(value):
        return [told_part(_documented(path, value), path, kind)]
    from nbgemini.prompts.values import fence, parts_of  # noqa: PLC0415

    head = f"{path} is of type {_type_name(value)}.\n"
    try:
        said = parts_of(value, path) or []
    except PromptError:  # it says nothing of itself, or can't be drawn; its class is documented
        return [told_part(head + _documented(path, type(value)), path, kind)]
    if said and said[0].keys() == {"text"}:
        words = head + fence(str(said[0]["text"]))
        return [told_part(words, path, kind), *said[1:]]
    return [{"text": head}, *said]


def _type_name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")


def _documented(path: str, value: Any) -> str:
    """Return what is written about code: how it is called, its documentation, its source or the names it holds."""
    from nbgemini.prompts.jsonable import cut  # noqa: PLC0415
    from nbgemini.prompts.values import fence, parts_of  # noqa: PLC0415

    held = ", ".join([name for name in dir(value) if not name.startswith("_")][:_MOST_NAMES])
    source = None if isinstance(value, ModuleType) else parts_of(value, path)
    return "".join(
        [
            f"{path}{_signature(value)}: {type(value).__name__} of {getattr(value, '__module__', None) or value.__name__}\n",
            f"Documentation:\n{fence(cut(inspect.getdoc(value) or 'none', _DOC))}",
            f"Source:\n{fence(str(source[0].get('text', '')), 'python')}" if source else f"It holds: {held}\n",
        ]
    )


def _signature(value: Any) -> str:
    try:
        return str(inspect.signature(value))
    except (TypeError, ValueError):
        return ""
