"""The models the offline service knows, what each family does differently, and their list: data, dated 2026-11-21."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from nbgemini.offline.requests import Refused

ALIASES = {
    "gemini-flash-latest": "gemini-3.8-flash",
    "gemini-flash-lite-latest": "gemini-3.5-flash-lite",
    "gemini-pro-latest": "gemini-3.1-pro-preview",
}  # only in v1beta

_TEXT_MODELS = (
    "gemini-4-argon", "gemini-4-carbon", "gemini-4-hydrogen", "gemini-3.8-flash", "gemini-3.7-flash", "gemini-3.6-flash",
    "gemini-3.5-flash", "gemini-3.5-flash-lite", "gemini-3.1-pro-preview", "gemini-3.1-flash-lite", "gemini-3-flash-preview",
    "gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-2.0-flash", "gemma-4-31b-it",
)  # fmt: skip
_THINKING = ("gemini-2.5", "gemini-3", "gemini-4", "claude-", "gpt-")  # those of others are played in other protocols
_OTHERS = ("gemini-3.1-flash-image", "gemini-3-pro-image", "gemini-2.5-flash-image", "gemini-3.8-flash-tts")
_EMBEDDINGS = ("gemini-embedding-2", "gemini-embedding-001")
_WINDOW, _SMALL_WINDOW = 1_048_576, 262_144  # tokens; Gemma's is the small one


EMBEDS = ("embedContent", "batchEmbedContents")
_METHODS = ("generateContent", "streamGenerateContent", "countTokens")


class ModelFamily(Struct, frozen=True):
    """What is particular to a model: thinking, its levels, where signatures stand, whether calls have ids."""

    thinks: bool
    levels: tuple[str, ...]
    signs: bool
    signs_last: bool
    ids: bool


def family(model: str) -> ModelFamily:
    """Return the family of a resolved model name."""
    modern = model.startswith(("gemini-3", "gemini-4"))
    thinks = model.startswith(_THINKING) and "-tts" not in model and model != "gemini-2.5-flash-image"
    return ModelFamily(thinks, _levels(model) if modern else (), thinks, modern, modern)


def _levels(model: str) -> tuple[str, ...]:
    if model.startswith("gemini-4-hydrogen"):
        return ("LOW", "MEDIUM", "HIGH", "XHIGH")
    if model.startswith(("gemini-4", "gemini-3.1-pro")):
        return ("LOW", "MEDIUM", "HIGH")
    return ("LOW", "HIGH") if model.startswith("gemini-3-pro") else ("MINIMAL", "LOW", "MEDIUM", "HIGH")


def resolve(name: str, version: str) -> str | None:
    """Return the model a name means in this API version, or None."""
    if name in ALIASES:
        return ALIASES[name] if version == "v1beta" else None
    return name if name in (*_TEXT_MODELS, *_OTHERS) else None


def embeds(name: str) -> bool:
    """Whether a model makes vectors, and nothing else."""
    return name in _EMBEDDINGS


def listed(version: str) -> list[dict[str, Any]]:
    """Return the model list as the service shows it."""
    names = [*_TEXT_MODELS, *_OTHERS, *(ALIASES if version == "v1beta" else ())]
    return [*map(_entry, names), *map(_embedding, _EMBEDDINGS)]


def _entry(name: str) -> dict[str, Any]:
    real = ALIASES.get(name, name)
    entry = {
        "name": f"models/{name}",
        "version": real.removeprefix("gemini-"),
        "displayName": name.replace("-", " ").title(),
        "description": f"{name}, as the offline service plays it",
        "inputTokenLimit": _SMALL_WINDOW if real.startswith("gemma") else _WINDOW,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "maxTemperature": 2,
    }
    return {**entry, "thinking": True} if family(real).thinks else entry


def _embedding(name: str) -> dict[str, Any]:
    return {
        "name": f"models/{name}",
        "version": name.removeprefix("gemini-embedding-"),
        "displayName": name.replace("-", " ").title(),
        "inputTokenLimit": 8192,
        "outputTokenLimit": 1,
        "supportedGenerationMethods": ["embedContent"],
    }


def generating_model(name: str, method: str, version: str) -> str:
    """Return the model that a method is asked of."""
    bare = name.removeprefix("models/")
    model = bare if embeds(bare) else resolve(bare, version)
    if model is None or method not in (EMBEDS if embeds(bare) else _METHODS):
        raise Refused(
            404,
            f"{name} is not found for API version {version}, or is not supported for {method or 'get'}. "
            "Call ModelService.ListModels to see the list of available models and their supported methods.",
        )
    return model


def one_model(name: str, version: str) -> dict[str, Any]:
    """Return a model's entry."""
    found = next((entry for entry in listed(version) if entry["name"] == name), None)
    if found is None:
        raise Refused(404, f"{name} is not found for API version {version}.")
    return found
