"""Markdown that is still being written shows as what it will be, ends as what it is, and costs no more than its length."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest
from hypothesis import example, given, settings, strategies as st

from nbgemini.render.html_tree import parse_html, serialize_html
from nbgemini.render.streaming_markdown import to_html as rendered
from tests.corpus.answers import ANSWERS
from tests.corpus.pieces import markdown
from tests.render.checker import faults
from tests.support.live_page import Stream, text_of

RAW = re.compile(r"\*\*|__|\|-|```|~~~|^[ ]*#+ |^[ ]*[-*+] |\]\(|`", re.MULTILINE)
SHAPES = {
    "prose": "A paragraph {k} with **bold words** and `code` in it, [a link](https://a.example/{k}), *more* and an end.\n\n",
    "list": "- **Item {k}**: some `text` that goes on for a while, and ends.\n",
    "loose list": "{k}. **Item {k}**: some `text` that goes on for a while, and ends.\n\n",
    "nested list": "- **Top {k}**: text\n  - one *nested*\n  - two `nested`\n    1. deeper\n    2. and **deeper**\n",
    "list with code": "1. Top {k}:\n\n   ```python\n   x = {k}\n   y = x ** 2\n   ```\n\n   - **inner** words\n\n",
    "table": "| row {k} | **bold** | `{k}` |\n",
    "quote": "> quoted line {k} with *emphasis* here\n> - and a list\n>\n",
    "code": "def f{k}(x):\n    return x + {k}  # comment\n\n",
    "long paragraph": "word{k} and **some** more prose follows here without any `end` in sight, on and on and on it goes, ",
    "headings": "## Heading {k} with `code`\n\nText.\n\n",
}
BEGINNINGS = {"table": "| a | b | c |\n|---|:-:|--:|\n", "code": "```python\n"}


def long_text(shape, length):
    text = BEGINNINGS.get(shape, "") + "".join(SHAPES[shape].format(k=k) for k in range(length // len(SHAPES[shape]) + 1))
    return text[:length]


def streamed(text, step):
    stream = Stream()
    for at in range(0, len(text), step):
        stream.feed(text[at : at + step], eager=False)
    stream.close()
    return stream


@settings(max_examples=150, deadline=None)
@given(markdown, st.lists(st.integers(0, 120), max_size=12), st.booleans())
@example("- a\n\n  ```py\n  x\n  ```\n- b", list(range(1, 24)), True)
def test_the_end_is_what_the_whole_text_gives(text, cuts, eager):
    stream = Stream()
    for start, end in pairwise([0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]):
        stream.feed(text[start:end], eager=eager)
        assert faults(serialize_html(stream.page.root.children)) == []
    stream.close()
    assert stream.page.root.children == parse_html("".join(stream.told))
    late = "]:" in text  # what is defined later is sent once more as a whole
    assert late or stream.page.root.children == parse_html(rendered(text))


@pytest.mark.parametrize("step", [1, 7, 40])
def test_answers_at_every_prefix(step):
    for text in ANSWERS[:: 100 // step]:
        stream = streamed(text, step)
        assert stream.page.root.children == parse_html("".join(stream.told))


@pytest.mark.parametrize("shape", SHAPES)
def test_no_markup_shows_longer_than_it_takes_to_write(shape):
    text, stream = long_text(shape, 1_500), Stream()
    for at in range(0, len(text), 3):
        stream.feed(text[at : at + 3])
        shown = text_of(stream.page.root.children[-2:])
        assert "code" in shape or not RAW.search(shown), shown[-100:]
        assert "```" not in shown


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if "code" not in shape])
def test_what_is_finished_is_never_shown_again(shape):
    """Nothing vanishes but what one line may take back; the first item of a list once, when a blank line makes room between all."""
    stream = streamed(long_text(shape, 4_000), 10)
    removed = sum(len(node if isinstance(node, str) else serialize_html([node])) for node in stream.page.removed)
    assert removed <= 600


@pytest.mark.parametrize("shape", SHAPES)
def test_cost_and_traffic_grow_with_the_text(shape):
    small, large = (streamed(long_text(shape, length), 100) for length in (4_000, 10_000))
    sizes = [len(json.dumps(stream.operations)) for stream in (small, large)]
    work = [stream.blocks._open.rendered + stream.blocks.parsed for stream in (small, large)]
    print(f"{shape}: {sizes[0]} -> {sizes[1]} bytes, {work[0]} -> {work[1]} characters of work")
    assert sizes[1] <= 2.6 * sizes[0]
    assert work[1] <= 7 * 10_000


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("# Hea", "<h1>Hea</h1>"),
        ("#", ""),
        ("- ", ""),
        ("- a\n-", "<ul><li>a</li></ul>"),
        ("- a\n  - **b", "<ul><li>a<ul><li><strong>b</strong></li></ul></li></ul>"),
        ("text\n--", "<p>text</p>"),
        ("text\n==", "<h1>text</h1>"),
        ("==", ""),
        ("text\n---", "<h2>text</h2>"),
        ("a | b\n---", "<p>a | b</p>"),
        ("a\nb\n---", "<p>a\nb</p><hr>"),
        ("see\n\n[r]:", "<p>see</p>"),
        ('see\n\n[r]: https://a.example\n[s]: /b "ti', "<p>see</p>"),
        ("see\n\n[r]: what I", "<p>see</p><p>[r]: what I</p>"),
        ("as said[^1]", "<p>as said<sup>[1]</sup></p>"),
        ("$$\nx =\n- y\n+ z", "<p><span>$</span><span>$</span>\nx =\n- y\n+ z</p>"),
        (
            "- a\n  ```md\n# b\n```py\nc\n```\n- d",
            '<ul><li>a<div class="highlight"><pre><code class="language-md"># b\n```py\nc\n```\n- d</code></pre></div></li></ul>',
        ),
        ("1", ""),
        ("1.", ""),
        ("> *q", "<blockquote><p><em>q</em></p></blockquote>"),
        ("```", ""),
        ("```pyth", ""),
        ("```py\nx = 1", '<div class="highlight"><pre><code class="language-py">x = 1</code></pre></div>'),
        ("```py\nx\n``", '<div class="highlight"><pre><code class="language-py">x\n</code></pre></div>'),
        ("- [", ""),
        ("- [x] d", "<ul><li>☑ d</li></ul>"),
        ("| a", '<table><thead><tr><th><div align="left">a</div></th></tr></thead></table>'),
        ("| a |\n|--", '<table><thead><tr><th><div align="left">a</div></th></tr></thead></table>'),
        ("a | b", "<p>a | b</p>"),
        ("[a][r", "<p>[a]</p>"),
        ("\\[ x_1 + y", "<p><span>\\</span>[ x_1 + y</p>"),
    ],
)
def test_what_is_being_written(text, html):
    stream = Stream()
    stream.feed(text)
    assert serialize_html(stream.page.root.children) == html


def test_a_link_that_was_defined_above_is_one_at_once():
    stream = Stream()
    stream.feed("[r]: https://a.example\n\nsee [r] an")
    assert 'href="https://a.example"' in serialize_html(stream.page.root.children)
    stream.feed("d\n\n[^1]: note\n\nand[^1] then")
    assert "<sup>[1]</sup> then" in serialize_html(stream.page.root.children)


def test_definitions_that_still_come_define_nothing():
    stream = Stream()
    stream.feed("[r]: https://a.exa")
    stream.feed("mple\n\nsee [r]")
    stream.close()
    assert 'href="https://a.example"' in serialize_html(stream.page.root.children)


WORDS = "Some words that go on and on, as they do. " * 8


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"- {n} {WORDS}\n" for n in range(4)) + "\n- the last\n",  # all items get paragraphs
        f"- - {WORDS}\n\n    {WORDS}\n\n    the end\n",  # two lists begin in one line
        f"-\t{WORDS}\n\n\t{WORDS}\n\n\tthe end\n",  # a tab stands for unknown blanks
        f"{WORDS} {WORDS} https://a.example/{'a' * 200}",
        f"> - {WORDS}\n>\n>   | a | b |\n>   |---|---|\n" + f">   | {WORDS} | *c* |\n" * 4,
        f"1. {WORDS}\n   ```py\n" + "   x = 1  # and a comment\n" * 30 + "   ```\n2. the end\n",
    ],
)
def test_wherever_a_block_is_cut_its_end_is_right(text):
    assert serialize_html(streamed(text, 20).page.root.children) == serialize_html(parse_html(rendered(text)))


def test_a_long_line_that_can_not_be_cut_is_rendered_seldom_and_in_pauses():
    stream, text = Stream(), "*it goes on " + "[and on " * 700
    shown = []
    for at in range(0, len(text), 50):
        stream.feed(text[at : at + 50])
        shown.append(len(text_of(stream.page.root.children)))
    assert len(set(shown)) < len(shown) - 20
    stream.feed("")
    assert len(text_of(stream.page.root.children)) >= len(text) - 20
