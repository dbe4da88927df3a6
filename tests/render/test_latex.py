"""Markdown as LaTeX: it reads as it should, compiles, and nothing of the text is a command to TeX."""

from __future__ import annotations

import re
import shutil
import subprocess

import nbformat
import pytest
from hypothesis import given, settings, strategies as st
from nbconvert import LatexExporter

from nbgemini._environment import HOST
from nbgemini.messages.segments import Segment
from nbgemini.render.citations import with_references
from nbgemini.render.latex import titled_quotation, to_latex, verbatim
from nbgemini.render.latex_math import UnfitError, escape_latex, rewrite_formula
from nbgemini.render.mimebundle import bundle

ELEMENTS = {
    "# Sky *blue*": "\\section*{Sky \\emph{blue}}",
    "## Two": "\\subsection*{Two}",
    "### Three": "\\subsubsection*{Three}",
    "#### Four\n\ntext": "\\paragraph*{Four}\\mbox{}\\par\n\ntext",
    "> # In a quote": "\\begin{quote}\n\\textbf{In a quote}\n\n\\end{quote}",
    "**b** `c_d`": r"\textbf{b} \texttt{c\_d}",
    "- a\n- b": "\\begin{itemize}\n\\item{}a\n\n\\item{}b\n\n\\end{itemize}",
    "3. a\n4. b": "\\begin{enumerate}\n\\item[3.]{}a\n\n\\item[4.]{}b\n\n\\end{enumerate}",
    "- [ ] a": r"\item{}[ ] a",
    "~~a *b* `c`\nd~~": r"\sout{a b c d}",
    "~~a ~~b~~ c~~": r"\sout{a b c}",
    "a  \n*b*": "a\\mbox{}\\newline\n\\emph{b}",
    "*a*\nb": "\\emph{a}\nb",
    "***\n": r"\rule{\linewidth}{0.4pt}",
    "```py\nx = {1}  # \\end{Verbatim}\n```": "\\begin{Verbatim}[commandchars=\\\\\\{\\}]\nx = \\{1\\}  # \\textbackslash{}end\\{Verbatim\\}\n\\end{Verbatim}",
    "    x_1": "\nx_1\n\\end{Verbatim}",
    "|a|b|\n|:-:|-:|\n|[x]|$y$|": "\\begin{longtable}{cr}\n\\hline\n{}a & b \\tabularnewline\n\\hline\n\\endhead\n{}[x] & {$y$} \\tabularnewline",
    "> |a|\n> |-|\n> |b|": "\\begin{tabular}{l}\n\\hline\n{}a \\tabularnewline\n\\hline\n{}b",
    "|a|b|\n|-|-:|\n|" + "x " * 60 + "|y|": r"\raggedright ",
    "$$\nx\n$$": "\\[x\\]",
    "so $$x$$ is": "so\n\\[x\\]\nis",
    "# so $$x$$": r"\section*{so {$\displaystyle x$}}",
    r"as \(x\), not \[y_1\]": "as {$x$}, not\n\\[y_{1}\\]",
    r"$\input{x}$": r"\texttt{\$\textbackslash{}input\{x\}\$}",
    r"*\(\input{x}\)*": r"\texttt{\textbackslash{}(\textbackslash{}input\{x\}\textbackslash{})}",
    "$$\n\\input{x}\n$$": r"\texttt{\$\$",
    "[a](https://e.org/b_c?d=1&e=2#f%20~)": r"\href{https://e.org/b\_c?d=1\&e=2\#f\%20\%7E}{a} (e.org)",
    "*x* <https://e.org/>": r"\href{https://e.org/}{https://e.org/}",
    "[a](mailto:a@e.org)": r"\href{mailto:a@e.org}{a}",
    "[*a*](javascript:alert)": r"[\emph{a}](javascript:alert)",
    "[*a*](x.html)": r"\emph{a}",
    "[a](https://bad host/)`": "",
    "![alt](https://e.org/x.png)": r"\href{https://e.org/x.png}{[image not loaded: alt, e.org]}",
    "[![alt](https://e.org/x.png)](https://f.org)": r"\href{https://f.org}{[image not loaded: alt, e.org]} (f.org)",
    "![alt](x.png)": "[image not loaded: alt]",
    "![](data:image/png;base64,iVBOR)": "[picture]",
    "![a_b](data:image/png;base64,iVBOR)": r"[picture: a\_b]",
    "*a* \\\\ {} $5 & 10% #1 a_b ~ ^ -- '' << ` <b>": r"\textbackslash{} \{\} \$5 \& 10\% \#1 a\_b \textasciitilde{} \textasciicircum{} -{}- '{}' <{}< \textasciigrave{} <b>",
    "1. a\n   - b\n     - c\n       - d\n         - e\n           1. f": "\\par \\textbullet{} e",
    "- a\n  - b\n    - c\n      - d\n        1. f": "\\par 1. f",
}
FIT = {
    r"E = mc^2": "E = mc^{2}",
    r"x_1^2 + x'^2 + {}^{a}b": r"x^{2}_{1} + x^{\prime2} + {}^{a}b",
    r"\frac12 \sqrt[3]{x} \sqrt y": r"\frac{1}{2} \sqrt[{3}]{x} \sqrt{y}",
    r"\left( \frac{a}{b} \middle| c \right]_0": r"\left( \frac{a}{b} \middle| c \right]_{0}",
    r"\sum\limits_{i=1}^n \int_0^\infty": r"\sum\limits^{n}_{i=1} \int^{\infty }_{0}",
    r"\text{if $x > 0$, \& so \% 5\,kg_}": r"\text{if $x > 0 $, \& so \% 5 kg\_}",
    r"\mbox{a}": r"\text{a}",
    r"\bm{v} \hat\alpha": r"\boldsymbol{v} \hat{\alpha }",
    r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \\ \end{pmatrix}": r"\begin{pmatrix}1 & 2 \\ 3 & 4\end{pmatrix}",
    r"\begin{align} a &= b \\[2pt] c &= d \end{align}": r"\begin{aligned}a & = b \\ c & = d\end{aligned}",
    r"\begin{array}{c|c} a & b \\ \hline c & d \end{array}": r"\begin{array}{c|c}a & b \\ c & d\end{array}",
    r"\begin{alignat}{2} a &= b \end{alignat}": r"\begin{aligned}a & = b\end{aligned}",
    r"\begin{equation} a \label{x} \tag{1} \end{equation}": r"a \qquad \text{(1)}",
    r"\begin{cases} 1 & x \\ [y] & z \end{cases}": r"\begin{cases}1 & x \\ {}[y] & z\end{cases}",
    r"a \\ b": r"\begin{gathered}a \\ b\end{gathered}",
    r"a &= b": r"\begin{aligned}a & = b\end{aligned}",
    r"\operatorname{rank} A \operatorname*{arg\,max}_x": r"\operatorname{rank} A \operatorname*{arg\,max}_{x}",
    r"\substack{a \\ b}": r"\substack{a \\ b}",
    r"\not= \not\in": r"\not= \not\in",
    r"\color{red} a \textcolor{blue}{b}": r"a {b}",
    r"\Bigl( a \big/": r"\Bigl( a \big/",
    r"a\ b \lt c \nonumber": r"a~b < c",
    "x² é \u03b1 ≤ y\u2032": "x\\text{²} \\text{é} \u03b1 ≤ y^{\\prime}",
    "a\n\tb": "a b",
}
UNFIT = [
    r"\input{/etc/passwd}",
    r"\write18{ls}",
    r"\immediate\write18{ls}",
    r"\def\a{\a}\a",
    r"\csname input\endcsname",
    r"\catcode`\%=12",
    "^^5cinput x",
    r"\href{javascript:x}{y}",
    r"\begin{verbatim}",
    r"\begin{document}a\end{document}",
    r"\begin{array}{@{\input x}c}a\end{array}",
    r"\begin{cases} 1 & 2 & 3 \end{cases}",
    r"\begin{array}{x}a\end{array}",
    r"\text",
    r"\begin a",
    r"\begin{gather} 1 & 2 \end{gather}",
    r"\begin{matrix} 1 \end{pmatrix}",
    r"\begin{matrix} 1",
    r"\begin{$}",
    r"\text{\input{x}}",
    r"\text{{a}}",
    r"\text{\\}",
    "\\text{\\",
    r"\operatorname{\input}",
    r"\middle|",
    r"\left( a",
    r"\left a \right)",
    r"\not\lim",
    r"x^2^3",
    r"x_2_3",
    r"x^",
    r"\frac{a}",
    r"\frac",
    r"\big",
    "{a",
    "a}",
    "a % b",
    "a # b",
    "a $ b",
    "a ` b",
    "a \x01",
    "\\",
    "",
    " ",
    "{" * 50 + "}" * 50,
    "x" * 1_001,
]
KNOWN = {
    *[
        "section",
        "subsection",
        "subsubsection",
        "paragraph",
        "textbf",
        "emph",
        "texttt",
        "textit",
        "sout",
        "href",
        "item",
        "begin",
        "end",
        "hline",
        "endhead",
    ],
    *[
        "tabularnewline",
        "textbackslash",
        "hspace",
        "textasciicircum",
        "textasciitilde",
        "textasciigrave",
        "textbullet",
        "textsuperscript",
        "mbox",
        "newline",
        "par",
    ],
    *[
        "noindent",
        "rule",
        "linewidth",
        "raggedright",
        "raggedleft",
        "centering",
        "displaystyle",
        "frac",
        "sqrt",
        "left",
        "right",
        "alpha",
        "sum",
        "text",
        "int",
    ],
}
FRAGMENTS = st.lists(
    st.sampled_from(
        [
            *(
                "word",
                " ",
                "\n",
                "\n\n",
                "# ",
                "- ",
                "1. ",
                "> ",
                "```\n",
                "`c`",
                "**",
                "*",
                "~~",
                "|a|b|\n|-|:-:|\n|",
                "|",
                "\t",
            ),
            *(
                "$x^2$",
                "$$",
                "$",
                "{",
                "}",
                "\\",
                "\\input{x}",
                "^^5c",
                "%",
                "#",
                "&",
                "_",
                "\\(",
                "\\)",
                "\\[",
                "\\]",
                "---\n",
            ),
            *("[x](http://a.b/~x%20_#&$)", "![i](http://a/b)", "    ", "&#10;", "&nbsp;", "--", "'", "<", "é", "\\write18{ls}"),
            *("\\frac", "\\sqrt", "\\left(", "\\right)", "\\alpha", "\\sum", "\\text{a}", "\\int", "  \n", "[", "]", "(", ")"),
        ]
    ),
    max_size=30,
).map("".join)
NEEDS_TEX = pytest.mark.skipif(shutil.which("xelatex") is None, reason="there is no xelatex: make setup-documents")


