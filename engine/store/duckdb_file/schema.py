"""The tables of the DuckDB file, and how a file of an older version becomes one of today's.

Rows are only ever added (and deleted with their recording), never changed: a recording's counts are the sums over its
`flushes`, and its end is a row of `endings`. So whatever was committed stays as it was, whenever the process dies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from engine.errors import StoreError

VERSION = 2
TABLES_OF_A_RECORDING = (
    "books", "trades", "quotes", "orders", "fills", "notes", "gaps", "quality", "flushes", "feeds", "endings",
)  # fmt: skip
"""What is deleted with it, beside its row in `recordings` and its rows in the two tables for everybody."""

_HEAD = "recording INTEGER, idx BIGINT, feed INTEGER, at_ns BIGINT"
_TIMES = f"{_HEAD}, exchange_ns BIGINT, source VARCHAR"
_REPORTS = (
    f"CREATE TABLE orders({_TIMES}, client_order_id VARCHAR, venue_order_id VARCHAR, side VARCHAR, order_type VARCHAR, "
    "time_in_force VARCHAR, quantity VARCHAR, price VARCHAR, trigger_price VARCHAR, filled_quantity VARCHAR, "
    "average_price VARCHAR, status VARCHAR, reason VARCHAR, broker VARCHAR, strategy VARCHAR, post_only BOOLEAN, "
    "reduce_only BOOLEAN, expires_ns BIGINT);",
    f"CREATE TABLE fills({_TIMES}, fill_id VARCHAR, client_order_id VARCHAR, venue_order_id VARCHAR, side VARCHAR, "
    "price VARCHAR, quantity VARCHAR, fee VARCHAR, fee_currency VARCHAR, liquidity VARCHAR, broker VARCHAR, "
    "strategy VARCHAR);",
)
"""Amounts of money are texts: no decimal type of the database keeps every digit, and the zeros behind them, of any."""
TABLES = f"""
CREATE TABLE recordings(number INTEGER, id VARCHAR, started_ns BIGINT, note VARCHAR, versions VARCHAR);
CREATE TABLE endings(recording INTEGER, ended_ns BIGINT, ending VARCHAR);
CREATE TABLE feeds(
    recording INTEGER, feed INTEGER, venue VARCHAR, symbol VARCHAR, mode VARCHAR,
    event_venue VARCHAR, event_symbol VARCHAR);
CREATE TABLE flushes(
    recording INTEGER, first_idx BIGINT, last_idx BIGINT, first_ns BIGINT, last_ns BIGINT,
    events BIGINT, level_rows BIGINT, orders BIGINT, fills BIGINT);
CREATE TABLE books(
    {_TIMES}, whole BOOLEAN, bids INTEGER, prices DOUBLE[], sizes DOUBLE[], first_sequence BIGINT,
    last_sequence BIGINT, previous_sequence BIGINT, checksum BIGINT, depth BIGINT, wire VARCHAR);
CREATE TABLE trades(
    {_TIMES}, price DOUBLE, size DOUBLE, aggressor TINYINT, trade_id BIGINT, trade_name VARCHAR,
    backfill BOOLEAN, exact_size VARCHAR);
CREATE TABLE quotes(
    {_TIMES}, bid DOUBLE, bid_size DOUBLE, ask DOUBLE, ask_size DOUBLE, sequence BIGINT);
{"".join(_REPORTS)}
CREATE TABLE notes({_HEAD}, kind VARCHAR, body VARCHAR, packed BLOB);
CREATE TABLE brought_in(serial BIGINT);
CREATE TABLE gaps(recording INTEGER, feed INTEGER, from_ns BIGINT, to_ns BIGINT, lost BIGINT, reason VARCHAR);
CREATE TABLE quality(recording INTEGER, feed INTEGER, at_ns BIGINT, report VARCHAR);
CREATE TABLE market_depth(
    symbol VARCHAR, ts_utc BIGINT, bids VARCHAR, asks VARCHAR, provider VARCHAR,
    mid_price DOUBLE, spread DOUBLE, imbalance DOUBLE, recording VARCHAR);
CREATE TABLE candle_bars(
    symbol VARCHAR, timeframe VARCHAR, ts_utc BIGINT, open DOUBLE, high DOUBLE, low DOUBLE, close DOUBLE,
    volume DOUBLE, buy_volume DOUBLE, sell_volume DOUBLE, provider VARCHAR, recording VARCHAR);
"""
MIGRATIONS: Mapping[int, Sequence[str]] = MappingProxyType(
    {
        1: (
            *_REPORTS,
            "ALTER TABLE flushes ADD COLUMN orders BIGINT",
            "ALTER TABLE flushes ADD COLUMN fills BIGINT",
        ),
    }
)
"""What turns a file of version N into one of N + 1: since 2 there are orders and fills."""
REPORTS_SINCE = 2


def prepare(
    connection: Any,
    *,
    version: int = VERSION,
    tables: str = TABLES,
    migrations: Mapping[int, Sequence[str]] = MIGRATIONS,
) -> int:
    """Make the tables of a new file, or bring those of an older one up to date, in one transaction; what it was before.

    0 stands for a new file.

    Raises:
        StoreError: the file is of a newer version than this program knows.
    """
    found = version_of(connection)
    if found == version:
        return found
    check(found, version)
    steps = [tables] if found == 0 else [step for number in range(found, version) for step in migrations[number]]
    connection.begin()
    for step in ["CREATE TABLE IF NOT EXISTS schema_version(version INTEGER)", "DELETE FROM schema_version", *steps]:
        connection.execute(step)
    connection.execute("INSERT INTO schema_version VALUES (?)", [version])
    connection.commit()
    return found


def version_of(connection: Any) -> int:
    """The version of the tables in a file; 0 where there are none.

    Raises:
        StoreError: there are tables, but not ours.
    """
    names = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if not names:
        return 0
    if "schema_version" not in names:
        raise StoreError(
            "the file is a DuckDB database, but not one of recordings",
            hint="Name another file in STORE_URL; nothing was changed in this one.",
        )
    ((found,),) = connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchall()
    return int(found)


def check(found: int, version: int) -> None:
    """Raise StoreError if a file is newer than this program."""
    if found > version:
        raise StoreError(
            f"the file has tables of version {found}, this program knows versions up to {version}",
            hint="Use the newer program that wrote it, or name another file in STORE_URL.",
        )
