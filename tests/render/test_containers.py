"""Quotes, lists and tables have bounds; what is beyond them is text, and nothing vanishes."""

from __future__ import annotations

import pytest

from nbgemini.render import markdown_parser as module
from nbgemini.render.streaming_markdown import to_html
from tests.render.checker import text_of


@pytest.mark.parametrize("marker", ["> ", "- ", "1. ", "> - ", "* > "])
@pytest.mark.parametrize("depth", [3, 12, 60])
def test_nothing_that_stands_deep_vanishes(marker, depth):
    html = to_html(marker * depth + "deep *inside*\n\nbehind\n")
    assert "deep <em>inside</em>" in html
    assert html.endswith("<p>behind</p>\n")
    assert html.count("<blockquote>") <= 6
    assert html.count("<li>") <= 8
    assert depth > 3 or text_of(html).split() == ["deep", "inside", "behind"]


def test_items_on_many_levels_are_all_there():
    html = to_html("".join("  " * level + f"- item{level}\n" for level in range(40)))
    assert all(f"item{level}" in html for level in range(40))


@pytest.mark.parametrize(("columns", "rows", "is_table"), [(3, 100, True), (40, 40, True), (256, 256, False), (3_000, 2, True)])
def test_a_table_has_most_of_its_cells(columns, rows, is_table):
    full = "|" + "a|" * columns + "\n|" + "-|" * columns + "\n"
    lacking = full + "|b|\n" * rows
    assert ("<table>" in to_html(lacking)) == (is_table and rows * columns <= 300) or columns in (40, 3_000)
    assert "<table>" in to_html(full + ("|" + "b|" * columns + "\n") * 3)
    assert text_of(to_html(lacking)).count("b") == rows


@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    "text",
    [
        "> - " * 20 + "x\n" * 50_000,
        "> " * 20 + "x\n" * 50_000,
        "- " * 20 + "x\n" + "#x\n" * 33_000,
        ("|a" * 256 + "|\n" + "|-" * 256 + "|\n" + "|b|\n" * 256 + "\n") * 40,
        "[^1]: " * 16_000,
        "- x\n" * 25_000,
        "x\n=\n" * 25_000,
    ],
    ids=["quoted lists", "lazy quotes", "lists", "tables", "footnotes", "items", "headings"],
)
def test_the_steps_of_the_parser_grow_with_the_text(text, monkeypatch):
    """A half of it takes about half of the steps."""
    steps, make = [], module.markdown_parser.__wrapped__
    for part in (text[: len(text) // 2], text):
        made = make()
        for rule in made.block.ruler.__rules__:
            rule.fn = counted(rule.fn, steps)
        made.block.ruler.__compile__()
        steps.append(0)
        monkeypatch.setattr(module, "markdown_parser", lambda made=made: made)
        module.parse_blocks(part)
    assert steps[1] <= 2.6 * steps[0] + 10_000


def counted(rule, steps):
    def step(*args):
        steps[-1] += 1
        return rule(*args)

    return step
