"""What a recording is worth, in words: from when to when, what is missing, what its feeds said of themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from engine.feed.mailbox import FeedKey
from engine.store.base import Gap, QualityNote, Recording

COUNTS = ("updates", "trades", "gaps", "resyncs", "crossed", "checksums_bad", "decode_errors", "dropped", "reconnects")


def last_notes(notes: Iterable[QualityNote]) -> dict[FeedKey, QualityNote]:
    """Each feed's newest word on its quality."""
    found: dict[FeedKey, QualityNote] = {}
    for note in notes:
        before = found.get(note.key)
        if before is None or note.at_ns >= before.at_ns:
            found[note.key] = note
    return found


def moment(at_ns: int | None) -> str:
    """Date and time of day in UTC; "–" for None; as it stands where no calendar has it."""
    if at_ns is None:
        return "–"
    try:
        return f"{datetime.fromtimestamp(at_ns // 1_000_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return f"{at_ns} ns"


def size_words(value: int | None) -> str:
    """Bytes as people say them; unknown is "–"."""
    if value is None:
        return "–"
    for unit, least in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= least:
            return f"{value / least:,.1f} {unit}"
    return f"{value} bytes"


def feed_name(key: FeedKey | None) -> str:
    """`venue symbol`, with the mode when it is polled; None stands for every feed."""
    if key is None:
        return "every feed"
    return f"{key[0]} {key[1]}" + (f" ({key[2]})" if key[2] != "stream" else "")


def gap_words(gap: Gap) -> str:
    """What is missing, how long, how much of it, and why."""
    lost = "an unknown number of events" if gap.lost is None else f"{gap.lost:,} events"
    length_s = (gap.to_ns - gap.from_ns) / 1e9
    return f"{feed_name(gap.key)}: {lost} from {moment(gap.from_ns)} on, {length_s:.1f} s: {gap.reason}"


def traded_words(recording: Recording) -> str:
    """How many reports on orders and how many fills a recording holds; empty where there is neither."""
    return f"orders {recording.orders:,} · fills {recording.fills:,}" if recording.orders or recording.fills else ""


def quality_text(recording: Recording, gaps: Sequence[Gap], notes: Sequence[QualityNote]) -> str:
    """The quality report that goes into a session bundle."""
    lines = [
        f"Recording {recording.id}",
        f"from {moment(recording.started_ns)} to {moment(recording.ended_ns)}, {recording.ending}",
        f"{recording.events:,} events, {recording.level_rows:,} price levels, {len(gaps):,} gaps",
        *([traded_words(recording)] if traded_words(recording) else []),
        "",
        *[f"gap: {gap_words(gap)}" for gap in gaps],
        *([""] if gaps else []),
    ]
    found = last_notes(notes)
    for key in recording.feeds:
        note = found.get(key)
        if note is None:
            lines.append(f"{feed_name(key)}: said nothing of its quality")
            continue
        counts = ", ".join([f"{getattr(note.report, name):,} {name.replace('_', ' ')}" for name in COUNTS])
        lines.append(f"{feed_name(key)}: {counts}; at {moment(note.at_ns)}")
    return "\n".join(lines) + "\n"
