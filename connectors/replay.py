"""A recording in the place of its venues: picked like a venue, played at any speed, moved to any place.

Every venue of a recording has a connector of its own, so that pages which lay venues side by side can do so with a
recording, too; one player with one clock stands behind them all. What comes out is what was recorded (a tape), or what
the venue's own decoder and feed make of the recorded frames (a capture), with `replay` as its source.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connectors.base.playback.clock import Pace
from connectors.base.playback.controls import ReplayControls
from connectors.base.playback.player import Player, ReplayStream
from engine.connector import Callback, Capabilities
from engine.errors import InvalidSymbol, StoreError, StreamUnsupported
from engine.feed.mailbox import FeedKey
from engine.market.events import BookSnapshot
from engine.market.instrument import Instrument, nearest_symbols
from engine.store.playable import Playable

STREAM = "stream"
QUOTES = ("USDT", "USDC", "FDUSD", "TUSD", "BUSD", "USD", "EUR", "GBP", "JPY", "TRY", "BTC", "ETH", "BNB")
"""What a symbol without a mark in it may end with; a recording does not say where the base ends."""


class ReplayConnector:
    """One venue of a recording. The first stream of any of its venues starts the player, the last one rewinds it."""

    def __init__(self, name: str, venue: str, player: Player) -> None:
        self.name = name
        self.venue = venue
        self._player = player
        self._keys = _spelled([key for key in player.playable.feeds if key[0] == venue])
        about = player.playable.about(venue)
        self.capabilities = Capabilities(
            streaming=True, polling=False, depth=about.depth, trades=about.trades,
            gap_detection=about.gap_detection, source="replay",
            note=f"A recording of {venue}. {about.lacks}".rstrip(),
        )  # fmt: skip

    @property
    def controls(self) -> ReplayControls:
        """The buttons: they move all venues of the recording."""
        return self._player

    def start_stream(self, symbol: str, callback: Callback) -> ReplayStream:
        """Begin to play one symbol.

        Raises:
            InvalidSymbol: it was not recorded.
        """
        return self._player.add(self._key(symbol), symbol, callback)

    def start_polling(self, symbol: str, callback: Callback, interval_s: float) -> ReplayStream:
        raise StreamUnsupported("a recording cannot be polled", hint="Choose streaming.")

    def latest_snapshot(self, symbol: str | None = None) -> BookSnapshot | None:
        keys = self._keys.values() if symbol is None else [self._keys[symbol]] if symbol in self._keys else []
        feeds = [feed for key in keys if (feed := self._player.find(key)) is not None and feed.view is not None]
        newest = max(feeds, key=lambda feed: feed.quality.last_ns or 0, default=None)
        return newest.snapshot() if newest is not None else None

    def fetch_snapshot(self, symbol: str, depth: int = 100) -> BookSnapshot:
        feed = self._player.find(self._key(symbol))
        snapshot = feed.snapshot(depth) if feed is not None else None
        if snapshot is None:
            raise StoreError(f"the recording has no book of {symbol} at this moment")
        return snapshot

    def instruments(self) -> Sequence[Instrument]:
        """What was recorded of this venue."""
        return [Instrument(self.name, symbol, *_assets(symbol)) for symbol in self._keys]

    def heed(self, pressure: Callable[[], float]) -> None:
        self._player.heed(pressure)

    def close(self) -> None:
        """Stop the streams of all venues of the recording."""
        self._player.close()

    def _key(self, symbol: str) -> FeedKey:
        key = self._keys.get(symbol)
        if key is None:
            near = ", ".join(nearest_symbols(symbol, self._keys)) or ", ".join(self._keys)
            raise InvalidSymbol(f"the recording has no {symbol!r} of {self.venue}", hint=f"There are: {near}.")
        return key


def replay_connectors(
    playable: Playable, name: str, speed: float | None = 1.0, *, paused: bool = False, pace: Pace | None = None
) -> list[ReplayConnector]:
    """A connector for each venue of a recording, all played by one player.

    They are called `replay:NAME`, or `replay:NAME/VENUE` where there are several venues. `speed` 1 is real time, None
    as fast as the readers can. With `paused` nothing is played before `resume`.

    Raises:
        StoreError: nothing was recorded.
    """
    venues = list(dict.fromkeys([key[0] for key in playable.feeds]))
    if not venues:
        raise StoreError(f"{playable.title}: there is nothing in it that can be played", hint="Choose another one.")
    player = Player(playable, speed, paused=paused, pace=pace)
    several = len(venues) > 1
    return [
        ReplayConnector(f"replay:{name}/{venue}" if several else f"replay:{name}", venue, player) for venue in venues
    ]


def _spelled(keys: Sequence[FeedKey]) -> dict[str, FeedKey]:
    """What each feed of a venue is called: its symbol, and how it was read where that is recorded in several ways."""
    spelled: dict[str, FeedKey] = {}
    for key in sorted(keys, key=lambda key: (key[1], key[2] != STREAM, key[2])):
        spelled[key[1] if key[1] not in spelled else f"{key[1]} ({key[2]})"] = key
    return spelled


def _assets(symbol: str) -> tuple[str, str]:
    """Base and quote as far as the spelling shows them; the whole symbol and nothing where it does not."""
    for mark in ("/", "-", "_", ":"):
        base, found, quote = symbol.partition(mark)
        if found and base and quote:
            return base, quote
    for quote in QUOTES:
        if symbol.endswith(quote) and len(symbol) > len(quote):
            return symbol.removesuffix(quote), quote
    return symbol, ""
