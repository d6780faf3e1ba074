"""The way in: all that the hub knows of a venue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct

from engine.feed.feed import Feed
from engine.market.candle import Candle
from engine.market.events import BookSnapshot, MarketEvent, Source
from engine.market.instrument import Instrument

Callback = Callable[[MarketEvent], None]


class Capabilities(Struct, frozen=True):
    """An honest card of what a connector can do; the page shows it as it stands.

    `depth` is the number of book levels per side (0: no depth); `source` is `mock` for invented and `synthetic` for
    derived data; `regions_blocked` names in words where the venue is known to refuse; `candles` are the timeframes of
    which it has candles (then it is a `CandleSource`).
    """

    streaming: bool
    polling: bool
    depth: int
    trades: bool
    gap_detection: str = "none"
    key_needed: bool = False
    source: Source = "stream"
    test_network: str = ""
    regions_blocked: str = ""
    note: str = ""
    candles: tuple[str, ...] = ()


class Stream(Protocol):
    """One symbol that a connector is delivering."""

    symbol: str
    feed: Feed

    def stop(self) -> None:
        """End the delivery; returns within 2 s and no callback follows."""


class Connector(Protocol):
    """A venue. Callbacks run on the connector's own threads and must not block.

    What a callback receives is already a continuous line: a snapshot first, then deltas without a hole, trades, quotes
    and the feed's own status. After a gap it begins again with a snapshot.
    """

    @property
    def name(self) -> str:
        """What it is called in settings, keys and on the page."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""

    def start_stream(self, symbol: str, callback: Callback) -> Stream:
        """Begin streaming one symbol; returns at once.

        Raises:
            StreamUnsupported: there is no stream here; use `start_polling`.
        """

    def start_polling(self, symbol: str, callback: Callback, interval_s: float) -> Stream:
        """Begin polling one symbol's book every `interval_s` seconds; returns at once."""

    def latest_snapshot(self, symbol: str | None = None) -> BookSnapshot | None:
        """The book as last seen, without touching the network; None while there is none.

        Without a symbol: the one that changed last.
        """

    def fetch_snapshot(self, symbol: str, depth: int = 100) -> BookSnapshot:
        """One REST call for the book.

        Raises:
            FeedError: of the kind that says what to do about it.
        """

    def instruments(self) -> Sequence[Instrument]:
        """What the venue lists; may ask the venue once and remember.

        Raises:
            FeedError: the list cannot be had.
        """

    def close(self) -> None:
        """Stop everything within 2 s."""


@runtime_checkable
class Restarting(Protocol):
    """What a connector has besides, when it gives up what a venue refuses for good."""

    def start_again(self) -> None:
        """Try once more: somebody wants to, or what was in the way has changed."""


class CandleSource(Protocol):
    """What a connector has besides, when its card names timeframes under `candles`."""

    def fetch_candles(self, symbol: str, timeframe: str, count: int = 500) -> list[Candle]:
        """The newest `count` candles (fewer where the venue has or gives no more), oldest first; one call.

        The last one may still be growing.

        Raises:
            FeedError: of the kind that says what to do about it; also for a timeframe that the card does not name.
        """


class FrameTap(Protocol):
    """Where a connector's raw frames go while somebody records them. Its methods may be called from any thread.

    They never block and never raise. `at_ns` is the connector's own clock: of a frame, the very stamp that its events
    carry. `connection` names one connection of the connector; a connection that is made anew keeps its name.
    """

    def frame(
        self, channel: Literal["ws", "http"], direction: Literal["open", "send", "recv", "resp"], url: str,
        connection: str, data: bytes, at_ns: int,
    ) -> None:  # fmt: skip
        """What was on the wire: a socket that opened (no data), a message of ours or theirs, the body of an answer."""

    def note(self, url: str, connection: str, words: Mapping[str, object], at_ns: int) -> None:
        """What the wire does not say: why a connection ended, which one takes over, what was refused."""


@runtime_checkable
class RawSource(Protocol):
    """What a connector has besides, when its raw frames can be recorded."""

    @property
    def name(self) -> str:
        """The connector's."""

    @property
    def capabilities(self) -> Capabilities:
        """The connector's card."""

    @property
    def frames(self) -> str:
        """Empty: what is recorded is what was on the wire. Otherwise, in words, what it is instead."""

    def record_frames(self, tap: FrameTap | None) -> None:
        """Hand every frame from now on to `tap`, or to nobody; returns at once.

        A recording is worth something from a connection's opening on. So where the venue allows two connections, a
        running one is replaced by a new one without a seam; where it does not, its frames are recorded from where it
        stands, and a note says so.
        """

    def redact(self, text: str) -> str:
        """The text with *** in the place of every key, token and password that this connector knows."""


@runtime_checkable
class Unhurried(Protocol):
    """What a connector is besides, when it can wait for its readers: a recording does, a venue never does."""

    def heed(self, pressure: Callable[[], float]) -> None:
        """Wait while `pressure`, how full the fullest queue of its readers is (0 … 1), is high."""
