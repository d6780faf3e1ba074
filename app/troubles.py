"""Why a feed is not simply live, and what a person can do about it, line by line. "→" begins a remedy."""

from __future__ import annotations

from datetime import UTC, datetime

from app.words import SILENT_HINT, seconds
from engine.feed.feed import Feed
from engine.market.events import FeedState, FeedStatus

NOTABLE_SKEW_MS = 1_000.0
LONG_WAIT_S = 10.0
"""From here on a wait is told with the time of day at which it ends."""
CLOCK_REMEDY = "Set this machine's clock (NTP): ages, latencies and log-ins suffer from it."


def troubles(feed: Feed, notice: str = "") -> list[str]:
    """What is to be told of a feed, most important first; nothing of one that is live and in time."""
    status = feed.status
    lines = [notice] if notice else []
    if status is not None and status.state is FeedState.STALE:
        lines.append(f"nothing received for {seconds(feed.quality.age_s(feed.clock.now_ns()))}")
        if not status.reason.startswith("nothing received"):
            lines.append(status.reason)
        lines += [_next_try(feed, status), f"→ {status.hint or SILENT_HINT}"]
    elif status is not None and status.state is not FeedState.LIVE:
        lines += [status.reason, _next_try(feed, status), f"→ {status.hint}" if status.hint else ""]
    return [line for line in dict.fromkeys([*lines, *_skew(feed)]) if line]


def _next_try(feed: Feed, status: FeedStatus) -> str:
    """Which attempt this is and when the next one is due: a long wait (a ban, a throttle) also by the clock."""
    if not status.attempt:
        return ""
    if status.next_try_ns is None:
        return f"attempt {status.attempt}"
    due_s = max(0.0, (status.next_try_ns - feed.clock.now_ns()) / 1e9)
    at = datetime.fromtimestamp(status.next_try_ns / 1e9, UTC)
    clock = f", at {at:%H:%M:%S} UTC" if due_s >= LONG_WAIT_S else ""
    return f"attempt {status.attempt}, next in {seconds(due_s)}{clock}"


def _skew(feed: Feed) -> list[str]:
    skew_ms, measured = feed.quality.clock_skew_ms()
    if skew_ms is None or abs(skew_ms) < NOTABLE_SKEW_MS:
        return []
    side = "ahead of" if skew_ms > 0 else "behind"
    how = "" if measured else "at least "
    if feed.status is not None and feed.status.source == "replay":
        return [f"the recording machine's clock ran {how}{seconds(abs(skew_ms) / 1e3)} {side} the venue's"]
    return [f"this machine's clock runs {how}{seconds(abs(skew_ms) / 1e3)} {side} the venue's", f"→ {CLOCK_REMEDY}"]
