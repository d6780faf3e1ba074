"""The line of one symbol: continuity, book, quality. In goes what a venue said, out comes what may be believed."""

from __future__ import annotations

from threading import Lock

from msgspec.structs import replace

from engine.clock import SYSTEM_CLOCK, Clock
from engine.errors import DecodeError
from engine.feed.compare import changes, changes_of, same_levels, sound
from engine.feed.picture import Picture
from engine.feed.quality import FeedQuality
from engine.feed.settlement import Settlement
from engine.feed.sync import BookSync, Checked, Continuity, NoBook, Verdict
from engine.feed.trade_numbers import Place, TradeNumbers
from engine.flow.section import Changes, Observer
from engine.market.book import Book, BookView
from engine.market.events import (
    BookDelta,
    BookSnapshot,
    FeedState,
    FeedStatus,
    Levels,
    MarketEvent,
    Quote,
    Source,
    Trade,
)

STALE_AFTER_S = 5.0
VIEW_DEPTH = 50
_INFINITY = float("inf")

_NOTHING: tuple[MarketEvent, ...] = ()
_FINAL = (FeedState.STOPPED, FeedState.BLOCKED, FeedState.INVALID, FeedState.FAILED)
"""States that a late word does not change."""


class Feed:
    """One symbol at one venue, from decoded events to a trustworthy book.

    `push` takes events in the order they arrived and returns those to publish: a snapshot first, then deltas without
    a hole; after a gap again a snapshot. `needs_snapshot` tells the connection to win the book back. `view` is the
    current picture or None while there is no book to believe. One thread pushes; any thread may read.
    """

    def __init__(
        self,
        venue: str,
        symbol: str,
        rule: Continuity,
        *,
        clock: Clock = SYSTEM_CLOCK,
        depth: int = VIEW_DEPTH,
        stale_after_s: float = STALE_AFTER_S,
        crossed_allowed: bool = False,
    ) -> None:
        self.venue = venue
        self.symbol = symbol
        self.clock = clock
        self.stale_after_s = stale_after_s
        self.crossed_allowed = crossed_allowed
        self._lock = Lock()
        self._begin(rule, depth)

    def _begin(self, rule: Continuity, depth: int) -> None:
        """Set everything that a feed remembers to what it is before the first event."""
        self.sync = BookSync(rule)
        self.quality = FeedQuality()
        self.needs_snapshot = False
        self.quote: Quote | None = None
        self.status: FeedStatus | None = None
        self.observer: Observer | None = None
        """Told of every quote, book and trade; set it before the first event, or later by `observe`."""
        self._book = Book(depth)
        self._observed: int | None = None
        """The number of the last quote that the observer was told of."""
        self._published: int | None = None
        self._polled: BookSnapshot | None = None
        self._first: BookSnapshot | BookDelta | None = None
        """What the readers' present book began with."""
        self._last_delta: BookDelta | None = None
        self._quoted: int | None = None
        self._trades = TradeNumbers()
        self._whole = rule.recovery == "none"
        self._bookless = isinstance(rule, NoBook)
        """There is no book to wait for: the first trade or quote makes the feed LIVE."""
        self._silent = self._bookless
        """The next word changes the state."""
        self._opened = False
        """Whether the readers hold a book that a delta may continue."""
        self._torn = False
        """The book was dropped and no status has told the readers yet."""
        self._held: tuple[Levels, Levels] | None = None
        """What they hold then, if an update can continue it."""
        self._catching_up = False
        """The book is behind what the readers saw (from polling): deltas up to there are applied, not published."""
        checksum = rule.checksum if isinstance(rule, Checked) else None
        self._settlement = Settlement(checksum, self._book, self.quality)
        self._picture = Picture(self.venue, self.symbol, self._book)

    def observe(self, observer: Observer | None) -> Lock:
        """Tell `observer` everything from now on, beginning with quote and book as they stand (None: nobody any more).

        The answer is the lock that is held whenever it is told something.
        """
        with self._lock:
            self.observer, self._observed = observer, None
            view, quote = self._picture.draw(), self.quote
            if observer is not None and view is not None:
                if quote is not None and quote.received_ns >= view.received_ns:
                    observer.on_bbo(quote.received_ns, quote.bid, quote.bid_size, quote.ask, quote.ask_size)
                observer.on_book(max(view.received_ns, observer.last_ns), self._book, None)
        return self._lock

    def start_over(self) -> None:
        """Forget everything, as if newly made: a recording is played from another place. Who observes is let go."""
        with self._lock:
            self._begin(self.sync.rule, self._book.depth)

    @property
    def state(self) -> FeedState:
        """How the feed stands now."""
        return self.status.state if self.status is not None else FeedState.CONNECTING

    @property
    def last_trade(self) -> int | None:
        """The highest trade number published; None before the first, and where trades carry no numbers."""
        return self._trades.last

    @property
    def view(self) -> BookView | None:
        """The current picture of the book, drawn when it is asked for; None while there is no book to believe."""
        picture = self._picture
        if picture.current:
            return picture.drawn
        with self._lock:
            return picture.draw()

    @property
    def levels(self) -> tuple[int, int]:
        """How many bid and ask levels the book holds."""
        with self._lock:
            return self._book.levels

    def push(self, event: MarketEvent) -> tuple[MarketEvent, ...]:
        """Take one event; the events to publish now, in order."""
        kind = type(event)
        with self._lock:
            if kind is Quote:
                return self._push_quote(event)  # type: ignore[arg-type]
            if kind is Trade:
                return self._push_trade(event)  # type: ignore[arg-type]
            if kind is BookDelta:
                return self._push_delta(event)  # type: ignore[arg-type]
            if kind is BookSnapshot:
                return self._push_snapshot(event)  # type: ignore[arg-type]
            return self._push_status(event)  # type: ignore[arg-type]

    def set_state(
        self,
        state: FeedState,
        reason: str = "",
        *,
        hint: str = "",
        attempt: int = 0,
        next_try_ns: int | None = None,
        source: Source = "stream",
    ) -> tuple[MarketEvent, ...]:
        """Say how the connection stands; publishes a status when that is news."""
        now_ns = self.clock.now_ns()
        status = FeedStatus(self.venue, self.symbol, state, reason, hint, attempt, next_try_ns, now_ns, source)
        return self.push(status)

    def connection_lost(self) -> None:
        """The stream is gone: what it said no longer continues. The next snapshot begins anew; a polled book stays."""
        with self._lock:
            if self.observer is not None:
                self.observer.on_interruption(self.clock.now_ns())
            self.sync.reset()
            self.needs_snapshot = False
            if self._shows_polls():
                self.quote = None
            else:
                if self._opened:
                    self._torn = self._silent = True
                    self._held = None if self._catching_up else (self._book.bids(), self._book.asks())
                self._drop_book()
            self._catching_up = False

    def lose(self, reason: str) -> tuple[MarketEvent, ...]:
        """Throw the book away (a failed checksum, a restart of the stream) and ask for a snapshot."""
        with self._lock:
            return self._lose(reason, self.clock.now_ns())

    def tick(self, now_ns: int) -> tuple[MarketEvent, ...]:
        """Notice silence: LIVE or POLLING turns STALE when the last word is `stale_after_s` old."""
        with self._lock:
            status = self.status
            if status is None or not status.state.has_data:
                return _NOTHING
            age = self.quality.age_s(now_ns)
            if age is None or age < self.stale_after_s:
                return _NOTHING
            return self._say(FeedState.STALE, f"nothing received for {age:.1f} s", now_ns, status.source)

    def snapshot(self, depth: int | None = None) -> BookSnapshot | None:
        """The book as it stands (best `depth` levels, all for None); None while there is none to believe."""
        with self._lock:
            return self._snapshot(depth)

    def opening(self) -> tuple[BookSnapshot, BookSnapshot | BookDelta | None] | None:
        """The whole book, and the newest event that is in it: the very object that `push` returned last.

        By it a reader who comes while that event is being published knows it again where updates carry no numbers.
        """
        with self._lock:
            snapshot = self._snapshot(None)
            if snapshot is None:
                return None
            return snapshot, (self._last_delta if self.sync.live else None) or self._first

    # What follows runs under the lock.

    def _snapshot(self, depth: int | None) -> BookSnapshot | None:
        view = self._picture.draw()
        if view is None:
            return None
        polled = self._polled
        if self._catching_up and polled is not None:
            # The readers hold the polled book and are told nothing until the streamed one has passed it.
            return replace(polled, bids=polled.bids[:depth], asks=polled.asks[:depth])
        bids, asks = self._book.bids(depth), self._book.asks(depth)
        settlement = self._settlement
        wire = settlement.written(bids, asks)
        checksum = settlement.said if depth is None else None
        return BookSnapshot(
            self.venue, self.symbol, bids, asks, view.sequence, view.exchange_ns, view.received_ns, view.source,
            checksum, settlement.kept_depth, wire,
        )  # fmt: skip

    def _push_quote(self, quote: Quote) -> tuple[MarketEvent, ...]:
        quality = self.quality
        quality.observe(quote.received_ns, quote.exchange_ns)
        sequence = quote.sequence
        observer = self.observer
        if observer is not None:
            # Told even where the book is ahead of it: quotes are a stream of their own, in their own order.
            observed = self._observed
            if sequence is None or observed is None or sequence >= observed:
                self._observed = sequence
                if quote.bid > 0.0 and 0.0 < quote.ask < _INFINITY:
                    observer.hear(quote)
                else:
                    observer.on_reset(quote.received_ns, "a side is empty")
        if sequence is not None:
            sync = self.sync
            if sync.live and sync.last is not None and sequence <= sync.last:
                if sequence < sync.last:
                    quality.ignored += 1
                    return _NOTHING
                if not self._agrees(quote):
                    quality.quote_mismatches += 1
                    return self._lose(f"book top differs from the quote of update {sequence}", quote.received_ns)
            quoted = self._quoted
            if quoted is not None and sequence <= quoted:
                if sequence == quoted:
                    quality.duplicates += 1
                else:
                    quality.out_of_order += 1
                return _NOTHING
        if not (
            (0.0 < quote.bid < quote.ask < _INFINITY or (self.crossed_allowed and sound(quote.bid, quote.ask)))
            and 0.0 <= quote.bid_size < _INFINITY
            and 0.0 <= quote.ask_size < _INFINITY
        ):
            quality.crossed += 1
            return _NOTHING
        revived = self._revive(quote.received_ns, quote.source) if self._silent else _NOTHING
        self.quote = quote
        self._quoted = sequence
        return (quote,) if not revived else (*revived, quote)

    def _push_trade(self, trade: Trade) -> tuple[MarketEvent, ...]:
        if not (0.0 < trade.price < _INFINITY and 0.0 < trade.size < _INFINITY) and not (
            self._bookless and trade.size == 0.0 and 0.0 < trade.price < _INFINITY
        ):
            self.quality.decode_errors += 1
            return _NOTHING
        if trade.backfill:
            return (trade,)
        quality = self.quality
        quality.observe(trade.received_ns, trade.exchange_ns)
        identifier = trade.trade_id
        place = self._trades.take(identifier) if type(identifier) is int else Place.NEXT
        if place is not Place.NEXT:
            if place is Place.DUPLICATE:
                quality.duplicates += 1
                return _NOTHING
            if place is Place.AFTER_GAP:
                quality.trade_gaps += 1
            else:
                quality.out_of_order += 1
            if self.observer is not None:
                self.observer.on_lost_trades(self._trades.lost)
        quality.trades += 1
        if self.observer is not None:
            self.observer.hear(trade)
        if self._silent and place is not Place.LATE:
            return (*self._revive(trade.received_ns, trade.source), trade)
        return (trade,)

    def _push_delta(self, delta: BookDelta) -> tuple[MarketEvent, ...]:
        self.quality.observe(delta.received_ns, delta.exchange_ns)
        sync = self.sync
        known = sync.last
        verdict = sync.push_delta(delta)
        if verdict is Verdict.APPLY:
            return self._apply(delta)
        if verdict is Verdict.DUPLICATE:
            if self._last_delta is None:
                # Still on its way when the snapshot was taken: the snapshot holds it already.
                self.quality.ignored += 1
            elif delta.last_sequence == self._last_delta.last_sequence:
                self.quality.duplicates += 1
            else:
                self.quality.out_of_order += 1
            return _NOTHING
        if verdict is Verdict.GAP:
            self.quality.gaps += 1
            expected = (known or 0) + 1
            reason = f"gap: expected update {expected}, received {delta.first_sequence}"
            return self._drop_and_ask(reason, delta.received_ns)
        self.quality.dropped = sync.dropped
        self.quality.ignored += delta.last_sequence is None
        if not self.needs_snapshot:
            self.needs_snapshot = True
            if not self._shows_polls():
                self._drop_book()
                return self._say(FeedState.SYNCING, "waiting for a snapshot", delta.received_ns, delta.source)
        return _NOTHING

    def _push_snapshot(self, snapshot: BookSnapshot) -> tuple[MarketEvent, ...]:
        self.quality.observe(snapshot.received_ns, snapshot.exchange_ns)
        self.quality.snapshots += 1
        polled = snapshot.source == "poll"
        if polled and self.sync.live and not self._whole:
            self.quality.ignored += 1
            return _NOTHING
        if self._whole or (polled and not self.sync.waiting):
            return self._replace(snapshot, polled)
        if self.sync.live and snapshot.sequence is not None and self.sync.last is not None:
            # The book is whole: a snapshot that somebody else asked for adds nothing.
            self.quality.ignored += 1
            return _NOTHING
        joined = self.sync.push_snapshot(snapshot)
        if joined is None:
            # A poll that is too old to join the stream is still a picture worth showing.
            shown = self._replace(snapshot, True) if polled else _NOTHING
            self.needs_snapshot = True
            return shown
        deltas, ignored = joined
        self.quality.ignored += ignored
        return self._go_live(snapshot, deltas)

    def _push_status(self, status: FeedStatus) -> tuple[MarketEvent, ...]:
        previous = self.status
        if previous is not None and (
            previous.state is status.state
            and previous.reason == status.reason
            and previous.attempt == status.attempt
            and previous.next_try_ns == status.next_try_ns
        ):
            return _NOTHING
        self._set_status(status)
        if not status.state.has_data and status.state is not FeedState.STALE:
            if self.sync.live:  # else it waits for a snapshot already, and what it keeps is still good
                self.sync.lose()
            self._drop_book()
        return (status,)

    def _go_live(self, snapshot: BookSnapshot, deltas: list[BookDelta]) -> tuple[MarketEvent, ...]:
        """Build the book from a snapshot and the updates that continue it, and publish what is new of it."""
        wrong = self._build(snapshot, deltas)
        if wrong:
            return self._lose(wrong, snapshot.received_ns)
        self.needs_snapshot = False
        newest: BookSnapshot | BookDelta = deltas[-1] if deltas else snapshot
        self._last_delta = deltas[-1] if deltas else None
        received_ns = max(newest.received_ns, snapshot.received_ns)
        source: Source = newest.source if deltas else snapshot.source
        if source == "poll":
            source = "stream"
        if snapshot.source == "poll":
            snapshot = replace(snapshot, source=source)  # from here on it is the beginning of the stream
        published, last, held = self._published, self.sync.last, self._held
        forward = published is not None and last is not None and last > published
        # A numbered book may not jump while it is live; one without numbers is simply replaced.
        announced = self._announce(received_ns, source) if last is not None and not forward else _NOTHING
        status = (*announced, *self._say(FeedState.LIVE, "", received_ns, source))
        self._torn, self._held = False, None
        opening: tuple[BookSnapshot | BookDelta, ...]
        self._catching_up = False
        if held is not None and forward:
            # Nobody was told that the old stream ended: what the new one knows more is one update to the readers.
            bids, asks = changes(held[0], self._book.bids()), changes(held[1], self._book.asks())
            first, exchange_ns = (published or 0) + 1, newest.exchange_ns
            opening = (
                BookDelta(self.venue, self.symbol, bids, asks, first, last, exchange_ns, received_ns, source),
            )  # fmt: skip
        elif published is None or snapshot.sequence is None or last is None or snapshot.sequence > published:
            opening = (snapshot, *deltas)
        elif last <= published and self._opened:
            # The readers have seen later books (from polling): nothing is new until the stream passes them. Then it
            # opens with a whole book, for they cannot continue a polled one.
            self._catching_up = True
            return status
        else:
            # The snapshot alone is older than what the readers saw: open with the joined book, once.
            opening = (
                BookSnapshot(
                    self.venue, self.symbol, self._book.bids(), self._book.asks(), last, newest.exchange_ns,
                    received_ns, source,
                ),
            )  # fmt: skip
        self._opened = True
        self._published = last
        self._first = opening[-1]
        self._picture.change(last, newest.exchange_ns, received_ns, source)
        return (*status, *opening)

    def _build(self, snapshot: BookSnapshot, deltas: list[BookDelta]) -> str:
        """Make the book of a snapshot and the updates that continue it; what is wrong with it, or nothing."""
        book, settlement, observer = self._book, self._settlement, self.observer
        # A polled picture stays on show while the stream's book catches up: it is drawn while its book stands.
        self._picture.draw()
        settlement.begin(snapshot)
        try:
            book.replace(snapshot.bids, snapshot.asks)
            wrong = settlement.settle(snapshot) if settlement.needed else ""
            crossed = book.crossed
            if observer is not None and (self.crossed_allowed or not crossed):
                observer.on_book(snapshot.received_ns, book, None)
            for delta in deltas:
                before = book.sizes_of(delta.bids, delta.asks)
                book.apply(delta.bids, delta.asks)
                wrong = wrong or (settlement.settle(delta) if settlement.needed else "")
                crossed = crossed or book.crossed
                if observer is not None and (self.crossed_allowed or not crossed):
                    # What was kept takes effect now that there is a book.
                    observer.on_book(snapshot.received_ns, book, Changes(delta.bids, delta.asks, *before))
                self.quality.applied += 1
        except DecodeError as error:
            self.quality.decode_errors += 1
            return str(error)
        if crossed and not wrong and not self.crossed_allowed:
            self.quality.crossed += 1
            return "the book is crossed after its snapshot"
        return wrong

    def _replace(self, snapshot: BookSnapshot, polled: bool) -> tuple[MarketEvent, ...]:
        """Show a whole book; a repeated or older one refreshes the age and nothing else."""
        sequence = snapshot.sequence
        if sequence is not None and self._published is not None and sequence <= self._published:
            repeated = self._picture.exists
            self.quality.duplicates += repeated
            if repeated:
                return self._say_data(snapshot, polled)
        elif (
            sequence is None
            and self._picture.exists
            and self._polled is not None
            and same_levels(snapshot, self._polled)
        ):
            self.quality.duplicates += 1
            self._settlement.settle_whole(snapshot)
            return self._say_data(snapshot, polled)
        # Where every message is a whole book, the observer is told what is new in it; polls are too far apart.
        continued = self.observer is not None and self._whole and not polled and self._picture.exists
        held = (self._book.bids(), self._book.asks()) if continued else None
        try:
            self._book.replace(snapshot.bids, snapshot.asks)
        except DecodeError as error:
            self.quality.decode_errors += 1
            self._drop_book()
            return self._say(FeedState.SYNCING, str(error), snapshot.received_ns, snapshot.source)
        if self._book.crossed and not self.crossed_allowed:
            self.quality.crossed += 1
            self._drop_book()
            return self._say(FeedState.SYNCING, "the venue sent a crossed book", snapshot.received_ns, snapshot.source)
        if wrong := self._settlement.settle_whole(snapshot):
            self._drop_book()
            return self._say(FeedState.SYNCING, wrong, snapshot.received_ns, snapshot.source)
        self.needs_snapshot = False
        announced = _NOTHING if self._whole else self._announce(snapshot.received_ns, snapshot.source)
        status = (*announced, *self._say_data(snapshot, polled))
        self._torn, self._held, self._silent = False, None, False
        self._polled = self._first = snapshot
        # A poll behind what was already shown (the last word of a broken stream) is shown, not published again.
        behind = sequence is not None and self._published is not None and sequence <= self._published
        if not behind:
            self._opened = True
            self._published = sequence
        shown = self.sync.last if sequence is None else sequence
        self._picture.change(shown, snapshot.exchange_ns, snapshot.received_ns, snapshot.source)
        if self.observer is not None:
            changes = changes_of(held, self._book) if held is not None else None
            self.observer.on_book(snapshot.received_ns, self._book, changes)
        return status if behind else (*status, snapshot)

    def _apply(self, delta: BookDelta) -> tuple[MarketEvent, ...]:
        book, observer = self._book, self.observer
        before = book.sizes_of(delta.bids, delta.asks) if observer is not None else None
        try:
            book.apply(delta.bids, delta.asks)
        except DecodeError as error:
            self.quality.decode_errors += 1
            return self._lose(str(error), delta.received_ns)
        if self._settlement.needed:
            wrong = self._settlement.settle(delta)
            if wrong:
                return self._lose(wrong, delta.received_ns)
        if book.crossed and not self.crossed_allowed:
            self.quality.crossed += 1
            which = f"update {delta.last_sequence}" if delta.last_sequence is not None else "an update"
            return self._lose(f"the book is crossed after {which}", delta.received_ns)
        self.quality.applied += 1
        if observer is not None and before is not None:
            observer.on_book(delta.received_ns, book, Changes(delta.bids, delta.asks, *before))
        self._last_delta = delta
        revived = self._revive(delta.received_ns, delta.source) if self._silent else _NOTHING
        if self._catching_up:
            return (*revived, *self._catch_up(delta))
        self._picture.change(self.sync.last, delta.exchange_ns, delta.received_ns, delta.source)
        self._published = delta.last_sequence
        return (delta,) if not revived else (*revived, delta)

    def _catch_up(self, delta: BookDelta) -> tuple[MarketEvent, ...]:
        """The streamed book has come to `delta`: it opens once it has passed the polled one."""
        last = delta.last_sequence
        if last <= self._published:  # type: ignore[operator]
            return _NOTHING
        self._catching_up = False
        self._published = last
        self._picture.change(self.sync.last, delta.exchange_ns, delta.received_ns, delta.source)
        bids, asks = self._book.bids(), self._book.asks()
        return (
            *self._say(FeedState.LIVE, "", delta.received_ns, delta.source),
            BookSnapshot(
                self.venue, self.symbol, bids, asks, last, delta.exchange_ns, delta.received_ns, delta.source
            ),
        )  # fmt: skip

    def _agrees(self, quote: Quote) -> bool:
        """Whether the book's top is what the venue quotes at the very same update."""
        (bids, bid_sizes), (asks, ask_sizes) = self._book.top_bids(), self._book.top_asks()
        if not (bids and asks):
            return False
        top = bids[0], bid_sizes[0], asks[0], ask_sizes[0]
        return top == (quote.bid, quote.bid_size, quote.ask, quote.ask_size)

    def _lose(self, reason: str, now_ns: int) -> tuple[MarketEvent, ...]:
        self.sync.lose()
        return self._drop_and_ask(reason, now_ns)

    def _drop_and_ask(self, reason: str, now_ns: int) -> tuple[MarketEvent, ...]:
        self.quality.resyncs += 1
        self._drop_book()
        self.needs_snapshot = True
        source = self.status.source if self.status is not None else "stream"
        return self._say(FeedState.SYNCING, reason, now_ns, source)

    def _shows_polls(self) -> bool:
        status = self.status
        return status is not None and status.source == "poll" and self._picture.exists

    def _drop_book(self) -> None:
        if self.observer is not None and any(self._book.levels):
            self.observer.on_reset(self.clock.now_ns(), "the book is lost")
        self._opened = self._catching_up = False
        self._settlement.forget()
        self._book.clear()
        self._picture.forget()
        self.quote = None

    def _revive(self, now_ns: int, source: Source) -> tuple[MarketEvent, ...]:
        """A word after silence: STALE turns back into what it was, and a feed without a book into LIVE."""
        status = self.status
        if self._bookless:
            return self._revive_bookless(now_ns, source)
        if self._torn and status is not None:
            return self._announce(now_ns, status.source)
        if status is None or not self._picture.exists:
            return _NOTHING
        streamed = self.sync.live or (self._whole and status.source != "poll")
        state = FeedState.LIVE if streamed else FeedState.POLLING
        return self._say(state, "", now_ns, status.source)

    def _revive_bookless(self, now_ns: int, source: Source) -> tuple[MarketEvent, ...]:
        status = self.status
        if status is not None and status.state in _FINAL:
            return _NOTHING
        state = FeedState.POLLING if source == "poll" else FeedState.LIVE
        if status is not None and status.state is state:
            return _NOTHING
        return self._say(state, "", now_ns, source)

    def _announce(self, now_ns: int, source: Source) -> tuple[MarketEvent, ...]:
        """Tell the readers that the book they hold does not continue, where nobody has told them yet."""
        if not self._torn:
            return _NOTHING
        return self._say(FeedState.SYNCING, "the stream begins anew with a snapshot", now_ns, source)

    def _set_status(self, status: FeedStatus) -> None:
        self.status = status
        stale = status.state is FeedState.STALE
        if not status.state.has_data and not stale:
            self._torn, self._held = False, None
            self._quoted = None
        self._silent = stale or self._torn or (self._bookless and status.state is not FeedState.LIVE)
        self._picture.turn(status.state)

    def _say_data(self, snapshot: BookSnapshot, polled: bool) -> tuple[MarketEvent, ...]:
        state = FeedState.POLLING if polled else FeedState.LIVE
        status = self.status
        if status is not None and status.state is state:
            return _NOTHING
        reason = status.reason if polled and status is not None else ""
        return self._say(state, reason, snapshot.received_ns, snapshot.source)

    def _say(self, state: FeedState, reason: str, now_ns: int, source: Source) -> tuple[MarketEvent, ...]:
        previous = self.status
        if previous is not None and previous.state is state and previous.reason == reason:
            return _NOTHING
        attempt = previous.attempt if previous is not None and state is FeedState.POLLING else 0
        status = FeedStatus(self.venue, self.symbol, state, reason, "", attempt, None, now_ns, source)
        self._set_status(status)
        return (status,)
