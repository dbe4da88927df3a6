"""In which form Gemini is asked to answer: JSON, by a schema or not, or nothing but code.

Models before Gemini 3 refuse JSON together with tools (400), so that is said before anything is sent.
Source: googleapis/python-genai#867; responseJsonSchema in the API's reference.
"""

from __future__ import annotations

from typing import Any

from nbgemini.errors import PromptError
from nbgemini.messages.turns import Options
from nbgemini.providers.common.models import BEFORE_GEMINI_3

_CODE = (
    "Answer with code only: one fenced code block that names its language, complete and ready to run, in Python unless another"
    " language is asked for. Write what needs saying as comments; no text outside of the block."
)


def form_of(options: Options) -> dict[str, Any]:
    """Return what `generationConfig` says about the form of the answer.

    Raises:
        PromptError: the model does not answer so.
    """
    if not options.json:
        return {}
    if _offers(options) and options.model.rpartition("/")[2].startswith(BEFORE_GEMINI_3):
        raise PromptError(f"{options.model} gives no JSON where it has tools; leave one of them out, or take Gemini 3 or later")
    asked = {"responseMimeType": "application/json"}
    return {**asked, "responseJsonSchema": options.schema.body} if options.schema else asked


def instruction_of(options: Options) -> str | None:
    """Return the system instruction, with what the form of the answer asks for."""
    said = (options.system, _CODE if options.format == "code" else None)
    return "\n\n".join(filter(None, said)) or None


def _offers(options: Options) -> bool:
    return bool(options.tools or options.search or options.run_code or options.urls)
