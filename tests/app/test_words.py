"""How numbers and states are worded."""

from __future__ import annotations

import pytest

from app.words import (
    UNKNOWN,
    basis_points,
    clock_time,
    decimals_for,
    icon,
    number,
    plain,
    seconds,
    sentences,
    venue_name,
    without_folders,
    word,
)
from engine.clock import ManualClock
from engine.feed.feed import Feed
from engine.market.events import FeedState
from tests.engine.support import START_NS, live_feed, make_feed, quote


def feed_in(state: FeedState, attempt: int = 0) -> Feed:
    feed = make_feed()
    feed.set_state(state, attempt=attempt)
    return feed


@pytest.mark.parametrize(
    ("state", "mark"),
    [
        (FeedState.CONNECTING, "🔌"),
        (FeedState.SYNCING, "🔌"),
        (FeedState.BLOCKED, "❌"),
        (FeedState.INVALID, "❌"),
        (FeedState.FAILED, "❌"),
        (FeedState.STALE, "⚠️"),
        (FeedState.STOPPED, "⏹"),
    ],
)
def test_each_state_has_its_mark(state: FeedState, mark: str) -> None:
    assert icon(feed_in(state)) == mark


def test_a_feed_that_does_not_exist_yet_is_on_its_way() -> None:
    assert icon(None) == "🔌"


@pytest.mark.parametrize(("age_s", "mark"), [(0.0, "✅"), (4.99, "✅"), (5.0, "⚠️"), (60.0, "⚠️")])
def test_five_seconds_without_a_word_are_stale(age_s: float, mark: str) -> None:
    clock = ManualClock(START_NS)
    feed = live_feed(clock=clock)
    feed.push(quote(101))
    clock.advance(age_s)
    assert icon(feed) == mark


def test_five_failed_attempts_turn_red() -> None:
    assert icon(feed_in(FeedState.RECONNECTING, attempt=4)) == "🔌"
    assert icon(feed_in(FeedState.RECONNECTING, attempt=5)) == "❌"
    assert icon(feed_in(FeedState.SYNCING, attempt=5)) == "❌"


def test_the_word_never_contradicts_the_mark() -> None:
    clock = ManualClock(START_NS)
    feed = live_feed(clock=clock)
    feed.push(quote(101))
    assert word(feed) == "live"
    clock.advance(5.0)
    assert (icon(feed), feed.state, word(feed)) == ("⚠️", FeedState.LIVE, "stale")
    assert word(None) == "starting"


@pytest.mark.parametrize(
    "text", ["![x](http://evil.example/p.png)", "[click](http://evil.example)", ":red[x]", "`a` **b** <i>c</i> $d$"]
)
def test_words_of_others_are_shown_and_not_obeyed(text: str) -> None:
    shown = plain(text)
    assert shown.replace("\\", "").replace("\u2060", "") == text
    assert all(shown[at - 1] == "\\" for at, sign in enumerate(shown) if sign in "![]()`*<>$")
    assert "//" not in shown.replace("\u2060//", "")


def test_words_of_others_stay_short_and_on_one_line() -> None:
    assert plain("a\nb") == "a b"
    assert len(plain("x" * 5000)) == 300


def test_remarks_are_joined_as_sentences() -> None:
    assert sentences("no answer", "Look at the network.", "") == "no answer. Look at the network."


def test_unknown_is_a_dash_and_zero_is_zero() -> None:
    assert number(None) == UNKNOWN
    assert number(float("nan")) == UNKNOWN
    assert seconds(None) == UNKNOWN
    assert number(0.0, 1) == "0.0"


def test_numbers_have_separators_and_units() -> None:
    assert number(12345.678, 1, " ms") == "12,345.7 ms"
    assert [seconds(0.44), seconds(42), seconds(300)] == ["0.4 s", "42 s", "5 min"]
    assert clock_time(1_700_000_000_123_000_000) == "22:13:20.123"


@pytest.mark.parametrize(
    ("tick", "price", "decimals"),
    [(0.01, None, 2), (0.0000001, None, 7), (1.0, None, 0), (None, 64000.0, 2), (None, 0.2, 6)],
)
def test_prices_show_the_decimals_of_their_tick(tick: float | None, price: float | None, decimals: int) -> None:
    assert decimals_for(tick, price) == decimals


def test_files_are_named_without_their_folders() -> None:
    assert without_folders("/srv/me/data/tape.duckdb: no room") == "tape.duckdb: no room"
    assert without_folders("cannot open '/srv/me/x'") == "cannot open 'x'"
    assert without_folders("duckdb:///data/tape.duckdb") == "duckdb:///data/tape.duckdb"
    assert without_folders("BTC/USDT at https://a.example/b/c, 3/4") == "BTC/USDT at https://a.example/b/c, 3/4"


def test_a_venue_of_a_recording_is_called_by_its_own_name() -> None:
    assert venue_name("replay:20240808-120509-3f2a9c/ccxt:bybit") == "ccxt:bybit"
    assert venue_name("replay:monday.jsonl.gz") == "replay:monday.jsonl.gz"
    assert venue_name("mock:alpha") == "mock:alpha"


def test_a_tick_of_a_dear_coin_does_not_look_like_nothing() -> None:
    assert basis_points(0.0016, " bps") == "0.0016 bps"
    assert basis_points(0.081) == "0.08"
    assert (basis_points(0.0), basis_points(None)) == ("0.00", "–")
