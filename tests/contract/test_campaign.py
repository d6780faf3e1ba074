"""What is played once more, and what is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.contract.adapter import Adapter
from tests.contract.adapters import found
from tests.contract.campaign import Campaign
from tests.contract.case import Case, Outcome
from tests.contract.catalogue import CASES

CASE = next(case for case in CASES if not case.alone)
KIND = found()["mock"]


def played(*outcomes: Callable[[Outcome], object], case: Case = CASE) -> tuple[Outcome, int]:
    """What a campaign makes of these outcomes, one for each time that the case is played, and how often it was."""
    times = iter(outcomes)
    count = 0

    def perform(case: Case, kind: type[Adapter]) -> Outcome:
        nonlocal count
        count += 1
        outcome = Outcome(kind.name, case.fault, case.variant)
        next(times)(outcome)
        return outcome

    campaign = Campaign([(KIND, case)], perform=perform)
    try:
        (outcome,) = campaign.outcomes()
        assert campaign.outcome(KIND.name, case) == outcome
    finally:
        campaign.close()
    return outcome, count


def late(outcome: Outcome) -> None:
    outcome.failure = "waited in vain"


def survived(outcome: Outcome) -> None:
    outcome.recovered = True


def test_what_was_late_while_others_shared_the_machine_is_played_alone_and_said_to_be() -> None:
    outcome, count = played(late, survived)
    assert (outcome.failure, outcome.recovered, outcome.again, count) == ("", True, True, 2)


def test_what_is_late_alone_as_well_has_failed() -> None:
    outcome, count = played(late, late)
    assert (outcome.failure, outcome.again, count) == ("waited in vain", True, 2)


@pytest.mark.parametrize("promise", ["wrong", "lost", "doubled"])
def test_a_broken_promise_counts_at_once(promise: str) -> None:
    def broke(outcome: Outcome) -> None:
        late(outcome)
        setattr(outcome, promise, 1)

    outcome, count = played(broke, survived)
    assert (outcome.failure, outcome.again, count) == ("waited in vain", False, 1)


def test_a_heavy_case_has_had_the_machine_to_itself() -> None:
    outcome, count = played(late, survived, case=next(case for case in CASES if case.alone))
    assert (outcome.failure, outcome.again, count) == ("waited in vain", False, 1)