@pytest.mark.parametrize("markdown", ELEMENTS)
def test_each_element_is_what_a_document_has_for_it(markdown):
    assert ELEMENTS[markdown] in to_latex(markdown)
    assert strangers(to_latex(markdown)) == set()


@pytest.mark.parametrize("formula", FIT)
def test_a_formula_is_written_anew(formula):
    assert rewrite_formula(formula) == FIT[formula]


@pytest.mark.parametrize("formula", UNFIT)
def test_a_formula_that_is_not_known_whole_is_none(formula):
    with pytest.raises(UnfitError):
        rewrite_formula(formula)


@given(FRAGMENTS)
@settings(max_examples=300, deadline=None)
def test_nothing_of_any_text_is_a_command(markdown):
    latex = to_latex(markdown)
    assert strangers(latex) == set()
    assert unpaired(latex) == []
    assert "\n\n}" not in latex


@given(st.text(max_size=60))
def test_any_words_are_words(text):
    assert strangers(escape_latex(text)) == set()
    assert "\n" not in escape_latex(text)
    assert strangers(verbatim(text)) == set()


@pytest.mark.parametrize(
    "text",
    ["", "  ", "just words", "two\nlines\n\nand more", "`" * 500, "[x]: https://e.org/" + "a" * 4000 + "\n\n" + "[x] " * 900],
)
def test_prose_and_bombs_are_left_to_the_plain_text(text):
    assert to_latex(text) == ""


