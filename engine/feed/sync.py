"""In order and without holes, or not at all: joins a venue's updates to its snapshot.

Every venue declares one `Continuity`: how an update follows another, and how a lost book is won back.
"""

from __future__ import annotations

from collections import deque
from enum import IntEnum
from typing import Literal, Protocol, runtime_checkable

from engine.feed.checksum import Checksum
from engine.market.events import BookDelta, BookSnapshot

Recovery = Literal["rest", "resubscribe", "reconnect", "none"]

BUFFER_LIMIT = 5_000
"""Updates kept while a snapshot is awaited; then the oldest are dropped, and the snapshot must be newer than those."""


class Verdict(IntEnum):
    """What to do with an update."""

    APPLY = 0
    IGNORE = 1
    DUPLICATE = 2
    GAP = 3
    WAIT = 4


class Continuity(Protocol):
    """How one venue numbers its updates. Pure.

    `recovery` says how a lost book is won back: `rest` (fetch a snapshot while updates are kept), `resubscribe` (the
    stream sends a new snapshot), `reconnect` (numbering spans the connection), `none` (each message is a whole book).
    """

    recovery: Recovery

    def joins(self, snapshot: int, delta: BookDelta) -> Verdict:
        """Whether `delta` continues a snapshot numbered `snapshot`: IGNORE (older), APPLY or GAP."""

    def follows(self, last: int, delta: BookDelta) -> Verdict:
        """Whether `delta` continues a book whose last update was `last`: APPLY, DUPLICATE (older or equal) or GAP."""


@runtime_checkable
class Checked(Protocol):
    """A `Continuity` whose venue also sends checksums (None: this one does not)."""

    checksum: Checksum | None


class RangeContinuity:
    """Updates carry first … last; the first may overlap what is known (Binance spot).

    1. `last <= known`: old, drop.  2. `first > known + 1`: something is missing.  3. Otherwise apply.
    Source: Binance spot API, "How to manage a local order book correctly", text of 2025-11-12.
    """

    recovery: Recovery = "rest"

    def __init__(self, recovery: Recovery = "rest") -> None:
        self.recovery = recovery

    def joins(self, snapshot: int, delta: BookDelta) -> Verdict:
        verdict = self.follows(snapshot, delta)
        return Verdict.IGNORE if verdict is Verdict.DUPLICATE else verdict

    def follows(self, last: int, delta: BookDelta) -> Verdict:
        final = delta.last_sequence
        first = delta.first_sequence
        if final is None or first is None or first > final:
            return Verdict.GAP
        if final <= last:
            return Verdict.DUPLICATE
        return Verdict.GAP if first > last + 1 else Verdict.APPLY


class Unnumbered:
    """Updates carry no numbers and follow a snapshot of the same stream, in the order in which they come.

    1. What comes before the stream's own snapshot is of no use; a snapshot from elsewhere cannot be joined.  2. From
    then on every update applies.  3. A lost one shows elsewhere: in a checksum (Kraken), or in the numbers of a
    connection's frames (Coinbase).
    """

    def __init__(self, checksum: Checksum | None = None, recovery: Recovery = "resubscribe") -> None:
        self.checksum = checksum
        self.recovery = recovery

    def joins(self, snapshot: int, delta: BookDelta) -> Verdict:
        return Verdict.GAP

    def follows(self, last: int, delta: BookDelta) -> Verdict:
        return Verdict.GAP


class WholeBooks:
    """Every message is a whole book: nothing to join (polling venues, top-N streams)."""

    recovery: Recovery = "none"

    def joins(self, snapshot: int, delta: BookDelta) -> Verdict:
        return Verdict.GAP

    def follows(self, last: int, delta: BookDelta) -> Verdict:
        return Verdict.GAP


