"""One browser page on the socket: what it watches, what waits for it, and how much it may still be sent."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from engine.feed.mailbox import FeedKey

WINDOW = 3
QUEUE_LIMIT = 8


class Tab:
    """A bounded line to one page.

    At most 3 messages are on their way unacknowledged and at most 8 wait; when a ninth comes all that wait is dropped
    and counted, and once the page has caught up it begins anew with snapshots. The page acknowledges when it paints,
    so a hidden one stops pulling. Used on the event loop only.
    """

    def __init__(self) -> None:
        self.keys: tuple[FeedKey, ...] = ()
        self.fresh: frozenset[FeedKey] = frozenset()
        """Feeds that must open with a snapshot."""
        self.overflows = 0
        self.dropped = 0
        self.sent = 0
        self.acknowledged = 0
        self._stalled = False
        self._queue: deque[bytes] = deque()
        self._wake = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether a new message may be put: not after an overflow until the page has caught up."""
        return not self._stalled or self._has_credit

    @property
    def _has_credit(self) -> bool:
        return self.sent - self.acknowledged < WINDOW

    def watch(self, keys: Iterable[FeedKey]) -> None:
        """Deliver exactly these feeds from now on."""
        wanted = tuple(dict.fromkeys(keys))
        self.fresh = frozenset([key for key in wanted if key not in self.keys or key in self.fresh])
        self.keys = wanted

    def refresh(self, keys: Iterable[FeedKey]) -> None:
        """Open these feeds again with a snapshot: the page lost its place."""
        self.fresh |= frozenset(keys) & frozenset(self.keys)

    def put(self, message: bytes) -> None:
        """Queue one message; never blocks."""
        if len(self._queue) >= QUEUE_LIMIT:
            self.overflows += 1
            self.dropped += len(self._queue) + 1
            self._queue.clear()
            self._stalled = True
            self.fresh = frozenset(self.keys)
            return
        self._stalled = False
        self.fresh = frozenset()
        self._queue.append(message)
        self._wake.set()

    def acknowledge(self, count: int) -> bool:
        """The page has painted `count` messages more; False when it was never sent that many."""
        if not 0 < count <= self.sent - self.acknowledged:
            return False
        self.acknowledged += count
        self._wake.set()
        return True

    def take(self) -> bytes | None:
        """The next message if one waits and may be sent now."""
        if not (self._queue and self._has_credit):
            return None
        self.sent += 1
        return self._queue.popleft()

    async def next_message(self) -> bytes:
        """The next message that may be sent; waits for one, and for credit."""
        while (message := self.take()) is None:
            self._wake.clear()
            await self._wake.wait()
        return message
