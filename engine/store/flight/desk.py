"""Which venues' raw frames are recorded, and where: what the page and the command line switch."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock

from engine.clock import SYSTEM_CLOCK, Clock
from engine.connector import Connector, RawSource
from engine.errors import StoreError
from engine.store.base import new_id
from engine.store.flight.files import FlightLimits
from engine.store.flight.recorder import FlightRecorder, FlightState
from engine.store.flight.segments import ENDING, mend

log = logging.getLogger(__name__)

FOLDER = Path("data/captures")


class FlightDesk:
    """Starts and stops flight recorders, at most one for each venue. `folder` is where they write unless told."""

    def __init__(
        self, connectors: Mapping[str, Connector], clock: Clock = SYSTEM_CLOCK, limits: FlightLimits | None = None
    ) -> None:
        self.folder = FOLDER
        self._connectors = connectors
        self._clock = clock
        self._limits = limits or FlightLimits()
        self._lock = Lock()
        self._recorders: dict[str, FlightRecorder] = {}
        self._past: dict[str, FlightState] = {}

    def venues(self) -> list[str]:
        """The connectors whose raw frames can be recorded."""
        return [name for name, connector in self._connectors.items() if isinstance(connector, RawSource)]

    def start(self, venue: str, place: Path | None = None) -> FlightState:
        """Record a venue's frames from now on; what is being recorded already goes on as it is.

        `place`: a file that ends in `.jsonl.gz`, or a folder, in which the recording gets a folder of its own.

        Raises:
            StoreError: no such venue, its frames cannot be recorded, or the place cannot be written to.
        """
        connector = self._connectors.get(venue)
        if connector is None:
            raise StoreError(f"there is no venue {venue!r}", hint=f"There are: {', '.join(self._connectors)}.")
        if not isinstance(connector, RawSource):
            raise StoreError(f"{venue} has no raw frames to record", hint="Record its events instead.")
        with self._lock:
            running = self._recorders.get(venue)
            if running is None:
                running = self._recorders[venue] = self._new(connector, place or self.folder)
                # Under the lock: who stops it next must find it switched on.
                connector.record_frames(running)
        return running.state

    def start_many(self, venues: Sequence[str], place: Path | None = None) -> list[FlightState]:
        """Record several venues, or none if one of them cannot be.

        Raises:
            StoreError: as `start` does; also for several venues in one file.
        """
        if len(set(venues)) > 1 and place is not None and place.name.endswith(ENDING):
            raise StoreError(f"{place} is one file for {len(set(venues))} venues", hint="Name a folder instead.")
        begun: list[FlightState] = []
        try:
            for venue in dict.fromkeys(venues):
                begun.append(self.start(venue, place))
        except StoreError:
            for state in begun:
                self.stop(state.venue)
            raise
        return begun

    def start_all(self, place: Path | None = None) -> list[FlightState]:
        """Record every venue whose frames can be recorded; `place` is a folder. Raises StoreError."""
        return self.start_many(self.venues(), place)

    def stop(self, venue: str) -> FlightState | None:
        """End a venue's recording and complete its files, within 2 s; None when there is none."""
        with self._lock:
            recorder = self._recorders.pop(venue, None)
            if recorder is None:
                return None
            recorder.source.record_frames(None)
        state = self._past[venue] = recorder.close(self._clock.now_ns())
        log.info("%s: %d records in %s", venue, state.records, state.place)
        return state

    def stop_all(self) -> list[FlightState]:
        """End every recording."""
        with self._lock:
            venues = list(self._recorders)
        return [state for venue in venues if (state := self.stop(venue)) is not None]

    def states(self) -> dict[str, FlightState]:
        """By venue the recording that runs, else the last one that ended."""
        with self._lock:
            running = dict(self._recorders)
        return {**self._past, **{venue: recorder.state for venue, recorder in running.items()}}

    close = stop_all

    def _new(self, source: RawSource, place: Path) -> FlightRecorder:
        now_ns = self._clock.now_ns()
        if not place.name.endswith(ENDING):
            for found in mend(place):
                log.info("%s was cut off; what it holds is whole", found)
            place = place / f"{new_id(now_ns)}-{source.name.replace(':', '-')}"
        # A venue that wants a key may send others back.
        private = source.capabilities.key_needed
        return FlightRecorder(source, place, private=private, at_ns=now_ns, limits=self._limits)
