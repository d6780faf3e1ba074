"""The mock: an exchange inside the process, whose faults are those of its own board."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from connectors.base.simulation.faults import Fault
from engine.market.events import FeedState
from tests.contract.adapter import Adapter
from tests.contract.adapters.kraken import JUNK
from tests.fakes.mock_rig import MockRig

NO_SOCKETS = "the simulation has no sockets"
ONE_WAY = "the simulation fails in one way only"


class MockAdapter(Adapter):
    """The simulated exchange."""

    name = "mock"
    two = ("BTC/USDT", "ETH/USDT")
    many = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "EUR/USD")
    wrong_symbol = "BTC/USTD"
    cannot: ClassVar[Mapping[str, str]] = {
        "F1 RST": NO_SOCKETS,
        "half_a_frame": NO_SOCKETS,
        "half_open": NO_SOCKETS,
        "wrong_frame": NO_SOCKETS,
        "F15 binary": NO_SOCKETS,
        "F15 fragmented": NO_SOCKETS,
        "F15 over the bound": NO_SOCKETS,
        "F25 in the look-up": NO_SOCKETS,
        "F25 in the TCP handshake": NO_SOCKETS,
        "F25 in the TLS handshake": NO_SOCKETS,
        "F25 in the WebSocket handshake": NO_SOCKETS,
        "F25 in a blocked send": NO_SOCKETS,
        "F2 1001": "the simulation closes with 1012 and 1008 only",
        "F2 4002": "the simulation closes with 1012 and 1008 only",
        "bad_checksum": "updates carry no checksum",
        **{f"F12 {what}": ONE_WAY for what in ("empty", "cut", "list", "crossed", "half sent", "hung up")},
        "F14 instead of an update": ONE_WAY,
        **{f"F24 {what}": ONE_WAY for what in ("NaN", "null", "infinite", "letters")},
        "F15 exponents": "the simulation writes in one way only",
        "F24 removal of nothing": "the simulation writes in one way only",
        "F18 1970": "the simulated clock runs ahead or behind only",
        "F18 microseconds": "the simulated clock runs ahead or behind only",
        "second_connection": "any number of connections is allowed",
        "expire_token": "no key is needed",
        "reorganise": "no chain",
    }
    differs: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        # The simulation says "unavailable in your region" with it.
        "F12 403": {"states": (FeedState.BLOCKED,), "recovers": False, "ends": (FeedState.BLOCKED,)},
        "F12 429": {"rest_not_before_s": 1.9},
        "F12 418": {"rest_not_before_s": 1.9},
        "F13 429": {"not_before_s": 1.9},
    }

    def make_rig(self, symbols: Sequence[str], **options: Any) -> MockRig:
        return MockRig(symbols, **options)

    def set(self, fault: Fault, *, symbol: str = "", value: float | None = None, count: int | None = None) -> None:
        """Switch a fault of the board on."""
        self.rig.connector.faults.set(fault, symbol=symbol, value=value, count=count)

    def fin(self) -> None:
        self.set(Fault.DROP)

    rst = fin

    def close(self, code: int) -> None:
        self.set(Fault.CLOSE_1012 if code == 1012 else Fault.CLOSE_1008)

    def age_out(self) -> None:
        self.set(Fault.CLOSE_1012)

    def announce_shutdown(self) -> None:
        self.set(Fault.SHUTDOWN_NOTICE)

    def stall(self) -> None:
        self.set(Fault.STALL)

    def half_open(self) -> None:
        self.set(Fault.STALL)

    def mute(self) -> None:
        seen = self.rig.witness.deltas
        self.rig.until(lambda: self.rig.witness.deltas > seen + 40, what="a busy symbol")
        self.set(Fault.SYMBOL_STALL, symbol=self.symbol)

    def gap(self, count: int = 1) -> None:
        self.set(Fault.GAP, symbol=self.symbol, count=count)

    def duplicate(self, count: int = 1) -> None:
        self.set(Fault.DUPLICATE, symbol=self.symbol, count=count)

    def swap(self) -> None:
        self.set(Fault.REORDER, symbol=self.symbol)

    def stale_snapshot(self, times: int = 3) -> None:
        self.set(Fault.STALE_SNAPSHOT, symbol=self.symbol, count=times)
        self.gap()

    def edit(self, what: str) -> None:
        self.set(Fault.CROSSED if what == "crossed" else Fault.BAD_VALUES, symbol=self.symbol)

    def rest_fail(self, status: int, retry_after_s: int | None = None, times: int | None = 2) -> None:
        self.set(Fault.SNAPSHOT_ERROR, value=status, count=times)

    def rest_slow(self, seconds: float, times: int | None = 1) -> None:
        self.set(Fault.SNAPSHOT_SLOW, value=seconds, count=times)

    def rest_broken(self, what: str, times: int = 2) -> None:
        self.set(Fault.SNAPSHOT_HTML, count=times)

    def refuse(self, status: int, retry_after_s: int | None = None, times: int | None = 1) -> None:
        self.set(Fault.HANDSHAKE_REFUSED, value=status, count=times)

    def resume(self) -> None:
        self.heal()

    def malformed(self) -> Mapping[str, bytes]:
        return {
            **JUNK,
            "cut_json": b'{"t":"delta","s":"BTC/USDT","U":1,"u":',
            "unknown_channel": b'{"t":"horoscope","s":"BTC/USDT"}',
            "wrong_types": b'{"t":"delta","s":42,"U":"one","u":null,"E":0,"b":{},"a":"none"}',
            "nan": b'{"t":"trade","s":"BTC/USDT","i":1,"p":NaN,"q":1.0,"m":1,"E":0}',
            "huge_number": b'{"t":"trade","s":"BTC/USDT","i":1e400,"p":1e999,"q":-1,"m":7,"E":0}',
        }

    def huge(self, size: int) -> None:
        self.set(Fault.HUGE_FRAME, symbol=self.symbol, value=size / 1e6)

    def lose_subscription(self) -> None:
        self.set(Fault.ACK_MISSING, count=1)

    def refuse_subscription(self) -> None:
        self.set(Fault.ACK_REFUSED, count=1)

    def flood(self, messages: int) -> None:
        self.set(Fault.FLOOD, symbol=self.symbol, value=messages)

    def skew(self, what: str) -> None:
        self.set(Fault.CLOCK_SKEW, value=3_600 if what == "ahead" else -3_600)

    def desync_all(self) -> None:
        for symbol in self.rig.symbols:
            self.set(Fault.GAP, symbol=symbol)
