"""The command line: `nbgemini demo`, `nbgemini serve`, `nbgemini doctor`; also `python -m nbgemini`."""

from __future__ import annotations

import argparse
import errno
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from nbgemini._environment import versions
from nbgemini.errors import ConfigurationError, nearest

_NOTEBOOK = "01-quickstart.ipynb"
_FOLDER = Path("nbgemini-demo")
_NEEDED = "needs JupyterLab: pip install 'nbgemini[demo]'"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Exit with one line, and no usage above it."""
        problem = message.removeprefix("argument ").replace("expected one argument", "a value is missing")
        if match := re.fullmatch(r"COMMAND: invalid choice: '(.*)' \(choose from (.+?)\)", problem):
            known = match[2].replace("'", "").split(", ")
            problem = f"no command {match[1]!r}{nearest(match[1], known)}; there are {', '.join(known)}"
        self.exit(2, f"{self.prog}: {problem} → {self.prog} --help\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuse what is left over here, where it is known which command it was typed behind."""
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            options = [name for action in self._actions for name in action.option_strings]
            self.error(f"unexpected {' '.join(rest)}{nearest(rest[0], options)}")
        return found, rest


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    if not hasattr(options, "run"):
        parser.print_help(sys.stderr)
        return 2
    try:
        return int(options.run(options) or 0)
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="nbgemini", description="Gemini in Jupyter: the demo, the offline service, and a check of the installation."
    )
    parser.add_argument("-V", "--version", action="version", version=f"nbgemini {dict(versions())['nbgemini']}")
    commands = parser.add_subparsers(metavar="COMMAND")
    demo = commands.add_parser("demo", help="open the example notebooks in JupyterLab, offline")
    demo.add_argument("folder", type=Path, nargs="?", default=_FOLDER, help="folder for the notebooks (default: %(default)s)")
    demo.add_argument("--headless", action="store_true", help="run the quick start without a browser, and print its outputs")
    demo.set_defaults(run=_demo)
    serve = commands.add_parser("serve", help="run the offline service for other programs")
    serve.add_argument("--port", type=_port, default=8765, help="port (default: %(default)s); 0: any free port")
    serve.add_argument("--pace", type=_pace, default=1.0, help="length of pauses (default: 1, natural speed); 0: none")
    serve.add_argument("--cassette", type=Path, help="cassette to answer from (*.gemini.jsonl)")
    serve.set_defaults(run=_serve)
    commands.add_parser("doctor", help="show installed versions, and whether an API key is set").set_defaults(run=_doctor)
    return parser


def _demo(options: argparse.Namespace) -> int:
    if options.headless:
        with tempfile.TemporaryDirectory(prefix="nbgemini-demo-") as folder:
            return _run_headless(_copy_examples(Path(folder)))
    if not _importable("jupyterlab"):
        print(f"nbgemini demo {_NEEDED} (or, in the terminal: nbgemini demo --headless)", file=sys.stderr)
        return 1
    try:
        notebook = _copy_examples(options.folder)
    except OSError as error:
        print(f"nbgemini demo: can't write to {options.folder}: {error.strerror} → nbgemini demo FOLDER", file=sys.stderr)
        return 1
    print(f"The example notebooks are in {notebook.parent.resolve()}; your changes to them are kept.", flush=True)
    return _open_lab(notebook)


def _copy_examples(folder: Path) -> Path:
    """Copy the example notebooks that are not in a folder yet; return the quick start."""
    here = Path(__file__).parent
    places = [here / "demo", here.parents[1] / "notebooks"]  # in the wheel beside the code, in a clone at its place
    examples = next(place for place in places if (place / _NOTEBOOK).exists())
    folder.mkdir(parents=True, exist_ok=True)
    for example in sorted(examples.glob("*.ipynb")):
        if not (folder / example.name).exists():
            shutil.copy(example, folder)
    return folder / _NOTEBOOK


