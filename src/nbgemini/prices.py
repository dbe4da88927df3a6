"""What tokens cost: a dated list of prices per million tokens in USD; a model that is not on it has no price.

Invariants: the list is data, and so is its date; nothing is guessed: cached tokens without a price cost what others do.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from nbgemini._storage import read_regular
from nbgemini.errors import ConfigurationError
from nbgemini.messages.turns import Usage

_DAY = re.compile(r"-20\d\d-?[01]\d-?[0-3]\d$")  # as Anthropic and OpenAI name their snapshots
_LARGEST = 4 * 2**20  # bytes of a file
_Usd = Annotated[float, Meta(ge=0, le=1e6)]
_SHIPPED = Path(__file__).with_name("prices.json")


class Rates(Struct, frozen=True, forbid_unknown_fields=True):
    """USD per million tokens."""

    input: _Usd
    output: _Usd
    cached: _Usd | None = None

    def cost(self, usage: Usage) -> float:
        """Return what this usage costs; `input` includes `cached`, and thinking is output."""
        cached = self.input if self.cached is None else self.cached
        asked = (usage.input - usage.cached + usage.tool) * self.input + usage.cached * cached
        return (asked + (usage.output + usage.thought) * self.output) / 1_000_000


class Price(Rates, frozen=True, forbid_unknown_fields=True):
    """A model's rates: others count above `long_from` input tokens, and after the day `until`."""

    long_from: Annotated[int, Meta(ge=0)] = 0
    long: Rates | None = None
    until: dt.date | None = None
    then: Rates | None = None

    def on(self, day: dt.date, tokens: int = 0) -> Rates:
        """Return the rates for a prompt of so many tokens on a day."""
        if self.then and self.until and day > self.until:
            return self.then
        return self.long if self.long and tokens > self.long_from else self


class Prices(Struct, frozen=True, forbid_unknown_fields=True):
    """A list of prices as it was on a day, by the models' names."""

    date: dt.date
    models: dict[str, Price]
    source: str = ""
    aliases: dict[str, str] = {}  # moving names, and the model that each meant on that day

    def cost(self, model: str, usage: Usage, day: dt.date | None = None) -> float | None:
        """Return what this usage costs in USD on a day (today), or None where no price is known."""
        price = self._of(model)
        return price.on(day or _today(), usage.input).cost(usage) if price else None

    def text(self, model: str, day: dt.date | None = None) -> str:
        """Return a model's price in and out as "0.75 / 3.75", or nothing where it is not known."""
        price = self._of(model)
        if price is None:
            return ""
        now, long = price.on(day or _today()), price.long
        more = f", {long.input:g} / {long.output:g} above {price.long_from:,}" if long and now is price else ""
        return f"{now.input:g} / {now.output:g}{more}"

    def _of(self, model: str) -> Price | None:
        """Return a model's price; a dated snapshot costs what its model does."""
        model = self.aliases.get(model, model)
        return self.models.get(model) or self.models.get(_DAY.sub("", model))


@cache
def bundled_prices() -> Prices:
    """Return the list that comes with the package."""
    return msgspec.json.decode(_SHIPPED.read_bytes(), type=Prices)


def read_prices(path: Path) -> Prices:
    """Return a list of prices from a file.

    Raises:
        ConfigurationError: it can't be read, or is no such list; the message names the first fault.
    """
    try:
        data = read_regular(path, _LARGEST)
        if len(data) > _LARGEST:
            raise ConfigurationError(f"{path.name} is too large for a price list: over {_LARGEST >> 20} MiB")
        return msgspec.json.decode(data, type=Prices)
    except OSError as error:
        raise ConfigurationError(f"can't read the prices {path}: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        wanted = '{"date": "2026-11-21", "models": {"NAME": {"input": 0.75, "output": 3.75}}}'
        raise ConfigurationError(f"{path.name} is not a price list ({error}); one looks like {wanted}") from None


def _today() -> dt.date:
    return dt.date.today()  # noqa: DTZ011 - prices change at days, and a reader's own day is near enough
