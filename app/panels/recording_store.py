"""The store: where it is, how large, how long things stay, and the three checks of the tables for everybody."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.recorded import depth_table
from app.wiring import archive, engine
from app.words import plain, sentences
from engine.store.base import Store
from engine.store.desk import RecordingState
from engine.store.recording.options import RecordOptions
from engine.store.report import moment, size_words

CHECK_EVERY_S = 5.0
MINUTES = 5
MOST_COUNTED = 100_000
COUNT = f"""SELECT count(*) FROM market_depth
WHERE ts_utc > epoch_ms(now()) - {MINUTES} * 60 * 1000;"""
NEWEST = """SELECT make_timestamp(ts_utc * 1000) AS at, symbol, provider, bids, asks
FROM market_depth ORDER BY ts_utc DESC LIMIT 5;"""
AGGREGATED = """SELECT symbol, ts_utc, mid_price, spread, imbalance
FROM market_depth WHERE mid_price IS NOT NULL ORDER BY ts_utc DESC LIMIT 10;"""


def show(store: Store) -> None:
    """Size and limits, then the checks while somebody looks at them."""
    options = engine().recording.options
    name = store.place.rpartition("/")[2]
    st.caption(plain(f"Store {name}: {size_words(store.size())}. {limits(options)}", most=600))
    tab = st.expander("Check the tables", key="check-tables", on_change="rerun")
    if tab.open:
        with tab:
            _checks()


def limits(options: RecordOptions) -> str:
    """What the settings keep, and for how long, in words."""
    age = f"deleted after {options.keep_days:g} days" if options.keep_days else "kept whatever their age"
    most = f"the oldest make room above {options.max_gb:g} GB" if options.max_gb else "without a limit of size"
    young = "; what ended within the last day stays" if options.max_gb else ""
    rows = f"a row of market_depth every {options.depth_every_s:g} s" if options.depth_every_s else "no market_depth"
    bars = f"bars of {', '.join(options.timeframes)}" if options.timeframes else "no bars"
    return (
        f"Recordings are {age} (RECORD_KEEP_DAYS), {most} (RECORD_MAX_GB{young}); written every {options.flush_s:g} s "
        f"(RECORD_FLUSH_S), with {rows} (RECORD_DEPTH_EVERY_S) and {bars} (RECORD_TIMEFRAMES)."
    )


def show_findings(state: RecordingState, ahead: Sequence[str] = ()) -> None:
    """What will have to go (`ahead`); what was cut off and what had to go, since the program started."""
    for line in ahead:
        st.warning(plain(f"{line} Export what is to stay, or change the limit in .env.", most=600))
    for found in state.found:
        st.warning(
            plain(
                f"Recording {found.id} was cut off: the program or the machine died while it ran. "
                f"It is whole until {moment(found.ended_ns)} ({found.events:,} events)."
            )
        )
    for line in state.removed:
        st.info(plain(line))


@st.fragment(run_every=CHECK_EVERY_S)
def _checks() -> None:
    """The source documents' three commands, asked through the store every five seconds."""
    store = archive().store()
    since_ms = engine().clock.now_ns() // 1_000_000 - MINUTES * 60_000
    rows = len(store.market_depth(since_ms=since_ms, limit=MOST_COUNTED))
    more = " or more" if rows >= MOST_COUNTED else ""
    st.markdown(f"**1. New rows in the last {MINUTES} minutes**")
    st.code(COUNT, language="sql")
    st.html(f'<div data-check="count" data-rows="{rows}"><b>{rows:,}</b> rows{more}</div>')
    st.markdown("**2. The newest books**")
    st.code(NEWEST, language="sql")
    newest = store.market_depth(limit=50)
    st.html(depth_table("check-newest", newest[:5]))
    st.markdown("**3. Mid price, spread and imbalance are there**")
    st.code(AGGREGATED, language="sql")
    st.html(depth_table("check-aggregated", [row for row in newest if row.mid_price is not None][:10]))
    st.caption(
        sentences(
            "The commands run in the duckdb command line on the store's file while nobody else has it open",
            "this page asks the store itself",
        )
    )
