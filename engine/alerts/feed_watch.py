"""What happens to one feed itself, seen by looking at it: lost, silent, polled, refused, back again."""

from __future__ import annotations

from engine.alerts.alert import Happening
from engine.alerts.rule import Kind
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey
from engine.market.events import FeedState

REFUSED = frozenset({FeedState.BLOCKED, FeedState.INVALID, FeedState.FAILED})


class FeedWatch:
    """Compares a feed with how it was at the last look. Short troubles between two looks still show in its counts."""

    __slots__ = ("_feed", "_gaps", "_key", "_lost_ns", "_said", "_stale", "_trade_gaps", "_was_live")

    def __init__(self, key: FeedKey) -> None:
        self._key = key
        self._feed: Feed | None = None
        self._gaps = self._trade_gaps = 0
        self._stale = False
        self._said: FeedState | None = None
        """The trouble that was told last; None while there is none."""
        self._was_live = False
        self._lost_ns: int | None = None
        """Since when a feed that was live is not; None while it is, or has never been."""

    def look(self, feed: Feed, now_ns: int, *, on_purpose: bool) -> list[Happening]:
        """What is new at a feed. `on_purpose`: it was to be polled from the first."""
        if feed is not self._feed:
            self._feed = feed
            self._gaps, self._trade_gaps = feed.quality.gaps, feed.quality.trade_gaps
        status = feed.status
        source = status.source if status is not None else "stream"
        if source == "replay":
            # The pauses and the end of a recording are no news; its gaps are.
            return self._counted(feed, now_ns, source)
        found = self._counted(feed, now_ns, source)
        found += self._silence(feed, now_ns, source)
        found += self._states(feed, now_ns, source, on_purpose)
        return found

    def _counted(self, feed: Feed, now_ns: int, source: str) -> list[Happening]:
        gaps, trades = feed.quality.gaps, feed.quality.trade_gaps
        lost = [
            f"{count} {'gap' if count == 1 else 'gaps'} in the {what}"
            for count, what in ((gaps - self._gaps, "book's updates"), (trades - self._trade_gaps, "trades"))
            if count > 0
        ]
        self._gaps, self._trade_gaps = gaps, trades
        if not lost:
            return []
        return [self._happening(Kind.GAP, now_ns, str(now_ns), f"{' and '.join(lost)}", source)]

    def _silence(self, feed: Feed, now_ns: int, source: str) -> list[Happening]:
        age_s = feed.quality.age_s(now_ns)
        silent = feed.state is FeedState.STALE or (
            feed.state.has_data and age_s is not None and age_s >= feed.stale_after_s
        )
        before, self._stale = self._stale, silent
        if not silent or before:
            return []
        text = f"nothing has come for {feed.stale_after_s:g} s" if age_s is None else f"no update for {age_s:.0f} s"
        return [self._happening(Kind.STALE, now_ns, str(now_ns), text, source)]

    def _states(self, feed: Feed, now_ns: int, source: str, on_purpose: bool) -> list[Happening]:
        state, status = feed.state, feed.status
        reason = status.reason if status is not None else ""
        good = state is FeedState.LIVE or (state is FeedState.POLLING and on_purpose)
        if good and not self._stale:
            return self._back(now_ns, source)
        if self._was_live and self._lost_ns is None and state is not FeedState.STOPPED:
            # Who has fallen silent has been so since the last that was heard.
            last_ns = feed.quality.last_ns
            self._lost_ns = last_ns if self._stale and last_ns is not None else now_ns
        kind = Kind.FAILED if state in REFUSED else Kind.FALLBACK if state is FeedState.POLLING and not good else None
        if kind is None:
            return []
        told, self._said = self._said, state
        if told is state:
            return []
        words = "refused" if kind is Kind.FAILED else "polling instead of streaming"
        return [
            self._happening(kind, now_ns, f"{state.value} {now_ns}", f"{words}: {reason}" if reason else words, source)
        ]

    def _back(self, now_ns: int, source: str) -> list[Happening]:
        lost, self._lost_ns, self._said, self._was_live = self._lost_ns, None, None, True
        if lost is None:
            return []
        lasted_s = (now_ns - lost) / 1e9
        text = f"live again after {lasted_s:.0f} s" if lasted_s >= 1.0 else "live again after less than a second"
        return [self._happening(Kind.RECOVERED, now_ns, str(lost), text, source, lasted_s)]

    def _happening(
        self, kind: Kind, at_ns: int, identity: str, text: str, source: str, size: float | None = None
    ) -> Happening:
        return Happening(kind, self._key, at_ns, f"{kind.value} {identity}", kind.value, text, source, size)
