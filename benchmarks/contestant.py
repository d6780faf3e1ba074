"""Runs one contestant once, in this process, and prints what it did as one line of JSON.

`python -m benchmarks.contestant NAME CAPTURE`; benchmarks/line.py starts it anew for every round, so that memory and
garbage collection of one contestant do not touch another.
"""

from __future__ import annotations

import gc
import json
import sys
from importlib import import_module, metadata
from pathlib import Path
from time import perf_counter, process_time

from msgspec import Struct

from benchmarks.tape import differences, load, truth_of


class Contestant(Struct, frozen=True):
    """`module:function` prepares the job; `packages` name the versions shown; `checked` compares its result."""

    label: str
    prepare: str
    packages: tuple[str, ...] = ()
    checked: bool = True


CONTESTANTS = {
    "json": Contestant("raw parse, `json`", "floor:standard_json", checked=False),
    "orjson": Contestant("raw parse, `orjson`", "floor:fast_json", ("orjson",), checked=False),
    "msgspec": Contestant("raw parse, `msgspec`", "floor:msgspec_json", ("msgspec",), checked=False),
    "book": Contestant("Tapedeck, decode + book", "tapedeck:decode_and_book"),
    "line": Contestant("Tapedeck, whole line", "tapedeck:whole_line"),
    "flow": Contestant("Tapedeck, whole line with all of the order flow", "tapedeck:line_with_flow"),
    "ccxt": Contestant("ccxt.pro", "ccxt_pro:follow", ("ccxt",)),
    "cryptofeed": Contestant("cryptofeed", "cryptofeed_binance:follow", ("cryptofeed",)),
    "cryptofeed-top": Contestant(
        "cryptofeed, best bid and ask read after each change", "cryptofeed_binance:follow_reading_top", ("cryptofeed",)
    ),
}


def measure(name: str, path: Path) -> dict[str, object]:
    """Prepare, run under the clock, compare with the truth."""
    contestant = CONTESTANTS[name]
    module, function = contestant.prepare.split(":")
    try:
        prepare = getattr(import_module(f"benchmarks.peers.{module}"), function)
    except ModuleNotFoundError as error:
        return {"missing": f"{error.name} is not installed here"}
    steps = load(path)
    frames = sum(not step.symbol for step in steps)
    job = prepare(steps)
    # What was loaded must not cost any contestant a visit of the garbage collector.
    gc.collect()
    gc.freeze()
    cpu, wall = process_time(), perf_counter()
    outcome = job()
    cpu, wall = process_time() - cpu, perf_counter() - wall
    wrong = differences(outcome, truth_of(path), frames) if contestant.checked else []
    return {
        "frames": frames,
        "wall_s": wall,
        "cpu_s": cpu,
        "quotes": outcome.quotes if outcome is not None else None,
        "trades": outcome.trades if outcome is not None else None,
        "versions": {package: metadata.version(package) for package in contestant.packages},
        "wrong": wrong,
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]))))
