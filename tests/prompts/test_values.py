"""Values as a model gets them: said in text where they can be said, seen where not, bounded and honest about it."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import wave

import pytest

from nbgemini.errors import PromptError
from nbgemini.messages import attachments
from nbgemini.messages.turns import NOTE
from nbgemini.prompts.file_text import fence
from nbgemini.prompts.values import TEXT_CHARACTERS, value_to_parts
from tests.support.files import png


def said(value, name="it"):
    parts = value_to_parts(value, name)
    assert parts is not None
    return "".join(part["text"] for part in parts)


def test_text_and_numbers_are_what_they_are():
    assert [said(value) for value in ("as {typed}\n", 5, 2.5, True, None)] == ["as {typed}\n", "5", "2.5", "True", "None"]


def test_text_beyond_every_window_is_cut_in_the_middle_with_a_note():
    text = said("a" * TEXT_CHARACTERS + "b" * 100)
    assert text.startswith("aaa")
    assert text.endswith("bbb")
    assert "100 characters left out" in text


def test_containers_are_json():
    assert json.loads(said({"a": [1, {"b": None}], "ü": "x" * 200})) == {"a": [1, {"b": None}], "ü": "x" * 200}
    assert said([1, 2, 3]) == "[1, 2, 3]"


def test_what_json_has_no_word_for_is_said_in_python_if_it_is_short():
    assert [said(value) for value in ((2, 2), {3}, (), tuple(range(30)))][:3] == ["(2, 2)", "{3}", "()"]
    assert json.loads(said(tuple(range(30)))) == list(range(30))


def test_a_long_list_says_what_is_missing():
    text = said(list(range(100_000)))
    assert len(text) < 200_000
    assert "more left out" in text
    assert "shortened where … stands" in text


def test_records_are_json():
    @dataclasses.dataclass
    class Point:
        x: int
        y: float

    assert json.loads(said(Point(1, 2.5))) == {"x": 1, "y": 2.5}


def test_models_are_json():
    pydantic = pytest.importorskip("pydantic")
    model = pydantic.create_model("Model", name=(str, ...))
    assert json.loads(said(model(name="Ada"))) == {"name": "Ada"}


def test_anything_else_says_itself_within_bounds():
    class Odd:
        def __str__(self):
            return "odd " * 100_000

    class Broken:
        def __str__(self):
            raise RuntimeError

    assert "characters left out" in said(Odd())
    assert "can't be shown: RuntimeError" in said(Broken())


def test_functions_and_classes_are_their_source_and_modules_are_nothing():
    assert "def png(" in said(png)
    assert value_to_parts(math, "math") is None
    assert value_to_parts(len, "len") is None


def test_a_path_is_its_file_under_its_name(tmp_path):
    path = tmp_path / "notes.md"
    path.write_text("# Notes\n```py\nx\n```\n")
    [part] = value_to_parts(path, "path")
    assert part["text"] == "notes.md:\n````md\n# Notes\n```py\nx\n```\n````\n"
    assert part[NOTE] == {"name": "notes.md", "kind": "text", "size": path.stat().st_size}


def test_a_path_to_nothing_is_its_text(tmp_path):
    assert said(tmp_path / "new.csv") == str(tmp_path / "new.csv")
    assert said(tmp_path) == str(tmp_path)


@pytest.mark.parametrize(
    ("name", "data", "mime"),
    [
        ("a.png", png(), "image/png"),
        ("no_suffix", png(), "image/png"),
        ("a.jpg", b"\xff\xd8\xff\xe0rest", "image/jpeg"),
        ("a.webp", b"RIFF\0\0\0\0WEBPrest", "image/webp"),
        ("a.heic", b"\0\0\0\x18ftypheic", "image/heic"),
        ("a.pdf", b"%PDF-1.7\n\xe2\xe3", "application/pdf"),
        ("a.mp3", b"ID3\x04\0", "audio/mp3"),
        ("a.wav", b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        ("a.ogg", b"OggS\0\x02", "audio/ogg"),
        ("a.flac", b"fLaC\0", "audio/flac"),
        ("a.mp4", b"\0\0\0\x18ftypisom", "video/mp4"),
        ("a.mov", b"\0\0\0\x14ftypqt  ", "video/quicktime"),
        ("a.webm", b"\x1aE\xdf\xa3\x01", "video/webm"),
        ("wrong.txt", b"%PDF-1.7\n\xe2\xe3", "application/pdf"),
    ],
)
def test_media_are_parts_told_by_their_content(tmp_path, name, data, mime):
    path = tmp_path / name
    path.write_bytes(data)
    for value in (path, data):
        [part] = value_to_parts(value, name)
        assert part["inlineData"]["mimeType"] == mime
        assert part[NOTE]["size"] == len(data)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.xlsx", b"PK\x03\x04\0\0", "a.xlsx (application/zip) can't be sent"),
        ("a.gif", b"GIF89a\0", "a.gif (image/gif) can't be sent"),
        ("a.bin", b"\x00\x01\x02\xff", "a.bin can't be sent"),
        ("russian.txt", "Привет, мир".encode("cp1251"), "encoding other than UTF-8"),
    ],
)
def test_what_the_service_does_not_take_is_refused_in_one_line(tmp_path, name, data, said):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(PromptError) as error:
        value_to_parts(path, name)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_may_not_be_read_is_one_line(tmp_path, monkeypatch):
    path = tmp_path / "secret.txt"
    path.write_text("x")

    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", refuse)
    with pytest.raises(PromptError, match=r"secret\.txt can't be read: Permission denied"):
        value_to_parts(path, "path")


def test_large_things_are_named_by_their_content(tmp_path, monkeypatch):
    monkeypatch.setattr(attachments, "INLINE_BYTES", 100)
    path = tmp_path / "long.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0\0" * 8000)
    [from_file], [from_bytes] = value_to_parts(path, "path"), value_to_parts(path.read_bytes(), "sound")
    assert from_file["fileData"] == from_bytes["fileData"]
    assert from_file["fileData"]["fileUri"].startswith("sha256:")
    assert attachments.describe_part(from_file) == "long.wav · audio · 16.0 kB"


def test_a_fence_is_longer_than_any_inside():
    assert fence("a ```` b").startswith("`````\n")


pandas = pytest.importorskip("pandas")


def test_a_table_is_markdown():
    frame = pandas.DataFrame({"city": ["Rome", "a|b"], "sold": [0.1 + 0.2, float("nan")]})
    assert said(frame) == "| city | sold |\n| --- | --- |\n| Rome | 0.30000000000000004 |\n| a\\|b | NaN |"


def test_a_large_table_says_how_much_is_shown():
    frame = pandas.DataFrame({f"c{n}": range(1000) for n in range(80)})
    text = said(frame)
    assert text.endswith("(first 50 of 1,000 rows, first 30 of 80 columns)")
    assert text.count("\n") == 53
    assert len(said(pandas.DataFrame({"long": ["x" * 10_000] * 60}))) < 12_000


def test_a_series_and_an_index_with_a_name():
    series = pandas.Series([1, 2], index=pandas.Index(["a", "b"], name="key"), name="n")
    assert said(series) == "| key | n |\n| --- | --- |\n| a | 1 |\n| b | 2 |"


def test_arrays_say_their_shape():
    numpy = pytest.importorskip("numpy")
    assert said(numpy.arange(6).reshape(2, 3)) == "array of shape (2, 3), int64\n[[0 1 2]\n [3 4 5]]"
    assert len(said(numpy.zeros((1000, 1000)))) < 2_000
    assert said(numpy.float64(2.5)) == "2.5"


def test_pictures_are_parts_in_the_order_of_the_text():
    image = pytest.importorskip("PIL.Image").new("RGB", (4, 3))
    [part] = value_to_parts(image, "image")
    assert part["inlineData"]["mimeType"] == "image/png"
    assert attachments.describe_part(part).startswith("image · image · ")


def test_a_formula_is_read_and_not_seen():
    class Formula:
        def __str__(self):
            return "x**2"

        def _repr_png_(self):
            return png()

        def _repr_latex_(self):
            return "$x^2$"

    class Drawing:
        _repr_png_ = Formula._repr_png_

    assert said(Formula()) == "x**2"
    assert "inlineData" in value_to_parts(Drawing(), "drawing")[0]


def test_what_can_not_be_drawn_is_one_line():
    class Broken:
        def _repr_png_(self):
            raise RuntimeError("no\nink")

    with pytest.raises(PromptError, match=r"^fig can't be sent as text or image, RuntimeError: no ink; nothing was sent$"):
        value_to_parts(Broken(), "fig")


def test_figures_axes_and_lists_of_them():
    figures = pytest.importorskip("matplotlib.figure")
    figure = figures.Figure(figsize=(2, 1))
    axes = figure.subplots()
    axes.plot([1, 2, 3])
    for value in (figure, axes):
        [part] = value_to_parts(value, "fig")
        assert part["inlineData"]["mimeType"] == "image/png"
    words, first, second = value_to_parts([figure, figure], "figs")
    assert "picture 1" in words["text"]
    assert first["inlineData"] == second["inlineData"]


def test_nothing_heavy_is_imported_to_look_at_a_value():
    code = (
        "import sys; from nbgemini.prompts.values import value_to_parts; value_to_parts({'a': 1}, 'x'); "
        "print([name for name in ('pandas', 'numpy', 'matplotlib', 'PIL') if name in sys.modules])"
    )
    import subprocess

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
