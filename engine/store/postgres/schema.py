"""The tables in PostgreSQL, and what turns them into hypertables where TimescaleDB is present.

They have the columns of the DuckDB file (engine/store/duckdb_file/schema.py), and lie in the schema that the connection
finds first. Rows are only ever added, and deleted with their recording. `flushes.bytes` is what a flush sent: the
server gives no disk space back when rows are deleted, so what its files measure would never shrink. Orders and fills
are few: their tables are ordinary ones everywhere.
"""

from __future__ import annotations

VERSION = 2
ENTRY_TABLES = ("books", "trades", "quotes", "notes")
REPORT_TABLES = ("orders", "fills")
TABLES_OF_A_RECORDING = (*ENTRY_TABLES, *REPORT_TABLES, "gaps", "quality", "flushes", "feeds", "endings")
ALL_TABLES = (*TABLES_OF_A_RECORDING, "recordings", "market_depth", "candle_bars", "schema_version")

_HEAD = "recording integer NOT NULL, idx bigint NOT NULL, feed integer NOT NULL, at_ns bigint NOT NULL"
_TIMES = f"{_HEAD}, exchange_ns bigint, source text"
_REPORTS = f"""
CREATE TABLE orders(
    {_TIMES}, client_order_id text, venue_order_id text, side text, order_type text, time_in_force text,
    quantity text, price text, trigger_price text, filled_quantity text, average_price text, status text, reason text,
    broker text, strategy text, post_only boolean, reduce_only boolean, expires_ns bigint);
CREATE TABLE fills(
    {_TIMES}, fill_id text, client_order_id text, venue_order_id text, side text, price text, quantity text, fee text,
    fee_currency text, liquidity text, broker text, strategy text);
{"".join(f"CREATE INDEX ON {name}(recording, idx);" for name in REPORT_TABLES)}
CREATE INDEX ON market_depth(recording, ts_utc);
"""
TABLES = f"""
CREATE TABLE recordings(
    number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text UNIQUE, started_ns bigint, note text,
    versions text);
CREATE TABLE endings(recording integer PRIMARY KEY, ended_ns bigint, ending text);
CREATE TABLE feeds(
    recording integer, feed integer, venue text, symbol text, mode text, event_venue text, event_symbol text,
    PRIMARY KEY (recording, feed));
CREATE TABLE flushes(
    recording integer, first_idx bigint, last_idx bigint, first_ns bigint, last_ns bigint,
    events bigint, level_rows bigint, bytes bigint, orders bigint, fills bigint);
CREATE TABLE books(
    {_TIMES}, whole boolean, bids integer, prices double precision[], sizes double precision[],
    first_sequence bigint, last_sequence bigint, previous_sequence bigint, checksum bigint, depth bigint, wire text);
CREATE TABLE trades(
    {_TIMES}, price double precision, size double precision, aggressor smallint, trade_id bigint, trade_name text,
    backfill boolean, exact_size text);
CREATE TABLE quotes(
    {_TIMES}, bid double precision, bid_size double precision, ask double precision, ask_size double precision,
    sequence bigint);
CREATE TABLE notes({_HEAD}, kind text, body text, packed bytea);
CREATE TABLE gaps(recording integer, feed integer, from_ns bigint, to_ns bigint, lost bigint, reason text);
CREATE TABLE quality(recording integer, feed integer, at_ns bigint, report text);
CREATE TABLE market_depth(
    symbol text, ts_utc bigint NOT NULL, bids text, asks text, provider text,
    mid_price double precision, spread double precision, imbalance double precision, recording text NOT NULL);
CREATE TABLE candle_bars(
    symbol text, timeframe text, ts_utc bigint NOT NULL, open double precision, high double precision,
    low double precision, close double precision, volume double precision, buy_volume double precision,
    sell_volume double precision, provider text, recording text NOT NULL);
{"".join(f"CREATE INDEX ON {name}(recording, idx);" for name in ENTRY_TABLES)}
{_REPORTS}
CREATE UNIQUE INDEX ON flushes(recording, first_idx);
CREATE INDEX ON market_depth(symbol, ts_utc);
CREATE UNIQUE INDEX ON candle_bars(recording, provider, symbol, timeframe, ts_utc);
"""

MIGRATIONS = {
    1: f"ALTER TABLE flushes ADD COLUMN orders bigint; ALTER TABLE flushes ADD COLUMN fills bigint; {_REPORTS}",
}
"""What turns tables of version N into those of N + 1: since 2 there are orders and fills."""
REPORTS_SINCE = 2

DAY_NS, DAY_MS = 86_400_000_000_000, 86_400_000
HYPERTABLES = {**dict.fromkeys(ENTRY_TABLES, ("at_ns", DAY_NS)), "market_depth": ("ts_utc", DAY_MS),
               "candle_bars": ("ts_utc", 30 * DAY_MS)}  # fmt: skip
"""By which column, and in pieces of what length, TimescaleDB keeps a table."""
MAKE_HYPERTABLE = "SELECT create_hypertable(%s::regclass, %s::name, chunk_time_interval => %s::bigint)"
