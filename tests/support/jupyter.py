"""JupyterLab or Notebook 7 in headless Chromium, driven as a reader would: real clicks, conditions instead of sleeps, screenshots kept."""

from __future__ import annotations

import copy
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat

from tests.support.outputs import kinds_in

CHROMIUM = "/usr/bin/chromium"
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NOT_OURS = (
    "reading 'schema'",  # Notebook 7.6 says so of its own settings when it opens any notebook
    "reading 'processLuminoMessage'",  # ipywidgets says so of a box whose output was replaced while it was still being laid out
    "Could not add child view to box",  # same, while the views of its children were still being made; and what it stumbled over:
    "reading 'widgets'",
    "Could not create a view for model id",  # the same, said of what was inside that one
    "Cannot send",  # JupyterLab says so of comms that ipywidgets closes after the kernel has gone
    "Comm not found for comm id",  # JupyterLab says so of what the kernel answers to another page's widgets
    "widget model not found",  # a page that is loading widgets meets one that begins at that moment; it is mended at rest
)
CELLS = "document.querySelectorAll('.jp-Notebook .jp-Cell')"
SOURCE = Path(__file__).parents[2] / "src"
PATIENCE = 180_000  # milliseconds that a condition may take to come true

EXECUTE = """async ([code, wanted]) => {
  const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const reply = await kernel.requestExecute({code, store_history: false, user_expressions: {wanted}}).done;
  if (reply.content.status !== "ok") throw new Error(reply.content.evalue);
  return reply.content.user_expressions.wanted.data["text/plain"];
}"""


class Lab:
    """A JupyterLab server on a free loopback port."""

    def __init__(self, folder: Path, python: Path | str = sys.executable) -> None:
        """`python` is the interpreter of the environment whose JupyterLab it is."""
        self.folder = folder
        self._python = python
        self.token = secrets.token_hex(16)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        environ = {name: value for name, value in os.environ.items() if name not in ("GEMINI_API_KEY", "GOOGLE_API_KEY")}
        environ |= {"JUPYTER_CONFIG_DIR": str(self.folder / ".config"), "IPYTHONDIR": str(self.folder / ".ipython")}
        environ["PYTHONPATH"] = str(SOURCE)
        environ["JUPYTER_DATA_DIR"] = f"{self.folder}-data"
        environ["JUPYTERLAB_SETTINGS_DIR"] = str(self._settings())
        self._log = (self.folder / "lab.log").open("wb")
        self._process = subprocess.Popen(
            [
                *(self._python, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"),
                *(f"--ServerApp.port={self.port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={self.folder}"),
                *(f"--IdentityProvider.token={self.token}", "--LabApp.expose_app_in_browser=True"),
                *("--LabApp.extension_manager=readonly", "--JupyterNotebookApp.expose_app_in_browser=True"),
            ],
            env=environ,
            cwd=self.folder,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._wait_until_it_answers()
        return self

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        self._log.close()

    def _settings(self) -> Path:
        """A settings folder: no questions about news, and every cell in the page, also those out of sight."""
        folder = self.folder / ".settings"
        for name, text in {
            "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}',
            "notebook-extension/tracker": '{"windowingMode": "none"}',
        }.items():
            file = folder / "@jupyterlab" / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True)
            file.write_text(text)
        return folder

    def forget_theme(self):
        """The next page is light again."""
        settings = self.folder / ".settings" / "@jupyterlab" / "apputils-extension"
        (settings / "themes.jupyterlab-settings").unlink(missing_ok=True)

    def end_session(self, path: str):
        """Shut down the kernel of a notebook, for its processes would stay until the server's end."""
        for session in json.loads(self._ask("GET", "sessions")):
            if session["path"] == path:
                self._ask("DELETE", f"sessions/{session['id']}")

    def _ask(self, method: str, what: str) -> bytes:
        request = urllib.request.Request(
            f"{self.url}/api/{what}", method=method, headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=PATIENCE / 1000) as answer:
            return answer.read()

    def _wait_until_it_answers(self):
        deadline = time.monotonic() + PATIENCE / 1000
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                self._ask("GET", "status")
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)  # a poll of a process that has no event to wait for
            else:
                return
        raise RuntimeError((self.folder / "lab.log").read_text()[-2000:])


