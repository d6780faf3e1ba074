"""What the flight recorder wrote while a fake venue played says the same as the live feed did."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.market.events import BUY, SELL, Trade
from engine.plugins import frame_readers
from engine.store.flight_desk import FlightDesk
from engine.store.verify import Report, exact, recognise, verify
from tests.fakes.binance_rig import BinanceRig
from tests.fakes.coinbase_rig import CoinbaseRig
from tests.fakes.kraken_rig import KrakenRig
from tests.fakes.rig import Rig

COUNTS = (
    "snapshots", "applied", "ignored", "duplicates", "gaps", "resyncs", "crossed", "checksums_ok", "checksums_bad",
)  # fmt: skip
RIGS = {
    "binance": lambda: BinanceRig(["BTCUSDT", "ETHUSDT"]),
    "kraken": lambda: KrakenRig(["BTC/USDT", "ETH/USDT"]),
    "coinbase": lambda: CoinbaseRig(["BTC-USD", "ETH-USD"]),
}


class Listener:
    """Every trade that a feed let through, in exact sums."""

    def __init__(self) -> None:
        self.count = 0
        self.volume = {BUY: Decimal(0), SELL: Decimal(0), 0: Decimal(0)}

    def __call__(self, event: object) -> None:
        if type(event) is Trade and not event.backfill:
            self.count += 1
            size = exact(event.size) if event.exact_size is None else Decimal(event.exact_size)
            self.volume[event.aggressor] += size


def recorded(path: Path) -> Report:
    return verify(path, recognise(path, frame_readers()))


def said(rig: Rig, symbol: str, heard: Listener) -> dict[str, Any]:
    """What the live feed says of itself, as a report words it."""
    feed = rig.feed(symbol)
    book = feed.snapshot(10)
    return {
        **{name: getattr(feed.quality, name) for name in COUNTS},
        "state": feed.state.value,
        "levels": list(feed.levels),
        "best": (exact(book.bids[0][0]), exact(book.bids[0][1]), exact(book.asks[0][0]), exact(book.asks[0][1])),
        "trades": heard.count,
        "volumes": (heard.volume[BUY], heard.volume[SELL]),
    }


def reported(found: dict[str, Any]) -> dict[str, Any]:
    bid, ask = found["top"]["bids"][0], found["top"]["asks"][0]
    return {
        **{name: found[name] for name in COUNTS},
        "state": found["state"],
        "levels": found["levels"],
        "best": tuple([Decimal(text) for text in (*bid, *ask)]),
        "trades": found["trades"],
        "volumes": (Decimal(found["buy_volume"]), Decimal(found["sell_volume"])),
    }


@pytest.mark.parametrize("venue", RIGS)
def test_a_recording_of_a_playing_venue_says_what_the_live_feed_said(venue: str, tmp_path: Path) -> None:
    with RIGS[venue]() as rig:
        desk = FlightDesk({venue: rig.connector}, rig.runtime.clock)
        place = tmp_path / "flight.jsonl.gz"
        desk.start(venue, place)
        rig.start()
        heard = {symbol: Listener() for symbol in rig.symbols}
        for symbol, listener in heard.items():
            rig.connector.start_stream(symbol, listener)
        rig.move()
        rig.until_live()
        rig.pause(200)
        rig.settle()
        live = {symbol: said(rig, symbol, heard[symbol]) for symbol in rig.symbols}
        state = desk.stop(venue)
    assert state is not None
    assert (state.running, state.lost, state.trouble) == (False, 0, "")
    report = recorded(place)
    assert (report.connector, report.problems, report.dropped_frames) == (venue, [], 0)
    assert {symbol: reported(found) for symbol, found in report.symbols.items()} == live
    assert all(one["trades"] > 0 and one["applied"] > 20 for one in live.values())
