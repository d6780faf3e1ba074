"""cTrader's candles: asked for once, then kept up by the stream; a request per series and no more."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from connectors.base.ctrader import wire
from connectors.base.ctrader.candles import MOST, CandleDesk, candle
from engine.errors import Blocked, DecodeError, Disconnected, FeedError, InvalidSymbol, RateLimited
from engine.market.candle import Candle
from tests.connectors.ctrader_rig import Rig
from tests.fakes.ctrader import Bar

MINUTE_NS = 60 * 10**9
M1, H1 = 1, 9


def past(count: int = 3) -> list[Bar]:
    """Minutes up to the present one."""
    now = time.time_ns() // MINUTE_NS
    return [(now - ago, 108_500 + ago, 108_520, 108_480, 108_510 - ago, 40 + ago) for ago in range(count - 1, -1, -1)]


def shown(bar: Bar) -> tuple[int, float, float, float, float, int]:
    minute, open_, high, low, close, changes = bar
    return minute * MINUTE_NS, open_ / 1e5, high / 1e5, low / 1e5, close / 1e5, changes


def seen(candles: list[Candle]) -> list[tuple[int, float, float, float, float, int | None]]:
    return [(one.begin_ns, one.open, one.high, one.low, one.close, one.count) for one in candles]


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_a_bar_is_read_from_its_low_upwards() -> None:
    bar = wire.Trendbar(12, "M5", 108_500, 10, 50, 25, 29_000_000)
    begin_ns = 29_000_000 * MINUTE_NS
    assert candle("ctrader", "EURUSD", "5m", bar, begin_ns + 4 * MINUTE_NS) == Candle(
        "ctrader", "EURUSD", "5m", begin_ns, 1.0851, 1.0855, 1.085, 1.08525, None, 12, False
    )
    assert candle("ctrader", "EURUSD", "5m", bar, begin_ns + 5 * MINUTE_NS).complete


@pytest.mark.parametrize("bar", [wire.Trendbar(1), wire.Trendbar(1, low=5), wire.Trendbar(1, utcTimestampInMinutes=5)])
def test_a_bar_without_price_or_time_is_an_error(bar: wire.Trendbar) -> None:
    with pytest.raises(DecodeError):
        candle("ctrader", "EURUSD", "1m", bar, 0)


def test_candles_come_without_a_stream_on_a_connection_of_their_own(rig: Rig) -> None:
    bars = rig.venue.bars["EURUSD", M1] = past(5)
    with rig:
        found = rig.connector.fetch_candles("EURUSD", "1m", 3)
        assert seen(found) == [shown(bar) for bar in bars[-3:]]
        assert [one.volume for one in found] == [None] * 3
        assert rig.venue.wait_for(lambda: rig.venue.connections == 0)
        assert rig.connector.fetch_candles("EURUSD", "1h") == []
        rig.live()


def test_beside_a_stream_they_come_on_its_connection_and_are_kept_up_by_it(rig: Rig) -> None:
    bars = past()
    rig.venue.bars["EURUSD", M1] = list(bars)
    with rig:
        _, stream = rig.live()
        assert seen(rig.connector.fetch_candles("EURUSD", "1m", 3)) == [shown(bar) for bar in bars]
        minute, open_, high, low, _, changes = bars[-1]
        grown = (minute, open_, high + 5, low, high + 5, changes + 1)
        begun = (minute + 1, high, high, high, high, 1)
        rig.venue.tell_bar("EURUSD", M1, grown, named=True)
        rig.venue.tell_bar("EURUSD", M1, begun)
        expected = [shown(bar) for bar in (bars[1], grown, begun)]
        assert rig.venue.wait_for(lambda: seen(rig.connector.fetch_candles("EURUSD", "1m", 3)) == expected, 8.0)
        assert (rig.venue.accepted, rig.venue.asked_for_bars) == (1, 1)
        rig.venue.step(times=3)
        rig.true("EURUSD", stream)


def test_after_a_lost_session_the_past_is_asked_for_again(rig: Rig) -> None:
    *bars, missed = past(4)
    rig.venue.bars["EURUSD", M1] = list(bars)
    with rig:
        ear, _ = rig.live()
        assert seen(rig.connector.fetch_candles("EURUSD", "1m", 3)) == [shown(bar) for bar in bars]
        books = len(ear.books)
        rig.venue.drop_all()
        rig.venue.bars["EURUSD", M1].append(missed)
        ear.until(lambda: len(ear.books) > books, "the return")
        assert seen(rig.connector.fetch_candles("EURUSD", "1m", 3)) == [shown(bar) for bar in (*bars[1:], missed)]
        assert rig.venue.asked_for_bars == 2


@pytest.mark.parametrize("kind", [2135, 2165])
def test_bars_that_are_not_kept_up_are_asked_for_each_time(rig: Rig, kind: int) -> None:
    """The venue refuses the live bars, or never agrees to send them."""
    rig.venue.bars["EURUSD", M1] = past()
    with rig:
        rig.live()
        if kind == 2135:
            rig.venue.fail(2135, "INTERNAL_ERROR")
        else:
            rig.venue.deaf = {2135}
        for times in (1, 2):
            assert len(rig.connector.fetch_candles("EURUSD", "1m", 3)) == 3
            assert rig.venue.asked_for_bars == times
            rig.venue.deaf = {2135}


@pytest.mark.parametrize(
    ("code", "kind"),
    [("REQUEST_FREQUENCY_EXCEEDED", RateLimited), ("INCORRECT_BOUNDARIES", Disconnected), ("UNKNOWN", Disconnected)],
)
def test_a_refused_request_says_why_and_disturbs_nothing(rig: Rig, code: str, kind: type[Exception]) -> None:
    with rig:
        ear, stream = rig.live()
        rig.venue.fail(2137, code)
        with pytest.raises(kind, match=code):
            rig.connector.fetch_candles("EURUSD", "1m")
        rig.venue.step(times=3)
        rig.true("EURUSD", stream)
        assert rig.venue.accepted == 1
        assert len(ear.books) == 1


def test_an_unknown_symbol_is_answered_with_near_ones(rig: Rig) -> None:
    with rig, pytest.raises(InvalidSymbol, match="EURUSX") as caught:
        rig.connector.fetch_candles("EURUSX", "1m")
    assert "EURUSD" in caught.value.hint


def test_a_length_that_is_not_offered_is_refused_before_anything_is_asked(rig: Rig) -> None:
    with rig, pytest.raises(FeedError, match="no candles of '7m'"):
        rig.connector.fetch_candles("EURUSD", "7m")
    assert not rig.venue.accepted


def test_a_blocked_account_ends_the_wait(tmp_path: Path) -> None:
    with Rig(tmp_path, CTRADER_CLIENT_SECRET="wrong") as rig:
        rig.start()
        with pytest.raises(Blocked):
            rig.connector.fetch_candles("EURUSD", "1m")


def test_closing_ends_the_wait_at_once(rig: Rig) -> None:
    with rig:
        rig.live()
        rig.venue.deaf = {2137}
        failures: list[Exception] = []

        def ask() -> None:
            try:
                rig.connector.fetch_candles("EURUSD", "1m")
            except FeedError as error:
                failures.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        assert rig.venue.wait_for(lambda: any("2137" in entry.text for entry in rig.venue.entries("text")))
        begun = time.monotonic()
        rig.connector.close()
        asking.join(2.0)
        assert not asking.is_alive()
        assert time.monotonic() - begun < 2.0
        assert len(failures) == 1


def test_a_symbol_that_is_left_is_no_longer_kept_up(rig: Rig) -> None:
    rig.venue.bars["USDJPY", M1] = past()
    with rig:
        rig.live()
        _, stream = rig.live("USDJPY")
        rig.connector.fetch_candles("USDJPY", "1m", 3)
        stream.stop()
        left = rig.venue.wait_for(lambda: any("2136" in entry.text for entry in rig.venue.entries("text")), 8.0)
        assert left
        assert rig.connector._candles.newest((2, "1m"), 3) is None


def test_the_memory_of_a_series_is_bounded() -> None:
    desk, series = CandleDesk(), (1, "1m")
    question = desk.ask(series, 5)
    subscribe, history = [json.loads(text) for text in desk.frames(7, {1}, 10**18)]
    assert (subscribe["payloadType"], history["payloadType"]) == (2135, 2137)
    assert history["payload"]["count"] == 5
    desk.subscribed(question.number, agreed=True)
    bars = [{"low": 5, "utcTimestampInMinutes": minute} for minute in range(5)]
    told = {"payloadType": 2138, "payload": {"trendbar": bars}}
    desk.take(question.number, wire.read_message(json.dumps(told).encode()))
    desk.note(1, [wire.Trendbar(1, "1", 6, 0, 0, 0, minute) for minute in range(5, 3_000)])
    kept = desk.newest(series, MOST)
    assert kept is not None
    assert [bar.utcTimestampInMinutes for bar in kept] == list(range(2_000, 3_000))
    assert desk.newest(series, MOST + 1) is None
