"""What a run cost this machine: CPU time and memory of processes, from /proc; and small statistics. Linux only."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from time import monotonic

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
BEGIN, END = "<!-- {}: begin -->", "<!-- {}: end -->"


def cpu_s(pid: int) -> float:
    """CPU seconds (user and system, all threads) that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def rss_mb(pid: int) -> float:
    """Resident memory of a process in MB; 0 once it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    found = re.search(r"VmRSS:\s+(\d+)", status)
    return int(found[1]) / 1024 if found else 0.0


def private_mb(pid: int) -> float:
    """A process's memory in MB without what it has in common with any other; 0 once it is gone."""
    try:
        said = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    return sum(map(int, re.findall(r"^Private_\w+:\s+(\d+)", said, re.M))) / 1024


def command_of(pid: int) -> str:
    """The command line of a process; empty once it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


def descendants(pid: int) -> list[int]:
    """All processes below this one."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    below: list[int] = []
    border = {pid}
    while border:
        border = {child for child, parent in parents.items() if parent in border}
        below += border
    return below


def below_me(*words: str) -> list[int]:
    """Processes below this one whose command line holds all of `words`."""
    found = [(pid, command_of(pid)) for pid in descendants(os.getpid())]
    return [pid for pid, command in found if all(word in command for word in words)]


class Machine:
    """What others did on this machine meanwhile: a figure is worth as much as the machine was quiet."""

    def __init__(self) -> None:
        self._begun = self._now()

    def others_percent(self) -> float:
        """CPU of other work in % of a core since this was made."""
        busy_s, ours_s, at_s = [now - then for now, then in zip(self._now(), self._begun, strict=True)]
        return max(0.0, busy_s - ours_s) / at_s * 100

    def others(self) -> str:
        """The same in words."""
        return f"other work on the machine meanwhile {self.others_percent():.0f} % of a core"

    def _now(self) -> tuple[float, float, float]:
        fields = list(map(int, Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:9]))
        idle = fields[3] + fields[4]
        ours = sum(map(_cpu_with_children_s, [os.getpid(), *descendants(os.getpid())]))
        return (sum(fields) - idle) / TICKS_PER_S, ours, monotonic()


def _cpu_with_children_s(pid: int) -> float:
    """CPU seconds of a process and of its children that have ended; 0 once it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS_PER_S


def percentile(values: Sequence[float], share: float) -> float:
    """The least of `values` that `share` (0 … 1) of them stay below or reach; NaN of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered), max(1, ceil(share * len(ordered)))) - 1] if ordered else float("nan")


def slope(points: Iterable[tuple[float, float]]) -> float:
    """Least squares: by how much y rises per unit of x; 0 of fewer than two points."""
    pairs = list(points)
    if len(pairs) < 2:
        return 0.0
    mean_x = sum(x for x, _ in pairs) / len(pairs)
    mean_y = sum(y for _, y in pairs) / len(pairs)
    spread = sum((x - mean_x) ** 2 for x, _ in pairs)
    return sum((x - mean_x) * (y - mean_y) for x, y in pairs) / spread if spread else 0.0


def circumstances() -> str:
    """The machine in one line: date, cores, processor, Python, and how busy it was in the last minute."""
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
        f"{f' ({model[1].strip()})' if model else ''}, Python {platform.python_version()}, "
        f"load at the end {os.getloadavg()[0]:.1f}"
    )


def write_between(path: Path, name: str, text: str) -> None:
    """Replace what stands between the markers `<!-- NAME: begin -->` and `<!-- NAME: end -->` of a file.

    Raises:
        ValueError: the file does not have them.
    """
    begin, end = BEGIN.format(name), END.format(name)
    whole = path.read_text(encoding="utf-8")
    head, found, rest = whole.partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{path} has no {begin} … {end}")
    path.write_text(f"{head}{begin}\n{text.strip()}\n{end}{tail}", encoding="utf-8")
