"""A key that never shows itself, and what takes it out of texts, in the spellings of those who quote it."""

from __future__ import annotations

import copy
import json
import pickle
from base64 import b64encode
from html import unescape
from html.entities import html5
from urllib.parse import unquote

import pytest

from nbgemini.secrets import STEP, Mask, Secret
from nbgemini.settings import Settings

KEY = "sk-CANARY_k3y.of+th1s/su1te=x"
ENTITIES = {meant: name for name, meant in html5.items() if name.endswith(";")}
SPELLINGS = {
    "plain": str,
    "upper": str.upper,
    "in JSON": lambda letter: f"\\u{ord(letter):04x}",
    "in JSON, upper": lambda letter: f"\\u{ord(letter):04X}",
    "in a URL": lambda letter: f"%{ord(letter):02x}",
    "in HTML": lambda letter: f"&#{ord(letter)};",
    "in HTML, hexadecimal": lambda letter: f"&#x{ord(letter):x};",
    "in HTML, with zeros": lambda letter: f"&#X0000{ord(letter):X};",
    "in HTML, with more zeros": lambda letter: f"&#00000{ord(letter)};",
    "in HTML, by name": lambda letter: f"&{ENTITIES[letter]}" if letter in ENTITIES else letter,
    "in Markdown": lambda letter: letter if letter.isalnum() else f"\\{letter}",
    "in Markdown in JSON": lambda letter: letter if letter.isalnum() else f"\\\\{letter}",
}


def test_a_secret_never_shows_itself():
    secret = Secret(" AIzaKEY\n")
    assert secret.reveal() == "AIzaKEY"
    for shown in (repr(secret), str(secret), f"{secret}", repr([secret]), repr(Settings(key=secret))):
        assert "AIzaKEY" not in shown
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.deepcopy(secret)
    assert (secret == Secret("AIzaKEY"), secret == "AIzaKEY", bool(Secret(" "))) == (True, False, False)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("before", [0, 7, STEP - 40, STEP - 1])
def test_a_key_is_taken_out_in_any_spelling(spelling, before):
    spelled = "".join(map(SPELLINGS[spelling], KEY))
    data = f"{'.' * before}{spelled} behind".encode()
    mask = Mask(Secret(KEY))
    assert mask.hide(data) == b"." * before + b"[key] behind"
    assert mask.found_in(data)


@pytest.mark.parametrize("before", range(3))
def test_and_in_base64(before):
    data = b64encode(b"x" * before + KEY.encode()).decode()
    hidden = Mask(Secret(KEY)).hide(json.dumps({"a": data}).encode())
    assert b"[key]" in hidden
    assert data[4:-4].encode() not in hidden


def test_entities_mean_what_the_page_makes_of_them():
    for spelling in ("in HTML", "in HTML, with zeros", "in HTML, by name"):
        assert unescape("".join(map(SPELLINGS[spelling], KEY))) == KEY
    assert unquote("".join(map(SPELLINGS["in a URL"], KEY))) == KEY


def test_what_only_looks_like_it_stays():
    mask = Mask(Secret(KEY))
    for text in (KEY[:-1], KEY[1:], KEY.replace("-", "--"), KEY.replace("_", "\\\\\\_"), KEY.replace("s", "&#0000000115;")):
        assert mask.hide(text.encode()) == text.encode()
        assert not mask.found_in(text.encode())
