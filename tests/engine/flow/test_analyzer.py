"""The whole of one symbol: what is known when, and that nothing leaks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from random import Random
from threading import Lock

import msgspec
import pytest

from engine.flow.analyzer import FlowAnalyzer, FlowMetrics
from engine.flow.readings import Quality
from engine.flow.regimes.regime import Regime
from engine.flow.state import BookState
from tests.engine.flow.market import LEVELS, SECOND, TICK, Player, events, played

AT_ONCE = {
    "spread_abs", "spread_ticks", "spread_bps", "mid", "weighted_mid", "imbalance_1", "microprice", "imbalance_10",
    "depth_bid_10", "depth_ask_10", "band_bid_10", "band_ask_10", "imbalance_band_10", "slope_bid", "slope_ask",
    "pressure", "vamp_5", "buy_cost_bps_10k", "sell_cost_bps_10k",
}  # fmt: skip


def test_before_any_event_nothing_is_known() -> None:
    metrics = FlowAnalyzer("venue", "ONE", TICK).metrics()
    assert metrics.state is BookState.RESYNC
    assert metrics.regime is Regime.UNKNOWN
    assert metrics.signals == ()
    assert {name for name, reading in metrics.readings.items() if reading.value is not None} <= {"flicker_rate_bid"}


def test_after_a_moment_the_book_is_known_and_everything_with_a_window_is_not() -> None:
    analyzer = FlowAnalyzer("venue", "ONE", TICK)
    Player(analyzer.observer).play(islice(events(10), 4))
    metrics = analyzer.metrics()
    known = {name for name, reading in metrics.readings.items() if reading.value is not None}
    assert known >= AT_ONCE - {"buy_cost_bps_10k", "sell_cost_bps_10k"}
    for name in ("spread_z", "ofi_5s", "ofi_beta", "volatility_ratio", "efficiency_ratio", "adx", "kyle_lambda"):
        assert metrics[name] is None, name
    assert metrics.readings["spread_z"].warm < 0.1


@pytest.fixture(scope="module")
def seen() -> FlowAnalyzer:
    return played(400)


def test_after_some_minutes_everything_but_rarities_is_known(seen: FlowAnalyzer) -> None:
    metrics = seen.metrics()
    unknown = {name for name, reading in metrics.readings.items() if reading.value is None}
    assert unknown <= {
        "vpin", "vpin_percentile", "atr", "realised_spread_bps_300s", "impact_bps_300s", "large_order_size",
        "ofi_z", "kyle_lambda", "absorption_progress", "buy_cost_bps_100k", "sell_cost_bps_100k", "buy_cost_bps_1m",
        "sell_cost_bps_1m", "pull_rate_bid", "pull_rate_ask", "volatility_age_s", "buy_cost_bps_10k",
        "sell_cost_bps_10k", "microprice", "ofi_integrated", "ofi_integrated_r2", "amihud",
    }  # fmt: skip
    assert metrics.state is BookState.OK
    assert metrics.regime is not Regime.UNKNOWN
    assert metrics.margin is not None


def test_figures_stay_in_their_ranges(seen: FlowAnalyzer) -> None:
    metrics = seen.metrics()
    for name, reading in metrics.readings.items():
        value = reading.value
        assert 0.0 <= reading.warm <= 1.0, name
        if value is not None and name.startswith(("imbalance", "pressure", "trade_imbalance")):
            assert -1.0 <= value <= 1.0, name
        if value is not None and name.startswith(("depth", "band", "buy_volume", "sell_volume", "spread_pctile")):
            assert value >= 0.0, name
    assert metrics.readings["pull_rate_bid"].quality is Quality.ESTIMATED
    assert metrics.readings["band_bid_50"].quality is Quality.PARTIAL  # the book ends inside
    assert metrics["depth_bid_20"] == pytest.approx(sum(size for _, size in (seen.levels(20) or ((), ()))[0]))


def test_an_unknown_name_is_an_error(seen: FlowAnalyzer) -> None:
    with pytest.raises(KeyError):
        seen.metrics()["no such figure"]


def test_two_symbols_interleaved_give_what_each_gives_alone() -> None:
    one, other = FlowAnalyzer("venue", "ONE", TICK, fee_bps=5.0), FlowAnalyzer("venue", "OTHER", TICK, fee_bps=5.0)
    players = Player(one.observer), Player(other.observer)
    for first, second in zip(events(120, 1), events(120, 2), strict=False):
        players[0].play([first])
        players[1].play([second])
    alone = FlowAnalyzer("venue", "ONE", TICK, fee_bps=5.0)
    Player(alone.observer).play(
        islice(events(120, 1), sum(1 for _ in zip(events(120, 1), events(120, 2), strict=False)))
    )
    assert one.metrics() == alone.metrics()
    assert one.metrics() != other.metrics()


def test_a_prefix_says_what_the_whole_said_at_that_moment() -> None:
    whole = FlowAnalyzer("venue", "ONE", TICK, fee_bps=5.0)
    player, said = Player(whole.observer), []
    for place, event in enumerate(events(200)):
        player.play([event])
        if place == 1500:
            said.append(whole.metrics())
    prefix = FlowAnalyzer("venue", "ONE", TICK, fee_bps=5.0)
    Player(prefix.observer).play(islice(events(200), 1501))
    assert prefix.metrics() == said[0]


def test_reading_often_changes_nothing() -> None:
    read, unread = FlowAnalyzer("venue", "ONE", TICK), FlowAnalyzer("venue", "ONE", TICK)
    player, random = Player(read.observer), Random(3)
    for event in events(120):
        player.play([event])
        if random.random() < 0.1:
            read.metrics()
    Player(unread.observer).play(events(120))
    assert read.metrics() == unread.metrics()
    assert read.board.signals() == unread.board.signals()


def test_after_a_reset_differences_begin_anew_and_the_book_is_unknown() -> None:
    analyzer = played(200)
    now = analyzer.observer.last_ns
    analyzer.observer.on_reset(now, "the book is lost")
    metrics = analyzer.metrics()
    assert metrics.state is BookState.RESYNC
    for name in ("mid", "spread_abs", "imbalance_1", "ofi_5s", "spread_z", "microprice"):
        assert metrics[name] is None, name
    assert "depth_bid_10" not in metrics.readings
    analyzer.observer.on_bbo(now + SECOND, 150.0, 1.0, 150.01, 1.0)
    assert analyzer.top.ofi_last is None
    assert analyzer.watch.volatility.ratio is None


@dataclass
class Ledger:
    """A lock that counts how often it was taken."""

    taken: int = 0

    def __enter__(self) -> None:
        self.taken += 1

    def __exit__(self, *_: object) -> None:
        self.taken += 0


def test_readers_take_the_feeds_lock() -> None:
    analyzer, lock = played(10), Ledger()
    analyzer.lock = lock
    assert analyzer.read() == analyzer.metrics()
    assert analyzer.levels(5) is not None
    assert analyzer.volume(60.0) is not None
    assert lock.taken == 3
    analyzer.lock = Lock()
    assert analyzer.read(analyzer.observer.last_ns + SECOND).at_ns == analyzer.observer.last_ns + SECOND


def test_a_quiet_tape_has_volume_zero_and_an_absent_one_none() -> None:
    analyzer = FlowAnalyzer("venue", "ONE", TICK)
    player = Player(analyzer.observer)
    player.play(event for event in events(5) if event[0] != "trade")
    assert analyzer.metrics()["buy_volume_60s"] is None
    assert analyzer.volume(60.0) is None
    player.play([("trade", analyzer.observer.last_ns + 1, 100.0, 1.0, 1.0, 0.0)])
    later = analyzer.observer.last_ns + 100 * SECOND
    player.play([("bbo", later, 100.0, 1.0, 100.01, 1.0)])
    assert analyzer.metrics()["buy_volume_60s"] == 0.0


def test_the_book_is_read_as_deep_as_asked() -> None:
    levels = played(5).levels(1000)
    assert levels is not None
    assert len(levels[0]) >= LEVELS
    assert levels[0][0][0] < levels[1][0][0]


def test_metrics_travel_as_text_and_come_back_the_same(seen: FlowAnalyzer) -> None:
    metrics = seen.metrics()
    assert msgspec.json.decode(msgspec.json.encode(metrics), type=FlowMetrics) == metrics


def test_what_an_hour_leaves_is_bounded() -> None:
    analyzer = FlowAnalyzer("venue", "ONE", TICK, fee_bps=5.0)
    player = Player(analyzer.observer)
    sizes = []
    for part in range(2):
        player.play(events(900, seed=part, start_ns=(1_000 + 900 * part) * SECOND))
        board = analyzer.board
        sizes.append((len(board.signals()) <= 500, len(analyzer.watch.regime.changes) <= 500, len(board.active()) < 20))
    assert sizes == [(True, True, True)] * 2
    assert analyzer.outcomes.dropped == 0
