"""Whatever a model says: in a real JupyterLab no script runs and nothing leaves the machine, live, reopened or exported."""

from __future__ import annotations

import json
import re
import time

import nbformat
import pytest

from tests.support.jupyter import CHROMIUM, CHROMIUM_FLAGS, PATIENCE, Notebook
from tests.support.villain import Beacon, Villain, acts

HOOK = "for (const name of ['alert', 'confirm', 'prompt']) window[name] = what => nbgeminiRan(name + ' ' + what)"
OTHERS = re.compile(
    r"https://(?:cdnjs\.cloudflare\.com|cdn\.jsdelivr\.net|unpkg\.com)/"
)  # what nbconvert's template itself loads
CHAT = "<img src=x onerror=alert(1)><img src=https://evil.example/chat.png>"
MODEL = "<img src=x onerror=alert(1)><img src=//evil.example/model.png>"  # a colon would name a service
SETUP = """%load_ext nbgemini
%config Gemini.journal = "off"
import os
os.environ |= {{"GEMINI_API_KEY": "k", "GOOGLE_GEMINI_BASE_URL": "{url}"}}"""
FOUND = """() => {
  const root = document.querySelector('.jp-Notebook') || document.body;
  const outputs = [...root.querySelectorAll('.jp-OutputArea-output')];
  const bad = 'script, iframe, object, embed, form, base, meta, link, style, svg:not(mjx-container svg), video, input, dialog, '
    + '[data-commandlinker-command], [onerror], [onload], [onclick], [onfocus], [ontoggle], [srcset], [background], [ping], [name], '
    + 'img:not([src^="data:image/"]), audio:not([src^="data:audio/"])';
  const found = outputs.flatMap(output => [...output.querySelectorAll(bad)].map(element => element.outerHTML.slice(0, 200)));
  const links = outputs.flatMap(output => [...output.querySelectorAll('a[href]')])
    .filter(a => !['https:', 'http:', 'mailto:'].includes(a.protocol) || (a.host && a.host === location.host)).map(a => a.outerHTML);
  return {outputs: outputs.length, found: [...found, ...links], text: root.innerText.length};
}"""

FOUND_IN_TEXT = """() => {
  const roots = [...document.querySelectorAll('.jp-RenderedMarkdown, .jp-OutputArea-output, .jp-RenderedHTMLCommon')];
  const bad = 'script, iframe, object, embed, form, meta, link, base, video, [onerror], [onload], [onclick], [ontoggle], '
    + '[data-commandlinker-command], img[src]:not([src^="data:image/"])';
  const found = roots.flatMap(root => [...root.querySelectorAll(bad)].map(element => element.outerHTML.slice(0, 200)));
  return {found, text: roots.map(root => root.innerText.length).reduce((a, b) => a + b, 0)};
}"""
AT_REST = """() => {
  const cells = [...jupyterapp.shell.currentWidget.content.model.cells];
  const outputs = cells.flatMap(cell => Array.from({length: cell.outputs.length}, (_, n) => cell.outputs.get(n)));
  const live = outputs.filter(output => /^<[a-z]+ class="nbgemini-live/.test(output.data["text/html"]));
  return cells.at(-1).outputs.length && outputs.length > 150 && !live.length
    && !jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status.includes("busy");
}"""


class Watched:
    """A browser whose pages tell when a script of theirs runs."""

    def __init__(self, browser):
        self._browser = browser
        self.ran = []

    def new_context(self, **how):
        context = self._browser.new_context(**how)
        context.expose_binding("nbgeminiRan", lambda _, what: self.ran.append(what))
        context.add_init_script(HOOK)
        return context


@pytest.fixture(scope="module")
def beacon():
    with Beacon() as listening:
        yield listening


@pytest.fixture(scope="module")
def browser(chromium, beacon):
    """Chromium for which every name in the world leads to the beacon."""
    rules = f"--host-resolver-rules=MAP * 127.0.0.1:{beacon.port}, EXCLUDE 127.0.0.1"
    ours = chromium.browser_type.launch(executable_path=CHROMIUM, args=[*CHROMIUM_FLAGS, rules])
    yield ours
    ours.close()


@pytest.fixture
def page(browser, lab, beacon):
    """A function that opens a notebook in a watched browser and one that says what it did."""
    watched, opened = Watched(browser), []
    beacon.heard.clear()

    def open_one(name, cells):
        opened.append(Notebook(lab, watched, name, cells))
        return opened[-1]

    yield open_one, watched.ran
    for one in opened:
        one.screenshot(f"end-{one.name}")
        one.close()


def cells_of(url, script):
    asks = [f"%%gemini --once\nact {number}" for number in range(len(script))]
    show = f"%gemini show '{CHAT}'"
    return [SETUP.format(url=url), *asks, f"%%gemini --wait -c '{CHAT}' -m '{MODEL}'\nact 0", "%gemini chats", show, "%gemini"]


