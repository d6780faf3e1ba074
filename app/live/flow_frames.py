"""The sections of a frame that carry order flow; the frame around them is that of `app/live/frames.py`. Pure.

    FLOW_META  JSON object: key, tick, figures: list of [name, label, unit, about]
    FIGURES    f64 as-of ms, count × f64 value (NaN unknown), count × u8 quality (0 exact, 1 estimated, 2 partial),
               count × u8 warm-up (0 … 255)
    HEAT       f64 price step of a row, then per column: f64 begin ms, i32 lowest row, u32 rows, rows × u16 size
    SECONDS    count × f64 × 10: end ms, open, high, low, close, bought, sold, unsigned, CVD, mid
    LEVELS     count × f64 × 5: price, bought, sold, added, pulled; always all of them
    EVENTS     JSON array of [number, kind, time ms, side, size, price, quality, evidence]
    PRINTS     JSON object: bin (price step), bars: [close ms or null, delta, highest, lowest, cells, stacked]
    PROFILE    JSON object: bin (price step), area: [poc, val, vah] or null, volumes: [[bin, volume] …]
    STANDING   JSON object: failed (why the analysis stopped, or empty), state, regime, since, margin,
               walls: [[price, since ms] …], signals: active ones
    BUBBLES    count × f64 × 4: time ms, price, size, side

A size in HEAT is 0 where the book was not known, 1 for none, else 2 + 512 · (log2 of it + 40), rounded.
`app/assets/flow_codec.js` is the other end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from struct import pack
from typing import Any

import msgspec
import numpy as np

from app.flow_words import FIGURES as SHOWN
from app.live.frames import NAN, doubles, section
from engine.analysis.flow_line import FootprintBar
from engine.feed.mailbox import FeedKey
from engine.flow.analyzer import FlowMetrics
from engine.flow.book.heatmap import Column
from engine.flow.book.level_record import LevelHistory
from engine.flow.detectors.detection import Detection
from engine.flow.readings import Quality
from engine.flow.second_bars import SecondBar
from engine.flow.trades.bubbles import Bubble
from engine.flow.trades.profile import ValueArea

FLOW_META, FIGURES, HEAT, SECONDS, LEVELS, EVENTS, PRINTS, PROFILE, STANDING, BUBBLES = range(10, 20)
QUALITIES = {Quality.EXACT: 0, Quality.ESTIMATED: 1, Quality.PARTIAL: 2}
OCTAVES, STEPS = 40, 512

_json = msgspec.json.Encoder().encode


def meta(key: FeedKey, tick: float) -> bytes:
    """What is said once: whose order flow it is, and what the figures mean."""
    figures = [[figure.name, figure.label, figure.unit, figure.about] for figure in SHOWN]
    return section(FLOW_META, 1, _json({"key": key, "tick": tick, "figures": figures}))


def figures(metrics: FlowMetrics) -> bytes:
    """All figures that are shown, in the order of `app/flow_words.py`."""
    values, qualities, warm = [metrics.at_ns / 1e6], bytearray(), bytearray()
    for figure in SHOWN:
        reading = metrics.readings.get(figure.name)
        known = reading is not None and reading.value is not None
        values.append(reading.value if reading is not None and reading.value is not None else NAN)
        qualities.append(QUALITIES[reading.quality] if reading is not None else 0)
        warm.append(round(255 * min(max(reading.warm, 0.0), 1.0)) if reading is not None and known else 0)
    return section(FIGURES, len(SHOWN), doubles(values) + bytes(qualities) + bytes(warm))


def heat(columns: Sequence[Column], step: float) -> bytes:
    """Columns of the heatmap, oldest first; `step` is the price step of a row."""
    parts = [pack("<d", step)]
    for column in columns:
        parts += [pack("<diI", column.begin_ns / 1e6, column.lowest, len(column.sizes)), heat_codes(column)]
    return section(HEAT, len(columns), b"".join(parts))


def heat_codes(column: Column) -> bytes:
    """The sizes of a column as numbers of 16 bits."""
    sizes = column.sizes.astype(np.float64)
    known = ~np.isnan(sizes)
    codes = np.where(known, 1, 0).astype(np.int64)
    some = known & (sizes > 0.0)
    codes[some] = np.clip(2 + np.rint(STEPS * (np.log2(sizes[some]) + OCTAVES)), 2, 65_535)
    return codes.astype("<u2").tobytes()


def seconds(bars: Sequence[SecondBar]) -> bytes:
    """Seconds, oldest first."""
    rows = [
        (bar.t_ns / 1e6, _known(bar.open), _known(bar.high), _known(bar.low), _known(bar.close), bar.buy, bar.sell,
         bar.unsigned, bar.cvd, _known(bar.mid))
        for bar in bars
    ]  # fmt: skip
    return section(SECONDS, len(rows), doubles(chain.from_iterable(rows)))


def levels(known: Sequence[LevelHistory]) -> bytes:
    """What happened at prices near the touch."""
    rows = [(level.price, level.bought, level.sold, level.added, level.pulled) for level in known]
    return section(LEVELS, len(rows), doubles(chain.from_iterable(rows)))


def events(found: Iterable[tuple[int, Detection]]) -> bytes:
    """Detections, oldest first."""
    rows = [
        [number, one.kind, one.t_ns / 1e6, one.side, one.size, one.price, one.quality.value, dict(one.evidence)]
        for number, one in found
    ]
    return section(EVENTS, min(len(rows), 65_535), _json(rows))


def prints(bars: Iterable[FootprintBar], step: float | None) -> bytes:
    """Footprint bars, oldest first; the open one has no close."""
    rows = [
        [None if bar.close_ns is None else bar.close_ns / 1e6, bar.delta, bar.high_delta, bar.low_delta, bar.cells,
         bar.stacked]
        for bar in bars
    ]  # fmt: skip
    return section(PRINTS, len(rows), _json({"bin": step, "bars": rows}))


def profile(volumes: Iterable[tuple[int, float]], area: ValueArea | None, step: float | None) -> bytes:
    """Volume by price since the anchor."""
    shown = {
        "bin": step,
        "area": [area.poc, area.val, area.vah] if area is not None else None,
        "volumes": sorted(volumes),
    }
    return section(PROFILE, 1, _json(shown))


def bubbles(found: Sequence[Bubble]) -> bytes:
    """Trades by half second and side, oldest first."""
    rows = [(one.t_ns / 1e6, one.price, one.size, one.side) for one in found]
    return section(BUBBLES, len(rows), doubles(chain.from_iterable(rows)))


def standing(shown: dict[str, Any]) -> bytes:
    """What holds now, in words."""
    return section(STANDING, 1, _json(shown))


def _known(value: float | None) -> float:
    return NAN if value is None else value
