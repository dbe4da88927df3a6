"""What is too large for a request is uploaded ahead of it: once, visibly, stoppably, and whatever the network does."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from contextlib import aclosing

import msgspec
import pytest

from nbgemini import Client
from nbgemini.chat import uploads as files
from nbgemini.errors import ApiError, PromptError
from nbgemini.journal import Journal
from nbgemini.messages import attachments
from nbgemini.messages.attachments import content_hash, data_part, describe_part, display_text, file_part, note
from nbgemini.messages.events import Uploading
from nbgemini.messages.turns import NOTE, Turn
from nbgemini.notebook.display.status_line import doing_text
from tests.conftest import soon
from tests.fakes.narrow import NarrowLine
from tests.support.files import png, uploads

LARGE = 7 * 1024 * 1024  # more than goes inline


def picture(size=LARGE, name="large.png"):
    return data_part(png(640, 480).ljust(size, b"\0"), "image/png", name)


def asked(*parts):
    return Turn("user", parts)


def bodies(service):
    return [request.body for request in service.requests if request.path.endswith(":streamGenerateContent")]


def stored(service):
    return [entry.entry for entry in service._files._files.values()]


async def test_a_large_thing_is_uploaded_and_named_by_its_address(service, client):
    events = []
    async with aclosing(client.chat().stream(asked(picture(), {"text": "What is this?"}))) as stream:
        async for event in stream:
            events.append(event)
    told = [event for event in events if isinstance(event, Uploading)]
    assert [event.sent for event in told] == sorted(event.sent for event in told)
    assert (told[0].sent, told[-1].sent, {event.size for event in told}) == (0, LARGE, {LARGE})
    assert events.index(told[-1]) < len(told)  # all of them before anything of the answer
    assert len(told) > 3
    [file] = stored(service)
    [body] = bodies(service)
    assert body["contents"][0]["parts"] == [
        {"fileData": {"mimeType": "image/png", "fileUri": file["uri"]}},
        {"text": "What is this?"},
    ]
    assert "640 by 480 pixels, uploaded" in client.chats["main"].segments(client.chats["main"].transcript.exchanges[0])[-1].text


async def test_what_arrived_is_what_was_sent(service, client):
    data = bytes(range(256)) * (LARGE // 256)
    await client.generate(asked(data_part(data, "application/pdf", "x.pdf"), {"text": "?"}))
    [file] = stored(service)
    assert base64.b64decode(file["sha256Hash"]).decode() == hashlib.sha256(data).hexdigest()
    assert file["displayName"] == "x.pdf"


async def test_the_same_content_is_uploaded_once_for_all_chats_and_turns(service, client):
    await client.chat("a").ask(asked(picture(), {"text": "one"}))
    await client.chat("a").ask("two")
    await client.chat("b").ask(asked(picture(name="other.png"), {"text": "three"}))
    assert len(uploads(service)) == 1
    assert not any(word in str(body) for body in bodies(service) for word in ("sha256:", f"'{NOTE}':"))


async def test_what_is_for_the_reader_alone_stays_here(service, client):
    notes = {"text": "all of it", NOTE: note("notes.md", "text", 9, path="/home/ada/notes.md")}
    await client.chat().ask(asked(notes, picture(2_000, "small.png"), {"text": "?"}))
    await client.chat().ask("And now?")
    assert len(bodies(service)) == 2
    assert not any(word in str(body) for body in bodies(service) for word in ("ada", "small.png", f"'{NOTE}':"))


async def test_two_prompts_at_once_upload_it_once(service, client):
    await asyncio.gather(*(client.generate(asked(picture(), {"text": str(n)})) for n in range(3)))
    assert len(uploads(service)) == 1


async def test_another_service_gets_its_own(service, client, settings):
    await client.chat().ask(asked(picture(), {"text": "one"}))
    client.use(msgspec.structs.replace(settings, retries=1))  # others connections, perhaps another account
    await client.chat().ask("two")
    assert len(uploads(service)) == 2


async def test_what_the_service_has_forgotten_is_uploaded_again(service, client):
    chat = client.chat()
    await chat.ask(asked(picture(), {"text": "one"}))
    kept = client.services.endpoints.of("gemini").uploads._remote
    for digest, remote in kept.items():
        kept[digest] = msgspec.structs.replace(remote, until=0.0)
    await chat.ask("two")
    assert len(uploads(service)) == 2


async def test_what_somebody_has_deleted_there_is_uploaded_again_when_asked_again(service, client):
    chat = client.chat()
    await chat.ask(asked(picture(), {"text": "one"}))
    service._files._files.clear()
    with pytest.raises(ApiError, match="may not exist"):
        await chat.ask("two")
    assert (await chat.ask("three")).state == "complete"
    assert len(uploads(service)) == 2


async def test_the_journal_gives_back_what_was_attached(settings, tmp_path):
    journal = Journal(tmp_path / "journal.sqlite3", "notebook.ipynb")
    parts = [picture(), picture(2_000, "small.png"), {"text": "What is this?"}]
    async with Client(settings, log=journal) as client:
        await client.chat().ask(asked(*parts))
        await journal.saved()
    journal.close()
    later = Journal(tmp_path / "journal.sqlite3", "notebook.ipynb")
    [exchange] = later.exchanges("main")
    later.close()
    assert exchange.asked == asked(*parts)
    async with Client(settings) as client:
        chat = client.chat()
        chat.transcript.exchanges[:] = [exchange]
        assert (await chat.ask("And now?")).state == "complete"


async def test_a_video_is_asked_about_once_the_service_has_looked_at_it(client):
    data = b"\0\0\0\x18ftypmp42".ljust(LARGE, b"\0")
    reply = await client.generate(asked(data_part(data, "video/mp4", "v.mp4"), {"text": "?"}))
    assert "**video** (video/mp4), 7.3 MB, uploaded" in reply.text


@pytest.mark.parametrize("after", [200, 2_000_000, 6_000_000])
async def test_an_upload_goes_on_after_the_connection_broke(service, settings, after):
    async with NarrowLine(service.url, after, "break") as line:
        async with Client(msgspec.structs.replace(settings, base_url=line.url), sleep=soon) as client:
            reply = await client.generate(asked(picture(), {"text": "?"}))
    assert line.full.is_set()
    assert reply.state == "complete"
    assert reply.retries == 1
    assert [file["sizeBytes"] for file in stored(service)] == [str(LARGE)]


@pytest.mark.parametrize("after", [1_500_000, 7_000_000])
async def test_an_upload_goes_on_where_the_service_stands_if_only_the_answer_was_lost(service, settings, after):
    async with NarrowLine(service.url, after, "lose") as line:
        async with Client(msgspec.structs.replace(settings, base_url=line.url), sleep=soon) as client:
            reply = await client.generate(asked(picture(), {"text": "?"}))
    assert reply.state == "complete"
    assert reply.retries == 1
    offsets = [int(r.headers["x-goog-upload-offset"]) for r in service.requests if "x-goog-upload-offset" in r.headers]
    assert (len(offsets) == len(set(offsets))) == (after < 7_000_000)  # with the last piece's answer lost, all begins anew


async def test_an_upload_that_never_gets_through_says_so(settings):
    gone = msgspec.structs.replace(settings, base_url="http://127.0.0.1:9", retries=1)
    async with Client(gone, sleep=soon) as client:
        with pytest.raises(Exception, match=r"uploading large\.png: can't reach") as error:
            await client.chat().ask(asked(picture(), {"text": "?"}))
        assert error.value.reply.state == "failed"
        assert client.chat().transcript.request_turns(error.value.reply.exchange)


async def test_stopping_drops_the_upload_at_once_and_the_chat_goes_on(service, settings):
    async with NarrowLine(service.url, 3_000_000, "stall") as line:
        async with Client(msgspec.structs.replace(settings, base_url=line.url), sleep=soon) as client:
            chat = client.chat()
            reply = chat.begin(asked(picture(), {"text": "one"}))
            driving = asyncio.create_task(chat.drive(reply))
            await line.full.wait()
            assert doing_text(reply).startswith("uploading large.png ")
            reply.stop()
            await driving
            async with asyncio.timeout(10):
                await line.left.wait()
            assert reply.state == "interrupted"
            assert (await chat.ask("two")).state == "complete"


async def test_a_file_that_has_changed_meanwhile_is_not_sent(client, tmp_path):
    path = tmp_path / "x.pdf"
    path.write_bytes(b"%PDF-".ljust(LARGE, b"\0"))
    part = file_part(path)
    path.write_bytes(b"%PDF-".ljust(LARGE + 1, b"\0"))
    with pytest.raises(PromptError, match=r"x\.pdf has changed since it was attached"):
        await client.chat().ask(asked(part, {"text": "?"}))
    assert (await client.chat().ask("go on")).state == "complete"


async def test_after_a_restart_a_file_is_found_again_by_its_path_and_content(client, tmp_path, monkeypatch):
    path = tmp_path / "x.pdf"
    path.write_bytes(b"%PDF-".ljust(LARGE, b"\0"))
    part = file_part(path)
    monkeypatch.setattr(attachments, "_held", {})
    assert "uploaded" in (await client.generate(asked(part, {"text": "?"}))).text


async def test_a_file_that_is_gone_is_told_in_words(service, client, monkeypatch):
    part = picture()
    monkeypatch.setattr(attachments, "_held", {})
    await client.generate(asked(part, {"text": "?"}))
    [body] = bodies(service)
    assert "[a file of type image/png was attached here; it is no longer at hand]" in body["contents"][0]["parts"][0]["text"]


async def test_a_request_that_would_be_too_large_sends_its_largest_parts_ahead(service, client, monkeypatch):
    monkeypatch.setattr(files, "REQUEST_BYTES", 300_000)
    sizes = [100_000, 200_000, 50_000]
    parts = [picture(size, f"{size}.png") for size in sizes]
    await client.generate(asked(*parts, {"text": "?"}))
    [body] = bodies(service)
    assert ["fileData" in part for part in body["contents"][0]["parts"]] == [False, True, False, False]
    assert len(uploads(service)) == 1


def test_a_part_tells_its_reader_what_it_is_and_its_reader_alone():
    part = picture()
    assert describe_part(part) == "large.png · image · 7.3 MB"
    assert content_hash(part)
    assert describe_part({"inlineData": {"mimeType": "image/png", "data": "A" * 4000}}) == "image · 3.0 kB"
    assert describe_part({"text": "words"}) == ""


def test_a_prompt_shown_again_names_what_was_attached():
    notes = {"text": "all of it", NOTE: note("notes.md", "text", 9)}
    assert display_text(asked(notes, {"text": "Look at "}, picture(20_000, "fig"), {"text": "now."})) == (
        "[📎 notes.md · text · 9 bytes]Look at [📎 fig · image · 20.0 kB]now."
    )


@pytest.mark.parametrize(("data", "mime", "why"), [(b"", "image/png", "empty"), (b"x", "image/gif", "can't be sent")])
def test_what_can_not_be_sent_is_refused_before_anything_is_stored(data, mime, why):
    with pytest.raises(PromptError, match=why):
        data_part(data, mime, "it")
