"""Which codec speaks which dialect; each is imported when it is first needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from nbgemini.providers.base import Codec

# Modules and classes by dialect; those of Google's API are told its version.
_CODECS: Mapping[str, tuple[str, str]] = {
    "gemini": ("nbgemini.providers.gemini.codec", "Gemini"),
    "anthropic": ("nbgemini.providers.anthropic.codec", "Anthropic"),
    "interactions": ("nbgemini.providers.interactions.codec", "Interactions"),
    "openai": ("nbgemini.providers.openai.responses", "OpenAI"),
    "openai-chat": ("nbgemini.providers.openai.chat", "OpenAIChat"),
}
_VERSIONED = {"gemini", "interactions"}


def codec_of(dialect: str, version: str) -> Codec:
    """Return the codec of a dialect; Google's API is spoken in this version."""
    module, name = _CODECS[dialect]
    codec: Callable[..., Codec] = getattr(import_module(module), name)
    return codec(version) if dialect in _VERSIONED else codec()
