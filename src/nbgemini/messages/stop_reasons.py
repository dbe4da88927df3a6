"""Why the service ended an answer, or let none begin, in words that say the way out: data, dated 2026-11-21."""

from __future__ import annotations

_ENDINGS = {
    "MAX_TOKENS": "cut at the token limit → --max-tokens",
    "SAFETY": "withheld: the service holds it to be unsafe → ask in other words",
    "RECITATION": "withheld: too close to a text that the model has learned → ask for a summary, or in other words",
    "LANGUAGE": "withheld: a language that the model does not offer → ask in another",
    "BLOCKLIST": "withheld: it holds a word that is not allowed → ask in other words",
    "PROHIBITED_CONTENT": "withheld: its content is not allowed, whatever the settings",
    "SPII": "withheld: it may hold personal data of somebody → leave that out",
    "MODEL_ARMOR": "withheld by the filter of your organisation (Model Armor)",
    "JAILBREAK": "withheld: it looks like an attempt to get round the rules",
    "ESCALATION": "withheld: the service wants a person to look at it",
    "IMAGE_SAFETY": "no picture: the service holds it to be unsafe → describe another",
    "IMAGE_PROHIBITED_CONTENT": "no picture: its content is not allowed → describe another",
    "IMAGE_RECITATION": "no picture: too close to one that the model has learned → describe another",
    "IMAGE_OTHER": "no picture came, and the service does not say why → ask again",
    "NO_IMAGE": "no picture came → say that you want one",
    "MALFORMED_FUNCTION_CALL": "the model called a tool in a form that can't be read → ask again",
    "MALFORMED_RESPONSE": "the model's answer can't be read → ask again",
    "UNEXPECTED_TOOL_CALL": "the model called a tool that it was not offered → offer it with -t, or ask again",
    "TOO_MANY_TOOL_CALLS": "the model called tools again and again → ask for less at once",
    "MISSING_THOUGHT_SIGNATURE": "the service misses a thought signature in this chat → %gemini drop, or begin another chat",
    "PUP_LIMITED_DISABLED": "the service has limited this use of the model",
    "CONTENT_BLOCKED": "withheld: against the rules of the service → ask in other words",
    "MALFORMED_TOOL_CALL": "the model called a tool in a form that can't be read → ask again",
    "INCOMPLETE": "cut before its end, mostly at the token limit → --max-tokens",
    "BUDGET_EXCEEDED": "cut: it took more than what was allowed for it → ask for less at once",
    "CANCELLED": "cancelled at the service → ask again",
    "max_tokens": "cut at the token limit → --max-tokens",
    "model_context_window_exceeded": "cut: the chat fills all that the model can hold → %gemini drop, reset or fork the chat",
    "max_output_tokens": "cut at the token limit → --max-tokens",
    "max_completion_tokens": "cut at the token limit → --max-tokens",
    "length": "cut at the token limit → --max-tokens",
    "model_length": "cut: the chat fills all that the model can hold → %gemini drop, reset or fork the chat",
    "token_limit": "cut at the token limit → --max-tokens",
    "insufficient_system_resource": "cut: the service ran out of room → ask again",
    "content_filter": "withheld by the service's content filter → ask in other words",
    "refusal": "withheld: the model declines to answer this → ask in other words, or -m another model",
    "OTHER": "ended by the service, which does not say why → ask again",
}
_LOWER = {name.lower(): words for name, words in _ENDINGS.items()}  # gateways write them as they like
_PROMPT = "prompt: "  # how the reason begins if the prompt itself was refused


def ending_words(reason: str) -> str:
    """Return a reason in words, itself where none are known."""
    bare = reason.removeprefix(_PROMPT)
    words = _ENDINGS.get(bare) or _LOWER.get(bare.lower(), bare)
    return words if bare == reason else f"the prompt was {words if words.startswith('withheld') else f'refused: {words}'}"


def is_known(reason: str) -> bool:
    """Whether it is known what a reason says: one that is newer does not say that whole calls should not run."""
    return reason.removeprefix(_PROMPT).lower() in _LOWER
