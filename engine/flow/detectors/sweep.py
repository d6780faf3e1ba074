"""Sweeps: one taker order that ate through several prices."""

from __future__ import annotations

from engine.flow.detectors.detection import Detection
from engine.flow.readings import Quality
from engine.flow.trades.taker_orders import TakerOrder

LEVELS = 3
ALERT_QUANTILE = 0.95
"""Three levels alone are common on fine price steps: an alert also wants a size of the largest twentieth."""


def sweep_of(
    order: TakerOrder, tick: float, large: float | None = None, levels: int = LEVELS,
    quality: Quality = Quality.EXACT,
) -> Detection | None:  # fmt: skip
    """The sweep that an order was: at least `levels` prices, moving only in its own direction; else None.

    `large` is the size from which it is worth an alert (evidence `alert` 1); None: not known yet, no alert.
    """
    if order.levels < levels or not order.monotone:
        return None
    evidence = {
        "levels": float(order.levels),
        "fills": float(order.fills),
        "slip_bps": order.slip_bps,
        "first_ticks": order.first,
        "last_ticks": order.last,
        "alert": float(large is not None and order.size >= large),
    }
    return Detection("sweep", order.t_ns, order.side, order.size, order.last * tick, evidence, quality)
