"""Gemini through google-genai's async client, for Vertex AI above all: the only file that imports it.

The client finds the address and the credentials; the body goes out as our codec wrote it (`extra_body`), for its types refuse
parts that are newer than they are and write every picture anew. Its answers come as its types read them, and what these don't
know is lost: that is what the REST source is there for. Requests that it has no call for go by REST.

Invariants: its function calling, its chats, its retries and its continuation stay off; aiohttp is never taken, even if it is
there; the client is imported and made in the loading thread.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from types import ModuleType
from typing import Any

import msgspec

from nbgemini._environment import hush
from nbgemini.errors import ConfigurationError, NbGeminiError, TransportError
from nbgemini.services import GEMINI_URL, Service
from nbgemini.transport.api_errors import error_from_data
from nbgemini.transport.client import HttpClients
from nbgemini.transport.request import Request, WholeResponse
from nbgemini.transport.sdk.base import Ask, SdkCall, SdkSource
from nbgemini.transport.timeouts import Timeouts

_METHOD = re.compile(r"(?P<version>[^/]+)/(?P<model>.+):(?P<method>streamGenerateContent|countTokens)")
_MODELS = re.compile(r"(?P<version>[^/]+)/models")
_THEIRS = {"sdk_http_response", "parsed", "automatic_function_calling_history"}  # which the service has not said
_REPLACED = [{"role": "user", "parts": [{"text": "-"}]}]  # the client wants contents; those of `extra_body` take their place
_VERTEX = "aiplatform.googleapis.com"


class GoogleSdkSource(SdkSource):
    """Sends requests with google-genai's async client."""

    package = "google.genai"
    installed_by = distribution = "google-genai"

    def __init__(  # noqa: PLR0913 - each a thing of its own
        self,
        service: Service,
        timeouts: Timeouts,
        clients: HttpClients | None = None,
        *,
        vertex: bool = False,
        project: str = "",
        location: str = "",
    ) -> None:
        """Remember where and as whom to ask.

        Args:
            service: Gemini, with its key; Vertex AI needs none where there are credentials of Google Cloud.
            timeouts: how long to wait for what.
            clients: by which requests go out; else clients of its own.
            vertex: whether to ask Vertex AI.
            project: the project at Google Cloud; that of the credentials if empty.
            location: its region; `global` if empty.
        """
        super().__init__(service, timeouts, clients)
        self._vertex, self._project, self._location = vertex, project, location
        self._elsewhere = self._origin.url != GEMINI_URL
        if vertex and not self._elsewhere:
            self._host = _VERTEX

    async def call(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, content: bytes = b""
    ) -> WholeResponse:
        """Send one request and return the whole answer; Vertex AI has nothing that is asked so."""
        if self._vertex:
            raise ConfigurationError("Vertex AI stores no files for prompts; attach what is smaller, or a gs:// address")
        return await super().call(method, path, headers, content)

    def _ask_for(self, request: Request) -> Ask | None:
        if found := _METHOD.fullmatch(request.path):
            return self._generate if found["method"] == "streamGenerateContent" else self._count
        if _MODELS.fullmatch(request.path) and request.method == "GET":
            return self._list
        if self._vertex:
            raise ConfigurationError(f"Vertex AI is not asked for {request.path.rpartition('/')[2]} through google-genai")
        return None

    def _new_sdk(self, module: ModuleType, http_client: Any) -> Any:
        hush("google_genai")
        # A value that is newer than the client is news, no fault; it would be said on the user's page.
        warnings.filterwarnings("ignore", ".* is not a valid ", UserWarning, r"google\.genai\.")
        base = {"base_url": self._origin.url} if self._elsewhere or not self._vertex else {}
        cloud = {"project": self._project or None, "location": self._location or None} if self._vertex else {}
        keyed = self._key and not (self._vertex and self._project)
        try:
            return module.Client(
                vertexai=self._vertex,
                api_key=self._key.reveal() if keyed else None,  # in no variable: a verbose traceback writes these
                http_options={"httpx_async_client": http_client, **base},
                **cloud,
            )
        except Exception as error:  # noqa: BLE001 - whatever it misses
            trouble = self._mask.hide_parts(str(error))
        raise ConfigurationError(f"google-genai can't start: {trouble}")

    async def _generate(self, sdk: Any, request: Request, call: SdkCall) -> AsyncGenerator[bytes, None]:
        config = {**_off(), "http_options": self._options(request)}
        chunks = await sdk.aio.models.generate_content_stream(model=self._model(request), contents=_REPLACED, config=config)
        async with aclosing(chunks):
            chunk = await call.begin(anext(chunks, None))
            while chunk is not None:
                yield msgspec.json.encode(_as_sent(_plain(chunk)))
                chunk = await call.stall.wait(anext(chunks, None))

    async def _count(self, sdk: Any, request: Request, call: SdkCall) -> AsyncGenerator[bytes, None]:
        config = {"http_options": self._options(request)}
        counted = sdk.aio.models.count_tokens(model=self._model(request), contents=_REPLACED, config=config)
        yield msgspec.json.encode(_plain(await call.begin(counted)))

    async def _list(self, sdk: Any, request: Request, call: SdkCall) -> AsyncGenerator[bytes, None]:
        size, token = request.query.get("pageSize"), request.query.get("pageToken")
        config = {"query_base": True, "page_size": int(size) if size else None, "page_token": token}
        version = {} if self._vertex else {"api_version": request.path.partition("/")[0]}
        pager = await call.begin(sdk.aio.models.list(config={**config, "http_options": version}))
        following = pager.config.get("page_token")
        models = [_model(_plain(model)) for model in pager.page]
        yield msgspec.json.encode({"models": models, **({"nextPageToken": following} if following else {})})

    def _model(self, request: Request) -> str:
        model = request.path.partition("/")[2].rpartition(":")[0]
        return model.removeprefix("models/") if self._vertex else model

    def _options(self, request: Request) -> dict[str, Any]:
        """Return what is particular to a request; Vertex AI has versions of its own."""
        version = {} if self._vertex else {"api_version": request.path.partition("/")[0]}
        return {"extra_body": dict(request.body or {}), **version}

    def _translate_sdk(self, error: Exception) -> NbGeminiError:
        ours = _of_google(error) if self.package in sys.modules else None  # else it has said nothing yet
        return ours or super()._translate_sdk(error)


