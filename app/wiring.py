"""The composition root: settings, plugins and services become one running engine. Nobody else names them."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from threading import Thread
from typing import cast

from app.archive import Archive
from app.instruments import InstrumentDirectory
from app.live.pipe import FramePipe
from app.live.routes import LivePlane, LiveSettings
from app.live.source import HubSource
from app.live.tickets import TicketOffice
from app.words import REPLAY
from connectors.base.playback.controls import ReplayControls
from connectors.replay import ReplayConnector, replay_connectors
from engine.engine import Engine
from engine.errors import EngineError
from engine.feed.mailbox import FeedKey
from engine.market.terms import Terms, taker_fee_bps
from engine.plugins import frame_readers, make_connectors, make_strategies
from engine.process import get_engine, services
from engine.settings import Settings, for_strangers, load_settings
from engine.store.base import Recording
from engine.store.captures.play import PlayableCapture
from engine.store.captures.verify import recognise
from engine.store.opening import there_is_one
from engine.store.play_tape import PlayableTape
from engine.store.playable import Playable
from engine.store.recording.options import options_from

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


def archive() -> Archive:
    """The recordings of the process and the long work on them."""
    if "archive" not in services:
        chosen = settings()
        services["archive"] = Archive(
            engine().recording.store,
            exports=chosen.exports_dir,
            captures=chosen.captures_dir,
            settings=for_strangers(chosen),
        )
    return cast(Archive, services["archive"])


def close_archive() -> None:
    """Call off what is being done with recordings, if anything is; before the engine closes their store."""
    found = cast("Archive | None", services.pop("archive", None))
    if found is not None:
        found.close()


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
    # A reader of its own: what it learns from the recording (depths, precisions) is not true of the live venue.
    return open_recording(PlayableCapture(path, recognise(path, frame_readers())), path.name, speed)


def open_tape(recording_id: str, speed: float | None) -> str:
    """Offer a recording of the store as a venue; the name to watch (the first of its venues) under.

    Raises:
        EngineError: there is no such recording, or nothing is in it.
    """
    store = engine().recording.store()
    return open_recording(PlayableTape(store, store.recording(recording_id)), recording_id, speed)


def recordings() -> list[Recording]:
    """What the store holds, oldest first; nothing where there is no store yet.

    Raises:
        StoreError: it cannot be read.
    """
    return engine().recording.store().recordings() if there_is_one(settings().store_url) else []


def open_recording(playable: Playable, name: str, speed: float | None) -> str:
    """Offer a recording as a venue (one for each of its venues); the name to watch the first of them under.

    Raises:
        EngineError: nothing was recorded.
    """
    made = replay_connectors(playable, name, speed)
    hub = engine().hub
    for connector in made:
        hub.add_connector(connector)
    controls = replay_controls(made[0].name)
    if controls is not None:
        controls.set_speed(speed)  # it may have been open already
    return made[0].name


def reopen_recording(connector: str) -> bool:
    """Offer the recording again that an address names, after a restart or on another day; whether there is one."""
    name = connector.removeprefix(REPLAY).partition("/")[0]
    if not connector.startswith(REPLAY) or connector in engine().connectors:
        return False
    try:
        capture = settings().captures_dir / name
        if capture.exists() and capture.parent == settings().captures_dir and name not in ("", ".", ".."):
            open_capture(capture, 1.0)
        elif any(recording.id == name for recording in recordings()):
            open_tape(name, 1.0)
    except EngineError as error:
        log.info("%s cannot be opened again: %s", name, error)
    return connector in engine().connectors


def venues_of_recording(connector: str) -> list[str]:
    """The connectors of the same recording, this one among them; nothing where it is none."""
    recording = connector.partition("/")[0]
    return [name for name in engine().connectors if name.startswith(REPLAY) and name.partition("/")[0] == recording]


def replay_controls(connector: str) -> ReplayControls | None:
    """What a replay's page may press; None where the connector is no recording."""
    found = engine().connectors.get(connector)
    return found.controls if isinstance(found, ReplayConnector) else None


def _build_engine() -> Engine:
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    chosen = settings()
    logging.basicConfig(level=chosen.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    connectors, errors = make_connectors(chosen.venue_settings)
    strategies, wrong = make_strategies()
    made = Engine(
        connectors, strategies, plugin_errors=[*errors, *wrong], linger_s=chosen.linger_s,
        alert_rules=chosen.alert_rules_file, recording=options_from(chosen),
    )  # fmt: skip
    made.flow.tick_of, made.flow.terms_of = _tick, _terms
    made.flight.folder = chosen.captures_dir
    if chosen.alert_urls:
        _open_channels(made, chosen.alert_urls)
    # On a thread of its own: a page must not wait for a large file to be opened.
    Thread(target=made.recording.look_back, name="recordings-look-back", daemon=True).start()
    return made


def _open_channels(made: Engine, urls: str) -> None:
    """The ways by which alerts leave the house; one that cannot be read is said on the page, and the rest goes on."""
    from engine.alerts.apprise_door import make_notifier  # a moment's loading that only who uses it waits for

    made.alerts.notifier = make_notifier(urls, made.alerts.log.went)
    for problem in made.alerts.notifier.problems:
        log.warning(problem)


def _hub_source() -> HubSource:
    running = engine()
    source = HubSource(running.hub, tick_of=_tick, clock=running.clock, flow=running.flow)
    source.on_close = running.strategies.listen(lambda key, signal: source.add_signal(signal, key))
    return source


def _tick(key: FeedKey) -> float | None:
    return directory().tick(key[0], key[1])


def _terms(key: FeedKey) -> Terms:
    venue, symbol, _ = key
    instrument = directory().instrument(venue, symbol)
    connector = engine().connectors.get(venue)
    paid_at = connector.venue if isinstance(connector, ReplayConnector) else venue
    fee_bps = taker_fee_bps(paid_at, settings().taker_fees_bps)
    if instrument is None:
        return Terms(fee_bps, paid_at=paid_at)
    return Terms(fee_bps, instrument.multiplier, instrument.inverse, paid_at)
