"""The records of the source documents, by their names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from engine.flow.signals.flow_signal import SignalType as OrderFlowSignalType

__all__ = ["OrderFlowMetrics", "OrderFlowSignal", "OrderFlowSignalType"]


@dataclass
class OrderFlowMetrics:
    """One evaluation. Depths and volumes in base units, imbalances in -1 … 1; None is not known, 0 is known to be 0.

    `estimated` names the fields that rest on an inferred side or split.
    """

    timestamp: int
    symbol: str
    timeframe: str
    bid_ask_spread: float | None
    bid_depth: float
    ask_depth: float
    depth_imbalance: float | None
    buy_volume: float
    sell_volume: float
    volume_imbalance: float | None
    large_order_count: int
    spread_zscore: float | None
    imbalance_zscore: float | None
    absorption_detected: bool
    exhaustion_detected: bool
    regime: str | None = None
    price: float | None = None
    estimated: frozenset[str] = frozenset()

    @property
    def large_order_direction(self) -> str | None:
        """The side with more volume, `buy` or `sell`; None where neither has."""
        if not self.volume_imbalance:
            return None
        return "buy" if self.volume_imbalance > 0.0 else "sell"

    def panel_data(self) -> dict[str, Any]:
        """The fields that the source's order-flow panel takes."""
        return {
            "spread": self.bid_ask_spread,
            "spread_zscore": self.spread_zscore,
            "bid_depth": self.bid_depth,
            "ask_depth": self.ask_depth,
            "buy_volume": self.buy_volume,
            "sell_volume": self.sell_volume,
            "depth_imbalance": self.depth_imbalance,
            "volume_imbalance": self.volume_imbalance,
            "large_order_detected": self.large_order_count > 0,
            "large_order_direction": self.large_order_direction,
            "absorption_detected": self.absorption_detected,
            "exhaustion_detected": self.exhaustion_detected,
        }


@dataclass
class OrderFlowSignal:
    """One signal. `direction` is `bull`, `bear`, or None for a warning; `confidence` None while it is uncalibrated."""

    signal_type: OrderFlowSignalType
    direction: str | None
    strength: float | None
    confidence: float | None
    timestamp: int
    symbol: str
    timeframe: str
    entry_price: float
    target_price: float | None = None
    stop_price: float | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    status: str = "active"

    def as_row(self) -> dict[str, Any]:
        """The six fields of the source's signal table."""
        return {
            "timestamp": self.timestamp,
            "signal_type": self.signal_type.value,
            "direction": self.direction,
            "strength": self.strength,
            "confidence": self.confidence,
            "status": self.status,
        }
