from __future__ import annotations

import sys
from collections.abc import Iterator
from random import Random

import pytest

from engine.flow.detectors.detection import Detection
from engine.flow.readings import Quality
from engine.flow.section import Changes, Observer
from engine.flow.tape import DETECTIONS_KEPT, Tape
from engine.market.book import Book

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
Event = tuple[str, tuple[float, ...]]


def market(seed: int, seconds: int, marked: bool = True) -> Iterator[Event]:
    """Quotes and trades of a made-up market: a walk whose trades push it, ten events a second and more."""
    random = Random(seed)
    bid, t_ns, venue_ns, number = 100_000, START, START, 0
    while t_ns < START + seconds * SECOND:
        t_ns += random.randrange(1, 120_000_000)
        side = random.choice((1, -1))
        for fill in range(random.choice((0, 0, 1, 2, 5))):
            price = (bid + 1 + fill if side > 0 else bid - fill) / 100
            venue_ns += 0 if fill else 1_000_000
            number += 1
            size = random.choice((0.1, 0.5, 2.0))
            yield "trade", (t_ns + fill, price, size, side if marked else 0, venue_ns, number)
        t_ns += 10
        bid += side * random.choice((0, 0, 1, 3))
        yield "bbo", (t_ns, bid / 100, random.choice((1.0, 5.0)), (bid + 1) / 100, random.choice((1.0, 5.0)))


def feed(observer: Observer, events: list[Event]) -> None:
    for kind, values in events:
        (observer.on_bbo if kind == "bbo" else observer.on_trade)(*values)  # type: ignore[arg-type]


def state(tape: Tape, t_ns: int) -> tuple[object, ...]:
    """Everything that the tape says at one moment."""
    return (
        [tape.costs.of_window(place) for place in range(4)], tape.costs.effective(), tape.costs.negative_share(),
        tape.impact.line, tape.illiquidity.value, tape.delta_at(t_ns), tape.volumes.over(t_ns, 60 * SECOND),
        tape.orders.orders, tape.large.threshold, tape.sweeps, tape.session.profile(), tape.absorption.warm,
        tape.toxicity.value if tape.toxicity else None, tape.signer.lag_ns, tape.drain(),
    )  # fmt: skip


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return list(market(7, 400))


def test_everything_is_known_after_a_while(events: list[Event]) -> None:
    tape = Tape(0.01, bucket=20.0)
    found: list[Detection] = []
    tape.on_detection = found.append
    feed(Observer([tape]), events)
    assert all(tape.costs.of_window(place) is not None for place in (0, 1, 2, 3))
    assert tape.impact.line is not None
    assert tape.impact.line.n >= 30
    assert tape.illiquidity.value is not None
    assert tape.toxicity is not None
    assert tape.toxicity.value is not None
    assert tape.toxicity_from_bars is not None
    assert tape.toxicity_from_bars.value is not None
    assert {"large_order", "sweep"} <= {event.kind for event in found}
    assert tape.quality is Quality.EXACT


def test_nothing_is_known_before_the_first_event() -> None:
    tape = Tape(0.01)
    tape.on_timer(START)
    assert tape.costs.effective() is None
    assert tape.impact.line is None
    assert tape.illiquidity.value is None
    assert tape.large.threshold is None
    assert tape.session.area() is None
    assert tape.volumes.over(START, SECOND).imbalance is None
    assert tape.drain() == []


def test_what_comes_later_changes_nothing_that_was_said(events: list[Event]) -> None:
    half = len(events) // 2
    prefix, whole = Tape(0.01, bucket=20.0), Tape(0.01, bucket=20.0)
    watcher, other = Observer([prefix]), Observer([whole])
    feed(watcher, events[:half])
    feed(other, events[:half])
    t_ns = int(events[half - 1][1][0])
    said = state(prefix, t_ns)
    assert state(whole, t_ns) == said
    feed(other, events[half:])
    early = [event for event in said[-1] if event.t_ns <= t_ns]  # type: ignore[attr-defined]
    assert early == said[-1]


def test_two_symbols_that_take_turns_do_not_hear_each_other(events: list[Event]) -> None:
    alone = {seed: Tape(0.01, bucket=20.0) for seed in (1, 2)}
    together = {seed: Tape(0.01, bucket=20.0) for seed in (1, 2)}
    streams = {seed: list(market(seed, 90)) for seed in (1, 2)}
    for seed, tape in alone.items():
        feed(Observer([tape]), streams[seed])
    observers = {seed: Observer([tape]) for seed, tape in together.items()}
    mixed = sorted(
        ((int(event[1][0]), seed, event) for seed in (1, 2) for event in streams[seed]), key=lambda row: row[0]
    )
    for _, seed, event in mixed:
        feed(observers[seed], [event])
    t_ns = START + 95 * SECOND
    assert [state(together[seed], t_ns) for seed in (1, 2)] == [state(alone[seed], t_ns) for seed in (1, 2)]


