"""Text is read in the encoding it is in, which is said; what nobody can know is refused with the way out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from nbgemini.errors import PromptError
from nbgemini.messages.turns import NOTE
from nbgemini.prompts.file_text import decode_text
from nbgemini.prompts.values import value_to_parts

JAPANESE = "これは日本語のテキストです。\nレビューはとても良い。\n"
GERMAN = "Größe; Ärger \u2013 „schön“ kostet 5 €\nMüller;3,5\n"


@pytest.mark.parametrize(
    ("text", "codec", "name"),
    [
        (GERMAN, "utf-8", ""),
        (GERMAN, "utf-8-sig", ""),
        (GERMAN, "utf-16", "UTF-16"),
        (GERMAN, "utf-32", "UTF-32"),
        (JAPANESE, "utf-16", "UTF-16"),
        ("hello wörld\n", "utf-16-le", "UTF-16"),
        ("hello world\n", "utf-16-be", "UTF-16"),
        (GERMAN, "cp1252", "Windows-1252"),
        ("¿Qué? ¡Sí! año, l\u2019été — « déjà vu »\n", "cp1252", "Windows-1252"),
        ("café", "latin-1", "Windows-1252"),
        (JAPANESE, "cp932", "Shift-JIS"),
        (JAPANESE, "euc_jp", "EUC-JP"),
        (JAPANESE, "iso2022_jp", "ISO-2022-JP"),
        ("", "utf-8", ""),
    ],
)
def test_an_encoding_is_known_and_named(tmp_path, text, codec, name):
    assert decode_text(text.encode(codec)) == (text, name)
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode(codec))
    [part] = value_to_parts(path, "a")
    assert part["text"].startswith(f"a.txt (read as {name}):\n" if name else "a.txt:\n")
    assert text in part["text"]
    assert part[NOTE]["kind"] == (f"text, read as {name}" if name else "text")
    assert value_to_parts(text.encode(codec), "data")[0]["text"].startswith(text)


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("Привет, мир!", "cp1251"),
        ("Привет, мир!", "koi8-r"),
        ("Zażółć gęślą jaźń", "cp1250"),
        ("这是一个中文文本", "gb18030"),
        ("안녕하세요", "euc_kr"),
    ],
)
def test_what_nobody_can_know_is_refused_with_the_way_out(tmp_path, text, codec):
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode(codec))
    with pytest.raises(PromptError, match=r"encoding other than UTF-8.* → text = Path\('a.txt'\).read_text\('…'\)"):
        value_to_parts(path, "a")


@pytest.mark.parametrize(
    "data", [b"\x00\x01\x02\xff", bytes(500), b"\x01\x02" * 100, Path(os.__file__).read_bytes()[:99] + b"\0\0"]
)
def test_what_is_no_text_is_none(data):
    assert decode_text(data) is None


@given(st.text(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
def test_marked_text_comes_back_as_it_was_unless_it_holds_what_text_does_not(text, codec):
    try:
        data = text.encode(codec)
    except UnicodeEncodeError:
        return
    found = decode_text(data)
    assert found is None or found[0] in (text, text.removeprefix("\ufeff"))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_not(data):
    found = decode_text(data)
    assert found is None or isinstance(found[0], str)


@pytest.mark.parametrize("encoding", ["mac_roman", "cp850"])
def test_what_would_begin_its_words_with_signs_is_not_guessed(encoding):
    assert decode_text("Über Äpfel und Öl".encode(encoding)) is None
    assert decode_text("„Über“ 5 € – ½ l, 20 °C".encode("cp1252")) == ("„Über“ 5 € – ½ l, 20 °C", "Windows-1252")
