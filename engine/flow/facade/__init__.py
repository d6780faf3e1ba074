"""The names of the source documents over the live order flow; see engine/flow/facade/order_flow.py."""

from engine.flow.facade.dom_service import DOMAggregatorService, RealtimeVolume
from engine.flow.facade.order_flow import OrderFlowAnalyzer
from engine.flow.facade.records import OrderFlowMetrics, OrderFlowSignal, OrderFlowSignalType

__all__ = [
    "DOMAggregatorService", "OrderFlowAnalyzer", "OrderFlowMetrics", "OrderFlowSignal", "OrderFlowSignalType",
    "RealtimeVolume",
]  # fmt: skip
