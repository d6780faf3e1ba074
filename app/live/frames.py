"""The binary frame: what one feed tells the panels at one tick of the frame clock. Pure.

Layout, little-endian. A header of 88 bytes, then sections. A socket message is one or more whole frames, end to end.

    header    u8 version, u8 kind, u16 feed number, u32 seq, u32 length of the frame,
              u8 state, u8 source, u8 price decimals, u8 size decimals,
              f64 × 9: server time, last update, oldest and newest `received` of this frame (all ms UTC),
              updates, bid, bid size, ask, ask size; NaN is unknown
    section   u8 tag, u8 0, u16 count, u32 bytes, payload

    META     JSON object: key, tick, reason, hint, attempt, next_try_ms, notice, stale_after_s
    BIDS     count × (f64 price, f64 size); size 0 removes. Whole side in a snapshot or overlap, changes in a delta
    ASKS     the same
    DEPTH    count = bid points; payload of f64 pairs (price, cumulative size), bids then asks, best first
    TRADES   f64 number of the first trade (1, 2, 3 … per feed), then columns: f64 time ms, f64 price, f64 size,
             i8 aggressor, u8 flags (1 = backfill)
    POINTS   count × (f64 time ms, f64 bid, f64 ask)
    SIGNALS  JSON array of [time ms, direction, strength, price, strategy, reason]
    GAPS     count × (f64 from ms, f64 to ms; NaN while open); always the whole list
    QUALITY  f64 × 18 in the order of `QUALITY_FIELDS`
    10 … 19  order flow: see `app/live/flow_frames.py`

`app/assets/codec.js` is the other end.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from itertools import chain
from struct import Struct as Layout
from typing import Any, NamedTuple

import msgspec

from engine.feed.mailbox import Point
from engine.feed.quality import QualityReport
from engine.market.events import FeedState, Level, Trade
from engine.market.signal import Signal

VERSION = 1
HEARTBEAT, DELTA, SNAPSHOT, OVERLAP = range(4)
META, BIDS, ASKS, DEPTH, TRADES, POINTS, SIGNALS, GAPS, QUALITY = range(1, 10)
BACKFILL = 1

STATES = tuple(FeedState)
SOURCES = ("stream", "poll", "replay", "mock", "synthetic")
QUALITY_FIELDS = (
    "rate_per_s", "gaps", "resyncs", "duplicates", "out_of_order", "crossed", "decode_errors", "dropped",
    "reconnects", "trades", "exchange_p50_ms", "exchange_p95_ms", "exchange_p99_ms", "drained_p50_ms",
    "drained_p95_ms", "drained_p99_ms", "clock_skew_ms", "clock_skew_measured",
)  # fmt: skip

NAN = float("nan")
_HEADER = Layout("<BBHIIBBBB9d")
_SECTION = Layout("<BxHI")
_COUNT = Layout("<d")
HEADER_BYTES = _HEADER.size
_STATE_NUMBERS = {state: number for number, state in enumerate(STATES)}
_SOURCE_NUMBERS = {source: number for number, source in enumerate(SOURCES)}
_encode_json = msgspec.json.Encoder().encode


class Header(NamedTuple):
    """What every frame carries, whatever else is in it; None is unknown."""

    kind: int
    feed: int
    seq: int
    state: FeedState
    source: str
    price_decimals: int
    size_decimals: int
    server_ns: int
    last_ns: int | None
    oldest_ns: int | None
    newest_ns: int | None
    updates: int
    bid: float | None
    bid_size: float | None
    ask: float | None
    ask_size: float | None


def frame(header: Header, sections: Sequence[bytes]) -> bytes:
    """One whole frame."""
    body = b"".join(sections)
    return (
        _HEADER.pack(
            VERSION, header.kind, header.feed, header.seq & 0xFFFFFFFF, HEADER_BYTES + len(body),
            _STATE_NUMBERS[header.state], _SOURCE_NUMBERS[header.source], header.price_decimals, header.size_decimals,
            header.server_ns / 1e6, _ms(header.last_ns), _ms(header.oldest_ns), _ms(header.newest_ns),
            header.updates, _known(header.bid), _known(header.bid_size), _known(header.ask), _known(header.ask_size),
        )
        + body
    )  # fmt: skip


def meta_section(meta: dict[str, Any]) -> bytes:
    """What is said in words; the JSON carries null for unknown."""
    return section(META, 1, _encode_json(meta))


def levels_section(tag: int, levels: Sequence[Level]) -> bytes:
    """Levels of one side (`BIDS` or `ASKS`)."""
    return section(tag, len(levels), doubles(chain.from_iterable(levels)))


def depth_section(bids: Sequence[Level], asks: Sequence[Level]) -> bytes:
    """Cumulative sizes of both sides, best first."""
    return section(DEPTH, len(bids), doubles(chain(chain.from_iterable(bids), chain.from_iterable(asks))))


def trades_section(first_number: int, trades: Sequence[Trade]) -> bytes:
    """Trades in order; the first one bears `first_number`."""
    payload = b"".join(
        (
            _COUNT.pack(first_number),
            doubles([(trade.exchange_ns or trade.received_ns) / 1e6 for trade in trades]),
            doubles([trade.price for trade in trades]),
            doubles([trade.size for trade in trades]),
            array("b", [trade.aggressor for trade in trades]).tobytes(),
            bytes([BACKFILL if trade.backfill else 0 for trade in trades]),
        )
    )
    return section(TRADES, len(trades), payload)


def points_section(points: Sequence[Point]) -> bytes:
    """Best bid and ask over time, oldest first."""
    values = chain.from_iterable([(point.received_ns / 1e6, point.bid, point.ask) for point in points])
    return section(POINTS, len(points), doubles(values))


def signals_section(signals: Sequence[Signal]) -> bytes:
    """Opinions, oldest first."""
    rows = [(s.at_ns / 1e6, s.direction, s.strength, s.price, s.strategy, s.reason) for s in signals]
    return section(SIGNALS, len(rows), _encode_json(rows))


def gaps_section(gaps: Sequence[tuple[int, int | None]]) -> bytes:
    """All known intervals without data."""
    values = chain.from_iterable([(start / 1e6, _ms(end)) for start, end in gaps])
    return section(GAPS, len(gaps), doubles(values))


def quality_section(report: QualityReport) -> bytes:
    """How far to trust the feed."""
    transit, drained = report.exchange_to_received, report.received_to_drained
    values = (
        report.rate_per_s, report.gaps, report.resyncs, report.duplicates, report.out_of_order, report.crossed,
        report.decode_errors, report.dropped, report.reconnects, report.trades,
        transit.p50_ms, transit.p95_ms, transit.p99_ms, drained.p50_ms, drained.p95_ms, drained.p99_ms,
        report.clock_skew_ms, report.clock_skew_measured,
    )  # fmt: skip
    return section(QUALITY, len(values), doubles([_known(value) for value in values]))


def section(tag: int, count: int, payload: bytes) -> bytes:
    """One section of a frame."""
    return _SECTION.pack(tag, count, len(payload)) + payload


def doubles(values: Iterable[float]) -> bytes:
    """Numbers as they travel."""
    packed = array("d", values)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def _ms(ns: int | None) -> float:
    return NAN if ns is None else ns / 1e6


def _known(value: float | None) -> float:
    return NAN if value is None else value
