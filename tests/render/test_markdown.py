"""What Markdown becomes, word for word, and that no text takes long."""

from __future__ import annotations

import re
import sys

import pytest

from nbgemini.render import streaming_markdown as module
from nbgemini.render.code import code_html
from nbgemini.render.markdown_parser import parse_all
from nbgemini.render.streaming_markdown import Blocks, to_html
from tests.render.checker import faults, text_of

REL = 'target="_blank" rel="noopener noreferrer nofollow"'

GOLDENS = {
    # formulas stay as they are, for the page's own typesetter
    r"$I \propto \lambda^{-4}$": "<p>$I \\propto \\lambda^{-4}$</p>\n",
    "$a_b$ and $c_d$": "<p>$a_b$ and $c_d$</p>\n",
    "$a*b$ and $c*d$": "<p>$a*b$ and $c*d$</p>\n",
    "$$\na_1 \\\\\n b_2\n$$": "<div>$$\na_1 \\\\\n b_2\n$$</div>\n",
    "so $$x_1$$ it is": "<p>so $$x_1$$ it is</p>\n",
    "$a < b$": "<p>$a &lt; b$</p>\n",
    r"\(a_b*c*\) and \[\frac{1}{2}\]": "<p>\\(a_b*c*\\) and \\[\\frac{1}{2}\\]</p>\n",
    r"\[sic\] \(or so\) \[0\]": "<p>[sic] (or so) [0]</p>\n",
    "$5 and $10": "<p><span>$</span>5 and <span>$</span>10</p>\n",
    "it costs $5, *or* $6": "<p>it costs <span>$</span>5, <em>or</em> <span>$</span>6</p>\n",
    r"C:\dir": "<p>C:<span>\\</span>dir</p>\n",
    r"`$a$ \b`": "<p><code>$a$ \\b</code></p>\n",
    r"$\href{https://a.example}{x}$": "<p><code>$\\href{https://a.example}{x}$</code></p>\n",
    r"$\hreflike$": "<p><code>$\\hreflike$</code></p>\n",
    # text
    "*a* **b** ~~c~~ `d`": "<p><em>a</em> <strong>b</strong> <s>c</s> <code>d</code></p>\n",
    "a  \nb": "<p>a<br>\nb</p>\n",
    "a <b>c</b> & d": "<p>a &lt;b&gt;c&lt;/b&gt; &amp; d</p>\n",
    "# h\n\n---": "<h1>h</h1>\n<hr>\n",
    "> a": "<blockquote>\n<p>a</p>\n</blockquote>\n",
    "https://a.example": f'<p><a href="https://a.example" {REL}>https://a.example</a></p>\n',
    # lists
    "- a\n  - b\n    1. c\n- d": (
        "<ul>\n<li>a\n<ul>\n<li>b\n<ol>\n<li>c</li>\n</ol>\n</li>\n</ul>\n</li>\n<li>d</li>\n</ul>\n"
    ),
    "7. a": '<ol start="7">\n<li>a</li>\n</ol>\n',
    # tables
    "|a|b|\n|:-|-:|\n|1|`2`|": (
        '<table>\n<thead>\n<tr>\n<th><div align="left">a</div></th>\n<th><div align="right">b</div></th>\n</tr>\n</thead>\n'
        '<tbody>\n<tr>\n<td><div align="left">1</div></td>\n<td><div align="right"><code>2</code></div></td>\n'
        "</tr>\n</tbody>\n</table>\n"
    ),
    # code
    "```python\nx = 1\n```": (
        '<div class="highlight"><pre><code class="language-python">'
        'x <span class="o">=</span> <span class="mi">1</span>\n</code></pre></div>\n'
    ),
    "```klingon\n<x>\n```": '<div class="highlight"><pre><code class="language-klingon">&lt;x&gt;\n</code></pre></div>\n',
    "```\n*x*": '<div class="highlight"><pre><code>*x*</code></pre></div>\n',
    "    <x>\n": "<pre><code>&lt;x&gt;\n</code></pre>\n",
    # links
    "[a](https://b.example/c)": (
        f'<p><a href="https://b.example/c" {REL}>a</a> <span class="nbgemini-host">(b.example)</span></p>\n'
    ),
    "<https://b.example/c>": f'<p><a href="https://b.example/c" {REL}>https://b.example/c</a></p>\n',
    "[a](mailto:b@c.example)": (
        f'<p><a href="mailto:b@c.example" {REL}>a</a> <span class="nbgemini-host">(b@c.example)</span></p>\n'
    ),
    "<b@c.example>": f'<p><a href="mailto:b@c.example" {REL}>b@c.example</a></p>\n',
    # images
    "![a](https://b.example/c.png)": (f'<p><a href="https://b.example/c.png" {REL}>[image not loaded: a, b.example]</a></p>\n'),
    "![a](c.png)": "<p>[image not loaded: a]</p>\n",
    "![a](data:image/png;base64,AAAA)": '<p><img src="data:image/png;base64,AAAA" alt="a"></p>\n',
}


