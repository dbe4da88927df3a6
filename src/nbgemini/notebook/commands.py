"""%gemini COMMAND: where we stand, and everything that is not a prompt.

Every command is a function of the session and the rest of its line; those that ask the service are coroutines. What they show
is a table or a line, never model text unsanitised.
"""

from __future__ import annotations

import getpass
import shlex
import sys
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from nbgemini.errors import ConfigurationError, NbGeminiError, PromptError
from nbgemini.notebook import surroundings
from nbgemini.notebook.arguments import Ask, nearest
from nbgemini.transcript import Exchange

if TYPE_CHECKING:
    from nbgemini.notebook.session import Session

Command: TypeAlias = Callable[["Session", str], Coroutine[Any, Any, None] | None]


def status(session: Session, rest: str) -> None:
    """Show where we stand: model, backend, chats, running streams, tokens and cost so far."""
    from nbgemini.notebook.status import money_text, tokens_text  # noqa: PLC0415

    _no_more(rest)
    client, spent = session.client, session.spending
    running = ", ".join(job.chat.name or "one-shot" for job in session.jobs.running)
    key = "offline, none needed" if session.backend == "offline" else "set" if client.settings.key else "none → %gemini key"
    rows = [
        ("model", client.settings.model),
        ("backend", session.backend),
        ("key", key),
        ("chats", ", ".join(f"{chat.name} ({len(chat.transcript)})" for chat in client.chats.values()) or "none yet"),
        ("running", running or "nothing"),
        ("tokens", tokens_text(spent.usage) or "0"),
        ("cost", money_text(spent.cost) or "$0"),
    ]
    _show_table(("", "nbgemini"), rows)


async def models(session: Session, rest: str) -> None:
    """List the service's models whose name contains FILTER."""
    from nbgemini.prices import price_of  # noqa: PLC0415

    word = rest.strip().lower()
    found = [model for model in await session.client.list_models() if model.answers and word in model.name.lower()]
    if not found:
        raise PromptError(f"no model's name contains {word!r}; %gemini models lists all")
    rows = [
        (
            model.name,
            _limit(model.input_limit),
            _limit(model.output_limit),
            "yes" if model.thinking else "",
            price_of(model.name),
        )
        for model in found
    ]
    _show_table(("model", "input tokens", "output tokens", "thinks", "USD per million in / out"), rows)


def chats(session: Session, rest: str) -> None:
    """List the chats."""
    _no_more(rest)
    running = {job.chat.name for job in session.jobs.running}
    rows = [
        (chat.name, str(len(chat.transcript)), chat.options.model, "running" if chat.name in running else "")
        for chat in session.client.chats.values()
    ]
    rows += [(name, str(count), "", f"saved {_day(at)}; %gemini load {name}") for name, count, at in _saved_chats(session)]
    _show_table(("chat", "turns", "model", ""), rows or [("none yet", "", "", "")])


def show(session: Session, rest: str) -> None:
    """Show a whole chat again from its transcript, or as a former kernel of this notebook left it."""
    from nbgemini.notebook.recall import recall  # noqa: PLC0415

    chat = _named_chat(session, rest, also=[name for name, *_ in _saved_chats(session)])
    if len(chat.transcript):
        recall(chat, chat.transcript)
        return
    saved = session.journal.exchanges(chat.name) if session.journal else []
    if saved:
        _show_line(f"{chat.name}, as a former kernel left it; %gemini load {chat.name} continues it")
        recall(chat, saved)
    else:
        _show_line(f"{chat.name}: nothing asked yet")


def load(session: Session, rest: str) -> None:
    """Continue a chat that a former kernel of this notebook left; `load A B` calls it B."""
    words = _words(rest)
    name = _only_name(words[:1]) or session.config.chat
    saved = session.journal.exchanges(name) if session.journal else []
    if not saved or session.journal is None:
        known = [row[0] for row in _saved_chats(session)]
        raise PromptError(f"no former kernel left a chat {name!r}{nearest(name, known)}; %gemini chats lists what there is")
    called: str = _only_name(words[1:]) or name
    chat = session.client.chat(called)
    if len(chat.transcript):
        count = _turns(len(chat.transcript))
        raise PromptError(f"{chat.name} has {count} already; %gemini load {name} NAME loads the saved ones as another chat")
    chat.transcript.exchanges[:] = saved
    session.journal.adopt(called, saved, former=name)
    _show_line(f"{chat.name}: {_turns(len(saved))} loaded; the next prompt continues them")


