"""Markdown that is still being written, rendered as what it will be.

The open syntax at the end of the text is closed before the one renderer and the one sanitiser see it: `**bol` is rendered as
`**bol**`, half a link as its text, the head of a table as a table; a line of which is not known yet what it begins waits. So
that a long block costs no more than its length, what is finished in it (items, rows, lines of code) is rendered once: only
what follows is rendered again, below a few lines that stand for the lists and quotes around it.
What is shown here may be wrong, as when a star turns out to be no emphasis: once its block is finished, its HTML is the truth.
Invariant: each rendering leaves the same sanitiser as a finished block.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from time import thread_time
from typing import Any

from msgspec import Struct, structs

from nbgemini.render.block_html import render
from nbgemini.render.block_rules import Environment, environment_inside
from nbgemini.render.display_math import GROWING
from nbgemini.render.html_tree import Element, Level, Node, Patch, parse_html
from nbgemini.render.markdown_parser import OPEN_END, count_lines, open_delimiters, parse_all

_LARGEST = 2_000  # characters that are rendered again at each update,
_GROWTH = 1.1  # or more, once they have grown by this, or when the text pauses;
_LONG, _GROWTH_OF_LONG = 4_000, 1.5  # and by this, where they are so many,
_SLOW, _GROWTH_OF_SLOW = 0.05, 2.0  # or by this, where the last time took so many seconds of the thread
_MOST_RENDERED = 20  # times all that came that is rendered in pauses
_AGAIN = 3  # times its length that a text is rendered at most because something changed before its end
_MOVED = 200  # characters that are finished at least before they are left behind
_MOST_COLUMNS = 200  # of a table whose head is completed
_MARKER = r"(?:>|(?:[-*+]|\d{1,9}[.)])(?=[ \t]|$))"
_UNDECIDED = re.compile(  # a line that may become anything
    rf"[ \t]*(?:{_MARKER}[ \t]*)*(?:[-*+_#=~`|:> \t]*|\d{{1,9}}[.)]?|!?\[[ xX^]?\]?|(?:`{{3,}}|~{{3,}})[^`\n]*)\Z"
)
_PART_OF_UNDERLINE = re.compile(r" {0,3}(?:={2,}|-{3,})")
_PART_OF_DEFINITION = re.compile(
    r" {0,3}\[(?!\^)[^\[\]\n]{1,200}\]:[ \t]*(?:\S+(?:[ \t]+(?:\"[^\"\n]*\"?|'[^'\n]*'?|\([^()\n]*\)?))?)?\s*\Z"
)
_PART_OF_FENCE = re.compile(r"[ \t>]*[`~]{1,2}\Z")
_ROW = re.compile(rf"(?P<lead>(?:[ ]*{_MARKER})*[ ]*)\|(?P<cells>[^\n]*)")
_CELLS = {f"{name}_{end}" for name in ("thead", "tbody", "th", "td") for end in ("open", "close")}
_LISTS = ("bullet_list_open", "ordered_list_open")
_AROUND = {*_LISTS, "list_item_open", "blockquote_open", "table_open", "tbody_open"}
_SHORTEST_RUN = 12  # characters of plain text at the end of a paragraph, before which it may be cut
_PLAIN = re.compile(rf"(?:[^*_~`$\[\]()<>&!\\|#:\n]|(?<! )\n(?=[^\W\d_])){{{_SHORTEST_RUN},}}\Z")


class _Cut(Struct, frozen=True):
    """Where rendering begins: what stands for that which is left behind, and how its rendering is put in its place."""

    place: int = 0
    before: str = ""
    levels: tuple[Level, ...] = (Level(),)
    loose: tuple[bool, ...] = ()  # of each list around it
    outside: _Cut | None = None  # for a cut within code: the one before the code


class OpenMarkdown:
    """The end of a Markdown text that grows."""

    def __init__(self) -> None:
        self.rendered = 0  # characters, over all
        self._total = 0  # characters that came
        self.restart()

    def restart(self) -> None:
        """Note that blocks were finished: the text begins behind them now."""
        self._cut, self._end = _Cut(), _End()
        self._again = 0  # characters that were rendered again because something changed before the end
        self._length = 0  # of the last rendering
        self._seconds = 0.0  # that it took
        self._seen = 0  # characters of the text when this was asked last
        self.blocks = 0  # that it is, as far as is known; 0 if nothing is

    def patch(self, text: str, env: Environment) -> Patch | None:
        """Return what is new of the text behind the finished blocks; None where it has to grow before that is rendered."""
        length = len(self._cut.before) + len(text) - self._cut.place
        self._total += max(0, len(text) - self._seen)
        is_pause, self._seen = len(text) == self._seen, len(text)
        is_affordable = length <= _LARGEST or (is_pause and self.rendered < _MOST_RENDERED * self._total)
        growth = _GROWTH_OF_SLOW if self._seconds > _SLOW else _GROWTH if self._length < _LONG else _GROWTH_OF_LONG
        if not is_affordable and length < self._length * growth:
            self.blocks = 0
            return None
        self._length = length
        nodes = self._nodes(text, env)
        if self._cut.outside is not None and not self._end.is_open_code:
            self._cut = self._cut.outside  # it is coloured now
            nodes = self._nodes(text, env)
        if self._end.loose != self._cut.loose and self._again < _AGAIN * len(text):
            self._again += len(text)
            self._cut = _Cut()  # the finished items get paragraphs
            nodes = self._nodes(text, env)
        patch = Patch(nodes, self._cut.levels)
        outermost = self._cut.levels[0]
        self.blocks = outermost.kept + len(nodes) - outermost.skipped
        self._cut = self._end.cut(text, nodes) or self._cut
        return patch

    def _nodes(self, text: str, env: Environment) -> list[Node]:
        began = thread_time()
        source = _decided(self._cut.before + text[self._cut.place :], in_code=self._end.is_open_code)
        self.rendered += len(source)
        self._end = _End(source, self._cut)
        nodes = parse_html(render(source, _open_environment(source, env, self._end)))
        self._seconds = thread_time() - began
        return nodes


def parse_open(source: str, env: Environment, *, in_code: bool) -> Sequence[Any]:
    """Return the tokens of harmless Markdown that is still being written, with its open syntax closed; `env` stays as it is."""
    source = _decided(source, in_code=in_code)
    return parse_all(source, _open_environment(source, env, _End()))


def _open_environment(source: str, env: Environment, end: _End) -> Environment:
    return {**environment_inside(env), OPEN_END: end.close, GROWING: count_lines(source)}


class _End:
    """What is open at the end of a text."""

    def __init__(self, source: str = "", cut: _Cut | None = None) -> None:
        self._old = cut or _Cut()  # where the source begins
        self.loose = self._old.loose
        self.is_open_code = False
        self._lines = source.split("\n")
        self._kept: list[int] = []  # how many nodes stand before each element of what is open
        self._chain: list[Any] = []  # the tokens of what is open, from the outermost on
        self._lists: dict[int, bool] = {}  # whether each of them has paragraphs
        self._is_whole = False  # whether its inline text had nothing open

    def close(self, tokens: list[Any], env: Environment) -> None:
        """Close what is open in these block tokens."""
        end = len(tokens)
        while end and tokens[end - 1].nesting < 0:
            end -= 1
        for token in tokens[:end]:
            if token.nesting > 0:
                self._chain.append(token)
            elif token.nesting < 0:
                self._chain.pop()
        self._loosen(tokens)
        for token in reversed(tokens[:end]):
            if token.type == "fence" and token is tokens[end - 1]:
                self._chain.append(token)
                lines = token.content.count("\n") + (not token.content.endswith("\n") and token.content != "")
                self.is_open_code = token.meta["is_open"] = token.map[1] - token.map[0] - 1 == lines  # no line closes it
            elif token.type == "inline" and token.content:
                before, token.content = token.content, close_inline(token.content, env)
                self._is_whole = before.rstrip() == token.content
                break
            elif token.type != "inline" and token.type not in _CELLS:
                break

    def _loosen(self, tokens: Sequence[Any]) -> None:
        """Give all items of a list paragraphs once some have them; a list that is left behind remembers."""
        number, open_lists, found = 0, [], list(self.loose)
        for token in tokens:
            if token.type in _LISTS:
                open_lists.append((token, number))
                self._lists[id(token)] = number < len(self.loose) and self.loose[number]
                number += 1
            elif token.type in ("bullet_list_close", "ordered_list_close"):
                open_lists.pop()
            elif open_lists and token.type in ("paragraph_open", "paragraph_close"):
                opening, at = open_lists[-1]
                if token.level == opening.level + 2:
                    if self._lists[id(opening)]:
                        token.hidden = False
                    elif not token.hidden:
                        self._lists[id(opening)] = True
                        if at < len(found):
                            found[at] = True
        self.loose = tuple(found)

    def cut(self, text: str, nodes: Sequence[Node]) -> _Cut | None:
        """Return a better place to begin rendering next time, where enough is finished; `nodes` is what was rendered."""
        self._count(nodes)
        if found := self._cut_in_paragraph(text, nodes):
            return found
        best = None
        for depth, token in enumerate(self._chain[: len(self._kept)]):
            if token.type in _CELLS:
                continue
            begins = token.map[0]
            if begins > (self._chain[depth - 1].map[0] if depth else 0):
                raw = self._chain[depth - 2].map[0] if token.type == "tr_open" else None
                best = self._cut_at(begins, depth, raw) or best
        if self.is_open_code and len(self._kept) == len(self._chain):
            return self._cut_in_code(best or self._old, nodes) or best
        return best

    def _count(self, nodes: Sequence[Node]) -> None:
        """Count the nodes that stand before each element of what is open, on the page."""
        is_old = True
        for depth, token in enumerate(self._chain):
            last = nodes[-1] if nodes else ""
            if token.hidden or isinstance(last, str):
                break
            level = self._old.levels[depth] if is_old and depth < len(self._old.levels) else Level()
            self._kept.append(level.kept + len(nodes) - 1 - level.skipped)
            is_old = is_old and len(nodes) - 1 == level.skipped and level.text < 0
            nodes = last.children

    def _cut_at(self, line: int, depth: int, raw: int | None = None, last: tuple[Level, ...] = ()) -> _Cut | None:
        """Return a cut before this line, inside so much of what is open, and in the code or table that begins at line `raw`."""
        place = sum(len(one) + 1 for one in self._lines[:line]) - len(self._old.before)
        around = self._chain[:depth]
        if place < _MOVED or any(token.type not in _AROUND for token in around):
            return None
        before, headed = self._standing_for(around, raw)
        if before is None:
            return None
        levels = [
            Level(
                self._kept[at], int(at > 0 and (self._chain[at - 1].type == "table_open" or id(self._chain[at - 1]) in headed))
            )
            for at in range(depth + 1)
        ]
        loose = tuple(self._lists[id(token)] for token in around if token.type in _LISTS)
        return _Cut(self._old.place + place, before, (*levels, *last), loose)

    def _standing_for(self, around: Sequence[Any], raw: int | None) -> tuple[str | None, set[int]]:
        """Return lines that open these lists and quotes again, and in which of them a heading stands for what was before."""
        containers = [token for token in around if token.type in ("list_item_open", "blockquote_open")]
        lines, headed = [], set()
        for at, token in enumerate(containers):
            line = token.map[0]
            following = containers[at + 1].map[0] if at + 1 < len(containers) else raw
            if following == line:
                continue
            markers = sum(one.map[0] == line or one.type == "blockquote_open" for one in containers[: at + 1])
            opening = re.match(rf"(?:[ ]*{_MARKER}){{{markers}}}(?:[ ]{{1,4}}(?![ ])|[ ]|$)", self._lines[line])
            if opening is None:
                return None, set()
            lines.append(f"{opening[0].rstrip()} # x" if opening[0][-1] != " " else f"{opening[0]}# x")
            headed.add(id(token))
        if raw is not None:
            lines += self._lines[raw : raw + (2 if around and around[-1].type == "tbody_open" else 1)]
        return "".join(f"{line}\n" for line in lines), headed

    def _cut_in_code(self, outside: _Cut, nodes: Sequence[Node]) -> _Cut | None:
        """Return a cut before the last line of code."""
        while nodes and isinstance(last := nodes[-1], Element):
            nodes = last.children
        shown = str(nodes[-1]) if nodes else ""
        end = shown.rfind("\n") + 1 + (self._old.levels[-1].text if self._old.outside is not None else 0)
        inside = (Level(), Level(), Level(0, 0, end))
        found = self._cut_at(len(self._lines) - 1, len(self._chain) - 1, self._chain[-1].map[0], inside)
        return structs.replace(found, outside=self._old.outside or outside) if found and shown else None

    def _cut_in_paragraph(self, text: str, nodes: Sequence[Node]) -> _Cut | None:
        """Return a cut in a long paragraph, where nothing is open."""
        text = text.rstrip()
        run = (
            _PLAIN.search(text, max(0, len(text) - _MOVED))
            if self._is_whole and len(self._chain) == len(self._kept) == 1
            else None
        )
        if run is None or self._chain[0].type != "paragraph_open" or len(text) - self._old.place < 2 * _MOVED:
            return None
        begin = text.rfind(" ", run.start(), 1 - _SHORTEST_RUN)
        begin = len(text) - _SHORTEST_RUN if begin < 0 else begin
        inside = nodes[-1].children if isinstance(nodes[-1], Element) else []
        last = inside[-1] if inside else None
        if not isinstance(last, str) or not last.endswith(text[begin:]):
            return None
        level = self._old.levels[1] if self._old.before == "x" and len(nodes) == 1 else Level()
        shown = len(last) - len(text[begin:]) + (level.text - level.skipped_text if len(inside) == 1 and level.text >= 0 else 0)
        levels = (Level(self._kept[0]), Level(level.kept + len(inside) - 1, 0, shown, 1))
        return _Cut(begin, "x", levels)


def _decided(source: str, *, in_code: bool) -> str:
    """Return the source without a last line that may become anything, and with the head of a table completed."""
    begin = source.rfind("\n") + 1
    line = source[begin:]
    if in_code:
        return source[:begin] if _PART_OF_FENCE.match(line) else source
    before = source[source.rfind("\n", 0, begin - 1) + 1 : begin] if begin else ""
    is_definition = _PART_OF_DEFINITION.match(line) and (before.isspace() or not before or _PART_OF_DEFINITION.match(before))
    is_underline = _PART_OF_UNDERLINE.fullmatch(line) and before.strip() and "|" not in before
    if is_definition or (_UNDECIDED.match(line) and not is_underline):
        source = source[:begin]
    return source + _rest_of_table_head(source)


def _rest_of_table_head(source: str) -> str:
    """Return the line that makes a table of the row which a text ends with, if that may be the first one."""
    *others, line = source.removesuffix("\n").rsplit("\n", 2)
    row = _ROW.fullmatch(line)
    if row is None or (others and _ROW.fullmatch(others[-1])) or source.endswith("\n\n"):
        return ""
    cells = row["cells"].rstrip()
    columns = len(re.findall(r"(?<!\\)\|", cells.removesuffix("|"))) + 1
    lead = re.sub(r"[^> ]", " ", row["lead"])
    begin = "" if source.endswith("\n") else "\n"
    return f"{begin}{lead}|{'---|' * columns}\n" if cells and columns <= _MOST_COLUMNS else ""


_MARK = re.compile(r"(?P<formula>\\[(\[]|\$\$)|\\.|(?P<code>`+)|(?P<open>!?\[)|(?P<close>\])", re.DOTALL)
_CLOSINGS = {"\\(": "\\)", "\\[": "\\]", "$$": "$$"}
_DOLLAR = re.compile(r"\\.|\$", re.DOTALL)
_ADDRESS = re.compile(r"\((?:[^()\\\s]|\\.|\([^()\s]*\))*(?:\s+(?:\"[^\"]*\"|'[^']*'))?\s*\)")
_PART_OF_ADDRESS = re.compile(r"\(<?[^\s()]*(?:\([^\s()]*)?(?:\s+[\"'][^\"']*[\"']?)?\Z")
_PART_OF_SIGN = re.compile(r"(?:</?(?:s|su|sub|sup|k|kb|kbd|b|br)?|&#?[A-Za-z0-9]{0,9})\Z", re.IGNORECASE | re.ASCII)
_LONGEST_SIGN = 11  # characters of such a part of a tag or an entity
_AUTOLINK = re.compile(r"<(?P<address>https?://[^\s<>]*)\Z|<h(?:t(?:t(?:ps?(?::/?)?)?)?)?\Z")
_PUNCTUATION = re.compile(r"[!-(*-/:-@\[\\^-`{-~]")  # but what would close a formula behind a backslash
_BEFORE_LIST = re.compile(r"(?:[A-Za-z0-9_.)]|=[ ]?|\w\(['\"]?)\Z", re.ASCII)  # x[0], x = [, f([
_IN_LIST = re.compile(r"\[?\s*(?:'|[-+]?\d+(?:\.\d+)?\s*[,;:])")
_FAR = 300  # characters: what opened farther away is taken as it stands


def close_inline(text: str, env: MutableMapping[str, Any]) -> str:
    """Return inline Markdown that is still being written with what is open at its end closed, or left out if it is empty."""
    text, formula = _with_code_and_links_closed(text.rstrip())
    text = text if formula else _without_begun_signs(text)
    text += _PUNCTUATION.sub(r"\\\g<0>", formula)
    return text + "".join(reversed(open_delimiters(text, env)))


def _without_begun_signs(text: str) -> str:
    """Return text without the signs of emphasis, and the parts of tags, entities and links, that it ends with."""
    end, before = len(text), -1
    while end != before:
        before = end
        while end and (text[end - 1] in "*_~\\" or (end < len(text) and text[end - 1].isspace())):
            end -= 1
        sign = _PART_OF_SIGN.search(text, max(0, end - _LONGEST_SIGN), end)
        end = sign.start() if sign else end
    link = _AUTOLINK.search(text, max(0, end - _FAR), end)
    return (text[: link.start()] + (link["address"] or "")).rstrip() if link else text[:end]


def _begin_of_open_dollars(text: str) -> int:
    """Return where a formula between dollars begins whose end is still to come; the length of the text if none does."""
    line = max(text.rfind("\n"), text.rfind("`")) + 1
    begin = next((found.start() for found in reversed([*_DOLLAR.finditer(text, line)]) if found[0] == "$"), len(text))
    before, after = text[max(0, begin - 1) : begin], text[begin + 1 : begin + 2]
    begins = not (before.isalnum() or before in ("_", "$")) and after and not (after.isspace() or after.isdigit())
    return begin if begins and any(sign in text[begin:] for sign in "\\^_=") else len(text)


def _with_code_and_links_closed(text: str) -> tuple[str, str]:
    """Return text with its open code and links closed, and a formula without end that follows it."""
    brackets: list[re.Match[str]] = []
    at, end = 0, _begin_of_open_dollars(text)
    while found := _MARK.search(text, at, end):
        at = found.end()
        if found["code"]:
            closing = re.compile(rf"(?<!`){found['code']}(?!`)").search(text, at)
            if closing is None and len(text) - at <= _FAR:
                text = _with_code_closed(text, found)
                end = len(text)
                break
            at, end = (closing.end(), end) if closing else (at, len(text))
        elif found["formula"]:
            closed = text.find(_CLOSINGS[found["formula"]], at)
            if closed < 0:
                end = found.start()
                break
            at = closed + 2
        elif found["open"]:
            brackets.append(found)
        elif found["close"] and brackets:
            opening = brackets.pop()
            if address := _ADDRESS.match(text, at, end):
                at = address.end()
            elif _PART_OF_ADDRESS.match(text, at, end) or (
                at == end
                and _may_be_link(text, opening, end)
                and not text.endswith("]", 0, opening.start())
                and not text.startswith("^", opening.end())
            ):
                return _without_bracket(text[: found.start()], opening), text[end:]
    return _with_link_closed(text[:end], brackets), text[end:]


def _with_link_closed(text: str, brackets: list[re.Match[str]]) -> str:
    end = len(text)
    while brackets and _may_be_link(text, brackets[-1], end):
        text = _without_bracket(text, opening := brackets.pop())
        if opening["open"] == "[":  # and no picture in a link
            break
    return text


def _may_be_link(text: str, opening: re.Match[str], end: int) -> bool:
    """Tell the beginning of a link, near the end of a text, from an index and from a list of values."""
    before, inside = text[max(0, opening.start() - 3) : opening.start()], text[opening.end() : opening.end() + _LONGEST_SIGN]
    may_be_list = opening["open"] == "[" and not inside.startswith("^")
    is_list = may_be_list and (_BEFORE_LIST.search(before) or _IN_LIST.match(inside))
    return not is_list and end - opening.end() <= _FAR


def _with_code_closed(text: str, opening: re.Match[str]) -> str:
    code = text[opening.end() :]
    if len(opening["code"]) > 1:
        code = code.rstrip("`")
    return f"{text[: opening.end()]}{code}{opening['code']}" if code.strip() else text[: opening.start()].rstrip()


def _without_bracket(text: str, opening: re.Match[str]) -> str:
    """Return the text of a link that is not whole as text; what came of a picture, a label or a footnote is left out."""
    before, inside = text[: opening.start()], text[opening.end() :]
    is_left_out = opening["open"] == "![" or inside.startswith("^") or before.endswith("]") or inside.isdecimal()
    return (before if is_left_out else before + inside).rstrip()