def _of_google(error: Exception) -> NbGeminiError | None:
    """Return what an error of google-genai or google-auth means; None if it is of another kind."""
    from google.auth import exceptions  # noqa: PLC0415 - loaded long ago
    from google.genai.errors import APIError  # noqa: PLC0415

    if isinstance(error, APIError):  # in the stream, after a good beginning
        said = error.details.get("error", error.details) if isinstance(error.details, dict) else {}
        return error_from_data(0, said if isinstance(said, dict) else {"message": str(said)})
    if isinstance(error, exceptions.TransportError):
        return TransportError("Google's service for credentials can't be reached → check the network", passing=True)
    if isinstance(error, exceptions.GoogleAuthError):
        return ConfigurationError("no valid credentials of Google Cloud → gcloud auth application-default login")
    return None


def _off() -> dict[str, Any]:
    """Return what keeps the client from asking by itself; clients before 3 know no continuation and refuse its name."""
    from google.genai.types import GenerateContentConfig  # noqa: PLC0415 - loaded long ago

    off: dict[str, Any] = {"automatic_function_calling": {"disable": True}, "automatic_continuation": False}
    return {name: value for name, value in off.items() if name in GenerateContentConfig.model_fields}


def _plain(thing: Any) -> dict[str, Any]:
    """Return what the service said; bytes become base64 of the usual alphabet only when msgspec writes them."""
    said: dict[str, Any] = thing.model_dump(by_alias=True, exclude_none=True, exclude=_THEIRS)
    return said


def _as_sent(chunk: dict[str, Any]) -> dict[str, Any]:
    """Return a chunk with the names that the service has for what the client renames."""
    for candidate in chunk.get("candidates", ()):
        cited = candidate.get("citationMetadata", {})
        if "citations" in cited:
            cited["citationSources"] = cited.pop("citations")
    return chunk


def _model(said: dict[str, Any]) -> dict[str, Any]:
    """Return a model as the service describes it; Vertex AI puts the publisher before its name."""
    name = f"models/{str(said.get('name', '')).rpartition('/')[2]}"
    actions = {"supportedGenerationMethods": said["supportedActions"]} if "supportedActions" in said else {}
    return {**said, "name": name, **actions}
