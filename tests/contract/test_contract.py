"""Every connector before every fault: it notices, recovers within a bound, and never shows a wrong book as LIVE.

The cases run in the background, several at a time (`Campaign`); each test here waits for its own.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.adapter import Adapter
from tests.contract.adapters import found
from tests.contract.campaign import Campaign
from tests.contract.case import Case
from tests.contract.catalogue import CASES

pytestmark = [
    # ccxt leaves what it was about to open to the collector when its loop is stopped in mid handshake.
    pytest.mark.filterwarnings(
        "ignore:.*coroutine object ClientSession._ws_connect:pytest.PytestUnraisableExceptionWarning"
    ),
    pytest.mark.filterwarnings("ignore:coroutine 'ClientSession._ws_connect' was never awaited:RuntimeWarning"),
]
PAIRS = [(kind, case) for kind in found().values() for case in CASES if not kind.reason_not(case)]


@pytest.fixture(scope="module")
def campaign(request: pytest.FixtureRequest) -> Iterator[Campaign]:
    """Begins with every case that was selected."""
    specs = [getattr(item, "callspec", None) for item in request.session.items if item.path == request.path]
    pairs = [spec.params["pair"] for spec in specs if spec is not None and "pair" in spec.params]
    made = Campaign(pairs)
    yield made
    made.close()


@pytest.mark.parametrize("pair", PAIRS, ids=[f"{kind.name}-{case.id}" for kind, case in PAIRS])
def test_the_fault_is_survived(pair: tuple[type[Adapter], Case], campaign: Campaign) -> None:
    kind, case = pair
    outcome = campaign.outcome(kind.name, case)
    assert not outcome.failure, outcome.failure
    assert outcome.injected
    assert outcome.recovered
    assert outcome.detected is not False
    assert (outcome.wrong, outcome.lost, outcome.doubled) == (0, 0, 0)
