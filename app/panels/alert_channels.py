"""The ways by which alerts leave the house: how each stands, and a button that tries it."""

from __future__ import annotations

from html import escape

import streamlit as st

from app.wiring import engine
from app.words import plain
from engine.alerts.channel import ChannelReport

HOW = """Ways out are set in `.env`, not here: they hold passwords. `ALERT_URLS` lists addresses as
[Apprise](https://github.com/caronc/apprise) writes them, each with a name of yours before it:

```
ALERT_URLS=phone=tgram://BOT_TOKEN/CHAT_ID, desk=discord://WEBHOOK_ID/TOKEN, mail=mailtos://USER:PASSWORD@HOST
```"""


@st.fragment(run_every=2.0)
def show() -> None:
    """Draw the channels; a button reruns them only."""
    desk = engine().alerts
    st.button("Test a toast", key="alert-test-toast", on_click=desk.test)
    for problem in desk.notifier.problems:
        st.warning(plain(problem))
    reports = desk.notifier.reports()
    for report in reports:
        text, button = st.columns([5, 1], vertical_alignment="center")
        text.html(row(report))
        button.button(
            "Test", key=f"alert-test-{report.name}", width="stretch", on_click=desk.notifier.test, args=(report.name,)
        )
    if not reports:
        st.markdown(HOW)


def row(report: ChannelReport) -> str:
    """One channel in a line; the address is masked where it is made."""
    counts = f"{report.sent:,} sent, {report.failed:,} failed, {report.waiting:,} waiting"
    dropped = f", {report.dropped:,} dropped" if report.dropped else ""
    tone = "warn" if report.trouble else "good" if report.sent else "wait"
    return (
        f'<div class="td-card td-{tone}" data-channel="{escape(report.name)}" data-sent="{report.sent}">'
        f"<b>{escape(report.name)}</b><span>{escape(report.service)} {escape(report.address)}</span>"
        f'<i>{escape(report.last or "nothing sent yet")}</i><span class="td-numbers">{counts}{dropped}</span></div>'
    )
