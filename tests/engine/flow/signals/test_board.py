"""Scores and events become signals, and signals are followed."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from engine.flow.book.top import TopOfBook
from engine.flow.section import Observer, Section
from engine.flow.signals.board import SIGNALS_KEPT, FlowScore, SignalBoard
from engine.flow.signals.flow_signal import SignalType
from engine.flow.signals.outcomes import OutcomeLedger

SECOND = 1_000_000_000
IMBALANCE = SignalType.LIQUIDITY_IMBALANCE


class Clock(Section):
    """Asks the board once a second, as the market watch does."""

    def __init__(self, board: SignalBoard) -> None:
        self.board = board

    def on_timer(self, t_ns: int) -> None:
        self.board.judge(t_ns, {})


class Desk:
    """A board behind an observer, fed with imbalances of a book of one level a side."""

    def __init__(self) -> None:
        self.top = TopOfBook(0.01)
        self.ledger = OutcomeLedger("venue", "SYMBOL")
        self.board = SignalBoard("venue", "SYMBOL", self.top, self.ledger)
        self.observer = Observer((self.top, self.board, Clock(self.board)))

    def quote(self, seconds: float, imbalance: float, bid: float = 100.0, ask: float = 100.01) -> None:
        self.observer.on_bbo(round(seconds * SECOND), bid, 1.0 + imbalance, ask, 1.0 - imbalance)

    def quotes(self, scores: Iterable[tuple[float, float]]) -> Desk:
        for seconds, imbalance in scores:
            self.quote(seconds, imbalance)
        return self

    def said(self) -> list[tuple[str, str | None, float]]:
        return [
            (signal.status, signal.direction, (signal.ended_ns or signal.at_ns) / SECOND)
            for signal in self.board.drain()
        ]


def test_a_strong_imbalance_speaks_after_its_hold_and_ends_below_its_lower_threshold() -> None:
    desk = Desk().quotes([(0, 0.1), (1, 0.8), (1.1, 0.9), (1.2, 0.8), (1.5, 0.6), (2, 0.4)])
    assert desk.said() == [("active", "buy", 1.2), ("ended", "buy", 2.0)]


def test_sells_are_the_mirror_of_buys() -> None:
    desk = Desk().quotes([(0, -0.1), (1, -0.8), (1.1, -0.9), (1.2, -0.8), (1.5, -0.6), (2, -0.4)])
    assert desk.said() == [("active", "sell", 1.2), ("ended", "sell", 2.0)]
    assert desk.board.signals()[0].score == pytest.approx(-0.8)


def test_a_signal_expires_at_its_horizon_and_its_episode_stays_silent() -> None:
    desk = Desk().quotes([(0.1 * step, 0.9) for step in range(300)])
    statuses, _, moments = zip(*desk.said(), strict=True)
    assert statuses == ("active", "expired")
    assert moments == pytest.approx((0.2, 5.2))


def test_a_second_episode_waits_for_the_cooldown() -> None:
    episodes = [
        (start + offset, score) for start in (0, 3, 6, 9, 12) for offset, score in ((0, 0.9), (0.3, 0.9), (1, 0))
    ]
    desk = Desk().quotes(episodes)
    assert [moment for status, _, moment in desk.said() if status == "active"] == pytest.approx([0.3, 12.3])


@pytest.mark.parametrize(("bid", "reason"), [(100.01, "the book is locked"), (100.02, "the book is crossed")])
def test_a_book_without_a_spread_cancels_what_is_active(bid: float, reason: str) -> None:
    desk = Desk().quotes([(1, 0.8), (1.3, 0.8)])
    desk.quote(1.5, 0.8, bid=bid)
    assert desk.said()[-1] == ("cancelled", "buy", 1.5)
    assert desk.board.signals()[-1].reason == reason
    assert desk.board.mid is None
    desk.board.occurred(2 * SECOND, SignalType.ABSORPTION, 1, 1, 1.0)
    assert desk.board.active() == []


def test_a_reset_cancels_and_the_next_quote_begins_anew() -> None:
    desk = Desk().quotes([(1, 0.8), (1.3, 0.8)])
    desk.observer.on_reset(2 * SECOND, "the book is lost")
    assert desk.said()[-1][0] == "cancelled"
    desk.quotes([(20, 0.8), (20.1, 0.8), (20.3, 0.8)])
    assert desk.said() == [("active", "buy", 20.3)]


def test_a_silent_book_cancels_once_the_clock_says_so() -> None:
    desk = Desk().quotes([(1, 0.8), (1.3, 0.8)])
    desk.observer.on_time(8 * SECOND)
    assert desk.board.drain()[-1].reason == "silence"
    assert desk.board.active() == []
    assert desk.board.mid is None


def test_an_event_speaks_once_and_lapses_after_its_horizon() -> None:
    desk = Desk().quotes([(1, 0.0)])
    for moment in (2, 5):
        desk.board.occurred(moment * SECOND, SignalType.ABSORPTION, -1, -1, 2.0)
    desk.quotes([(step, 0.0) for step in range(6, 60)])
    assert desk.said() == [("active", "sell", 2.0), ("expired", "sell", 32.0)]


def test_a_warning_has_no_direction_and_is_not_followed() -> None:
    desk = Desk().quotes([(1, 0.0)])
    desk.board.occurred(2 * SECOND, SignalType.EXHAUSTION, 0, 1, 0.5)
    signal = desk.board.active()[0]
    assert (signal.direction, signal.confidence, signal.label) == (None, None, "no direction")
    desk.quotes([(step, 0.0) for step in range(3, 10)])
    assert desk.ledger.scores() == []


def test_a_signal_is_uncalibrated_until_thirty_outcomes_are_known() -> None:
    desk = Desk()
    mid = 100.0
    for episode in range(40):
        start = 20.0 * episode
        for offset, imbalance in ((0, 0.9), (0.3, 0.9), (1.0, 0.0)):
            desk.quote(start + offset, imbalance, mid, mid + 0.01)
        mid += 0.01
        for offset in range(2, 20):
            desk.quote(start + offset, 0.0, mid, mid + 0.01)
    signals = [signal for signal in desk.board.signals() if signal.kind is IMBALANCE]
    assert signals[0].label == "uncalibrated (n=0)"
    assert signals[0].confidence is None
    last = signals[-1]
    assert last.confidence is not None
    assert last.confidence > 0.6
    assert last.earlier is not None
    assert last.earlier.interval[0] < last.confidence < last.earlier.interval[1]


def test_strength_is_known_once_two_hundred_scores_are() -> None:
    desk = Desk().quotes([(1, 0.0)])
    for step in range(200):
        desk.board.remember(IMBALANCE, step / 200)
    desk.quotes([(2, 0.8), (2.3, 0.8)])
    assert desk.board.active()[0].strength == pytest.approx(0.805, abs=0.01)


def test_what_is_kept_is_bounded() -> None:
    desk = Desk().quotes([(0, 0.0)])
    for episode in range(SIGNALS_KEPT + 50):
        start = 20 * episode + 1
        desk.quotes([(start, 0.9), (start + 0.3, 0.9), (start + 1, 0.0), (start + 4, 0.0)])
    assert len(desk.board.signals()) == SIGNALS_KEPT
    assert desk.board.signals()[-1].number == SIGNALS_KEPT + 50


def test_two_boards_share_nothing() -> None:
    quiet, busy = Desk(), Desk()
    alone = Desk().quotes([(0.1 * step, 0.9 * (step % 50 < 30)) for step in range(600)])
    for step in range(600):
        busy.quote(0.1 * step, 0.9 * (step % 50 < 30))
        quiet.quote(0.1 * step, 0.0)
    assert quiet.said() == []
    assert busy.said() == alone.said()


def scored(sums: list[float | None]) -> list[float | None]:
    score = FlowScore()
    return [score.add(value) for value in sums]


def test_the_flow_score_needs_a_minute_and_forgets_across_a_break() -> None:
    flows = [float(step % 7) for step in range(100)]
    sums: list[float | None] = [sum(flows[: step + 1]) for step in range(100)]
    found = scored(sums)
    assert found[:65] == [None] * 65
    assert found[65] is not None
    broken = scored([*sums[:80], None, *sums[80:90]])
    assert broken[80:86] == [None] * 6
    assert broken[86] is not None


def test_the_flow_score_is_large_for_a_burst_alone() -> None:
    flows = [float(step % 7) for step in range(100)]
    calm: list[float | None] = [sum(flows[: step + 1]) for step in range(100)]
    last = calm[-1] or 0.0
    burst = scored([*calm, last + 500.0])[-1]
    assert burst is not None
    assert burst > 3.0
