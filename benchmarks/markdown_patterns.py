"""Markdown that a hostile model may write, each pattern repeated up to a length: what a parser may choke on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count


def repeated(piece: str, before: str = "", after: str = "") -> Callable[[int], str]:
    """Return what makes a text of one piece, over and over; `{}` in it is a number that grows."""

    def text(length: int) -> str:
        numbers = count()
        found, total = [before], len(before) + len(after)
        while total < length:
            found.append(piece.replace("{}", str(next(numbers))))
            total += len(found[-1])
        return "".join([*found, after])

    return text


def halves(opening: str, closing: str) -> Callable[[int], str]:
    """Return what makes a text of openings and as many closings."""

    def text(length: int) -> str:
        depth = length // (len(opening) + len(closing))
        return opening * depth + "x" + closing * depth

    return text


def nested(marker: str) -> Callable[[int], str]:
    """Return what makes lists in each other, as deep as fits, over and over."""

    def text(length: int) -> str:
        once = "".join(f"{'  ' * level}{marker} x\n" for level in range(60))
        return (once * (length // len(once) + 1))[:length]

    return text


def wide_table(columns: int, cells: int) -> Callable[[int], str]:
    """Return what makes a table of so many columns, whose rows have so many cells."""
    return repeated("|b" * cells + "|\n", "|a" * columns + "|\n" + "|-" * columns + "|\n")


def staircase(length: int) -> str:
    """Return runs of backticks, each one longer than the last."""
    return " ".join("`" * size for size in range(1, int((2 * length) ** 0.5)))


PATTERNS: dict[str, Callable[[int], str]] = {
    "prose": repeated("Some words that say nothing, but go on for a while. "),
    "paragraphs": repeated("a\n\n"),
    "one line": repeated("x"),
    "blank lines": repeated("\n"),
    "soft line ends": repeated("a\n"),
    "hard line ends": repeated("a  \n"),
    "**a** throughout": repeated("**a** "),
    "*a* throughout": repeated("*a* "),
    "_a_ throughout": repeated("_a_ "),
    "~~a~~ throughout": repeated("~~a~~ "),
    "***a*** throughout": repeated("***a*** "),
    "**a begun": repeated("**a "),
    "a** ended": repeated("a** "),
    "*a_": repeated("*a_"),
    "*a **b": repeated("*a **b "),
    "a*b": repeated("a*b"),
    "stars": repeated("*"),
    "stars and blanks": repeated("* "),
    "underscores": repeated("_"),
    "tildes": repeated("~"),
    "emphasis in each other": halves("*a **b ", " c** d*"),
    "emphasis beside CJK": repeated("は**「重要」**な"),
    "[": repeated("["),
    "]": repeated("]"),
    "[a": repeated("[a"),
    "![": repeated("!["),
    "[a](": repeated("[a]("),
    "[a](b": repeated("[a](b "),
    "[a](b)": repeated("[a](b) "),
    "[a](https://…)": repeated("[a](https://a.example/{}) "),
    "[a](<b": repeated("[a](<b"),
    '[a](b "': repeated('[a](b "'),
    "links in each other": halves("[", "](b)"),
    "pictures in each other": halves("![", "](b)"),
    "parentheses in an address": halves("[a](" + "(", ")"),
    "references without definition": repeated("[a{}] "),
    "references with two brackets": repeated("[a][b{}] "),
    "definitions": repeated("[a{}]: b\n"),
    "definitions after blank lines": repeated("[a{}]: b\n\n"),
    "definitions with titles begun": repeated('[a{}]: b "c\n'),
    "references defined at the end": repeated("[a] ", after="\n\n[a]: https://a.example\n"),
    "blocks whose reference is defined at the end": repeated("[a]\n\n", after="[a]: https://a.example\n"),
    "footnotes": repeated("[^{}]: a\n\n"),
    "footnote references": repeated("[^{}] "),
    "footnotes used before": repeated("a[^{}]\n\n", after="[^1]: b\n"),
    "footnotes in each other": repeated("[^a]: "),
    "<https://a.example>": repeated("<https://a.example> "),
    "bare addresses": repeated("https://a.example/{} "),
    "a bare address": repeated("(a", "https://a.example/"),
    "http:// throughout": repeated("http://"),
    "mail addresses": repeated("<a@b.example> "),
    "<": repeated("<"),
    "<a": repeated("<a "),
    "<!--": repeated("<!-- "),
    "HTML blocks": repeated("<div>\n*a*\n</div>\n\n"),
    "<sub> begun": repeated("<sub>"),
    "<sub> in each other": halves("<sub>", "</sub>"),
    "<sub> throughout": repeated("<sub>a</sub>"),
    "<br>": repeated("a<br>"),
    "entities": repeated("&amp;"),
    "entities of numbers": repeated("&#x{};"),
    "& throughout": repeated("&"),
    "&a throughout": repeated("&aaaa"),
    "backslashes": repeated("\\"),
    "escapes": repeated("\\*"),
    "backticks": repeated("`"),
    "backticks ever longer": staircase,
    "`a` throughout": repeated("`a` "),
    "`a begun": repeated("`a "),
    "``a` begun": repeated("``a` "),
    "> in one line": repeated(">"),
    "> a": repeated("> a\n"),
    ">> a": repeated(">" * 20 + " a\n"),
    "quotes and paragraphs": repeated("> a\n\n"),
    "quoted lists": repeated("x\n", "> - " * 20),
    "lists in quotes": repeated("> - a\n"),
    "quoted code": repeated("> ```\n> a\n"),
    "- a": repeated("- a\n"),
    "- a with blank lines": repeated("- a\n\n"),
    "1. a": repeated("{}. a\n"),
    "- in one line": repeated("- "),
    "lists in each other": nested("-"),
    "numbered lists in each other": nested("1."),
    "markers that change": repeated("- a\n+ a\n* a\n"),
    "task lists": repeated("- [ ] a\n- [x] b\n"),
    "a list item without end": repeated("  a\n", "- a\n"),
    "# a": repeated("# a\n"),
    "headings with a line below": repeated("a\n-\n"),
    "---": repeated("---\n"),
    "a | b": repeated("a | b\n"),
    "|": repeated("|"),
    "a table": wide_table(3, 3),
    "a table of many columns": wide_table(300, 300),
    "a table of missing cells": wide_table(300, 1),
    "a table's head alone": repeated("|a", after="\n"),
    "tables": repeated("|a|b|\n|-|-|\n|1|2|\n\n"),
    "a table with formulas": repeated("|$x_{}$|`a`|\n", "|a|b|\n|-|-|\n"),
    "$": repeated("$"),
    "$a$": repeated("$a_{}$ "),
    "$a begun": repeated("$a "),
    "prices": repeated("$5 and "),
    "$$ a $$": repeated("$$ a^2 $$\n\n"),
    "$$ begun": repeated("$$a "),
    "$$ begun in paragraphs": repeated("$$a\n\n"),
    "$$ begun in lists": repeated("- $$\n\n"),
    "a formula without end": repeated("a = b\n", "$$\n"),
    "\\(a\\)": repeated("\\(a\\) "),
    "\\( begun": repeated("\\(a="),
    "\\[ begun": repeated("\\[a\n"),
    "\\[a\\]": repeated("\\[a = b\\]\n"),
    "\\begin{align} begun": repeated("\\begin{align}\n"),
    "\\begin{align}": repeated("\\begin{align} a &= b \\end{align}\n\n"),
    "a formula of fractions": lambda length: "$" + halves("\\frac{1}{", "}")(length) + "$",
    "braces in a formula": lambda length: "$" + halves("{", "}")(length) + "$",
    "\\text{$ in a formula": repeated("\\text{$", "$x "),
    "python": repeated("x = [{}, 'a', None]  # why\n", "```python\n", "```\n"),
    "python in one line": repeated("a(", "```python\n", "\n```\n"),
    "code without language": repeated("a\n", "```\n", "```\n"),
    "code without end": repeated("a\n", "```\n"),
    "code blocks": repeated("```\na\n```\n"),
    "code blocks of python": repeated("```python\nx = {}\n```\n"),
    "fences in fences": repeated("```markdown\n```python\na\n```\n"),
    "fences begun": repeated("```a\n"),
    "tilde fences begun": repeated("~~~\n```\n"),
    "indented code": repeated("    a\n"),
    "indented far": repeated(" " * 80 + "a\n"),
    "tabs": repeated("\ta\n"),
    "blanks": repeated(" "),
    "JSON": repeated('{"a": {}, "b": "c"},\n', "```json\n[\n", "]\n```\n"),
    "HTML as code": repeated("<a href='b'>c</a>\n", "```html\n", "```\n"),
    "comments begun": repeated("/* ", "```c\n", "\n```\n"),
    "emoji": repeated("👩‍👩‍👧 "),
    "Hebrew with marks": repeated("שלום \u200f"),
    "direction marks": repeated("\u200e"),
    "overrides": repeated("\u202e"),
    "control characters": repeated("\x1b[31m"),
    "CRLF": repeated("a\r\n"),
    "CR": repeated("\r"),
    "hosts to translate": repeated("[a](https://ü{}.example) "),
    "mail addresses without end": repeated("[a](mailto:b@c.example,", after=")"),
    "a picture in the text": lambda length: f"![a](data:image/png;base64,{'A' * length})",
    "pictures that are not loaded": repeated("![a](https://a.example/{}.png) "),
}


def texts(length: int) -> Iterator[tuple[str, str]]:
    """Yield each pattern's name, and a text of it."""
    for name, make in PATTERNS.items():
        yield name, make(length)
