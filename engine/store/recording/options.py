"""How recordings are made and how long they are kept."""

from __future__ import annotations

from msgspec import Struct

from engine.settings import Settings


class RecordOptions(Struct, frozen=True):
    """What the settings say of recordings (`STORE_URL`, `RECORD_*`).

    `flush_s` is how much a crash may cost at most; `depth_every_s` how often a row goes to `market_depth` (0: never),
    `timeframes` which bars go to `candle_bars`. Recordings older than `keep_days` are deleted, and the oldest ones
    while all together are larger than `max_gb` (0: no such limit). `capacity` is how many events may wait.
    """

    store_url: str = "duckdb:///data/tape.duckdb"
    flush_s: float = 1.0
    depth_every_s: float = 5.0
    timeframes: tuple[str, ...] = ("1m",)
    keep_days: float = 0.0
    max_gb: float = 10.0
    capacity: int = 50_000


def options_from(settings: Settings) -> RecordOptions:
    """What these settings say."""
    return RecordOptions(
        settings.store_url, settings.record_flush_s, settings.record_depth_every_s, settings.record_timeframes,
        settings.record_keep_days, settings.record_max_gb,
    )  # fmt: skip
