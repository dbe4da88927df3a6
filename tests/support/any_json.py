"""Any JSON at all, and JSON that fits here and there: what requests and prompts may hold, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

NAMES = st.sampled_from(
    [
        *(
            "contents",
            "role",
            "parts",
            "text",
            "thought",
            "thoughtSignature",
            "functionCall",
            "functionResponse",
            "name",
            "args",
        ),
        *(
            "response",
            "id",
            "generationConfig",
            "thinkingConfig",
            "includeThoughts",
            "thinkingBudget",
            "thinkingLevel",
            "tools",
        ),
        *("functionDeclarations", "systemInstruction", "system_instruction", "toolConfig", "inlineData", "executableCode"),
        *("code", "generateContentRequest", "model", "willContinue", "partialArgs"),
    ]
)


WORDS = st.sampled_from(["user", "model", "hi", "f", "low", "call f(a=1)", "2 + 3", "my name is Zoe", "\x00", "", "Ünï 😀"])


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=5)


def nested(names, leaves):
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=12
    )


ANYTHING = nested(NAMES | st.text(max_size=5), SCALARS)


OBJECTS = st.dictionaries(NAMES | st.text(max_size=5), ANYTHING, max_size=3)


ENTRIES = st.recursive(
    st.one_of(
        st.tuples(st.sampled_from(["thought", "answer", "code", "code_result"]), WORDS | st.text(max_size=5)),
        st.tuples(st.sampled_from(["call", "streamed_call"]), WORDS, OBJECTS),
        st.tuples(st.just("raw"), OBJECTS),
    ),
    lambda inner: st.lists(inner, max_size=3).map(lambda entries: ["frame", *entries]),
    max_leaves=5,
)


FITTING = {
    "parts": st.lists(ENTRIES, max_size=4),
    **dict.fromkeys(("frames", "chars", "fault"), st.integers(0, 5)),
    "pieces": st.integers(1, 5),
    "gap": st.just(0),
    "finish": st.none() | WORDS,
    "error": st.dictionaries(st.just("details"), ANYTHING, max_size=1),
    "retry_delay": st.sampled_from(["3s", "1.5s"]),
}


def places(value, at=()):
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from places(item, (*at, key))


def replaced(value, at, new):
    if not at:
        return new
    copy = value.copy()
    copy[at[0]] = replaced(value[at[0]], at[1:], new)
    return copy
