"""What may be wrong with a line that is no Python: colons, brackets, quotation marks, blanks, words of other languages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from nbgemini.offline.failed_code import FailedCode

_CLOSERS = {"(": ")", "[": "]", "{": "}"}
_NEVER_CLOSED = re.compile(r"^'([(\[{])' was never closed")
_UNMATCHED = re.compile(r"(?:unmatched|closing parenthesis) '([)\]}])'")
_HEAD = re.compile(r"^\s*(?:async\s+)?(?:if|elif|else|for|while|def|class|with|try|except|finally|match|case)\b")
_SINGLE_EQUALS = re.compile(r"(?<![=!<>:+\-*/%&|^@])=(?!=)")
_FOREIGN = (
    (re.compile(r"\belse\s+if\b"), "elif", "`else if` is `elif` in Python"),
    (
        re.compile(r"^(\s*)(?:int|float|let|var|const|string)\s+(?=\w+\s*=)"),
        r"\1",
        "Python declares nothing: a name and its value are enough",
    ),
    (re.compile(r"\s*&&\s*"), " and ", "`&&` is `and` in Python"),
    (re.compile(r"\s*\|\|\s*"), " or ", "`||` is `or` in Python"),
    (re.compile(r"(\w+)\s*\+\+"), r"\1 += 1", "Python has no `++`; it says `+= 1`"),
    (re.compile(r"(\w+)\s*--(?!\s*\w)"), r"\1 -= 1", "Python has no `--`; it says `-= 1`"),
    (re.compile(r"!(?=\w)"), "not ", "`!` is `not` in Python"),
    (re.compile(r"=>"), ">=", "“at least” is written `>=`"),
    (re.compile(r"<>"), "!=", "“unequal” is written `!=`"),
    (re.compile("[\u201c\u201d\u201e]"), '"', "Python needs straight quotation marks"),
    (re.compile("[\u2018\u2019]"), "'", "Python needs straight quotation marks"),
    (re.compile(r"^(\s*)(print|exec)\s+(.+?)\s*$"), r"\1\2(\3)", "What a function gets stands in parentheses"),
)


def syntax_fixes(code: FailedCode) -> Iterator[tuple[str, str]]:
    """Yield what may be wrong, and the source without it; most of them don't parse."""
    lines = code.source.split("\n")
    number = min(code.line, len(lines)) - 1
    yield from _coroutines(code.message, lines, number)
    yield from _line_fixes(code, lines, number)
    yield from _commented_out(lines, number)


def _line_fixes(code: FailedCode, lines: list[str], number: int) -> Iterator[tuple[str, str]]:
    """Yield what may be wrong with the line."""
    line = lines[number]

    def with_line(text: str) -> str:
        return "\n".join([*lines[:number], text, *lines[number + 1 :]])

    body, mark, comment = line.partition("  #")
    if _HEAD.match(line) and not body.rstrip().endswith(":"):
        yield "The line opens a block and lacks its colon", with_line(f"{body.rstrip()}:{mark}{comment}")
    for pattern, text, why in _FOREIGN:
        if pattern.search(line):
            yield why, with_line(pattern.sub(text, line))
    if _HEAD.match(line):
        for gap in re.finditer(r"\s+(?!\{)", body.strip()):
            at = len(body) - len(body.lstrip()) + gap.start()
            yield "The line opens a block and lacks its colon", with_line(f"{line[:at]}:{line[at:]}")
    yield from _quotes(line, with_line)
    yield from ((why, with_line(text)) for why, text in _brackets(code.message, line))
    if found := _NEVER_CLOSED.search(code.message):
        yield f"`{found[1]}` is never closed", f"{code.source.rstrip()}{_CLOSERS[found[1]]}"
    if _HEAD.match(line):
        yield "`=` assigns, `==` compares", with_line(_SINGLE_EQUALS.sub("==", line, count=1))
    yield from _indents(lines, number)
    yield from ((why, with_line(text)) for why, text in _commas(line))


