"""A recording as tables for spreadsheets, CSV files in one zip archive. To be replayed elsewhere: a session bundle."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import msgspec

from engine.market.events import BUY, SELL, BookDelta, BookSnapshot, FeedStatus, Quote, Trade
from engine.market.signal import Signal
from engine.store.base import Entry, Store, time_ns
from engine.store.copying import rows_of
from engine.store.drafts import drafted
from engine.store.work import ProgressCall

EVERY = 2_000
FORMULA = ("=", "+", "-", "@", "\t", "\r")
SIDES = {BUY: "buy", SELL: "sell"}
COMMON = ("index", "time_utc", "received_ns", "venue", "symbol", "mode", "exchange_ns", "source")
TABLES: dict[str, tuple[str, ...]] = {
    "books": (*COMMON, "kind", "first_sequence", "last_sequence", "side", "price", "size"),
    "quotes": (*COMMON, "sequence", "bid", "bid_size", "ask", "ask_size"),
    "trades": (*COMMON, "trade_id", "side", "price", "size", "exact_size", "backfill"),
    "statuses": (*COMMON, "state", "reason", "hint", "attempt"),
    "signals": (*COMMON, "strategy", "direction", "strength", "confidence", "price", "reason"),
}

Row = Callable[[Sequence[Any]], object]


def write_csv(store: Store, recording_id: str, path: Path, progress: ProgressCall) -> int:
    """Write `books.csv`, `quotes.csv`, `trades.csv`, `statuses.csv`, `signals.csv`, `gaps.csv`, `market_depth.csv` and
    `candle_bars.csv` into the zip archive `path`; how many entries.

    A size of 0 in `books.csv` removes the level. Text that a spreadsheet would take for a formula begins with '.

    Raises:
        StoreError: the store or the disk failed, or it was called off; then there is no file.
    """
    total = store.recording(recording_id).events
    with drafted(path) as draft, TemporaryDirectory(dir=path.parent, prefix=".csv-") as name:
        folder = Path(name)
        count = _write_entries(store.read(recording_id), folder, progress, total)
        _write_rows(store, recording_id, folder)
        with ZipFile(draft, "w", ZIP_DEFLATED) as archive:
            for file in sorted(folder.glob("*.csv")):
                progress(count, total, f"packing {file.name}")
                archive.write(file, file.name)
    return count


def _write_entries(entries: Iterable[Entry], folder: Path, progress: ProgressCall, total: int) -> int:
    count = 0
    with ExitStack() as stack:
        rows: dict[str, Row] = {}
        for name, columns in TABLES.items():
            file = stack.enter_context((folder / f"{name}.csv").open("w", newline="", encoding="utf-8"))
            rows[name] = csv.writer(file).writerow
            rows[name](columns)
        for count, entry in enumerate(entries, 1):
            _write(entry, rows)
            if count % EVERY == 1:
                progress(count, total, "events")
    return count


def _write(entry: Entry, rows: dict[str, Row]) -> None:
    event = entry.event
    at_ns = time_ns(event)
    exchange_ns = None if isinstance(event, FeedStatus | Signal) else event.exchange_ns
    venue, symbol, mode = entry.key
    begin = (entry.index, _iso(at_ns), at_ns, safe(venue), safe(symbol), mode, exchange_ns, event.source)
    if isinstance(event, BookSnapshot | BookDelta):
        _write_levels(begin, event, rows["books"])
    elif isinstance(event, Trade):
        side = SIDES.get(event.aggressor, "")
        mark = safe(event.trade_id) if isinstance(event.trade_id, str) else event.trade_id
        rows["trades"]((*begin, mark, side, event.price, event.size, event.exact_size, event.backfill))
    elif isinstance(event, Quote):
        rows["quotes"]((*begin, event.sequence, event.bid, event.bid_size, event.ask, event.ask_size))
    elif isinstance(event, FeedStatus):
        rows["statuses"]((*begin, event.state, safe(event.reason), safe(event.hint), event.attempt))
    else:
        words = safe(event.reason)
        told = (safe(event.strategy), event.direction, event.strength, event.confidence, event.price, words)
        rows["signals"]((*begin, *told))


def _write_levels(begin: tuple[object, ...], event: BookSnapshot | BookDelta, write: Row) -> None:
    if isinstance(event, BookSnapshot):
        numbers: tuple[object, ...] = ("snapshot", None, event.sequence)
    else:
        numbers = ("delta", event.first_sequence, event.last_sequence)
    for side, levels in (("bid", event.bids), ("ask", event.asks)):
        for price, size in levels:
            write((*begin, *numbers, side, price, size))


def _write_rows(store: Store, recording_id: str, folder: Path) -> None:
    rows = rows_of(store, recording_id)
    with (folder / "gaps.csv").open("w", newline="", encoding="utf-8") as file:
        write = csv.writer(file).writerow
        write(("venue", "symbol", "mode", "from_ns", "to_ns", "lost", "reason"))
        for gap in rows.gaps:
            key = [safe(part) for part in gap.key or ("", "", "")]
            write((*key, gap.from_ns, gap.to_ns, gap.lost, safe(gap.reason)))
    tables = (("market_depth", rows.depth), ("candle_bars", rows.bars))
    for name, values in tables:
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            write = csv.writer(file).writerow
            for number, value in enumerate(values):
                items = msgspec.structs.asdict(value)
                if not number:
                    write(items)
                write([safe(item) if isinstance(item, str) else item for item in items.values()])


def safe(text: str) -> str:
    """Words of others that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _iso(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{at_ns % 10**9:09d}Z"
