"""Finnhub: prints without numbers, no book, no answer to a subscription, one connection per key."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from connectors.base.transport.link import WebSocketLink
from tests.contract.adapter import Adapter
from tests.fakes.finnhub_rig import FinnhubRig
from tests.fakes.http_server import HttpResponse

NO_NUMBERS = "prints carry no numbers: nobody can see that one is missing, twice or late"
NO_BOOK = "there is no book"
COUNTED = {"counters": {"decode_errors": 1}}


class FinnhubAdapter(Adapter):
    """The free plan."""

    name = "finnhub"
    two = ("BTCUSDT", "ETHUSDT")
    cannot: ClassVar[Mapping[str, str]] = {
        "announce_shutdown": "nothing is announced",
        "F7": NO_NUMBERS,
        "F8": NO_NUMBERS,
        "F9": NO_NUMBERS,
        "F19": NO_BOOK,
        "bad_checksum": NO_BOOK,
        "stale_snapshot": NO_BOOK,
        "F12": f"{NO_BOOK} to be asked for; prices are asked for only while the stream is away",
        "F16 a wrong symbol": "it is as silent as a quiet one; only asking for its price tells (an own test)",
        "rotate": "a key is allowed one connection, and the venue does not end it by its age",
        "expire_token": "a key does not expire",
        "reorganise": "no chain",
        "F24 crossed": NO_BOOK,
        "F24 removal of nothing": NO_BOOK,
        "F25 waiting for a snapshot": NO_BOOK,
    }
    differs: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "F21": {"connections": 1},
        "F24": {**COUNTED, "at_most": 0, "calm": True},
    }

    def make_rig(self, symbols: Sequence[str], **options: Any) -> FinnhubRig:
        return FinnhubRig(symbols, **options)

    def rest_fail(self, status: int, retry_after_s: int | None = None, times: int | None = 2) -> None:
        headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        for path in (self.venue.book_path, "/api/v1/stock/bidask"):
            body = b"Service unavailable from a restricted location" if status == 451 else b"{}"
            self.venue.rest_fault(HttpResponse(status, body, headers), path=path, times=times)

    def edits(self) -> Mapping[str, Any]:
        def value(name: str, new: object) -> Callable[[dict[str, Any]], None]:
            def edit(message: dict[str, Any]) -> None:
                message["data"][0][name] = new

            return edit

        return {
            "negative": value("v", -1.0), "NaN": value("p", float("nan")), "null": value("p", None),
            "infinite": value("p", float("inf")), "letters": value("p", "abc"),
        }  # fmt: skip

    def unusual(self) -> Mapping[str, Any]:
        def exponents(data: str) -> Sequence[str]:

            message = json.loads(data)
            prints = [
                f'{{"c":null,"p":{one["p"]:.16e},"s":"{one["s"]}","t":{one["t"]},"v":{one["v"]:.16e}}}'
                for one in message["data"]
            ]
            return (f'{{"data":[{",".join(prints)}],"type":"trade"}}',)

        return {"exponent": exponents}

    def malformed(self) -> Mapping[str, bytes]:
        return {
            "cut_json": b'{"data":[{"p":1', "empty": b"", "null": b"null", "number": b"42", "list": b"[]",
            "empty_object": b"{}", "unknown_channel": b'{"type":"news","data":[{"id":5}]}',
            "wrong_types": b'{"type":"trade","data":[{"s":5,"p":"x","t":[],"v":{}}]}',
            "nan": b'{"type":"trade","data":[{"s":"BTCUSDT","p":NaN,"t":1,"v":1}]}',
            "huge_number": b'{"type":"trade","data":[{"s":"BTCUSDT","p":1,"t":' + b"9" * 400 + b',"v":1}]}',
            "deep": b"[" * 100_000, "not_utf8": b'{"type":"\xff\xfe"}', "nul_bytes": b"\x00\x00\x00",
            "html": b"<html><body>502 Bad Gateway</body></html>",
        }  # fmt: skip

    def lose_subscription(self) -> None:
        self.venue.deaf += 1

    def refuse_subscription(self) -> None:
        self.venue.refusing += 1

    def flood(self, messages: int) -> None:
        self.venue.flood(self.symbol, messages)

    def skew(self, what: str) -> None:
        acts: dict[str, Callable[[int], int]] = {
            "ahead": lambda stamp: stamp + 3_600_000,
            "behind": lambda stamp: stamp - 3_600_000,
            "1970": lambda stamp: stamp % 1_000_000_000,
            "microseconds": lambda stamp: stamp * 1_000,
        }
        self.venue.skewed = acts[what]

    def second_connection(self) -> None:
        """Another program connects with the same key: the venue ends both."""
        intruder = WebSocketLink()
        intruder.open(f"{self.venue.ws_url}?token={self.venue.key}", 1.0)
        intruder.close()