def _open_lab(notebook: Path) -> int:
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={notebook.parent}", str(notebook)]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # in a container there is often no one else
    return subprocess.call(command, env=_without_key())  # noqa: S603 - our own interpreter


def _run_headless(notebook: Path) -> int:
    if not _importable("nbclient"):
        print(f"nbgemini demo --headless {_NEEDED}", file=sys.stderr)
        return 1
    import nbformat  # noqa: PLC0415 - an extra
    from nbclient import NotebookClient  # noqa: PLC0415

    book = nbformat.read(notebook, as_version=4)
    os.environ.update(_without_key())
    where = {"metadata": {"path": str(notebook.parent)}}
    try:
        NotebookClient(book, timeout=300, kernel_name="python3", resources=where).execute()
    except Exception as error:  # noqa: BLE001 - no kernel, one that died, a cell that failed
        *_, line = str(error).strip().splitlines() or [type(error).__name__]
        print(f"nbgemini demo: the notebook did not run to its end: {line} → nbgemini doctor", file=sys.stderr)
        return 1
    for cell in book.cells:
        _print_cell(cell)
    return 0


def _print_cell(cell: Any) -> None:
    if cell.cell_type == "markdown":
        print(f"\n{cell.source}\n")
        return
    print("\n".join(f"In  ▏ {line}" for line in cell.source.splitlines()))
    for output in cell.get("outputs", ()):
        text = output.get("text") or output.get("data", {}).get("text/plain") or output.get("evalue", "")
        print("\n".join(f"    ▏ {line}" for line in str(text).rstrip().splitlines()))
    print()


def _serve(options: argparse.Namespace) -> int:
    from nbgemini.offline.server import OfflineService  # noqa: PLC0415

    try:
        service = OfflineService(port=options.port, pace=options.pace, cassette=options.cassette).start()
    except ConfigurationError as error:
        print(f"nbgemini serve: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        why = "is taken" if error.errno == errno.EADDRINUSE else f"can't be used: {error.strerror}"
        print(f"nbgemini serve: port {options.port} {why} → --port with another number, or 0 for a free one", file=sys.stderr)
        return 1
    with service:
        print(
            "nbgemini's offline service speaks Gemini's protocol, and plays recordings in Anthropic's and OpenAI's,"
            f" at {service.url} (Ctrl-C stops it)"
        )
        print(f"  GOOGLE_GEMINI_BASE_URL={service.url} GEMINI_API_KEY=offline")
        print(f"  ANTHROPIC_BASE_URL={service.url} ANTHROPIC_API_KEY=offline")
        print(f"  OPENAI_BASE_URL={service.url}/v1 OPENAI_API_KEY=offline", flush=True)
        service.wait()
    return 0


def _port(text: str) -> int:
    """Return the number of a port."""
    if not (text.isdecimal() and len(text) <= len("65535") and int(text) < 2**16):
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, not {text!r}")
    return int(text)


def _pace(text: str) -> float:
    """Return a factor by which answers are slowed down."""
    try:
        pace = float(text)
    except ValueError:
        pace = math.nan
    if not 0 <= pace < math.inf:
        raise argparse.ArgumentTypeError(f"a pace is 0 or more, not {text!r}")
    return pace


def _doctor(_: argparse.Namespace) -> int:
    for name, found in versions():
        print(f"{name:14}{found}")
    named = [name for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY") if os.environ.get(name)]
    print(f"{'key':14}{' and '.join(named) or 'none (set GEMINI_API_KEY)'}")
    return 0


def _without_key() -> dict[str, str]:
    """Return the environment without keys: the demo never talks to anyone."""
    return {name: value for name, value in os.environ.items() if name not in ("GOOGLE_API_KEY", "GEMINI_API_KEY")}


def _importable(name: str) -> bool:
    from importlib.util import find_spec  # noqa: PLC0415

    return find_spec(name) is not None


if __name__ == "__main__":
    sys.exit(main())
