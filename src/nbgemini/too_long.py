"""That a prompt is too long for a model, in all the words that services have for it: data, dated 2026-11-29.

Sources: the errors of Google, OpenAI, Anthropic, Mistral, xAI, Cohere, Groq, Bedrock, OpenRouter, GitHub, DashScope, llama.cpp,
LM Studio, Ollama, vLLM, SGLang and TGI, as their repositories, pages and public issues quote them.
"""

from __future__ import annotations

import re

WORDS = {
    "context_length_exceeded", "exceed_context_size_error", "too_many_prompt_tokens", "contextwindowexceedederror",
    "context_window_exceeded", "contextlengthexceeded", "model_max_prompt_tokens_exceeded", "tokens_limit_reached",
    "prompt_too_long", "input_too_long", "max_context_length_exceeded", "context_size_exceeded", "string_above_max_length",
    "context_overflow", "model_context_window_exceeded",
}  # fmt: skip
_N = r"\(?(?P<{}>\d[\d,]{{0,14}})\)?"
_SENT, _TAKEN, _MORE = (_N.format(name) for name in ("sent", "taken", "more"))
_YOU, _BUT = r"you(?:r messages resulted in| requested)", r"(?:but|however,?) (?:the|your) request"
_WINDOW = r".{0,40}?(?:length|context|limit)(?: of)?"
_COUNTED = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"input token count {_SENT} exceeds the maximum number of tokens allowed {_TAKEN}",
        rf"prompt is too long: {_SENT} tokens > {_TAKEN} maximum",
        rf"(?:context|prompt) length (?:is|of) {_TAKEN} tokens\. However, {_YOU}(?: about)? {_SENT}",
        rf"maximum (?:context|prompt) length is {_TAKEN}(?: tokens)?,? {_BUT} (?:contains|has) {_SENT}",
        rf"maximum context length of {_TAKEN} tokens\. You requested a total of {_SENT}",
        rf"(?:request|prompt) {_SENT}(?: tokens\))? exceeds the available context size {_TAKEN}",
        rf"request \({_SENT} tokens\) exceeds the available context size \({_TAKEN} tokens",
        rf"prompt contains {_SENT} tokens.{{0,40}}, too large for model with {_TAKEN} maximum context length",
        rf"prompt token count of {_SENT} exceeds the limit of {_TAKEN}",
        rf"first {_SENT} tokens when context the overflows.{{0,80}} context length of only {_TAKEN}",
        rf"(?:prompt|input)(?: is| has)? \(?(?:length )?{_SENT}(?: tokens)?\)? (?:is longer than|exceeds) {_WINDOW} {_TAKEN}",
        rf"input length {_SENT} exceeds .{{0,40}}?{_TAKEN}",
        rf"input has {_SENT} tokens.{{0,60}}(?:limit|maximum).{{0,20}}? {_TAKEN}",
    )
)
_EXCESS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"exceed(?:ed|s) (?:the )?max(?:imum)? context length by {_MORE}",
        rf"too many tokens: .{{0,40}}exceeded by {_MORE}",
    )
)
_SIGNS = re.compile(
    r"""
    (?: exceed\w* | larger\ than | longer\ than | overflow\w* | over\ the | greater\ than | beyond | surpass\w* ) .{0,80}?
        (?: context\ (?:length|window|size|limit) | (?:prompt|input|sequence)\ length | token\ limit | max_model_len
          | maximum\ (?:number\ of\ )?(?:input\ )?tokens )
    | (?: context\ (?:length|window|size|limit) | (?:prompt|input)\ length | token\ limit | max_model_len ) .{0,80}?
        (?: exceed\w* | too\ (?:long|large|small) | overflow\w* | reached | \b must\ be\ (?:less|<) )
    | (?: prompt | input | message\w* | conversation | chat | request | context ) \ (?: is\ | was\ | are\ )? too\ long
    | too\ many\ (?: prompt\ | input\ )? tokens \b (?! \ per )
    | maximum\ (?: context | prompt | input )\ length\ (?:is|of) .{0,80}? (?: request\w* | result\w* | contain\w* | reduce )
    | reduce\ the\ length\ of\ (?:the|your)\ (?: messages | prompt | input | chat )
    | range\ of\ input\ length\ should\ be
    | inputs?`?\ tokens\ \+\ `?max_new_tokens
    | request\ too\ large
    | context_?window_?exceeded | context_length_exceeded | too_many_prompt_tokens
    """,
    re.IGNORECASE | re.VERBOSE,
)
_LOOKED_AT = 2_000  # characters of a message


def too_long(message: str, words: set[str]) -> str | None:
    """Return in a line that the prompt is too long, counted where the message counts; None if that is not what it says.

    Args:
        message: the service's own, in one line.
        words: its words for the kind of error, in lower case.
    """
    text = message[:_LOOKED_AT]
    if found := next(filter(None, (form.search(text) for form in _COUNTED)), None):
        sent, taken = _number(found["sent"]), _number(found["taken"])
        if sent > taken:
            return f"{sent - taken:,} tokens too many: {sent:,} were asked, the model takes {taken:,}"
    if found := next(filter(None, (form.search(text) for form in _EXCESS)), None):
        return f"{_number(found['more']):,} tokens too many"
    return message if words & WORDS or _SIGNS.search(text) else None


def _number(text: str) -> int:
    return int(text.replace(",", ""))
