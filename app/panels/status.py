"""The top of the page: what is live, how old it is, where it came from, and what to do where it is not.

This fragment is the one place that drains the tab's mailbox.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from app.session import LiveSession
from app.troubles import troubles
from app.view import STREAMING, View
from app.wiring import engine
from app.words import UNKNOWN, icon, number, plain, seconds, sentences, word
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey
from engine.market.events import FeedState, FeedStatus

FIRST_LOOK_S = 0.5
"""How long the very first look waits for data, so that it shows a live market and not a second of beginnings."""
MOST_TOASTS = 3
SYMBOLS_IN_TOAST = 4
_TOASTS = {
    FeedState.POLLING: "🔁 {symbols}: polling instead of streaming. {reason}",
    FeedState.STALE: "⚠️ {symbols}: {reason}",
    FeedState.RECONNECTING: "🔌 {symbols}: {reason}",
    FeedState.BLOCKED: "❌ {symbols}: {reason}",
    FeedState.INVALID: "❌ {symbols}: {reason}",
    FeedState.FAILED: "❌ {symbols}: {reason}",
}
_LOST = (FeedState.POLLING, FeedState.STALE, FeedState.RECONNECTING)
SOURCES = {
    "stream": "stream",
    "poll": "REST poll",
    "replay": "recording",
    "mock": "simulated",
    "synthetic": "synthetic",
}


@st.fragment(run_every=1.0)
def show(session: LiveSession, view: View) -> None:
    """Drain the mailbox, then draw the header and one card per symbol."""
    session.await_first_data(FIRST_LOOK_S)
    changes = session.drain()
    if session.error is not None:
        st.error(plain(sentences(str(session.error), session.error.hint)))
    _toasts(changes, view)
    feeds = {key: session.feed(key) for key in session.keys}
    _header(session, view, feeds)
    cards = "".join([_card(session, key, feed) for key, feed in feeds.items()])
    st.html(f'<div class="td-grid">{cards}</div>')


def _toasts(changes: list[FeedStatus], view: View) -> None:
    seen: dict[tuple[str, str], FeedState] = st.session_state.setdefault("last_states", {})
    for note in notes(changes, seen, view)[:MOST_TOASTS]:
        st.toast(note)


def notes(changes: list[FeedStatus], seen: dict[tuple[str, str], FeedState], view: View) -> list[str]:
    """One note for all symbols to which the same happened, so that one broken connection is not told 20 times.

    `seen` is what each venue's symbol was last known to be; it is kept up to date.
    """
    found: dict[str, list[str]] = {}
    for change in changes:
        name = (change.venue, change.symbol)
        text = _toast(change, seen.get(name), view)
        if change.state not in (FeedState.CONNECTING, FeedState.SYNCING):
            seen[name] = change.state
        if text:
            found.setdefault(text.replace("{reason}", plain(change.reason)), []).append(change.symbol)
    return [text.replace("{symbols}", _several(symbols)) for text, symbols in found.items()]


def _several(symbols: list[str]) -> str:
    named = list(dict.fromkeys(symbols))
    more = f" and {len(named) - SYMBOLS_IN_TOAST} more" if len(named) > SYMBOLS_IN_TOAST else ""
    return plain(", ".join(named[:SYMBOLS_IN_TOAST])) + more


def _toast(change: FeedStatus, before: FeedState | None, view: View) -> str | None:
    """What to say of a change, if anything; a feed that only begins is no news."""
    if change.state is before or (change.state is FeedState.POLLING and view.mode != STREAMING):
        return None
    if change.source == "replay" and change.state in (FeedState.STALE, FeedState.LIVE):
        return None  # the pauses of a recording are no news
    if change.state is FeedState.LIVE:
        return "✅ {symbols}: live again" if before in _LOST else None
    return _TOASTS.get(change.state)


def _header(session: LiveSession, view: View, feeds: dict[FeedKey, Feed | None]) -> None:
    running = [feed for feed in feeds.values() if feed is not None]
    active = sum(feed.state.has_data for feed in running)
    total = sum(feed.quality.updates for feed in running)
    buffered = sum(buffer.events for buffer in session.buffers.values())
    source = engine().connectors[view.connector].capabilities.source
    words = headline(view, list(feeds.values()), active, total, buffered, played=source == "replay")
    polling = sum(feed.state is FeedState.POLLING for feed in running) if view.mode == STREAMING else 0
    extra = f" • 🔁 {polling} polled instead of streamed" if polling else ""
    invented = any(feed.status is not None and feed.status.source == "mock" for feed in running) or source == "mock"
    told = "RECORDING, NOT LIVE" if source == "replay" else "SIMULATED MARKET" if invented else ""
    badge = f'<span class="td-badge">{told}</span>' if told else ""
    st.html(
        f'<div class="td-header"><span class="td-live">{escape(words)}</span>'
        f'<span class="td-count">🔌 {active}/{len(feeds)} connections active • {total:,} total updates{extra}</span>'
        f"{badge}</div>"
    )


def headline(
    view: View, feeds: Sequence[Feed | None], active: int, total: int, buffered: int, *, played: bool = False
) -> str:
    """LIVE only while something is, and by the way that it comes: a page without current data says so.

    A recording that is `played` is never called live.
    """
    if active and played:
        return f"▶️ REPLAY – {buffered:,} updates"
    if active:
        streamed = view.mode == STREAMING and any(feed is not None and feed.state is FeedState.LIVE for feed in feeds)
        way = "WebSocket" if streamed else "REST Polling"
        return f"🔴 LIVE ({way}) – {buffered:,} updates"
    marks = [icon(feed) for feed in feeds]
    if "❌" in marks:
        return "❌ No data – the cards say why"
    if feeds and all(mark == "⏹" for mark in marks):
        return f"⏹ Ended – {buffered:,} updates"
    if total:
        return f"⚠️ No current data – {buffered:,} updates"
    if played:
        return "▶️ Opening the recording ..."
    return "🔌 Initializing WebSocket connections..." if view.mode == STREAMING else "🔌 Starting REST polling..."


def _card(session: LiveSession, key: FeedKey, feed: Feed | None) -> str:
    symbol = key[1]
    if feed is None:
        return (
            f'<div class="td-card" data-symbol="{escape(symbol)}"><b>🔌 {escape(symbol)}</b><span>starting</span></div>'
        )
    status = feed.status
    now_ns = feed.clock.now_ns()
    quality = feed.quality
    mark = icon(feed)
    tone = {"✅": "good", "⚠️": "warn", "❌": "bad"}.get(mark, "wait")
    source = _source(key, status)
    age_s = quality.age_s(now_ns)
    numbers = (
        f"{'no data yet' if age_s is None else f'{seconds(age_s)} old'} • {quality.updates:,} updates • "
        f"{number(quality.rate_per_s(now_ns), 0, '/s')} • {source}"
    )
    return (
        f'<div class="td-card td-{tone}" data-symbol="{escape(symbol)}" data-state="{feed.state.value}" '
        f'data-updates="{quality.updates}"><b>{mark} {escape(symbol)}</b>'
        f'<i>{word(feed)}</i><span class="td-numbers">{escape(numbers)}</span>'
        f"{_trouble(session, key, feed)}</div>"
    )


def _source(key: FeedKey, status: FeedStatus | None) -> str:
    """Where the data come from; what a simulated venue's stream says of itself is not taken for a market's."""
    if status is None:
        return UNKNOWN
    connector = engine().connectors.get(key[0])
    own = connector.capabilities.source if connector is not None and status.source == "stream" else status.source
    return SOURCES.get(own, own)


def _trouble(session: LiveSession, key: FeedKey, feed: Feed) -> str:
    return "".join([f"<small>{escape(line)}</small>" for line in troubles(feed, session.notice(key))])
