"""Files that hold several recordings at once: regimes, correlation of pairs, what scores said of later returns.

Each export adds its own recordings to what the folder already holds.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from engine.errors import StoreError
from engine.flow.correlation.asynchronous import Ticks, distinct
from engine.flow.studies.grid_record import MIDS_TABLE, GridRecord
from engine.flow.studies.reports import correlation_report, regime_report, signal_report
from engine.flow_export.sampling import Sampling

Json = dict[str, Any]


class Study(Struct, frozen=True):
    """One recording: its grid, the detections that are followed ((time, direction) each, by name), and its sampling."""

    record: GridRecord
    events: Mapping[str, Sequence[tuple[int, int]]]
    sampling: Sampling


def write_studies(folder: Path, studies: Mapping[str, Study]) -> list[Path]:
    """Write `regime.json`, `signals.json`, `correlation.json`, `sampling_latency.json`; `studies` by prefix. The paths.

    A pair is correlated with every recording of the folder whose time overlaps, under both orders of its names.

    Raises:
        StoreError: a file of these names is there already and holds something else.
        OSError: a file cannot be written.
    """
    regimes = {prefix: regime_report(study.record) for prefix, study in studies.items()}
    signals = {prefix: signal_report(study.record, study.events) for prefix, study in studies.items()}
    ticks = {prefix: study.record.ticks for prefix, study in studies.items()}
    others = {prefix: _stored(path) for prefix, path in _recordings(folder).items() if prefix not in ticks}
    pairs: Json = {}
    for one, left in ticks.items():
        for other, right in (others | ticks).items():
            if one != other:
                pairs[f"{one} | {other}"] = correlation_report(left, right)
                pairs[f"{other} | {one}"] = correlation_report(right, left)
    return [
        _add(folder / "regime.json", regimes),
        _add(folder / "signals.json", {"captures": signals}),
        _add(folder / "correlation.json", {"pairs": {names: found for names, found in pairs.items() if found}}),
        _add(folder / "sampling_latency.json", {prefix: study.sampling.report() for prefix, study in studies.items()}),
    ]


def _recordings(folder: Path) -> dict[str, Path]:
    """The mids of earlier exports by their prefix."""
    ending = f".{MIDS_TABLE}.csv"
    return {path.name[: -len(ending)]: path for path in sorted(folder.glob(f"*{ending}"))}


def _stored(path: Path) -> Ticks:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [(int(row[0]), float(row[1])) for row in list(csv.reader(file))[1:]]
    except (ValueError, IndexError) as error:
        raise StoreError(f"{path}: no mids of an export ({error})", hint="Move it out of the folder.") from error
    return distinct([time for time, _ in rows], [mid for _, mid in rows])


def _add(path: Path, found: Json) -> Path:
    """Add what was found to the JSON object of a file, one level deep; what has the same name is replaced."""
    known: Any = {}
    if path.exists():
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise StoreError(f"{path}: no JSON ({error})", hint="Move it out of the folder.") from error
        if not isinstance(known, dict):
            raise StoreError(f"{path}: no JSON object", hint="Move it out of the folder.")
    for key, value in found.items():
        inner = known.get(key)
        known[key] = {**inner, **value} if key in ("captures", "pairs") and isinstance(inner, dict) else value
    path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    return path
