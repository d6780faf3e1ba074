"""Order-flow signals: a score that stays high becomes one signal, not a flicker of them.

A signal describes pressure. Whether it says anything about what follows is measured (`engine/flow/signals/outcomes.py`), and
until then its confidence is None.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from msgspec import Struct

from engine.flow.signals.calibration import Confidence

SECOND_NS = 1_000_000_000
LEAST_COOLDOWN_S = 10.0

Side = Literal["buy", "sell"]
Status = Literal["active", "expired", "cancelled", "ended"]


class SignalType(StrEnum):
    """What a signal is about; the first six are the names of the source documents."""

    LIQUIDITY_IMBALANCE = "liquidity_imbalance"
    ABSORPTION = "absorption"
    EXHAUSTION = "exhaustion"
    LARGE_PLAYER = "large_player"
    SPREAD_ANOMALY = "spread_anomaly"
    HIDDEN_ORDER = "hidden_order"
    LIQUIDITY_VACUUM = "liquidity_vacuum"
    OFI_PRESSURE = "ofi_pressure"
    DELTA_DIVERGENCE = "delta_divergence"


class SignalRule(Struct, frozen=True):
    """When a type of signal speaks.

    It comes ON once its score has been at least `on` for `hold_s`, and goes OFF below `off` or after `expiry_s`.
    `horizons_s` are those over which its outcome counts (none: it has no direction, it is a warning or context).
    An `event` is a single occurrence rather than a score that lasts. `explains` is what to tell the user.
    """

    on: float
    off: float
    hold_s: float
    horizons_s: tuple[float, ...]
    explains: str
    event: bool = False

    @property
    def expiry_s(self) -> float:
        return max(self.horizons_s, default=30.0)

    @property
    def cooldown_s(self) -> float:
        return max(LEAST_COOLDOWN_S, self.expiry_s)


RULES: dict[SignalType, SignalRule] = {
    SignalType.LIQUIDITY_IMBALANCE: SignalRule(
        0.7, 0.5, 0.2, (1.0, 5.0), "The best bid and ask differ in size: (bid - ask) / (bid + ask), for 0.2 s."
    ),
    SignalType.ABSORPTION: SignalRule(
        0.0, 0.0, 0.0, (5.0, 30.0), "Heavy taking moved the price by less than a tenth of what it usually does.", True
    ),
    SignalType.EXHAUSTION: SignalRule(
        0.0, 0.0, 0.0, (), "The price reached an extreme while the taking behind it faded. No direction.", True
    ),
    SignalType.LARGE_PLAYER: SignalRule(
        0.0, 0.0, 0.0, (5.0, 30.0), "A taker's order was among the largest 1 % of the last 2,000.", True
    ),
    SignalType.SPREAD_ANOMALY: SignalRule(
        4.0, 2.0, 0.0, (), "The spread is far above its own last five minutes. A warning, no direction."
    ),
    SignalType.HIDDEN_ORDER: SignalRule(
        0.0, 0.0, 0.0, (5.0, 30.0), "A best price was eaten and refilled until more traded than was ever shown.", True
    ),
    SignalType.LIQUIDITY_VACUUM: SignalRule(
        0.5, 0.5, 0.0, (), "One side holds less than a quarter of its usual depth within 10 bps. No direction."
    ),
    SignalType.OFI_PRESSURE: SignalRule(
        3.0, 1.5, 0.0, (5.0,), "Order-flow imbalance of 5 s against its own last two minutes, as a robust z-score."
    ),
    SignalType.DELTA_DIVERGENCE: SignalRule(
        0.0, 0.0, 0.0, (300.0,), "The price made a new extreme that the cumulated delta did not confirm.", True
    ),
}  # fmt: skip


class FlowSignal(Struct, frozen=True, gc=False, tag="flow_signal"):
    """One signal at the moment it came ON, and what became of it.

    `direction` is None for warnings; `side` then names the side of the book they are about (+1 bid, -1 ask, 0 both).
    `strength` is the percentile of its score among this symbol's own (None below 200 of them). `earlier` tells how
    often the direction of earlier ones came true, given that the mid moved (None for a warning). `mid` is in quote
    units, `score` in the unit of its kind, below zero for a sell.
    """

    venue: str
    symbol: str
    kind: SignalType
    direction: Side | None
    side: int
    score: float
    strength: float | None
    earlier: Confidence | None
    at_ns: int
    mid: float
    horizon_s: float
    status: Status = "active"
    reason: str = ""
    ended_ns: int | None = None
    number: int = 0

    @property
    def confidence(self) -> float | None:
        """The estimated probability that the mid, if it moves, moves in the direction; None until it was earned."""
        return self.earlier.value if self.earlier is not None else None

    @property
    def label(self) -> str:
        """What to show where the confidence is not known, and how many outcomes it rests on where it is."""
        return self.earlier.label if self.earlier is not None else "no direction"
