"""What the wire does wrong: whatever came is kept and marked, and the chat goes on (W1-W3 are in tests/wire)."""

from __future__ import annotations

import json
import tracemalloc
import zlib

import pytest

from nbgemini.errors import ServerError, TransportError, WireError
from nbgemini.transport.framing import Framer
from tests.conftest import as_array, golden_frames
from tests.fakes.invariants import assert_all
from tests.fakes.proxy import Bandwidth, Down, Latency, LimitData, Proxy, ResetPeer, Slicer, SlowClose, Timeout
from tests.fakes.script import (
    END,
    Chunk,
    Close,
    HalfClose,
    Reset,
    Send,
    body,
    event,
    events,
    frame,
    head,
    stream,
    thought,
)
from tests.fakes.watched import watched

TWO = (frame(thought("T1 T2 ")), frame("A1 "))
LAST = frame("A2", finish="STOP")


async def told(*script, requests=1, **settings):
    """What came of a prompt that this script answers; all invariants hold."""
    async with watched(script, **settings) as chat:
        asked = await chat.ask()
        await assert_all(chat, asked, requests=requests)
    return asked.reply


@pytest.mark.parametrize(
    "bent",
    [
        b": keep-alive\r\n\r\n%s: again\r\n\r\n",
        b"event: message\r\nid: 7\r\nretry: 10\r\n%s",
        b"\xef\xbb\xbf%s",
        b"\r\n\r\n%s",
    ],
)
async def test_bent_events_are_a_normal_answer(bent):  # W4
    data = b"".join(event(item) for item in (*TWO, LAST))
    for said in (data, data.replace(b"data: ", b"data:"), data.replace(b', "content"', b',\r\ndata: "content"')):
        reply = await told(*body(bent % said))
        assert (reply.state, reply.text, reply.thoughts) == ("complete", "A1 A2", "T1 T2 ")


@pytest.mark.parametrize("indent", [None, 2])
async def test_an_array_is_a_normal_answer(indent):  # W5
    text = '}{"[]," \\" \\\\'
    frames = [frame(text), frame("é😀\u2028\u2029\x85"), LAST]
    array = as_array(frames) if indent else json.dumps(frames).encode()
    reply = await told(*body(array, kind="application/json"))
    assert (reply.state, reply.text) == ("complete", text + "é😀\u2028\u2029\x85A2")


@pytest.mark.parametrize("ending", [(END,), (Close(),), (HalfClose(),)], ids=["terminated", "closed", "half closed"])
async def test_an_end_without_a_finish_is_a_truncated_answer(ending):  # W6
    reply = await told(head(), *events(*TWO), *ending)
    assert (reply.state, reply.text, reply.thoughts) == ("truncated", "A1 ", "T1 T2 ")
    assert isinstance(reply.error, TransportError)


async def test_an_answer_up_to_the_end_of_the_connection_is_one():  # W6
    data = b"".join(event(item) for item in (*TWO, LAST))
    reply = await told(head(framing=""), Send(data), Close())
    assert (reply.state, reply.text) == ("complete", "A1 A2")
    reply = await told(head(framing=""), Send(data[: data.rindex(b"data:")]), Close())
    assert (reply.state, reply.text) == ("truncated", "A1 ")


@pytest.mark.parametrize(
    "script",
    [
        (head(), *events(*TWO), Close()),
        (head(framing="Content-Length: 100000"), Send(b"".join(map(event, TWO))), Close()),
    ],
    ids=["no last chunk", "short of its length"],
)
async def test_a_body_that_ends_early_is_a_truncated_answer(script):  # W7
    reply = await told(*script)
    assert (reply.state, reply.text) == ("truncated", "A1 ")
    assert isinstance(reply.error, TransportError)


@pytest.mark.parametrize("ending", [END, Close()])
@pytest.mark.parametrize("cut", [1, 7, 40, -3])
async def test_half_an_event_is_not_shown(cut, ending):  # W8
    half = event(LAST).rstrip()[:cut]
    reply = await told(head(), *events(*TWO), Chunk(half), ending)
    assert (reply.state, reply.text) == ("truncated", "A1 ")


@pytest.mark.parametrize("before", [0, 1, 5])
async def test_a_reset_keeps_what_came(before):  # W9
    """A reset may overtake what was sent before it: what is shown is then less, but never wrong."""
    frames = [frame(f"A{n} ") for n in range(before)]
    reply = await told(head(), *events(*frames), Reset())
    assert reply.state in (("truncated", "failed") if before else ("failed",))
    assert "".join(f"A{n} " for n in range(before)).startswith(reply.text)
    assert (reply.state == "truncated") == bool(reply.text)
    assert isinstance(reply.error, TransportError)


@pytest.mark.parametrize("script", [(head(), END), (head(framing="Content-Length: 0"),), body(b"\r\n\r\n")])
async def test_an_empty_answer_says_so(script):  # W10
    reply = await told(*script)
    assert (reply.state, reply.segments) == ("failed", [])
    assert "empty" in str(reply.error)


