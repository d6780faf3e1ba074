"""Which detections become signals."""

from __future__ import annotations

import pytest

from engine.flow.detectors.detection import Detection
from engine.flow.signals.flow_signal import RULES, SignalType
from engine.flow.signals.sources import occurrence_of

EVIDENCE = {
    "progress": -0.5, "percentile": 0.95, "decline": 0.6, "threshold": 2.0, "alert": 1.0, "levels": 7.0,
    "executed": 12.0, "peak": 5.0, "shortfall": 1.2,
}  # fmt: skip


def detection(kind: str, side: int = 1) -> Detection:
    return Detection(kind, 0, side, 3.0, None, EVIDENCE)


@pytest.mark.parametrize(
    ("kind", "signal", "direction", "score"),
    [
        ("absorption", SignalType.ABSORPTION, -1, 1.5 * 0.95),
        ("exhaustion", SignalType.EXHAUSTION, 0, 0.6),
        ("large_order", SignalType.LARGE_PLAYER, 1, 1.5),
        ("sweep", SignalType.LARGE_PLAYER, 1, 7.0),
        ("refill", SignalType.HIDDEN_ORDER, 1, 2.4),
        ("delta_divergence", SignalType.DELTA_DIVERGENCE, 1, 1.2),
    ],
)
def test_a_detection_speaks_in_its_own_direction(kind: str, signal: SignalType, direction: int, score: float) -> None:
    found = occurrence_of(detection(kind))
    assert found is not None
    assert (found.kind, found.direction) == (signal, direction)
    assert found.score == pytest.approx(score)
    opposite = occurrence_of(detection(kind, -1))
    assert opposite is not None
    assert opposite.direction == -direction


def test_walls_and_small_sweeps_are_only_shown() -> None:
    assert occurrence_of(detection("wall")) is None
    assert occurrence_of(Detection("sweep", 0, 1, 3.0, None, {**EVIDENCE, "alert": 0.0})) is None


def test_every_type_has_a_rule_and_a_sentence_and_warnings_have_no_horizon() -> None:
    assert set(RULES) == set(SignalType)
    assert all(rule.explains.endswith(".") for rule in RULES.values())
    warnings = {kind for kind, rule in RULES.items() if not rule.horizons_s}
    assert warnings == {SignalType.EXHAUSTION, SignalType.SPREAD_ANOMALY, SignalType.LIQUIDITY_VACUUM}
    assert all(rule.cooldown_s >= 10.0 for rule in RULES.values())