def without_boxes(html):
    """Without the boxes that cut formulas off."""
    html = re.sub(r'<span style="[^"]*">(.*?)</span>', r"\1", html, flags=re.DOTALL)
    return re.sub(r' style="[^"]*"', "", html)


@pytest.mark.parametrize("source", GOLDENS)
def test_golden(source):
    assert without_boxes(to_html(source)) == GOLDENS[source]


def test_the_page_typesets_what_the_model_wrote():
    source = r"Rayleigh: $I \propto \lambda^{-4}$, so $$\frac{I_b}{I_r} \approx \left(\frac{650}{450}\right)^4$$ holds"
    assert text_of(to_html(source)).strip() == source


@pytest.mark.parametrize("language", ["python", "c++", "c#", "objective-c", "x" * 99, "a b", "é", '"><b>', ""])
def test_any_language_is_a_harmless_class(language):
    assert faults(code_html("x", language)) == []


def nested_items(depth):
    return "".join("  " * level + "- x\n" for level in range(depth))


def wide_table(columns, rows=1):
    return "|a" * columns + "|\n" + "|-" * columns + "|\n" + ("|b" * columns + "|\n") * rows


BOMBS = {
    "50,000 [": "[" * 50_000,
    "50,000 >": ">" * 50_000,
    "50,000 spaced >": "> " * 50_000,
    "1,000 lists in each other": nested_items(1000),
    "1,000 lists in one line": "- " * 1000 + "x",
    "10,000 columns": wide_table(10_000),
    "300 columns of missing cells": wide_table(300) + "|b|\n" * 5000,
    "a line of 5 MB": "x" * 5_000_000,
    "20,000 *a_": "*a_" * 20_000,
    "20,000 backticks": "`" * 20_000,
    "300 backticks": "`" * 300,
    "runs of 399 backticks": ("`" * 399 + " ") * 100,
    "backtick runs of every length": " ".join("`" * length for length in range(1, 400)),
    "390 <": "<" * 390,
    "links in each other": "[" * 150 + "a" + "](b)" * 150,
    "a few links in each other": "[" * 38 + "a" + "](b)" * 38,
    "links begun": "[a" * 20_000,
    "images in each other": "![a" * 10_000 + "]" * 10_000,
    "links without end": "[a](" * 8_000,
    "addresses": "<https://a.example> " * 5_000,
    "hosts to translate": "[a](https://\u00fc.example) " * 4_000,
    "links around images": "[![a](b)](https://c.example) " * 4_000,
    "definitions": "".join(f"[a{number}]: b\n" for number in range(9_000)),
    "dollars": "$" * 50_000,
    "prices": "$ 5 " * 40_000,
    "backslashes": "\\" * 190_000,
    "bracketed formulas begun": "\\(a=" * 40_000,
    "bracketed formulas": "\\(a\\) " * 30_000,
    "braces in each other": "$" + "{" * 90_000 + "}" * 90_000 + "$",
    "formulas begun": "$$a " * 20_000,
    "formulas begun in paragraphs": "$$a\n\n" * 4_900,
    "formulas begun in lists": "- $$\n\n" * 4_900,
    "emphasis begun": "**a " * 20_000,
    "12,000 items": "- a\n" * 12_000,
    "12,000 headings": "a\n-\n" * 12_000,
    "quoted lists": "> - " * 20 + "x\n" * 30_000,
    "200,000 blank lines": "\n" * 199_000,
    "Java words": "```java\n" + "a " * 9_900 + "\n```",
    "Java lines": "```java\n" + "a\n" * 9_000 + "```",
    "comments begun": "```go\n" + ("/* " * 160 + ";\n") * 40 + "```",
    "blank code": "```python\n" + " \n" * 9_000 + "```",
    "code in one line": "```makefile\n" + "a(" * 9_900 + "\n```",
}


def blocks_html(source):
    blocks = Blocks()
    blocks.append(source)
    blocks.advance()
    blocks.close()
    return blocks.html()


@pytest.mark.timeout(90)
@pytest.mark.parametrize("line", ["~" * 190_000, "`" * 190_000, "~~~~ a" * 30_000], ids=["tildes", "backticks", "begun again"])
def test_a_long_fence_takes_no_longer_than_a_text(line):
    assert to_html(line)
    assert "code" in text_of(to_html(f"{line}\ncode\n"))


@pytest.mark.timeout(90)
@pytest.mark.parametrize("name", BOMBS)
def test_no_text_takes_long(name):
    """0.3 s at most on an idle machine; a text that the parser chokes on would not come back within the limit."""
    assert isinstance(to_html(BOMBS[name]), str)


