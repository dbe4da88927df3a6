"""Objects, code and plain text in real kernels: what the file keeps, what Python has, and what is refused in one line."""

from __future__ import annotations

import json

from tests.kernel.conftest import PATIENCE, at_rest, kinds, outputs, parent

PLANET = "import pydantic\nclass Planet(pydantic.BaseModel):\n    name: str\n    mass: float"
CODE = "x = 6 * 7\nprint(x)"


def directed(text, **how):
    return f"offline: {json.dumps({'parts': [['answer', text]], **how})}"


def asked(kernel, cell, **how):
    messages = kernel.run(cell, **how)
    mine = parent(messages[-1])
    return outputs(at_rest(kernel, mine, messages), mine)


def errors(messages):
    return [message["content"]["evalue"] for message in messages if message["msg_type"] == "error"]


def test_a_list_of_objects(kernel):
    kernel.run(PLANET)
    shown = asked(kernel, "%%gemini --schema list[Planet] -o planets\nThe planets?")
    assert kinds(shown) == ["thought", "answer", "status"]
    answer = shown[1]["data"]
    assert set(answer) == {"text/html", "text/plain"}
    assert json.loads(answer["text/plain"])[2] == {"name": "Earth", "mass": 1.0}
    assert "<table><thead><tr><th>name</th><th>mass</th></tr></thead>" in answer["text/html"]
    assert kernel.text("print(planets.parsed[2], len(planets.parsed))").strip() == "name='Earth' mass=1.0 8"


def test_awaiting_a_reply_gives_the_object(kernel):
    kernel.run(PLANET)
    kernel.run("%%gemini --once --schema Planet -o one\nEarth?")
    assert kernel.text("print((await one).parsed.name)").strip() == "Earth"


def test_without_widgets_it_is_the_same_at_rest(kernel):
    kernel.run(f"%config Gemini.widgets = False\n{PLANET}")
    shown = asked(
        kernel, f"%%gemini --schema list[Planet]\n{directed(json.dumps([{'name': 'Mars', 'mass': 0.1}] * 20), pieces=30)}"
    )
    kernel.run("%config Gemini.widgets = True")
    assert shown[0]["data"]["text/html"].count("<tr>") == 21


def test_an_answer_that_does_not_fit_is_shown_with_one_line(kernel):
    kernel.run(PLANET)
    for wait in ("", " --wait"):
        shown = asked(kernel, f"%%gemini --schema Planet{wait}\n{directed(json.dumps({'name': 'Mars', 'mass': 'x'}))}")
        assert kinds(shown) == ["answer", "status"]
        assert shown[1]["data"]["text/plain"].startswith("⚠ the answer does not match Planet: at mass: Input should be")
    assert kernel.text("print(_gemini.state, _gemini.parsed)").strip() == "complete None"


def test_what_is_no_type_is_refused_with_the_nearest_name(kernel):
    kernel.run(PLANET)
    [error] = errors(kernel.run("%%gemini --schema list[Plant]\nhi"))
    assert error == "--schema: no type 'Plant' in this notebook (did you mean Planet?)"
    kernel.run("class Endless(pydantic.BaseModel):\n    inner: 'Endless | None'")
    [error] = errors(kernel.run("%%gemini --schema Endless\nhi"))
    assert error.startswith("Endless can't be a schema: Endless.inner contains itself without end")
    assert errors(kernel.run("%%gemini --schema Planet -f code\nhi")) == ["--schema can't be combined with -f code"]


def test_code_of_a_waiting_cell_comes_with_its_reply(kernel):
    kernel.run(f"%%gemini -f code --wait\n{directed(f'```python{chr(10)}{CODE}{chr(10)}```')}")
    assert kernel.text("print(_gemini.code)").strip() == CODE
    mine = kernel.send(f"%%gemini -f code --wait\n{directed(f'```python{chr(10)}{CODE}{chr(10)}```')}")
    reply = kernel.client.get_shell_msg(timeout=PATIENCE)
    assert parent(reply) == mine
    assert [entry for entry in reply["content"]["payload"] if entry["source"] == "set_next_input"] == [
        {"source": "set_next_input", "text": CODE, "replace": False}
    ]
    kernel.until(lambda message: parent(message) == mine and message["content"].get("execution_state") == "idle")


def test_code_of_a_cell_that_returned_has_a_button_and_headless_none(kernel):
    cell = f"%%gemini -f code\n{directed(f'```python{chr(10)}{CODE}{chr(10)}```')}"
    assert "notebook:insert-cell-below" in asked(kernel, cell)[0]["data"]["text/html"]
    assert "<button" not in asked(kernel, cell, sits=False)[0]["data"]["text/html"]


def test_json_and_text(kernel):
    shown = asked(kernel, "%%gemini -f json --once\nhi")
    assert json.loads(shown[-2]["data"]["text/plain"])["asked"] == "hi"
    assert kernel.text("print(_gemini.parsed['asked'])").strip() == "hi"
    shown = asked(kernel, f"%%gemini -f text\n{directed('# no *heading* <b>')}")
    assert "<pre># no *heading* &lt;b&gt;</pre>" in shown[0]["data"]["text/html"]
    kernel.run("%config Gemini.format = 'text'")
    shown = asked(kernel, f"%%gemini\n{directed('*x*')}")
    kernel.run("%config Gemini.format = 'markdown'")
    assert "<pre>*x*</pre>" in shown[0]["data"]["text/html"]


def test_a_reply_as_the_last_expression_shows_like_its_answer(kernel):
    kernel.run(PLANET)
    asked(kernel, "%%gemini --once --schema list[Planet] -o planets\nThe planets?")
    [result] = [message for message in kernel.run("planets") if message["msg_type"] == "execute_result"]
    assert "<th>mass</th>" in result["content"]["data"]["text/html"]
    assert "text/markdown" not in result["content"]["data"]
    assert kernel.text("print(f'{planets:.5}', str(planets) == planets.text)").split() == ['[{"na', "True"]
