"""What the strategies say, newest first, and how they stand."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.session import LiveSession
from app.view import View
from app.words import clock_time, number
from engine.strategy.host import RunReport

SHOWN = 50
FEW_RUNS = 3


@st.fragment(run_every=2.0)
def show(session: LiveSession, view: View) -> None:
    """Nothing while no strategy is chosen."""
    reports = session.reports()
    if not reports:
        return
    with st.container(key="signals"):
        _table(session, reports)


def _table(session: LiveSession, reports: list[RunReport]) -> None:
    st.markdown("##### Signals")
    for report in reports:
        if report.error:
            st.error(f"{report.strategy} on {report.key[1]} stopped: {report.error}")
    working = [report for report in reports if not report.error]
    if len(working) > FEW_RUNS:
        st.dataframe(pd.DataFrame([_row(report) for report in working]), hide_index=True, width="stretch", height=180)
    else:
        for report in working:
            st.caption(" • ".join([f"{name} {value}" for name, value in _row(report).items()]))
    rows = [
        {
            "Time (UTC)": clock_time(signal.at_ns),
            "Symbol": signal.symbol,
            "Signal": {"buy": "▲ buy", "sell": "▼ sell"}.get(signal.direction, "• flat"),
            "Strength": number(signal.strength, 2),
            "Confidence": number(signal.confidence, 2) if signal.confidence is not None else "uncalibrated",
            "Price": f"{signal.price:,.10g}",
            "Why": signal.reason,
            "Source": signal.source,
        }
        for signal in reversed(list(session.signals)[-SHOWN:])
    ]
    if rows:
        st.dataframe(pd.DataFrame(rows), hide_index=True, key="signal-table", width="stretch", height=240)
    else:
        st.caption("No signal yet.")


def _row(report: RunReport) -> dict[str, str]:
    """How one run stands; the strategy's own readings come last."""
    row = {
        "Strategy": report.strategy,
        "on": report.key[1],
        "updates": f"{report.updates:,}",
        "signals": f"{report.signals:,}",
    }
    if report.dropped:
        row["dropped"] = f"{report.dropped:,}"
    return row | {name: f"{value:+.3f}" for name, value in report.readings.items()}
