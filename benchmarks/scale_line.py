"""The measured process of the scale benchmark: one hub, five connectors, one reader that drains twenty times a second.

Reads one JSON object (`venues` as `scale_venues` prints them, `sizes`, `seconds`) from its input; prints one for each
size, then one about its end.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import TICKS_PER_S, rss_mb
from connectors.base import Link, Request, StreamingConnector
from connectors.binance import BinanceConnector
from connectors.binance_usdm import BinanceUsdmConnector
from connectors.coinbase import CoinbaseConnector
from connectors.kraken import KrakenConnector
from connectors.mock import MockConnector
from engine.connector import Connector
from engine.feed.mailbox import FeedKey, Mailbox
from engine.hub import STREAM, Hub, Subscription
from engine.market.events import FeedState
from engine.market.instrument import Instrument

DRAINS_PER_S = 20.0
LIVE_WITHIN_S = 60.0
SETTLE_S = 2.0
LOOK_S = 0.02


class WiredMockConnector(MockConnector):
    """The mock connector whose exchange lives elsewhere, behind a real socket."""

    def __init__(self, websocket: str, rest: str) -> None:
        super().__init__({})
        self._websocket, self._address = websocket, rest

    def make_link(self) -> Link:
        return StreamingConnector.make_link(self)

    def stream_url(self, symbols: Sequence[str]) -> str:
        return self._websocket

    def fetch(self, request: Request, timeout_s: float) -> bytes:
        address = request.url.replace("mock://exchange", self._address, 1)
        return StreamingConnector.fetch(self, Request(address), timeout_s)

    def instruments(self) -> Sequence[Instrument]:
        return StreamingConnector.instruments(self)


def connectors_for(venues: Mapping[str, Mapping[str, Any]]) -> dict[str, Connector]:
    """The five connectors, pointed at these addresses."""
    settings = {f"{name.upper()}_WS_URL": one["ws"] for name, one in venues.items()}
    settings |= {f"{name.upper()}_REST_URL": one["rest"] for name, one in venues.items()}
    mock = WiredMockConnector(venues["mock"]["ws"], venues["mock"]["rest"])
    made = [kind(settings) for kind in (BinanceConnector, BinanceUsdmConnector, KrakenConnector, CoinbaseConnector)]
    return {one.name: one for one in [*made, mock]}


class Run:
    """One hub under a growing number of symbols."""

    def __init__(self, venues: Mapping[str, Mapping[str, Any]]) -> None:
        self.hub = Hub(connectors_for(venues))
        self.mailbox = Mailbox()
        self.subscription: Subscription = self.hub.subscribe([], self.mailbox)
        rounds = zip(
            *[[(name, symbol, STREAM) for symbol in one["symbols"]] for name, one in venues.items()], strict=True
        )
        self.keys: list[FeedKey] = [key for round_ in rounds for key in round_]
        """All symbols, the venues in turns."""
        self._stopping = threading.Event()
        self._reader = threading.Thread(target=self._read, name="reader", daemon=True)
        self._reader.start()

    def grow(self, size: int, seconds: float) -> dict[str, Any]:
        """Watch so many symbols; what that costs once all are LIVE."""
        keys = self.keys[:size]
        begun = time.monotonic()
        self.subscription.watch(keys)
        live_s: dict[FeedKey, float] = {}
        while len(live_s) < size and time.monotonic() - begun < LIVE_WITHIN_S:
            for key in keys:
                if key not in live_s and self._is_live(key):
                    live_s[key] = time.monotonic() - begun
            self._stopping.wait(LOOK_S)
        self._stopping.wait(SETTLE_S)
        gc.collect()
        cost = self._measure(keys, seconds)
        cost |= {
            "symbols": size,
            "live": sum(map(self._is_live, keys)),
            "all_live_s": max(live_s.values(), default=0.0),
        }
        cost["live_s"] = {
            venue: round(max([at for key, at in live_s.items() if key[0] == venue], default=0.0), 2)
            for venue in self.hub.connectors
        }
        return cost | {"not_live": self._troubles(keys), "wrong": self._wrong(keys)}

    def close(self) -> float:
        """Stop; how many seconds it took."""
        begun = time.monotonic()
        self._stopping.set()
        self.hub.close()
        return time.monotonic() - begun

    def _measure(self, keys: Sequence[FeedKey], seconds: float) -> dict[str, Any]:
        before, at, cpu, threads = self._updates(keys), time.monotonic(), time.process_time(), thread_cpu_s()
        self._stopping.wait(seconds)
        took_s = time.monotonic() - at
        busy_s = time.process_time() - cpu
        after = thread_cpu_s()
        names = [thread.name for thread in threading.enumerate()]
        return {
            "cpu_percent": busy_s / took_s * 100,
            "updates_per_s": (self._updates(keys) - before) / took_s,
            "rss_mb": rss_mb(os.getpid()),
            "threads": len(names),
            "connections": sum([len(_stream_name(name)) > 0 for name in names]),
            "by_thread": {
                name: round((cpu_s - threads.get(name, 0.0)) / took_s * 100, 2) for name, cpu_s in after.items()
            },
        }

    def _read(self) -> None:
        while not self._stopping.wait(1.0 / DRAINS_PER_S):
            self.mailbox.drain()

    def _is_live(self, key: FeedKey) -> bool:
        feed = self.hub.feed(key)
        return feed is not None and feed.state is FeedState.LIVE

    def _updates(self, keys: Sequence[FeedKey]) -> int:
        return sum([feed.quality.updates for key in keys if (feed := self.hub.feed(key)) is not None])

    def _troubles(self, keys: Sequence[FeedKey]) -> list[str]:
        feeds = [feed for key in keys if (feed := self.hub.feed(key)) is not None and not self._is_live(key)]
        return [f"{one.venue} {one.symbol}: {one.state} {one.status.reason if one.status else ''}" for one in feeds][:5]

    def _wrong(self, keys: Sequence[FeedKey]) -> dict[str, int]:
        """Everything that a sound run has none of."""
        found: Counter[str] = Counter()
        for key in keys:
            feed = self.hub.feed(key)
            for name in ("gaps", "checksums_bad", "crossed", "decode_errors", "reconnects", "trade_gaps"):
                found[name] += getattr(feed.quality, name) if feed is not None else 0
        return {name: count for name, count in found.items() if count}


def thread_cpu_s() -> dict[str, float]:
    """CPU seconds of each of our threads by name, since it began."""
    found: dict[str, float] = {}
    for thread in threading.enumerate():
        try:
            stat = Path(f"/proc/self/task/{thread.native_id}/stat").read_text(encoding="utf-8")
        except OSError:
            continue
        fields = stat.rpartition(")")[2].split()
        found[thread.name] = (int(fields[11]) + int(fields[12])) / TICKS_PER_S
    return found


def _stream_name(thread: str) -> str:
    """The connection whose supervisor a thread is; empty for any other thread."""
    words = thread.split()
    return thread if len(words) == 3 and words[1] == "stream" else ""


def main() -> int:
    asked = json.loads(sys.stdin.readline())
    sys.setswitchinterval(0.0005)
    run = Run(asked["venues"])
    for size in asked["sizes"]:
        print(json.dumps(run.grow(size, asked["seconds"])), flush=True)
    print(json.dumps({"closed_in_s": run.close()}), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