def test_nested_beyond_what_a_parser_takes(monkeypatch):
    def deep(*_):
        raise RecursionError

    monkeypatch.setattr("nbgemini.render.latex.parse_structure", deep)
    assert to_latex("*a*") == ""


def test_numbers_of_sources_stand_in_it():
    assert r"sky\textsuperscript{[1]} is" in to_latex(with_references("sky is", ((3, (0,)),)))


def test_in_a_quotation_there_are_no_sections_and_no_tables_of_a_page():
    assert to_latex("# h\n\n|a|\n|-|", in_quote=True).startswith("\\textbf{h}\n\n\n\\begin{tabular}")


def test_a_thought_is_a_quotation_below_its_title():
    assert titled_quotation("Thought for 3 s", "a\n\n") == "\\textit{Thought for 3 s}\n\\begin{quote}\na\n\n\\end{quote}\n"
    assert titled_quotation("Thoughts", "") == ""
    assert verbatim("\n") == ""


def test_a_bundle_holds_it_where_there_is_markup_and_it_is_wanted(monkeypatch):
    assert set(bundle(segment("plain words"))) == {"text/html", "text/plain"}
    assert bundle(segment("*a*"))["text/latex"] == "\\emph{a}\n\n"
    assert bundle(segment("*a*", "thought"), seconds=3.0)["text/latex"].startswith("\\textit{Thought for 3 s}")
    monkeypatch.setattr(HOST, "latex", False)
    assert set(bundle(segment("*a*"))) == {"text/html", "text/plain"}


