"""Records an endless market into a file until it is killed: `python -m tests.engine.store.endless FILE FLUSH_S`.

After every twenty updates comes a fill. Prints the recording's id, then after each flush how many events are on the
disk, and how many there have been.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path
from time import monotonic, sleep

from engine.clock import ManualClock
from engine.hub import Hub
from engine.store.duckdb_file.store import DuckdbStore
from engine.store.recording.options import RecordOptions
from engine.store.recording.recorder import Recorder
from tests.engine.store.events import fill
from tests.engine.support import START_NS, FakeConnector, delta, snapshot

KEY = ("binance", "BTCUSDT", "stream")
LONGEST_S = 30.0


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    store = DuckdbStore(Path(sys.argv[1]))
    connector = FakeConnector(clock=ManualClock(START_NS))
    recorder = Recorder(
        store,
        Hub({"binance": connector}),
        [KEY],
        options=RecordOptions(flush_s=float(sys.argv[2])),
        clock=ManualClock(START_NS),
    )
    recorder.start()
    say(recorder.recording.id)
    [line] = connector.streams
    line.say(snapshot(1))
    number, beside, said, begun = 1, 0, 0, monotonic()
    while monotonic() - begun < LONGEST_S:
        for _ in range(20):
            number += 1
            line.say(delta(number, bids=((99.0, float(number)),)))
        recorder.note(KEY, fill(key=KEY, number=number, price=Decimal(number)))
        beside += 1
        if (count := recorder.progress().events) != said:
            said = count
            say(f"{count} {number + beside}")
        sleep(0.002)


if __name__ == "__main__":
    main()
