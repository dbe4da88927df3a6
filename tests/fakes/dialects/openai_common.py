"""What OpenAI's two protocols have in common: keys, the list of models, and the words for errors."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from nbgemini.offline.http_server import HttpRequest
from tests.fakes.dialects.errors import RequestError, ShapeError, is_bad, key_in
from tests.fakes.dialects.models import gpt_entry, gpt_page

_WHERE = "You can find your API key at https://platform.openai.com/account/api-keys."
_KINDS = {429: ("requests", "rate_limit_exceeded")}
_SERVER = ("server_error", None)
_CLIENT = ("invalid_request_error", None)
_SERVER_ERRORS = 500


class OpenAI:
    """OpenAI's side of a request."""

    calls = "call_offline"

    def allow(self, request: HttpRequest) -> None:
        """Check the key."""
        key = key_in(request.headers)
        if not key:
            raise RequestError(401, f"You didn't provide an API key. {_WHERE}")
        if is_bad(key):
            raise RequestError(401, f"Incorrect API key provided: bad***. {_WHERE}", code="invalid_api_key")

    def look(self, request: HttpRequest) -> Any:
        """Return the models, or one."""
        name = request.path.removeprefix("/v1/models").strip("/")
        return gpt_entry(name) if name else gpt_page()

    def misshapen(self, found: ShapeError) -> RequestError:
        """Say it as OpenAI does."""
        where = "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in found.path).removeprefix(".")
        match found.fault:
            case "missing":
                return RequestError(
                    400, f"Missing required parameter: '{where}'.", param=where, code="missing_required_parameter"
                )
            case "unknown":
                return RequestError(400, f"Unknown parameter: '{where}'.", param=where, code="unknown_parameter")
        return RequestError(400, f"Invalid value for '{where}': {found.said}.", param=where, code="invalid_value")

    def error(self, declined: RequestError, _number: int) -> Any:
        """Return the error as OpenAI writes it."""
        kind, code = _KINDS.get(declined.status, _SERVER if declined.status >= _SERVER_ERRORS else _CLIENT)
        words = {"type": declined.kind or kind, "param": declined.param, "code": declined.code or code}
        return {"error": {"message": str(declined), **words}}


def file_part(url: str, mime: str = "") -> dict[str, Any]:
    """Return the file at an address as Gemini writes it; one that begins with `data:` is in it."""
    if url.startswith("data:"):
        about, _, data = url.removeprefix("data:").partition(",")
        return {"inlineData": {"mimeType": about.partition(";")[0], "data": data}}
    return {"fileData": {"mimeType": mime, "fileUri": url}}


class Form(Struct, forbid_unknown_fields=True):
    """The form of an answer; Chat Completions say in `json_schema` what Responses say beside the type."""

    type: Literal["text", "json_object", "json_schema"]
    name: str = ""
    schema: dict[str, Any] | None = None
    strict: bool | None = None
    description: str = ""
    json_schema: Schema | None = None


class Schema(Struct, forbid_unknown_fields=True):
    """A schema with its name."""

    name: str
    schema: dict[str, Any] | None = None
    strict: bool | None = None
    description: str = ""


def form_of(asked: Form | None) -> dict[str, Any]:
    """Return what is asked of the form of an answer."""
    if asked is None:
        return {}
    schema = asked.json_schema.schema if asked.json_schema else asked.schema
    return {"is_json": asked.type != "text", "form": schema}
