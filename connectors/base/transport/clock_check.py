"""How far our clock runs ahead of the venue's, asked for now and then."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from connectors.base.transport.channel import Channel
from connectors.base.transport.worker import Worker
from engine.errors import FeedError

log = logging.getLogger(__name__)


class ClockCheck:
    """Measures once a connection stands and every ten minutes after, on the connection's worker."""

    def __init__(
        self,
        measure: Callable[[], int | None],
        worker: Worker,
        every_s: float,
    ) -> None:
        self._measure = measure
        self._worker = worker
        self._every_ns = round(every_s * 1e9)
        self._due_ns: int | None = 0
        self._offset_ns: int | None = None
        self._told: Mapping[str, Channel] = {}

    def consider(self, channels: Mapping[str, Channel], now_ns: int) -> None:
        """Called now and then; measures when it is time, and tells channels that are new the last result."""
        if channels is not self._told and self._offset_ns is not None:
            self._told = channels
            for channel in channels.values():
                channel.feed.quality.clock_offset_ns = self._offset_ns
        if self._due_ns is not None and now_ns >= self._due_ns:
            self._due_ns = now_ns + self._every_ns
            self._worker.at(now_ns, self._ask)

    def _ask(self) -> None:
        try:
            offset_ns = self._measure()
        except FeedError as error:
            log.info("the venue's clock could not be read: %s", error)
            return
        if offset_ns is None:
            self._due_ns = None  # this venue tells no time
            return
        self._offset_ns = offset_ns
        self._told = {}
