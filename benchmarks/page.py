"""How smooth a page is while an answer of 100 kB streams into it: frames, long tasks, and how soon a key is painted."""

import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from statistics import median

BLOCKS = r"""
## Part {n}

Some *words* about part {n}, with `code`, a [link](https://example.org/{n}) and the formula $a_{n} = \frac{{1}}{{{n} + 1}}$ in a
paragraph that is long enough to be broken over a few lines of the page.

- first item of {n}
- second item, **bold**
    - nested, and rather long so that there is something to lay out

| name | value | remark |
|---|---:|---|
| a{n} | {n} | some words in a cell |
| b{n} | {n}{n} | `code` in a cell |
| c{n} | {n}0 | more words |

```python
def part_{n}(values):
    total = {n}
    for value in values:
        total += value ** 2
    return total
```
"""
TEXT = f"""import json
blocks = {BLOCKS!r}
text, n = "", 0
while len(text) < 100_000:
    n += 1
    text += blocks.format(n=n)
"""
ASKS = {
    "nbgemini": TEXT
    + """told = {"parts": [["answer", text + "\\n\\nThe end."]], "pieces": 500, "gap": 0.02}
get_ipython().run_cell_magic("gemini", "--once", "offline: " + json.dumps(told))""",
    "Markdown shown anew": TEXT
    + """import asyncio
from IPython.display import Markdown, display
shown = display(Markdown("…"), display_id=True)
for tenth in range(1, 101):
    await asyncio.sleep(0.1)
    shown.update(Markdown(text[: len(text) * tenth // 100] + ("\\n\\nThe end." if tenth == 100 else "")))""",
}
PROBE = """() => {
  const found = (window.found = { tasks: [], frames: [], keys: [] });
  const note = (list) => list.getEntries().forEach(({ duration }) => found.tasks.push(duration));
  new PerformanceObserver(note).observe({ type: "longtask" });
  const frame = (now) => { found.frames.push(now); requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
  document.addEventListener("keydown", ({ timeStamp }) => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => found.keys.push(performance.now() - timeStamp);
    port2.postMessage(0);
  }), true);
}"""
OUTPUT = "document.querySelectorAll('.jp-Notebook .jp-Cell')[1].querySelector('.jp-Cell-outputWrapper')"


def page(who):
    """Frames a second, the share of time in tasks over 50 ms, the longest frame, and the median from a key to its paint."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from playwright.sync_api import sync_playwright
    from tests.support.jupyter import CHROMIUM, CHROMIUM_FLAGS, Lab, Notebook

    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder) / "lab") as lab, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        book = Notebook(lab, browser, "page", ["%load_ext nbgemini\n%gemini demo", ASKS[who], "# typed into"])
        book.run(0)
        book.wait_text(0, "offline service")
        book.run(1)
        book.wait(f"() => {OUTPUT}?.querySelector('table')")
        book.page.evaluate(PROBE)
        book.cell(2).locator(".cm-content").evaluate("node => node.focus()")  # a page that moves can't be clicked on
        while not book.page.evaluate(f"() => {OUTPUT}.textContent.includes('The end.')"):
            book.page.keyboard.type("words ", delay=60)
        found = book.page.evaluate("() => found")
        book.close()
        browser.close()
    frames = [later - now for now, later in pairwise(found["frames"])]
    return [
        1000 * len(frames) / sum(frames),
        100 * sum(found["tasks"]) / sum(frames),
        max(frames),
        median(key for key in found["keys"] if key),
    ]
