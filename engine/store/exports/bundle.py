"""A session in one file that opens on another machine: what it holds, by name, and how much of it is believed.

A zip archive: `manifest.json` (what is in it, with sizes and SHA-256), `settings.json` (without secrets),
`quality.txt` (for people), `rows/….json` (gaps, quality, sampled books, bars; of the latter two perhaps several files)
and `entries/000001.msgpack` … (the events in order, every number bit for bit). Nothing is ever unpacked to a path that
the archive names.
"""

from __future__ import annotations

import re

from msgspec import Struct

from engine.feed.mailbox import FeedKey
from engine.store.base import Entered, Recording

ENDING = ".tapedeck.zip"
FORMAT = "tapedeck session"
SCHEMA = 2
"""2: orders and fills may be among the entries, rows may be in several files. Bundles of schema 1 are read as well."""
MANIFEST = "manifest.json"
SETTINGS = "settings.json"
QUALITY_TEXT = "quality.txt"
GAPS, QUALITY, DEPTH, BARS = "rows/gaps.json", "rows/quality.json", "rows/market_depth.json", "rows/candle_bars.json"
MORE_ROWS = re.compile(r"(rows/(?:market_depth|candle_bars))-\d{6}\.json")
"""Where there are too many rows for one file; the first ones are always in `DEPTH` or `BARS`."""
KNOWN = frozenset({SETTINGS, QUALITY_TEXT, GAPS, QUALITY, DEPTH, BARS})
CHUNK_NAME = re.compile(r"entries/\d{6}\.msgpack")


def rows_name(name: str, number: int) -> str:
    """The file with the rows of that number, counted from 1; `name` is that of the first one."""
    return name if number == 1 else f"{name.removesuffix('.json')}-{number:06d}.json"


def chunk_name(number: int) -> str:
    return f"entries/{number:06d}.msgpack"


class Limits(Struct, frozen=True):
    """What a bundle may cost us, unpacked: in all, for one file of entries, for one of the others, and their number."""

    total_bytes: int = 16 << 30
    chunk_bytes: int = 128 << 20
    file_bytes: int = 1 << 30
    files: int = 1_000_000


class BundleFile(Struct, frozen=True):
    """One file of a bundle: its size unpacked, in bytes, and the SHA-256 over that, in hex."""

    name: str
    size: int
    sha256: str


class Manifest(Struct, frozen=True):
    """What a bundle says of itself. `entries` counts whatever was recorded.

    `left_out` says what did not come along, in words: of bundles of schema 1; since then everything does.
    """

    format: str
    schema: int
    made_ns: int
    recording: Recording
    entries: int
    versions: dict[str, str]
    files: tuple[BundleFile, ...]
    left_out: str = ""


class Mark(Struct, frozen=True):
    """The part of a manifest that every schema has."""

    format: str
    schema: int


class Chunk(Struct, frozen=True, array_like=True):
    """Some entries: index, position of the feed's key in `keys`, and the event itself."""

    keys: tuple[FeedKey, ...]
    entries: list[tuple[int, int, Entered]]