def test_words_and_lines_that_tex_could_not_measure_are_broken():
    assert escape_latex("x" * 600).count(r"\hspace{0pt}") == 5
    assert len(max(verbatim("x" * 9_000).split("\n"), key=len)) == 500
    assert verbatim("x" * 500 + "\ny").count("\n") == verbatim("x\ny").count("\n")


@NEEDS_TEX
@pytest.mark.timeout(300)
def test_all_of_it_compiles_as_nbconvert_writes_it(tmp_path):
    from nbgemini.render import latex_math

    commands = [f"${name}$" for name in sorted(latex_math._SYMBOLS | latex_math._WITH_LIMITS | set(latex_math._OTHERWISE))]
    arguments = [f"${name}{{a}}{{b}}$" for name in sorted(latex_math._COUNTS)]
    texts = [
        "*a* " + "x" * 20_000,
        "~~" + "x" * 9_000 + "~~",
        "```\n" + "x" * 20_000 + "\n```",
        *ELEMENTS,
        *(f"$${formula}$$" for formula in [*FIT, *UNFIT]),
        *commands,
        *arguments,
    ]
    outputs = [nbformat.v4.new_output("display_data", {"text/latex": to_latex(text) or "x"}) for text in texts]
    outputs += [
        nbformat.v4.new_output("display_data", {"text/latex": titled_quotation("T", to_latex(text, in_quote=True)) or "x"})
        for text in ELEMENTS
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=outputs)])
    (tmp_path / "book.tex").write_text(LatexExporter().from_notebook_node(book)[0], encoding="utf-8")
    command = ["xelatex", "-interaction=nonstopmode", "-no-shell-escape", "book.tex"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=240)
    log = (tmp_path / "book.log").read_text(encoding="utf-8", errors="replace")
    assert (re.findall(r"^! .*", log, re.MULTILINE), run.returncode) == ([], 0)


def segment(text, kind="answer"):
    made = Segment(0, kind)
    made.append(text)
    return made


def strangers(latex):
    """The commands in it that are not ours, but for single signs that are escaped."""
    return set(re.findall(r"\\([A-Za-z]+)", latex)) - KNOWN


def unpaired(latex):
    """Braces and environments that have no other half."""
    open_ = []
    for sign in re.findall(r"\\begin\{\w+\}|\\end\{\w+\}|\\.|[{}]", latex, re.DOTALL):
        if sign.startswith(r"\begin") or sign == "{":
            open_.append(sign)
        elif sign == "}" or sign.startswith(r"\end{"):
            expected = "{" if sign == "}" else sign.replace(r"\end", r"\begin")
            if not open_ or open_.pop() != expected:
                return [sign]
    return open_
