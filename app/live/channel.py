"""One feed on its way to the browsers: what was sent, what is new, and the frames that say so."""

from __future__ import annotations

from app.live import frames
from app.live.depth import DEPTH_LEVELS, cumulative, decimals
from app.live.history import History
from app.live.source import News
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey, Point
from engine.market.book import BookView
from engine.market.events import FeedState, FeedStatus, Level, Levels, Trade
from engine.market.signal import Signal

DEPTH_EVERY_NS = 200_000_000
QUALITY_EVERY_NS = 1_000_000_000
HEARTBEAT_EVERY_NS = 500_000_000
OVERLAP_POINTS = 60
OVERLAP_TRADES = 100
STAGGER_NS = 50_000_000


class Channel:
    """Turns the news of one feed into frames.

    `absorb` takes what came, `next_frame` gives the delta since the last one (a heartbeat or None when nothing is
    new), `snapshot` and `overlap` give the whole at that same `seq`. A book that is lost stays as it was last seen:
    the state tells that it is not to be believed. Used by one thread.
    """

    def __init__(self, key: FeedKey, number: int, tick: float | None = None) -> None:
        self.key = key
        self.number = number
        self.seq = 0
        self.history = History()
        self._tick = tick
        self._feed: Feed | None = None
        self._status: FeedStatus | None = None
        self._notice = ""
        self._view: BookView | None = None
        self._price_decimals = decimals([tick]) if tick else 0
        self._size_decimals = 0
        self._bids: Levels = ()
        self._asks: Levels = ()
        self._depth: bytes | None = None
        self._depth_view: BookView | None = None
        self._quality: bytes | None = None
        self._depth_due_ns = self._quality_due_ns = self._frame_ns = 0
        self._oldest_ns: int | None = None
        self._newest_ns: int | None = None
        self._stamps: tuple[int | None, int | None] = (None, None)
        self._events = 0
        self._new_points: list[Point] = []
        self._new_trades: list[Trade] = []
        self._new_signals: list[Signal] = []
        self._new_meta = self._new_gaps = False
        self._whole: tuple[int, list[bytes]] | None = None

    def absorb(self, news: News) -> None:
        """Take what came since the last frame."""
        last_ns = self._feed.quality.last_ns if self._feed is not None else None
        for status in news.statuses:
            self._new_gaps |= self.history.observe_status(status, last_ns)
        beginnings = self.history.beginnings
        fresh = self.history.add_points(news.points)
        if self.history.beginnings != beginnings:
            self._begin_again()
        self._new_points += fresh
        self.history.add_trades(news.trades)
        self._new_trades += news.trades
        self.history.signals.extend(news.signals)
        self._new_signals += news.signals
        self._events += news.events
        if self._oldest_ns is None:
            self._oldest_ns = news.oldest_ns
        if news.newest_ns is not None:
            self._newest_ns = news.newest_ns

    def _begin_again(self) -> None:
        """Time ran back: nobody can continue what he has. A number left out makes every page ask for the whole."""
        self.seq += 1
        self._new_points, self._new_trades, self._new_signals = [], [], []
        self._new_gaps = True

    def missed(self, from_ns: int, to_ns: int) -> None:
        """Note a time in which nobody listened."""
        self.history.add_gap(from_ns, to_ns)

    def look(self, feed: Feed | None, notice: str = "") -> None:
        """Take the feed as it stands now."""
        self._feed = feed
        status = feed.status if feed is not None else None
        if status is not self._status or notice != self._notice:
            self._status, self._notice, self._new_meta = status, notice, True
        view = feed.view if feed is not None else None
        if view is not None:
            self._view = view

    def next_frame(self, now_ns: int) -> bytes | None:
        """What is new since the last frame; None when that can wait."""
        sections = [*self._book_changes(), *self._timed_sections(now_ns), *self._news()]
        self._stamps = (self._oldest_ns, self._newest_ns)
        if not sections and not self._events:
            if now_ns - self._frame_ns < HEARTBEAT_EVERY_NS:
                return None
            self._frame_ns = now_ns
            return frames.frame(self._header(frames.HEARTBEAT, now_ns), ())
        self.seq += 1
        self._frame_ns = now_ns
        encoded = frames.frame(self._header(frames.DELTA, now_ns), sections)
        self._oldest_ns = self._newest_ns = None
        self._events = 0
        return encoded

    def snapshot(self, now_ns: int) -> bytes:
        """Everything, as it stands after the last frame."""
        if self._whole is None or self._whole[0] != self.seq:
            history = self.history
            self._whole = (self.seq, self._state_sections(history.points(), list(history.trades)))
        return frames.frame(self._header(frames.SNAPSHOT, now_ns), self._whole[1])

    def overlap(self, now_ns: int) -> bytes:
        """The whole book and the last few seconds: for a transport that may lose a message now and then."""
        history = self.history
        trades = list(history.trades)[-OVERLAP_TRADES:]
        sections = self._state_sections(history.last_points(OVERLAP_POINTS), trades)
        return frames.frame(self._header(frames.OVERLAP, now_ns), sections)

    def _state_sections(self, points: list[Point], trades: list[Trade]) -> list[bytes]:
        first = self.history.trade_count - len(trades) + 1
        sections = [
            self._meta(),
            frames.levels_section(frames.BIDS, self._bids),
            frames.levels_section(frames.ASKS, self._asks),
            frames.points_section(points),
            frames.trades_section(first, trades),
            frames.signals_section(list(self.history.signals)),
            frames.gaps_section(list(self.history.gaps)),
        ]
        return sections + [section for section in (self._depth, self._quality) if section is not None]

    def _book_changes(self) -> list[bytes]:
        view = self._view
        if view is None:
            return []
        sections = []
        if view.bids is not self._bids and (changes := _changes(self._bids, view.bids)):
            sections.append(frames.levels_section(frames.BIDS, changes))
        if view.asks is not self._asks and (changes := _changes(self._asks, view.asks)):
            sections.append(frames.levels_section(frames.ASKS, changes))
        self._bids, self._asks = view.bids, view.asks
        return sections

    def _timed_sections(self, now_ns: int) -> list[bytes]:
        sections = []
        feed, view = self._feed, self._view
        if feed is not None and now_ns >= self._depth_due_ns and view is not None and view is not self._depth_view:
            # Different feeds take different ticks for what is not sent with every frame.
            self._depth_due_ns = now_ns + DEPTH_EVERY_NS - (self.number % 2) * STAGGER_NS // 10
            if (deep := feed.snapshot(DEPTH_LEVELS)) is not None:
                self._depth_view = view
                self._learn_decimals(deep.bids[:20] + deep.asks[:20])
                self._depth = frames.depth_section(cumulative(deep.bids), cumulative(deep.asks))
                sections.append(self._depth)
        if feed is not None and now_ns >= self._quality_due_ns:
            stagger = (self.number % 20) * STAGGER_NS if self._quality is None else 0
            self._quality_due_ns = now_ns + QUALITY_EVERY_NS + stagger
            self._quality = frames.quality_section(feed.quality.report(self._clock_ns(now_ns)))
            sections.append(self._quality)
        return sections

    def _news(self) -> list[bytes]:
        sections = []
        if self._new_meta:
            sections.append(self._meta())
            self._new_meta = False
        if self._new_points:
            sections.append(frames.points_section(self._new_points))
            self._new_points = []
        if self._new_trades:
            kept = self._new_trades[-len(self.history.trades) :]
            sections.append(frames.trades_section(self.history.trade_count - len(kept) + 1, kept))
            self._new_trades = []
        if self._new_signals:
            sections.append(frames.signals_section(self._new_signals))
            self._new_signals = []
        if self._new_gaps:
            sections.append(frames.gaps_section(list(self.history.gaps)))
            self._new_gaps = False
        return sections

    def _meta(self) -> bytes:
        status, feed = self._status, self._feed
        next_try_ns = status.next_try_ns if status is not None else None
        return frames.meta_section(
            {
                "key": self.key,
                "tick": self._tick,
                "reason": status.reason if status is not None else "",
                "hint": status.hint if status is not None else "",
                "attempt": status.attempt if status is not None else 0,
                "next_try_ms": None if next_try_ns is None else next_try_ns / 1e6,
                "notice": self._notice,
                "stale_after_s": feed.stale_after_s if feed is not None else None,
            }
        )

    def _clock_ns(self, now_ns: int) -> int:
        """What the browser counts ages from and ends the chart at: of a recording its own time, else ours."""
        if self._feed is None or self._status is None or self._status.source != "replay":
            return now_ns
        return self._feed.clock.now_ns()

    def _header(self, kind: int, now_ns: int) -> frames.Header:
        feed, status = self._feed, self._status
        bid, bid_size, ask, ask_size = _top(feed)
        view = feed.view if feed is not None else None
        source = view.source if view is not None else status.source if status is not None else "stream"
        return frames.Header(
            kind, self.number, self.seq, status.state if status is not None else FeedState.CONNECTING, source,
            self._price_decimals, self._size_decimals, self._clock_ns(now_ns),
            feed.quality.last_ns if feed is not None else None, *self._stamps,
            feed.quality.updates if feed is not None else 0, bid, bid_size, ask, ask_size,
        )  # fmt: skip

    def _learn_decimals(self, levels: Levels) -> None:
        if self._tick is None:
            self._price_decimals = max(self._price_decimals, decimals([price for price, _ in levels]))
        self._size_decimals = max(self._size_decimals, decimals([size for _, size in levels]))


def _top(feed: Feed | None) -> tuple[float | None, float | None, float | None, float | None]:
    """Best bid and ask from whichever is newer, the quote or the book; unknown while no book is believed."""
    view = feed.view if feed is not None else None
    quote = feed.quote if feed is not None else None
    if quote is not None and (view is None or quote.received_ns >= view.received_ns):
        return quote.bid, quote.bid_size, quote.ask, quote.ask_size
    if view is None:
        return None, None, None, None
    bid, bid_size = view.bids[0] if view.bids else (None, None)
    ask, ask_size = view.asks[0] if view.asks else (None, None)
    return bid, bid_size, ask, ask_size


def _changes(old: Levels, new: Levels) -> list[Level]:
    """What turns one side into the other: new sizes, and size 0 for a price that is gone."""
    before = set(old)
    prices = {price for price, _ in new}
    changes = [level for level in new if level not in before]
    changes += [(price, 0.0) for price, _ in old if price not in prices]
    return changes
