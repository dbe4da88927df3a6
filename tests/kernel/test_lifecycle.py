"""Loaded twice, unloaded, reset, restarted, shut down: streams end or go on as said, quietly, and no socket stays open."""

from __future__ import annotations

import re
import time

import pytest

from tests.fakes.raw import END, STALL, event, head, text_frame
from tests.kernel.conftest import (
    PATIENCE,
    Kernel,
    at_rest,
    complaints,
    is_final_status,
    kinds,
    outputs,
    parent,
    said,
)
from tests.support.kernel_cells import slow
from tests.support.raw_service import Service

NOISE = re.compile(r"Traceback|\w*Warning: |never (awaited|retrieved)|was destroyed|Exception ignored|Unclosed|ERROR")
THEIRS = re.compile(r"[/\\](ipykernel|ipywidgets|jupyter_client|IPython)[/\\]|<zmq\.|the object allocation traceback")
COMPLETE = [head() + event(text_frame("All of it.", finish="STOP")) + END]
HALF = [head() + event(text_frame("Half of ")), STALL]


@pytest.fixture
def service(request):
    with Service(*request.param) as running:
        yield running


@pytest.fixture
def lively(python, service, tmp_path):
    """A kernel that asks `service`, and that keeps in files what an ipykernel would send, or lose on its way out."""
    with (tmp_path / "process").open("w") as stderr:
        running = Kernel(
            python, stderr=stderr, PYTHONWARNINGS="default", GOOGLE_GEMINI_BASE_URL=service.url, GEMINI_API_KEY="k"
        )
        path = str(tmp_path / "python")
        flags = "os.O_WRONLY | os.O_CREAT | os.O_APPEND"
        running.run(f"import os, sys\nsys.stderr = open(os.open({path!r}, {flags}), 'w', buffering=1, closefd=False)")
        running.run("%load_ext nbgemini")
        yield running
        running.close()


def half_an_answer(kernel):
    """Start a cell, wait until its answer is being shown, and return the cell and its messages so far."""
    mine = kernel.send("%%gemini\nhello")
    return mine, kernel.until(lambda message: parent(message) == mine and said(message).get("kind") == "answer")


def noise(folder):
    """Lines that complain, in all that the process has written; those about Jupyter itself are not ours."""
    lines = [line for name in ("process", "python") for line in (folder / name).read_text().splitlines()]
    return [line for line in lines if NOISE.search(line) and not THEIRS.search(line)]


@pytest.mark.parametrize("again", ["%load_ext nbgemini", "%reload_ext nbgemini"])
def test_loading_again_mid_stream_leaves_one_of_everything(fresh_kernel, again):
    """One magic, one hook, one entry of the settings, and the next prompt works."""
    count = "shell = get_ipython()\nprint(len(shell.input_transformers_post), [c.__class__.__name__ for c in shell.configurables].count('Gemini'), len(shell.events.callbacks['pre_run_cell']))"
    fresh_kernel.run("%load_ext nbgemini\n%gemini demo fast")
    once = fresh_kernel.text(count)
    mine = fresh_kernel.send(f"%%gemini\n{slow('l', 100, 0.02)}")
    fresh_kernel.until(lambda message: parent(message) == mine and said(message).get("kind") == "answer")
    messages = fresh_kernel.run(again)
    assert fresh_kernel.text(count) == once
    messages += fresh_kernel.run("%gemini demo fast\n%gemini ask --once --wait what is 20 + 3")
    assert complaints(messages) == []
    assert "**23**" in fresh_kernel.text("print(_gemini.text)")


def test_settings_are_made_when_they_are_first_asked_for(fresh_kernel):
    made = "import sys\nprint('nbgemini.notebook.config' in sys.modules)"
    assert fresh_kernel.text(f"%load_ext nbgemini\n{made}").split() == ["False"]
    assert "Gemini" in fresh_kernel.text("%config").split()
    assert "How much to think" in fresh_kernel.text("%config Gemini")
    fresh_kernel.run("%config Gemini.retries = 5")
    assert fresh_kernel.text("print(get_ipython()._nbgemini[1].runner.session.config.retries)") == "5\n"


def test_settings_of_a_configuration_file_hold_at_once_and_a_wrong_one_is_reported(fresh_kernel):
    fresh_kernel.run("section = get_ipython().config.Gemini\nsection.latex, section.retries = False, 'x'")
    assert "ignored a setting: Gemini.retries: " in fresh_kernel.text("%load_ext nbgemini")
    assert fresh_kernel.text("from nbgemini._environment import HOST\nprint(HOST.latex, HOST.durations)") == "False True\n"


