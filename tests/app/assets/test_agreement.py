"""The consolidated book in the browser and the one in the engine are the same, case by case."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from random import Random
from typing import Any

import pytest

from engine.market.book import BookView
from engine.market.consolidated import Best, ConsolidatedBook, Member, Said, SharedLevel, Step
from engine.market.events import FeedState, Level

NOW = 1_700_000_000_000_000_000
CASES = 400
AGES_NS = (0, 4_999_000_000, 5_000_000_000, 5_001_000_000, 11_000_000_000, None)


def side(random: Random, best: int, away: int) -> list[Level]:
    """Up to 60 levels on whole ticks of 0.05, best first."""
    ticks = sorted(random.sample(range(60), random.choice([0, 1, 5, 30, 55])))
    return [((best + away * tick) * 5 / 100, random.randrange(1, 900) / 100) for tick in ticks]


def member(random: Random) -> dict[str, Any]:
    middle = 2000 + random.randrange(-4, 5)
    crossed = random.random() < 0.1
    age_ns = random.choice(AGES_NS) if random.random() < 0.3 else 0
    return {
        "bids": side(random, middle + (4 if crossed else -1), -1),
        "asks": side(random, middle + (-4 if crossed else 1), 1),
        "state": random.choice(list(FeedState)).value if random.random() < 0.3 else "live",
        "lastMs": None if age_ns is None else (NOW - age_ns) / 1e6,
        "age_ns": age_ns,
        "staleAfterS": random.choice([5.0, 5.0, 10.0]),
        "on": random.random() < 0.9,
    }


def case(random: Random) -> dict[str, Any]:
    size = random.choice([None, None, 0.05, 0.1, 0.25, 1.0])
    step = Step(size) if size else None
    return {
        "members": [member(random) for _ in range(random.randrange(2, 7))],
        "nowMs": NOW / 1e6,
        "step": {"ticks": step.ticks, "unit": step.unit} if step else None,
        "size": size,
    }


def expected(one: dict[str, Any]) -> dict[str, Any]:
    members = [Member(str(number), "X") for number in range(len(one["members"]))]
    book = ConsolidatedBook(members)
    for own, said in zip(members, one["members"], strict=True):
        bids, asks = said["bids"], said["asks"]
        bid_prices, bid_sizes, ask_prices, ask_sizes = [
            tuple(column) for level in (bids, asks) for column in (zip(*level, strict=True) if level else ((), ()))
        ]
        state = FeedState(said["state"])
        view = BookView(own.venue, "X", bid_prices, bid_sizes, ask_prices, ask_sizes, None, None, NOW, "stream", state)
        last_ns = None if said["age_ns"] is None else NOW - said["age_ns"]
        book.take(own, Said(view, state, last_ns, said["staleAfterS"]))
        book.include(own, said["on"])
    whole = book.read(NOW, Step(one["size"]) if one["size"] else None)
    return {
        "standings": [venue.standing.value for venue in whole.venues],
        "bids": [flat(level) for level in whole.bids],
        "asks": [flat(level) for level in whole.asks],
        "bestBid": best(whole.best_bid),
        "bestAsk": best(whole.best_ask),
        "gaps": [
            {
                "buy": gap.buy, "sell": gap.sell, "ask": gap.ask, "askSize": gap.ask_size, "bid": gap.bid,
                "bidSize": gap.bid_size, "quantity": gap.quantity, "bps": gap.gross_bps,
            }
            for gap in whole.gaps
        ],
        "wholeBid": whole.whole_bid,
        "wholeAsk": whole.whole_ask,
    }  # fmt: skip


def flat(level: SharedLevel) -> dict[str, Any]:
    return {"price": level.price, "size": pytest.approx(level.size), "shares": [list(share) for share in level.shares]}


def best(found: Best | None) -> dict[str, Any] | None:
    return {"price": found.price, "size": pytest.approx(found.size), "venues": list(found.venues)} if found else None


@pytest.mark.skipif(shutil.which("node") is None, reason="no node: install one to test the panels' modules")
def test_the_browser_and_the_engine_see_the_same_book(tmp_path: Path) -> None:
    random = Random(11)
    cases = [case(random) for _ in range(CASES)]
    path = tmp_path / "cases.json"
    path.write_text(json.dumps(cases))
    script = Path(__file__).parent / "agreement.mjs"
    run = subprocess.run(["node", str(script), str(path)], capture_output=True, text=True, timeout=60, check=True)
    found = json.loads(run.stdout)
    for number, (one, seen) in enumerate(zip(cases, found, strict=True)):
        wanted = expected(one)
        assert seen == wanted, f"case {number}"
    standings = {state for seen in found for state in seen["standings"]}
    assert standings == {"live", "stale", "crossed", "waiting", "off"}
    assert sum(bool(seen["gaps"]) for seen in found) > CASES / 10
