"""`%gemini fix`: a prompt about the last exception; the corrected cell comes with the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from nbgemini.errors import PromptError

if TYPE_CHECKING:
    from nbgemini.notebook.options import PromptArgs
    from nbgemini.notebook.prompt.builder import PromptDraft
    from nbgemini.notebook.session import Session

_REQUEST = (
    "Code in my notebook failed with {error}\n"
    "Say in a sentence or two why. Then write the whole corrected cell, ready to run in its place, in one block of Python code."
    "\n\n"
)


def fix_prompt(session: Session, args: PromptArgs, hint: str) -> PromptDraft:
    """Return the prompt of `%gemini fix [OPTIONS] [HINT]`.

    Raises:
        PromptError: nothing has failed yet.
    """
    from nbgemini.notebook.prompt.builder import draft_prompt, named_text  # noqa: PLC0415 - at first use
    from nbgemini.notebook.prompt.error_context import describe_failure, one_line  # noqa: PLC0415

    failure = session.errors.failure()
    if failure is None:
        raise PromptError("nothing has failed yet; %gemini fix is about the last exception (%gemini explain: about an object)")
    context = describe_failure(session.shell, failure, session.client.settings.keys)
    name = f"cell [{failure.number}] and its traceback" if failure.number else "the traceback"
    request = {"text": _REQUEST.format(error=one_line(failure.error))}
    about = request, named_text(context, name, "context")
    return structs.replace(draft_prompt(session.shell, session.pictures, args, hint), about=about, purpose="fix")
