"""Formulas on lines of their own are found before any block, wherever they stand; all else with such signs is text."""

from __future__ import annotations

import pytest

from nbgemini.render.streaming_markdown import to_html
from tests.render.checker import faults, text_of

LINES = [
    "= b",
    "=",
    "- c",
    "+ d",
    "* e",
    "# f",
    "---",
    "1. g",
    "> h",
    "| i |",
    "",
    "\\\\",
    "_k_ ^l^",
    "2) m",
    "~~~n~~~"[3:4],
]


def formulas(html):
    """What stands in the boxes of formulas."""
    return [text_of(f"<i>{part.split('</', 1)[0]}</i>") for part in html.split('overflow-y:hidden">')[1:]]


@pytest.mark.parametrize(("opening", "closing"), [("\\[", "\\]"), ("$$", "$$"), ("\\begin{align}", "\\end{align}")])
@pytest.mark.parametrize("line", LINES)
def test_no_line_of_a_formula_is_markdown(opening, closing, line):
    html = to_html(f"text before\n{opening}\na\n{line}\nb\n{closing}\ntext behind")
    assert html.startswith("<p>text before</p>\n<div")
    assert html.endswith("</div>\n<p>text behind</p>\n")
    assert f"a\n{line}\nb" in text_of(html)
    assert len(formulas(html)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "- item\n\n  \\[\n  a\n  = b\n  \\]\n- next",
        "- item\n  $$\n  a\n  - b\n  $$\n- next",
        "1. item\n    \\[\n    a\n    = b\n    \\]\n2. next",
        "1. item\n\n   $$\n   a\n\n   - b\n   $$\n\n2. next",
        "* **item:**\n\n        $$a = b$$\n* next",
        "- item\n$$\na\n= b\n$$",
        "> \\[\n> a\n> - b\n> \\]",
        "- > $$\n  > a\n  > = b\n  > $$",
    ],
)
def test_a_formula_stands_in_lists_and_quotes(source):
    html = to_html(source)
    assert len(formulas(html)) == 1
    assert html.count("<ul>") + html.count("<ol>") == ("item" in source or source.startswith("-"))
    assert "<h1>" not in html
    assert "<h2>" not in html


@pytest.mark.parametrize(
    "name", ["align", "align*", "equation", "equation*", "gather", "gather*", "cases", "pmatrix", "multline"]
)
def test_a_bare_environment_is_a_formula(name):
    html = to_html(f"so\n\\begin{{{name}}}\na &= b \\\\\n\n- c\n\\end{{{name}}}\nthen")
    assert f"$$\\begin{{{name}}}\na &= b \\\\\n\n- c\n\\end{{{name}}}$$" in text_of(html)
    assert len(formulas(html)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "we get $$\na\n= b\n- c\n$$ and so on",
        "we get \\[\na\n===\nb\n\n- c\n\\], and",
        "as \\begin{align}\na\n---\nb\n\\end{align}.",
    ],
)
def test_a_formula_that_begins_within_a_line_goes_on_to_its_end(source):
    html = to_html(source)
    assert html.count("<p>") == html.count("overflow:clip") == 1
    assert source in text_of(html).replace("$$\\begin", "\\begin").replace("}$$", "}")


@pytest.mark.parametrize(
    "source",
    [
        *(
            "\\[sic\\]",
            "\\[ \\]",
            "\\[as he said\nin a letter\\]",
            "$$",
            "\\[",
            "\\begin{align}",
            "\\begin{alien}\nx\n\\end{alien}",
        ),
        "$$\n\nThis is what the shell says of itself.\n\n$$",
        "$$ is the process, and so are you: $$",
        "```\n\\[\na\n= b\n\\]\n```",
        "`$$`\n- a\n- `$$`",
        "\\\\[\na = b\n\\\\]",
        "\\[\n```\na = b\n```\n\\]",
        "- \\[ a\n- b \\] = c",
    ],
)
def test_what_is_no_formula(source):
    assert "overflow" not in to_html(source)
    assert faults(to_html(source)) == []


@pytest.mark.parametrize(
    "source",
    [
        *(
            "$HOME/bin:$PATH",
            "($AAPL) vs ($TSLA)",
            "$AAPL/$TSLA",
            "from $5 to $10",
            "US$5 and US$6",
            "$1,000.50-$2,000",
            "$5** and **$x",
        ),
        *(
            "${HOME}/bin:${PATH}",
            "$(pwd)/$(date)",
            'echo "$A" | grep "$B"',
            "$A || $B",
            "$a,$b",
            "[$A](x) [$B](y)",
            "$x is it $y",
        ),
        *(
            "between $20 and 30$ a head",
            "it costs $5, or maybe five euros in US$ then",
            "$FOO_BAR$BAZ",
            "pay $3/month ($36/year)",
        ),
        "$_POST['x'] and $_GET['y']",
    ],
)
def test_money_variables_and_tickers_are_no_formulas(source):
    html = to_html(source)
    assert "overflow" not in html
    assert text_of(html).count("$") == source.count("$")


@pytest.mark.parametrize(
    ("source", "count"),
    [
        *(("the $i$th and $n$-th", 2), ("函数$f(x)$的值为$0$。", 2), ("$x$, ($y$) and “$z$”", 3), ("$[0, 1)$ and $]0,1[$", 2)),
        *(
            ("$f(x)=\\text{if it is so}$", 1),
            ("$5x + 3 = 8$", 1),
            ("$|x|$", 1),
            ("\\(5\\) or \\( 5 + 3 \\)", 2),
            ("$f'(x)$ is", 1),
        ),
        *(("$$E=mc^2$$", 1), ("$a_{b}$s", 1), ("$\\alpha$-particles cost $5", 1), ("\\[2 + 2 = 4\\]", 1)),
    ],
)
def test_formulas_stay_formulas(source, count):
    assert to_html(source).count("overflow:clip") + to_html(source).count("overflow-y") == count


def test_an_environment_stands_in_a_link_too():
    assert "overflow:clip" in to_html("[see \\begin{align}a\\end{align} there](https://a.example)")
    assert "overflow" not in to_html("see \\begin{align}a there")
