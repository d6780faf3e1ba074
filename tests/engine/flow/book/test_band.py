from __future__ import annotations

from random import Random

import pytest

from engine.flow.book import depth
from engine.flow.book.band import BandDepth
from tests.engine.flow.books import BookTeller, at

TICK = 0.01


def test_the_band_kept_from_update_to_update_is_the_band_of_the_whole_book() -> None:
    random = Random(29)
    band = BandDepth(TICK, reach_bps=10)
    teller = BookTeller(band)
    middle = 500_000

    def level(side: int) -> tuple[float, float]:
        price = (middle + side * random.randrange(1, 900)) * TICK
        return round(price, 2), random.choice((0.0, 0.0, 1.5, 2.25))

    teller.snapshot(
        0,
        [((middle - step) * TICK, 1.0) for step in range(1, 901, 3)],
        [((middle + step) * TICK, 1.0) for step in range(1, 901, 3)],
    )
    checked = 0
    for step in range(3000):
        middle += random.randrange(-3, 4)
        bids = [level(-1) for _ in range(5)] + [
            (price, 0.0) for price in teller.book.best_bids(9) if price >= middle * TICK
        ]
        asks = [level(1) for _ in range(5)] + [
            (price, 0.0) for price in teller.book.best_asks(9) if price <= middle * TICK
        ]
        teller.update(step, dict(bids).items(), dict(asks).items())  # type: ignore[arg-type]
        sides = [depth.side_of(levels, TICK) for levels in (teller.book.bids(), teller.book.asks())]
        mid = depth.mid_of(*sides)
        assert band.mid_ticks == mid
        if mid is not None:
            checked += 1
            wanted = [depth.band(side, mid, 10).size for side in sides]
            assert [band.bid, band.ask] == pytest.approx(wanted, abs=1e-9)
    assert checked > 2500


def test_an_empty_side_holds_nothing_and_the_other_has_no_band() -> None:
    band = BandDepth(1.0)
    teller = BookTeller(band)
    teller.snapshot(0, [(100, 1)], [])
    assert [band.bid, band.ask, band.mid_ticks] == [None, 0.0, None]
    teller.update(1, [], [(101, 2)])
    assert [band.bid, band.ask, band.mid_ticks] == [0.0, 0.0, 100.5], "ten basis points of 100.5 reach no level"


def test_a_crossed_book_has_no_band_and_a_reset_forgets() -> None:
    band = BandDepth(1.0, reach_bps=100)
    teller = BookTeller(band)
    teller.snapshot(0, [(102, 1)], [(101, 1)])
    assert band.bid is None
    teller.snapshot(1, [(100, 1)], [(101, 1)])
    assert [band.bid, band.ask] == [1.0, 1.0]
    band.on_reset(at(2), "a gap")
    assert [band.bid, band.ask, band.mid_ticks] == [None, None, None]
