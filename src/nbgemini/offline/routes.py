"""What stands at the addresses that have no contents: the model list, and whether a model can be asked."""

from __future__ import annotations

import base64
from typing import Any

from nbgemini.offline.models import listed, resolve

_STATUS = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
_PAGE, _LARGEST_PAGE = 50, 1000
_METHODS = ("generateContent", "streamGenerateContent", "countTokens")


class Refused(Exception):  # noqa: N818 - it is what the request is
    """The request is answered with an error."""

    def __init__(self, code: int, message: str, details: list[dict[str, Any]] | None = None) -> None:
        """Keep Google's error object."""
        super().__init__(message)
        self.code = code
        self.error = {"code": code, "message": message, "status": _STATUS[code], **({"details": details} if details else {})}


def generating_model(name: str, method: str, version: str) -> str:
    """Return the model that a method is asked of.

    Raises:
        Refused: there is none, or it has no such method.
    """
    model = resolve(name.removeprefix("models/"), version)
    if model is None or method not in _METHODS:
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
    try:
        size = min(int(query.get("pageSize") or 0) or _PAGE, _LARGEST_PAGE)
        start = int(base64.b64decode(query.get("pageToken", ""), validate=True) or 0)
    except ValueError:
        size = start = -1
    if size < 0 or start < 0:
        raise Refused(400, "Request contains an invalid argument.")
    page: dict[str, Any] = {"models": models[start : start + size]}
    if start + size < len(models):
        page["nextPageToken"] = base64.b64encode(str(start + size).encode()).decode()
    return page


def one_model(name: str, version: str) -> dict[str, Any]:
    """Return a model's entry.

    Raises:
        Refused: there is no such model.
    """
    found = next((entry for entry in listed(version) if entry["name"] == name), None)
    if found is None:
        raise Refused(404, f"{name} is not found for API version {version}.")
    return found
