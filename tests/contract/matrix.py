"""What a run of the catalogue came to, as a page: every cell is counted from outcomes, none is written by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from tests.contract.case import Outcome
from tests.contract.catalogue import CASES, FAULTS

OPENING = """\
# Reliability: every connector before every fault

Written by `python -m tests.contract.report --write docs/reliability.md` from the outcomes of a run; a test compares it
with the suite (`tests/contract/`), so it cannot be edited or grow old unnoticed.

In every case the real connector streams from a fake of its venue over real sockets, and a witness compares each
published event and each view that said LIVE with the market behind the fake, update by update. A fault is injected; the
connector must notice it (status with a reason, counters), come back within a bound, disturb no other symbol, keep the
venue's limits, lose or repeat no point, leave no thread and no socket, and stop within two seconds.

Several cases share the machine, with clocks hurried ten times. One that fails by the clock alone (something came too
late; nothing was wrong, lost or doubled) is played once more with the machine to itself, and counted under *again*.

✔ with the number of variants that were survived, ✘ with the number that were not, n/a where the venue cannot suffer it
(the number refers to the reasons below).
"""


def render(outcomes: Sequence[Outcome]) -> str:
    """The whole page."""
    notes = list(dict.fromkeys(outcome.reason for outcome in outcomes if outcome.reason))
    parts = [
        OPENING,
        "## Totals\n\n" + _totals(outcomes),
        "## Faults\n\n" + _faults(outcomes, notes),
        "## Variants\n\n" + _variants(outcomes, notes),
        "## Why not\n\n" + "\n".join(f"{number}. {note}" for number, note in enumerate(notes, 1)) + "\n",
    ]
    return "\n".join(parts)


def _totals(outcomes: Sequence[Outcome]) -> str:
    heads = (
        "connector", "faults injected", "detected", "borne unseen", "recovered", "wrong while LIVE", "points lost",
        "points doubled", "again", "back after (median, worst)", "n/a",
    )  # fmt: skip
    rows = [_total(name, [one for one in outcomes if one.connector == name]) for name in connectors(outcomes)]
    return _table(heads, [*rows, _total("all", outcomes)])


def _total(name: str, outcomes: Sequence[Outcome]) -> list[str]:
    ran = [one for one in outcomes if not one.reason]
    times = [one.seconds for one in ran if one.seconds is not None]
    back = f"{median(times):.1f} s, {max(times):.0f} s" if times else "–"
    counts = (
        sum(one.injected for one in ran),
        sum(one.detected is True for one in ran),
        sum(one.detected is None and not one.failure for one in ran),
        sum(one.recovered for one in ran),
        sum(one.wrong for one in ran),
        sum(one.lost for one in ran),
        sum(one.doubled for one in ran),
        sum(one.again for one in ran),
    )
    return [name, *map(str, counts), back, str(len(outcomes) - len(ran))]


def _faults(outcomes: Sequence[Outcome], notes: Sequence[str]) -> str:
    names = connectors(outcomes)
    rows = []
    for fault, text in FAULTS.items():
        cells = [
            _cell([one for one in outcomes if (one.connector, one.fault) == (name, fault)], notes) for name in names
        ]
        rows.append([fault, text, *cells])
    return _table(("fault", "what happens", *names), rows)


def _cell(outcomes: Sequence[Outcome], notes: Sequence[str]) -> str:
    ran = [one for one in outcomes if not one.reason]
    good = sum(not one.failure for one in ran)
    said = ([f"✔ {good}"] if good else []) + ([f"✘ {len(ran) - good}"] if good < len(ran) else [])
    reasons = sorted({notes.index(one.reason) + 1 for one in outcomes if one.reason})
    if reasons:
        said.append(f"n/a ({', '.join(map(str, reasons))})")
    return " ".join(said)


def _variants(outcomes: Sequence[Outcome], notes: Sequence[str]) -> str:
    names = connectors(outcomes)
    marks = {(one.connector, one.fault, one.variant): _mark(one, notes) for one in outcomes}
    rows = [[case.id, *[marks[name, case.fault, case.variant] for name in names]] for case in CASES]
    return _table(("variant", *names), rows)


def _mark(outcome: Outcome, notes: Sequence[str]) -> str:
    return f"n/a ({notes.index(outcome.reason) + 1})" if outcome.reason else outcome.mark


def connectors(outcomes: Iterable[Outcome]) -> list[str]:
    """The connectors that took part."""
    return list(dict.fromkeys(outcome.connector for outcome in outcomes))


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
