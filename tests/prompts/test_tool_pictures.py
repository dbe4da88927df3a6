"""Pictures go beside the answer."""

from __future__ import annotations

import base64
from io import BytesIO

import pytest

from nbgemini.messages.events import InlineMedia
from nbgemini.prompts.images import MEDIA_BYTES
from nbgemini.prompts.jsonable import converted
from tests.fakes.functions import (
    PNG,
    output,
)


class Drawn:
    def __init__(self, data):
        self.data = data

    def _repr_png_(self):
        return self.data


def test_pictures_go_beside_the_answer():
    encoded = base64.b64encode(PNG).decode()
    for value in (PNG, bytearray(PNG), memoryview(PNG), Drawn(PNG), Drawn((PNG, {"width": 1})), Drawn(encoded)):
        response, (media,) = converted(value)
        assert response == {"output": "picture 1 (image/png), attached"}
        assert (media.mime, media.data) == ("image/png", encoded)
    response, media = converted(("see", b"\xff\xd8\xff\xe0", Drawn(PNG)))
    assert response["output"] == ["see", "picture 1 (image/jpeg), attached", "picture 2 (image/png), attached"]
    assert [one.mime for one in media] == ["image/jpeg", "image/png"]
    assert converted({"plot": PNG, "n": 1})[0]["output"] == {"plot": "picture 1 (image/png), attached", "n": 1}


def test_what_can_not_be_drawn_is_told_in_words():
    assert output(Drawn(None)) == output(Drawn(5.5)) == "a value of type Drawn, which has no readable text"
    assert output(Drawn) == repr(Drawn)
    assert output(PNG + b"\0" * MEDIA_BYTES).startswith("a picture (image/png, 4,19")
    response, media = converted([PNG + b"\0" * (MEDIA_BYTES - 100), PNG, b"\xff\xd8\xff\xe0"])
    assert [text.endswith("attached") for text in response["output"]] == [True, False, True]
    assert len(media) == 2


def test_pillow_and_matplotlib_are_drawn():
    pillow = pytest.importorskip("PIL.Image")
    figures = pytest.importorskip("matplotlib.figure")
    figure = figures.Figure()
    axes = figure.subplots()
    axes.plot([1, 2])
    for value in (pillow.new("RGB", (3, 2)), pillow.new("CMYK", (3, 2)), pillow.new("F", (3, 2)), figure, axes):
        assert pillow.open(BytesIO(base64.b64decode(converted(value)[1][0].data))).format == "PNG"
    (large,) = converted(pillow.new("L", (5000, 10)))[1]
    assert pillow.open(BytesIO(base64.b64decode(large.data))).size == (2048, 4)


def test_media_keep_their_type_and_others_than_pictures_are_told_in_words():
    encoded = base64.b64encode(PNG).decode()
    assert converted([InlineMedia("image/png", encoded)])[1] == (InlineMedia("image/png", encoded),)
    assert output(InlineMedia("audio/wav", "AAAA")) == "media (audio/wav, 3 bytes), which can't be sent"
    assert output(InlineMedia("image/png", "no base64!")).startswith("media (image/png")
