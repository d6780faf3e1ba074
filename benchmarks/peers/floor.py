"""The floor: parse every frame as JSON into Python objects and do nothing with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import orjson

from benchmarks.tape import Outcome, Step

Job = Callable[[], Outcome | None]


def standard_json(steps: list[Step]) -> Job:
    return _parse_all(steps, json.loads)


def fast_json(steps: list[Step]) -> Job:
    return _parse_all(steps, orjson.loads)


def msgspec_json(steps: list[Step]) -> Job:
    return _parse_all(steps, msgspec.json.Decoder().decode)


def _parse_all(steps: list[Step], parse: Callable[[bytes], Any]) -> Job:
    frames = [step.data for step in steps]

    def run() -> None:
        for frame in frames:
            parse(frame)

    return run
