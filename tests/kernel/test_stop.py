"""Every way to stop closes the connection at once, keeps what arrived, and leaves chat and loop healthy."""

from __future__ import annotations

import time

import pytest

from tests.fakes.raw import END, STALL, event, head, text_frame
from tests.kernel.conftest import PATIENCE, Kernel, is_final_status, kinds, outputs, parent, said
from tests.support.raw_service import Service

HALF = [head() + event(text_frame("Half of ")), STALL]
WHOLE = [head() + event(text_frame("All of it.", finish="STOP")) + END]
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def started(python):
    """A kernel, and the service that it asks."""
    with Service(WHOLE) as service:
        kernel = Kernel(python, GOOGLE_GEMINI_BASE_URL=service.url, GEMINI_API_KEY="k")
        kernel.run("%load_ext nbgemini")
        kernel.run("from nbgemini.notebook.display import widget")  # loaded, so that the first line is a widget
        yield kernel, service
        kernel.close()


@pytest.fixture
def half(started):
    """The same, with an answer that stalls in the middle: whatever the test before did, the next request gets that one."""
    kernel, service = started
    kernel.run("%gemini stop --all")
    service.play(HALF, WHOLE)
    return started


def ask(kernel, options=""):
    """Ask, wait until half an answer is there, and return the cell and the model behind the Stop button."""
    mine = kernel.send(f"%%gemini -c talk {options}\nTell me all of it.")
    messages = kernel.until(lambda message: parent(message) == mine and said(message).get("kind") == "answer")
    messages += kernel.until(lambda message: message["msg_type"] == "comm_msg" and "Half" in str(message["content"]))
    return mine, messages, next(m["content"]["comm_id"] for m in messages if is_status(m))


def is_status(message):
    state = message["content"].get("data", {}).get("state", {}) if message["msg_type"] == "comm_open" else {}
    return state.get("role") == "status"


def click(kernel, model, subshell=None):
    """What a page sends when its reader clicks Stop."""
    content = {"comm_id": model, "data": {"method": "custom", "content": {"type": "stop"}}}
    message = kernel.client.session.msg("comm_msg", content)
    if subshell:
        message["header"]["subshell_id"] = subshell
    kernel.client.shell_channel.send(message)


def stopped(kernel, service, mine, messages, stop):
    """Stop, time the closing of the connection, and look at what is left."""
    service.left.clear()
    began = time.perf_counter()
    stop()
    assert service.left.wait(PATIENCE)
    spent = time.perf_counter() - began
    messages += kernel.until(is_final_status)
    shown = outputs(messages, mine)
    assert kinds(shown)[:2] == ["answer", "status"]
    assert shown[0]["data"]["text/plain"] == "Half of "
    assert "stopped" in shown[1]["data"]["text/plain"]
    assert not [output for output in shown if "error" in output]
    return spent


def goes_on(kernel):
    """The next prompt of the chat, with the half answer in its history, and the loop."""
    kernel.run("%%gemini -c talk --wait\nGo on.")
    state = kernel.text("import asyncio\nawait asyncio.sleep(0)\nprint(_gemini.state, _gemini.text)\n_gemini.stop()")
    assert state.strip() == "complete All of it."


def create_subshell(kernel):
    """Return a new subshell's name; ipykernel 6 knows none."""
    if kernel.text("print(getattr(get_ipython().kernel, '_supports_kernel_subshells', False))").strip() != "True":
        pytest.skip("this kernel has no subshells")
    control = kernel.client.control_channel
    control.send(kernel.client.session.msg("create_subshell_request", {}))
    return control.get_msg(timeout=PATIENCE)["content"]["subshell_id"]


@pytest.mark.parametrize("where", ["the main shell", "a subshell"])
@pytest.mark.parametrize("clicks", [1, 2])
def test_the_stop_button(half, where, clicks):
    kernel, service = half
    subshell = create_subshell(kernel) if where == "a subshell" else None
    mine, messages, model = ask(kernel)
    spent = stopped(kernel, service, mine, messages, lambda: [click(kernel, model, subshell) for _ in range(clicks)])
    print(f"click on {where} to closed connection: {spent * 1000:.1f} ms")
    goes_on(kernel)


def test_the_stop_button_while_a_cell_holds_the_loop(half):
    """The click waits for the loop as everything does; the answer ends as soon as it is free, before the next cell runs."""
    kernel, service = half
    mine, messages, model = ask(kernel)

    def stop():
        kernel.send("import time\nprint('held', flush=True)\ntime.sleep(2)\nprint('let go:', _gemini.state, flush=True)")
        messages.extend(kernel.until(lambda message: "held" in message["content"].get("text", "")))
        click(kernel, model)
        messages.extend(kernel.until(lambda message: "let go: running" in message["content"].get("text", "")))

    spent = stopped(kernel, service, mine, messages, stop)
    print(f"click to closed connection, 2 s of a held loop among them: {spent * 1000:.1f} ms")
    goes_on(kernel)


@pytest.mark.parametrize(
    "line", ["%gemini stop talk", "%gemini stop --all", "%gemini stop", "_gemini.stop()", "_gemini.stop(); _gemini.stop()"]
)
def test_stop_in_a_cell(half, line):
    kernel, service = half
    mine, messages, _ = ask(kernel)
    spent = stopped(kernel, service, mine, messages, lambda: kernel.send(line))
    print(f"{line} to closed connection: {spent * 1000:.1f} ms")
    goes_on(kernel)


def test_an_interrupt_between_cells(half):
    kernel, service = half
    mine, messages, _ = ask(kernel)
    spent = stopped(kernel, service, mine, messages, kernel.interrupt)
    print(f"interrupt to closed connection: {spent * 1000:.1f} ms")
    goes_on(kernel)


def test_an_interrupt_while_the_cell_waits(half):
    """Back at the prompt within half a second, with at most three lines."""
    kernel, service = half
    mine = kernel.send("%%gemini -c talk --wait\nTell me all of it.")
    kernel.until(lambda message: parent(message) == mine and said(message).get("kind") == "answer")
    service.left.clear()
    began = time.perf_counter()
    kernel.interrupt()
    messages = kernel.until(lambda message: parent(message) == mine and message["content"].get("execution_state") == "idle")
    print(f"interrupt to prompt: {(time.perf_counter() - began) * 1000:.0f} ms")
    assert service.left.wait(PATIENCE)
    (error,) = [message["content"] for message in messages if message["msg_type"] == "error"]
    assert len(error["traceback"]) == 1
    assert kernel.text("print(_gemini.state, _gemini.text)").strip() == "interrupted Half of"
    goes_on(kernel)