def settled(book):
    """Wait until all outputs are there and at rest."""
    book.wait(AT_REST)
    book.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def harmless(book, ran, beacon, least):
    found = book.page.evaluate(FOUND)
    assert found["outputs"] >= least
    assert found["text"] > 10_000
    assert (ran, found["found"], book.strangers, beacon.names) == ([], [], [], [])


def is_trusted(book):
    return book.page.evaluate("() => [...jupyterapp.shell.currentWidget.content.model.cells].every(cell => cell.trusted)")


def untrusted(path):
    """A copy that nobody has signed."""
    book = json.loads(path.read_text())
    book["cells"][0]["source"] = "# not ours"
    copy = path.with_name("stranger.json")
    copy.write_text(json.dumps(book))
    return copy


def test_the_rig_sees_what_runs_and_what_leaves(page, beacon):
    """Or the other test would prove nothing."""
    open_one, ran = page
    book = open_one(
        "control",
        ["from IPython.display import Markdown\nMarkdown('<img src=x onerror=alert(1)> ![](https://evil.example/x.png)')"],
    )
    book.run(0)
    book.wait("() => document.querySelector('.jp-OutputArea-output img')")
    deadline = time.monotonic() + PATIENCE / 1000
    while not (ran and book.strangers and any(b"evil.example" in heard for heard in beacon.heard)):
        assert time.monotonic() < deadline, (ran, book.strangers, beacon.heard)
        book.page.wait_for_timeout(20)  # lets the driver hand over what it was told
    assert ran == ["alert 1"]
    assert any("evil.example" in url for url in book.strangers)


@pytest.mark.timeout(300)
def test_nothing_runs_and_nothing_leaves(page, beacon):
    open_one, ran = page
    script = acts()
    with Villain(script) as villain:
        book = open_one("hostile", cells_of(villain.url, script))
        book.run_all()
        settled(book)
        harmless(book, ran, beacon, least=150)
        book.save()
    book.forget()
    book.open()
    assert is_trusted(book)
    settled(book)
    harmless(book, ran, beacon, least=150)
    stranger = open_one("hostile-stranger", untrusted(book.path))
    assert not is_trusted(stranger)
    settled(stranger)
    harmless(stranger, ran, beacon, least=150)
    harmless(exported(book), ran, beacon, least=150)


def exported(book):
    """The page that nbconvert makes of the notebook, opened instead of it."""
    from nbconvert import HTMLExporter

    html, _ = HTMLExporter().from_notebook_node(nbformat.read(book.path, as_version=4))
    file = book.path.with_suffix(".html")
    file.write_text(html)
    book.page.route(OTHERS, lambda route: route.abort())
    book.page.goto(f"{file.as_uri()}", timeout=PATIENCE)
    book.strangers[:] = [url for url in book.strangers if not OTHERS.match(url) and url != file.as_uri()]
    return book


@pytest.mark.timeout(300)
def test_nothing_in_an_export_runs_or_leaves(page, beacon, tmp_path):
    """All of it as one chat, exported: as a notebook opened by JupyterLab and turned into a page, and as Markdown in its preview."""
    open_one, ran = page
    script = acts()
    with Villain(script) as villain:
        asks = [f"%%gemini --wait -c all\nact {number}" for number in range(len(script))]
        exports = [f"%gemini export {tmp_path / name} all --thoughts" for name in ("all.ipynb", "all.md")]
        book = open_one("hostile-chat", [SETUP.format(url=villain.url), *asks, *exports])
        book.run_all()
        book.wait("() => [...jupyterapp.shell.currentWidget.content.model.cells].at(-1).executionCount")
        book.wait("() => !jupyterapp.shell.currentWidget.sessionContext.session.kernel.status.includes('busy')")
    copy = tmp_path / "copy.json"
    copy.write_text((tmp_path / "all.ipynb").read_text())
    shown = open_one("hostile-export", copy)
    shown.page.wait_for_selector(".jp-RenderedMarkdown", timeout=PATIENCE)
    for one in (shown, exported(shown)):
        found = one.page.evaluate(FOUND_IN_TEXT)
        assert found["text"] > 10_000
        assert (ran, found["found"], one.strangers, beacon.names) == ([], [], [], [])
    preview = book.path.with_suffix(".md")
    preview.write_text((tmp_path / "all.md").read_text())
    book.page.evaluate("path => { jupyterapp.commands.execute('markdownviewer:open', {path}) }", preview.name)
    book.page.wait_for_selector(".jp-MarkdownViewer .jp-RenderedMarkdown *", timeout=PATIENCE)
    found = book.page.evaluate(FOUND_IN_TEXT)
    assert (ran, found["found"], book.strangers, beacon.names) == ([], [], [], [])
