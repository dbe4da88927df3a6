"""What a user sees while an answer comes: formatted as it will be, in its place, at an even pace."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest

CELL = "document.querySelectorAll('.jp-Notebook .jp-Cell')[1]"
SHAPES = {
    "list": "".join(f"- **Item {n}**: some `code` and words that go on for a while\n" for n in range(12)),
    "nested-list": "".join(f"{n}. *Top {n}* with words\n   - inner **bold** {n}\n   - inner `code` {n}\n" for n in range(1, 6)),
    "table": "| Name | Value | Note |\n|:---|---:|---|\n"
    + "".join(f"| **row {n}** | {n} | `x` and words |\n" for n in range(14)),
    "quote": "".join(f"> Quoted **words** {n} with `code` and *more* of it.\n>\n" for n in range(8)),
    "code": "Some code:\n\n```python\n"
    + "".join(f"def f{n}(x):\n    return x * {n}  # words\n\n" for n in range(9))
    + "```\n\nAfter it.",
    "headings": "".join(f"## Heading {n} with `code`\n\nText **below** it, a few words.\n\n" for n in range(8)),
    "formulas": "".join(
        f"Step {n} has $x_{n} = \\frac{{1}}{{{n}}}$ in a line.\n\n$$\\int_0^{n} x\\,dx$$\n\n" for n in range(1, 7)
    ),
    "long-paragraph": "A paragraph with **bold words**, *some more*, `code` and [a link](https://a.example/page) in it. " * 8,
}
SHAPES["mixed"] = "# An answer\n\n" + "\n\n".join(
    text if name == "code" else text[:220].rpartition("\n" if "\n" in text else " ")[0] for name, text in SHAPES.items()
)
RAW = re.compile(r"\*\*|__|\|[:-]?--|```|^[ ]*#{1,6} |`|\]\(", re.MULTILINE)
# layout shift by the formula of the browser, of what stands in the answer: what is below it moves as it grows
WATCH = """() => {
  const found = window.found = { seen: [], shift: 0, over: false };
  const size = innerWidth * innerHeight;
  new PerformanceObserver(list => list.getEntries().forEach(({ sources }) => sources.forEach(({ node, previousRect, currentRect }) => {
    if (!(node?.closest ? node : node?.parentElement)?.closest('.nbg-text, .nbgemini-answer')) return;
    const height = Math.max(previousRect.bottom, currentRect.bottom) - Math.min(previousRect.top, currentRect.top);
    const moved = Math.abs(previousRect.top - currentRect.top) / Math.max(innerWidth, innerHeight);
    found.shift += moved * height * currentRect.width / size;
  }))).observe({ type: 'layout-shift' });
  const look = () => {
    const text = CELL.querySelector('.nbg-answer .nbg-text');
    const status = CELL.querySelector('.nbg-status');
    if (text?.firstChild) found.seen.push([text.innerText, text.textContent.length, text.offsetHeight, text.getBoundingClientRect().top,
      status?.innerText, [...document.querySelectorAll('.nbg-caret')].length]);
    if (!found.over) requestAnimationFrame(look);
  };
  look();
}""".replace("CELL", CELL)


def ask(text, gap=0.06):
    return (
        f"%%gemini --once\noffline: {json.dumps({'parts': [['answer', text]], 'pieces': max(40, len(text) // 12), 'gap': gap})}"
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_an_answer_is_formatted_while_it_comes_and_keeps_its_place(notebook, shape):
    text = SHAPES[shape]
    book = notebook(["%load_ext nbgemini\n%gemini demo", ask(text), "from IPython.display import Latex\nLatex('$x$')"])
    book.run(0)
    book.wait_text(0, "offline service")
    book.run(2)
    book.wait("() => document.querySelector('.jp-Notebook mjx-container')")  # the typesetter is there
    book.page.evaluate(WATCH)
    book.run(1)
    book.wait(f"() => {CELL}.querySelector('.nbgemini-answer:not(.nbgemini-live)')")
    found = book.page.evaluate("() => { found.over = true; return found; }")
    at_rest = book.page.evaluate(
        f"() => {{ const answer = {CELL}.querySelector('.nbgemini-answer');"
        "return [answer.innerText, answer.offsetHeight, answer.getBoundingClientRect().top]; }"
    )
    seen = found["seen"]
    assert len({moment[0] for moment in seen}) >= 10
    for shown, *_ in seen:
        assert not RAW.search(shown.replace("x * ", "")), shown[-200:]
    lengths = [moment[1] for moment in seen]
    steps = [later - now for now, later in pairwise(lengths)]
    print(
        f"{shape}: {len(seen)} frames, layout shift {found['shift']:.4f}, height {seen[-1][2]} -> {at_rest[1]}, "
        f"largest step {max(steps)} characters, {sum(step < 0 for step in steps)} backwards"
    )
    assert found["shift"] <= 0.01  # a paragraph that makes room for one formula: 0.004
    if seen[-1][0].strip() == at_rest[0].strip():  # the last frame before its rest may have come before the last words
        assert abs(seen[-1][2] - at_rest[1]) <= 2
        assert abs(seen[-1][3] - at_rest[2]) <= 2
    assert {moment[5] for moment in seen} <= {0, 1}
    assert book.page.evaluate("() => document.querySelectorAll('.nbg-caret').length") == 0
    assert book.errors == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_picture(notebook, theme):
    """Kept to be looked at: an answer at three moments."""
    book = notebook(["%load_ext nbgemini\n%gemini demo", ask(SHAPES["mixed"], gap=0.06)])
    book.dark(theme == "dark")
    book.run(0)
    book.wait_text(0, "offline service")
    book.run(1)
    for number, share in enumerate((0.25, 0.6, 0.9)):
        book.wait(
            f"size => {CELL}.querySelector('.nbg-text, .nbgemini-answer')?.textContent.length > size",
            int(len(SHAPES["mixed"]) * share * 0.8),
        )
        book.page.evaluate(f"() => {CELL}.querySelector('.nbg-status')?.scrollIntoView({{block: 'end'}})")
        book.screenshot(f"mid-stream-{theme}-{number}")