def test_after_a_reset_no_quote_is_believed_until_the_next(events: list[Event]) -> None:
    tape = Tape(0.01)
    observer = Observer([tape])
    feed(observer, events)
    t_ns = int(events[-1][1][0]) + 1
    waiting = sum(tape.costs.lost(place) for place in range(4))
    skipped = tape.costs.skipped
    observer.on_reset(t_ns, "gap")
    assert sum(tape.costs.lost(place) for place in range(4)) > waiting
    observer.on_trade(t_ns + SECOND, 1_000.0, 1.0, 1, 5, 5)
    assert tape.costs.skipped == skipped + 1
    assert tape.exhaustion.warm == 0.0
    assert tape.quotes.mid is None


def test_a_side_that_was_empty_for_a_moment_gives_the_mid_back_at_the_same_prices() -> None:
    tape = Tape(0.01)
    for step, size in enumerate((1.0, 0.0, 3.0)):
        tape.on_bbo(START + step, 100.0, size, 100.01, 1.0)
        assert (tape.quotes.mid is None) == (size == 0.0)
    assert tape.refills.bid.size == 3.0


def test_sides_that_are_inferred_make_estimates() -> None:
    tape = Tape(0.01)
    feed(Observer([tape]), list(market(3, 60, marked=False)))
    assert tape.quality is Quality.ESTIMATED
    volume = tape.volumes.over(START + 60 * SECOND, 60 * SECOND)
    assert volume.buy > 0.0
    assert volume.sell > 0.0


def test_unmarked_trades_of_a_marking_venue_are_in_the_volume_and_in_no_delta() -> None:
    tape = Tape(0.01)
    observer = Observer([tape])
    observer.on_bbo(START, 100.0, 1.0, 100.01, 1.0)
    observer.on_trade(START + 1, 100.01, 2.0, 1, 1, 1)
    observer.on_trade(START + 2, 100.01, 500.0, 0, 2, 2)
    volume = tape.volumes.over(START + SECOND, SECOND)
    assert (volume.total, volume.delta, volume.unsigned) == (502.0, 2.0, 500.0)
    assert tape.delta_at(START + SECOND) == 2.0
    assert tape.signer.unsigned == 1


def test_lost_trades_make_the_running_delta_partial() -> None:
    tape = Tape(0.01)
    Observer([tape]).on_lost_trades(4)
    assert (tape.cvd.partial, tape.cvd.missing) == (True, 4)


@pytest.mark.parametrize(
    ("multiplier", "inverse", "quote"), [(1.0, False, 200.0), (0.1, False, 20.0), (100.0, True, 200.0)]
)
def test_quote_volume_follows_the_contract(multiplier: float, inverse: bool, quote: float) -> None:
    tape = Tape(0.01, multiplier=multiplier, inverse=inverse)
    Observer([tape]).on_trade(START, 100.0, 2.0, 1, 1, 1)
    assert tape.volumes.over(START, SECOND).quote == pytest.approx(quote)


def test_a_print_without_size_is_none() -> None:
    tape = Tape(0.01)
    Observer([tape]).on_trade(START, 100.0, 0.0, 1, 1, 1)
    assert tape.signer.marked == 0
    tape.finish_orders()
    assert tape.orders.orders == 0


def test_detections_are_handed_out_once_and_bounded() -> None:
    tape = Tape(0.01)
    observer = Observer([tape])
    for number in range(DETECTIONS_KEPT + 50):
        for step in range(3):
            observer.on_trade(START + number, 100.0 + step, 1.0, 1, number, number)
    tape.finish_orders()
    assert tape.detections_dropped >= 50
    assert len(tape.drain()) == DETECTIONS_KEPT
    assert tape.drain() == []


def test_the_last_orders_of_a_silent_market_are_judged_by_the_timer() -> None:
    tape = Tape(0.01)
    tape.on_trade(START, 100.0, 1.0, 1, 1, 1)
    tape.on_timer(START + SECOND)
    assert tape.orders.orders == 1


def test_walls_are_seen_on_the_grid_of_seconds() -> None:
    tape = Tape(0.01)
    observer = Observer([tape])
    book = Book()
    bids = tuple((100.0 - step / 100, 50.0 if step == 3 else 1.0) for step in range(20))
    book.replace(bids, tuple((100.01 + step / 100, 1.0) for step in range(20)))
    observer.on_bbo(START, 100.0, 1.0, 100.01, 1.0)
    observer.on_book(START, book, None)
    observer.on_time(START + 5 * SECOND)
    book.apply(((100.0, 2.0),), ())
    observer.on_book(START + 5 * SECOND, book, Changes(((100.0, 2.0),), (), (1.0,), ()))
    (wall,) = tape.drain()
    assert (wall.kind, wall.side, wall.price) == ("wall", 1, 99.97)
    assert tape.resting.bid.tally.added == 1.0


def test_memory_does_not_grow_with_the_length_of_the_market() -> None:
    def size(tape: Tape) -> int:
        parts = (tape.costs._waiting, tape.quotes.times, tape.volumes._buckets, tape._detections, tape.session.bars)
        return sum(sys.getsizeof(part) for part in parts)

    sizes = []
    for seconds in (700, 1_400):
        tape = Tape(0.01)
        feed(Observer([tape]), list(market(5, seconds)))
        sizes.append(size(tape))
    assert sizes[1] <= sizes[0] * 1.25
