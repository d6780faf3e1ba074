from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import pytest

from engine.errors import ConfigError, FeedError
from engine.market.events import BookSnapshot
from engine.store.duckdb_file.store import DuckdbStore
from engine.store.poller import OrderBookPoller
from tests.engine.store.events import snapshot
from tests.engine.store.recording.test_recorder import until


class Provider:
    """Answers as the documents' provider does; counts calls, and fails for one symbol if told so."""

    name = "ctrader"

    def __init__(self, failing: str = "", answer: Any = None) -> None:
        self.calls: list[str] = []
        self.levels: set[int] = set()
        self.failing = failing
        self.answer = answer or {"bids": [[1.0850, 2.0], [1.0849, 3]], "asks": [[1.0852, 1.0]], "levels": 2}

    def get_market_depth(self, symbol: str, levels: int = 10) -> Any:
        self.calls.append(symbol)
        self.levels.add(levels)
        if symbol == self.failing:
            raise FeedError("the provider is not connected")
        return self.answer


class AsyncProvider(Provider):
    async def get_market_depth(self, symbol: str, levels: int = 10) -> Any:
        return super().get_market_depth(symbol, levels)


class Venue:
    """Has a book as a connector has."""

    name = "binance"

    def fetch_snapshot(self, symbol: str, depth: int = 100) -> BookSnapshot:
        return snapshot()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckdbStore]:
    store = DuckdbStore(tmp_path / "tape.duckdb")
    yield store
    store.close()


@pytest.mark.parametrize("provider", [Provider(), AsyncProvider()])
def test_books_become_rows_of_market_depth(store: DuckdbStore, provider: Provider) -> None:
    poller = OrderBookPoller(provider, ["EURUSD", "GBPUSD"], interval=0.01, store=store)
    poller.start()
    until(lambda: poller.stored >= 4)
    poller.stop()
    row = store.market_depth("EURUSD")[0]
    assert (json.loads(row.bids), json.loads(row.asks)) == ([[1.085, 2.0], [1.0849, 3.0]], [[1.0852, 1.0]])
    assert (row.provider, row.recording) == ("ctrader", "")
    assert row.mid_price == pytest.approx(1.0851)
    assert row.spread == pytest.approx(0.0002)
    assert row.imbalance == pytest.approx(4 / 6)
    assert {row.symbol for row in store.market_depth()} == {"EURUSD", "GBPUSD"}
    assert provider.levels == {10}


def test_any_connector_can_be_polled(store: DuckdbStore) -> None:
    poller = OrderBookPoller(Venue(), ["BTCUSDT"], interval=0.01, store=store)
    poller.start()
    until(lambda: poller.stored >= 1)
    poller.stop()
    assert store.market_depth()[0].provider == "binance"


def test_one_symbols_failure_does_not_stop_the_others(store: DuckdbStore, caplog: pytest.LogCaptureFixture) -> None:
    poller = OrderBookPoller(Provider(failing="EURUSD"), ["EURUSD", "GBPUSD"], interval=0.01, store=store)
    poller.start()
    until(lambda: poller.stored >= 2)
    poller.stop()
    assert {row.symbol for row in store.market_depth()} == {"GBPUSD"}
    assert poller.errors[0] == "EURUSD: the provider is not connected"
    assert "Failed to poll order book for EURUSD" in caplog.text


@pytest.mark.parametrize("answer", [{"bids": []}, "nothing", {"symbol": "EURUSD"}])
def test_an_answer_without_depth_writes_nothing(
    store: DuckdbStore, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="engine.store.poller")
    provider = Provider(answer=answer)
    poller = OrderBookPoller(provider, ["EURUSD"], interval=0.01, store=store)
    poller.start()
    until(lambda: len(provider.calls) >= 2)
    poller.stop()
    assert store.market_depth() == []
    assert "No depth data for EURUSD" in caplog.text
    assert list(poller.errors) == []


def test_a_second_start_is_refused_with_a_warning(store: DuckdbStore, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="engine.store.poller")
    poller = OrderBookPoller(Provider(), ["EURUSD"], interval=60.0, store=store)
    poller.start()
    thread = poller._thread
    poller.start()
    assert poller._thread is thread
    poller.stop()
    said = [record.message for record in caplog.records if record.levelno >= logging.INFO]
    assert said == [
        "OrderBookPoller started: symbols=['EURUSD'], interval=60.0s", "OrderBookPoller already running",
        "OrderBookPoller stopped",
    ]  # fmt: skip


def test_stopping_interrupts_the_wait_and_it_can_be_started_again(store: DuckdbStore) -> None:
    poller = OrderBookPoller(Provider(), ["EURUSD"], interval=60.0, store=store)
    for count in (1, 2):
        poller.start()
        until(lambda count=count: poller.stored == count)  # type: ignore[misc]
        begun = monotonic()
        poller.stop()
        assert monotonic() - begun < 2.0


def test_stopping_is_noticed_between_two_symbols(store: DuckdbStore) -> None:
    asked, go_on = Event(), Event()

    class Slow(Provider):
        def get_market_depth(self, symbol: str, levels: int = 10) -> Any:
            asked.set()
            go_on.wait(5.0)
            return super().get_market_depth(symbol, levels)

    provider = Slow()
    poller = OrderBookPoller(provider, ["EURUSD", "GBPUSD"], interval=0.01, store=store)
    poller.start()
    assert asked.wait(5.0)
    poller._stop_event.set()
    go_on.set()
    poller.stop()
    assert provider.calls == ["EURUSD"]


def test_turns_follow_the_plan_although_polling_takes_its_time(store: DuckdbStore) -> None:
    turns: list[float] = []

    class Timed(Provider):
        def get_market_depth(self, symbol: str, levels: int = 10) -> Any:
            turns.append(monotonic())
            Event().wait(0.15)
            return super().get_market_depth(symbol, levels)

    poller = OrderBookPoller(Timed(), ["EURUSD"], interval=0.2, store=store)
    poller.start()
    until(lambda: len(turns) >= 5)
    poller.stop()
    # Were the time of polling added to the wait, the fifth turn would come after 1.4 s, not after 0.8.
    assert 0.75 < turns[4] - turns[0] < 1.25


def test_without_a_store_the_one_of_the_settings_is_used_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORE_URL", f"duckdb:///{tmp_path}/own.duckdb")
    poller = OrderBookPoller(Provider(), ["EURUSD"], interval=60.0)
    poller.start()
    until(lambda: poller.stored == 1)
    poller.stop()
    store = DuckdbStore(tmp_path / "own.duckdb")
    assert len(store.market_depth()) == 1
    store.close()


def test_a_provider_without_depth_and_an_interval_of_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be polled"):
        OrderBookPoller(object(), ["EURUSD"])
    with pytest.raises(ConfigError, match="above zero"):
        OrderBookPoller(Provider(), ["EURUSD"], interval=0.0)
