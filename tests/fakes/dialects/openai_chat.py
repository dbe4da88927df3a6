"""OpenAI's Chat Completions, with `reasoning_content` for thoughts, as the compatible services of others have it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from nbgemini.offline.http_server import HttpRequest
from tests.fakes.dialects.answer_runs import Run, Speech
from tests.fakes.dialects.base import Question, arguments, gemini_body, grouped, result_part
from tests.fakes.dialects.errors import shaped
from tests.fakes.dialects.event_writer import Event, Writer
from tests.fakes.dialects.models import gpt
from tests.fakes.dialects.openai_chat_request import (
    Any_,
    Asked,
    Assistant,
    Developer,
    File,
    ImageUrl,
    InputAudio,
    Refusal,
    System,
    Text,
    Tool,
    check,
)
from tests.fakes.dialects.openai_common import OpenAI, file_part, form_of

_STOPS = {"STOP": "stop", "MAX_TOKENS": "length"}


class Chat(OpenAI):
    """Chat Completions."""

    def read(self, _request: HttpRequest, body: Any) -> Question:
        """Read a request for a completion."""
        asked = shaped(body, Asked)
        model, thinks = gpt(asked.model), asked.reasoning_effort != "none"
        check(asked)
        return Question(model, _body(asked, thinks=thinks), asked, bool(asked.stream), thinks)

    def writer(self, question: Question, number: int) -> Writer:
        """Return the writer of a completion."""
        options = question.asked.stream_options
        return _Writer(question.model, number, counts=bool(options and options.include_usage))

    def keep(self, question: Question, answer: dict[str, Any]) -> None:
        """Keep nothing: a request holds the whole chat."""


def _body(asked: Asked, *, thinks: bool) -> dict[str, Any]:
    names = {
        call.id: call.function.name
        for message in asked.messages
        if isinstance(message, Assistant)
        for call in message.tool_calls or ()
    }
    system = [_words(message.content) for message in asked.messages if isinstance(message, System | Developer)]
    contents = [
        {"role": "model" if isinstance(message, Assistant) else "user", "parts": list(_parts(message, names))}
        for message in asked.messages
    ]
    return gemini_body(
        grouped(contents),
        system="\n".join(system),
        tools={tool.function.name: tool.function.parameters for tool in asked.tools},
        choice=asked.tool_choice,
        thinks=thinks,
        most=asked.max_completion_tokens or asked.max_tokens,
        stops=[asked.stop] if isinstance(asked.stop, str) else asked.stop or (),
        **form_of(asked.response_format),
    )


def _parts(message: Any_, names: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield a message as Gemini writes it; thoughts are for those who thought them."""
    match message:
        case System() | Developer():
            return
        case Tool(tool_call_id=id_):
            yield result_part(names[id_], id_, _words(message.content))
        case Assistant():
            yield from ({"text": words} for words in [_words(message.content or "")] if words)
            for call in message.tool_calls or ():
                yield {"functionCall": {"id": call.id, "name": call.function.name, "args": arguments(call.function.arguments)}}
        case _:
            content = message.content
            yield from ([{"text": content}] if isinstance(content, str) else map(_part, content))


def _part(part: Text | ImageUrl | InputAudio | File) -> dict[str, Any]:
    match part:
        case Text(text=text):
            return {"text": text}
        case ImageUrl(image_url=image):
            return file_part(image.url)
        case InputAudio(input_audio=sound):
            return {"inlineData": {"mimeType": f"audio/{sound.format}", "data": sound.data}}
        case File(file=file):
            return file_part(file.file_data or file.file_id)


def _words(content: str | list[Text] | list[Text | Refusal]) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.text if isinstance(part, Text) else part.refusal for part in content)


class _Writer:
    """Writes a completion: every event is a chunk of it."""

    names = False

    def __init__(self, model: str, number: int, *, counts: bool) -> None:
        self._head = {"id": f"offline-chatcmpl_{number}", "created": int(time.time()), "model": model}
        self._counts = counts
        self._call = -1

    def begin(self, _speech: Speech) -> list[Event]:
        return [self._chunk({"role": "assistant", "content": ""})]

    def opening(self, _index: int, run: Run) -> list[Event]:
        if run.kind != "call":
            return []
        self._call += 1
        function = {"name": run.name, "arguments": ""}
        return [self._chunk({"tool_calls": [{"index": self._call, "id": run.id, "type": "function", "function": function}]})]

    def delta(self, _index: int, run: Run, text: str) -> list[Event]:
        match run.kind:
            case "thought":
                return [self._chunk({"reasoning_content": text})]
            case "text":
                return [self._chunk({"content": text})]
            case "call":
                return [self._chunk({"tool_calls": [{"index": self._call, "function": {"arguments": text}}]})]

    def closing(self, _index: int, _run: Run) -> list[Event]:
        return []

    def end(self, speech: Speech) -> list[Event]:
        events = [self._chunk({}, _stop(speech))]
        if self._counts:
            events.append(("", {**self._head, "object": "chat.completion.chunk", "choices": [], "usage": _usage(speech)}))
        return [*events, ("", "[DONE]")]

    def fault(self, message: str) -> list[Event]:
        return [("", {"error": {"message": message, "type": "server_error", "param": None, "code": None}})]

    def whole(self, speech: Speech) -> dict[str, Any]:
        calls = [
            {"id": run.id, "type": "function", "function": {"name": run.name, "arguments": run.text}} for run in speech.calls
        ]
        thought = speech.text_of("thought")
        message = {
            "role": "assistant",
            "content": speech.text_of("text") or None,
            "refusal": None,
            **({"reasoning_content": thought} if thought else {}),
            **({"tool_calls": calls} if calls else {}),
        }
        stop = _stop(speech) if speech.finish is not None else None
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": stop}
        return {**self._head, "object": "chat.completion", "choices": [choice], "usage": _usage(speech)}

    def _chunk(self, delta: dict[str, Any], stop: str | None = None) -> Event:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": stop}
        usage = {"usage": None} if self._counts else {}
        return "", {**self._head, "object": "chat.completion.chunk", "choices": [choice], **usage}


def _stop(speech: Speech) -> str:
    stop = _STOPS.get(str(speech.finish), "content_filter")
    return "tool_calls" if speech.calls and stop == "stop" else stop


def _usage(speech: Speech) -> dict[str, Any]:
    made = speech.thought + speech.made
    return {
        "prompt_tokens": speech.asked,
        "completion_tokens": made,
        "total_tokens": speech.asked + made,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": speech.thought},
    }
