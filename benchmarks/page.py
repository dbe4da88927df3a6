"""How smooth a page is while an answer of 100 kB streams into it: frames, long tasks, and how soon a key is painted.

Frames and keys wait for whatever else the machine does; the CPU time of tasks, from a trace of the page, does not.
"""

import json
import sys
import tempfile
from collections import Counter
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
    "the same HTML at once": TEXT
    + """import asyncio
from IPython.display import HTML, display
from nbgemini.render.streaming_markdown import to_html
shown = display(HTML("<table></table><p class='nbg-text'>…</p>"), display_id=True)
await asyncio.sleep(10)
shown.update(HTML(to_html(text + "\\n\\nThe end.")))""",
}
OUTPUT = "document.querySelectorAll('.jp-Notebook .jp-Cell')[1].querySelector('.jp-Cell-outputWrapper')"
PROBE = """() => {
  const found = (window.found = { tasks: [], frames: [], keys: [] });
  const output = OUTPUT;
  const look = () => output.querySelector(".nbg-text") || performance.mark("at rest");
  new MutationObserver(look).observe(output, { childList: true, subtree: true });
  const note = (list) => list.getEntries().forEach(({ duration }) => found.tasks.push(duration));
  new PerformanceObserver(note).observe({ type: "longtask" });
  const frame = (now) => { found.frames.push(now); requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
  document.addEventListener("keydown", ({ timeStamp }) => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => found.keys.push(performance.now() - timeStamp);
    port2.postMessage(0);
  }), true);
}""".replace("OUTPUT", OUTPUT)
TRACED = ["disabled-by-default-devtools.timeline", "devtools.timeline", "blink.user_timing"]


def page(who):
    """Frames a second while the answer comes and to the end, the share of all that time in tasks over 50 ms, and so on.

    The rest: the median from a key to its paint; CPU of the longest tasks while it comes and at rest.
    """
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
        browser.start_tracing(page=book.page, categories=TRACED)
        book.cell(2).locator(".cm-content").evaluate("node => node.focus()")  # a page that moves can't be clicked on
        while not book.page.evaluate(f"() => {OUTPUT}.textContent.includes('The end.')"):
            book.page.keyboard.type("words ", delay=60)
        book.wait("() => performance.getEntriesByName('at rest').length")
        found = book.page.evaluate("() => found")
        rest = book.page.evaluate("() => performance.getEntriesByName('at rest')[0].startTime")
        book.page.wait_for_timeout(3000)  # what JupyterLab still does at rest: formulas, headings
        longest = longest_tasks(json.loads(browser.stop_tracing())["traceEvents"])
        book.close()
        browser.close()
    frames = [later - now for now, later in pairwise(found["frames"])]
    coming = [later - now for now, later in pairwise(found["frames"]) if later < rest] or frames  # Markdown never rests
    return [
        1000 * len(coming) / sum(coming),
        1000 * len(frames) / sum(frames),
        100 * sum(found["tasks"]) / sum(frames),
        median(key for key in found["keys"] if key),
        *longest,
    ]


def longest_tasks(events):
    """Milliseconds of CPU of the page's longest task before the answer comes to rest, and of the longest from then on."""
    threads = Counter((event["pid"], event["tid"]) for event in events if event["name"] == "FireAnimationFrame")
    main = threads.most_common(1)[0][0]
    tasks = [
        event for event in events if event["name"] == "RunTask" and (event["pid"], event["tid"]) == main and "tdur" in event
    ]
    rest = min((event["ts"] for event in events if event["name"] == "at rest"), default=float("inf"))
    before = [task["tdur"] for task in tasks if task["ts"] + task["dur"] < rest]
    after = [task["tdur"] for task in tasks if task["ts"] + task["dur"] >= rest]
    return [max(before) / 1000, max(after, default=0) / 1000]