class Notebook:
    """One notebook in one browser page."""

    def __init__(self, lab: Lab, browser, name: str, cells, front_end: str = "lab") -> None:
        self.front_end = front_end
        self.path = lab.folder / f"{name}.ipynb"
        self.name = name
        if not isinstance(cells, Path):
            book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
            book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
            nbformat.write(book, self.path)
        else:
            self.path.write_bytes(cells.read_bytes())
        self.errors: list[str] = []
        self.strangers: list[str] = []
        self.bytes_received = 0
        self._lab = lab
        lab.forget_theme()
        self._browser = browser
        self._contexts = []
        self._context = self._new_context()
        self.page = self._context.new_page()
        self.page.on("pageerror", self._note_error)
        self.page.on("console", self._note_console)
        self.page.on("request", self._note_request)
        self.page.on("websocket", lambda socket: socket.on("framereceived", self._note_frame))
        self.open()

    def _new_context(self):
        self._contexts.append(self._browser.new_context(viewport={"width": 1200, "height": 900}))
        self._contexts[-1].set_default_timeout(PATIENCE)
        return self._contexts[-1]

    def open(self, workspace=""):
        """Open, or reload, and wait until the kernel is ready."""
        way = "notebooks" if self.front_end == "notebook" else f"lab/workspaces/{self.name}{workspace}/tree"
        self.page.goto(f"{self._lab.url}/{way}/{self.path.name}?token={self._lab.token}&reset")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")
        self.wait("() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'")
        self.page.evaluate("() => jupyterapp.shell.collapseLeft()")

    def second_tab(self, before=None):
        """The same notebook in another tab; `before` is called with its page, before that opens."""
        return self._second_page(self._context, before)

    def second_user(self, before=None):
        """The same notebook in another user's browser; `before` is called with its page, before that opens."""
        return self._second_page(self._new_context(), before)

    def _second_page(self, context, before=None):
        other = copy.copy(self)
        other.page = context.new_page()
        if before is not None:
            before(other.page)
        other.page.on("pageerror", self._note_error)
        other.open("second")
        return other

    def leave(self):
        """Go to a page where nothing of the notebook is."""
        self.page.goto("about:blank")

    def forget(self):
        """Shut the kernel down, so that the next page meets one that knows no widget."""
        self._lab.end_session(self.path.name)

    def close(self):
        for context in self._contexts:
            context.close()
        self._lab.end_session(self.path.name)

    def run(self, number: int):
        """Click into the cell and press Shift-Enter."""
        cell = self.cell(number)
        cell.locator(".jp-InputArea-editor").first.click()
        self.page.keyboard.press("Shift+Enter")

    def run_all(self):
        """Run every cell, through the menu's command."""
        self.page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells') }")

    def execute(self, code: str, wanted: str = "None") -> str:
        """Run code in the kernel without a cell, and return an expression's repr afterwards."""
        return self.page.evaluate(EXECUTE, [code, wanted])

    def cell(self, number: int):
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number)

    def outputs(self, number: int):
        """The output areas of a cell, in order."""
        return self.cell(number).locator(".jp-OutputArea-child")

    def texts(self, number: int) -> list[str]:
        """What a reader sees of each output of a cell."""
        return self.outputs(number).all_inner_texts()

    def prompt(self, number: int) -> str:
        return self.cell(number).locator(".jp-InputPrompt").inner_text()

    def wait(self, condition: str, argument=None):
        """Wait until a JavaScript condition of the page is true."""
        return self.page.wait_for_function(condition, arg=argument)

    def wait_reply(self, number: int):
        """Wait until the kernel is done with a cell: after a failure it drops what was sent before."""
        self.wait(
            "n => /\\d/.test(document.querySelectorAll('.jp-Notebook .jp-Cell')[n].querySelector('.jp-InputPrompt').textContent)",
            number,
        )

    def wait_text(self, number: int, text: str):
        """Wait until a cell's outputs contain a text."""
        self.wait(
            "([n, text]) => document.querySelectorAll('.jp-Notebook .jp-Cell')[n]"
            "?.querySelector('.jp-Cell-outputWrapper')?.textContent.includes(text)",
            [number, text],
        )

    def held(self):
        """What the page would save now."""
        return self.page.evaluate("() => jupyterapp.shell.currentWidget.content.model.toJSON()")

    def save(self):
        """Save through the keyboard and return the file's content."""
        before = self.path.stat().st_mtime_ns
        self.page.keyboard.press("Control+s")
        deadline = time.monotonic() + PATIENCE / 1000
        while time.monotonic() < deadline:
            self.page.wait_for_timeout(50)
            if self.path.stat().st_mtime_ns != before:
                try:
                    return json.loads(self.path.read_text())
                except json.JSONDecodeError:
                    continue  # it is being written
        raise TimeoutError(f"{self.path.name} was not saved")

    def may_use_clipboard(self, *, write=True):
        """Let the page read the clipboard, and write it or not."""
        self._context.clear_permissions()
        self._context.grant_permissions(["clipboard-read", *(["clipboard-write"] if write else [])])

    def clipboard(self) -> str:
        return self.page.evaluate("() => navigator.clipboard.readText()")

    def dark(self, dark=True):
        """Switch to JupyterLab's dark theme, or back."""
        theme, is_light = ("JupyterLab Dark", "false") if dark else ("JupyterLab Light", "true")
        self.page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
        self.wait("light => document.body.dataset.jpThemeLight === light", is_light)

    def clear(self):
        """Empty all outputs."""
        self.page.evaluate("() => jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
        self.wait("() => !document.querySelector('.jp-Notebook .jp-OutputArea-child')")

    def screenshot(self, name: str):
        folder = Path(os.environ.get("NBGEMINI_SCREENSHOTS", "screenshots"))
        folder.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(folder / f"{name}.png"))

    def _note_console(self, said):
        if said.type == "error":
            self._note_error(f"{said.text} {said.location['url']}")

    def _note_error(self, error):
        if not any(words in str(error) for words in NOT_OURS):
            self.errors.append(str(error))

    def _note_frame(self, payload):
        self.bytes_received += len(payload)

    def _note_request(self, request):
        if not request.url.startswith((self._lab.url, "data:", "blob:")):
            self.strangers.append(request.url)


def start(notebook, *cells, front_end="lab"):
    """Open a notebook that has loaded nbgemini on its offline service, and has these `cells` below."""
    book = notebook(["%load_ext nbgemini\n%gemini demo", *cells], front_end=front_end)
    book.run(0)
    book.wait_text(0, "offline service")
    return book


def kinds(saved, number):
    """Return the kinds of the outputs of a cell in a saved notebook."""
    return kinds_in(saved["cells"][number]["outputs"])
