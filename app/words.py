"""How numbers and states are worded, once for all panels. Unknown is "–", never 0."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from engine.feed.feed import Feed
from engine.market.events import FeedState

UNKNOWN = "–"
REPLAY = "replay:"
"""How the name of a connector that plays a recording begins: `replay:NAME`, or `replay:NAME/VENUE` of several."""
RED_FROM_ATTEMPT = 5
LONGEST_WORDS = 300
SILENT_HINT = "A quiet market or a silent venue: the connection is tested and renewed by itself."

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~<>$:&])")

_AUTOLINK = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\\?\.)|(?<=@)", re.IGNORECASE)
"""Where an invisible word joiner keeps Markdown from making a link of an address that somebody else wrote."""

_FOLDERS = re.compile(r"(?<![\w:/])/(?:[^\s/:'\"]+/)+")

_ICONS = {
    FeedState.LIVE: "✅",
    FeedState.POLLING: "✅",
    FeedState.STALE: "⚠️",
    FeedState.CONNECTING: "🔌",
    FeedState.SYNCING: "🔌",
    FeedState.RECONNECTING: "🔌",
    FeedState.BLOCKED: "❌",
    FeedState.INVALID: "❌",
    FeedState.FAILED: "❌",
    FeedState.STOPPED: "⏹",
}

_WORDS = {
    FeedState.LIVE: "live",
    FeedState.POLLING: "polling",
    FeedState.STALE: "stale",
    FeedState.CONNECTING: "connecting",
    FeedState.SYNCING: "syncing",
    FeedState.RECONNECTING: "reconnecting",
    FeedState.BLOCKED: "blocked",
    FeedState.INVALID: "unknown symbol",
    FeedState.FAILED: "failed",
    FeedState.STOPPED: "ended",
}


def icon(feed: Feed | None) -> str:
    """✅ fresh, ⚠️ stale (5 s and older), ❌ failed, 🔌 on its way, ⏹ ended."""
    if feed is None:
        return "🔌"
    state = feed.state
    age_s = feed.quality.age_s(feed.clock.now_ns())
    if state.has_data and (age_s is None or age_s >= feed.stale_after_s):
        return "⚠️"
    if (
        state in (FeedState.RECONNECTING, FeedState.SYNCING)
        and feed.status is not None
        and feed.status.attempt >= RED_FROM_ATTEMPT
    ):
        return "❌"
    return _ICONS[state]


def state_word(state: FeedState) -> str:
    return _WORDS[state]


def word(feed: Feed | None) -> str:
    """The state in a word that agrees with its icon: what has been silent too long is called stale at once."""
    if feed is None:
        return "starting"
    return "stale" if icon(feed) == "⚠️" else state_word(feed.state)


def plain(text: str, most: int = LONGEST_WORDS) -> str:
    """Words of others (a symbol from the address, a venue's refusal) as Markdown that shows them and nothing else."""
    short = text if len(text) <= most else text[: most - 1] + "…"
    return _AUTOLINK.sub("\u2060", _MARKDOWN.sub(r"\\\1", " ".join(short.split())))


def venue_name(connector: str) -> str:
    """What to call a connector among its like: one of several venues of a recording is that venue."""
    _, found, venue = connector.partition("/")
    return venue if found and connector.startswith(REPLAY) else connector


def without_folders(text: str) -> str:
    """Words of ours for whoever sees the page: files by their names, not by where they lie on the server."""
    return _FOLDERS.sub("", text)


def sentences(*texts: str) -> str:
    """Several remarks in one line, each ended by a full stop."""
    return " ".join([text if text[-1] in ".!?…:" else f"{text}." for text in texts if text])


def number(value: float | None, decimals: int = 0, unit: str = "") -> str:
    """A number with thousands separators, or "–"."""
    return UNKNOWN if value is None or value != value else f"{value:,.{decimals}f}{unit}"


def basis_points(value: float | None, unit: str = "") -> str:
    """Basis points with two decimals, with four below a hundredth: a tick of a dear coin must not look like nothing."""
    return number(value, 4 if value is not None and 0 < abs(value) < 0.01 else 2, unit)


def amount(value: float | None) -> str:
    """A size, with fewer decimals the larger it is; unknown is "–"."""
    if value is None:
        return UNKNOWN
    places = next((places for least, places in ((1000, 0), (100, 1), (10, 2), (0.1, 3)) if abs(value) >= least), 4)
    return number(value, places)


def seconds(value: float | None) -> str:
    """A duration: `0.4 s`, `12 s`, `3 min`."""
    if value is None:
        return UNKNOWN
    if value < 10:
        return f"{value:.1f} s"
    return f"{value:.0f} s" if value < 120 else f"{value / 60:.0f} min"


def clock_time(at_ns: int) -> str:
    """Time of day in UTC with milliseconds."""
    return datetime.fromtimestamp(at_ns / 1e9, UTC).strftime("%H:%M:%S.%f")[:-3]


def decimals_for(tick: float | None, price: float | None) -> int:
    """How many decimals a price needs: of the tick where it is known, else five significant digits."""
    if tick:
        text = f"{tick:.12f}".rstrip("0")
        return len(text.partition(".")[2])
    if not price:
        return 2
    digits = 5 - len(str(int(abs(price)))) if abs(price) >= 1 else 6
    return max(2, digits)
