"""What Coinbase can do wrong beyond the fault catalogue (tests/contract), done to the real connector.

`CoinbaseRig` checks at the end of each test: whatever was published or shown while LIVE equals the truth at its update,
no trade came twice, no limit was broken, `close` took less than two seconds, no thread and no socket is left.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from engine.errors import InvalidSymbol
from engine.market.events import FeedState
from tests.fakes import binance_faults as faults
from tests.fakes.coinbase import bad_price, crossing
from tests.fakes.coinbase_rig import CoinbaseRig
from tests.fakes.http_server import HttpResponse
from tests.fakes.rig import PACE
from tests.fakes.websocket_server import Session

BTC, ETH = "BTC-USD", "ETH-USD"


def asked(rig: CoinbaseRig, kind: str, product: str) -> list[dict[str, Any]]:
    """The messages of this kind for a product's book so far."""
    sent = [json.loads(entry.text) for entry in rig.venue.entries("text")]
    return [
        one
        for one in sent
        if (one["type"], one["channel"]) == (kind, "level2") and product in one.get("product_ids", ())
    ]


def _has_gaps(rig: CoinbaseRig, count: int) -> bool:
    return bool(rig.quality().gaps >= count)


def test_a_quiet_day_needs_one_connection_and_no_repair() -> None:
    with CoinbaseRig([BTC, ETH]) as rig:
        begun = time.monotonic()
        rig.live_and_moving()
        assert time.monotonic() - begun <= 3.0
        goal = rig.witness.events + 200
        rig.until(lambda: rig.witness.events > goal)
        rig.settle()
        assert rig.venue.accepted == 1
        assert [rig.quality().gaps, rig.quality().resyncs, rig.quality().trade_gaps] == [0, 0, 0]
        assert rig.witness.trades
        assert rig.witness.snapshots == 1
        sent = [json.loads(entry.text) for entry in rig.venue.entries("text")]
        assert [one["channel"] for one in sent] == ["heartbeats", "market_trades", "level2"]
        assert FeedState.STALE not in rig.witness.states


def test_a_book_of_five_megabytes_arrives_in_one_frame() -> None:
    with CoinbaseRig(padding=22_000) as rig:
        rig.start()
        rig.until(lambda: rig.witness.snapshots == 1, what="the snapshot")
        rig.settle()
        stream = rig.witness.stream
        assert stream is not None
        assert min(stream.feed.levels) > 22_000


@pytest.mark.parametrize("fault", ["one frame", "three frames", "twice", "another channel"])
def test_a_break_in_the_numbers_makes_every_book_of_the_connection_anew(fault: str) -> None:
    with CoinbaseRig([BTC, ETH]) as rig:
        rig.live_and_moving()
        if fault == "another channel":
            rig.venue.lose_a_number()
        elif fault == "twice":
            rig.venue.rewrite(BTC, faults.double)
        else:
            rig.venue.gap(BTC, 1 if fault == "one frame" else 3)
        rig.until(lambda: rig.venue.accepted == 2, what="a second connection")
        rig.settle()
        for symbol in (BTC, ETH):
            assert rig.quality(symbol).gaps >= 1
            assert any("gap: expected frame" in status.reason for status in rig.witnesses[symbol].statuses)
        assert rig.venue.accepted == 2 or fault == "three frames"  # each of them may break a connection of its own


@pytest.mark.parametrize("silence", [Session.stall, Session.half_open])
def test_a_connection_without_heartbeats_is_dead_after_eight_seconds(silence: Callable[[Session], None]) -> None:
    with CoinbaseRig() as rig:
        rig.live_and_moving()
        rig.venue.each(silence)
        begun = time.monotonic()
        rig.until(lambda: FeedState.STALE in rig.witness.states, what="STALE")
        rig.until(lambda: rig.venue.accepted == 2, what="a second connection")
        assert (rig.venue.entries("handshake")[-1].at - begun) * PACE >= 7.0
        rig.settle()


def test_heartbeats_keep_a_still_market_connected() -> None:
    with CoinbaseRig() as rig:
        rig.live_and_moving()
        rig.rest()
        rig.until(lambda: FeedState.STALE in rig.witness.states, what="STALE")
        time_ends = time.monotonic() + 15.0 / PACE
        rig.until(lambda: time.monotonic() > time_ends)
        assert rig.venue.accepted == 1
        rig.move()
        rig.settle()


def test_one_silent_product_is_asked_for_again_while_the_other_lives() -> None:
    with CoinbaseRig([BTC, ETH]) as rig:
        rig.live_and_moving()
        rig.until(lambda: rig.witnesses[BTC].events > 200)
        rig.venue.mute(BTC)
        rig.until(lambda: rig.witnesses[BTC].state is FeedState.STALE, what="STALE")
        rig.until(lambda: len(asked(rig, "subscribe", BTC)) == 2, what="another subscription")
        rig.venue.unmute(BTC)
        rig.until(lambda: rig.witnesses[BTC].snapshots == 2, what="another snapshot")
        rig.settle()
        assert rig.venue.accepted == 1
        assert FeedState.STALE not in rig.witnesses[ETH].states


