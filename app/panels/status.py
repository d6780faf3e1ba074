"""The top of the page: what is live, how old it is, where it came from, and what to do where it is not.

This fragment is the one place that drains the tab's mailbox.
"""

from __future__ import annotations

from html import escape

import streamlit as st

from app.session import LiveSession
from app.view import STREAMING, View
from app.words import UNKNOWN, icon, number, seconds, state_word
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey
from engine.market.events import FeedState, FeedStatus

MOST_TOASTS = 3
_TOASTS = {
    FeedState.POLLING: "🔁 {symbol}: polling instead of streaming. {reason}",
    FeedState.BLOCKED: "❌ {symbol}: {reason}",
    FeedState.INVALID: "❌ {symbol}: {reason}",
    FeedState.FAILED: "❌ {symbol}: {reason}",
}
_SOURCES = {
    "stream": "stream",
    "poll": "REST poll",
    "replay": "recording",
    "mock": "simulated",
    "synthetic": "synthetic",
}


@st.fragment(run_every=1.0)
def show(session: LiveSession, view: View) -> None:
    """Drain the mailbox, then draw the header and one card per symbol."""
    changes = session.drain()
    if session.error is not None:
        st.error(f"{session.error} {session.error.hint}")
    _toasts(session, changes, view)
    feeds = {key: session.feed(key) for key in session.keys}
    _header(session, view, feeds)
    cards = "".join([_card(session, key, feed) for key, feed in feeds.items()])
    st.html(f'<div class="td-grid">{cards}</div>')


def _toasts(session: LiveSession, changes: list[FeedStatus], view: View) -> None:
    told = 0
    seen: dict[str, FeedState] = st.session_state.setdefault("last_states", {})
    for change in changes:
        before = seen.get(change.symbol)
        seen[change.symbol] = change.state
        text = _TOASTS.get(change.state) if change.state is not before else None
        if change.state is FeedState.POLLING and view.mode != STREAMING:
            text = None
        if change.state is FeedState.LIVE and before not in (None, FeedState.LIVE, FeedState.CONNECTING):
            text = "✅ {symbol}: live again" if before is FeedState.POLLING else None
        if text and told < MOST_TOASTS:
            st.toast(text.format(symbol=change.symbol, reason=change.reason))
            told += 1


def _header(session: LiveSession, view: View, feeds: dict[FeedKey, Feed | None]) -> None:
    running = [feed for feed in feeds.values() if feed is not None]
    active = sum(feed.state.has_data for feed in running)
    total = sum(feed.quality.updates for feed in running)
    buffered = sum(buffer.events for buffer in session.buffers.values())
    way = "WebSocket" if view.mode == STREAMING else "REST Polling"
    if active == 0 and total == 0:
        words = "🔌 Initializing WebSocket connections..." if view.mode == STREAMING else "🔌 Starting REST polling..."
    else:
        words = f"🔴 LIVE ({way}) – {buffered:,} updates"
    polling = sum(feed.state is FeedState.POLLING for feed in running) if view.mode == STREAMING else 0
    extra = f" • 🔁 {polling} polled until the stream is back" if polling else ""
    invented = (
        any(feed.status is not None and feed.status.source == "mock" for feed in running) or view.connector == "mock"
    )
    badge = '<span class="td-badge">SIMULATED MARKET</span>' if invented else ""
    st.html(
        f'<div class="td-header"><span class="td-live">{escape(words)}</span>'
        f'<span class="td-count">🔌 {active}/{len(feeds)} connections active • {total:,} total updates{extra}</span>'
        f"{badge}</div>"
    )


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
    source = _SOURCES.get(status.source, status.source) if status is not None else UNKNOWN
    numbers = (
        f"{seconds(quality.age_s(now_ns))} old • {quality.updates:,} updates • "
        f"{number(quality.rate_per_s(now_ns), 0, '/s')} • {source}"
    )
    return (
        f'<div class="td-card td-{tone}" data-symbol="{escape(symbol)}" data-state="{feed.state.value}" '
        f'data-updates="{quality.updates}"><b>{mark} {escape(symbol)}</b>'
        f'<i>{state_word(feed.state)}</i><span class="td-numbers">{escape(numbers)}</span>'
        f"{_trouble(session, key, feed)}</div>"
    )


def _trouble(session: LiveSession, key: FeedKey, feed: Feed) -> str:
    """Why it is not simply live, in words; empty when it is."""
    status = feed.status
    lines = []
    if notice := session.notice(key):
        lines.append(notice)
    if status is not None and status.state is not FeedState.LIVE:
        if status.reason:
            lines.append(status.reason)
        if status.attempt:
            due_s = (status.next_try_ns - feed.clock.now_ns()) / 1e9 if status.next_try_ns is not None else None
            lines.append(
                f"attempt {status.attempt}" + (f", next in {seconds(max(0.0, due_s))}" if due_s is not None else "")
            )
        if status.hint:
            lines.append(f"→ {status.hint}")
    return "".join([f"<small>{escape(line)}</small>" for line in dict.fromkeys(lines)])
