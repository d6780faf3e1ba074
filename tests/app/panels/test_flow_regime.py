"""The regime as the page shows it: its name, its margin, its figures and how regimes followed each other."""

from __future__ import annotations

import re

from msgspec.structs import replace

from app.panels.flow_regime import FIGURES, Stretch, section, stretches
from engine.analysis.flow_line import FlowPicture
from engine.flow.regimes.regime import Margin, Regime, RegimeChange, RegimeInputs
from tests.engine.alerts.support import picture

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def _picture(*changes: tuple[int, Regime], now_s: int = 100, margin: Margin | None = None) -> FlowPicture:
    """A picture at `now_s`, with these regimes since so many seconds."""
    told, before = [], Regime.UNKNOWN
    for at_s, regime in changes:
        told.append(RegimeChange(regime, before, START + at_s * SECOND))
        before = regime
    shown = picture(1)
    metrics = replace(
        shown.metrics, at_ns=START + now_s * SECOND, regime=before, margin=margin,
        regime_since_ns=told[-1].at_ns if told else None,
    )  # fmt: skip
    inputs = {"volatility_ratio": 1.15, "efficiency": None}
    return replace(shown, metrics=metrics, slow=replace(shown.slow, regimes=tuple(told), inputs=inputs))


def test_each_regime_lasts_until_the_next_and_the_last_until_now() -> None:
    changes = [
        RegimeChange(Regime.RANGE, Regime.UNKNOWN, START),
        RegimeChange(Regime.VOLATILE, Regime.RANGE, START + 20 * SECOND),
    ]
    assert stretches(changes, START + 50 * SECOND) == [
        Stretch(Regime.RANGE, START, START + 20 * SECOND),
        Stretch(Regime.VOLATILE, START + 20 * SECOND, START + 50 * SECOND),
    ]
    assert stretches([], START) == []


def test_the_strip_is_ten_minutes_long_and_begins_no_earlier() -> None:
    shown = section(_picture((-600, Regime.RANGE), (40, Regime.TREND_UP)))
    widths = re.findall(r"left:([\d.]+)%;width:([\d.]+)%", shown)
    assert widths == [("0.00", "90.00"), ("90.00", "10.00")]
    assert 'data-regime="trend_up"' in shown
    assert "for 60 s" in shown


def test_every_figure_is_explained_and_an_unknown_one_is_a_dash() -> None:
    shown = section(_picture((0, Regime.RANGE)))
    assert set(FIGURES) == set(RegimeInputs.__struct_fields__) - {"vacuum", "unmatched_s"}
    for name in FIGURES:
        assert re.search(rf'<span data-figure="{name}" title="[^"]{{10,}}">', shown)
    assert "<b>1.15 ×</b>" in shown
    assert re.search(r'data-figure="efficiency"[^<]*<b>–</b>', shown)


def test_the_margin_names_the_nearest_threshold_and_what_lies_behind_it() -> None:
    margin = Margin("volatility ratio", 1.61, 1.8, Regime.LIQUIDITY_STRESS)
    assert "nearest: volatility ratio 1.61, liquidity stress at 1.8" in section(
        _picture((0, Regime.RANGE), margin=margin)
    )
    nothing = section(_picture())
    assert "not known until all its figures are" in nothing
    assert "<tbody>" not in nothing
