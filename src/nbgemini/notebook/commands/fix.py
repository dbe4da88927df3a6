"""%gemini fix: a question about the last exception; the corrected cell comes with the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbgemini.errors import PromptError
from nbgemini.notebook.magics.parsing import Ask, parse_ask

if TYPE_CHECKING:
    from nbgemini.notebook.prompt.builder import Question
    from nbgemini.notebook.session import Session

_ASKED = (
    "Code in my notebook failed with {error}\n"
    "Say in a sentence or two why. Then write the whole corrected cell, ready to run in its place, in one block of Python code."
    "\n\n"
)


def asked_to_fix(session: Session, rest: str) -> tuple[Ask, Question]:
    """Return what `%gemini fix [options] [hint]` asks.

    Raises:
        PromptError: nothing has failed yet, or an option can't be understood.
    """
    from nbgemini.notebook.prompt.builder import (  # noqa: PLC0415
        Question,
        prompt_of,
        told_part,
    )
    from nbgemini.notebook.prompt.error_context import one_line, told_failure  # noqa: PLC0415

    ask, hint = parse_ask(rest)
    failure = session.errors.failure() if session.errors else None
    if failure is None:
        raise PromptError("nothing has failed yet; %gemini fix is about the last exception (%gemini explain: about an object)")
    told = told_failure(session.shell, failure, session.client.settings.keys)
    name = f"cell [{failure.number}] and its traceback" if failure.number else "the traceback"
    asked = {"text": _ASKED.format(error=one_line(failure.error))}
    return ask, Question("fix", (asked, told_part(told, name, "context")), prompt_of(session, ask, hint))
