"""What a page typesets is what the parser took for a formula, and none of it reaches out of the formula.

The typesetter is imitated here: delimiters as JupyterLab's MathJax is told, searched in every run of text between elements.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings, strategies as st

from nbgemini.messages.events import Citation, Citations, ToolCall, ToolRun
from nbgemini.messages.segments import Segment
from nbgemini.render.math import formula
from nbgemini.render.mimebundle import bundle, error_bundle, prompt_bundle, status_bundle, table_bundle
from nbgemini.render.streaming_markdown import to_html
from tests.render.checker import faults, text_of

START = re.compile(r"\$\$|\$|\\\(|\\\[|\\begin\s*\{([^}]*)\}|\\(?:[\\$]|(?:eq)?ref\s*\{[^}]*\})")
ENDS = {"$": r"\$", "$$": r"\$\$", "\\(": r"\\\)", "\\[": r"\\\]"}
SKIPPED = {"pre", "code"}


class Typesetter(HTMLParser):
    """Collects what MathJax would typeset or change."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.found = []
        self._skipping = 0
        self._run = ""

    def handle_starttag(self, tag, _attrs):
        if tag == "br":
            self._run += "\n"
        else:
            self._search()
            self._skipping += tag in SKIPPED

    def handle_endtag(self, tag):
        self._search()
        self._skipping -= tag in SKIPPED

    def handle_data(self, data):
        self._run += data

    def close(self):
        super().close()
        self._search()

    def _search(self):
        run, self._run, at = self._run, "", 0
        while not self._skipping and (start := START.search(run, at)):
            name = start.group()
            if name not in ENDS and not start[1]:
                self.found.append(name)
                at = start.end()
                continue
            end = self._end(run, start.end(), ENDS.get(name) or rf"\\end\s*\{{{re.escape(start[1])}\}}")
            if end:
                self.found.append(run[start.start() : end])
            at = end or start.end()

    @staticmethod
    def _end(run, at, closing):
        depth = 0
        for token in re.finditer(rf"(?P<end>{closing})|\\(?:[a-zA-Z]|.)|[{{}}]", run[at:]):
            if token["end"] and depth == 0:
                return at + token.end()
            depth = depth + 1 if token.group() == "{" else max(0, depth - 1) if token.group() == "}" else depth
        return None


def typeset(html):
    typesetter = Typesetter()
    typesetter.feed(html)
    typesetter.close()
    return typesetter.found


PIECES = [
    *(
        "a",
        "x_1",
        " ",
        "\n",
        "\n\n",
        "5",
        "$",
        "$$",
        "\\$",
        "\\",
        "\\\\",
        "\\(",
        "\\)",
        "\\[",
        "\\]",
        "{",
        "}",
        "*e*",
        "`c`",
        "  \n",
    ),
    *(
        "\\begin{align}",
        "\\end{align}",
        "\\ref{x}",
        "\\href{https://evil.example}{x}",
        "\\h",
        "ref",
        "$y=1$",
        "\n$$\n",
        "- ",
        "> ",
    ),
    *("[", "](https://a.example)", "![", "](https://a.example/i.png)", "&#36;", "&bsol;", "<br>"),
]
EVIL = r"\href{https://evil.example}{x}"


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
@example(r"$x{$ \(\href{https://evil.example}{x}\) $y}$")
@example(r"\\begin{align}\href{https://evil.example}{x}\end{align}")
def test_no_text_becomes_a_formula_with_a_command_that_is_refused(text):
    for found in typeset(to_html(text)):
        assert not re.search(r"\\href(?![A-Za-z])", found)
        assert not found.startswith(("\\begin", "\\ref", "\\eqref", "\\\\", "\\$"))


@pytest.mark.parametrize(
    ("source", "formulas"),
    [
        (r"$a$, $$b$$ and \(c\)", ["$a$", "$$b$$", r"\(c\)"]),
        ("$$\na\n$$", ["$$\na\n$$"]),
        (r"$\text{a \$5 note}$", [r"$\text{a \$5 note}$"]),
        (r"$x$ is 5", ["$x$"]),
        (r"$\text{if $x_{1}>0$}$ and $b$", [r"$\text{if $x_{1}>0$}$", "$b$"]),
        (r"$a$$b$ $$c$$$d$ $\$$", ["$a$", "$b$", "$$c$$", "$d$", r"$\$$"]),
        (r"2$x$ and $x$2 and $ x$ and $x $", []),
        (r"$$\$$", []),
        ("$$\na $$ b\n$$", ["$$\na $$"]),
        (r"$a$ costs $5, or \$6", ["$a$"]),
        (r"$5 and $10", []),
        ("from $5  \nto $10", []),
        (rf"$ {EVIL} $", []),
        (rf"\\({EVIL}\\) \\[{EVIL}\\]", []),
        (rf"\begin{{align}}{EVIL}\end{{align}}", []),
        (r"see \ref{a} in C:\\\\share", []),
        (rf"`${EVIL}$`", []),
        (rf"![${EVIL}$](https://a.example/i.png)", []),
        (rf"[$ {EVIL} $](https://a.example)", []),
        (rf"| ${EVIL}$ |" + "\n|-|", []),
    ],
)
def test_what_is_typeset(source, formulas):
    assert typeset(to_html(source)) == formulas


