"""The fault catalogue: every fault that a venue can do, in its variants, with the reaction that is owed."""

from __future__ import annotations

from engine.market.events import FeedState
from tests.contract.case import Case, Expect

LIVE, STALE, SYNCING = FeedState.LIVE, FeedState.STALE, FeedState.SYNCING
RECONNECTING, POLLING, BLOCKED = FeedState.RECONNECTING, FeedState.POLLING, FeedState.BLOCKED

ANEW = Expect(states=(RECONNECTING,), connections=1)

CASES: tuple[Case, ...] = (
    Case("F1", "fin", "fin", lambda on: on.fin(), ANEW),
    Case("F1", "rst", "rst", lambda on: on.rst(), ANEW),
    Case("F7", "one update", "gap", lambda on: on.gap(), Expect(counters={"gaps": 1}, at_most=0, calm=True)),
)
"""Every case; a venue that cannot suffer one says why (`Adapter.cannot`)."""
