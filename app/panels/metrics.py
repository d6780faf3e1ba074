"""Spread, quality and latency of every symbol, in numbers."""

from __future__ import annotations

from statistics import fmean

import pandas as pd
import streamlit as st

from app.session import LiveSession
from app.troubles import CLOCK_REMEDY, NOTABLE_SKEW_MS
from app.view import View
from app.wiring import directory
from app.words import UNKNOWN, basis_points, decimals_for, number
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey

QUALITY_COUNTS = (
    "gaps", "resyncs", "duplicates", "out_of_order", "crossed", "checksums_bad", "decode_errors", "dropped",
    "trade_gaps", "reconnects",
)  # fmt: skip


@st.fragment(run_every=2.0)
def show(session: LiveSession, view: View) -> None:
    """Two small tables; a figure that is not known yet is "–"."""
    feeds = {key: feed for key in session.keys if (feed := session.feed(key)) is not None}
    if not feeds:
        return
    spread, quality = st.columns(2)
    with spread:
        st.markdown("##### Spread")
        st.dataframe(pd.DataFrame([_spread(session, key, feed) for key, feed in feeds.items()]), hide_index=True,
                     key="spread-table", width="stretch")  # fmt: skip
    with quality:
        st.markdown("##### Latency and quality")
        st.dataframe(pd.DataFrame([_quality(key, feed) for key, feed in feeds.items()]), hide_index=True,
                     key="quality-table", width="stretch")  # fmt: skip
    for key, feed in feeds.items():
        if (words := _skew(key, feed)) is not None:
            st.caption(words)


def _spread(session: LiveSession, key: FeedKey, feed: Feed) -> dict[str, str]:
    buffer = session.buffers.get(key)
    points = list(buffer.points) if buffer is not None else []
    spreads = [point.ask - point.bid for point in points]
    in_bps = [(point.ask - point.bid) / (point.ask + point.bid) * 20_000 for point in points]
    price = points[-1].bid if points else None
    places = decimals_for(directory().tick(key[0], key[1]), price)
    return {
        "Symbol": key[1],
        "Spread": number(spreads[-1], places) if spreads else UNKNOWN,
        "bps": basis_points(in_bps[-1]) if in_bps else UNKNOWN,
        "Mean bps": basis_points(fmean(in_bps)) if in_bps else UNKNOWN,
        "Least": number(min(spreads), places) if spreads else UNKNOWN,
        "Most": number(max(spreads), places) if spreads else UNKNOWN,
        "Points": number(len(points)),
    }


def _quality(key: FeedKey, feed: Feed) -> dict[str, str]:
    report = feed.quality.report(feed.clock.now_ns())
    transit, drained = report.exchange_to_received, report.received_to_drained
    troubles = [f"{name.replace('_', ' ')} {getattr(report, name)}" for name in QUALITY_COUNTS if getattr(report, name)]
    return {
        "Symbol": key[1],
        "Venue→us p50": number(transit.p50_ms, 1, " ms"),
        "p95": number(transit.p95_ms, 1, " ms"),
        "p99": number(transit.p99_ms, 1, " ms"),
        "Us→page p50": number(drained.p50_ms, 0, " ms"),
        "Troubles": ", ".join(troubles) or "none",
    }


def _skew(key: FeedKey, feed: Feed) -> str | None:
    """The clock skew in words; None while there is nothing to say."""
    skew_ms, measured = feed.quality.clock_skew_ms()
    if skew_ms is None or (measured and abs(skew_ms) < 50):
        return None
    side = "ahead of" if skew_ms > 0 else "behind"
    how = "measured" if measured else "at least: frames seem to arrive before they were sent"
    if feed.status is not None and feed.status.source == "replay":
        return f"{key[1]}: the recording machine's clock ran {abs(skew_ms):,.0f} ms {side} the venue's ({how})."
    remedy = f" {CLOCK_REMEDY}" if abs(skew_ms) >= NOTABLE_SKEW_MS else " Latencies contain it."
    return f"{key[1]}: this machine's clock runs {abs(skew_ms):,.0f} ms {side} the venue's ({how}).{remedy}"
