"""`%gemini cache`: what the cache holds, and what it saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbgemini.errors import ConfigurationError, nearest
from nbgemini.formatting import money_text, plural, tokens_text
from nbgemini.messages.media import size_text
from nbgemini.messages.turns import Usage
from nbgemini.notebook.commands.common import show_line, show_table, split_words, usage_error

if TYPE_CHECKING:
    from nbgemini.cache import Cache, CacheStats
    from nbgemini.notebook.session import Session
    from nbgemini.prices import Prices

_NONE = 'there is no cache; %config Gemini.cache = "sqlite" keeps whole answers on disk, "memory" until the kernel ends'
_UNITS = (("day", 24 * 3600), ("hour", 3600), ("minute", 60))


async def cache(session: Session, rest: str) -> None:
    """Show where answers are cached, for how long, the hit rate and what it saved; `clear` empties the cache."""
    words = split_words(rest)
    if words not in ([], ["clear"]):
        raise usage_error("cache", f"{rest.strip()!r} is not understood{nearest(rest.strip(), ['clear'])}")
    kept = session.client.cache
    if kept is None:
        show_line(_NONE)
    elif words:
        count = await kept.clear()
        if count is None:
            raise ConfigurationError(f"the cache was not cleared: {kept.where} does not respond")
        show_line(f"{plural(count, 'answer')} removed from {kept.where}")
    else:
        await _show(kept, session.client.settings.prices)


async def _show(kept: Cache, prices: Prices) -> None:
    rows = [
        ("where", kept.where),
        ("kept", await _size_text(kept)),
        ("for", f"{_time_text(kept.limits.seconds)}; at most {kept.bound}"),
        ("this kernel", _rate_text(kept.stats)),
        ("saved", _saved_text(kept.stats, prices)),
        *([("trouble", kept.trouble + ("" if kept.resting else " (it works again)"))] if kept.trouble else []),
    ]
    show_table(("", "cache"), rows)


async def _size_text(kept: Cache) -> str:
    size = None if kept.resting else await kept.size()
    if size is None:
        return "unknown"
    return f"{plural(size.entries, 'answer')}{' or more' if size.more else ''}, {size_text(size.bytes)}"


def _rate_text(stats: CacheStats) -> str:
    if stats.rate is None:
        return "no requests yet"
    shared = f", {stats.shared:,} shared" if stats.shared else ""
    return f"{plural(stats.hits, 'hit')}{shared}, {stats.misses:,} missed: hit rate {stats.rate:.0%}"


def _saved_text(stats: CacheStats, prices: Prices) -> str:
    """Return tokens, and money where prices are known: of each answer by itself, since long ones may cost more."""
    usage = sum((used for (_, used), times in stats.saved.items() for _ in range(times)), Usage())
    costs = [(prices.cost(model, used), times) for (model, used), times in stats.saved.items()]
    money = sum(cost * times for cost, times in costs if cost)
    return " · ".join(filter(None, (tokens_text(usage), money_text(money)))) or "nothing yet"


def _time_text(seconds: float) -> str:
    for name, length in _UNITS:
        if seconds >= length:
            return plural(round(seconds / length), name)
    return plural(round(seconds), "second")
