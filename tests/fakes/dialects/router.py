"""Which protocol a request is in, and the whole way from it to the answer."""

from __future__ import annotations

from nbgemini.offline.http_server import HttpRequest
from nbgemini.offline.input_report import Head
from nbgemini.offline.requests import Refused, body_of
from nbgemini.offline.responder import Delivery, send_json, send_stream, send_whole
from nbgemini.offline.script import answer_to
from nbgemini.offline.stream import count_tokens
from tests.fakes.dialects.answer_runs import speech_of
from tests.fakes.dialects.anthropic import Anthropic
from tests.fakes.dialects.base import Dialect, Question
from tests.fakes.dialects.errors import RequestError, ShapeError
from tests.fakes.dialects.event_writer import Written, overloaded, refusal, written
from tests.fakes.dialects.interactions import Interactions
from tests.fakes.dialects.openai_chat import Chat
from tests.fakes.dialects.openai_responses import Responses


class DialectRouter:
    """The protocols that a service speaks besides Gemini's own."""

    def __init__(self, head: Head) -> None:
        """Speak all of them; `head` has the files."""
        self._head = head
        self._dialects: dict[str, Dialect] = {
            "anthropic": Anthropic(),
            "openai-chat": Chat(),
            "openai": Responses(),
            "interactions": Interactions(),
        }

    async def answer(self, provider: str, request: HttpRequest, count: tuple[int, int], to: Delivery) -> None:
        """Answer a request; the counts are how many were equal to it before, and how many there were at all.

        Raises:
            ConnectionError: the client has left, or the answer breaks off as it should.
        """
        dialect = self._dialects[provider]
        try:
            dialect.allow(request)
            if request.method == "GET":
                await send_json(to.writer, 200, dialect.look(request))
            else:
                await self._ask(dialect, request, count, to)
        except (RequestError, ShapeError, Refused) as fault:
            declined = _declined(fault, dialect)
            await send_json(to.writer, declined.status, dialect.error(declined, count[1]), declined.headers)

    async def _ask(self, dialect: Dialect, request: HttpRequest, count: tuple[int, int], to: Delivery) -> None:
        question = dialect.read(request, body_of(request))
        if isinstance(question, Question):
            await _send(question, self._written(dialect, question, *count), to)
        else:
            await send_json(to.writer, 200, question)

    def _written(self, dialect: Dialect, question: Question, earlier: int, number: int) -> Written:
        said, directive = answer_to(question.body, question.model, earlier, self._head)
        asked, ids = count_tokens(question.body["contents"]), f"{dialect.calls}_{number}"
        speech = speech_of(said, directive.finish, asked, ids, thinks=question.thinks)
        made = written(speech, dialect.writer(question, number), directive)
        dialect.keep(question, made.whole)
        return made


async def _send(question: Question, answer: Written, to: Delivery) -> None:
    if question.streams:
        await send_stream(answer.script, answer.pieces, to, begin=answer.begin, end=answer.end)
    elif answer.broken:
        raise overloaded()
    else:
        await send_whole(answer.script, 200, answer.whole, to)


def _declined(fault: RequestError | ShapeError | Refused, dialect: Dialect) -> RequestError:
    if isinstance(fault, ShapeError):
        return dialect.misshapen(fault)
    return refusal(fault) if isinstance(fault, Refused) else fault
