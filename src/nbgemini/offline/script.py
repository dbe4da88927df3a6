"""What the offline service answers: a script of timed frames, the same for the same request."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, structs

from nbgemini.messages.segments import code_of
from nbgemini.offline.canned_answers import Run, media_answer, written_answer
from nbgemini.offline.cell_fixes import fix_cell
from nbgemini.offline.code_explanations import explain
from nbgemini.offline.directive import Directive, parse_directive, refuse_as_directed, scripted_parts
from nbgemini.offline.input_report import Head, report
from nbgemini.offline.models import family
from nbgemini.offline.schema_answers import BEFORE, PromptValues, adapted, answer_in, from_openapi
from nbgemini.offline.stream import ScriptedPart, Timed, gemini_frames, within_limits
from nbgemini.offline.validation import callable_names, choice_of, declared_functions, is_answer_to_calls, mode_of
from nbgemini.providers.common.json import as_dict

_FIRST_PIECE = 9
_PIECES = (31, 57, 44, 72, 26, 63)  # characters: uneven, as real chunks are
_THINKS, _BETWEEN = 0.8, 0.12  # seconds at natural pace
_CALL = re.compile(r"call ([A-Za-z_][\w.:-]*)\(([^()]*)\)")
_VERBS = re.compile("and|ask|call|data|find|for|get|list|make|name|read|run|set|show|the|tool|write")
_CODE_ONLY = "with code only"  # in a system instruction
_FILLING = "**Filling the form**\n\nWhat the prompt says goes in, in its order; the rest is made up, as no model is here.\n\n\n"
_OVERLOADED = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}


class Script(Struct, frozen=True):
    """Timed frames and what goes wrong on the way; `natural` pauses follow the service's pace."""

    frames: list[Timed]
    natural: bool = True
    cut: int | None = None
    stall: int | None = None
    until: str | None = None


def answer_to(
    body: dict[str, Any], model: str, earlier: int = 0, head: Head = lambda _: (b"", 0)
) -> tuple[list[ScriptedPart], Directive]:
    """Return what there is to say to a valid, normalised request, in no protocol yet, and the directive of its prompt.

    `earlier` requests have asked the very same; `head` has the files.
    """
    directive = parse_directive(_prompts(body)[-1])
    refuse_as_directed(directive, earlier)
    said, finish = within_limits(_scripted(directive, body, model, head), body.get("generationConfig", {}), directive.finish)
    return said, structs.replace(directive, finish=finish)


def gemini_script(body: dict[str, Any], model: str, response_id: str, earlier: int, head: Head) -> Script:
    """Return the answer as Gemini's frames."""
    said, directive = answer_to(body, model, earlier, head)
    frames = gemini_frames(said, body["contents"], model, directive.finish)
    for _, frame in frames:
        frame |= {"modelVersion": model, "responseId": response_id}
    if directive.fault is not None and directive.fault <= len(frames):
        frames[directive.fault :] = [(0.0, _OVERLOADED)]
    return Script(frames, natural=directive.gap is None, cut=directive.cut, stall=directive.stall, until=directive.until)


def _prompts(body: dict[str, Any]) -> list[str]:
    users = [content for content in body["contents"] if content.get("role", "user") != "model"]
    asked = [content["parts"] for content in users if not is_answer_to_calls(content)]
    return ["".join(part.get("text", "") for part in parts if not part.get("thought")) for parts in asked]


def _scripted(directive: Directive, body: dict[str, Any], model: str, head: Head) -> list[ScriptedPart]:
    """Return what the directive says, but no call that has been answered; without one, what there is to say."""
    directed = scripted_parts(directive)
    answered = is_answer_to_calls(body["contents"][-1])
    if directed is not None and not (answered and any("functionCall" in said.part for said in directed)):
        return directed
    said = _unscripted(body, model, head)
    return said if directive.gap is None else [structs.replace(item, wait=directive.gap) for item in said]


def _unscripted(body: dict[str, Any], model: str, head: Head) -> list[ScriptedPart]:
    if calls := _calls(body):
        return [ScriptedPart({"functionCall": call}, _BETWEEN) for call in calls]
    if is_answer_to_calls(body["contents"][-1]):
        return _with_pauses(_in_form(body, [("answer", _results_text(body["contents"][-1]))]))
    if (more := media_answer(body, model, _prompts(body)[-1])) is not None:
        return more
    thinking = body.get("generationConfig", {}).get("thinkingConfig", {})
    thinks = family(model).thinks and thinking.get("includeThoughts") and thinking.get("thinkingBudget") not in (0, "0")
    prompts = _prompts(body)
    prompt, last = prompts[-1], body["contents"][-1]
    runs = fix_cell(prompt) or explain(prompt) or report(last, head) or written_answer(prompts, callable_names(body))
    return _with_pauses(_in_form(body, [run for run in runs if run[0] == "answer" or thinks]))


def _in_form(body: dict[str, Any], runs: list[Run]) -> list[Run]:
    """Return what there is to say in the form that was asked for: JSON, or nothing but code."""
    config = body.get("generationConfig", {})
    thoughts = [run for run in runs if run[0] == "thought"][:1]
    filling = [("thought", _FILLING)] if thoughts else []
    if config.get("responseMimeType") == "application/json":
        return [*filling, ("answer", answer_in(_schema(config), _prompts(body)[-1]))]
    if config.get("responseMimeType") == "text/x.enum":
        return [*filling, ("answer", str(json.loads(answer_in(_schema(config), _prompts(body)[-1]))))]
    if _CODE_ONLY in json.dumps(body.get("systemInstruction", "")).lower():
        answer = "".join(text for kind, text in runs if kind == "answer")
        code = code_of(answer) or f"print({answer.partition(chr(10))[0].replace('**', '')!r})"
        return [*thoughts, ("answer", f"```python\n{code}\n```")]
    return runs


