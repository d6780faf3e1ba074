"""cTrader: a log-in before anything else, depth as quotes by id, no REST, no numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from engine.market.events import FeedState
from tests.contract.adapter import Adapter
from tests.fakes import binance_faults as faults
from tests.fakes.ctrader_rig import CtraderRig

NO_REST = "there is no REST"
NO_NUMBERS = "updates carry no numbers: a lost one shows only where depth and best prices part (an own test)"


class CtraderAdapter(Adapter):
    """One broker's host."""

    name = "ctrader"
    two = ("EURUSD", "USDJPY")
    many = ("EURUSD", "USDJPY", "GBPUSD")
    wrong_symbol = "EURUSX"
    cannot: ClassVar[Mapping[str, str]] = {
        "F1 no way back for a while": NO_REST,
        "F7": NO_NUMBERS,
        "F9": NO_NUMBERS,
        "F19": NO_NUMBERS,
        "bad_checksum": "updates carry no checksum",
        "stale_snapshot": NO_REST,
        "F12": NO_REST,
        "F13 451": f"{NO_REST}: the next case is what happens",
        "F15 exponents": "prices are whole numbers",
        "rotate": "an application is allowed one connection, and the host does not end it by its age",
        "reorganise": "no chain",
        "F24 crossed": "several providers may cross each other: shown as it is (an own test)",
        "F25 waiting for a snapshot": NO_REST,
        "F25 while polling": NO_REST,
    }
    differs: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        # It is no announcement: the session is over with these words.
        "F3": {"states": (FeedState.RECONNECTING,), "never": (), "calm": False, "at_once_s": 8.0},
        # Asking for a symbol anew takes five messages, and the heart beats every ten seconds.
        "F6": {"asks_at_most": 30},
        "F8": {"counters": {}},
        "F21": {"says": "CONNECTIONS_LIMIT_EXCEEDED", "connections": 2},
        "F22 refreshed": {"connections": 1, "says": "2147"},
    }

    def make_rig(self, symbols: Sequence[str], **options: Any) -> CtraderRig:
        return CtraderRig(symbols, **options)

    def announce_shutdown(self) -> None:
        self.venue.tell_all(2148, reason="the host restarts")

    def rest_fail(self, status: int, retry_after_s: int | None = None, times: int | None = 2) -> None:
        return  # there is none that could fail

    def edits(self) -> Mapping[str, Any]:
        def quote(**values: Any) -> Callable[[dict[str, Any]], None]:
            def edit(message: dict[str, Any]) -> None:
                new = message["payload"]["newQuotes"]
                message["payload"]["newQuotes"] = [*new, {"id": 1, "size": 100, "bid": 1, **values}]

            return edit

        return {
            "negative": quote(size=-100),
            "NaN": quote(size=float("nan")),
            "null": quote(size=None),
            "infinite": quote(size=float("inf")),
            "letters": quote(size="abc"),
        }

    def unusual(self) -> Mapping[str, faults.Rewrite]:
        def nobodys(message: dict[str, Any]) -> None:
            message["payload"]["deletedQuotes"].append(999_999_999)

        return {"absent removal": faults.edited(nobodys)}

    def malformed(self) -> Mapping[str, bytes]:
        return {
            "cut_json": b'{"payloadType":2131,"payl', "empty": b"", "null": b"null", "number": b"42", "list": b"[]",
            "empty_object": b"{}", "unknown_channel": b'{"payloadType":9999,"payload":{"surprise":[1]}}',
            "wrong_types": b'{"payloadType":2131,"payload":{"symbolId":"x","bid":[]}}',
            "nan": b'{"payloadType":2131,"payload":{"symbolId":1,"bid":NaN}}',
            "huge_number": b'{"payloadType":2131,"payload":{"symbolId":1,"ask":2,"bid":' + b"9" * 400 + b"}}",
            "deep": b"[" * 100_000, "not_utf8": b'{"payloadType":2131,"payload":{"\xff\xfe":1}}',
            "nul_bytes": b"\x00\x00\x00", "html": b"<html><body>502 Bad Gateway</body></html>",
        }  # fmt: skip

    def lose_subscription(self) -> None:
        self.venue.lost_spots += 1

    def refuse_subscription(self) -> None:
        self.venue.fail(2127, "INTERNAL_ERROR", description="something went wrong")

    def flood(self, messages: int) -> None:
        self.venue.flood(self.symbol, messages)

    def skew(self, what: str) -> None:
        acts: dict[str, Callable[[int], int]] = {
            "ahead": lambda stamp: stamp + 3_600_000,
            "behind": lambda stamp: stamp - 3_600_000,
            "1970": lambda stamp: stamp % 1_000_000,
            "microseconds": lambda stamp: stamp * 1_000,
        }
        self.venue.skewed = acts[what]

    def second_connection(self) -> None:
        """Another program has the application's only connection when ours is made anew."""
        self.venue.fail(2100, "CONNECTIONS_LIMIT_EXCEEDED", retryAfter=2)
        self.rst()

    def expire_token(self, *, for_good: bool = False) -> None:
        if for_good:
            self.venue.renewals.clear()
        self.venue.invalidate()