def journal(session: Session, rest: str) -> None:
    """List the last N requests (10): when, model, outcome, tokens, cost, time to the first text and in all."""
    from nbgemini.notebook.status import money_text  # noqa: PLC0415

    words = _words(rest)
    if len(words) > 1 or (words and not words[0].isdigit()):
        raise PromptError(f"%gemini journal takes a number, not {rest.strip()!r}")
    if session.journal is None:
        raise ConfigurationError('there is no journal; %config Gemini.journal = "auto" begins one')
    rows = [
        (
            datetime.fromtimestamp(row["at"]).astimezone().strftime("%Y-%m-%d %H:%M:%S"),
            row["chat"] or "(once)",
            row["model"] + (" (offline)" if row["offline"] else ""),
            " ".join(filter(None, (row["state"], row["error"]))),
            f"{row['input']:,} / {row['thought']:,} / {row['output']:,}",
            money_text(row["cost"]),
            "" if row["first"] is None else f"{row['first']:.2f} s",
            f"{row['seconds']:.1f} s",
        )
        for row in session.journal.requests(int(words[0]) if words else 10)
    ]
    _show_table(("when", "chat", "model", "outcome", "tokens in / thought / out", "cost", "first text", "in all"), rows)
    if session.journal.trouble:
        _show_line(session.journal.trouble)


def reset(session: Session, rest: str) -> None:
    """Forget a chat, for good: what former kernels saved of it too; its streams are stopped first."""
    chat = _named_chat(session, rest, also=[name for name, *_ in _saved_chats(session)])
    session.jobs.stop(chat.name)
    count = len(chat.transcript)
    chat.transcript.clear()
    if session.journal:
        session.journal.forget(chat.name)
    _show_line(f"{chat.name}: {_turns(count)} forgotten")


def fork(session: Session, rest: str) -> None:
    """Branch a chat: `fork A B` begins B with all that was said in A."""
    words = _words(rest)
    if len(words) != 2:  # noqa: PLR2004 - from and to
        raise PromptError("%gemini fork takes two names: the chat to branch, and the new one's")
    chat, name = _named_chat(session, shlex.quote(words[0])), words[1]
    if name in session.client.chats and len(session.client.chats[name].transcript):
        raise PromptError(f"there is a chat {name!r} already; %gemini reset {name} forgets it")
    branch = session.client.chat(name)
    branch.options, branch.toolbox = chat.options, chat.toolbox
    branch.transcript.exchanges[:] = [exchange for exchange in chat.transcript if exchange.state not in ("running", "waiting")]
    if session.journal:
        session.journal.replace(name, branch.transcript.exchanges)
    _show_line(f"{name}: {_turns(len(branch.transcript))} of {chat.name}; -c {name} continues there")


def drop(session: Session, rest: str) -> None:
    """Forget the last turn of a chat."""
    chat = _named_chat(session, rest)
    if not len(chat.transcript):
        raise PromptError(f"{chat.name} has no turn to drop")
    last = chat.transcript.exchanges[-1]
    if last.state in ("running", "waiting"):
        raise PromptError(f"{chat.name} is still answering; %gemini stop {chat.name} first")
    chat.transcript.exchanges.pop()
    if session.journal:
        session.journal.replace(chat.name, chat.transcript.exchanges)
    _show_line(f"{chat.name}: the last turn is forgotten, {_turns(len(chat.transcript))} left")


def stop(session: Session, rest: str) -> None:
    """Stop the streams of a chat (default: the current one), or of all; what arrived is kept."""
    words = _words(rest)
    if words == ["--all"]:
        _show_line(_stopped(len(session.jobs.stop())))
        return
    name: str | None = _only_name(words) or session.config.chat
    running = [job.chat.name for job in session.jobs.running]
    if name not in running and not words and running:
        name = running[-1]  # nothing of the current chat runs, but something does
    _show_line(_stopped(len(session.jobs.stop(name)) if name or running else 0))


def key(session: Session, rest: str) -> None:
    """Ask for the API key and keep it in memory only."""
    if rest.strip():
        raise PromptError("a key is never typed into a cell, where it would be saved; run %gemini key alone, it asks")
    if surroundings.kernel_of(session.shell) is not None and not surroundings.someone_sits_there(session.shell):
        raise ConfigurationError("nobody to ask for a key here; set GEMINI_API_KEY instead")
    typed = getpass.getpass("Gemini API key: ").strip()
    if not typed:
        raise PromptError("no key was typed; nothing changed")
    session.set_key(typed)
    _show_line("key kept in memory until the kernel ends")


def demo(session: Session, rest: str) -> None:
    """Switch to the offline service (no key, no network), or back with `off`."""
    words = _words(rest)
    if words == ["off"]:
        session.leave_demo()
        _show_line("live service from here on")
        return
    if words not in ([], ["fast"]):
        raise PromptError("%gemini demo, %gemini demo fast (no pauses), or %gemini demo off")
    session.enter_demo(0.0 if words else 1.0)
    _show_line("offline service from here on: no key, no network, prepared answers; %gemini demo off ends it")


