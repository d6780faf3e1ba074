"""A listener that believes nothing: it follows the published line, looks at the feed's picture, and keeps both."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence

from msgspec import Struct

from engine.connector import Stream
from engine.market.book import Book
from engine.market.events import BookDelta, BookSnapshot, FeedState, FeedStatus, Levels, MarketEvent, Quote, Trade
from tests.fakes.truth import TOP_DEPTH, Top

KEPT = 50_000
LOOKED_UP = 2_000
_UNBROKEN = (FeedState.LIVE,)


class Seen(Struct, frozen=True, gc=False):
    """A book as it stood in the line or on show, with all by which a venue dates it."""

    what: str
    sequence: int | None
    exchange_ns: int | None
    checksum: int | None
    polled: bool
    top: Top


Oracle = Callable[[str, Seen], Sequence[Top] | None]
"""The books that a symbol may have had there (none: no book ever was); None where the venue lets nobody tell."""


class Witness:
    """Hears one symbol. `levels` a side are compared with what `oracle` says is true."""

    def __init__(self, symbol: str, oracle: Oracle, levels: int = TOP_DEPTH) -> None:
        self.symbol = symbol
        self.problems: list[str] = []
        self.statuses: list[FeedStatus] = []
        self.events = self.snapshots = self.polls = self.quotes = self.deltas = 0
        self.trades: list[int | str] = []
        """The numbers of the trades that were published as new."""
        self.lost_trades = 0
        """Numbers missing between two trades while nothing was said to be wrong."""
        self.stopped = False
        self.stream: Stream | None = None
        self._oracle = oracle
        self._levels = levels
        self._book = Book(levels)
        self._depth: int | None = None
        self._held = False
        self._sequence: int | None = None
        self._unbroken = False
        self._seen: deque[Seen] = deque(maxlen=KEPT)

    def __call__(self, event: MarketEvent) -> None:
        self.events += 1
        if self.stopped:
            self.problems.append(f"called after stop with {type(event).__name__}")
        if isinstance(event, FeedStatus):
            self._follow_status(event)
        elif isinstance(event, BookSnapshot):
            self._follow_snapshot(event)
        elif isinstance(event, BookDelta):
            self._follow_delta(event)
        elif isinstance(event, Trade):
            self._follow_trade(event)
        elif isinstance(event, Quote):
            self.quotes += 1
        self._look()

    @property
    def states(self) -> list[FeedState]:
        """The states that the feed went through."""
        return [status.state for status in self.statuses]

    @property
    def state(self) -> FeedState:
        return self.states[-1] if self.statuses else FeedState.CONNECTING

    @property
    def doubled(self) -> int:
        """Trades that were published more than once."""
        return sum([times - 1 for times in Counter(self.trades).values()])

    def said(self, words: str, since: int = 0) -> bool:
        """Whether some status (from the `since`th on) gave a reason or a hint with these words."""
        return any(words in f"{status.reason} {status.hint}" for status in self.statuses[since:])

    def verify(self) -> list[str]:
        """Everything that was wrong."""
        problems = list(self.problems)
        if self.doubled:
            problems.append(f"{self.doubled} trades were published twice")
        seen = list(self._seen)
        # Of a flood a sample and the end: looking up the past costs time.
        every = len(seen) // LOOKED_UP + 1
        for one in seen[:-LOOKED_UP:every] + seen[-LOOKED_UP:]:
            tops = self._oracle(self.symbol, one)
            mine = self._cut(one.top)
            if tops is None or mine in [self._cut(top) for top in tops]:
                continue
            where = f"{one.what} at {one.sequence or one.exchange_ns or one.checksum}"
            if tops:
                problems.append(f"{where} differs from the truth: {_difference(self._cut(tops[0]), mine)}")
            else:
                problems.append(f"{where}: no such book ever was")
        return problems

    def _cut(self, top: Top) -> Top:
        bids, asks = top
        return bids[: self._levels], asks[: self._levels]

    def _follow_status(self, status: FeedStatus) -> None:
        self.statuses.append(status)
        if not status.state.has_data and status.state is not FeedState.STALE:
            self._held, self._sequence = False, None
        if status.state not in _UNBROKEN:
            self._unbroken = False

    def _follow_snapshot(self, snapshot: BookSnapshot) -> None:
        polled = snapshot.source == "poll"
        self.polls += polled
        self.snapshots += 1
        self._held, self._depth, self._sequence = True, snapshot.depth, snapshot.sequence
        self._book.replace(snapshot.bids, snapshot.asks)
        self._note(snapshot, snapshot.sequence, polled=polled)

    def _follow_delta(self, delta: BookDelta) -> None:
        self.deltas += 1
        if not self._held:
            self.problems.append(f"update {delta.first_sequence} was published without a snapshot before it")
            return
        if delta.last_sequence is not None and self._sequence is not None and not self._joins(delta):
            span = f"{delta.first_sequence}–{delta.last_sequence}"
            self.problems.append(f"update {span} was published after {self._sequence}")
        self._book.apply(delta.bids, delta.asks)
        if self._depth is not None:
            self._book.truncate(self._depth)
        self._sequence = delta.last_sequence
        self._note(delta, delta.last_sequence, polled=False)

    def _joins(self, delta: BookDelta) -> bool:
        """Whether an update follows what was published before it, without a hole and without repeating it."""
        first, last, before = delta.first_sequence or 0, delta.last_sequence or 0, self._sequence or 0
        if delta.previous_sequence is not None:
            # Futures: after a snapshot the first update may begin before it, later ones name their predecessor.
            return last >= before and (delta.previous_sequence == before or first <= before)
        return first <= before + 1 and last > before

    def _follow_trade(self, trade: Trade) -> None:
        if trade.backfill or trade.trade_id is None:
            return
        number = trade.trade_id
        if isinstance(number, str) and number.isdigit():
            number = int(number)
        before = self.trades[-1] if self.trades else None
        if isinstance(number, int) and isinstance(before, int):
            if number <= before:
                self.problems.append(f"trade {number} was published after {before}")
            elif self._unbroken:
                self.lost_trades += number - before - 1
        self.trades.append(number)
        self._unbroken = self.state in _UNBROKEN

    def _look(self) -> None:
        """The feed's own picture, which is what people see."""
        feed = self.stream.feed if self.stream is not None else None
        view = feed.view if feed is not None else None
        if feed is None or view is None or feed.state is not FeedState.LIVE:
            return
        if view.sequence is None and view.exchange_ns is None:
            return
        top = view.bids[: self._levels], view.asks[: self._levels]
        self._seen.append(Seen("the view", view.sequence, view.exchange_ns, None, False, top))

    def _note(self, event: BookSnapshot | BookDelta, sequence: int | None, *, polled: bool) -> None:
        top: tuple[Levels, Levels] = self._book.bids(self._levels), self._book.asks(self._levels)
        self._seen.append(Seen("the published line", sequence, event.exchange_ns, event.checksum, polled, top))


def _difference(truth: Top, seen: Top) -> str:
    for side, true, mine in zip(("bid", "ask"), truth, seen, strict=True):
        for index, pair in enumerate(zip(true, mine, strict=False)):
            if pair[0] != pair[1]:
                return f"{side} {index} is {pair[1]} instead of {pair[0]}"
        if len(true) != len(mine):
            return f"{len(mine)} {side}s instead of {len(true)}"
    return "in nothing"
