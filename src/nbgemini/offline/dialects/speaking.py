"""Which protocol a request is in, and the whole way from it to the answer."""

from __future__ import annotations

from typing import Any

from nbgemini.offline.dialects.anthropic import Anthropic
from nbgemini.offline.dialects.chat import Chat
from nbgemini.offline.dialects.declining import Declined, Misshapen
from nbgemini.offline.dialects.dialect import Dialect, Question
from nbgemini.offline.dialects.interactions import Interactions
from nbgemini.offline.dialects.responses import Responses
from nbgemini.offline.dialects.speech import speech_of
from nbgemini.offline.dialects.writing import Written, overloaded, refusal, written
from nbgemini.offline.gemini.stream import count_tokens
from nbgemini.offline.http_server import HttpRequest
from nbgemini.offline.input_report import Head
from nbgemini.offline.json_body import Invalid
from nbgemini.offline.responder import EVENTS, Delivery, send_json, stream, whole
from nbgemini.offline.script import answer_to

_POSTS = {
    "/v1/messages": "anthropic",
    "/v1/messages/count_tokens": "anthropic",
    "/v1/chat/completions": "chat",
    "/v1/responses": "responses",
    "/v1/interactions": "interactions",
    "/v1beta/interactions": "interactions",
    "/v1alpha/interactions": "interactions",
}


class Dialects:
    """The protocols that a service speaks besides Gemini's own."""

    def __init__(self, head: Head) -> None:
        """Speak all of them; `head` has the files."""
        self._head = head
        self._dialects: dict[str, Dialect] = {
            "anthropic": Anthropic(),
            "chat": Chat(),
            "responses": Responses(),
            "interactions": Interactions(),
        }

    def of(self, request: HttpRequest) -> Dialect | None:
        """Return the protocol of a request, or None if it is Gemini's."""
        name = _POSTS.get(request.path) if request.method == "POST" else _listing(request)
        return self._dialects.get(name or "")

    async def answer(self, dialect: Dialect, request: HttpRequest, body: Any, count: tuple[int, int], to: Delivery) -> None:
        """Answer a request; the counts are how many were equal to it before, and how many there were at all.

        Raises:
            ConnectionError: the client has left, or the answer breaks off as it should.
        """
        try:
            dialect.allow(request)
            if request.method == "GET":
                await send_json(to.writer, 200, dialect.look(request))
            else:
                await self._ask(dialect, request, body, count, to)
        except (Declined, Misshapen, Invalid) as fault:
            declined = _declined(fault, dialect)
            await send_json(to.writer, declined.status, dialect.error(declined, count[1]), declined.headers)

    async def _ask(self, dialect: Dialect, request: HttpRequest, body: Any, count: tuple[int, int], to: Delivery) -> None:
        if isinstance(body, Invalid):
            raise body
        question = dialect.read(request, body)
        if isinstance(question, Question):
            await _send(question, self._written(dialect, question, *count), to)
        else:
            await send_json(to.writer, 200, question)

    def _written(self, dialect: Dialect, question: Question, earlier: int, number: int) -> Written:
        answer = answer_to(question.body, question.model, earlier, self._head)
        if answer.refused:
            raise refusal(answer.told)
        asked, ids = count_tokens(question.body["contents"]), f"{dialect.calls}_{number}"
        speech = speech_of(answer, asked, ids, thinks=question.thinks)
        made = written(speech, dialect.writer(question, number), answer.told)
        dialect.keep(question, made.whole)
        return made


async def _send(question: Question, answer: Written, to: Delivery) -> None:
    if question.streams:
        await stream(answer.script, answer.pieces, to, content_type=EVENTS, begin=answer.begin, end=answer.end)
    elif answer.broken:
        raise overloaded()
    else:
        await whole(answer.script, 200, answer.whole, to)


def _declined(fault: Declined | Misshapen | Invalid, dialect: Dialect) -> Declined:
    if isinstance(fault, Misshapen):
        return dialect.misshapen(fault)
    return Declined(400, str(fault)) if isinstance(fault, Invalid) else fault


def _listing(request: HttpRequest) -> str | None:
    """Return whose list of models is asked for: only headers tell, all stand at one address."""
    if request.method != "GET" or not f"{request.path}/".startswith("/v1/models/"):
        return None
    if "x-goog-api-key" in request.headers or "key" in request.query:
        return None
    return "anthropic" if "anthropic-version" in request.headers else "chat" if "authorization" in request.headers else None
