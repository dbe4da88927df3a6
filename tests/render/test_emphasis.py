"""Emphasis where writing has no spaces, and where CommonMark says what it is."""

from __future__ import annotations

import pytest

from nbgemini.render.streaming_markdown import to_html


@pytest.mark.parametrize(
    ("source", "strong"),
    [
        ("これは**「重要」**な点", ["「重要」"]),
        ("**注意：**正文", ["注意："]),
        ("**„Wort“**en", ["„Wort“"]),
        ("der**»Wort«**en", ["»Wort«"]),
        ("l’**«\u00a0œuvre\u00a0»**d’art", ["«\u00a0œuvre\u00a0»"]),
        ("“**word**”s", ["word"]),
        ("请看**（重要）**的说明。**注意！**然后**“引用”**继续", ["（重要）", "注意！", "“引用”"]),
        ("**重要(important)**な点は**[1]**です", ["重要(important)", "[1]"]),
        ("**한국어(Korean)**은 **“인용”**이다", ["한국어(Korean)", "“인용”"]),
        ("ひとつ**A。**ふたつ**B、**みっつ", ["A。", "B、"]),
        ("**100%**の人", ["100%"]),
        ("**真，**她**真～**她**真-**她**真—**她", ["真，", "真～", "真-", "真—"]),
        ("**「A」**なので**「B」**", ["「A」", "「B」"]),
        ("**⚠️ 注意⚠️**正文", ["⚠️ 注意⚠️"]),
        ('**"Wort"**en und **Note:**text', ['"Wort"', "Note:"]),
        ("**¿Qué?**no y **¡Sí!**si", ["¿Qué?", "¡Sí!"]),
        ("**תזכורת:**טקסט ו**(חשוב)**ה", ["תזכורת:"]),
        ("~~**「x」**~~な", ["「x」"]),
        # as CommonMark has it
        ("**foo “**bar**” foo**", ["foo “<strong>bar</strong>” foo"]),
        ("**(**foo)", []),
        ("a**(**b**)**c", ["b"]),
        ('a**"foo"**', []),
        ("** x **", []),
        ("2 ** 3 ** 4", []),
        ("snake_「case」_x", []),
    ],
)
def test_what_is_strong(source, strong):
    html = to_html(source)
    assert html.count("<strong>") == sum(1 + inner.count("<strong>") for inner in strong)
    for inner in strong:
        assert f"<strong>{inner}</strong>" in html.replace(' dir="auto"', "").replace("&quot;", '"').replace("&nbsp;", "\u00a0")


@pytest.mark.parametrize("source", ["これは~~「削除」~~された", "*「強調」*です", "*注意：*正文", "***「両方」***の"])
def test_other_signs_are_as_forgiving(source):
    assert any(f"<{tag}>" in to_html(source) for tag in ("s", "em"))
    assert "*" not in to_html(source)
    assert "~" not in to_html(source)
