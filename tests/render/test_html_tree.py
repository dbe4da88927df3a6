"""A page that is told operations holds what it should, and is told no more than that."""

from __future__ import annotations

from hypothesis import given, settings, strategies as st

from nbgemini.render.html_tree import Element, Level, amend, as_it_is, parse_html, serialize_html, units
from nbgemini.render.sanitize import sanitize
from nbgemini.render.streaming_markdown import to_html as rendered
from tests.corpus.answers import ANSWERS
from tests.support.live_page import Page, nodes_of

TEXT = st.text("ab<&>\"'\xa0é😀", min_size=1, max_size=4)
TREES = st.recursive(
    TEXT,
    lambda inside: st.builds(
        lambda tag, children: f"<{tag}>{''.join(children)}</{tag}>",
        st.sampled_from(["p", "em", "ul", "li", "code"]),
        st.lists(inside, max_size=4),
    ),
    max_leaves=12,
)


def nodes(html):
    return parse_html(sanitize(html))


@settings(max_examples=300)
@given(st.lists(TREES, max_size=4), st.lists(TREES, max_size=4))
def test_a_page_is_brought_up_to_date(before, after):
    shown, page = [], Page()
    for pieces in (before, after):
        wanted = nodes("".join(pieces))
        page.apply(amend(shown, wanted))
        assert shown == page.root.children == wanted


@settings(max_examples=200)
@given(TREES)
def test_what_is_written_is_read_the_same(html):
    tree = nodes(html)
    assert nodes_of(serialize_html(tree)) == tree == parse_html(serialize_html(tree))


def test_white_space_between_blocks_is_left_out_and_no_other():
    html = rendered("- a *b* `c`\n  - d\n\n> e\n> f\n\n```\ng\n\nh\n```\n\n| i |\n|---|\n| j |")
    assert serialize_html(parse_html(html)) == (
        "<ul><li>a <em>b</em> <code>c</code><ul><li>d</li></ul></li></ul><blockquote><p>e\nf</p></blockquote>"
        '<div class="highlight"><pre><code>g\n\nh\n</code></pre></div>'
        '<table><thead><tr><th><div align="left">i</div></th></tr></thead>'
        '<tbody><tr><td><div align="left">j</div></td></tr></tbody></table>'
    )


def test_what_is_the_same_is_not_told_again():
    shown = nodes("<p>One <em>tw</em></p>")
    assert amend(shown, nodes("<p>One <em>two</em></p>")) == [["t", [1, 1], 0, "o"]]
    assert amend(shown, nodes("<p>One <em>two</em> 😀</p>")) == [["h", [1], 0, " 😀"]]
    assert amend(shown, nodes("<p>One <em>two</em> thr</p><p>four</p>")) == [["t", [1], 2, "thr"], ["h", [], 0, "<p>four</p>"]]
    assert amend(shown, nodes("<p>One t</p>")) == [["h", [2], 2, ""], ["t", [2], 0, "t"], ["h", [], 1, ""]]


def test_of_what_is_kept_only_the_end_is_looked_at():
    kept = ["<li>a</li>"] * 3
    shown = nodes(f"<ul>{''.join(kept)}<li>b</li></ul>")
    assert amend(shown, nodes("<ul><li>bc</li><li>d</li></ul>"), (Level(), Level(3))) == [
        ["t", [1, 1], 0, "c"],
        ["h", [1], 0, "<li>d</li>"],
    ]
    assert serialize_html(shown) == f"<ul>{''.join(kept)}<li>bc</li><li>d</li></ul>"
    words = nodes("<p>long words</p>")
    assert amend(words, nodes("<p>x words go on</p>"), (Level(), Level(0, 0, 4, 1))) == [["t", [1], 0, " go on"]]
    assert amend(words, [Element("<p>", "p", [])], (Level(), Level(0, 0, 10))) == [["t", [1], 6, ""]]


def test_very_deep_markup_is_one_node():
    html = f"<p>a</p><p>{'<em>' * 200}b{'</em>' * 200}</p><p>c</p>"
    tree = nodes(html)
    assert [node.children for node in tree] == [["a"], [], ["c"]]
    assert serialize_html(tree) == html


def test_the_tree_of_an_answer_reads_like_the_answer():
    for text in ANSWERS[:40]:
        tree = parse_html(rendered(text))
        assert nodes_of(serialize_html(tree)) == tree


def test_a_row_alone_and_an_open_table():
    assert (
        serialize_html(parse_html("<table><tbody><tr><td>1</td></tr>")) == "<table><tbody><tr><td>1</td></tr></tbody></table>"
    )
    assert serialize_html(parse_html("<tr><td>1</td></tr>")) == "<tr><td>1</td></tr>"


def test_text_as_it_is():
    assert serialize_html(as_it_is("<b>\n").nodes) == "<pre>&lt;b&gt;\n</pre>"
    assert as_it_is("").nodes == []


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_units_are_what_a_browser_counts(text):
    assert units(text) == len(text.encode("utf-16-le")) // 2
