"""The Markdown parser: CommonMark, tables, strikethrough, and what models write beyond that.

Invariants: no raw HTML; the work is linear in the text; nothing of it vanishes.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from functools import cache
from typing import Any

from nbgemini._environment import hush
from nbgemini.render.math import bracketed, dollars
from nbgemini.render.syntax.blocks import fence, full_table, shallow_list, shallow_quote
from nbgemini.render.syntax.definitions import footnote, footnote_reference
from nbgemini.render.syntax.inline import bare_address, check_boxes, forgiving, pair_small_tags, small_tag
from nbgemini.render.syntax.math import GROWING, UNDECIDED, display_math, environment, text

hush("markdown_it")  # a line for each rule that it tries at each line

OPEN_END = "nbgemini open end"  # where a parse of text that still grows finds what closes its open syntax
_DEEPEST = 20  # elements in each other


def parse_blocks(source: str, *, growing: bool = False) -> tuple[Sequence[Any], int]:
    """Return the block tokens of harmless Markdown, its inline text unparsed, and the first line that is not decided yet.

    Args:
        source: the text.
        growing: whether more of it may follow.
    """
    parser = markdown_parser()
    tokens: list[Any] = []
    lines = source.count("\n") + (not source.endswith("\n"))
    env: dict[str, Any] = {GROWING: lines} if growing else {}
    parser.block.parse(source, parser, env, tokens)
    return tokens, env.get(UNDECIDED, lines)


def parse_all(source: str, env: MutableMapping[str, Any]) -> Sequence[Any]:
    """Return all tokens of harmless Markdown; `env` carries definitions from block to block."""
    tokens: Sequence[Any] = markdown_parser().parse(source, env)
    return tokens


@cache
def markdown_parser() -> Any:
    """Return the parser."""
    from markdown_it import MarkdownIt  # noqa: PLC0415 - at first use
    from markdown_it.rules_block import blockquote, list_block, table  # noqa: PLC0415
    from markdown_it.rules_inline import emphasis, strikethrough  # noqa: PLC0415

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": _DEEPEST}).enable(["table", "strikethrough"])
    block, ends_text = parser.block.ruler, ["paragraph", "reference", "blockquote", "list"]
    block.at("table", full_table(table), {"alt": ["paragraph", "reference"]})
    block.at("fence", fence, {"alt": ends_text})
    block.at("blockquote", shallow_quote(blockquote), {"alt": ends_text})
    block.at("list", shallow_list(list_block), {"alt": ["paragraph", "reference", "blockquote"]})
    block.disable("lheading")
    block.at("paragraph", text, {"alt": []})
    block.before("table", "math_block", display_math, {"alt": ends_text})
    block.before("reference", "footnote", footnote, {"alt": ["paragraph", "reference"]})
    inline = parser.inline.ruler
    inline.at("emphasis", forgiving(emphasis.tokenize, "*_"))
    inline.at("strikethrough", forgiving(strikethrough.tokenize, "~"))
    inline.after("text", "bare_address", bare_address)
    inline.before("escape", "dollars", dollars)
    inline.before("escape", "bracketed", bracketed)
    inline.before("escape", "environment", environment)
    inline.before("link", "footnote_reference", footnote_reference)
    inline.before("autolink", "small_tag", small_tag)
    parser.inline.ruler2.after("emphasis", "small_tags", pair_small_tags)
    parser.core.ruler.after("block", "check_boxes", check_boxes)
    parser.core.ruler.after("block", "open_end", _close_open_end)
    return parser


def _close_open_end(state: Any) -> None:
    if OPEN_END in state.env:
        state.env[OPEN_END](state.tokens, state.env)


def open_delimiters(text: str, env: MutableMapping[str, Any]) -> list[str]:
    """Return the signs of emphasis that inline text opens and never closes, from the outermost on."""
    from markdown_it.rules_inline import StateInline  # noqa: PLC0415 - at first use

    parser = markdown_parser()
    state = StateInline(text, parser, env, [])
    parser.inline.tokenize(state)
    parser.inline.ruler2.getRules("")[0](state)  # which pairs them
    signs = {42: "*", 95: "_", 126: "~~"}
    return [signs[delimiter.marker] for delimiter in state.delimiters if delimiter.open and delimiter.end < 0]
