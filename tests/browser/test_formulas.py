"""Formulas as JupyterLab typesets them: in their places, cut off at their boxes, and on the line that they stand in."""

from __future__ import annotations

import json

from tests.support.jupyter import CELLS, start

ANSWER = r"""Go to [your bank](https://evil.example) $\!\!\!\!\text{(bank.example)}$ now, $\llap{\colorbox{white}{(bank.example)}}$

Text $x_1 + \frac{a}{b}$ on its line, and the $i$th of $f(x)$; it costs $5 to $10 in $HOME/bin:$PATH.

1. Step:
   \[
   E
   = mc^2
   - y
   \]
2. Next

\begin{align}
a &= b + c \\
- d &= e
\end{align}

| left | right | middle |
|:-----|------:|:------:|
| a<br>b | 1 | H<sub>2</sub>O |
| a long cell of words | 1234567 | <kbd>Ctrl</kbd> |

これは**「重要」**な点

שלום עולם, `x = 1` הוא קוד

- [x] done
- [ ] to do
"""
LOOK = """() => {
  const out = document.querySelectorAll('.jp-Notebook .jp-Cell')[1].querySelector('.jp-OutputArea');
  const boxes = [...out.querySelectorAll('mjx-container')].map(formula => formula.closest('[style*="overflow"]'));
  const host = out.querySelector('.nbgemini-host').getBoundingClientRect();
  const seen = [0.1, 0.3, 0.5, 0.7, 0.9].map(part =>
    document.elementFromPoint(host.left + part * host.width, host.top + host.height / 2).className);
  return {
    formulas: boxes.length, boxed: boxes.filter(box => box && ['clip', 'hidden'].includes(getComputedStyle(box).overflowY)).length,
    seen, code: [...out.querySelectorAll('code')].map(code => code.textContent),
    rtl: getComputedStyle(out.querySelector('p[dir=auto]')).direction,
    sides: [...out.querySelectorAll('td div')].slice(3).map(div => getComputedStyle(div).textAlign),
  };
}"""


def test_formulas_stay_in_their_boxes_and_all_else_in_its_place(notebook):
    directive = f"offline: {json.dumps({'parts': [['answer', ANSWER]]})}"
    page = notebook(["%load_ext nbgemini\n%gemini demo", f"%%gemini --once\n{directive}"], "lab")
    page.run(0)
    page.wait("() => document.querySelector('.jp-InputPrompt').innerText === '[1]:'")
    page.run(1)
    page.wait("() => document.querySelectorAll('.jp-RenderedHTML mjx-container').length >= 6")
    page.screenshot("formulas")
    look = page.page.evaluate(LOOK)
    assert look["formulas"] == look["boxed"] == 6
    assert set(look["seen"]) == {"nbgemini-host"}
    assert any("llap" in code for code in look["code"])
    assert look["rtl"] == "rtl"
    assert [side.removeprefix("-webkit-") for side in look["sides"]] == ["left", "right", "center"]


STREAMED = (
    "Euler's $e^{i\\pi} + 1 = 0$ holds.\n\n$$\\int_0^1 x\\,dx = \\frac12$$\n\n- item $a_1$\n- item $\\frac{b}{c}$\n\n"
    + ("Words behind the formulas, so that some time goes by. " * 20)
)
LIVE = f"{CELLS}[1].querySelector('.nbg-answer .nbg-text')"


def test_a_formula_is_typeset_soon_after_it_has_come_and_is_copied_as_written(notebook):
    """Also within a list that is not finished; when all comes to rest, nothing jumps."""
    directive = f"offline: {json.dumps({'parts': [['answer', STREAMED]], 'pieces': 120, 'gap': 0.08})}"
    book = start(notebook, f"%%gemini --once\n{directive}")
    book.may_use_clipboard()
    book.run(1)
    book.wait(f"() => {LIVE}?.querySelectorAll('mjx-container').length === 4 && {LIVE}.innerText.includes('some time goes')")
    assert "$" not in book.page.evaluate(f"() => {LIVE}.innerText")
    book.cell(1).locator("[aria-label='Copy this answer']").focus()
    book.page.keyboard.press("Enter")
    book.wait(f"() => {CELLS}[1].querySelector('.nbg-answer button')?.value === 'Copied'")
    assert book.clipboard().startswith("Euler's $e^{i\\pi} + 1 = 0$ holds.")
    book.wait(f"() => {LIVE}.querySelectorAll('mjx-container').length === 4")
    book.page.evaluate(
        f"() => {{ window.heights = []; const look = () => {{ const text = {LIVE}; if (text) {{ heights.push(text.offsetHeight);"
        " requestAnimationFrame(look); } }; look(); }"
    )
    book.wait(f"() => {CELLS}[1].querySelector('.nbgemini-answer:not(.nbgemini-live)')")
    heights = book.page.evaluate("() => heights")
    at_rest = book.page.evaluate(f"() => {CELLS}[1].querySelector('.nbgemini-answer').offsetHeight")
    assert abs(heights[-1] - at_rest) <= 2
    assert heights == sorted(heights)