def _commas(line: str) -> Iterator[tuple[str, str]]:
    for gap in re.finditer(r"(?<=[\w\"')\]}])\s+(?=[\w\"'(\[{])", line):
        if "=" not in line[gap.end() :] or _open_brackets(line[: gap.start()]):
            yield "A comma is missing", f"{line[: gap.start()]},{line[gap.start() :]}"


def _coroutines(message: str, lines: list[str], number: int) -> Iterator[tuple[str, str]]:
    """Yield the source with the function around an `await` as a coroutine."""
    outer = (n for n in range(number, -1, -1) if len(_indent(lines[n])) < len(_indent(lines[number])))
    head = next((n for n in outer if re.match(r"\s*def\b", lines[n])), -1)
    if "outside async function" in message and head >= 0:
        why = "Only a coroutine can wait with `await`: its head says `async def`"
        yield why, "\n".join([*lines[:head], lines[head].replace("def ", "async def ", 1), *lines[head + 1 :]])


def _commented_out(lines: list[str], number: int) -> Iterator[tuple[str, str]]:
    """Yield the source with the line as a comment, then with the block that it opens."""
    indent = _indent(lines[number])
    deeper = (n for n in range(number + 1, len(lines)) if lines[n].strip() and len(_indent(lines[n])) <= len(indent))
    for end in (number + 1, next(deeper, len(lines))):
        block = [f"{indent}# {other[len(indent) :]}" for other in lines[number:end]]
        why = "I can't tell what this was meant to say, so it is a comment now"
        yield why, "\n".join([*lines[:number], *block, *lines[end:]])


def _quotes(line: str, with_line: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """Yield the line with a text closed that is not, also inside of brackets."""
    for quote in ("'", '"'):
        if line.count(quote) % 2:
            at = len(line.rstrip())
            while at and line[at - 1] in ")]}:,":
                yield "A text is never closed", with_line(line[:at] + quote + line[at:])
                at -= 1
            yield "A text is never closed", with_line(line[:at] + quote + line[at:])


def _brackets(message: str, line: str) -> Iterator[tuple[str, str]]:
    body, open_ones = line.rstrip(), _open_brackets(line)
    if open_ones:
        closers = "".join(_CLOSERS[opener] for opener in reversed(open_ones))
        why = f"`{open_ones[-1]}` is never closed"
        yield why, f"{body}{closers}"
        yield why, f"{body[:-1]}{closers}{body[-1:]}"
        yield f"{why}, and the colon is missing", f"{body}{closers}:"
    if found := _UNMATCHED.search(message):
        before, _, after = line.rpartition(found[1])
        yield f"`{found[1]}` closes nothing", before + after


def _open_brackets(line: str) -> list[str]:
    """Return the brackets that a line leaves open, innermost last."""
    open_ones: list[str] = []
    for mark in line:
        if mark in _CLOSERS:
            open_ones.append(mark)
        elif open_ones and mark == _CLOSERS[open_ones[-1]]:
            open_ones.pop()
    return open_ones


def _indents(lines: list[str], number: int) -> Iterator[tuple[str, str]]:
    """Yield the source with the line, or the block that begins there, further in or out."""
    line = lines[number]
    before = next((other for other in reversed(lines[:number]) if other.strip()), "")
    indent, wanted = _indent(line), _indent(before) + ("    " if before.rstrip().endswith(":") else "")
    end = next((n for n in range(number + 1, len(lines)) if lines[n].strip() and _indent(lines[n]) != indent), len(lines))
    for last in (end, number + 1):
        moved = [f"{wanted}{other.lstrip()}" if other.strip() else other for other in lines[number:last]]
        yield "The line is indented by the wrong number of blanks", "\n".join([*lines[:number], *moved, *lines[last:]])
    if line.rstrip().endswith(":"):
        yield "The block has nothing in it", "\n".join([*lines[: number + 1], f"{indent}    pass", *lines[number + 1 :]])
    if before.rstrip().endswith(":"):
        yield "The block has nothing in it", "\n".join([*lines[:number], f"{wanted}pass", *lines[number:]])


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
