"""What the futures venue can do wrong beyond spot: its own numbering, over real sockets, against the truth."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from engine.market.events import FeedState
from tests.fakes import binance_faults as faults
from tests.fakes.binance import FakeBinance
from tests.fakes.binance_usdm import UsdmRig

BTC, ETH = "BTCUSDT", "ETHUSDT"


def test_a_quiet_day_needs_one_connection_one_snapshot_and_no_repair() -> None:
    with UsdmRig([BTC, ETH]) as rig:
        begun = time.monotonic()
        rig.live_and_moving()
        assert time.monotonic() - begun <= 3.0
        goal = rig.witness.events + 200
        rig.until(lambda: rig.witness.events > goal)
        rig.settle()
        quality = rig.quality()
        assert [rig.venue.accepted, len(rig.book_requests()), quality.gaps, quality.resyncs] == [1, 2, 0, 0]
        assert [quality.quote_mismatches, quality.trade_gaps, quality.decode_errors] == [0, 0, 0]
        assert quality.trades > 0


@pytest.mark.parametrize("count", [1, 3])
def test_a_gap_is_seen_and_repaired_on_the_same_connection(count: int) -> None:
    with UsdmRig([BTC, ETH]) as rig:
        rig.live_and_moving()
        rig.venue.gap(BTC, count)
        rig.until(lambda: rig.quality(BTC).gaps == 1, what="a gap")
        rig.settle()
        assert (rig.venue.accepted, rig.quality(BTC).resyncs, rig.quality(ETH).resyncs) == (1, 1, 0)


def test_duplicates_are_ignored_and_counted() -> None:
    with UsdmRig() as rig:
        rig.live_and_moving()
        rig.venue.duplicate(BTC, 10)
        rig.until(lambda: rig.quality().duplicates == 10, what="ten duplicates")
        rig.settle()
        assert (rig.quality().gaps, rig.quality().resyncs, rig.venue.accepted) == (0, 0, 1)


def test_exchanged_updates_never_make_a_wrong_book() -> None:
    with UsdmRig() as rig:
        rig.live_and_moving()
        rig.venue.swap(BTC)
        rig.until(lambda: rig.quality().gaps == 1, what="a gap")
        rig.settle()


def test_a_snapshot_that_is_too_old_is_asked_for_again() -> None:
    with UsdmRig() as rig:
        rig.live_and_moving()
        rig.venue.stale_rest(BTC, times=3)
        rig.venue.gap(BTC)
        rig.settle()
        assert len(rig.book_requests()) == 5


@pytest.mark.parametrize("edit", [faults.crossing, faults.negative_size, faults.bad_value("NaN")])
def test_an_impossible_update_is_caught_and_repaired(edit: Callable[[dict[str, object]], None]) -> None:
    with UsdmRig() as rig:
        rig.live_and_moving()
        rig.venue.rewrite(BTC, faults.edited(edit))
        rig.until(lambda: rig.quality().resyncs == 1, what="a resync")
        rig.settle()
        assert rig.venue.accepted == 1


@pytest.mark.parametrize("act", [FakeBinance.fin, FakeBinance.rst, lambda venue: venue.close_all(1012)])
def test_a_broken_connection_is_made_anew_and_the_book_won_back(act: Callable[[FakeBinance], None]) -> None:
    with UsdmRig([BTC, ETH]) as rig:
        rig.live_and_moving()
        act(rig.venue)
        rig.until(lambda: rig.venue.accepted == 2, what="a second connection")
        rig.settle()


def test_a_second_connection_takes_over_without_a_seam() -> None:
    with UsdmRig([BTC, ETH]) as rig:
        rig.live_and_moving()
        before = len(rig.witness.statuses)
        rig.venue.server_shutdown()
        rig.until(lambda: rig.venue.accepted == 2 and rig.venue.connections == 1, what="the move")
        rig.settle()
        assert set(rig.witness.states[before:]) <= {FeedState.LIVE}


def test_while_the_stream_is_away_books_are_polled_and_then_it_returns() -> None:
    with UsdmRig() as rig:
        rig.live_and_moving()
        rig.venue.refuse(503, times=None)
        rig.venue.rst()
        rig.until(lambda: rig.witness.state is FeedState.POLLING, what="polling", timeout=20.0)
        goal = rig.witness.events + 5
        rig.until(lambda: rig.witness.events > goal, what="polled books")
        rig.venue.accept_all()
        rig.until(lambda: rig.witness.state is FeedState.LIVE, what="the way back", timeout=20.0)
        rig.settle()


def test_a_quiet_symbol_joins_its_book_at_the_first_update() -> None:
    with UsdmRig() as rig:
        rig.start()
        rig.until(lambda: rig.venue.subscribers(BTC))
        rig.until(lambda: rig.witness.state is FeedState.LIVE, what="a book by REST", timeout=20.0)
        rig.venue.step(BTC, 5)
        rig.until_live()
        assert (rig.quality().gaps, len(rig.book_requests())) == (0, 1)
