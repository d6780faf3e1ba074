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
from msgspec import Struct

from engine.market.events import BUY, SELL, BookDelta, BookSnapshot, FeedStatus, Quote, Trade
from engine.market.orders import Fill, OrderUpdate
from engine.market.signal import Signal
from engine.store.base import CandleBar, Entry, MarketDepth, Store, time_ns
from engine.store.copying import in_runs, rows_of
from engine.store.drafts import drafted
from engine.store.work import ProgressCall

EVERY = 2_000
FORMULA = ("=", "+", "-", "@", "\t", "\r")
SIDES = {BUY: "buy", SELL: "sell"}
COMMON = ("index", "time_utc", "received_ns", "venue", "symbol", "mode", "exchange_ns", "source")
_OWN_FIELDS: dict[type, tuple[str, ...]] = {
    kind: tuple([name for name in kind.__struct_fields__ if name not in COMMON]) for kind in (OrderUpdate, Fill)
}
TABLES: dict[str, tuple[str, ...]] = {
    "books": (*COMMON, "kind", "first_sequence", "last_sequence", "side", "price", "size"),
    "quotes": (*COMMON, "sequence", "bid", "bid_size", "ask", "ask_size"),
    "trades": (*COMMON, "trade_id", "side", "price", "size", "exact_size", "backfill"),
    "statuses": (*COMMON, "state", "reason", "hint", "attempt"),
    "signals": (*COMMON, "strategy", "direction", "strength", "confidence", "price", "reason"),
    "orders": (*COMMON, *_OWN_FIELDS[OrderUpdate]),
    "fills": (*COMMON, *_OWN_FIELDS[Fill]),
}

Row = Callable[[Sequence[Any]], object]


def write_csv(store: Store, recording_id: str, path: Path, progress: ProgressCall) -> int:
    """Write the tables of `TABLES`, `gaps.csv`, `market_depth.csv` and `candle_bars.csv` into the zip archive `path`.

    Returns how many entries. A size of 0 in `books.csv` removes the level. What is unknown is empty; money stands with
    every digit. Text that a spreadsheet would take for a formula begins with '.

    Raises:
        StoreError: the store or the disk failed, or it was called off; then there is no file.
    """
    total = store.recording(recording_id).events
    with drafted(path) as draft, TemporaryDirectory(dir=path.parent, prefix=".csv-") as name:
        folder = Path(name)
        count = _write_entries(store.read(recording_id), folder, progress, total)
        _write_rows(store, recording_id, folder, lambda words: progress(count, total, words))
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
    elif isinstance(event, OrderUpdate | Fill):
        values = [getattr(event, name) for name in _OWN_FIELDS[type(event)]]
        rows["fills" if isinstance(event, Fill) else "orders"]((*begin, *[_cell(value) for value in values]))
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


def _write_rows(store: Store, recording_id: str, folder: Path, tell: Callable[[str], None]) -> None:
    rows = rows_of(store, recording_id)
    with (folder / "gaps.csv").open("w", newline="", encoding="utf-8") as file:
        write = csv.writer(file).writerow
        write(("venue", "symbol", "mode", "from_ns", "to_ns", "lost", "reason"))
        for gap in rows.gaps:
            key = [safe(part) for part in gap.key or ("", "", "")]
            write((*key, gap.from_ns, gap.to_ns, gap.lost, safe(gap.reason)))
    _write_sampled(folder / "market_depth.csv", MarketDepth, rows.depth, tell)
    _write_sampled(folder / "candle_bars.csv", CandleBar, rows.bars, tell)


def _write_sampled(path: Path, kind: type[Struct], rows: Iterable[Struct], tell: Callable[[str], None]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(kind.__struct_fields__)
        for run in in_runs(rows):
            tell(f"{path.stem}, after the events")
            writer.writerows([[_cell(value) for value in msgspec.structs.astuple(row)] for row in run])


def _cell(value: object) -> object:
    return safe(value) if isinstance(value, str) else value


def safe(text: str) -> str:
    """Words of others that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _iso(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{at_ns % 10**9:09d}Z"
