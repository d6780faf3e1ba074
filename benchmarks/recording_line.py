"""The measured process of the recording benchmark: one hub, five connectors, one reader, and a recorder now and then.

Reads one JSON object (`venues` as `scale_venues` prints them, `seconds`, `rounds`, `soak_min`, `folder`) from its
input; prints one JSON object for each stretch (without and with a recording, in turns), then one for the soak.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import rss_mb, slope
from benchmarks.scale_line import SETTLE_S, Run, thread_cpu_s
from engine.store.base import Recording
from engine.store.desk import RecordingDesk
from engine.store.recording.options import RecordOptions

LOOK_S = 5.0
FULL_AFTER_S = 60.0
END_WITHIN_S = 60.0


class Recorded(Run):
    """The line of the scale benchmark, with a recording desk."""

    def __init__(self, venues: dict[str, Any], folder: str) -> None:
        super().__init__(venues)
        self.path = Path(folder) / "tape.duckdb"
        self.desk = RecordingDesk(self.hub, RecordOptions(f"duckdb:///{self.path}", max_gb=0.0))

    def stretch(self, seconds: float, recording: bool) -> dict[str, Any]:
        """CPU of the process and of the recorder's thread over so many seconds."""
        before = self.desk.start(self.keys) if recording else None
        time.sleep(SETTLE_S)
        gc.collect()
        threads = thread_cpu_s()
        cost = self._measure(self.keys, seconds)
        after = thread_cpu_s()
        mine = [name for name in after if name.startswith("recorder")]
        cost["recorder_percent"] = sum([after[name] - threads.get(name, 0.0) for name in mine]) / seconds * 100
        if before is not None:
            state = self.desk.state()
            cost |= {"dropped": state.dropped, "error": state.error}
            ended = self.desk.stop()
            assert ended is not None
            took_s = ((ended.ended_ns or 0) - ended.started_ns) / 1e9
            cost |= {
                "events_per_s": ended.events / took_s, "levels_per_s": ended.level_rows / took_s, "gaps": ended.gaps,
            }  # fmt: skip
        return cost

    def _stop(self) -> Recording:
        """The recording once its end is written, however slow the disk."""
        self.desk.stop()
        found = self.desk.finished(END_WITHIN_S)
        if found is None or found.ending == "running":
            raise RuntimeError(f"the end of the recording was not written: {self.desk.state().error}")
        return found

    def soak(self, minutes: float) -> dict[str, Any]:
        """The memory of the process while it records, from the first minute on."""
        self.desk.start(self.keys)
        rows: list[tuple[float, float]] = []
        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < FULL_AFTER_S + minutes * 60:
            time.sleep(LOOK_S)
            if passed >= FULL_AFTER_S:
                rows.append((passed / 60, rss_mb(os.getpid())))
        state = self.desk.state()
        ended = self._stop()
        sizes = [size for _, size in rows]
        return {
            "minutes": minutes, "slope": slope(rows), "first": sizes[0], "last": sizes[-1], "most": max(sizes),
            "events": ended.events, "dropped": state.dropped, "bytes": state.bytes,
        }  # fmt: skip


def main() -> int:
    asked = json.loads(sys.stdin.readline())
    sys.setswitchinterval(0.0005)
    run = Recorded(asked["venues"], asked["folder"])
    run.grow(len(run.keys), 1.0)
    for _ in range(asked["rounds"]):
        for recording in (False, True):
            print(json.dumps(run.stretch(asked["seconds"], recording)), flush=True)
    if asked["soak_min"]:
        print(json.dumps(run.soak(asked["soak_min"])), flush=True)
    run.desk.close()
    run.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