async def test_a_page_is_told_and_not_shown():  # W11
    page = b"<html><script>alert(1)</script><img src=x onerror=alert(2)>" + b"log in to the wifi " * 500 + b"</html>"
    reply = await told(*body(page, kind="text/html"))
    assert (reply.state, reply.segments) == ("failed", [])
    assert isinstance(reply.error, WireError)
    assert "text/html" in str(reply.error)
    assert len(str(reply.error)) < 300


ERROR = {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}


@pytest.mark.parametrize(
    "data",
    [event(ERROR), json.dumps(ERROR).encode(), json.dumps(ERROR, indent=2).encode() + b"\n", event([ERROR])],
    ids=["event", "bare", "bare lines", "array"],
)
@pytest.mark.parametrize("late", [(), (LAST,)], ids=["in the middle", "after the end"])
async def test_an_error_in_the_stream_fails_and_keeps_what_came(data, late):  # W12
    reply = await told(head(), *events(*TWO, *late), Chunk(data), END)
    assert (reply.state, reply.text) == ("failed", "A1 A2" if late else "A1 ")
    assert isinstance(reply.error, ServerError)
    assert "503" in str(reply.error)


async def test_what_is_malformed_after_a_whole_answer_does_not_spoil_it():
    reply = await told(head(), *events(*TWO, LAST), Chunk(b"data: nonsense\r\n\r\n"), END)
    assert (reply.state, reply.text, reply.error) == ("complete", "A1 A2", None)


async def test_bad_utf8_costs_one_character():  # W13
    bad = event(frame("grüß dich")).replace("ü".encode(), b"\xff")
    reply = await told(head(), Chunk(bad), *events(LAST), END)
    assert (reply.state, reply.text) == ("complete", "gr\ufffdß dichA2")


@pytest.mark.parametrize("bad", [b'data: {"candidates": [}\r\n\r\n', b"data: {,}\r\n\r\n", b"data: nonsense\r\n\r\n"])
async def test_malformed_json_fails_and_says_where(bad):  # W14
    reply = await told(head(), *events(*TWO), Chunk(bad), *events(LAST), END)
    assert (reply.state, reply.text) == ("failed", "A1 ")
    assert isinstance(reply.error, WireError)
    assert "at character" in str(reply.error)


async def test_what_is_unknown_is_kept_and_counted():  # W15
    known = frame("A1 ", {"holo": {"a": 1}}, {"text": "A2", "colour": "red"}, finish="STOP", tempo="allegro")
    known["candidates"][0]["weather"] = "sunny"
    known["candidates"].append({"index": 1, "content": {"parts": [{"text": "other"}]}, "mood": "good"})
    empty = [frame(), {"candidates": []}, {"candidates": [{"content": {}}]}, {"candidates": [{}]}, {}]
    reply = await told(*stream(*empty, known, *empty))
    assert (reply.state, reply.text) == ("complete", "A1 A2")
    assert sorted(reply._state.response.unknown) == ["holo", "tempo", "weather"]
    assert {"text": "A2", "colour": "red"} in reply.exchange.parts
    assert {"holo": {"a": 1}} in reply.exchange.parts


async def test_a_large_part_is_shown_in_bounded_memory():  # W16
    """An event of 8 MiB costs at most three times as much while it comes."""
    data = "QUJD" * (2**21)
    script = stream(frame("A1 "), frame({"inlineData": {"mimeType": "image/png", "data": data}}), LAST)
    async with watched(script) as chat:
        asked = chat.begin()
        tracemalloc.start()
        await chat.chat.drive(asked.reply, asked.apply)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        print(f"{peak / len(data):.2f} times the event")
        assert peak <= 3 * len(data)
        assert [segment.kind for segment in asked.reply.segments] == ["answer", "image", "answer"]
        assert asked.reply.segments[1].content.data == data
        await assert_all(chat, asked)


@pytest.mark.parametrize("start", [b'data: {"candidates": [{"content": {"parts": [{"text": "', b": ", b"data: "])
async def test_a_part_without_end_is_too_large(start, monkeypatch):  # W16
    monkeypatch.setattr("nbgemini.transport.http.Framer", lambda: Framer(2**20))
    more = Chunk(b"x" * 2**16)
    reply = await told(head(), *events(*TWO), Chunk(start), *[more] * 40, END)
    assert (reply.state, reply.text) == ("failed", "A1 ")
    assert "too large" in str(reply.error)


@pytest.mark.parametrize("tail", [b"", b"\xff" * 40], ids=["missing", "garbage"])
async def test_a_corrupt_end_of_gzip_keeps_what_came(tail):  # W17
    """The packer flushes after each event, as Google's does: what came before the fault is whole."""
    packer = zlib.compressobj(wbits=31)
    begun, ended = (packer.compress(event(item)) + packer.flush(zlib.Z_SYNC_FLUSH) for item in (frame("A1 "), LAST))
    reply = await told(head(Content_Encoding="gzip"), Chunk(begun), Chunk(ended[:20] + tail), END)
    assert (reply.state, reply.text) == ("truncated", "A1 ")
    reply = await told(head(Content_Encoding="gzip"), Chunk(begun + ended), *[Chunk(tail)] * bool(tail), END)
    assert (reply.state, reply.text) == ("complete", "A1 A2")