@pytest.mark.parametrize(
    "latex",
    [
        EVIL,
        *(r"\bbox[position:fixed]{x}", r"\require{html}", r"\htmlClass{a}{b}", r"\htmlData{a=b}{c}", r"\class{a}{b}"),
        *(
            r"\cssId{a}{b}",
            r"\style{a}{b}",
            r"\unicode[x]{65}",
            r"\U{202E}",
            r"\char`x",
            r"\url{a}",
            r"\includegraphics{a}",
            r"\def\a{b}",
            r"\xdef\a{b}",
        ),
        *(r"\let\a\b", r"\newcommand{\a}{b}", r"\DeclareMathOperator{\a}{b}", r"\href1", r"\toggle{a}{b}\endtoggle"),
        *("{", "}", "{{}", "}{", "{" * 50 + "}" * 50, "x" * 20_000),
    ],
)
def test_a_formula_that_is_refused_is_code(latex):
    assert formula(latex, "$").startswith("<code>$")
    assert typeset(to_html(f"a ${latex}$ b")) == []


@pytest.mark.parametrize(
    "latex",
    [
        *(r"\{", r"\frac{1}{\sqrt{x}}", r"\text{50\%}", r"\left\{ a \right.", r"\leq", r"\color{red}{x}", r"\hspace{1em}"),
        *(r"\int\!\!\!\int", r"\begin{bmatrix} 1 \\[6pt] 2 \end{bmatrix}", r"\operatorname*{argmax}_x", r"\ce{H2O}"),
    ],
)
def test_a_common_formula_is_left_alone(latex):
    assert text_of(formula(latex, "$")) == f"${latex}$"
    assert "<code>" not in formula(latex, "$")


@pytest.mark.parametrize(
    "latex",
    [
        *(r"\llap{x}", r"\rlap{x}", r"\mathclap{x}", r"\smash{x}", r"\raise 9em {x}", r"\lower1em{x}", r"\moveleft 9em{x}"),
        *(
            r"\kern-9em x",
            r"\mkern-9mu",
            r"\hskip -9em",
            r"\hspace{-9em}",
            r"\hspace*{ -9em}",
            r"\mspace{-9mu}",
            r"\negthinspace",
        ),
        *(r"\!\!\!\!\!x", r"a\\[-9em] b", r"a\\*[-9em] b", r"a\\[999em] b", r"\rule{9em}{9em}", r"\Rule{9em}{9em}{0em}"),
        *(r"\definecolor{red}{rgb}{0,0,0}", r"\color{red;background:url(x)}x", r"\begin{a}x\end{a}"),
        *(r"\begin{array}{*{9999}{c}} x \end{array}", r"\begin{array}{*{99}{*{99}{c}}} x \end{array}"),
        *(r"\setlength{x}{y}", r"\unknown", r"\enclose{box}[a=b]{x}", r"\verb|x|"),
        *(
            r"\mathmakebox[0pt]{x}",
            r"\MoveEqLeft",
            r"\above 99em",
            r"\genfrac{}{}{99em}{}{a}{b}",
            r"\vcenter{x}",
            r"\label{a}\ref{a}",
        ),
    ],
)
def test_what_leaves_its_place_or_changes_others_is_code(latex):
    assert formula(latex, "$").startswith("<code>$")
    assert "style" not in to_html(f"$$\n{latex}\n$$")


def test_each_formula_has_a_box_that_cuts_off_what_is_drawn_outside():
    html = to_html("a $x$ and $$y$$ and \\(z=1\\)\n\n$$\nu\n$$\n\n- \\[\n  v=1\n  \\]\n")
    assert len(re.findall(r'<span style="[^"]*overflow:clip">(?:\$x\$|\$\$y\$\$|\\\(z=1\\\))</span>', html)) == 3
    assert len(re.findall(r'<div style="[^"]*overflow-y:hidden">(?:\$\$|\\\[)', html)) == 2


@pytest.mark.parametrize("text", ["from $5 to $10", f"$ {EVIL} $", rf"\({EVIL}\)", rf"\begin{{a}}{EVIL}\end{{a}}", f"${EVIL}$"])
def test_no_other_text_is_typeset(text):
    for data in (
        status_bundle(text, text),
        error_bundle(text, text),
        prompt_bundle(text),
        table_bundle([text], [[text]]),
        bundle(Segment(0, "citations", Citations((Citation("https://a.example", text), Citation(text, ""))))),
        bundle(Segment(0, "tool_call", ToolRun(ToolCall(text, {text: text})))),
    ):
        assert typeset(data["text/html"]) == []
        assert faults(data["text/html"]) == []
        assert text in text_of(data["text/html"])
