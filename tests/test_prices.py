"""What an answer costs is data with a date, and a list of one's own takes the place of the shipped one."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from nbgemini import Client, ConfigurationError
from nbgemini.messages.turns import Usage
from nbgemini.offline.models import ALIASES
from nbgemini.prices import Price, Prices, Rates, bundled_prices, read_prices
from nbgemini.settings import DEFAULT_MODEL

DAY = dt.date(2026, 11, 21)
MILLION = 1_000_000


def test_prices_are_per_million_and_unknown_ones_are_none():
    usage = Usage(input=MILLION, output=500_000, thought=500_000)
    assert bundled_prices().cost("gemini-3.8-flash", usage, DAY) == pytest.approx(0.75 + 3.75)
    assert bundled_prices().cost("unheard-of", usage) is None
    assert bundled_prices().text("unheard-of") == ""


def test_a_long_prompt_and_a_later_day_have_rates_of_their_own():
    assert bundled_prices().cost("gemini-2.5-pro", Usage(input=200_000), DAY) == pytest.approx(0.25)
    assert bundled_prices().cost("gemini-2.5-pro", Usage(input=MILLION), DAY) == pytest.approx(2.50)
    last = dt.date(2026, 12, 31)
    assert bundled_prices().text("gemini-3.8-flash", last) == "0.75 / 3.75"
    assert bundled_prices().text("gemini-3.8-flash", last + dt.timedelta(days=1)) == "1.5 / 7.5"
    assert bundled_prices().text("gemini-2.5-pro", DAY) == "1.25 / 10, 2.5 / 15 above 200,000"


def test_cached_tokens_cost_their_own_price_where_it_is_known():
    prices = Prices(DAY, {"known": Price(1.0, 0.0, 0.1), "unknown": Price(1.0, 0.0)})
    usage = Usage(input=MILLION, cached=MILLION // 2)
    assert prices.cost("known", usage, DAY) == pytest.approx(0.55)
    assert prices.cost("unknown", usage, DAY) == pytest.approx(1.0)


def test_the_shipped_list_has_a_date_and_nothing_is_free():
    rates = [rate for price in bundled_prices().models.values() for rate in (price, price.long, price.then) if rate]
    assert all(isinstance(rate, Rates) and 0 < (rate.cached or rate.input) <= rate.input < rate.output for rate in rates)
    assert bundled_prices().date >= dt.date(2026, 10, 7)


def test_a_list_of_ones_own_is_read_and_a_wrong_one_is_one_line(tmp_path):
    own = tmp_path / "own.json"
    own.write_text('{"date": "2027-01-02", "models": {"mine": {"input": 1, "output": 2}}}')
    assert read_prices(own).text("mine") == "1 / 2"
    assert msgspec.json.decode(msgspec.json.encode(read_prices(own)), type=Prices) == read_prices(own)
    for wrong in ("", "[]", '{"date": "x", "models": {}}', '{"date": "2027-01-02", "models": {"m": {"inptu": 1}}}', "\xff"):
        own.write_bytes(wrong.encode("latin-1"))
        with pytest.raises(ConfigurationError, match=r"^own.json is not a price list \(.+\); one looks like \{") as raised:
            read_prices(own)
        assert "\n" not in str(raised.value)
    with pytest.raises(ConfigurationError, match="can't read the prices .*No such file"):
        read_prices(tmp_path / "none.json")


def test_the_default_model_has_a_price_and_so_have_the_other_moving_names():
    usage = Usage(input=MILLION, output=MILLION)
    for name in (DEFAULT_MODEL, "gemini-flash-lite-latest", "gemini-pro-latest"):
        assert bundled_prices().cost(name, usage, DAY) > 0
        assert bundled_prices().text(name, DAY)
    assert bundled_prices().text(DEFAULT_MODEL, DAY) == bundled_prices().text("gemini-3.8-flash", DAY)
    assert bundled_prices().aliases.items() <= ALIASES.items(), "the offline service means the same"


async def test_an_answer_is_reckoned_by_the_clients_prices_and_the_next_by_new_ones(settings, monkeypatch):
    monkeypatch.setattr("nbgemini.chat.state.OFFLINE_ID", "live-")  # a service whose answers cost
    dear = Prices(DAY, {"gemini-3.8-flash": Price(1e6, 1e6)})
    async with Client(msgspec.structs.replace(settings, prices=dear)) as client:
        reply = await client.chat().ask("hello")
        assert reply.cost == pytest.approx(reply.usage.total)
        client.use(settings)
        assert (await client.chat().ask("hello")).cost < 1
        assert reply.cost == pytest.approx(reply.usage.total)


def test_a_snapshot_of_a_day_costs_what_its_model_does():
    usage = Usage(input=1_000_000, output=1_000_000)
    for model, snapshot in (("claude-opus-4-5", "claude-opus-4-5-20251101"), ("gpt-5", "gpt-5-2025-08-07")):
        assert bundled_prices().cost(snapshot, usage) == bundled_prices().cost(model, usage) is not None
    assert bundled_prices().cost("gpt-5-2025", usage) is None