class ChainedContinuity:
    """Every update names the last number of the one before it; numbers jump in between (Binance USD-M).

    1. The first after a snapshot `s`: `last < s` is old, drop; otherwise it may begin at `s` at the latest, or name a
    predecessor that is not later.  2. From then on `previous` must be exactly the last number known.
    Source: Binance USD-M futures documents, "How to manage a local order book correctly".
    """

    recovery: Recovery = "rest"

    def joins(self, snapshot: int, delta: BookDelta) -> Verdict:
        first, final, previous = delta.first_sequence, delta.last_sequence, delta.previous_sequence
        if final is None or first is None or previous is None or first > final:
            return Verdict.GAP
        if final < snapshot:
            return Verdict.IGNORE
        # Where nothing happened between the predecessor and the snapshot, the update begins after it.
        return Verdict.APPLY if first <= snapshot or previous <= snapshot else Verdict.GAP

    def follows(self, last: int, delta: BookDelta) -> Verdict:
        first, final = delta.first_sequence, delta.last_sequence
        if final is None or first is None or first > final:
            return Verdict.GAP
        if final <= last:
            return Verdict.DUPLICATE
        return Verdict.APPLY if delta.previous_sequence == last else Verdict.GAP


class NoBook(WholeBooks):
    """There is no book, only trades and quotes: the feed is LIVE while they come."""


class BookSync:
    """Decides, update by update, what may reach the book. Pure: no clock, no I/O.

    EMPTY → (updates are kept) → a snapshot that joins them → live → gap → EMPTY.
    """

    __slots__ = ("_buffer", "_unjoined", "dropped", "last", "live", "rule")

    def __init__(self, rule: Continuity) -> None:
        self.rule = rule
        self.live = False
        self.last: int | None = None
        self.dropped = 0
        self._unjoined = False
        """Live with a snapshot that no update has continued yet."""
        self._buffer: deque[BookDelta] = deque()

    @property
    def waiting(self) -> int:
        """How many updates are kept for the next snapshot."""
        return len(self._buffer)

    def reset(self) -> None:
        """Forget everything: the connection is new."""
        self.live = False
        self.last = None
        self._buffer.clear()

    def lose(self) -> None:
        """The book is wrong: wait for a snapshot, keep the numbering for what is already known."""
        self.live = False
        self._buffer.clear()

    def push_delta(self, delta: BookDelta) -> Verdict:
        """APPLY now, WAIT (kept where it has a number to join by), DUPLICATE, or GAP (kept too; the book is lost)."""
        if not self.live:
            if delta.last_sequence is not None:
                self._keep(delta)
            return Verdict.WAIT
        if self.last is None:
            return Verdict.APPLY
        verdict = self._first(self.last, delta) if self._unjoined else self.rule.follows(self.last, delta)
        if verdict is Verdict.APPLY:
            self.last = delta.last_sequence
        elif verdict is Verdict.GAP:
            self.live = False
            self._keep(delta)
        return verdict

    def push_snapshot(self, snapshot: BookSnapshot) -> tuple[list[BookDelta], int] | None:
        """The kept updates that continue the snapshot and how many were older; None when it is too old to join.

        On success the sync is live.
        """
        ignored = 0
        joined: list[BookDelta] = []
        last = snapshot.sequence
        if last is not None:
            for delta in self._buffer:
                verdict = self.rule.follows(last, delta) if joined else self.rule.joins(last, delta)
                if verdict is Verdict.GAP:
                    return None
                if verdict is Verdict.APPLY:
                    joined.append(delta)
                    last = delta.last_sequence
                    assert last is not None
                else:
                    ignored += 1
        self._buffer.clear()
        self.last = last
        self.live = True
        self._unjoined = not joined
        return joined, ignored

    def _first(self, snapshot: int, delta: BookDelta) -> Verdict:
        """The verdict on the first update after a snapshot."""
        verdict = self.rule.joins(snapshot, delta)
        self._unjoined = verdict is Verdict.IGNORE
        return Verdict.DUPLICATE if verdict is Verdict.IGNORE else verdict

    def _keep(self, delta: BookDelta) -> None:
        buffer = self._buffer
        known = buffer[-1].last_sequence if buffer else None
        if known is not None:
            if delta.last_sequence == known:
                return  # said twice
            if self.rule.follows(known, delta) is not Verdict.APPLY:
                # A hole within what is kept: no snapshot could bridge it, so only what comes after it is of use. (A
                # number out of place, once, must not keep the book from ever coming back.)
                self.dropped += len(buffer)
                buffer.clear()
        if len(buffer) >= BUFFER_LIMIT:
            buffer.popleft()
            self.dropped += 1
        buffer.append(delta)
