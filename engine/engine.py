"""The engine: connectors, hub, strategies, alerts and recordings of one process, started and stopped together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.alerts.desk import AlertDesk
from engine.alerts.figures import known_figures
from engine.alerts.rule_book import RuleBook
from engine.analysis.flow_desk import FlowDesk
from engine.clock import SYSTEM_CLOCK, Clock
from engine.connector import Connector
from engine.errors import PluginError
from engine.hub import LINGER_S, Hub
from engine.store.desk import RecordingDesk
from engine.store.flight.desk import FlightDesk
from engine.store.recording.options import RecordOptions
from engine.strategy.host import StrategyHost


class Engine:
    """Everything that runs with the lights off. Make one, use it, `close` it."""

    def __init__(
        self,
        connectors: Mapping[str, Connector],
        strategies: Mapping[str, type],
        *,
        plugin_errors: Sequence[PluginError] = (),
        clock: Clock = SYSTEM_CLOCK,
        linger_s: float = LINGER_S,
        recording: RecordOptions | None = None,
        alert_rules: Path | None = None,
    ) -> None:
        """`alert_rules` is the file that keeps the rules of alerts; None: they end with the engine."""
        self.clock = clock
        self.plugin_errors = list(plugin_errors)
        self.hub = Hub(connectors, clock=clock, linger_s=linger_s)
        self.flow = FlowDesk(self.hub)
        self.strategies = StrategyHost(self.hub, strategies, self.flow)
        self.flight = FlightDesk(self.hub.connectors, clock)
        self.recording = RecordingDesk(self.hub, recording, clock=clock, listen=self.strategies.listen)
        self.alerts = AlertDesk(self.hub, self.flow, RuleBook(alert_rules, known_figures()))
        self.alerts.begin()

    @property
    def connectors(self) -> Mapping[str, Connector]:
        return self.hub.connectors

    def close(self) -> None:
        """Stop alerts, strategies, the recording that heard them, analysis, feeds, and what records their frames."""
        self.alerts.close()
        self.strategies.close()
        self.recording.close()
        self.flow.close()
        self.hub.close()
        self.flight.close()
