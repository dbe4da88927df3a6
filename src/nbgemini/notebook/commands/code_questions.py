"""`%gemini fix` and `explain`: prompts about the last exception, an object of the notebook, some words, or the last cell."""

from __future__ import annotations

import builtins
import inspect
import re
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from msgspec import structs

from nbgemini.errors import PromptError, nearest
from nbgemini.messages.turns import Part
from nbgemini.notebook.kernel.environment import user_names
from nbgemini.notebook.options import PromptArgs
from nbgemini.prompts.placeholders import read_attribute

if TYPE_CHECKING:
    from nbgemini.notebook.prompt.builder import PromptDraft
    from nbgemini.notebook.session import Session

_DOC, _MOST_NAMES = 6_000, 200
_PATH = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*$")
_FIX = (
    "Code in my notebook failed with {error}\n"
    "Say in a sentence or two why. Then write the whole corrected cell, ready to run in its place, in one block of Python code."
    "\n\n"
)


def fix_prompt(session: Session, args: PromptArgs, hint: str) -> PromptDraft:
    """Return the prompt of `%gemini fix [OPTIONS] [HINT]`."""
    from nbgemini.notebook.prompt.builder import draft_prompt, named_text  # noqa: PLC0415 - at first use
    from nbgemini.notebook.prompt.error_context import describe_failure, exception_line, last_failure  # noqa: PLC0415

    failure = last_failure(session.shell, session.errors.seen)
    if failure is None:
        raise PromptError("nothing has failed yet; %gemini fix fixes the last exception, %gemini explain explains an object")
    context = describe_failure(session.shell, failure, session.client.settings.keys)
    name = f"cell [{failure.number}] and its traceback" if failure.number else "the traceback"
    request = {"text": _FIX.format(error=exception_line(failure.error))}
    about = request, named_text(context, name, "context")
    return structs.replace(draft_prompt(session.shell, session.pictures, args, hint), about=about, purpose="fix")


def explain_prompt(session: Session, args: PromptArgs, text: str) -> PromptDraft:
    """Return the prompt of `%gemini explain [OPTIONS] [OBJECT | -- WORDS]`."""
    from nbgemini.notebook.prompt.builder import draft_prompt  # noqa: PLC0415 - at first use

    about: Sequence[Part] = ({"text": "Explain, briefly: "},)
    if not args.literal or not text:
        about, text = _about_object(session, text) if text else _about_last_cell(session), ""
    return structs.replace(draft_prompt(session.shell, session.pictures, args, text), about=about, purpose="explain")


def _about_last_cell(session: Session) -> tuple[Part, ...]:
    from nbgemini.notebook.prompt.cells import cells_above  # noqa: PLC0415

    cell = cells_above(session.shell, 1)
    if cell is None:
        raise PromptError("no cell has run yet; %gemini explain NAME explains an object, %gemini explain -- WORDS words")
    return {"text": "Explain what this cell does and what its output means, briefly.\n\n"}, cell


def _about_object(session: Session, path: str) -> tuple[Part, ...]:
    value = _find(path, user_names(session.shell))
    return {"text": f"Explain `{path}` of my notebook, briefly: what it is, and how it is used.\n\n"}, *_describe(path, value)


def _find(path: str, names: Mapping[str, Any]) -> Any:
    """Return the object that a name with attributes stands for, in the notebook or built in."""
    if not _PATH.match(path):
        raise PromptError(f"{path!r} is not the name of an object; to explain words: %gemini explain -- {path}")
    first, *attributes = path.split(".")
    known = {**vars(builtins), **names}
    if first not in known:
        raise PromptError(
            f"no object {first!r} in this notebook{nearest(first, names)}; to explain words: %gemini explain -- {path}"
        )
    value = known[first]
    for attribute in attributes:
        try:
            value = read_attribute(value, attribute, path)
        except AttributeError:
            public = [name for name in dir(value) if not name.startswith("_")]
            raise PromptError(f"no {attribute!r} in {path.rpartition('.')[0]}{nearest(attribute, public)}") from None
    return value


def _describe(path: str, value: Any) -> list[Part]:
    from nbgemini.notebook.prompt.builder import named_text  # noqa: PLC0415

    kind: str = type(value).__name__
    if isinstance(value, ModuleType | type) or inspect.isroutine(value):
        return [named_text(_documentation(path, value), path, kind)]
    from nbgemini.prompts.file_text import fence  # noqa: PLC0415
    from nbgemini.prompts.values import value_to_parts  # noqa: PLC0415

    head = f"{path} is of type {_type_name(value)}.\n"
    try:
        parts = value_to_parts(value, path) or []
    except PromptError:  # it says nothing of itself, or can't be drawn; its class is documented
        return [named_text(head + _documentation(path, type(value)), path, kind)]
    if parts and parts[0].keys() == {"text"}:
        words = head + fence(str(parts[0]["text"]))
        return [named_text(words, path, kind), *parts[1:]]
    return [{"text": head}, *parts]


def _type_name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")


def _documentation(path: str, value: Any) -> str:
    """Return signature, documentation, and source or names of a module, class or function."""
    from nbgemini.prompts.file_text import fence  # noqa: PLC0415
    from nbgemini.prompts.jsonable import cut  # noqa: PLC0415
    from nbgemini.prompts.values import value_to_parts  # noqa: PLC0415

    held = ", ".join([name for name in dir(value) if not name.startswith("_")][:_MOST_NAMES])
    source = None if isinstance(value, ModuleType) else value_to_parts(value, path)
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
