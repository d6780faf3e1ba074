"""Binance spot and USD-M futures: numbered updates, books by REST."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tests.contract.adapter import Adapter
from tests.fakes import binance_faults as faults
from tests.fakes.binance_rig import BinanceRig
from tests.fakes.binance_usdm import UsdmRig
from tests.fakes.http_server import HttpResponse
from tests.fakes.truth import CRYPTO

NO_CHECKSUM = "updates carry no checksum"
NO_KEY = "public data needs no key"
BROKEN = {
    "html": HttpResponse(body=b"<html>maintenance</html>", content_type="text/html"),
    "empty": HttpResponse(body=b""),
    "cut": HttpResponse(body=b'{"lastUpdateId":1,"bids":[["1","1"]'),
    "list": HttpResponse(body=b"[]"),
    "crossed": HttpResponse(body=b'{"lastUpdateId":99999999999,"bids":[["2","1"]],"asks":[["1","1"]]}'),
    "half sent": HttpResponse(body=b"0123456789", truncate_at=4),
    "hung up": HttpResponse(drop=True),
}


class BinanceAdapter(Adapter):
    """Spot."""

    name = "binance"
    two = ("BTCUSDT", "ETHUSDT")
    many = CRYPTO
    cannot: ClassVar[Mapping[str, str]] = {
        "bad_checksum": NO_CHECKSUM,
        "second_connection": "any number of connections is allowed",
        "expire_token": NO_KEY,
        "reorganise": "no chain",
    }

    def make_rig(self, symbols: Sequence[str], **options: Any) -> BinanceRig:
        return BinanceRig(symbols, **options)

    def announce_shutdown(self) -> None:
        self.venue.server_shutdown()

    def stale_snapshot(self, times: int = 3) -> None:
        self.venue.stale_rest(self.symbol, times=times)
        self.gap()

    def edits(self) -> Mapping[str, Any]:
        return {
            "crossed": faults.crossing,
            "negative": faults.negative_size,
            "NaN": faults.bad_value("NaN"),
            "null": faults.bad_value(None),
            "infinite": faults.bad_value("1e999"),
            "letters": faults.bad_value("abc"),
        }

    def unusual(self) -> Mapping[str, faults.Rewrite]:
        return {
            "exponent": faults.edited(faults.exponent_prices),
            "absent removal": faults.edited(faults.absent_removal),
        }

    def rest_broken(self, what: str, times: int = 2) -> None:
        self.venue.rest_fault(BROKEN[what], times=times)

    def malformed(self) -> Mapping[str, bytes]:
        frames = faults.bad_frames(self.symbol)
        names = {
            "unknown_channel": "unknown_stream", "wrong_types": "text_ids", "nan": "nan_literal",
            "huge_number": "huge_ids",
        }  # fmt: skip
        return {**frames, **{name: frames[own] for name, own in names.items()}}

    def lose_subscription(self) -> None:
        self.venue.drop_acks()

    def refuse_subscription(self) -> None:
        self.venue.refuse_subscribe()

    def flood(self, messages: int) -> None:
        self.venue.flood(self.symbol, messages)

    def skew(self, what: str) -> None:
        acts = {
            "ahead": lambda: self.venue.skew(3_600.0),
            "behind": lambda: self.venue.skew(-3_600.0),
            "1970": self.venue.stamp_1970,
            "microseconds": self.venue.stamp_microseconds,
        }
        acts[what]()


class BinanceUsdmAdapter(BinanceAdapter):
    """Futures: the same dialect with another rule of continuity."""

    name = "binance_usdm"

    def make_rig(self, symbols: Sequence[str], **options: Any) -> BinanceRig:
        return UsdmRig(symbols, **options)
