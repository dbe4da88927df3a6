"""Code inside code, as models fence it."""

from __future__ import annotations

import pytest

from nbgemini.render.streaming_markdown import to_html
from tests.render.checker import text_of


@pytest.mark.parametrize("language", ["markdown", "md", "", "bash", "text"])
@pytest.mark.parametrize("inner", ["python", "c++", "jsonc"])
def test_a_fence_with_a_language_in_a_fence_begins_code_in_code(language, inner):
    html = to_html(f"Here:\n\n```{language}\n# Title\n\n```{inner}\nx = 1\n```\n\n*more*\n```\n\n*after*\n")
    assert html.count("<pre>") == 1
    assert f"# Title\n\n```{inner}\nx = 1\n```\n\n*more*\n" in text_of(html)
    assert html.endswith("<p><em>after</em></p>\n")


@pytest.mark.parametrize(
    ("source", "codes", "behind"),
    [
        ("```python\nx\n```\n*a*", 1, True),
        ("```md\n```py\nx\n```\n```js\ny\n```\n```\n*a*", 1, True),
        ("- ```md\n  ```py\n  x\n  ```\n  ```\n\n*a*", 1, True),
        ("> ```md\n> ```py\n> x\n> ```\n> ```\n\n*a*", 1, True),
        ("~~~md\n~~~py\nx\n~~~\n~~~\n*a*", 1, True),
        ("````md\n```py\nx\n```\n````\n*a*", 1, True),
        ("```py\n    ```inner\n    ```\n```\n*a*", 1, True),
        ("```text\n```python begins code\n```\n*a*", 1, True),
        ("```text\n```python\n```\n*a*", 1, True),  # one fence too few: by the book
        ("- ```a\n  ```b\n  ```\n\n*a*", 1, True),
        ("```python\nx\n*a*", 1, False),
        ("```python\n```js\n*a*", 1, False),
        ("``` a`b\nx\n*a*", 0, True),
    ],
)
def test_where_code_ends(source, codes, behind):
    html = to_html(source)
    assert html.count("<pre>") == codes
    assert ("<em>a</em>" in html) == behind


@pytest.mark.parametrize("code", ["a\n", "\na\n  b\n", "# a\n- b\n", "  a\nb\n", "```py\na\n```\n"])
def test_code_that_is_less_indented_than_its_item_stays_there(code):
    html = to_html(f"1. Create\n   ```md\n{code}   ```\n2. Then *do*\n")
    assert html.count("<ol>") == 1
    assert html.count("<pre>") == 1
    assert "Then <em>do</em>" in html


@pytest.mark.parametrize("behind", ["*a*", "*a*\n\n- b\n", "- *a*"])
def test_code_in_an_item_that_nothing_closes_ends_with_the_item(behind):
    assert "<em>a</em>" in to_html(f"- b\n  ```py\n  x\n\n{behind}")


@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    "unit", ["```a\n```b\n```\n", "```a\n", "```\n```a\n", "~~~a\n```b\n", "- ```a\n  ```b\n", "- ```a\nb\n"]
)
def test_fences_without_end_cost_no_more_than_their_text(unit):
    assert to_html(unit * (100_000 // len(unit)))
