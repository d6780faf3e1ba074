"""What a venue's author describes: addresses, frames, numbering. Pure: no socket, no clock, no thread.

The transport (connection.py, polling.py) does everything else for every venue alike; `engine verify` plays captures
through the very same methods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from msgspec import Struct

from engine.connector import Capabilities
from engine.feed.sync import Continuity
from engine.market.events import BookSnapshot, MarketEvent, Source
from engine.market.instrument import Instrument


class Request(Struct, frozen=True):
    """One GET. Secrets go into `headers`, never into `url`.

    `cost` is what it takes from the REST budget (`Limits.rest_per_s`): 1 where a venue counts calls, its weight where
    it weighs them.
    """

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    cost: float = 1.0


class Control(Struct, frozen=True, gc=False):
    """A frame about the connection instead of the market.

    `ack`: a subscription (for `symbol`, or all for "") was accepted. `refused`: it was not, `reason` says why;
    `invalid_symbol` names a symbol that the venue does not know. `heartbeat`: the venue lives. `shutdown`: the venue
    announces that it will close, connect anew at once. `throttled`: slow down. `blocked`: the venue refuses us for
    good. `restart`: what this connection said can no longer be trusted (its numbering broke).
    """

    kind: Literal["ack", "refused", "invalid_symbol", "heartbeat", "shutdown", "throttled", "blocked", "restart"]
    symbol: str = ""
    reason: str = ""
    id: int | None = None


class Limits(Struct, frozen=True):
    """What a venue allows and how long it may be silent. Seconds and messages per second.

    `silence_s`: no frame of any kind for so long means the connection is dead. `ping_interval_s`: we send a WebSocket
    ping that often (None: the venue pings us). `rotate_after_s`: replace the connection before the venue ends it.
    `connect_per_s` / `connect_burst`: connection attempts. `messages_per_s`: frames that we send, pongs included.
    `rest_per_s` / `rest_burst`: REST calls (or their weights, see `Request.cost`).
    """

    silence_s: float = 45.0
    ping_interval_s: float | None = None
    rotate_after_s: float | None = None
    connect_per_s: float = 1.0
    connect_burst: int = 5
    messages_per_s: float = 4.0
    symbols_per_connection: int = 200
    rest_per_s: float = 10.0
    rest_burst: int = 20
    backoff_base_s: float = 0.5
    backoff_cap_s: float = 30.0


class Venue(ABC):
    """The pure half of a streaming connector."""

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    continuity: ClassVar[Continuity]
    limits: ClassVar[Limits] = Limits()
    crossed_allowed: ClassVar[bool] = False
    snapshot_depth: ClassVar[int] = 1000

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self._settings = dict(settings or {})

    def setting(self, key: str, default: str) -> str:
        """The value of `<NAME>_<KEY>` (BINANCE_WS_URL …), else `default`."""
        return self._settings.get(f"{self.name.upper()}_{key}", "") or default

    @abstractmethod
    def stream_url(self, symbols: Sequence[str]) -> str:
        """Where to connect for these symbols."""

    @abstractmethod
    def subscribe(self, symbols: Sequence[str]) -> list[str]:
        """The text frames that subscribe to book, trades and quotes of these symbols."""

    @abstractmethod
    def unsubscribe(self, symbols: Sequence[str]) -> list[str]:
        """The text frames that undo `subscribe`."""

    @abstractmethod
    def decode(self, frame: bytes, received_ns: int) -> Sequence[MarketEvent | Control]:
        """What one frame says, in order; empty for frames that are of no interest.

        Raises:
            DecodeError: the frame cannot be read.
        """

    def decode_recorded(
        self, url: str, connection: str, frame: bytes, received_ns: int
    ) -> Sequence[MarketEvent | Control]:
        """`decode` for a frame of a recording, which knows the socket that it came by.

        Raises:
            DecodeError: the frame cannot be read.
        """
        return self.decode(frame, received_ns)

    def fresh(self) -> Venue:
        """A reader for one pass over a recording: itself, unless decoding remembers what it has read."""
        return self

    @abstractmethod
    def snapshot_request(self, symbol: str, depth: int) -> Request:
        """The GET for one symbol's book."""

    @abstractmethod
    def decode_snapshot(self, symbol: str, body: bytes, received_ns: int, source: Source) -> BookSnapshot:
        """The book in the body of a snapshot response.

        Raises:
            DecodeError: the body cannot be read.
        """

    @abstractmethod
    def instruments_request(self) -> Request:
        """The GET for the venue's list of instruments."""

    @abstractmethod
    def decode_instruments(self, body: bytes) -> list[Instrument]:
        """The instruments in the body of that response.

        Raises:
            DecodeError: the body cannot be read.
        """

    def server_time_request(self) -> Request | None:
        """The GET for the venue's clock, None where it has none."""
        return None

    def decode_server_time(self, body: bytes) -> int:
        """The venue's clock in UTC nanoseconds.

        Raises:
            DecodeError: the body cannot be read.
        """
        raise NotImplementedError

    def rest_error(self, status: int, body: bytes, headers: Mapping[str, str]) -> Exception | None:
        """The venue's own reading of a failed response; None leaves it to the common rules."""
        return None

    @classmethod
    def recognises(cls, url: str) -> bool:
        """Whether a recorded URL (of a socket or a REST call) is this venue's."""
        return False

    def decode_response(self, url: str, body: bytes, received_ns: int) -> Sequence[MarketEvent]:
        """What a recorded REST response says of the market: its book, or nothing.

        Raises:
            DecodeError: the body cannot be read.
        """
        return ()
