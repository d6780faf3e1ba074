"""What kind of market it is: the regime with its margin and its figures, and how regimes followed each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape

from msgspec import Struct

from app.words import UNKNOWN, number
from engine.analysis.flow_line import FlowPicture
from engine.flow.regimes.regime import Regime, RegimeChange

STRIP_S = 600
"""How far back the strip of regimes reaches."""
ROWS = 6

FIGURES: Mapping[str, tuple[str, str, str]] = {
    "volatility_ratio": ("Volatility ratio", " ×", "Volatility of 10 s over that of 120 s; volatile from 1.8 ×."),
    "efficiency": ("Efficiency, 60 s", "", "|move| / sum of the moves second by second, 0 … 1; a trend from 0.5."),
    "move_bps": ("Move, 60 s", " bps", "10,000 · ln(mid / mid 60 s ago)."),
    "slow_volatility_bps": (
        "Volatility, 120 s", " bps",
        "Standard deviation of the moves of 1 s, fading by half in 120 s; a trend moves 2 · this · √60 or more.",
    ),
    "spread_percentile": (
        "Spread percentile", "",
        "Share of the last five minutes with a spread not above this one, 0 … 1; stress from 0.99.",
    ),
    "spread_ratio": ("Spread", " ×", "Spread over its median of five minutes; stress from 2 × and among the widest."),
    "depth_ratio": ("Depth", " ×", "Size within 10 bps, of the thinner side, over its median of five minutes."),
    "trade_ratio": ("Trade rate", " ×", "Trades of 10 s over the median of that in five minutes; quiet up to 0.25 ×."),
}  # fmt: skip
"""Label, unit and explanation of what the regime is judged by."""

ABOUT: Mapping[Regime, str] = {
    Regime.LIQUIDITY_STRESS: "The spread is wide, at twice its median, a side is thin, or the book is locked.",
    Regime.VOLATILE: "Volatility of 10 s is 1.8 times that of 120 s or more.",
    Regime.TREND_UP: "The mid rose straight: efficiency 0.5 or more, and by two standard deviations or more.",
    Regime.TREND_DOWN: "The mid fell straight: efficiency 0.5 or more, and by two standard deviations or more.",
    Regime.QUIET: "Volatility is at half its usual or less, and trades are at a quarter or less.",
    Regime.RANGE: "None of the others.",
    Regime.UNKNOWN: "A figure is missing: about a minute is needed after the start and after a break.",
}


class Stretch(Struct, frozen=True):
    """A regime from one moment to another, in UTC ns."""

    regime: Regime
    begin_ns: int
    end_ns: int

    @property
    def seconds(self) -> float:
        return (self.end_ns - self.begin_ns) / 1e9


def stretches(changes: Sequence[RegimeChange], now_ns: int) -> list[Stretch]:
    """How regimes followed each other, oldest first; the last goes on until now."""
    ends = [*[change.at_ns for change in changes[1:]], now_ns]
    return [Stretch(change.regime, change.at_ns, end) for change, end in zip(changes, ends, strict=False)]


def section(picture: FlowPicture) -> str:
    """The regime of one symbol as HTML."""
    metrics, slow = picture.metrics, picture.slow
    since_s = None if metrics.regime_since_ns is None else (metrics.at_ns - metrics.regime_since_ns) / 1e9
    margin = metrics.margin
    near = (
        f"nearest: {escape(margin.figure)} {margin.value:.2f}, {_name(margin.then)} at {margin.threshold:g}"
        if margin is not None
        else "not known until all its figures are, about a minute"
    )
    lasted = f"for {number(since_s, 0)} s · " if since_s is not None else ""
    found = stretches(slow.regimes, metrics.at_ns)
    return (
        f'<section><h4>Regime</h4><div class="td-regime" data-regime="{metrics.regime.value}">'
        f'<strong title="{escape(ABOUT[metrics.regime])}">{_name(metrics.regime)}</strong> '
        f"<i>{lasted}{near}</i></div>"
        f'{_strip(found, metrics.at_ns)}<div class="td-figures">{_figures(slow.inputs)}</div>'
        f"{_history(found)}</section>"
    )


def _figures(inputs: Mapping[str, float | None]) -> str:
    return "".join(
        [
            f'<span data-figure="{name}" title="{escape(about)}">{label} <b>{_value(inputs.get(name), unit)}</b></span>'
            for name, (label, unit, about) in FIGURES.items()
        ]
    )


def _value(value: float | None, unit: str) -> str:
    return UNKNOWN if value is None else number(value, 2, unit)


def _strip(found: Sequence[Stretch], now_ns: int) -> str:
    """The last ten minutes as a bar; the time before the first regime is left empty."""
    begin_ns = now_ns - STRIP_S * 1_000_000_000
    parts = []
    for one in found:
        start = max(one.begin_ns, begin_ns)
        if one.end_ns <= start:
            continue
        left, wide = (start - begin_ns) / STRIP_S / 1e7, (one.end_ns - start) / STRIP_S / 1e7
        told = f"{_name(one.regime)}, {_clock(one.begin_ns)} to {_clock(one.end_ns)} UTC. {ABOUT[one.regime]}"
        parts.append(
            f'<em class="td-r-{one.regime.value}" title="{escape(told)}" '
            f'style="left:{left:.2f}%;width:{wide:.2f}%"></em>'
        )
    return (
        f'<div class="td-strip" data-stretches="{len(parts)}">{"".join(parts)}</div>'
        f'<div class="td-strip-feet"><i>{STRIP_S // 60} min ago</i><i>now</i></div>'
    )


def _history(found: Sequence[Stretch]) -> str:
    newest = found[: -ROWS - 1 : -1]
    if not newest:
        return ""
    rows = "".join(
        [
            f'<tr><td>{_clock(one.begin_ns)}</td><td><em class="td-dot td-r-{one.regime.value}"></em>'
            f"{_name(one.regime)}</td><td>{number(one.seconds, 0, ' s')}</td></tr>"
            for one in newest
        ]
    )
    head = "<th>Since (UTC)</th><th>Regime</th><th>Lasted</th>"
    return f'<table class="td-table" data-table="regimes"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _name(regime: Regime) -> str:
    return regime.value.replace("_", " ")


def _clock(t_ns: int) -> str:
    return datetime.fromtimestamp(t_ns / 1e9, UTC).strftime("%H:%M:%S")
