"""What the line below an answer says, in words: model, tokens, cost, time, how it ended, and what it waits for."""

from __future__ import annotations

from math import ceil

from nbgemini.chat.reply import Reply
from nbgemini.formatting import duration_text, money_text, percent, tokens_text
from nbgemini.messages.events import Queued, Retrying, Uploading

_ENDINGS = {"interrupted": "stopped", "truncated": "cut off", "blocked": "blocked", "failed": "failed"}
_TELLING, _WARNING = 0.5, 0.8  # of a window


def status_text(reply: Reply) -> str:
    """Return the whole line as text."""
    if not reply.done:
        return f"{facts_text(reply)} · {doing_text(reply) or 'streaming'}"
    words = reply.exchange.note if reply.state == "truncated" and not reply.so_far.error else ""
    ending = words or _ENDINGS.get(reply.state, "")
    return " · ".join(word for word in (facts_text(reply), duration_text(reply.seconds), ending, window_text(reply)) if word)


def misfit_text(reply: Reply) -> str:
    """Return where an answer is not what was asked for, or nothing; a reader who stopped it knows."""
    return "" if reply.state == "interrupted" else reply.so_far.misfit


def doing_text(reply: Reply) -> str:
    """Return what an answer waits for before it goes on, or nothing."""
    match reply.notice:
        case Retrying(why, _, attempt, attempts):
            return f"{why}, retrying in {ceil(reply.wait_left)} s ({attempt} of {attempts})"
        case Uploading(name, sent, size):
            return f"uploading {name} {100 * sent // size} %" if sent < size else f"the service looks at {name}"
        case Queued(ahead):
            return f"waiting: {ahead} ahead" if ahead else "waiting: next in line"
    if reply.state != "waiting":
        return ""
    return "waiting for approval" if reply.so_far.segments else "waiting for its turn"


def badge_text(reply: Reply) -> str:
    """Return what marks an answer that is not Gemini's own, now, or nothing."""
    return reply.so_far.badge


def window_text(reply: Reply) -> str:
    """Return how full the chat's window is once that is more than half, with the way out before it is full."""
    if reply.chat is None or not reply.window or reply.so_far.context <= reply.window * _TELLING:
        return ""
    filled = f"context {percent(reply.so_far.context, reply.window)} full"
    warns = reply.so_far.context >= reply.window * _WARNING
    return f"⚠ {filled} → %gemini drop, reset or fork before it is" if warns else filled


def facts_text(reply: Reply) -> str:
    """Return who answered, with how many tokens, for how much."""
    money = "nothing spent" if reply.so_far.played else "" if reply.so_far.offline else money_text(reply.so_far.cost)
    return " · ".join(word for word in (reply.model, tokens_text(reply.so_far.usage), money) if word)


def page_of(reply: Reply) -> dict[str, str]:
    """Return a reply as static HTML, sanitised, and as LaTeX, for IPython, marimo, Quarto and nbconvert.

    A reply that is still streaming is shown as far as it has arrived, and its status line says so.
    """
    from nbgemini.render.latex import verbatim  # noqa: PLC0415 - the renderer, where somebody looks at a reply
    from nbgemini.render.mimebundle import at_rest, error_bundle, status_bundle  # noqa: PLC0415

    trouble = str(reply.so_far.error) if reply.so_far.error else misfit_text(reply)
    line, badge = status_text(reply), badge_text(reply)
    last = error_bundle(" · ".join(filter(None, (badge, line))), trouble) if trouble else status_bundle(line, badge)
    bundles = [*(at_rest(segment, reply.options) for segment in reply.so_far.segments), last]
    latex = "".join(bundle.get("text/latex") or verbatim(bundle["text/plain"]) for bundle in bundles)
    return {"text/html": "".join(bundle["text/html"] for bundle in bundles), "text/latex": latex}
