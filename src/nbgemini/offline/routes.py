"""What stands at the addresses that have no contents: the model list, and whether a model can be asked, and by whom."""

from __future__ import annotations

import base64
import re
from typing import Any

from nbgemini.offline.http_server import HttpRequest
from nbgemini.offline.models import embeds, listed, resolve

_STATUS = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
_VERSIONS = ("v1", "v1beta", "v1alpha")
_PLACES = ("models", "tunedModels", "files", "batches", "cachedContents", "interactions", "operations")
_LEAST_CACHED = 1024  # tokens
_PAGE, _LARGEST_PAGE = 50, 1000
_LONGEST_NUMBER = 10  # digits of an int32
_NO_CACHE = "CachedContent not found (or permission denied)"
EMBEDS = ("embedContent", "batchEmbedContents")
_METHODS = ("generateContent", "streamGenerateContent", "countTokens")


class Refused(Exception):  # noqa: N818 - it is what the request is
    """The request is answered with an error."""

    def __init__(self, code: int, message: str, details: list[dict[str, Any]] | None = None) -> None:
        """Keep Google's error object."""
        super().__init__(message)
        self.code = code
        self.error = {"code": code, "message": message, "status": _STATUS[code], **({"details": details} if details else {})}


def refuse_strangers(request: HttpRequest) -> None:
    """Let programs of this machine pass.

    Raises:
        Refused: a page of another site asks.
    """
    if not request.is_from_here:
        raise Refused(403, "This service answers programs on its own machine only, at its own address.")


def version_of(request: HttpRequest) -> str:
    """Return the version of the API that is asked, by somebody with a key.

    Raises:
        Refused: there is nothing at this address, or the key is none.
    """
    version, _, rest = request.path.strip("/").removeprefix("upload/").removeprefix("download/").partition("/")
    if version not in _VERSIONS or re.split("[/:]", rest)[0] not in _PLACES:
        raise Refused(404, f"Requested entity was not found: {request.path}")
    key = request.headers.get("x-goog-api-key") or request.query.get("key")
    if not key:
        raise Refused(403, "Method doesn't allow unregistered callers. Please use an API key.")
    if key.startswith("bad"):
        info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
        raise Refused(400, "API key not valid. Please pass a valid API key.", [info])
    return version


def cached_contents(request: HttpRequest, version: str, tokens: int) -> dict[str, Any] | None:
    """Return the list of caches, which is empty, as without billing there are none; None if something else is asked for.

    `tokens` is how many a new cache would hold.

    Raises:
        Refused: a cache is to be made, or is asked for.
    """
    place, _, name = request.path.strip("/").removeprefix(version).strip("/").partition("/")
    if place != "cachedContents":
        return None
    if name:
        raise Refused(403, _NO_CACHE)
    if request.method == "GET":
        return {}
    if tokens < _LEAST_CACHED:
        counted = f"total_token_count={tokens}, min_total_token_count={_LEAST_CACHED}"
        raise Refused(400, f"Cached content is too small. {counted}")
    asked = f"limit=0, requested={tokens}"
    raise Refused(429, f"TotalCachedContentStorageTokensPerModelFreeTier limit exceeded for the offline service: {asked}")


def check_cache(body: dict[str, Any]) -> None:
    """Check that a normalised request goes on from no cache: there is none.

    Raises:
        Refused: it does.
    """
    if body.get("cachedContent"):
        raise Refused(403, _NO_CACHE)


def generating_model(name: str, method: str, version: str) -> str:
    """Return the model that a method is asked of.

    Raises:
        Refused: there is none, or it has no such method.
    """
    bare = name.removeprefix("models/")
    model = bare if embeds(bare) else resolve(bare, version)
    if model is None or method not in (EMBEDS if embeds(bare) else _METHODS):
        raise Refused(
            404,
            f"{name} is not found for API version {version}, or is not supported for {method or 'get'}. "
            "Call ModelService.ListModels to see the list of available models and their supported methods.",
        )
    return model


def models_page(query: dict[str, str], version: str) -> dict[str, Any]:
    """Return one page of the model list.

    Raises:
        Refused: the page's size or token is not one.
    """
    models = listed(version)
    size, start = _number(query.get("pageSize", "0")), _start(query.get("pageToken", ""), len(models))
    if size is None or start is None:
        raise Refused(400, "Request contains an invalid argument.")
    end = start + min(size or _PAGE, _LARGEST_PAGE)
    page: dict[str, Any] = {"models": models[start:end]}
    if end < len(models):
        page["nextPageToken"] = _token(end)
    return page


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER else None


def _start(token: str, models: int) -> int | None:
    """Return where the page of a token begins, or None: only what was given out is a token."""
    return 0 if not token else next((start for start in range(1, models) if _token(start) == token), None)


def _token(start: int) -> str:
    return base64.b64encode(str(start).encode()).decode()


def one_model(name: str, version: str) -> dict[str, Any]:
    """Return a model's entry.

    Raises:
        Refused: there is no such model.
    """
    found = next((entry for entry in listed(version) if entry["name"] == name), None)
    if found is None:
        raise Refused(404, f"{name} is not found for API version {version}.")
    return found
