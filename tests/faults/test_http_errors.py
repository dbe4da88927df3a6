"""What the service refuses: waited out where it passes, told in one line where it does not."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
from email.utils import formatdate

import pytest

from nbgemini import Client, Settings
from nbgemini.errors import ApiError, AuthenticationError, BlockedError, RateLimitError, ServerError, TransportError
from nbgemini.secrets import Secret
from tests.fakes.fault_server import FaultServer
from tests.fakes.invariants import assert_all
from tests.fakes.script import END, FINE, Close, Reset, events, frame, head, refusal, stream
from tests.fakes.watched import MODEL, watched

INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "4s"}
PER_DAY = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}],
}
LIMITED = refusal(429, status="RESOURCE_EXHAUSTED")
BUSY = refusal(503, status="UNAVAILABLE", message="overloaded")


async def told(*scripts, requests, after=FINE, **settings):
    """What came of a prompt that these scripts answer, and how long it slept between them; all invariants hold."""
    async with watched(*scripts, after=after, **{"retries": 2, **settings}) as chat:
        asked = await chat.ask()
        slept = list(chat.slept)
        await assert_all(chat, asked, requests=requests)
    return asked, slept


async def test_a_rate_limit_is_waited_out_as_the_service_says():  # H1
    asked, (slept,) = await told(refusal(429, INFO, status="RESOURCE_EXHAUSTED"), requests=2)
    assert (asked.reply.state, asked.reply.text) == ("complete", "fine")
    assert 4.0 <= slept <= 4.5
    assert [(notice.seconds, notice.attempt, notice.attempts) for notice in asked.notices] == [(slept, 2, 3)]


async def test_a_wait_for_the_next_attempt_can_be_stopped():  # H1
    async with watched(LIMITED, after=LIMITED) as chat:
        asleep = asyncio.Event()

        async def sleep(_seconds):
            asleep.set()
            await asyncio.Event().wait()

        chat.client.services._sleep = sleep
        chat.client.use(Settings(key=chat.client.settings.key, base_url=chat.server.url, model=MODEL, retries=2))
        asked = chat.begin()
        driving = asyncio.create_task(chat.chat.drive(asked.reply, asked.apply))
        await asleep.wait()
        asked.reply.stop()
        await driving
        assert asked.reply.state == "interrupted"
        await assert_all(chat, asked, requests=1)


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"Retry_After": "7"}, 7, 8),
        ({"Retry_After": formatdate(1_000_009, usegmt=True), "Date": formatdate(1_000_000, usegmt=True)}, 9, 10),
        ({"Retry_After": "-3"}, 0, 1),
        ({"Retry_After": "soon"}, 0, 1),
        ({"Retry_After": formatdate(1_000_000, usegmt=True)}, 0, 1),
        ({"Retry_After": "nan"}, 0, 1),
    ],
)
async def test_retry_after_is_obeyed_if_it_makes_sense(headers, least, most):  # H2, H13: by the service's own clock
    asked, (slept,) = await told(refusal(429, status="RESOURCE_EXHAUSTED", **headers), requests=2)
    assert asked.reply.state == "complete"
    assert least <= slept <= most


@pytest.mark.parametrize("script", [refusal(429, Retry_After="1000000000"), refusal(429, {"retryDelay": "90s"})])
async def test_beyond_a_minute_it_stops_at_once(script):  # H2
    asked, slept = await told(script, requests=1)
    assert (asked.reply.state, slept) == ("failed", [])
    assert asked.reply.error.retry_after in (1e9, 90.0)


async def test_a_daily_quota_is_not_waited_out():  # H3
    asked, slept = await told(refusal(429, PER_DAY, INFO, status="RESOURCE_EXHAUSTED"), requests=1)
    assert (asked.reply.state, slept) == ("failed", [])
    assert isinstance(asked.reply.error, RateLimitError)
    assert asked.reply.error.daily
    assert "midnight" in str(asked.reply.error)


@pytest.mark.parametrize("code", [500, 502, 503, 504, 408])
@pytest.mark.parametrize("times", [1, 2])
async def test_trouble_of_the_service_is_waited_out(code, times):  # H4, H5
    asked, slept = await told(*[refusal(code)] * times, requests=times + 1)
    assert (asked.reply.state, asked.reply.text, len(slept)) == ("complete", "fine", times)
    assert all(2**n / 2 <= wait <= 2**n for n, wait in enumerate(slept))


@pytest.mark.parametrize("code", [500, 502, 503, 504, 408, 429])
async def test_three_attempts_and_no_more(code):  # H4, H5, H8
    asked, slept = await told(after=refusal(code, message="no luck"), requests=3)
    assert (asked.reply.state, len(slept)) == ("failed", 2)
    assert "no luck" in str(asked.reply.error)


@pytest.mark.parametrize("retries", [0, 1, 4])
async def test_a_request_for_each_attempt_and_none_more(retries):  # H8
    await told(after=LIMITED, requests=retries + 1, retries=retries)
    async with watched(after=LIMITED, retries=retries) as chat:
        with pytest.raises(RateLimitError):
            await chat.client.list_models()
        assert len(chat.server.hits) == retries + 1


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        (refusal(400, status="INVALID_ARGUMENT", message="bad field"), ApiError, "bad field"),
        (refusal(400, {"reason": "API_KEY_INVALID"}, message="API key not valid"), AuthenticationError, "GEMINI_API_KEY"),
        (refusal(401, status="UNAUTHENTICATED"), AuthenticationError, "%gemini key"),
        (refusal(403, status="PERMISSION_DENIED"), AuthenticationError, "403"),
        (refusal(404, status="NOT_FOUND", message="models/x is not found"), ApiError, "%gemini models"),
        (refusal(413, message="too large"), ApiError, "413"),
    ],
)
async def test_what_will_be_no_better_is_told_at_once(script, kind, words):  # H6
    asked, slept = await told(script, requests=1)
    assert (asked.reply.state, slept) == ("failed", [])
    assert isinstance(asked.reply.error, kind)
    assert words in str(asked.reply.error)


async def test_many_chats_in_a_storm_share_a_budget():  # H9
    async with watched(after=LIMITED, retries=2) as chat:
        chats = [chat.client.chat(f"chat {n}") for n in range(80)]
        replies = [one.begin("why?") for one in chats]
        await asyncio.gather(*(one.drive(reply) for one, reply in zip(chats, replies, strict=True)))
        assert {reply.state for reply in replies} == {"failed"}
        assert len(chat.server.hits) == 80 + 100  # the budget is for a hundred retries
        chat.server.play()
        after = await asyncio.gather(*(one.ask("again") for one in chats))
        assert {reply.text for reply in after} == {"fine"}


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_told_and_the_key_stays_home(code):  # H10
    async with FaultServer() as foreign:
        script = (head(f"{code} Go", framing="Content-Length: 0", Location=f"{foreign.url}/v1beta/x"),)
        asked, _ = await told(script, requests=1)
        assert (asked.reply.state, foreign.connections) == ("failed", 0)
    assert "unexpected redirect to 127.0.0.1" in str(asked.reply.error)


WITHHELD = ["SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "MODEL_ARMOR"]
SHORT = ["MAX_TOKENS", "OTHER", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "NO_IMAGE", "MALFORMED_RESPONSE", "INVENTED"]


@pytest.mark.parametrize(("reason", "state"), [*[(r, "blocked") for r in WITHHELD], *[(r, "truncated") for r in SHORT]])
@pytest.mark.parametrize("partial", ["A1", ""])
async def test_every_reason_to_end_has_its_state(reason, state, partial):  # H11
    last = {"candidates": [{"content": {}, "finishReason": reason, "finishMessage": "for a reason"}]}
    asked, _ = await told(stream(*[frame(partial)] * bool(partial), last), requests=1)
    assert (asked.reply.state, asked.reply.text, asked.reply.finish_reason) == (state, partial, reason)


@pytest.mark.parametrize("reason", ["SAFETY", "OTHER", "PROHIBITED_CONTENT", "JAILBREAK", "INVENTED"])
async def test_a_blocked_prompt_says_why(reason):  # H11
    asked, _ = await told(stream({"promptFeedback": {"blockReason": reason}}), requests=1)
    assert asked.reply.state == "blocked"
    assert isinstance(asked.reply.error, BlockedError)
    assert reason in str(asked.reply.error)


async def test_a_malformed_call_is_not_run():  # H11
    ran = []

    def look() -> str:
        """Look."""
        ran.append(1)
        return "x"

    call = {"functionCall": {"name": "look", "args": {}}, "thoughtSignature": "c2ln"}
    async with watched(stream(frame(call), frame(finish="MALFORMED_FUNCTION_CALL"))) as chat:
        chat.offer(look)
        asked = await chat.ask()
        assert (asked.reply.state, ran) == ("truncated", [])
        await assert_all(chat, asked)


async def unreachable(url, **settings):
    """The error of a prompt to nobody; what was asked is kept."""
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    async with Client(Settings(key=Secret("k" * 20), base_url=url, model=MODEL, retries=1, **settings), sleep=sleep) as client:
        chat = client.chat()
        reply = chat.begin("why?")
        async with asyncio.timeout(30):
            await chat.drive(reply)
        assert (reply.state, len(chat.transcript)) == ("failed", 1)
        assert isinstance(reply.error, TransportError)
    return str(reply.error), slept


async def test_a_closed_port_is_told_and_tried_again():  # H12
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        text, slept = await unreachable(f"http://127.0.0.1:{free.getsockname()[1]}")
    assert "can't reach 127.0.0.1: connection refused" in text
    assert len(slept) == 1


async def test_an_unknown_host_is_told(monkeypatch):  # H12
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    text, _ = await unreachable("https://no-such-host.example")
    assert "can't reach no-such-host.example: Name or service not known" in text


async def serve_tls(folder):
    """A server with a certificate that nobody vouches for."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    await asyncio.to_thread(subprocess.run, [*command, *files], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes its certificate with openssl")
