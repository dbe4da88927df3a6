"""What all tests share: the golden streams, a clean environment, the offline service."""

from __future__ import annotations

import atexit
import json
import os
import tempfile
from pathlib import Path

import hypothesis
import pytest

from tests.canary import CANARY, no_byte_holds_the_key  # noqa: F401 - a fixture for all
from tests.support.front_ends import FRONT_ENDS, PLAYED

# The same examples every time, however busy the machine; `pytest --hypothesis-profile=random` looks for others.
hypothesis.settings.register_profile("same", deadline=None, derandomize=True, database=None)
hypothesis.settings.register_profile("random", deadline=None)
hypothesis.settings.load_profile("same")

FRAMES = Path(__file__).parent / "frames"
_data = tempfile.TemporaryDirectory(prefix="nbgemini-tests-")
os.environ["JUPYTER_DATA_DIR"] = _data.name  # no test writes to the journal of whoever runs it
atexit.register(_data.cleanup)


OTHERS = ("anthropic_", "interactions_", "openai_")  # how the names of streams in other dialects than Gemini's begin


def golden_names():
    return sorted(path.stem for path in FRAMES.glob("*.sse") if not path.stem.startswith(OTHERS))


def golden_bytes(name):
    return (FRAMES / f"{name}.sse").read_bytes()


def golden_frames(name):
    return [json.loads(event.removeprefix(b"data: ")) for event in golden_bytes(name).split(b"\r\n\r\n") if event]


def as_array(frames):
    """The same frames as Google's other framing writes them."""
    return b"[" + b"\n,\r\n".join(json.dumps(frame, indent=2, ensure_ascii=False).encode() for frame in frames) + b"\n]"


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["played"] = dict(PLAYED)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    PLAYED.update(getattr(node, "workeroutput", {}).get("played", {}))


def pytest_terminal_summary(terminalreporter):
    if PLAYED["kernels"]:
        terminalreporter.write_line(
            f"the logs of {PLAYED['logs']} of {PLAYED['kernels']} kernels, {PLAYED['messages']:,} messages,"
            f" x {len(FRONT_ENDS)} models of front ends: the same outputs"
        )


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch):
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL", "GOOGLE_GENAI_API_VERSION", "NBGEMINI_CACHE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def service():
    from tests.fakes.services import FakeServices

    with FakeServices(pace=0) as running:
        yield running


@pytest.fixture
def settings(service):
    from nbgemini import Settings
    from nbgemini.secrets import Secret

    return Settings(key=Secret(CANARY), base_url=service.url, model="gemini-3.8-flash")


@pytest.fixture
async def client(settings):
    from nbgemini import Client

    async with Client(settings, sleep=soon) as ours:
        yield ours


async def soon(_seconds):
    """Wait for nothing before a request is sent again."""


@pytest.fixture(autouse=True)
def _magics(monkeypatch):
    """Let messages name the options and commands of the magics, as in a notebook."""
    from nbgemini._environment import HOST

    monkeypatch.setattr(HOST, "magics", True)


@pytest.fixture(autouse=True)
def _full_budget(monkeypatch):
    """Let no test live on what others have left for sending again."""
    from nbgemini.transport import retry

    monkeypatch.setattr(retry, "BUDGET", retry.RetryBudget())
