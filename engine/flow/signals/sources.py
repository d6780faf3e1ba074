"""Which detections are signals, and in which direction they point."""

from __future__ import annotations

from msgspec import Struct

from engine.flow.detectors.detection import Detection
from engine.flow.signals.flow_signal import SignalType


class Occurrence(Struct, frozen=True, gc=False):
    """An event for the signal board: `direction` +1 buy, -1 sell, 0 none; `side` what it is about, in like signs."""

    kind: SignalType
    direction: int
    side: int
    score: float


def occurrence_of(found: Detection) -> Occurrence | None:
    """The signal in a detection; None for one that is only shown (a wall, a sweep too small for an alert)."""
    evidence, side = found.evidence, found.side
    match found.kind:
        case "absorption":
            # Strong flow that goes nowhere has met somebody: the opinion is against the flow.
            score = max(1.0 - evidence["progress"], 0.0) * evidence["percentile"]
            return Occurrence(SignalType.ABSORPTION, -side, -side, score)
        case "exhaustion":
            return Occurrence(SignalType.EXHAUSTION, 0, side, evidence["decline"])
        case "large_order":
            threshold = evidence["threshold"]
            return Occurrence(SignalType.LARGE_PLAYER, side, side, found.size / threshold if threshold > 0.0 else 1.0)
        case "sweep" if evidence["alert"]:
            return Occurrence(SignalType.LARGE_PLAYER, side, side, evidence["levels"])
        case "refill":
            return Occurrence(SignalType.HIDDEN_ORDER, side, side, evidence["executed"] / evidence["peak"])
        case "delta_divergence":
            return Occurrence(SignalType.DELTA_DIVERGENCE, side, side, evidence["shortfall"])
    return None
