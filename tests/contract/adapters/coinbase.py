"""Coinbase Advanced Trade: frames are numbered per connection, so what is lost for one book is lost for all."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from engine.market.events import FeedState
from tests.contract.adapter import Adapter
from tests.contract.adapters.kraken import JUNK, broken
from tests.fakes import binance_faults as faults
from tests.fakes.coinbase import bad_price, crossing
from tests.fakes.coinbase_rig import CoinbaseRig

RESTART: Mapping[str, Any] = {
    "counters": {"gaps": 1}, "connections": 1, "at_most": None, "calm": False, "never": (),
    "states": (FeedState.RECONNECTING,),
}  # fmt: skip
UNREAD: Mapping[str, Any] = {**RESTART, "counters": {"decode_errors": 1}}
"""An unreadable frame takes its number with it, so the next one shows the break."""


class CoinbaseAdapter(Adapter):
    """Public products."""

    name = "coinbase"
    two = ("BTC-USD", "ETH-USD")
    many = ("BTC-USD", "ETH-USD", "SOL-USD", "DOGE-USD")
    wrong_symbol = "BTX-USD"
    cannot: ClassVar[Mapping[str, str]] = {
        "bad_checksum": "updates carry no checksum",
        "announce_shutdown": "the venue closes without a notice",
        "stale_snapshot": "books come by the stream, not by REST",
        "F18 microseconds": "times are written out, not counted",
        "second_connection": "any number of connections is allowed",
        "expire_token": "public data needs no key",
        "reorganise": "no chain",
    }
    differs: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "gap": RESTART,
        "duplicate": RESTART,
        "swap": RESTART,
        "desync_all": RESTART,
        "F7 five updates": {**RESTART, "within_s": 300.0},
        "F12": {"at_most": None},
        "F12 451": {
            "states": (FeedState.RECONNECTING,), "recovers": True, "ends": (), "book_requests_at_most": None,
        },
        "F14 instead of an update": UNREAD,
        **{f"F24 {what}": UNREAD for what in ("null", "infinite", "letters")},
    }  # fmt: skip

    def make_rig(self, symbols: Sequence[str], **options: Any) -> CoinbaseRig:
        return CoinbaseRig(symbols, **options)

    def duplicate(self, count: int = 1) -> None:
        # Each costs a connection.
        self.venue.duplicate(self.symbol, 1)

    def edits(self) -> Mapping[str, Any]:
        return {
            "crossed": crossing,
            "negative": bad_price("-1.0"),
            "NaN": bad_price("NaN"),
            "null": bad_price(None),
            "infinite": bad_price("1e999"),
            "letters": bad_price("abc"),
        }

    def unusual(self) -> Mapping[str, faults.Rewrite]:
        return {"exponent": faults.edited(_exponents), "absent removal": faults.edited(_absent_removal)}

    def lose_book(self) -> None:
        self.need_rest()
        self.venue.rst()

    def heal(self) -> None:
        # What was not said used no numbers: only who asks for the product again may hear it go on.
        silent = set(self.venue.muted)
        if silent:
            self.venue.wait_for(lambda: silent <= self.venue.owed, 8.0)
        super().heal()

    def need_rest(self) -> None:
        self.venue.refuse(503, times=None)

    def rest_broken(self, what: str, times: int = 2) -> None:
        crossed = b'{"pricebook":{"bids":[{"price":"2","size":"1"}],"asks":[{"price":"1","size":"1"}],"time":""}}'
        bodies = {"empty": b"", "cut": crossed[:40], "list": b"[]", "crossed": crossed}
        self.venue.rest_fault(broken(what, bodies), times=times)

    def malformed(self) -> Mapping[str, bytes]:
        def book(price: str) -> bytes:
            return (
                '{"channel":"l2_data","timestamp":"2026-01-01T00:00:00Z","events":[{"type":"update","product_id":'
                f'"{self.symbol}","updates":[{{"side":"bid","price_level":{price},"new_quantity":"1"}}]}}]}}'
            ).encode()

        return {
            **JUNK,
            "cut_json": b'{"channel":"l2_data","times',
            "unknown_channel": b'{"channel":"surprise","events":[]}',
            "wrong_types": b'{"channel":"l2_data","timestamp":7,"events":{}}',
            "nan": book("NaN"),
            "huge_number": book("9" * 400),
        }

    def lose_subscription(self) -> None:
        self.venue.drop_subscribes()

    def refuse_subscription(self) -> None:
        self.venue.refuse_subscribes()

    def flood(self, messages: int) -> None:
        self.venue.flood(self.symbol, messages)

    def skew(self, what: str) -> None:
        seconds = {"ahead": 3_600, "behind": -3_600, "1970": -int(time.time())}
        self.venue.skew_ns = seconds[what] * 1_000_000_000


def _exponents(fields: dict[str, Any]) -> None:
    for change in fields["events"][0]["updates"]:
        change["price_level"] = f"{float(change['price_level']):.12e}"


def _absent_removal(fields: dict[str, Any]) -> None:
    removal = {"side": "bid", "event_time": "", "price_level": "0.01000000", "new_quantity": "0"}
    fields["events"][0]["updates"].append(removal)
