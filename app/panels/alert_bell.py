"""What every page shows of alerts: toasts as they come, and the newest ones in the side bar.

A fragment of its own: what it does every second reruns no page, and costs nothing while nothing is new.
"""

from __future__ import annotations

from html import escape

import streamlit as st

from app.alert_words import ICONS, beep, toast_of
from app.wiring import engine
from app.words import clock_time
from engine.alerts.alert import Alert
from engine.alerts.rule import Kind

NEWEST = 3
MOST_TOASTS = 3
TOLD = "alerts-told"
SOUND = "alert-sound"
ON_THE_CARDS = frozenset({Kind.STALE, Kind.FALLBACK, Kind.RECOVERED, Kind.FAILED})
"""What the Live Trading page tells by itself."""


@st.fragment(run_every=1.0)
def show() -> None:
    """Tell what is new to this tab, then draw the newest."""
    desk = engine().alerts
    told = int(st.session_state.setdefault(TOLD, desk.log.count))
    fresh = desk.log.since(told)
    if fresh:
        st.session_state[TOLD] = fresh[-1].number
    loud = [alert for alert in fresh if alert.toast and not _on_the_cards(alert)]
    for note in notes(loud):
        st.toast(note)
    _newest(desk.log.alerts(NEWEST), desk.log.waiting, desk.log.count)
    if desk.log.waiting:
        st.button("Acknowledge all", key="alert-ack-all", width="stretch", on_click=desk.acknowledge)
    st.toggle("Sound", key=SOUND, help="A short tone with every toast of an alert, in this tab.")
    if loud and st.session_state.get(SOUND):
        with st.container(key="alert-tone"):
            st.audio(beep(loud[-1].number), format="audio/wav", autoplay=True)


def notes(alerts: list[Alert]) -> list[str]:
    """Toasts for these alerts: the first ones, and how many more there are."""
    shown = [toast_of(alert) for alert in alerts[:MOST_TOASTS]]
    more = len(alerts) - len(shown)
    return [*shown, f"🔔 {more} more on the Alerts page"] if more else shown


def _on_the_cards(alert: Alert) -> bool:
    return alert.kind in ON_THE_CARDS and st.session_state.get("page") == "live"


def _newest(alerts: list[Alert], waiting: int, count: int) -> None:
    words = f"{waiting} to acknowledge" if waiting else "nothing to acknowledge"
    rows = "".join(
        [
            f'<li class="{"td-waits" if alert.waits else "td-seen"}" title="{escape(alert.text)}">'
            f"{clock_time(alert.at_ns)[:8]} {ICONS[alert.kind]} <b>{escape(alert.key[1])}</b> {escape(alert.name)}"
            f"{f' ×{alert.repeats + 1}' if alert.repeats else ''}</li>"
            for alert in alerts
        ]
    )
    st.html(
        f'<div class="td-bell" data-waiting="{waiting}" data-count="{count}"><b>🔔 Alerts</b> <i>{words}</i>'
        f"<ul>{rows}</ul></div>"
    )