@pytest.mark.timeout(90)
@pytest.mark.parametrize("name", BOMBS)
def test_no_text_takes_long_in_blocks(name):
    """The work of a whole answer, which is done beside the event loop."""
    assert isinstance(blocks_html(BOMBS[name]), str)


def test_text_beyond_the_limits_is_shown_as_it_is(monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 100)
    text = "*a*\n\n" * 30
    html = to_html(text)
    assert html.startswith("<p><em>a</em></p>\n" * 20 + "<pre>*a*\n\n</pre>\n")
    assert html == blocks_html(text)
    assert faults(to_html("<script>" * 50_000)) == []


UNUSUAL = {
    "a log": "```\n" + "2026-11-29 [INFO] [worker-1] [[ok]] ****** | | |\n" * 3_000 + "```\n",
    "a log as text": "2026-11-29 [INFO] [worker-1] [[ok]] * * * | | |\n" * 1_000,
    "intervals": "| a | b |\n|---|---|\n" + "| [0, 1) | [[0], [1]] |\n" * 12_000,
    "a long table": "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 15_000,
    "a wide table": "|" + "a|" * 60 + "\n|" + "-|" * 60 + "\n" + ("|" + "1|" * 60 + "\n") * 600,
    "a banner": "*" * 500 + "\n\n" + "=" * 500 + "\n\n" + "|" * 500 + "\n\n" + "<" * 450 + "\n",
    "open brackets": "see [" * 100 + "\n",
    "a matrix": "[" * 35 + "1" + "]" * 35 + "\n",
    "indented far": "- a\n" + " " * 200 + "b\n",
    "blank lines": "\n" * 11_000,
    "paragraphs": "a\n\n" * 12_000,
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_what_is_long_but_ordinary_passes(name):
    html = to_html(f"# first\n\n{UNUSUAL[name]}\n\n*last*\n")
    assert html.startswith("<h1>first</h1>\n")
    assert html.endswith("<p><em>last</em></p>\n")
    assert "<pre>" not in html.replace("<pre><code>", "")


@pytest.mark.parametrize("name", BOMBS)
def test_one_bad_block_never_takes_the_others_along(name):
    if "```" in BOMBS[name]:
        return  # what stays open goes on
    html = to_html(f"# first\n\n{BOMBS[name][:60_000]}\n\n`\n\n# last\n")
    assert html.startswith("<h1>first</h1>\n")
    assert html.endswith("<h1>last</h1>\n")


@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    "target", [f"https://a.example/{'y' * 150_000}", f"data:image/png;base64,{'A' * 150_000}", f"b '{'t' * 150_000}'"]
)
@pytest.mark.parametrize("use", ["[a] ", "![a] ", "[a]\n\n"])
def test_what_is_defined_once_is_not_repeated_without_end(target, use):
    """180 kB would become 1.3 GB; a few uses are served, more are shown as they are."""
    source = f"[a]: {target}\n\n{use * 9_000}"
    assert len(to_html(source)) < 10 * len(source)
    assert len(blocks_html(source)) < 10 * len(source)
    assert "href" in to_html(f"[a]: https://a.example/{'y' * 500}\n\n" + "[a] " * 100)


def test_an_image_in_a_link_does_not_end_the_link():
    html = to_html("[![alt](https://evil.example/p.png) more](https://good.example/)")
    assert html.count("<a ") == 1
    assert text_of(html).strip() == "[image not loaded: alt, evil.example] more (good.example)"


def test_where_the_stack_is_full_the_block_is_shown_as_it_is(monkeypatch):
    def parse(*_):
        raise RecursionError

    monkeypatch.setattr("nbgemini.render.block_html.parse_structure", parse)
    assert to_html("*a*") == "<pre>*a*</pre>\n"


def test_code_with_many_open_comments_is_not_coloured():
    assert "<span" not in code_html("/* \n" * 200, "c")


def test_all_tokens_of_a_text_are_those_it_is_shown_from():
    assert [token.type for token in parse_all("*a*", {})] == ["paragraph_open", "inline", "paragraph_close"]


def test_text_that_is_shown_from_deep_in_a_stack_is_shown_as_it_is():
    """The parser recurses; a caller may have left it no room."""
    deep = "> " * 30 + "a"
    to_html(deep)

    def down(left):
        return to_html(deep) if left == 0 else down(left - 1)

    shown = set()
    for room in range(40, 400, 10):
        try:
            shown.add(down(_left() - room))
        except RecursionError:  # none at all
            continue
    assert f"<pre>{deep.replace('>', '&gt;')}</pre>\n" in shown


def _left():
    depth, frame = 0, sys._getframe()
    while frame:
        depth, frame = depth + 1, frame.f_back
    return sys.getrecursionlimit() - depth
