"""Keys that were pasted where they don't belong: text that looks like one is told by its kind.

Rule: only what has the full form of a key counts, so that a shortened one, a hash, base64 or a name never does. A prompt with a
key is refused, for its writer can mend it; in what a tool returned its kind stands in the key's place, and the model sees that.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from nbgemini.errors import PromptError
from nbgemini.messages.turns import Turn
from nbgemini.secrets import Secret

_START, _END = r"(?<![A-Za-z0-9_/+-])", r"(?![A-Za-z0-9_/+=-])"  # not inside base64, a path or a longer word
_FORMS = {  # what each kind begins with, and its whole form
    "a Google API key (AIza…)": ("AIza", r"AIza[A-Za-z0-9_-]{35}"),
    "an Anthropic key (sk-ant-…)": ("sk-ant-", r"sk-ant-[A-Za-z0-9_-]{24,200}"),
    "an OpenAI key (sk-…)": ("sk-", r"sk-(?:proj-|svcacct-|admin-|or-v1-)?(?!ant-)[A-Za-z0-9_-]{32,200}"),
    "a GitHub token (ghp_…)": ("gh", r"gh[pousr]_[A-Za-z0-9]{36,251}"),
    "a GitHub token (github_pat_…)": ("github_pat_", r"github_pat_[A-Za-z0-9_]{60,100}"),
    "an AWS access key (AKIA…)": ("AKIA", r"AKIA[A-Z2-7]{16}"),
    "an AWS access key (ASIA…)": ("ASIA", r"ASIA[A-Z2-7]{16}"),
    "a Hugging Face token (hf_…)": ("hf_", r"hf_[A-Za-z0-9]{34,40}"),
    "a Slack token (xox…)": ("xox", r"xox[abeoprs]-[A-Za-z0-9-]{20,200}"),
}
_KEYS = {kind: (begin, re.compile(f"{_START}{form}{_END}")) for kind, (begin, form) in _FORMS.items()}
_BLOCK = re.compile(
    r"-----BEGIN (?:[A-Z]{2,10} ){0,2}PRIVATE KEY(?: BLOCK)?-----(?:\s|\\[rn])+(?:[A-Za-z-]+: .*\s+){0,5}[A-Za-z0-9+/=]{30}"
)
_WHOLE_BLOCK = re.compile(
    _BLOCK.pattern + r"(?:[A-Za-z0-9+/=\s]|\\[rn])*+(?:-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?"
)
_LEAST_ENTROPY = 3.2  # bits a character: a random key of 20 has 3.7 and more, "xxxx", "1234…" and words in a row less
_SHORTEST_OWN = 12  # characters of a configured key that is searched for; a test's "offline" is a word
_OWN = "your own API key"


def reject_secrets(asked: Turn, system: str | None = None, own: Sequence[Secret] = ()) -> None:
    """Let a prompt pass that holds no key.

    Raises:
        PromptError: there is one in its text or in the system instruction; the message does not repeat it.
    """
    texts = [*(str(part.get("text", "")) for part in asked.parts), system or ""]
    kind = next(filter(None, (leaked(text, own) for text in texts)), "")
    if kind:
        raise PromptError(
            f"the prompt contains {kind}; nothing was stored or sent → take it out, or %config Gemini.allow_secrets = True"
        )


def leaked(text: str, own: Sequence[Secret] = ()) -> str:
    """Return what kind of key stands in `text`, in words, or nothing; `own` are the keys in use."""
    if any(key in text for key in _searched(own)):
        return _OWN
    if "PRIVATE KEY" in text and _BLOCK.search(text):
        return "a private key"
    return next((kind for kind, form in _begun(text) if any(map(_is_random, form.findall(text)))), "")


def _begun(text: str) -> Iterator[tuple[str, re.Pattern[str]]]:
    """Yield the kinds of keys that may stand in a text: 100 times as fast as their whole forms."""
    return ((kind, form) for kind, (begin, form) in _KEYS.items() if begin in text)


def redact_secrets(value: Any, own: Sequence[Secret] = ()) -> Any:
    """Return JSON with every key in its texts replaced by its kind in words; `own` are the keys in use."""
    match value:
        case str():
            return _masked_text(value, _searched(own))
        case dict():
            return {redact_secrets(name, own): redact_secrets(item, own) for name, item in value.items()}
        case list() | tuple():
            return [redact_secrets(item, own) for item in value]
    return value


def _searched(own: Iterable[Secret]) -> list[str]:
    return [key.reveal() for key in own if len(key.reveal()) >= _SHORTEST_OWN]


def _masked_text(text: str, own: Iterable[str]) -> str:
    for key in own:
        text = text.replace(key, _hidden(_OWN))
    if "PRIVATE KEY" in text:
        text = _WHOLE_BLOCK.sub(_hidden("a private key"), text)
    for kind, form in _begun(text):
        text = form.sub(partial(_unless_harmless, kind), text)
    return text


def _unless_harmless(kind: str, found: re.Match[str]) -> str:
    return _hidden(kind) if _is_random(found[0]) else found[0]


def _hidden(kind: str) -> str:
    return f"[{kind}, hidden by nbgemini]"


def _is_random(key: str) -> bool:
    """Tell a key from a placeholder, which repeats itself, counts, says so, or is made of words alone."""
    body = key[4:]
    counts = Counter(body)
    bits = -sum(count / len(body) * math.log2(count / len(body)) for count in counts.values())
    mixed = (any(map(str.isdigit, body)) and any(map(str.isalpha, body))) or key.isupper()
    return bits >= _LEAST_ENTROPY and mixed and "example" not in key.lower()
