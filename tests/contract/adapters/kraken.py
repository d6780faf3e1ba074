"""Kraken: no numbers but checksums, books by the stream; REST only while the stream is away."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from engine.market.events import FeedState
from tests.contract.adapter import Adapter
from tests.fakes import binance_faults as faults
from tests.fakes import frames
from tests.fakes.http_server import HttpResponse
from tests.fakes.kraken_rig import NAMES, KrakenRig

TOUCHING = 6
"""So many updates in a row surely touch the ten levels that the checksum is about."""
HEARTBEAT = frames.encode(frames.TEXT, '{"channel":"heartbeat"}')
IDLE = 98
"""Heartbeats per update in a burst: true updates alone take the fake too long."""
VALUES = {"negative": "-1.0", "NaN": "NaN", "null": "null", "infinite": "1e999", "letters": '"abc"'}


class KrakenAdapter(Adapter):
    """Spot, WebSocket v2."""

    name = "kraken"
    two = ("BTC/USDT", "ETH/USDT")
    many = tuple(NAMES)
    wrong_symbol = "XBT/USDT"
    cannot: ClassVar[Mapping[str, str]] = {
        "announce_shutdown": "the venue closes without a notice",
        "stale_snapshot": "books come by the stream, not by REST",
        "F15 exponents": "numbers are checked as they are written",
        "F18 microseconds": "times are written out, not counted",
        "second_connection": "any number of connections is allowed",
        "expire_token": "public data needs no key",
        "reorganise": "no chain",
    }
    differs: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "gap": {"counters": {"checksums_bad": 1}},
        "desync_all": {"counters": {"checksums_bad": 1}},
        "duplicate": {"counters": {}},
        "swap": {"counters": {}},
        "F12": {"at_most": None},
        "F12 451": {
            "states": (FeedState.RECONNECTING,), "recovers": True, "ends": (), "book_requests_at_most": None,
        },
        "F24": {"counters": {"decode_errors": 1}},
        "F24 crossed": {"counters": {"resyncs": 1}},
        "F24 removal of nothing": {"counters": {}},
    }  # fmt: skip

    def make_rig(self, symbols: Sequence[str], **options: Any) -> KrakenRig:
        return KrakenRig(symbols, **options)

    def gap(self, count: int = 1) -> None:
        self.venue.gap(self.symbol, max(count, TOUCHING))

    def bad_checksum(self, count: int = 1) -> None:
        self.venue.bad_checksum(self.symbol, count)

    def edit(self, what: str) -> None:
        if what == "cut":
            super().edit(what)
            return
        self.venue.rewrite(self.symbol, _edited(what))

    def unusual(self) -> Mapping[str, faults.Rewrite]:
        return {"absent removal": _with_bid("0.01", "0.00000000")}

    def lose_book(self) -> None:
        self.need_rest()
        self.venue.rst()

    def need_rest(self) -> None:
        self.venue.refuse(503, times=None)

    def rest_broken(self, what: str, times: int = 2) -> None:
        crossed = b'{"error":[],"result":{"X":{"bids":[["2","1",1]],"asks":[["1","1",1]]}}}'
        bodies = {"empty": b"", "cut": crossed[:40], "list": b"[]", "crossed": crossed}
        self.venue.rest_fault(broken(what, bodies), times=times)

    def malformed(self) -> Mapping[str, bytes]:
        def book(level: str) -> bytes:
            return (
                f'{{"channel":"book","type":"update","data":[{{"symbol":"{self.symbol}","bids":[{level}],"asks":[],'
                '"checksum":1,"timestamp":"2026-01-01T00:00:00.000000Z"}]}'
            ).encode()

        return {
            **JUNK,
            "cut_json": b'{"channel":"book","type":"upd',
            "unknown_channel": b'{"channel":"surprise","type":"update","data":[]}',
            "wrong_types": b'{"channel":"book","type":"update","data":7}',
            "nan": book('{"price":NaN,"qty":1.0}'),
            "huge_number": book(f'{{"price":{"9" * 400},"qty":1.0}}'),
        }

    def lose_subscription(self) -> None:
        self.venue.drop_subscribes()

    def refuse_subscription(self) -> None:
        self.venue.refuse_subscribes()

    def flood(self, messages: int) -> None:
        with self.venue.market:
            for _ in range(messages // (IDLE + 2)):
                self.venue.step(self.symbol)
                self.venue.send_all_raw(HEARTBEAT * IDLE)

    def skew(self, what: str) -> None:
        seconds = {"ahead": 3_600, "behind": -3_600, "1970": -int(time.time())}
        self.venue.skew_us = seconds[what] * 1_000_000

    def desync_all(self) -> None:
        with self.venue.market:
            for symbol in self.rig.symbols:
                self.venue.gap(symbol, TOUCHING)


JUNK: Mapping[str, bytes] = {
    "empty": b"",
    "null": b"null",
    "number": b"42",
    "list": b"[]",
    "empty_object": b"{}",
    "deep": b"[" * 100_000,
    "not_utf8": b'{"channel":"\xff\xfe\xc3","data":"\x80"}',
    "nul_bytes": b"\x00\x00\x00",
    "html": b"<html><body>502 Bad Gateway</body></html>",
}


def broken(what: str, bodies: Mapping[str, bytes]) -> HttpResponse:
    """A REST answer that cannot be used."""
    if what == "html":
        return HttpResponse(body=b"<html>maintenance</html>", content_type="text/html")
    if what == "half sent":
        return HttpResponse(body=b"0123456789", truncate_at=4)
    return HttpResponse(drop=True) if what == "hung up" else HttpResponse(body=bodies[what])


def _edited(what: str) -> faults.Rewrite:
    """A change in the text, for numbers are to stay as they are written."""
    if what == "crossed":
        return _with_bid("9999999.0", "1.00000000")
    return lambda data: (re.sub(r'"price":[0-9.]+', f'"price":{VALUES[what]}', data, count=1),)


def _with_bid(price: str, size: str) -> faults.Rewrite:
    level = f'{{"price":{price},"qty":{size}}}'
    return lambda data: (data.replace('"bids":[', f'"bids":[{level},').replace(f"{level},]", f"{level}]"),)
