"""The committed page says what the suite is, and nothing bad."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.adapters import found
from tests.contract.case import Outcome
from tests.contract.catalogue import CASES, FAULTS
from tests.contract.matrix import render

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
AGAIN = "python -m tests.contract.report --write docs/reliability.md"


def table(heading: str) -> list[dict[str, str]]:
    """The rows of the table under a heading, by the names of its columns."""
    section = PAGE.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[2:]]


def test_the_page_lists_every_connector_and_every_variant_of_the_suite() -> None:
    rows = table("Variants")
    assert [row["variant"] for row in rows] == [case.id for case in CASES], f"out of date: {AGAIN}"
    assert all(list(row) == ["variant", *found()] for row in rows), f"out of date: {AGAIN}"
    assert [row["fault"] for row in table("Faults")] == list(FAULTS)


def test_the_page_calls_not_applicable_what_the_suite_does() -> None:
    rows = {row["variant"]: row for row in table("Variants")}
    notes = PAGE.read_text(encoding="utf-8").split("## Why not\n")[1]
    for name, kind in found().items():
        for case in CASES:
            reason, cell = kind.reason_not(case), rows[case.id][name]
            assert (cell != "✔") is bool(reason), f"{name} {case.id}: {cell}; {AGAIN}"
            if reason:
                number = cell.removeprefix("n/a (").removesuffix(")")
                assert f"{number}. {reason}\n" in notes, f"{name} {case.id}; {AGAIN}"


def test_nothing_on_the_page_failed_and_zeros_stand_where_they_must() -> None:
    assert "✘" not in PAGE.read_text(encoding="utf-8").replace("✘ with the number", "")
    for row in table("Totals"):
        assert (row["wrong while LIVE"], row["points lost"], row["points doubled"]) == ("0", "0", "0")
        assert row["faults injected"] == row["recovered"]
        assert int(row["detected"]) + int(row["borne unseen"]) == int(row["faults injected"])


def test_the_totals_of_the_page_add_up() -> None:
    *rows, every = table("Totals")
    for column in ("faults injected", "detected", "recovered", "n/a"):
        assert sum(int(row[column]) for row in rows) == int(every[column])
    assert int(every["faults injected"]) + int(every["n/a"]) == len(CASES) * len(found())


def test_every_fault_of_the_catalogue_has_a_case_and_every_case_an_own_name() -> None:
    assert [fault for fault in FAULTS if fault not in {case.fault for case in CASES}] == []
    assert len({case.id for case in CASES}) == len(CASES)


@pytest.mark.parametrize("name", found())
def test_what_an_adapter_calls_impossible_or_different_is_in_the_catalogue(name: str) -> None:
    kind = found()[name]
    known = {key for case in CASES for key in (case.id, case.verb, case.fault)}
    assert set(kind.cannot) <= known
    assert set(kind.differs) <= known
    assert all(kind.cannot.values())


def test_a_failure_shows_as_a_cross_and_its_counts_in_the_totals() -> None:
    outcomes = [
        Outcome("one", case.fault, case.variant, injected=True, detected=True, recovered=True, seconds=2.0)
        for case in CASES
    ]
    outcomes[0].failure, outcomes[0].wrong = "the book was wrong", 3
    outcomes[1].reason = "no sockets"
    page = render(outcomes)
    assert f"| {CASES[0].id} | ✘ |" in page
    assert f"| {CASES[1].id} | n/a (1) |" in page
    assert "1. no sockets" in page
    assert (
        f"| all | {len(CASES) - 1} | {len(CASES) - 1} | 0 | {len(CASES) - 1} | 3 | 0 | 0 | 0 | 2.0 s, 2 s | 1 |" in page
    )