async def doctor(session: Session, rest: str) -> None:
    """Check versions, key, reachability and widgets."""
    from nbgemini.doctor import versions  # noqa: PLC0415

    _no_more(rest)
    rows = [
        *versions(),
        ("backend", session.backend),
        ("key", "set" if session.client.settings.key else "none → %gemini key"),
    ]
    rows.append(
        (
            "front end",
            "someone sits there" if surroundings.someone_sits_there(session.shell) else "headless: cells wait",
        )
    )
    try:
        rows.append(("service", f"reachable, {len(await session.client.list_models())} models"))
    except NbGeminiError as error:
        rows.append(("service", f"✗ {error}"))
    _show_table(("check", "found"), rows)


def _ask(_session: Session, _rest: str) -> None:
    """Ask in one line: %gemini ask [options] your question."""
    raise AssertionError("the magic handles ask itself")


def _retry(_session: Session, _rest: str) -> None:
    """Ask a chat's last prompt once more; its old answer is forgotten."""
    raise AssertionError("the magic handles retry itself")


COMMANDS: dict[str, Command] = {
    "": status,
    "ask": _ask,
    "models": models,
    "chats": chats,
    "show": show,
    "load": load,
    "reset": reset,
    "fork": fork,
    "drop": drop,
    "retry": _retry,
    "stop": stop,
    "journal": journal,
    "key": key,
    "demo": demo,
    "doctor": doctor,
}


def last_asked(session: Session, rest: str) -> tuple[Ask, Exchange]:
    """Return what `%gemini retry [CHAT]` asks again.

    Raises:
        PromptError: nothing was asked, or it is still being answered.
    """
    chat = _named_chat(session, rest)
    if not len(chat.transcript):
        raise PromptError(f"{chat.name} has no prompt to ask again")
    last: Exchange = chat.transcript.exchanges[-1]
    if last.state in ("running", "waiting"):
        raise PromptError(f"{chat.name} is still answering; %gemini stop {chat.name} first")
    return Ask(chat=chat.name), last


def command_of(line: str) -> tuple[str, str]:
    """Split a line into its command and the rest.

    Raises:
        PromptError: there is no such command; the message names the nearest.
    """
    name, _, rest = line.strip().partition(" ")
    if name not in COMMANDS:
        raise PromptError(f"no command {name!r}{nearest(name, COMMANDS)}; %gemini? lists them (a question: %gemini ask …)")
    return name, rest


def commands_manual() -> str:
    """Return the text of `%gemini?`."""
    rows = [f"  %gemini {name:8} {(command.__doc__ or '').splitlines()[0]}" for name, command in COMMANDS.items()]
    return "\n".join(["Everything about Gemini that is not a prompt (prompts: %%gemini).", "", *rows])


def _words(rest: str) -> list[str]:
    try:
        return shlex.split(rest)
    except ValueError:
        raise PromptError(f"a quote is not closed in: {rest}") from None


def _only_name(words: list[str]) -> str | None:
    if len(words) > 1 or (words and words[0].startswith("-")):
        raise PromptError(f"expected the name of a chat, not {' '.join(words)!r}")
    return words[0] if words else None


def _saved_chats(session: Session) -> list[tuple[str, int, float]]:
    """Return the chats of former kernels that this one has not begun; a headless run is the same every time, and has none."""
    headless = surroundings.kernel_of(session.shell) is not None and not surroundings.someone_sits_there(session.shell)
    saved = session.journal.chats() if session.journal and not headless else []
    begun = {chat.name for chat in session.client.chats.values() if len(chat.transcript)}
    return [row for row in saved if row[0] not in begun]


def _turns(count: int) -> str:
    return f"{count} turn{'' if count == 1 else 's'}"


def _day(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")


def _named_chat(session: Session, rest: str, also: Sequence[str] = ()) -> Any:
    name = _only_name(_words(rest))
    known = [*session.client.chats, *also]
    if name is not None and name not in known:
        raise PromptError(f"no chat {name!r}{nearest(name, known)}; %gemini chats lists them")
    return session.client.chat(name or session.config.chat)


def _no_more(rest: str) -> None:
    if rest.strip():
        raise PromptError(f"nothing goes after this command: {rest.strip()!r}")


def _stopped(count: int) -> str:
    return "nothing is running" if not count else f"stopped {count} stream{'' if count == 1 else 's'}; what arrived is kept"


def _limit(tokens: int | None) -> str:
    return f"{tokens:,}" if tokens else ""


def _show_table(headers: tuple[str, ...], rows: list[Any]) -> None:
    from nbgemini.render.bundle import table_bundle  # noqa: PLC0415

    _publish(table_bundle(headers, rows))


def _show_line(line: str) -> None:
    from nbgemini.render.bundle import status_bundle  # noqa: PLC0415

    _publish(status_bundle(line))


def _publish(data: dict[str, Any]) -> None:
    from IPython.display import display  # noqa: PLC0415

    display(data, raw=True)
    sys.stdout.flush()
