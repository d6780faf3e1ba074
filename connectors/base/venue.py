"""What a venue's author describes: addresses, frames, numbering. Pure: no socket, no clock, no thread.

The transport (`transport/`) does everything else for every venue alike; `engine verify` plays captures through the
very same methods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Literal, Protocol, final
from urllib.parse import urlsplit

from msgspec import Struct

from engine.connector import Capabilities
from engine.errors import Blocked, FeedError
from engine.feed.feed import STALE_AFTER_S
from engine.feed.sync import Continuity
from engine.market.candle import Candle
from engine.market.events import BookSnapshot, MarketEvent, Source
from engine.market.instrument import Instrument

NO_KEY_HINT = "needs no key for market data: something on the way asks for one. Check the proxy and the addresses set."


class Request(Struct, frozen=True):
    """One GET, or one POST of `body` (JSON unless `headers` say otherwise).

    Secrets go into `headers`, never into `url`.
    `cost` is what it takes from the REST budget (`Limits.rest_per_s`): 1 where a venue counts calls, its weight where
    it weighs them. A POST must be harmless when made twice: a call on a connection that was closed meanwhile is
    repeated once.
    """

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    cost: float = 1.0
    body: bytes | None = None

    def __repr__(self) -> str:
        # Headers and paths may hold keys.
        return f"Request(to {urlsplit(self.url).hostname}, cost={self.cost:g})"


@final
class Control(Struct, frozen=True, gc=False):
    """A frame about the connection instead of the market.

    `ack`: a subscription (for `symbol`, or all for "") was accepted. `refused`: it was not, `reason` says why;
    `invalid_symbol` names a symbol that the venue does not know. `heartbeat`: the venue lives. `shutdown`: the venue
    announces that it will close, connect anew at once. `throttled`: slow down. `blocked`: the venue refuses us for
    good. `restart`: what this connection said can no longer be trusted (its numbering broke). `carries`: the venue
    says that it carries `symbols` on this connection, and no others. `lost`: the book of `symbol` is wrong, win it
    back. `talk`: a word of the conversation (log-in, replies), `frame` goes to `Conversation.hear`.
    """

    kind: Literal[
        "ack",
        "refused",
        "invalid_symbol",
        "heartbeat",
        "shutdown",
        "throttled",
        "blocked",
        "restart",
        "carries",
        "lost",
        "talk",
    ]
    symbol: str = ""
    reason: str = ""
    id: int | None = None
    symbols: tuple[str, ...] = ()
    frame: bytes = b""


class Conversation(Protocol):
    """One connection's talk with a venue that wants more than subscriptions. Belongs to the session's thread.

    It logs in before anything is subscribed to, answers what wants an answer, and says the heartbeats. `decode` stays
    pure: it only hands the frames that are part of the talk over, as `Control("talk", frame=…)`.
    """

    @property
    def ready(self) -> bool:
        """Whether symbols may be subscribed to now."""

    def open(self) -> Sequence[str]:
        """The first frames to send."""

    def hear(self, frame: bytes, now_ns: int) -> Sequence[str | Control]:
        """The frames to answer with, and what the transport is to do.

        Raises:
            FeedError: the connection cannot be used, of the kind that says what to do about it.
            DecodeError: the frame cannot be read.
        """

    def errands(self, now_ns: int) -> Sequence[str]:
        """The frames that somebody outside the session wants sent; asked for many times a second once `ready`."""

    def heartbeat(self) -> str:
        """The frame to send every `Limits.heartbeat_interval_s`."""


Decode = Callable[[bytes, int], Sequence[MarketEvent | Control]]
"""Reads one frame, given when it was received; see `Venue.decode`."""


class Limits(Struct, frozen=True):
    """What a venue allows and how long it may be silent. Seconds and messages per second.

    `silence_s`: no frame of any kind for so long means the connection is dead. `ping_interval_s`: we send a WebSocket
    ping that often (None: the venue pings us). `heartbeat_interval_s`: we send the conversation's heartbeat that often.
    `stale_after_s`: a symbol's last word is stale at that age. `rotate_after_s`: replace the connection before the
    venue ends it. `one_connection`: a second one beside the first is refused, costs, or ends both.
    `connect_per_s` / `connect_burst`: connection attempts. `messages_per_s`: frames that we send, pongs included.
    `rest_per_s` / `rest_burst`: REST calls (or their weights, see `Request.cost`).
    """

    silence_s: float = 45.0
    ping_interval_s: float | None = None
    heartbeat_interval_s: float | None = None
    stale_after_s: float = STALE_AFTER_S
    rotate_after_s: float | None = None
    one_connection: bool = False
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
    location_hint: ClassVar[str] = ""
    """What to do where this venue does not serve the place: another of its hosts, or another venue."""
    key_hint: ClassVar[str] = ""
    """What to do about a key that is missing or refused: the variable to set."""
    crossed_allowed: ClassVar[bool] = False
    snapshot_depth: ClassVar[int] = 1000

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self._settings = dict(settings or {})

    def setting(self, key: str, default: str) -> str:
        """The value of `<NAME>_<KEY>` (BINANCE_WS_URL …), else `default`."""
        return self._settings.get(f"{self.name.upper()}_{key}", "") or default

    def advise(self, error: FeedError) -> FeedError:
        """The error with this venue's own remedy, where it has a better one than the common words."""
        if isinstance(error, Blocked):
            key_hint = self.key_hint if self.capabilities.key_needed else f"{self.name} {NO_KEY_HINT}"
            error.hint = {"location": self.location_hint, "key": key_hint}.get(error.why) or error.hint
        return error

    @abstractmethod
    def stream_url(self, symbols: Sequence[str]) -> str:
        """Where to connect for these symbols."""

    def addresses(self) -> Sequence[str]:
        """Where this venue is reached, for whoever wants to know whether it can be; without any secret.

        Raises:
            EngineError: no address is set.
        """
        return (self.stream_url(()),)

    @abstractmethod
    def subscribe(self, symbols: Sequence[str]) -> list[str]:
        """The text frames that subscribe to book, trades and quotes of these symbols."""

    @abstractmethod
    def unsubscribe(self, symbols: Sequence[str]) -> list[str]:
        """The text frames that undo `subscribe`."""

    def opening(self) -> list[str]:
        """The text frames that a new connection begins with, before it subscribes to anything."""
        return []

    def resubscribe(self, symbols: Sequence[str]) -> list[str]:
        """The text frames that make the venue send these books anew, where `continuity.recovery` is "resubscribe"."""
        return [*self.unsubscribe(symbols), *self.subscribe(symbols)]

    def awaits(self, frame: str) -> tuple[int, Sequence[str]] | None:
        """The number under which the venue answers this subscription of ours, and the symbols that it asks for.

        None: it answers nothing that could be matched, or the frame asks for no symbol.
        """
        return None

    def converse(self) -> Conversation | None:
        """The conversation of a new connection; None where subscribing is all there is to say."""
        return None

    def unlisted(self, symbols: Sequence[str]) -> Sequence[str]:
        """Those of these symbols that the venue is known not to have; asked before `subscribe`."""
        return ()

    def rests(self, symbol: str, now_ns: int) -> str:
        """Why this symbol may well be silent now, in words (its market is closed); empty where it should speak."""
        return ""

    @abstractmethod
    def decode(self, frame: bytes, received_ns: int) -> Sequence[MarketEvent | Control]:
        """What one frame says, in order; empty for frames that are of no interest.

        Raises:
            DecodeError: the frame cannot be read.
        """

    def new_decoder(self) -> Decode:
        """What reads the frames of one new connection: `decode`, but where a venue numbers a connection's frames."""
        return self.decode

    def recorded_decoder(self, url: str, connection: str) -> Decode:
        """What reads the frames of one recorded connection to `url`."""
        return self.new_decoder()

    def fresh(self) -> Venue:
        """A reader for one pass over a recording: itself, unless decoding remembers what it has read."""
        return self

    def snapshot_levels(self, waiting: int) -> int:
        """How many levels a side to ask for when so many symbols wait for their snapshot at once."""
        return self.snapshot_depth

    # The four that follow are left out by a venue without REST; it says so in `capabilities.polling`, its continuity
    # does not recover by `rest`, and it overrides `instruments`.

    def snapshot_request(self, symbol: str, depth: int) -> Request:
        """The call for one symbol's book.

        Raises:
            FeedError: there is none.
        """
        raise FeedError(f"{self.name} gives no books by REST")

    def decode_snapshot(self, symbol: str, body: bytes, received_ns: int, source: Source) -> BookSnapshot:
        """The book in the body of a snapshot response.

        Raises:
            DecodeError: the body cannot be read.
        """
        raise FeedError(f"{self.name} gives no books by REST")

    def instruments_request(self) -> Request:
        """The call for the venue's list of instruments.

        Raises:
            FeedError: there is none.
        """
        raise FeedError(f"{self.name} gives no list by REST")

    def decode_instruments(self, body: bytes) -> list[Instrument]:
        """The instruments in the body of that response.

        Raises:
            DecodeError: the body cannot be read.
        """
        raise FeedError(f"{self.name} gives no list by REST")

    def candles_request(self, symbol: str, timeframe: str, count: int) -> Request:
        """The call for one symbol's newest candles; only asked for timeframes that `capabilities.candles` names.

        Raises:
            FeedError: there is none.
        """
        raise FeedError(f"{self.name} gives no candles")

    def decode_candles(self, symbol: str, timeframe: str, body: bytes, received_ns: int) -> list[Candle]:
        """The candles in the body of that response, oldest first.

        Raises:
            DecodeError: the body cannot be read.
        """
        raise FeedError(f"{self.name} gives no candles")

    def server_time_request(self) -> Request | None:
        """The call for the venue's clock, None where it has none."""
        return None

    def decode_server_time(self, body: bytes) -> int:
        """The venue's clock in UTC nanoseconds.

        Raises:
            DecodeError: the body cannot be read.
        """
        raise FeedError(f"{self.name} does not tell its time")

    def rest_error(self, status: int, body: bytes, headers: Mapping[str, str]) -> Exception | None:
        """The venue's own reading of a failed response; None leaves it to the common rules."""
        return None

    @classmethod
    def recognises(cls, url: str) -> bool:
        """Whether a recorded URL (of a socket or a REST call) is this venue's."""
        return False

    @classmethod
    def unreadable(cls, url: str) -> str:
        """Why frames recorded from this URL cannot be read although the venue is the right one; empty when they can."""
        return ""

    def decode_response(self, url: str, body: bytes, received_ns: int) -> Sequence[MarketEvent]:
        """What a recorded REST response says of the market: its book, or nothing.

        Raises:
            DecodeError: the body cannot be read.
        """
        return ()