async def test_a_bad_certificate_is_told_and_not_tried_again(tmp_path):  # H12
    server = await serve_tls(tmp_path)
    text, slept = await unreachable(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    server.close()
    assert "certificate" in text.lower()
    assert slept == []


async def test_a_proxy_that_wants_a_password_is_told(monkeypatch):  # H12
    async with FaultServer() as proxy:
        proxy.play(after=(head("407 Proxy Authentication Required", framing="Content-Length: 0"),))
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        text, slept = await unreachable("https://service.example")
    assert "proxy" in text
    assert slept == []


async def test_an_empty_answer_and_a_reset_before_it_are_tried_again():  # W9, W10
    asked, slept = await told((head(), END), (Reset(),), requests=3)
    assert (asked.reply.state, asked.reply.text, len(slept)) == ("complete", "fine", 2)


async def test_what_was_shown_is_never_asked_for_again():  # W6, W9
    asked, slept = await told((head(), *events(frame("A1 ")), Close()), requests=1)
    assert (asked.reply.state, asked.reply.text, slept) == ("truncated", "A1 ", [])


async def test_trouble_inside_the_stream_is_waited_out_before_anything_was_shown():  # W12
    asked, slept = await told(stream({"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}), requests=2)
    assert (asked.reply.state, asked.reply.text, len(slept)) == ("complete", "fine", 1)
    assert not isinstance(asked.reply.error, ServerError)
