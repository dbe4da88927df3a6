r"""Markdown to LaTeX, for a notebook that is made into a document: nbconvert takes it for LaTeX and PDF.

A document's compiler is a sink like a page: there `\input` reads files. So every sign of the text is escaped, formulas are
written anew from known commands, and links lead to the web or nowhere.
Invariants: nothing of the model's reaches TeX as a command; what is returned opens and closes in pairs and compiles wherever
nbconvert's own documents do; it is no formula, and no more than a bounded multiple of its source.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from nbgemini._environment import HOST
from nbgemini.render.block_html import TooMuchRepeatedError, unloaded_image, unsaid_target
from nbgemini.render.block_rules import Environment, new_environment
from nbgemini.render.citations import number_references, without_references
from nbgemini.render.escape import harmless
from nbgemini.render.latex_math import UnfitError, escape_latex, rewrite_formula
from nbgemini.render.markdown_parser import parse_inline, parse_structure
from nbgemini.render.math import CLOSING
from nbgemini.render.sanitize import is_inline_image
from nbgemini.render.streaming_markdown import LARGEST, Blocks
from nbgemini.render.urls import host_of, leads_somewhere, mailboxes_of, plain_url

_DEEPEST = 4  # lists and quotes in each other
_WIDEST = 70  # characters of a row that needs no breaking
_MOST_CARRIED = 300_000  # characters of addresses that are defined once and used often
_MAIL = re.compile(r"mailto:[^\s\\{}]+\Z", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\s*\n\s*")
_LONG_LINE = re.compile(r"[^\n]{500}(?!\n|\Z)")  # TeX ends when one is longer than it can measure
_IN_CODE = str.maketrans({"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}"})
_HEADINGS = {"h1": r"\section*", "h2": r"\subsection*", "h3": r"\subsubsection*"}
_MARKS = {
    "em_open": r"\emph{",
    "strong_open": r"\textbf{",
    **dict.fromkeys(("em_close", "strong_close"), "}"),
    "small_close": "}",
    "softbreak": "\n",
    "hardbreak": "\\mbox{}\\newline\n",
}
_PROSE = {"paragraph_open", "paragraph_close", "inline", "text", "softbreak"}
_BOXES = str.maketrans({"☐": "[ ]", "☑": "[x]"})  # few fonts have them
_SMALL = {"sub": r"\textsubscript{", "sup": r"\textsuperscript{", "kbd": r"\texttt{"}
_NUMBER = r"\textsuperscript{"  # how the number of a source begins
_IN_LINE = ("$", r"\(")  # how formulas begin that stand in a line
_LARGE = r"\displaystyle "
_FIXED = {"hr": "\\par\\noindent\\rule{\\linewidth}{0.4pt}\\par\n\n", "list_item_close": "\n"}
_SIDES = {"text-align:right": "r", "text-align:center": "c"}
_SIDE_COMMANDS = {"l": r"\raggedright ", "r": r"\raggedleft ", "c": r"\centering "}


def to_latex(markdown: str, *, in_quote: bool = False) -> str:
    """Return Markdown as LaTeX; nothing where it would say no more than the text does, or take too long, or is not wanted.

    `in_quote`: it will stand in a quotation, where there are no sections.
    """
    source = harmless(markdown)
    if not HOST.latex or len(source) > LARGEST:
        return ""
    blocks, env = Blocks(), new_environment()
    blocks.append(source)
    sources = blocks.cut_all()  # the tokens of a long answer are many: one block after the other
    document = _Document(env, in_quote=in_quote)
    try:
        if "]:" in source:  # what is defined farther down
            for block in sources:
                parse_structure(block, env)
        for block in sources:
            document.write(block)
        latex = without_references(document.latex(), source)
    except (RecursionError, TooMuchRepeatedError):
        return ""
    return latex if not document.is_prose or _NUMBER in latex else ""


def verbatim(text: str) -> str:
    """Return text as it is, in a box."""
    shown = _LONG_LINE.sub("\\g<0>\n", harmless(text).strip("\n"))
    return (
        f"\\begin{{Verbatim}}[commandchars=\\\\\\{{\\}}]\n{shown.translate(_IN_CODE)}\n\\end{{Verbatim}}\n\n" if shown else ""
    )


def titled_quotation(title: str, latex: str) -> str:
    """Return LaTeX as a quotation below a title, which is plain text."""
    return f"\\textit{{{escape_latex(title)}}}\n\\begin{{quote}}\n{latex}\\end{{quote}}\n" if latex else ""


class _Document:
    """What is written while the tokens go by."""

    def __init__(self, env: Environment, *, in_quote: bool) -> None:
        self._env = env
        self._carried = 0  # characters of addresses
        self._kinds: set[str] = set()  # of tokens
        self._pieces: list[str] = []
        self._closing = ["quoted"] if in_quote else []  # how lists and quotes that are open end
        self._labels: list[str] = []  # what marks the next item in each of them
        self._rows: list[list[tuple[str, str]]] = []  # the table: cells with their sides
        self._plain = 0  # whether the text stands where no display may: in a heading or a cell

    @property
    def is_prose(self) -> bool:
        """Whether there was nothing but words in paragraphs: they need not travel twice."""
        return self._kinds <= _PROSE

    def write(self, block: str) -> None:
        """Write a block of Markdown."""
        for token in parse_structure(block, self._env):
            self._kinds.add(token.type)
            if write := getattr(self, f"_{token.type}", None):
                write(token)
            else:
                self._pieces.append(_FIXED.get(token.type, ""))

    def latex(self) -> str:
        """Return what was written."""
        return "".join(self._pieces)

    def _inline(self, token: Any) -> None:
        # no line of it is blank, or a paragraph would end in the middle of a group
        text = _BLANK_LINES.sub("\n", "".join(map(self._line, parse_inline(token.content, self._env))))
        if self._rows:
            cell, side = self._rows[-1][-1]
            self._rows[-1][-1] = (cell + text.replace("\n", " "), side)
        else:
            self._pieces.append(text)

    def _paragraph_close(self, token: Any) -> None:
        self._pieces.append("\n" if token.hidden else "\n\n")

    def _heading_open(self, token: Any) -> None:
        command = _HEADINGS.get(token.tag, r"\paragraph*")
        self._plain += 1
        self._pieces.append(r"\textbf{" if self._closing else f"{command}{{")

    def _heading_close(self, token: Any) -> None:
        self._plain -= 1
        runs_on = token.tag not in _HEADINGS and not self._closing  # its text would follow in the same line
        self._pieces.append("}\\mbox{}\\par\n\n" if runs_on else "}\n\n")

    def _fence(self, token: Any) -> None:
        self._pieces.append(verbatim(token.content))

    _code_block = _fence

    def _math_block(self, token: Any) -> None:
        self._pieces.append(f"{_formula(token.content, '$$', displayed=True)}\n\n")

    def _footnote_open(self, token: Any) -> None:
        self._pieces.append(f"{_NUMBER}{escape_latex(token.meta['label'])}}} ")

    def _bullet_list_open(self, _: Any) -> None:
        self._open("itemize")

    def _ordered_list_open(self, token: Any) -> None:
        self._open("enumerate", str(token.attrGet("start") or 1))

    def _blockquote_open(self, _: Any) -> None:
        self._open("quote")

    def _open(self, environment: str, label: str = "") -> None:
        fits = sum(map(bool, self._closing)) < _DEEPEST
        self._pieces.append(f"\n\\begin{{{environment}}}\n" if fits else "\n")
        self._closing.append(f"\\end{{{environment}}}\n\n" if fits else "")
        self._labels.append(label)

    def _close(self, _: Any) -> None:
        self._labels.pop()
        self._pieces.append(self._closing.pop() or "\n")

    _bullet_list_close = _ordered_list_close = _blockquote_close = _close

    def _list_item_open(self, _: Any) -> None:
        number = self._labels[-1]
        if number:
            self._labels[-1] = str(int(number) + 1)  # counted here: TeX's own counters know no more than 26 letters
        if self._closing[-1]:
            self._pieces.append(rf"\item[{number}.]{{}}" if number else r"\item{}")
        else:
            self._pieces.append(rf"\par {number}. " if number else r"\par \textbullet{} ")

    def _table_open(self, _: Any) -> None:
        self._plain += 1

    def _tr_open(self, _: Any) -> None:
        self._rows.append([])

    def _th_open(self, token: Any) -> None:
        self._rows[-1].append(("", _SIDES.get(str(token.attrGet("style")), "l")))

    _td_open = _th_open

    def _table_close(self, _: Any) -> None:
        self._plain -= 1
        rows, self._rows = self._rows, []
        self._pieces.append(_table(rows, whole_page=not self._closing))

    def _line(self, tokens: Sequence[Any]) -> str:
        """Return inline tokens of a block."""
        pieces, links, struck = [], [], 0
        self._kinds.update(token.type for token in tokens)
        self._carried += sum(len(str(value)) for token in tokens for value in token.attrs.values())
        if self._carried > _MOST_CARRIED:
            raise TooMuchRepeatedError
        for index, token in enumerate(tokens):
            match token.type:
                case "s_open" | "s_close":
                    pieces.append("" if struck + min(0, token.nesting) else r"\sout{" if token.nesting > 0 else "}")
                    struck += token.nesting
                case _ if struck:
                    pieces.append(escape_latex(token.content) or (" " if token.type.endswith("break") else ""))
                case "link_open":
                    links.append((*_link(token), index))
                    pieces.append(_opening(links[-1][0]))
                case "link_close":
                    url, host, begin = links.pop()
                    host = unsaid_target(url, host, tokens[begin + 1 : index])
                    pieces.append(("}" if url else "") + (f" ({escape_latex(host)})" if host else ""))
                case "formula":
                    pieces.append(_formula(token.content, token.markup, displayed=token.level == 0 and not self._plain))
                case "image":
                    pieces.append(_picture(token, linked=not links))
                case _:
                    pieces.append(_span(token))
        return "".join(pieces)


def _span(token: Any) -> str:
    """Return a token that means the same wherever it stands in a line."""
    match token.type:
        case "code_inline":
            return rf"\texttt{{{escape_latex(token.content)}}}"
        case "footnote_reference":
            return f"{_NUMBER}{escape_latex(token.content)}}}"
        case "small_open":
            return _SMALL[token.tag]
    return _MARKS.get(token.type) or number_references(escape_latex(token.content.translate(_BOXES)), _NUMBER, "}")


def _formula(latex: str, opening: str, *, displayed: bool) -> str:
    r"""Return a formula; one of `$$` or `\[` on lines of its own where that may be."""
    in_line = opening in _IN_LINE
    try:
        rewritten = rewrite_formula(latex)
    except UnfitError:
        return rf"\texttt{{{escape_latex(opening + latex + CLOSING.get(opening, opening))}}}"
    if displayed and not in_line:
        return f"\n\\[{rewritten}\\]\n"
    return f"{{${'' if in_line else _LARGE}{rewritten}$}}"


def _link(token: Any) -> tuple[str, str]:
    """Return where a link leads, if it leads anywhere, and the host to be shown beside it."""
    url = str(token.attrGet("href") or "")
    if _MAIL.match(url):
        return (url if leads_somewhere(url) else ""), mailboxes_of(url)
    return (plain_url(url) if leads_somewhere(url) else ""), host_of(url)


def _opening(url: str) -> str:
    """Return how a link begins; nothing if it leads nowhere."""
    url = quote(url, safe=":/?#[]@!&'()*+,;=%").replace("~", "%7E")
    return "\\href{" + re.sub(r"[%#&_]", r"\\\g<0>", url) + "}{" if url else ""


def _picture(token: Any, *, linked: bool) -> str:
    """Return what a picture shows, in words."""
    source, alt = str(token.attrGet("src") or ""), token.content
    if is_inline_image(source):
        return escape_latex(f"[picture: {alt}]" if alt else "[picture]")
    words, leads = unloaded_image(source, alt)
    return f"{_opening(plain_url(source))}{escape_latex(words)}}}" if linked and leads else escape_latex(words)


def _table(rows: list[list[tuple[str, str]]], *, whole_page: bool) -> str:
    """Return a table; one of a page's width may go on on the next page."""
    columns = list(zip(*rows, strict=True))
    widths = [max(len(cell) for cell, _ in column) for column in columns]
    sides = [column[0][1] for column in columns]
    wide = sum(widths) > _WIDEST
    if wide:
        shares = [min(width, _WIDEST) ** 0.5 for width in widths]
        room = 0.98 - 0.03 * len(shares)
        kinds = "".join(f"p{{{max(0.02, room * share / sum(shares)):.3f}\\linewidth}}" for share in shares)
    else:
        kinds = "".join(sides)
    lines = [_row(row, sides, wide=wide) for row in rows]
    head = f"\\hline\n{lines[0]}\\hline\n" + ("\\endhead\n" if whole_page else "")
    body = f"{head}{''.join(lines[1:])}\\hline\n"
    name = "longtable" if whole_page else "tabular"
    return f"\n\\begin{{{name}}}{{{kinds}}}\n{body}\\end{{{name}}}\n\n"


def _row(row: list[tuple[str, str]], sides: list[str], *, wide: bool) -> str:
    cells = (f"{_SIDE_COMMANDS[side] if wide else ''}{cell}" for (cell, _), side in zip(row, sides, strict=True))
    return f"{{}}{' & '.join(cells)} \\tabularnewline\n"  # the braces: a bracket behind a row's end would be its size
