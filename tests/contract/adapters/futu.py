"""Futu: whole books without numbers, over OpenD's own protocol; streams and questions go through the same OpenD."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Event
from typing import Any, ClassVar

from engine.market.events import FeedState
from tests.contract.adapter import Adapter
from tests.fakes import binance_faults as faults
from tests.fakes.binance_faults import Fragmented
from tests.fakes.futu import BOOK, INIT, STOCKS, SUBSCRIBE, edited, framed, new, without_digest
from tests.fakes.futu_rig import FutuRig

NO_CODES = "OpenD's protocol has no close codes"
NO_HTTP = "OpenD speaks no HTTP: books are asked for over its own protocol"
SAME_OPEND = "books are polled through the same OpenD: without it there are none"
NO_WEBSOCKET = "OpenD speaks no WebSocket"
NO_JSON = "its numbers are binary: they cannot be text or absent"
UNSEEN: Mapping[str, Any] = {"counters": {}}
"""A whole book replaces the one before: what is lost, repeated or late in between leaves no trace."""
DROPPED = {"counters": {"decode_errors": 1}, "states": ()}


class FutuAdapter(Adapter):
    """The real futu-api between the connector and the fake."""

    name = "futu"
    two = ("HK.00700", "HK.09988")
    many = tuple(STOCKS)
    wrong_symbol = "HK.0070"
    cannot: ClassVar[Mapping[str, str]] = {
        "close": NO_CODES,
        "announce_shutdown": "OpenD does not announce its end",
        "age_out": "OpenD ends no connection for its age",
        "rotate": "OpenD ends no connection for its age",
        "stale_snapshot": "no book is joined to the stream",
        "rest_fail": NO_HTTP,
        "rest_slow": NO_HTTP,
        "rest_broken": NO_HTTP,
        "F1 no way back for a while": SAME_OPEND,
        "F13": NO_HTTP,
        "F15 binary": NO_WEBSOCKET,
        "F15 exponents": NO_JSON,
        "F15 over the bound": "futu-api bounds no message; its peer is a program of the user's own",
        "F18 microseconds": "its times are seconds, as doubles",
        "F24 crossed": "in auctions books cross: shown as they are",
        "F24 null": NO_JSON,
        "F24 letters": NO_JSON,
        "F24 removal of nothing": "nothing is removed: each message is a whole book",
        "second_connection": "any number of connections is allowed",
        "expire_token": "OpenD holds the log-in (its end: tests/connectors/test_futu.py)",
        "reorganise": "no chain",
        "F25 in the TLS handshake": "no TLS: OpenD is on this machine, or encrypts by itself",
        "F25 waiting for a snapshot": "no book is joined to the stream",
        "F25 in a blocked send": "sending is the library's, which never blocks",
        "F25 while polling": SAME_OPEND,
    }
    differs: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "gap": UNSEEN,
        "duplicate": UNSEEN,
        "swap": UNSEEN,
        "F19": UNSEEN,
        "F10 once": DROPPED | {"says": ""},
        "F10 always": {
            "states": (FeedState.RECONNECTING, FeedState.POLLING),
            "says": "unreadable frames within a minute",
        },
        "F24": DROPPED,
        "F24 negative": DROPPED,
    }

    def make_rig(self, symbols: Sequence[str], **options: Any) -> FutuRig:
        return FutuRig(symbols, **options)

    @property
    def accepted(self) -> int:
        return int(self.venue.streams)

    def half_a_frame(self) -> None:
        self.venue.send_all_raw(framed(BOOK, b"only the beginning")[:50])
        self.venue.fin()

    def bad_checksum(self, count: int = 1) -> None:
        def spoil(data: str) -> Sequence[faults.Piece]:
            return (without_digest(data.encode("latin-1")).decode("latin-1"),)

        self.venue.rewrite(self.symbol, spoil, count=count)

    def edit(self, what: str) -> None:
        cut = edited(lambda message: message.ClearField("retType"))
        self.venue.rewrite(self.symbol, cut if what == "cut" else edited(self.edits()[what]))

    def edits(self) -> Mapping[str, Any]:
        def level(message: Any) -> Any:
            return message.s2c.orderBookBidList[0]

        return {
            "negative": lambda message: setattr(level(message), "hpVolume", -1.0),
            "NaN": lambda message: setattr(level(message), "price", float("nan")),
            "infinite": lambda message: setattr(level(message), "price", float("inf")),
        }

    def harmless(self, what: str, count: int = 5) -> None:
        assert what == "fragmented"
        self.venue.rewrite(self.symbol, lambda data: (Fragmented(data),), count=count)

    def refuse(self, status: int, retry_after_s: int | None = None, times: int | None = 1) -> None:
        self.venue.fail(INIT, f"refused by the catalogue ({status})", times or 1_000)

    def rest_fail(self, status: int, retry_after_s: int | None = None, times: int | None = 2) -> None:
        """There is no REST to refuse."""

    def hang_handshakes(self) -> Event:
        self.venue.deaf.add(INIT)
        return Event()

    def malformed(self) -> Mapping[str, bytes]:
        bodies = {
            "cut_json": b"\x08\x00\x22\x7f\x0a",
            "empty": b"",
            "null": b"\x00",
            "number": b"5",
            "list": b"[]",
            "empty_object": b"\x08\x00\x22\x00",
            "wrong_types": b"\x0d\x00\x00\x80\x3f\x20\x07",
            "nan": _nan(),
            "huge_number": b"\x08" + b"\xff" * 12,
            "deep": b"\x0b" * 10_000,
            "not_utf8": b"\x08\x00\x22\x09\x0a\x07\x08\x01\x12\x03\xff\xfe\xfd",
            "nul_bytes": bytes(100),
            "html": b"<html>maintenance</html>",
        }
        return {name: framed(BOOK, body) for name, body in bodies.items()} | {"unknown_channel": framed(9_999, b"")}

    def nonsense(self, count: int) -> None:
        self.venue.send_all_raw(framed(BOOK, b"nonsense") * count)

    def send(self, frame: bytes) -> None:
        self.venue.send_all_raw(frame)

    def huge(self, size: int) -> None:
        self.send(framed(BOOK, b"x" * size))

    def wrong_frame(self) -> None:
        self.venue.send_all_raw(b"\xf3" * 44)

    def lose_subscription(self) -> None:
        self.venue.deaf_once(SUBSCRIBE)

    def refuse_subscription(self) -> None:
        self.venue.fail(SUBSCRIBE, "refused by the catalogue")

    def flood(self, messages: int) -> None:
        self.venue.step(self.symbol, messages)

    def skew(self, what: str) -> None:
        self.venue.skew_s = {"ahead": 3_600.0, "behind": -3_600.0, "1970": 0.0}[what]
        if what == "1970":
            self.venue.known_times = False


def _nan() -> bytes:
    message = new(BOOK)
    message.retType = 0
    message.s2c.security.market, message.s2c.security.code = 1, "00700"
    message.s2c.orderBookBidList.add(price=float("nan"), volume=1, orederCount=1)
    return bytes(message.SerializeToString())
