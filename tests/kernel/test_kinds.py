"""Everything that a model sends is shown, once, live and at rest, and readable where there is no kernel."""

from __future__ import annotations

import base64
import json
import re

import nbformat
import pytest
from nbconvert import HTMLExporter

from tests.kernel.conftest import at_rest, kinds, outputs, parent, said
from tests.kinds import KINDS, PARTS, prompt
from tests.render.checker import faults
from tests.support.outputs import is_live, kind_of
from tests.support.runners import execute

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
SIDE = 1640  # pixels: 8 MB


@pytest.fixture(scope="module")
def shown(kernel):
    mine = kernel.send(f"%%gemini -c kinds\n{prompt()}")
    messages = at_rest(kernel, mine, kernel.until(lambda message: said(message).get("kind") == "status"))
    return outputs(messages, mine)


def htmls(shown, kind):
    return [output["data"]["text/html"] for output in shown if kind_of(output["data"]) == kind]


def test_each_kind_has_an_output_of_its_own_in_the_order_of_the_wire(shown):
    assert kinds(shown) == [*KINDS, "status"]
    for output in shown:
        assert set(output["data"]) - {"text/latex"} == {"text/html", "text/plain"}
        assert not is_live(output["data"])
        assert faults(output["data"]["text/html"]) == []


def test_an_answer_names_its_sources_where_it_rests_on_them(shown):
    (answer,), (sources,) = htmls(shown, "answer"), htmls(shown, "citations")
    assert "430 000 people.<sup>[1]</sup>" in answer
    assert "One café more 🙂.<sup>[2]</sup>" in answer
    assert "(stats.example)" in sources
    assert "not read (paywall)" in sources
    assert "rendered" not in sources
    assert "<style" not in sources


def test_what_is_shown_again_is_what_was_shown(kernel, shown):
    messages = kernel.run("%gemini show kinds")
    again = outputs(messages, parent(messages[-1]))
    assert kinds(again) == ["prompt", *KINDS]
    assert [output["data"] for output in again[2:]] == [
        output["data"] for output in shown[1:-1]
    ]  # a thought's time is not kept


def test_a_large_picture_travels_once_and_is_kept_once(kernel):
    """Live and at rest: one message holds it."""
    mine = kernel.send(f"%%gemini -c large\n{prompt([['image', 'large', SIDE], ['answer', 'so']])}")
    messages = at_rest(kernel, mine, kernel.until(lambda message: said(message).get("kind") == "status"))
    large = [len(text) for message in messages if (text := json.dumps(message["content"])) and len(text) > 1_000_000]
    picture = int(kernel.text("print(len(_gemini.images[0].data))"))
    assert picture > 8_000_000
    assert len(large) == 1
    assert large[0] < picture * 4 / 3 + 10_000
    size = int(kernel.text(_SIZE))
    assert size < picture * 4 / 3 * 1.1 + 100_000


_SIZE = """import os, sqlite3, time
path = os.path.join(os.environ["JUPYTER_DATA_DIR"], "nbgemini", "journal.sqlite3")
until, size = time.monotonic() + 20, None
while size is None and time.monotonic() < until:
    time.sleep(0.05)
    row = sqlite3.connect(path).execute(
        "SELECT SUM(LENGTH(parts)) FROM came JOIN exchange ON exchange.id = came.exchange "
        "WHERE chat='large' AND state='complete' GROUP BY exchange.id ORDER BY exchange.id DESC").fetchone()
    size = row and row[0]
print(size)"""


def test_speech_that_still_comes_is_a_line_and_then_one_sound(kernel):
    mine = kernel.send(f"%%gemini -c speech\n{prompt([['audio', 3]], gap=0.2)}")
    messages = at_rest(kernel, mine, kernel.until(lambda message: said(message).get("kind") == "status"))
    shown = [message["content"] for message in messages if said(message).get("kind") == "audio"]
    assert [is_live(content["data"]) for content in shown] == [True, False]
    assert shown[0]["data"]["text/plain"] == "Sound is coming…"
    assert "(3.0 s, WAV" in shown[1]["data"]["text/plain"]


def test_the_options_ask_the_service_for_its_tools(kernel):
    messages = kernel.run("%%gemini --once --wait --search --run-code --urls\nRead https://a.example/x")
    assert kinds(outputs(messages, parent(messages[-1]))) == ["answer", "code", "code_result", "answer", "citations", "status"]


@pytest.fixture(scope="module")
def book():
    cells = ["%load_ext nbgemini\n%gemini demo fast", f"%%gemini\n{prompt()}"]
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in cells])
    execute(made)
    return made


def test_a_headless_run_has_all_of_it_in_its_file(book):
    assert kinds(book.cells[1].outputs) == [*KINDS, "status"]


def test_the_page_that_nbconvert_makes_shows_all_of_it(book):
    html, _ = HTMLExporter().from_notebook_node(book)
    body = html[html.index("<body") :]
    pictures = [base64.b64decode(data) for data in re.findall(r'<img[^>]*src="data:image/png;base64,([^"]+)"', body)]
    assert [data[:4] for data in pictures] == [b"\x89PNG"] * 2
    assert re.search(r'<audio controls[^>]* src="data:audio/wav;base64,UklGR', body)
    for text in ("Picture from the model (PNG", "Code the model ran", "It failed", "<sup>[2]</sup>", "(guide.example)"):
        assert text in body
    assert len(PARTS) == len(KINDS)
