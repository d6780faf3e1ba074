"""Who moves with whom: the matrix at a horizon, and how a pair's correlation depends on horizon and lag."""

from __future__ import annotations

from html import escape

import streamlit as st

from app.view import View
from app.wiring import engine
from app.words import UNKNOWN, number
from engine.analysis.correlation_line import CorrelationLine, PairStudy
from engine.feed.mailbox import FeedKey
from engine.flow.correlation.matrix import HORIZONS_S, Cell

HORIZON_S = 5
"""Long enough for prices that move together to have done so, short enough to have many returns."""
ABOUT = (
    "Correlation of log returns of the mids over the horizon, fading by half in 60 returns. Grey: fewer than 30 joint "
    "returns, or a feed that was stale for over a fifth of the time; pale: the 90 % interval holds zero."
)


def show(view: View) -> None:
    """Horizon and pair are kept in the address; nothing is shown for one symbol alone."""
    keys = view.keys
    if len(keys) < 2:
        return
    st.html(f'<h4 title="{escape(ABOUT)}">Correlation</h4>')
    left, right = st.columns([1, 1.4], gap="small")
    with left:
        horizon = st.segmented_control(
            "Horizon", HORIZONS_S, default=HORIZON_S, format_func=lambda seconds: f"{seconds} s",
            key="horizon", bind="query-params", required=True,
        )  # fmt: skip
    pairs = [f"{one} and {other}" for place, one in enumerate(view.symbols) for other in view.symbols[place + 1 :]]
    with right:
        chosen = st.selectbox("Pair", pairs, key="pair", bind="query-params")
    place = pairs.index(str(chosen)) if chosen in pairs else 0
    indices = [(one, other) for one in range(len(keys)) for other in range(one + 1, len(keys))]
    one, other = indices[place]
    _draw(keys, int(horizon or HORIZON_S), keys[one], keys[other])


@st.fragment(run_every=2.0)
def _draw(keys: list[FeedKey], horizon: int, one: FeedKey, other: FeedKey) -> None:
    line = engine().flow.correlation(keys)
    study = line.study(one, other, engine().clock.now_ns())
    st.html(f'<div class="td-two td-even">{_matrix(line, horizon)}{_pair(study, one, other)}</div>')


def _matrix(line: CorrelationLine, horizon: int) -> str:
    head = "".join([f"<th>{escape(key[1])}</th>" for key in line.keys])
    rows = "".join(
        [
            f"<tr><th>{escape(one[1])}</th>"
            f"{''.join([_cell(line.cell(horizon, one, other), one == other) for other in line.keys])}</tr>"
            for one in line.keys
        ]
    )
    return (
        f'<section><table class="td-matrix" data-table="correlation" data-horizon="{horizon}">'
        f"<thead><tr><th></th>{head}"
        f"</tr></thead><tbody>{rows}</tbody></table><p>{ABOUT}</p></section>"
    )


def _cell(cell: Cell, itself: bool) -> str:
    if itself:
        return "<td>1</td>"
    if cell.value is None:
        why = f"n = {cell.count}, stale {cell.stale_share:.0%} of the time"
        return f'<td class="td-grey" title="{why}">{UNKNOWN}<i>n {cell.count}</i></td>'
    color = "var(--td-up)" if cell.value >= 0 else "var(--td-down)"
    strength = round(8 + 52 * abs(cell.value))
    about = f"90 % interval {cell.low:+.2f} … {cell.high:+.2f}, n = {cell.count}" + (
        "; it has left the band of its own past" if cell.broken else ""
    )
    mark = " ⚡" if cell.broken else ""
    kind = "" if cell.certain else ' class="td-pale"'
    return (
        f'<td{kind} title="{about}" style="background: color-mix(in srgb, {color} {strength}%, transparent)">'
        f"{cell.value:+.2f}{mark}<i>n {cell.count}</i></td>"
    )


def _pair(study: PairStudy | None, one: FeedKey, other: FeedKey) -> str:
    title = f"{escape(one[1])} and {escape(other[1])}"
    if study is None:
        return f"<section><p>{title}: not known until both have moved.</p></section>"
    epps = "".join(
        [
            f"<tr><td>{horizon:g} s</td>{_bar(value)}<td>n {count}</td></tr>"
            for horizon, (count, value) in study.epps.items()
        ]
    )
    lags = "".join([f"<tr><td>{lag:+d} ms</td>{_bar(value)}<td></td></tr>" for lag, value in study.lags.items()])
    return (
        f'<section data-pair="{title}"><p>{title}, {study.span_s:.0f} s, '
        f"{study.ticks[0]} and {study.ticks[1]} ticks</p>"
        '<div class="td-two td-even"><div>'
        '<h4 title="Correlation of returns by their horizon: it falls as the horizon gets shorter (Epps 1979).">'
        f'By horizon (Epps)</h4><table class="td-bars">{epps}</table></div><div>'
        "<h4 title=\"Correlation by overlapping ticks with the first one's clock moved (Hayashi-Yoshida): a peak at "
        '+L says that the first leads by L ms. Times are those of receipt: different latencies are part of the lag.">'
        f'By lead and lag</h4><table class="td-bars">{lags}</table></div></div></section>'
    )


def _bar(value: float | None) -> str:
    wide = 0 if value is None else min(abs(value), 1.0) * 100
    color = "var(--td-up)" if (value or 0) >= 0 else "var(--td-down)"
    return f'<td><em style="width:{wide:.0f}%;background:{color}"></em></td><td>{number(value, 2)}</td>'
