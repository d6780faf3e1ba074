"""A feed made from what another feed published: every event comes out as it went in, and the book is the same."""

from __future__ import annotations

from msgspec.structs import replace

from engine.clock import SYSTEM_CLOCK, Clock
from engine.errors import DecodeError
from engine.feed.compare import changes_of
from engine.feed.feed import VIEW_DEPTH, Feed
from engine.feed.picture import Picture
from engine.feed.sync import WholeBooks
from engine.feed.trade_numbers import Place
from engine.flow.section import Changes
from engine.market.events import BookDelta, BookSnapshot, FeedState, FeedStatus, MarketEvent, Quote, Source, Trade

_NOTHING: tuple[MarketEvent, ...] = ()


class FeedCopy(Feed):
    """The line of one symbol once more: of a recording, or of what a strategy is told.

    What a feed published has been judged already, so nothing is judged again: no numbers are compared, no silence is
    noticed, no state is made up. `push` returns the very event that it took, with `source` in place of its own where
    one is given. `view` is the book after that event alone; it is None until the first snapshot, and again after a
    status that drops the book.
    """

    def __init__(
        self,
        venue: str,
        symbol: str,
        *,
        clock: Clock = SYSTEM_CLOCK,
        depth: int = VIEW_DEPTH,
        source: Source | None = None,
    ) -> None:
        super().__init__(venue, symbol, WholeBooks(), clock=clock, depth=depth, crossed_allowed=True)
        self._source = source
        self._opened_ns = 0
        """When the present book's snapshot was received: what was kept for it is older, and takes effect then."""
        self._all_whole = False
        """The last book event was a snapshot of the stream, so the next one continues it."""

    def push(self, event: MarketEvent) -> tuple[MarketEvent, ...]:
        """Take one event; it, and nothing else.

        Where a book cannot be made of it (a damaged recording) a status that says so follows.
        """
        polled = event.source == "poll"
        if event.venue != self.venue:
            self._rename(event)
        if self._source is not None:
            event = replace(event, source=self._source)
        kind = type(event)
        with self._lock:
            if kind is BookDelta:
                return self._take_delta(event)  # type: ignore[arg-type]
            if kind is Quote:
                self._take_quote(event)  # type: ignore[arg-type]
            elif kind is Trade:
                self._take_trade(event)  # type: ignore[arg-type]
            elif kind is BookSnapshot:
                return self._take_snapshot(event, polled)  # type: ignore[arg-type]
            else:
                self._take_status(event)  # type: ignore[arg-type]
        return (event,)

    def _rename(self, event: MarketEvent) -> None:
        """A feed is called as its events are, also where its key has another name (the recording of a replay)."""
        self.venue, self.symbol = event.venue, event.symbol
        self._picture = Picture(self.venue, self.symbol, self._book)

    def tick(self, now_ns: int) -> tuple[MarketEvent, ...]:
        """Silence was noticed by the feed that published, and is in what it published."""
        return _NOTHING

    def _take_status(self, status: FeedStatus) -> None:
        self._set_status(status)
        self._silent = False
        if not status.state.has_data and status.state is not FeedState.STALE:
            self._drop_book()

    def _take_quote(self, quote: Quote) -> None:
        self.quality.observe(quote.received_ns, quote.exchange_ns)
        if self.observer is not None:
            self.observer.hear(quote)
        self.quote = quote

    def _take_trade(self, trade: Trade) -> None:
        if trade.backfill:
            return
        quality, observer, identifier = self.quality, self.observer, trade.trade_id
        quality.observe(trade.received_ns, trade.exchange_ns)
        quality.trades += 1
        place = self._trades.take(identifier) if type(identifier) is int else Place.NEXT
        quality.trade_gaps += place is Place.AFTER_GAP
        if observer is not None:
            if place in (Place.AFTER_GAP, Place.LATE):
                observer.on_lost_trades(self._trades.lost)
            observer.hear(trade)

    def _take_snapshot(self, snapshot: BookSnapshot, polled: bool) -> tuple[MarketEvent, ...]:
        quality, book, observer = self.quality, self._book, self.observer
        quality.observe(snapshot.received_ns, snapshot.exchange_ns)
        quality.snapshots += 1
        continued = observer is not None and self._all_whole and not polled and self._picture.exists
        held = (book.bids(), book.asks()) if continued else None
        self._settlement.begin(snapshot)
        try:
            book.replace(snapshot.bids, snapshot.asks)
        except DecodeError as error:
            return self._spoilt(snapshot, error)
        self._opened_ns, self._all_whole = snapshot.received_ns, not polled
        self._show(snapshot, snapshot.sequence)
        if observer is not None:
            observer.on_book(snapshot.received_ns, book, changes_of(held, book) if held is not None else None)
        return (snapshot,)

    def _take_delta(self, delta: BookDelta) -> tuple[MarketEvent, ...]:
        self.quality.observe(delta.received_ns, delta.exchange_ns)
        if not self._picture.exists:
            self.quality.ignored += 1
            return (delta,)
        book, observer = self._book, self.observer
        before = book.sizes_of(delta.bids, delta.asks) if observer is not None else None
        try:
            book.apply(delta.bids, delta.asks)
        except DecodeError as error:
            return self._spoilt(delta, error)
        if self._settlement.needed:
            self._settlement.settle(delta)
        self.quality.applied += 1
        self._all_whole = False
        self._show(delta, delta.last_sequence)
        if observer is not None and before is not None:
            at_ns = max(delta.received_ns, self._opened_ns)
            observer.on_book(at_ns, book, Changes(delta.bids, delta.asks, *before))
        return (delta,)

    def _show(self, event: BookSnapshot | BookDelta, sequence: int | None) -> None:
        """From now on the picture is of this event, and a reader who comes now knows the line up to it."""
        self._first = event
        at_ns = max(event.received_ns, self._opened_ns)
        self._picture.change(sequence, event.exchange_ns, at_ns, event.source)

    def _spoilt(self, event: BookSnapshot | BookDelta, error: DecodeError) -> tuple[MarketEvent, ...]:
        """No book can be made of this: say so, and wait for the next snapshot."""
        self.quality.decode_errors += 1
        status = FeedStatus(
            self.venue, self.symbol, FeedState.SYNCING, str(error), "", 0, None, event.received_ns, event.source
        )
        self._take_status(status)
        return (event, status)