IMPOSSIBLE: dict[str, Callable[[dict[str, Any]], None]] = {
    "crossed": crossing,
    "NaN": bad_price("NaN"),
    "negative": bad_price("-1.0"),
    "infinite": bad_price("1e999"),
    "null": bad_price(None),
    "letters": bad_price("abc"),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_an_impossible_update_is_caught_and_repaired(name: str) -> None:
    with CoinbaseRig([BTC, ETH]) as rig:
        rig.live_and_moving()
        before = rig.witnesses[BTC].snapshots
        rig.venue.rewrite(BTC, faults.edited(IMPOSSIBLE[name]))
        rig.until(lambda: rig.witnesses[BTC].snapshots > before, what="another snapshot")
        rig.settle()
        assert rig.quality(BTC).crossed + rig.quality(BTC).decode_errors >= 1


def test_a_book_that_is_lost_alone_is_won_back_on_the_same_connection() -> None:
    with CoinbaseRig([BTC, ETH]) as rig:
        rig.live_and_moving()
        rig.venue.rewrite(BTC, faults.edited(crossing))
        rig.until(lambda: rig.quality(BTC).resyncs == 1, what="a resync")
        rig.settle()
        assert rig.venue.accepted == 1
        assert (rig.witnesses[BTC].snapshots, rig.witnesses[ETH].snapshots) == (2, 1)
        sent = [json.loads(entry.text) for entry in rig.venue.entries("text")]
        assert [(one["type"], one["channel"]) for one in sent[-2:]] == [
            ("unsubscribe", "level2"), ("subscribe", "level2"),
        ]  # fmt: skip


def test_junk_is_dropped_and_counted() -> None:
    with CoinbaseRig() as rig:
        rig.live_and_moving()
        for frame in (b"{", b"[]", b"\xff", b'{"channel":"l2_data"}', b'{"channel":"surprise"}'):
            rig.venue.send_all(frame)
        rig.until(lambda: rig.quality().decode_errors == 4, what="four unreadable frames")
        rig.settle()
        assert rig.venue.accepted == 1


# ---- products


def test_a_product_that_is_left_out_of_the_answer_is_unknown_and_the_others_live() -> None:
    with CoinbaseRig([BTC]) as rig:
        rig.symbols = (BTC, "BTX-USD")
        rig.start()
        rig.until(lambda: rig.witnesses["BTX-USD"].state is FeedState.INVALID, what="an unknown product")
        assert "BTC-USD" in rig.witnesses["BTX-USD"].statuses[-1].hint
        del rig.witnesses["BTX-USD"]
        rig.symbols = (BTC,)
        rig.move()
        rig.settle()
        assert rig.venue.accepted == 1


def test_a_product_under_its_other_name_has_the_same_book() -> None:
    with CoinbaseRig(["BTC-USDC"]) as rig:
        rig.live_and_moving()
        rig.until(lambda: len(rig.witness.trades) > 3)
        rig.settle()
        assert {event.symbol for event in rig.witness.statuses} == {"BTC-USDC"}


def test_both_names_at_once_share_one_connection() -> None:
    with CoinbaseRig(["BTC-USDC", BTC]) as rig:
        rig.live_and_moving()
        rig.until(lambda: min(one.events for one in rig.witnesses.values()) > 100)
        rig.settle()
        assert rig.venue.accepted == 1


# ---- REST


def test_a_book_can_be_asked_for_once_and_an_unknown_product_is_told_with_near_ones() -> None:
    with CoinbaseRig() as rig:
        assert rig.connector.fetch_snapshot(BTC, 5).bids
        assert {one.unified for one in rig.connector.instruments()} == {"BTC/USD", "BTC/USDC"}
        with pytest.raises(InvalidSymbol) as caught:
            rig.connector.fetch_snapshot("BTX-USD")
        assert "BTC-USD" in caught.value.hint


def test_numbers_that_break_again_and_again_lead_to_polling_for_a_while() -> None:
    with CoinbaseRig() as rig:
        rig.live_and_moving()
        for number in range(1, 5):
            rig.until(lambda: rig.witness.state is FeedState.LIVE, what="LIVE", timeout=20.0)
            rig.venue.gap(BTC)
            rig.until(partial(_has_gaps, rig, number), what="a gap")
        rig.until(lambda: rig.witness.state is FeedState.POLLING, what="polling", timeout=20.0)
        rig.rest()


def test_rest_that_throttles_is_obeyed() -> None:
    with CoinbaseRig() as rig:
        body = b'{"errors":[{"id":"rate_limit_exceeded","message":"Too many requests"}]}'
        rig.venue.rest_fault(HttpResponse(429, body))
        rig.venue.refuse(503, times=None)
        rig.start()
        rig.until(lambda: rig.witness.state is FeedState.POLLING, what="polling", timeout=20.0)