@pytest.mark.parametrize("junk", [b"zz\r\n", b"-1\r\n", b"5\r\nhello, world", b"ffffffffffffffffffffffff\r\n"])
async def test_a_broken_protocol_after_the_end_spoils_nothing(junk):  # W7
    for frames, ending in (((*TWO, LAST), ("complete", "A1 A2")), (TWO, ("truncated", "A1 "))):
        reply = await told(head(), *events(*frames), Send(junk), Close())
        assert (reply.state, reply.text) == ending


async def test_a_gzip_bomb_is_too_large():  # W17
    """512 MiB of nothing in 0.5 MB: memory stays near the limit of a part."""
    packer = zlib.compressobj(wbits=31)
    begun = packer.compress(event(frame("A1 "))) + packer.flush(zlib.Z_SYNC_FLUSH)
    bomb = packer.compress(b"data: {") + b"".join(packer.compress(b" " * 2**20) for _ in range(512)) + packer.flush()
    async with watched((head(Content_Encoding="gzip"), Chunk(begun), Chunk(bomb), END)) as chat:
        tracemalloc.start()
        asked = await chat.ask()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        print(f"{peak / 2**20:.0f} MiB")
        assert (asked.reply.state, asked.reply.text) == ("failed", "A1 ")
        assert "too large" in str(asked.reply.error)
        assert peak < 128 * 2**20
        await assert_all(chat, asked)


@pytest.mark.parametrize(
    "frames",
    [
        [frame("A1 ", finish="STOP"), frame("A2", finish="STOP")],
        [frame("A1 ", finish="MAX_TOKENS"), frame("A2", finish="STOP")],
        [frame("A1 ", finish="STOP"), frame("A2"), frame(finish="STOP")],
        [frame("A1 A2"), {"candidates": [{"finishReason": "STOP"}]}],
    ],
)
async def test_the_last_finish_counts(frames):  # W18
    reply = await told(*stream(*frames))
    assert (reply.state, reply.text, reply.finish_reason) == ("complete", "A1 A2", "STOP")


async def test_an_event_sent_twice_is_shown_twice_and_its_call_made_once():  # W19
    ran = []

    def look(city: str) -> str:
        """Look."""
        ran.append(city)
        return "sunny"

    call = frame({"functionCall": {"name": "look", "args": {"city": "Bonn"}, "id": "c1"}, "thoughtSignature": "c2ln"})
    async with watched(stream(frame("A1 "), frame("A1 "), call, call, frame(finish="STOP"))) as chat:
        chat.offer(look)
        asked = await chat.ask()
        await assert_all(chat, asked, requests=2)
    assert asked.reply.text == "A1 A1 fine"
    assert (ran, len(asked.reply.tool_calls)) == (["Bonn"], 1)


def numbered(n):
    return [frame(thought("T")), *[frame(f"A{i} ") for i in range(n)], frame(finish="STOP")]


@pytest.mark.parametrize(
    "toxics",
    [
        (Slicer(1),),
        (Slicer(100, 0.001),),
        (Bandwidth(60_000),),
        (Latency(0.002, 0.002), Slicer(200)),
        (SlowClose(0.01),),
    ],
    ids=["slicer 1", "slicer", "bandwidth", "latency", "slow close"],
)
async def test_a_slow_network_changes_nothing(toxics):  # W20
    async with watched() as outer, Proxy(outer.server.url, toxics) as proxy:
        async with watched(url=proxy.url) as chat:
            outer.server.play(stream(*numbered(20)))
            chat.server = outer.server
            asked = await chat.ask()
            assert (asked.reply.state, asked.reply.text) == ("complete", "".join(f"A{i} " for i in range(20)))
            await assert_all(chat, asked, requests=None)


@pytest.mark.parametrize("toxic", [Down(), Timeout(0.02), LimitData(0), LimitData(700), ResetPeer(0), ResetPeer(700)], ids=repr)
async def test_a_broken_network_keeps_what_came(toxic):  # W20
    async with watched() as outer, Proxy(outer.server.url, (toxic,)) as proxy:
        async with watched(url=proxy.url) as chat:
            outer.server.play(stream(*numbered(20)))
            chat.server = outer.server
            asked = await chat.ask()
            assert asked.reply.state == ("truncated" if asked.reply.segments else "failed")
            assert "".join(f"A{i} " for i in range(20)).startswith(asked.reply.text)
            proxy.toxics = ()
            await assert_all(chat, asked, requests=None)


@pytest.mark.parametrize("name", ["interleaved", "grounded", "code_execution", "unicode", "oddities"])
async def test_the_golden_streams_come_whole_through_slices(name):  # W20
    async with watched() as outer, Proxy(outer.server.url, (Slicer(3),)) as proxy:
        async with watched(url=proxy.url) as chat:
            outer.server.play(stream(*golden_frames(name)))
            chat.server = outer.server
            asked = await chat.ask()
            assert asked.reply.state == "complete"
            await assert_all(chat, asked)
