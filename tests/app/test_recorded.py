"""Recordings in words: nothing of others is believed, nothing unknown is shown as zero."""

from __future__ import annotations

from pathlib import Path

from app.recorded import (
    feeds_words,
    flights_table,
    gaps_table,
    length,
    passed,
    quality_table,
    recordings_table,
)
from engine.feed.mailbox import FeedKey
from engine.feed.quality import FeedQuality
from engine.store.base import Gap, QualityNote, Recording
from engine.store.flight.files import Manifest
from engine.store.flight.listing import Flight
from tests.engine.store.events import KEY, OTHER, SECOND_NS, START_NS

EVIL = "<img src=x onerror=alert(1)>"


def recording(**changed: object) -> Recording:
    fields: dict[str, object] = {
        "id": "20231114-221320-abcdef", "started_ns": START_NS, "ended_ns": START_NS + 90 * SECOND_NS,
        "ending": "stopped", "feeds": (KEY, OTHER), "events": 1_234, "level_rows": 5_000, "gaps": 0,
        "size_bytes": 2_500_000, "note": "", "versions": {}, **changed,
    }  # fmt: skip
    return Recording(**fields)  # type: ignore[arg-type]


def test_a_row_says_what_from_when_to_when_how_much_and_how_it_ended() -> None:
    words = recordings_table([recording()], "")
    for word in ("2023-11-14 22:13:20 UTC", "90 s", "mock BTCUSDT, mock ETHUSDT", "1,234", "2.5 MB", "none", "stopped"):
        assert word in words
    assert 'data-rows="1"' in words


def test_a_crash_is_told_and_the_chosen_one_is_marked() -> None:
    words = recordings_table([recording(ending="cut off", gaps=3)], "20231114-221320-abcdef")
    assert "cut off by a crash" in words
    assert "td-is-active" in words
    assert ">3<" in words


def test_what_is_not_known_is_not_zero() -> None:
    words = recordings_table([recording(ended_ns=None, ending="running", size_bytes=None)], "")
    assert words.count("<td>–</td>") == 3
    assert "being recorded" in words
    assert quality_table(recording(), []).count("<td>–</td>") == 20


def test_no_word_of_others_becomes_part_of_the_page() -> None:
    key: FeedKey = (EVIL, EVIL, "stream")
    shown = recording(note=EVIL, feeds=(key,))
    report = FeedQuality().report(START_NS)
    flight = Flight(Path(EVIL), Manifest(EVIL, EVIL, START_NS), 5)
    for words in (
        recordings_table([shown], ""),
        quality_table(shown, [QualityNote(key, START_NS, report)]),
        gaps_table([Gap(key, START_NS, START_NS, None, EVIL)]),
        flights_table([flight], {}),
    ):
        assert EVIL not in words
        assert "&lt;img" in words


def test_a_time_that_no_calendar_has_is_shown_as_it_stands() -> None:
    assert f"{10**25} ns" in gaps_table([Gap(None, 10**25, 10**25, 1, "x")])


def test_many_gaps_are_counted_rather_than_drawn() -> None:
    words = gaps_table([Gap(KEY, START_NS, START_NS + SECOND_NS, 7, "too slow")] * 60)
    assert "10 more" in words
    assert "7 events" in words


def test_durations_and_names_in_short() -> None:
    assert [passed(at_s) for at_s in (0, 65, 3_725)] == ["00:00", "01:05", "1:02:05"]
    assert length(START_NS, None) == "–"
    assert length(START_NS, START_NS + 3 * 3_600 * SECOND_NS) == "3.0 h"
    assert feeds_words([KEY, OTHER, ("a", "b", "poll:1"), KEY]) == "mock BTCUSDT, mock ETHUSDT, a b (poll:1) and 1 more"
    assert feeds_words([]) == "–"
