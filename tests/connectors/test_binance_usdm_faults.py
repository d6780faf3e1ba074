"""What the futures venue can do wrong beyond spot: its own numbering, over real sockets, against the truth."""

from __future__ import annotations

import time

from engine.market.events import FeedState
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


def test_a_quiet_symbol_joins_its_book_at_the_first_update() -> None:
    with UsdmRig() as rig:
        rig.start()
        rig.until(lambda: rig.venue.subscribers(BTC))
        rig.until(lambda: rig.witness.state is FeedState.LIVE, what="a book by REST", timeout=20.0)
        rig.venue.step(BTC, 5)
        rig.until_live()
        assert (rig.quality().gaps, len(rig.book_requests())) == (0, 1)
