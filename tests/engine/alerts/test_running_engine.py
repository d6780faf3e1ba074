"""Alerts in an engine that runs: the simulated market, its faults, and real time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from connectors.base.simulation.faults import Fault
from connectors.mock import MockConnector
from engine.alerts.alert import Alert
from engine.alerts.rule import Kind, Rule
from engine.engine import Engine
from engine.errors import ConfigError
from tests.app.support import wait_until

FEED = ("mock", "BTC/USDT")
KEY = (*FEED, "stream")
BOUND_S = 20.0


@pytest.fixture
def mock() -> MockConnector:
    return MockConnector({"MOCK_SEED": "7", "MOCK_RATE": "40"})


@pytest.fixture
def engine(mock: MockConnector, tmp_path: Path) -> Iterator[Engine]:
    made = Engine({"mock": mock}, {}, linger_s=0.0, alert_rules=tmp_path / "alerts.json")
    yield made
    began = monotonic()
    made.close()
    assert monotonic() - began < 6.0


def told(engine: Engine, rule: str) -> Alert:
    """The first alert of a rule, awaited."""

    def found() -> list[Alert]:
        return [alert for alert in engine.alerts.log.alerts() if alert.rule == rule]

    assert wait_until(lambda: bool(found()), BOUND_S), engine.alerts.log.alerts()
    return found()[-1]


def test_a_rule_keeps_its_feed_running_hears_of_its_gap_and_of_its_order_flow(
    engine: Engine, mock: MockConnector
) -> None:
    engine.alerts.book.put(Rule("mine", "Mine", Kind.CONDITION, "abs(imbalance_10) >= 0 for 1 s", FEED))
    alert = told(engine, "mine")
    assert (alert.key, alert.source) == (KEY, "mock")
    assert engine.hub.running() == {KEY: 1}
    mock.faults.set(Fault.GAP, symbol=FEED[1])
    assert "gap in the book's updates" in told(engine, "gap").text
    engine.alerts.book.remove("mine")
    assert wait_until(lambda: not engine.hub.running(), BOUND_S)


@pytest.mark.slow
def test_a_stream_that_stalls_is_told_and_so_is_its_return(engine: Engine, mock: MockConnector) -> None:
    engine.alerts.book.put(Rule("hold", "Hold", Kind.FAILED, feed=FEED))
    assert wait_until(lambda: (feed := engine.hub.feed(KEY)) is not None and feed.state.has_data, BOUND_S)
    mock.faults.set(Fault.SYMBOL_STALL, symbol=FEED[1])
    assert "no update for" in told(engine, "stale").text
    mock.faults.clear()
    assert told(engine, "recovered").text.startswith("live again after")


def test_a_rule_that_cannot_be_saved_leaves_the_engine_as_it_was(engine: Engine) -> None:
    with pytest.raises(ConfigError, match="no figure"):
        engine.alerts.book.put(Rule("bad", "Bad", Kind.CONDITION, "nothing > 1", FEED))
    assert engine.hub.running() == {}
