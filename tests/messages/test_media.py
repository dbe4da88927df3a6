"""What came, as bytes: named by what they are, raw sound with a head, pieces joined."""

from __future__ import annotations

import base64
import io
import wave

import pytest

from nbgemini.errors import ConfigurationError
from nbgemini.messages.events import Media
from nbgemini.messages.media import continues, joined, received
from nbgemini.messages.segments import Segmenter

L16 = "audio/L16;codec=pcm;rate=24000"
PNG = b"\x89PNG\r\n\x1a\nrest"


def media(data, mime="image/png"):
    return Media(mime, base64.b64encode(data).decode())


def test_raw_sound_becomes_a_wav_file():
    for mime, rate, channels in ((L16, 24_000, 1), ("audio/pcm;rate=16000;channels=2", 16_000, 2), ("audio/l16", 24_000, 1)):
        came = received(media(bytes(range(200)) + b"odd", mime))
        with wave.open(io.BytesIO(came.data)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (rate, channels, 2)
            sound = file.readframes(1000)
        assert (came.mime, sound[:200]) == ("audio/wav", bytes(range(200)))
        assert came.seconds == pytest.approx(len(sound) / (rate * channels * 2))


def test_sound_that_has_a_head_keeps_it():
    came = received(media(b"RIFF\0\0\0\0WAVErest", L16))
    assert came.data == b"RIFF\0\0\0\0WAVErest"
    assert came.seconds is None


def test_the_bytes_name_it():
    assert received(media(PNG, "text/html")).mime == "image/png"
    assert repr(received(media(PNG))) == "<Received image/png, 12 bytes>"
    assert not received(media(b"<svg>", "image/svg+xml")).known
    assert received(Media("image/png", "no base64!")).data == b""


def test_it_can_be_saved_and_shown(tmp_path):
    came = received(media(PNG))
    assert came.save(tmp_path / "a.png").read_bytes() == PNG
    assert came._repr_mimebundle_() == {"image/png": base64.b64encode(PNG).decode(), "text/plain": repr(came)}
    assert set(received(media(b"x", "a/b"))._repr_mimebundle_()) == {"text/plain"}


def test_pillow_is_asked_for_by_name_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(ConfigurationError, match="pip install pillow"):
        received(media(PNG)).to_pil()


def test_pillow_opens_it():
    image = pytest.importorskip("PIL.Image")
    image.new("RGB", (3, 2)).save(page := io.BytesIO(), "png")
    assert received(media(page.getvalue())).to_pil().size == (3, 2)


def test_raw_sound_in_pieces_is_one_segment():
    """However its base64 is cut; sound of another kind is another."""
    pieces = [media(data, L16) for data in (b"abc", b"defgh", b"ij")]
    segmenter = Segmenter()
    segmenter.feed([*pieces, media(b"xy", "audio/L16;rate=8000"), media(b"ID3", "audio/mpeg"), media(b"ID3", "audio/mpeg")])
    segmenter.close()
    assert [segment.kind for segment in segmenter.segments] == ["audio"] * 4
    assert base64.b64decode(segmenter.segments[0].content.data) == b"abcdefghij"
    assert joined(*pieces) == segmenter.segments[0].content
    assert not continues(pieces[0], media(b"", "audio/mpeg"))
