"""cryptofeed on the same frames: its own message handler, parser, types and books; nothing goes to the network.

A frame enters where its connection hands it over (`Binance.message_handler`, text already decoded). The REST snapshot
is read from the capture. cryptofeed subscribes to aggregated trades where the capture holds single ones, so those
frames are given to it in the shape of `aggTrade`, re-written before the clock starts. Books are kept whole
(`max_depth=0`).
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from cryptofeed.defines import L2_BOOK, TICKER, TRADES
from cryptofeed.exchanges.binance import Binance
from cryptofeed.symbols import Symbols

from benchmarks.peers.floor import Job
from benchmarks.tape import TOP, Outcome, Step, Top

SYMBOLS = {"BTCUSDT": "BTC-USDT", "ETHUSDT": "ETH-USDT"}


class _Snapshots:
    """Stands for cryptofeed's HTTP connection: answers a depth request with the captured body."""

    def __init__(self, bodies: dict[str, str]) -> None:
        self._bodies = bodies

    async def read(self, address: str, **_: Any) -> str:
        return next(body for symbol, body in self._bodies.items() if f"symbol={symbol}&" in address)


class _Counts:
    def __init__(self, *, read_top: bool) -> None:
        self.trades = self.quotes = self.books = 0
        self.read_top = read_top
        self.best: tuple[Any, Any] | None = None

    async def on_trade(self, trade: Any, received: float) -> None:
        self.trades += 1

    async def on_quote(self, quote: Any, received: float) -> None:
        self.quotes += 1

    async def on_book(self, book: Any, received: float) -> None:
        self.books += 1
        if self.read_top:
            # cryptofeed sorts a side when it is first read after a change.
            self.best = (book.book.bids.index(0), book.book.asks.index(0))


def follow(steps: list[Step]) -> Job:
    return _job(steps, read_top=False)


def follow_reading_top(steps: list[Step]) -> Job:
    return _job(steps, read_top=True)


def _job(steps: list[Step], *, read_top: bool) -> Job:
    Symbols.set("BINANCE", {normal: raw for raw, normal in SYMBOLS.items()}, {"instrument_type": {}})
    bodies = {step.symbol: step.data.decode() for step in steps if step.symbol}
    frames = [(_aggregated(step.data.decode()), step.received_ns / 1e9) for step in steps if not step.symbol]
    counts = _Counts(read_top=read_top)
    feed = Binance(
        symbols=list(SYMBOLS.values()),
        channels=[L2_BOOK, TRADES, TICKER],
        callbacks={L2_BOOK: counts.on_book, TRADES: counts.on_trade, TICKER: counts.on_quote},
        max_depth=0,
        config={"log": {"disabled": True, "filename": "", "level": "ERROR"}},
    )
    feed.http_conn = _Snapshots(bodies)
    return lambda: asyncio.run(_follow(feed, counts, frames))


async def _follow(feed: Binance, counts: _Counts, frames: list[tuple[str, float]]) -> Outcome:
    handle = feed.message_handler
    for frame, received in frames:
        await handle(frame, None, received)
    return Outcome(counts.trades, counts.quotes, {raw: _top(feed, normal) for raw, normal in SYMBOLS.items()})


def _top(feed: Binance, symbol: str) -> Top:
    book = feed._l2_book[symbol].book
    return {
        name: [(float(price), float(size)) for price, size in (side.index(place) for place in range(TOP))]
        for name, side in (("bids", book.bids), ("asks", book.asks))
    }


def _aggregated(frame: str) -> str:
    """A `trade` frame as the `aggTrade` frame of that one trade; others as they are."""
    if '@trade"' not in frame:
        return frame
    message = json.loads(frame)
    data = message["data"]
    identifier = data.pop("t")
    data["e"] = "aggTrade"
    data |= {"a": identifier, "f": identifier, "l": identifier}
    message["stream"] = message["stream"].replace("@trade", "@aggTrade")
    return json.dumps(message, separators=(",", ":"))
