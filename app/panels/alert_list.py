"""All alerts that are kept, newest first, with buttons for those that nobody has acknowledged."""

from __future__ import annotations

from html import escape

import streamlit as st

from app.alert_words import ICONS, SOURCE_MARKS
from app.session import LiveSession
from app.wiring import engine
from app.words import UNKNOWN, clock_time
from engine.alerts.alert import Alert

BUTTONS = 6
SHOWN = 100
HEADS = (
    ("Time (UTC)", "When it happened, by the receiving clock."),
    ("Alert", "The rule that wanted to know."),
    ("Feed", "Symbol and venue; simulated markets and recordings are marked."),
    ("What", "What happened."),
    ("Again", "How often it came again before the cooldown was over."),
    ("Sent", "How the sending stands, by channel; – where the rule names none."),
    ("Acknowledged", "When somebody did, on any page."),
)


@st.fragment(run_every=1.0)
def show(session: LiveSession) -> None:
    """Drain the mailbox, for the tab reads on meanwhile, and draw the list; a button reruns this list only."""
    session.drain()
    desk = engine().alerts
    alerts = desk.log.alerts(SHOWN)
    waiting = [alert for alert in alerts if alert.waits]
    for alert in waiting[:BUTTONS]:
        text, button = st.columns([5, 1], vertical_alignment="center")
        mark = f"{ICONS[alert.kind]} <b>{escape(alert.name)}</b> · {escape(alert.key[1])} at {escape(alert.key[0])}"
        text.html(f'<div class="td-alert" data-alert="{alert.number}">{mark}: {escape(alert.text)}</div>')
        button.button(
            "Acknowledge", key=f"alert-ack-{alert.number}", width="stretch", on_click=desk.acknowledge,
            args=(alert.number,),
        )  # fmt: skip
    if len(waiting) > BUTTONS:
        st.caption(f"{len(waiting) - BUTTONS} more wait; the side bar acknowledges all at once.")
    st.html(table(alerts))
    if desk.log.pushed_out:
        st.caption(f"{desk.log.pushed_out:,} alerts were pushed out of the list before anybody acknowledged them.")


def table(alerts: list[Alert]) -> str:
    head = "".join([f'<th title="{escape(about)}">{name}</th>' for name, about in HEADS])
    rows = "".join([_row(alert) for alert in alerts])
    empty = f'<tr><td colspan="{len(HEADS)}">No alert yet.</td></tr>'
    return (
        f'<div class="td-scroll"><table class="td-table" data-table="alerts" data-rows="{len(alerts)}">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows or empty}</tbody></table></div>"
    )


def _row(alert: Alert) -> str:
    mark = SOURCE_MARKS.get(alert.source)
    cells = (
        clock_time(alert.at_ns),
        f"{ICONS[alert.kind]} {escape(alert.name)}",
        f"{escape(alert.key[1])} <i>{escape(alert.key[0])}{f' · {mark}' if mark else ''}</i>",
        escape(alert.text),
        f"×{alert.repeats}, last {clock_time(alert.last_ns)[:8]}" if alert.repeats else "",
        "; ".join([f"{escape(name)}: {escape(how)}" for name, how in alert.ways]) or UNKNOWN,
        clock_time(alert.acknowledged_ns)[:8] if alert.acknowledged_ns is not None else "",
    )
    drawn = "".join([f"<td>{cell}</td>" for cell in cells])
    return f'<tr class="{"td-is-active" if alert.waits else "td-is-ended"}" data-kind="{alert.kind.value}">{drawn}</tr>'
