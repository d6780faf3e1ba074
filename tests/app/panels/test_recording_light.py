"""The red light: when it burns, what it says, and that its trouble is seen."""

from __future__ import annotations

from typing import Any

from app.panels.recording_light import frames_light, tape_light
from engine.store.desk import RecordingState
from engine.store.flight.recorder import FlightState
from tests.app.test_recorded import EVIL, recording
from tests.engine.store.events import SECOND_NS, START_NS

NOTHING = RecordingState(None, 0.0, 0, 0.0, None, 0, 0, 0, "", "", (), ())


def tape(**changed: Any) -> str:
    running: dict[str, Any] = {
        "recording": recording(ending="running"),
        "seconds": 65.0,
        "events": 1_234,
        "bytes": 10**6,
    }
    said = {name: getattr(NOTHING, name) for name in RecordingState.__struct_fields__}
    return tape_light(RecordingState(**{**said, **running, **changed}))


def frames(**changed: Any) -> str:
    said: dict[str, Any] = {
        "venue": "mock", "place": "/home/me/captures/a-mock", "running": True, "started_ns": START_NS, "ended_ns": None,
        "records": 77, "lost": 0, "size_bytes": 2_000, "segments": 1, "removed": 0, "frames": "", "trouble": "",
        **changed,
    }  # fmt: skip
    return frames_light(FlightState(**said), START_NS + 5 * SECOND_NS)


def test_nothing_burns_while_nothing_is_recorded() -> None:
    assert tape_light(NOTHING) == ""
    assert frames(running=False) == ""


def test_time_events_and_size_stand_beside_it() -> None:
    assert "● REC 01:05 · 1,234 events · store 1.0 MB" in tape()
    assert "● RAW mock 00:05 · 77 frames · 2.0 kB" in frames()
    assert 'data-light="on"' in tape() + frames()


def test_what_is_lost_is_counted() -> None:
    assert "5 lost" in tape(dropped=5)
    assert "5 lost" in frames(lost=5)
    assert "its oldest 2 files made room" in frames(removed=2)


def test_trouble_is_told_with_what_to_do() -> None:
    words = tape(error="the disk is full", hint="Make room.")
    assert 'data-light="trouble"' in words
    assert "the disk is full. Make room." in words
    assert "the disk is full" in frames(trouble="/home/me/captures/a-mock: the disk is full")


def test_trouble_is_seen_although_the_recording_ended() -> None:
    words = tape(recording=None, error="the disk is full")
    assert "not recording" in words
    assert "the disk is full" in words


def test_neither_markup_nor_folders_of_the_server_reach_the_page() -> None:
    assert EVIL not in tape(error=EVIL)
    assert EVIL not in frames(venue=EVIL)
    assert "/home/me" not in frames(trouble="/home/me/captures/a-mock: no room")


def test_that_something_will_be_deleted_is_told_on_every_page() -> None:
    assert "deletions are due: see Recordings" in tape(warnings=("The store has 9 GB of 10 GB.",))
