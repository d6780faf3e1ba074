"""Signals, regime and the record of outcomes: what changes slowly and is read as a table."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape

import streamlit as st

from app.panels import flow_regime
from app.session import LiveSession
from app.wiring import engine
from app.words import UNKNOWN, number
from engine.analysis.flow_line import FlowPicture
from engine.feed.mailbox import FeedKey
from engine.flow.signals.flow_signal import RULES, FlowSignal, SignalType
from engine.flow.signals.scoreboard import PLACEBO, Score
from engine.market.terms import fee_setting

FIRST_LOOK_S = 0.5
SIGNALS_SHOWN = 14
ARROWS = {"buy": "▲ buy", "sell": "▼ sell"}
SIGNAL_HEADS = (
    ("Time", "When the signal came on, by the receiving clock (UTC)."),
    ("Type", "What was measured; each row tells how."),
    ("Direction", "The side that pressed: ▲ buyers, ▼ sellers; a warning has none."),
    ("Strength", "Percentile of the score among this symbol's own earlier ones; – below 200 of them."),
    ("Confidence", "How often the direction of earlier ones came true, (hits + 20) / (n + 40); – below 30 outcomes."),
    ("Status", "Active while it holds; then ended, expired or cancelled."),
)


@st.fragment(run_every=1.0)
def show(session: LiveSession, key: FeedKey) -> None:
    """Drain the mailbox, then draw signals, regime and scoreboard of one feed."""
    session.await_first_data(FIRST_LOOK_S)
    session.drain()
    picture = engine().flow.picture(key)
    if picture is None:
        st.html('<div class="td-note-line">Order flow: collecting the first seconds …</div>')
        return
    st.html(f'<div class="td-two">{_signals(picture)}{flow_regime.section(picture)}</div>{_scores(picture)}')


def _signals(picture: FlowPicture) -> str:
    newest = picture.slow.signals[: -SIGNALS_SHOWN - 1 : -1]
    head = "".join([f'<th title="{escape(about)}">{name}</th>' for name, about in SIGNAL_HEADS])
    rows = "".join([_signal(signal) for signal in newest])
    empty = '<tr><td colspan="6">No signal yet. Most need a minute or more of history first.</td></tr>'
    return (
        f'<section><h4>Signals</h4><table class="td-table" data-table="signals" data-rows="{len(newest)}">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows or empty}</tbody></table>"
        "<p>A signal describes pressure now. It is not a forecast; see what followed below.</p></section>"
    )


def _signal(signal: FlowSignal) -> str:
    confidence = f"{signal.confidence:.0%}" if signal.confidence is not None else UNKNOWN
    cells = (
        _clock(signal.at_ns),
        escape(signal.kind.value.replace("_", " ")),
        _pressed(signal),
        f"{signal.strength:.0%}" if signal.strength is not None else UNKNOWN,
        f"{confidence} <i>{escape(signal.label)}</i>",
        signal.status + (f" <i>{escape(signal.reason)}</i>" if signal.reason else ""),
    )
    drawn = "".join([f"<td>{cell}</td>" for cell in cells])
    side = signal.direction or "none"
    return f'<tr class="td-{side} td-is-{signal.status}" title="{escape(RULES[signal.kind].explains)}">{drawn}</tr>'


def _pressed(signal: FlowSignal) -> str:
    """The side that a signal names: who pressed, or which side is thin."""
    if signal.kind is SignalType.LIQUIDITY_VACUUM:
        return f"thin {'bids' if signal.side > 0 else 'asks'}"
    return ARROWS.get(signal.direction or "", "warning")


def _scores(picture: FlowPicture) -> str:
    """One row per type and horizon, with its placebo's hit rate beside it."""
    scores = picture.scores
    placebos = {(one.type.removeprefix(PLACEBO), one.horizon_s): one for one in scores if one.type.startswith(PLACEBO)}
    own = [one for one in scores if not one.type.startswith(PLACEBO)]
    if not own:
        return ""
    fee = fee_words(picture)
    heads = (
        ("Type", "The kind of signal."), ("After", "The horizon, from a quarter of a second after the signal."),
        ("n", "Outcomes so far; those still open in brackets."),
        ("Hit rate", "Of outcomes that moved, the share in the signal's direction, with its 90 % interval."),
        ("Placebo", "The same for equally many signals at random times and sides."),
        ("Mean", "Mean markout: direction · 10,000 · (mid later − mid) / mid."),
        ("Net", f"Mean after half the spread and the taker's fee. {fee}"),
        ("q", "What chance alone would give, all tests counted (Benjamini-Hochberg); – below 30 that stand apart."),
        ("Verdict", "In words."),
    )  # fmt: skip
    head = "".join([f'<th title="{escape(about)}">{name}</th>' for name, about in heads])
    rows = "".join([_score(one, placebos.get((one.type, one.horizon_s))) for one in own])
    return (
        "<section><h4>What followed earlier signals</h4>"
        f'<p class="td-note-line" data-fee="{picture.terms.fee_bps}">{escape(fee)}</p>'
        '<div class="td-scroll">'
        f'<table class="td-table" data-table="scores" data-rows="{len(own)}">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def fee_words(picture: FlowPicture) -> str:
    """What the net counts as the taker's fee, and where to say otherwise."""
    name, fee_bps = fee_setting(picture.terms.paid_at or picture.metrics.venue), picture.terms.fee_bps
    if fee_bps is None:
        return f"The taker's fee is not known here, and so the net is not: {name} can say it."
    return f"Net counts a taker's fee of {fee_bps:g} bps; {name} can say another."


def _score(score: Score, placebo: Score | None) -> str:
    interval = f" <i>{score.hit_interval[0]:.0%} … {score.hit_interval[1]:.0%}</i>" if score.hit_interval else ""
    waiting = f" <i>({score.pending})</i>" if score.pending else ""
    chance = placebo.hit_rate if placebo is not None else None
    cells = (
        escape(score.type.replace("_", " ")),
        f"{score.horizon_s:g} s",
        f"{score.count}{waiting}",
        (f"{score.hit_rate:.0%}" if score.hit_rate is not None else UNKNOWN) + interval,
        f"{chance:.0%}" if chance is not None else UNKNOWN,
        number(score.mean_bps, 2, " bps"),
        number(score.net_bps, 2, " bps"),
        number(score.q, 3),
        escape(score.verdict),
    )
    return f"<tr>{''.join([f'<td>{cell}</td>' for cell in cells])}</tr>"


def _clock(t_ns: int) -> str:
    return datetime.fromtimestamp(t_ns / 1e9, UTC).strftime("%H:%M:%S")
