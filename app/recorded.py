"""Recordings in words and tables, as HTML; every word of others is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from app.words import UNKNOWN, number, seconds
from engine.feed.mailbox import FeedKey
from engine.store.base import Gap, MarketDepth, QualityNote, Recording
from engine.store.flight.listing import Flight
from engine.store.flight.recorder import FlightState
from engine.store.report import feed_name, gap_words, last_notes, moment, size_words

FEEDS_SHOWN = 3
GAPS_SHOWN = 50
LONGEST_CELL = 120
ENDINGS = {"running": "● being recorded", "stopped": "stopped", "cut off": "⚠️ cut off by a crash"}
QUALITY_HEADS = (
    "Feed", "Updates", "Trades", "Gaps", "Resyncs", "Crossed", "Bad checksums", "Not decoded", "Dropped", "Reconnects",
    "p95 to us",
)  # fmt: skip

Row = tuple[Mapping[str, str], Sequence[str]]
"""A row's attributes and its cells."""


def length(started_ns: int, ended_ns: int | None) -> str:
    """How long something took."""
    if ended_ns is None:
        return UNKNOWN
    whole = max(0, ended_ns - started_ns) / 1e9
    return seconds(whole) if whole < 7_200 else f"{whole / 3600:.1f} h"


def passed(length_s: float) -> str:
    """A running clock: `02:05`, `1:02:05`."""
    minutes, rest = divmod(int(max(0.0, length_s)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"


def feeds_words(keys: Sequence[FeedKey], most: int = FEEDS_SHOWN) -> str:
    """The first few feeds by name, and how many more there are."""
    shown = ", ".join([feed_name(key) for key in keys[:most]])
    return shown + (f" and {len(keys) - most} more" if len(keys) > most else "") or UNKNOWN


def label(recording: Recording) -> str:
    """One recording in a list to choose from."""
    words = f"{moment(recording.started_ns)} · {feeds_words(recording.feeds)}"
    return f"{words} · {recording.note[:60]}" if recording.note else words


def table(name: str, heads: Iterable[str], rows: Sequence[Row], empty: str) -> str:
    """A table of plain cells; `rows` are attributes and cells. Both are escaped here."""
    head = "".join([f"<th>{escape(one)}</th>" for one in heads])
    body = "".join([_row(attributes, cells) for attributes, cells in rows])
    body = body or f'<tr><td colspan="12">{escape(empty)}</td></tr>'
    return (
        f'<div class="td-scroll"><table class="td-table" data-table="{name}" data-rows="{len(rows)}">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(attributes: Mapping[str, str], cells: Sequence[str]) -> str:
    said = "".join([f' {name}="{escape(value, quote=True)}"' for name, value in attributes.items()])
    drawn = "".join([f"<td>{escape(_short(cell))}</td>" for cell in cells])
    return f"<tr{said}>{drawn}</tr>"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"


def recordings_table(recordings: Sequence[Recording], chosen: str) -> str:
    """Newest first, as they are given."""
    heads = ("From", "To", "Length", "Feeds", "Events", "Size", "Gaps", "How it ended", "Note")
    rows = [_recording_row(recording, chosen) for recording in recordings]
    return table("recordings", heads, rows, "Nothing was recorded yet.")


def _recording_row(recording: Recording, chosen: str) -> Row:
    attributes = {"data-recording": recording.id, "data-ending": recording.ending}
    if recording.id == chosen:
        attributes["class"] = "td-is-active"
    return attributes, (
        moment(recording.started_ns),
        moment(recording.ended_ns),
        length(recording.started_ns, recording.ended_ns),
        feeds_words(recording.feeds),
        f"{recording.events:,}",
        size_words(recording.size_bytes),
        f"{recording.gaps:,}" if recording.gaps else "none",
        ENDINGS[recording.ending],
        recording.note,
    )


def quality_table(recording: Recording, notes: Sequence[QualityNote]) -> str:
    """What each feed said last of its quality while it was recorded."""
    found = last_notes(notes)
    rows: list[Row] = []
    for key in recording.feeds:
        cells = [feed_name(key)]
        if key in found:
            report = found[key].report
            counts = (
                report.updates, report.trades, report.gaps, report.resyncs, report.crossed, report.checksums_bad,
                report.decode_errors, report.dropped, report.reconnects,
            )  # fmt: skip
            cells += [f"{count:,}" for count in counts]
            cells.append(number(report.exchange_to_received.p95_ms, 1, " ms"))
        else:
            cells += [UNKNOWN] * (len(QUALITY_HEADS) - 1)
        rows.append(({"data-feed": feed_name(key)}, cells))
    return table("recording-quality", QUALITY_HEADS, rows, "No feed.")


def gaps_table(gaps: Sequence[Gap]) -> str:
    """What is missing, the first 50."""
    rows: list[Row] = [({}, (moment(gap.from_ns), gap_words(gap))) for gap in gaps[:GAPS_SHOWN]]
    if len(gaps) > GAPS_SHOWN:
        rows.append(({}, ("…", f"{len(gaps) - GAPS_SHOWN:,} more")))
    return table("recording-gaps", ("From", "What is missing"), rows, "Nothing is missing.")


def flights_table(flights: Sequence[Flight], running: Mapping[str, FlightState]) -> str:
    """Recordings of raw frames; `running` are those that are being written, by the names of their folders."""
    heads = ("From", "To", "Venue", "Records", "Size", "Lost", "How it ended", "Frames")
    rows = [_flight_row(flight, running.get(flight.name)) for flight in flights]
    return table("flights", heads, rows, "No raw frames were recorded yet.")


def _flight_row(flight: Flight, running: FlightState | None) -> Row:
    manifest = flight.manifest
    # The manifest is written when a file is complete: until then whoever writes it knows more.
    records, lost = (running.records, running.lost) if running else (flight.records, manifest.lost)
    ending = ENDINGS["running" if running else "cut off" if flight.cut_off else "stopped"]
    return {"data-flight": flight.name}, (
        moment(manifest.started_ns),
        moment(manifest.ended_ns),
        manifest.connector,
        f"{records:,}",
        size_words(flight.size_bytes),
        f"{lost:,}" if lost else "none",
        ending,
        manifest.frames or "as they were on the wire",
    )


def depth_table(name: str, rows: Sequence[MarketDepth]) -> str:
    """Sampled books, newest first."""
    cells: list[Row] = [
        (
            {},
            (
                moment(row.ts_utc * 1_000_000), row.symbol, row.provider, number(row.mid_price, 4),
                number(row.spread, 4), number(row.imbalance, 3), row.bids, row.asks,
            ),
        )
        for row in rows
    ]  # fmt: skip
    heads = ("ts_utc", "symbol", "provider", "mid_price", "spread", "imbalance", "bids", "asks")
    return table(name, heads, cells, "No row.")