def test_unloading_mid_stream_keeps_what_came_and_says_nothing(fresh_kernel):
    fresh_kernel.run("%load_ext nbgemini\n%gemini demo fast")
    mine = fresh_kernel.send(f"%%gemini\n{slow('u', 400)}")
    messages = fresh_kernel.until(lambda message: parent(message) == mine and said(message).get("kind") == "answer")
    fresh_kernel.send("%unload_ext nbgemini")
    messages += fresh_kernel.until(is_final_status)
    shown = outputs(messages, mine)
    assert kinds(shown) == ["answer", "status"]
    assert re.fullmatch("u+", shown[0]["data"]["text/plain"])
    assert len(shown[0]["data"]["text/plain"]) < 800
    assert "stopped" in shown[1]["data"]["text/plain"]
    messages += fresh_kernel.run("import gc; gc.collect()")
    messages += fresh_kernel.run("%load_ext nbgemini\n%gemini demo fast\n%gemini ask --once --wait what is 20 + 3")
    assert "**23**" in fresh_kernel.text("print(_gemini.text)")
    assert complaints(messages) == []


def test_reset_mid_stream_forgets_names_and_stops_nothing(kernel):
    mine = kernel.send(f"%%gemini --once\n{slow('r', 40, 0.02)}")
    messages = kernel.until(lambda message: parent(message) == mine and said(message).get("kind") == "answer")
    messages = at_rest(kernel, mine, messages + kernel.run("%reset -f"))
    shown = outputs(messages, mine)
    assert shown[0]["data"]["text/plain"] == "r" * 80
    messages += kernel.run("%gemini\n%gemini ask --once --wait what is 20 + 3")
    assert complaints(messages) == []
    assert "**23**" in kernel.text("print(_gemini.text)")


@pytest.mark.parametrize("service", [[HALF], [COMPLETE]], ids=["mid_stream", "idle_connection"], indirect=True)
@pytest.mark.parametrize("how", ["restart", "shutdown"])
def test_leaving_is_quick_and_quiet_and_hangs_up(lively, service, how, tmp_path):
    """The process ends by itself (no signal was needed), complains of nothing, and the service sees it go."""
    half_an_answer(lively)
    began = time.perf_counter()
    assert lively.leave(how) == 0
    print(f"{how}: {time.perf_counter() - began:.2f} s")
    assert service.left.wait(PATIENCE)
    assert noise(tmp_path) == []


@pytest.mark.parametrize("service", [[HALF]], indirect=True)
def test_after_a_restart_everything_works(lively, service):
    half_an_answer(lively)
    lively.leave("restart")
    lively.client.wait_for_ready(timeout=PATIENCE)
    lively.run("%load_ext nbgemini")
    half_an_answer(lively)
    assert len(service.requests) == 2


@pytest.mark.parametrize("service", [[HALF]], indirect=True)
def test_unloading_hangs_up_on_a_running_stream(lively, service, tmp_path):
    mine, messages = half_an_answer(lively)
    lively.send("%unload_ext nbgemini")
    messages += lively.until(is_final_status)
    assert service.left.wait(PATIENCE)
    assert outputs(messages, mine)[0]["data"]["text/plain"] == "Half of "
    messages += lively.run("import gc; gc.collect()")
    assert complaints(messages) + noise(tmp_path) == []


@pytest.mark.parametrize("service", [[COMPLETE]], indirect=True)
def test_unloading_closes_the_connections_kept_for_the_next_prompt(lively, service, tmp_path):
    messages = lively.run("%%gemini --wait\nhello")
    messages += lively.run("%unload_ext nbgemini")
    assert service.left.wait(2)
    messages += lively.run("import gc; gc.collect()")
    assert complaints(messages) + noise(tmp_path) == []


@pytest.mark.parametrize("service", [[COMPLETE]], indirect=True)
def test_changed_settings_leave_no_connection_behind(lively, service, tmp_path):
    """The next prompt opens a connection of its own; the old one is closed, not left to the garbage collector."""
    lively.run("import gc; gc.disable()\n%gemini ask --wait hello")
    lively.run("%config Gemini.connect_timeout = 5")
    lively.run("%gemini ask --wait hello\ngc.collect()")
    assert noise(tmp_path) == []
    assert (len(service.requests), service.open) == (2, 1)
