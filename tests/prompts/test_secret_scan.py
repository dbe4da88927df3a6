"""A key in a prompt is found in its full form; what only looks a little like one is let through."""

from __future__ import annotations

import base64
import hashlib
import random
import re
from time import process_time

import msgspec
import pytest
from hypothesis import given, strategies as st

from nbgemini.errors import PromptError
from nbgemini.prompts.secret_scan import leaked, redact_secrets
from nbgemini.secrets import Secret
from tests.corpus.keys import ALPHANUMERIC, KEYS

AROUND = [
    "{}",
    "my key is {}, is it safe?",
    'api_key="{}"',
    "export GEMINI_API_KEY={}\n",
    "({})",
    "`{}`",
    "https://h/?key={}&a=1",
    "a\n{}\nb",
]
HARMLESS = {
    "nothing": "",
    "a question": "How do I get a key that begins with AIza, sk- or ghp_?",
    "short": "AIza... AIzaSy… sk-... sk-ant-… ghp_… AKIA…",
    "x": f"AIza{'x' * 35} sk-{'x' * 48} ghp_{'X' * 36} AKIA{'X' * 16}",
    "counted": "AIza" + "1234567890" * 3 + "12345",
    "documented": "AKIAIOSFODNN7EXAMPLE and AKIAEXAMPLEEXAMPLEEX",
    "words": "sk-your-openai-api-key-goes-right-here-and-nowhere-else",
    "angle": "AIza<your key here> sk-{OPENAI_API_KEY} ghp_$TOKEN",
    "hashes": " ".join(hashlib.new(name, b"x").hexdigest() for name in ("md5", "sha1", "sha256", "sha512")),
    "a commit": "see 8de40f8a1b2c3d4e5f60718293a4b5c6d7e8f901",
    "a uuid": "123e4567-e89b-12d3-a456-426614174000",
    "base64": base64.b64encode(random.Random(7).randbytes(200_000)).decode(),
    "a data URL": "data:image/png;base64," + base64.b64encode(random.Random(8).randbytes(50_000)).decode(),
    "a key inside base64": "QUJD" + KEYS["google"].replace("-", "a").replace("_", "b") + "QUJD",
    "a long word": "a" + KEYS["github"],
    "public": "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n-----END PUBLIC KEY-----",
    "a certificate": "-----BEGIN CERTIFICATE-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n",
    "about blocks": "What does -----BEGIN PRIVATE KEY----- mean?\nIt is the first line of a key file.",
    "a css class": "sk-fading-circle sk-cube-grid sk-folding-cube-with-a-very-long-name-of-words",
    "code": "task-sk-123 = risk-free-rate-of-return-2024-01-01-and-more-words-follow-here",
    "a placeholder": "GEMINI_API_KEY=YOUR_API_KEY_HERE",
}


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("kind", KEYS)
def test_a_whole_key_is_found_wherever_it_stands(kind, around):
    found = leaked(around.format(KEYS[kind]))
    assert found
    assert KEYS[kind][6:] not in found


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("kind", KEYS)
def test_a_masked_text_holds_no_key_and_all_else(kind, around):
    before, after = around.split("{}")
    hidden = redact_secrets(around.format(KEYS[kind]))
    assert not leaked(hidden)
    assert KEYS[kind][6:30] not in hidden
    assert re.fullmatch(rf"{re.escape(before)}\[an? .* hidden by nbgemini\]{re.escape(after)}", hidden)


def test_keys_are_masked_wherever_json_holds_text():
    own = [Secret("corporate gateway key 17")]
    value = {"environ": {"A": [KEYS["aws"], 1, None], KEYS["github"]: "x"}, "own": f"key={own[0].reveal()}"}
    assert redact_secrets(value, own) == {
        "environ": {
            "A": ["[an AWS access key (AKIA…), hidden by nbgemini]", 1, None],
            "[a GitHub token (ghp_…), hidden by nbgemini]": "x",
        },
        "own": "key=[your own API key, hidden by nbgemini]",
    }


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_no_key_is_not_masked(name):
    assert redact_secrets(HARMLESS[name]) == HARMLESS[name]


def test_the_kind_is_told():
    assert "Anthropic" in leaked(KEYS["anthropic"])
    assert "OpenAI" in leaked(KEYS["openai project"])
    assert "private key" in leaked(KEYS["rsa"])


@pytest.mark.parametrize("name", HARMLESS)
def test_no_false_alarm(name):
    assert leaked(HARMLESS[name]) == ""


def test_the_key_in_use_is_found_whatever_its_form():
    own = [Secret("corporate gateway key 17")]
    assert leaked("use corporate gateway key 17 please", own) == "your own API key"
    assert leaked("use corporate gateway key 18 please", own) == ""
    assert leaked("anything offline at all", [Secret("offline")]) == ""
    assert leaked("anything", [Secret("")]) == ""


@given(st.text(ALPHANUMERIC + "_-", min_size=35, max_size=35))
def test_any_random_google_key_is_found(body):
    varied = len(set(body)) > 14 and re.search(r"\d", body) and re.search("[A-Za-z]", body) and "example" not in body.lower()
    assert not varied or leaked(f"AIza{body}")


@given(st.text(max_size=300))
def test_ordinary_text_is_let_through(text):
    assert leaked(text) == ""


@pytest.mark.parametrize(
    "text", ["sk-" * 300_000, "-----BEGIN PRIVATE KEY-----\n" + "a: b\n" * 200_000, "AIza" * 250_000, "a-" * 500_000]
)
def test_a_megabyte_is_searched_in_no_time(text):
    began = process_time()
    leaked(text)
    redact_secrets(text)
    assert process_time() - began < 2


async def test_a_prompt_with_a_key_is_neither_stored_nor_sent(client, service):
    chat = client.chat()
    for ask in (lambda: chat.ask(f"what is wrong with {KEYS['openai']}?"), lambda: chat.ask("x", system=KEYS["aws"])):
        with pytest.raises(PromptError, match="nothing was stored or sent → .*allow_secrets = True") as caught:
            await ask()
        assert "\n" not in str(caught.value)
        assert KEYS["openai"][5:] not in str(caught.value)
    with pytest.raises(PromptError, match="your own API key"):
        await client.generate(f"why does {client.settings.key.reveal()} not work?")
    assert not chat.transcript.exchanges
    assert not service.requests
    assert (await chat.ask("and now?")).state == "complete"


async def test_who_insists_may_send_a_key(client, service, settings):
    client.use(msgspec.structs.replace(settings, allow_secrets=True))
    assert (await client.chat().ask(KEYS["openai"])).state == "complete"
    assert KEYS["openai"] in str(service.requests[-1].body)
