"""Code is coloured where that takes no long time."""

from __future__ import annotations

import pytest
from pygments.lexers import get_lexer_by_name

from nbgemini.render import code as module
from nbgemini.render.code import code_html, is_colourable
from nbgemini.render.sanitize import sanitize
from nbgemini.render.streaming_markdown import to_html
from tests.render.checker import faults, text_of as text_with_end_of


def text_of(html):
    return text_with_end_of(html).removesuffix("\n")


@pytest.mark.parametrize("language", ["cheetah", "augeas", "http", "rst", "jinja", "klingon", "mime", "email", "org"])
def test_a_lexer_that_may_take_long_is_never_used(language):
    assert not is_colourable("x = 1\n", language)
    assert "<span" not in code_html('x = "1" # two\n', language)


@pytest.mark.parametrize("language", sorted(module._LANGUAGES))
def test_every_other_language_is_known(language):
    assert get_lexer_by_name(language)
    html = code_html('if (x == 1) { return "a"; } // "b" # c\n', language)
    assert faults(sanitize(html)) == []
    assert text_of(html) == 'if (x == 1) { return "a"; } // "b" # c\n'


def test_code_in_code_takes_no_lexer_of_its_own():
    assert 'class="kn"' in code_html("import x\n", "python")
    assert 'class="kn"' not in code_html("text\n```python\nimport x\n```\n", "markdown")


def test_what_takes_too_long_is_not_coloured_to_its_end(monkeypatch):
    monkeypatch.setattr(module, "_SECONDS", -1.0)
    source = "x = 1\n" * 100
    html = code_html(source, "python")
    assert text_of(html) == source
    assert html.count("<span") <= 1


@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    "language", ["python", "javascript", "java", "html", "css", "bash", "yaml", "sql", "c++", "markdown", "perl", "makefile"]
)
@pytest.mark.parametrize(
    "unit", ["(", "{", "[", "/*", "*/", '"', "'", "\\", "`", "<", "<a ", "${", "#{", "a(", "a<", "-", "@", "|", "::", "'''"]
)
def test_no_code_takes_long(language, unit):
    lines = (unit * (400 // len(unit)) + "\n") * 49
    assert text_of(code_html(lines, language)) == lines


def test_code_with_many_open_comments_is_shown_uncoloured():
    for code in ("/* a\n" * 200, "x = 1\n" * 5000):
        html = to_html(f"```c\n{code}```\n")
        assert "<pre>" in html
        assert "<span" not in html
