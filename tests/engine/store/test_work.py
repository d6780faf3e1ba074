"""Long work: progress, results, failures in words, calling off, and bounds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event
from time import monotonic

import pytest

from engine.errors import StoreError
from engine.store.work import MOST_AT_ONCE, MOST_KEPT, Outcome, ProgressCall, WorkDesk, WorkReport
from tests.app.support import wait_until

DEADLINE_S = 5.0


@pytest.fixture
def desk() -> Iterator[WorkDesk]:
    made = WorkDesk()
    yield made
    made.close()


def ended(desk: WorkDesk, number: int) -> WorkReport:
    def report() -> WorkReport:
        found = desk.report(number)
        assert found is not None
        return found

    assert wait_until(lambda: report().state != "running", DEADLINE_S)
    return report()


def test_what_came_of_it_is_told(desk: WorkDesk) -> None:
    number = desk.start("Export", lambda progress: Outcome("three files", Path("x")))
    report = ended(desk, number)
    assert (report.state, report.title, report.outcome) == ("done", "Export", Outcome("three files", Path("x")))


def test_progress_is_seen_while_it_runs(desk: WorkDesk) -> None:
    begun, go_on = Event(), Event()

    def task(progress: ProgressCall) -> Outcome:
        progress(3, 10, "events")
        begun.set()
        assert go_on.wait(DEADLINE_S)
        return Outcome("")

    number = desk.start("Export", task)
    assert begun.wait(DEADLINE_S)
    report = desk.report(number)
    assert report is not None
    assert (report.state, report.done, report.total, report.words) == ("running", 3, 10, "events")
    go_on.set()
    assert ended(desk, number).state == "done"


def test_what_is_called_off_ends_at_its_next_step(desk: WorkDesk) -> None:
    begun = Event()

    def task(progress: ProgressCall) -> Outcome:
        begun.set()
        while True:
            progress(0, 0)

    number = desk.start("Export", task)
    assert begun.wait(DEADLINE_S)
    desk.cancel(number)
    assert ended(desk, number).state == "cancelled"


def test_a_failure_is_told_with_what_to_do(desk: WorkDesk) -> None:
    def task(progress: ProgressCall) -> Outcome:
        raise StoreError("the disk is full", hint="Make room.")

    report = ended(desk, desk.start("Export", task))
    assert (report.state, report.error, report.hint) == ("failed", "the disk is full", "Make room.")


def test_a_fault_of_ours_ends_the_task_only(desk: WorkDesk) -> None:
    def task(progress: ProgressCall) -> Outcome:
        raise KeyError("nothing of that name")

    report = ended(desk, desk.start("Export", task))
    assert report.state == "failed"
    assert "KeyError" in report.error
    assert ended(desk, desk.start("Again", lambda progress: Outcome(""))).state == "done"


def test_three_at_once_are_enough(desk: WorkDesk) -> None:
    go_on = Event()

    def task(progress: ProgressCall) -> Outcome:
        go_on.wait(DEADLINE_S)
        return Outcome("")

    numbers = [desk.start("Export", task) for _ in range(MOST_AT_ONCE)]
    with pytest.raises(StoreError, match="running already"):
        desk.start("One more", task)
    go_on.set()
    assert [ended(desk, number).state for number in numbers] == ["done"] * MOST_AT_ONCE


def test_only_the_last_ends_are_kept(desk: WorkDesk) -> None:
    for _ in range(MOST_KEPT + 5):
        ended(desk, desk.start("Export", lambda progress: Outcome("")))
    assert len(desk.reports()) == MOST_KEPT + 1
    assert desk.report(1) is None


def test_closing_ends_everything_in_time(desk: WorkDesk) -> None:
    begun = Event()

    def task(progress: ProgressCall) -> Outcome:
        begun.set()
        while True:
            progress(0, 0)

    number = desk.start("Export", task)
    assert begun.wait(DEADLINE_S)
    before = monotonic()
    desk.close()
    assert monotonic() - before < 2.0
    assert ended(desk, number).state == "cancelled"
    with pytest.raises(StoreError):
        desk.start("Too late", task)
