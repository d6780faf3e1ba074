"""The composition root: settings, plugins and services become one running engine. Nobody else names them."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from threading import Thread
from typing import cast

from app.instruments import InstrumentDirectory
from app.live.pipe import FramePipe
from app.live.routes import LivePlane, LiveSettings
from app.live.source import HubSource
from app.live.tickets import TicketOffice
from connectors.base.playback import PlaybackConnector
from connectors.base.venue import Venue
from engine.engine import Engine
from engine.feed.mailbox import FeedKey
from engine.plugins import discover, frame_readers, make_connectors
from engine.process import get_engine, services
from engine.settings import Settings, load_settings
from engine.store.options import options_from
from engine.store.verify import recognise

SWITCH_INTERVAL_S = 0.0005
"""How long a thread may hold the interpreter: the default 5 ms would delay frames behind a page that is being drawn."""

log = logging.getLogger(__name__)


def settings() -> Settings:
    """The settings of this process, read once."""
    if "settings" not in services:
        services["settings"] = load_settings()
    return cast(Settings, services["settings"])


def engine() -> Engine:
    """The engine of this process, made on the first call."""
    return get_engine(_build_engine)


def directory() -> InstrumentDirectory:
    """What the venues list, remembered for the process."""
    if "directory" not in services:
        services["directory"] = InstrumentDirectory()
    return cast(InstrumentDirectory, services["directory"])


def live_plane() -> LivePlane | None:
    """The data plane; None where only `app/main.py` runs, without routes of our own."""
    return cast("LivePlane | None", services.get("live_plane"))


def make_pipe() -> FramePipe:
    """Frames for one tab where there is no data plane."""
    return FramePipe(_hub_source())


def start_live_plane() -> LivePlane:
    """Make the data plane of the ASGI application."""
    chosen = settings()
    source = _hub_source()
    office = TicketOffice(chosen.ticket_secret.encode())
    plane = LivePlane(source, LiveSettings(allowed_hosts=chosen.allowed_hosts), office=office)
    services["live_plane"] = plane
    return plane


def open_capture(path: Path, speed: float | None) -> str:
    """Offer a capture as a venue; the name to watch it under. `speed` 1 is real time, None as fast as possible.

    Raises:
        EngineError: the file cannot be read or no connector knows its venue.
    """
    hub = engine().hub
    reader = recognise(path, frame_readers())
    # A reader of its own: what it learns from the recording (depths, precisions) is not true of the live venue.
    playback = PlaybackConnector(cast(Venue, reader), path, speed)
    hub.add_connector(playback)
    return playback.name


def _build_engine() -> Engine:
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    chosen = settings()
    logging.basicConfig(level=chosen.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    connectors, errors = make_connectors(chosen.venue_settings)
    strategies = discover("strategies", "on_book")
    errors += strategies.errors
    made = Engine(
        connectors, strategies.found, plugin_errors=errors, linger_s=chosen.linger_s, recording=options_from(chosen)
    )
    made.flow.tick_of = _tick
    made.flight.folder = chosen.captures_dir
    # On a thread of its own: a page must not wait for a large file to be opened.
    Thread(target=made.recording.look_back, name="recordings-look-back", daemon=True).start()
    return made


def _hub_source() -> HubSource:
    running = engine()
    source = HubSource(running.hub, tick_of=_tick, clock=running.clock, flow=running.flow)
    source.on_close = running.strategies.listen(lambda key, signal: source.add_signal(signal, key))
    return source


def _tick(key: FeedKey) -> float | None:
    return directory().tick(key[0], key[1])