def _schema(config: dict[str, Any]) -> Any:
    """Return the schema of the answer, whichever of two ways it is written in; None if there is none."""
    written = config.get("responseSchema")
    return config.get("responseJsonSchema") if written is None else from_openapi(written)


def _results_text(content: dict[str, Any]) -> str:
    results = [part["functionResponse"] for part in content["parts"]]
    said = "\n".join(f"- `{result['name']}` gave `{json.dumps(result.get('response'))}`" for result in results)
    return f"The tools have answered:\n\n{said}\n\n*From nbgemini's offline service, not from Gemini.*"


def _calls(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the calls that the prompt asks for, once; or the one that the request leaves no choice about, every time.

    Where the prompt only mentions what a function is called after, that one is called with what the prompt says.
    """
    prompt, names = _prompts(body)[-1], set(callable_names(body))
    answered = is_answer_to_calls(body["contents"][-1])
    found = [] if answered else [(name, _keywords(text)) for name, text in _CALL.findall(prompt) if name in names]
    calls = [{"name": name, "args": args} for name, args in found if args is not None]
    call = None if calls else _forced_call(body, prompt) or (None if answered else _mentioned_call(body, prompt))
    return calls or ([call] if call else [])


def _keywords(text: str) -> dict[str, Any] | None:
    """Return the arguments of a call, or None: words in brackets are not always one."""
    try:
        call = ast.parse(f"f({text})", mode="eval").body
        keywords = call.keywords if isinstance(call, ast.Call) else []
        args = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in keywords}
        return dict(json.loads(json.dumps(args, allow_nan=False, ensure_ascii=False).encode()))
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):  # or not one that JSON can say
        return None


def _with_pauses(runs: list[tuple[str, str]]) -> list[ScriptedPart]:
    said: list[ScriptedPart] = []
    for kind, text in runs:
        if kind == "thought":
            said.append(ScriptedPart({"text": text, "thought": True}, _THINKS))
        else:
            said += [ScriptedPart({"text": piece}, _BETWEEN) for piece in _cut_unevenly(text)]
    return said


def _cut_unevenly(text: str) -> list[str]:
    pieces, start, number = [text[:_FIRST_PIECE]], _FIRST_PIECE, 0
    while start < len(text):
        size = _PIECES[number % len(_PIECES)]
        pieces.append(text[start : start + size])
        start, number = start + size, number + 1
    return pieces


def _forced_call(body: dict[str, Any], prompt: str) -> dict[str, Any] | None:
    """Return the call that a request leaves no choice about: of the first function allowed, with arguments of its types."""
    config, declared = choice_of(body), declared_functions(body)
    if mode_of(config) != "ANY" or not declared:
        return None
    allowed = config.get("allowedFunctionNames")
    name = next(iter(allowed or declared))
    schema = _parameters(declared.get(name, {}))
    args = json.loads(answer_in(schema, prompt)) if schema.get("properties") else {}
    return {"name": name, "args": args if isinstance(args, dict) else {}}


def _mentioned_call(body: dict[str, Any], prompt: str) -> dict[str, Any] | None:
    """Return a call of the function whose name the prompt mentions; None if there is none, or the prompt lacks an argument."""
    words = _words(prompt)
    for name in callable_names(body):
        named = _words(name)
        if any(word in words and not _VERBS.fullmatch(word) for word in named):
            schema = _parameters(declared_functions(body)[name])
            plain = {*named, *_words(" ".join(schema.get("properties", ())))}
            begins = BEFORE.union(named if words[0] in named or _VERBS.fullmatch(words[0]) else ())
            readings = (PromptValues(prompt, before, plain) for before in ((), BEFORE, begins))
            args = next((args for values in readings if (args := _args_in(values, schema)) is not None), None)
            return None if args is None else {"name": name, "args": args}
    return None


def _words(text: str) -> list[str]:
    """Return the words of a prompt or a name, which may be written likeThis."""
    return re.findall(r"[^\W\d_]{3,}", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).lower())


def _args_in(values: PromptValues, schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the choices that a prompt names and the arguments that must be given; None if it lacks one of these."""
    fields = {str(name): as_dict(field) for name, field in as_dict(schema.get("properties")).items()}
    chosen = {name: values.chosen(field["enum"]) for name, field in fields.items() if isinstance(field.get("enum"), list)}
    for name in map(str, schema.get("required", ())):
        if name not in chosen:
            chosen[name] = values.take(name, str(fields.get(name, {}).get("type", "string")))
    args = {name: value for name, value in chosen.items() if value is not None}
    return args if args.keys() >= set(map(str, schema.get("required", ()))) else None


def _parameters(function: Mapping[str, Any]) -> dict[str, Any]:
    schema = function.get("parametersJsonSchema")
    found = schema if isinstance(schema, dict) else from_openapi(function.get("parameters"))
    return dict(adapted({"type": "object", **found}, "parameters"))
