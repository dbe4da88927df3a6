"""Make the pictures of the documentation from a real JupyterLab in Chromium, offline (`make pictures`).

Every picture of README and docs is in `docs/pictures`, and is made here.
"""

from __future__ import annotations

import base64
import io
import itertools
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright
from tests.support.jupyter import CHROMIUM, CHROMIUM_FLAGS, Lab, Notebook

PICTURES = Path(__file__).parent / "pictures"
MOST_BYTES = 2_000_000
WIDTH, HEIGHT = 940, 980
LAST_FRAME = 3_000  # milliseconds that the finished answer stands still
CELLS = [
    "%load_ext nbgemini\n%gemini demo",
    "%%gemini\nWhy is the sky blue, but the sunset red?",
    "sum(range(1_000_000))  # the kernel is free while the answer streams",
]


def main() -> int:
    """Make all pictures; return the exit code."""
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder)) as lab, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        frames = _record(Notebook(lab, browser, "streaming", CELLS))
        browser.close()
    return _save(frames, PICTURES / "streaming.webp")


def _record(notebook: Notebook) -> list[tuple[float, Image.Image]]:
    """Return what the page shows while an answer streams: seconds and picture."""
    page, frames = notebook.page, []
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    page.evaluate("() => { jupyterapp.shell.mode = 'single-document'; jupyterapp.commands.execute('statusbar:toggle') }")
    notebook.run(0)
    notebook.wait_text(0, "offline service")
    session = page.context.new_cdp_session(page)

    def keep(frame: dict) -> None:
        frames.append((frame["metadata"]["timestamp"], base64.b64decode(frame["data"])))
        session.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]})

    session.on("Page.screencastFrame", keep)
    session.send("Page.startScreencast", {"format": "png", "everyNthFrame": 1})
    page.wait_for_timeout(500)
    notebook.run(1)
    page.wait_for_timeout(600)
    notebook.run(2)
    notebook.wait(
        "() => document.querySelectorAll('.jp-Notebook .jp-Cell')[1].querySelector('.nbgemini-status:not(.nbgemini-live)')"
    )
    page.wait_for_timeout(1_000)
    session.send("Page.stopScreencast")
    box = page.locator(".jp-NotebookPanel-notebook").bounding_box()
    corners = (box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"])
    notebook.close()
    return [(time, Image.open(io.BytesIO(png)).convert("RGB").crop(corners)) for time, png in frames]


def _save(frames: list[tuple[float, Image.Image]], file: Path) -> int:
    """Write a moving WebP of ten frames a second at most; return the exit code."""
    kept = [frames[0]]
    for frame in frames[1:]:
        if frame[0] - kept[-1][0] >= 0.1:  # noqa: PLR2004 - a tenth of a second
            kept.append(frame)
    times = [time for time, _ in kept]
    durations = [*(round(1000 * (after - before)) for before, after in itertools.pairwise(times)), LAST_FRAME]
    first, *others = [image for _, image in kept]
    first.save(file, save_all=True, append_images=others, duration=durations, loop=0, quality=70, method=4)
    print(f"{file.name}: {len(kept)} frames, {sum(durations) / 1000:.0f} s, {file.stat().st_size / 1000:,.0f} kB")
    return int(file.stat().st_size > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
