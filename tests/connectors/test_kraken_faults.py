"""The real Kraken connector on the fake venue, over real sockets: whole, broken, and whole again."""

from __future__ import annotations

import json
import time

from connectors.kraken import DEPTH
from engine.feed.mailbox import EventQueue
from engine.hub import Hub
from engine.market.events import BookDelta, BookSnapshot, FeedState, Trade
from tests.fakes.http_server import HttpResponse
from tests.fakes.kraken import unreadable
from tests.fakes.kraken_rig import KrakenRig
from tests.fakes.rig import PACE
from tests.fakes.witness import Witness

BTC, ETH, SOL = "BTC/USDT", "ETH/USDT", "SOL/USDT"


def test_a_book_is_live_within_three_seconds_in_real_time() -> None:
    with KrakenRig(pace=1.0) as rig:
        begun = time.monotonic()
        rig.start().move()
        rig.until_live(timeout=3.0)
        assert time.monotonic() - begun < 3.0
        rig.until_healed()
        assert rig.is_true(BTC, DEPTH)


def test_every_update_is_checked_and_the_whole_depth_is_true() -> None:
    with KrakenRig([BTC, ETH, SOL]) as rig:
        rig.live_and_moving()
        rig.pause(300)
        rig.until_healed()
        for symbol in rig.symbols:
            quality = rig.feed(symbol).quality
            assert rig.is_true(symbol, DEPTH)
            assert quality.checksums_ok == quality.applied + quality.snapshots > 50
            assert (quality.checksums_bad, quality.resyncs, quality.crossed) == (0, 0, 0)
            assert rig.feed(symbol).levels == (DEPTH, DEPTH)
            assert rig.witnesses[symbol].trades
            assert rig.witnesses[symbol].quotes


def test_the_instruments_of_the_stream_serve_for_symbols() -> None:
    with KrakenRig([BTC, ETH]) as rig:
        rig.live_and_moving()
        assert {one.unified for one in rig.connector.instruments()} == {BTC, ETH}
        assert not rig.venue.entries("http")
        rig.until_healed()


def test_a_lost_update_shows_in_the_checksum_and_only_that_book_is_asked_for_again() -> None:
    with KrakenRig([BTC, ETH]) as rig:
        rig.live_and_moving()
        rig.venue.gap(BTC, 6)
        rig.until(lambda: FeedState.SYNCING in rig.witnesses[BTC].states[2:], what="the loss to be noticed")
        rig.until_healed()
        quality = rig.feed(BTC).quality
        assert quality.checksums_bad == quality.resyncs == 1
        assert rig.feed(ETH).quality.resyncs == 0
        assert [json.loads(text)["params"] for text in rig.sent('"unsubscribe"')] == [
            {"channel": "book", "depth": DEPTH, "symbol": [BTC]}
        ]
        assert rig.venue.accepted == 1
        trades = rig.witnesses[BTC].trades
        assert trades == list(range(int(trades[0]), int(trades[-1]) + 1))


def test_one_wrong_checksum_costs_one_resubscription() -> None:
    with KrakenRig() as rig:
        rig.live_and_moving()
        rig.venue.bad_checksum(BTC)
        rig.until_healed()
        assert rig.feed().quality.checksums_bad == 1
        assert len(rig.sent('"unsubscribe"')) == 1
        assert rig.witness.said("checksum")


def test_the_second_failure_within_a_minute_waits_for_the_cooldown_and_not_longer() -> None:
    with KrakenRig() as rig:
        rig.live_and_moving()
        for failures in (1, 2, 3):
            rig.spoil(failures)
        rig.until_healed()
        at = [entry.at * PACE for entry in rig.venue.entries("text") if '"unsubscribe"' in entry.text]
        assert len(at) == 3
        # 1 s and 2 s, less what a busy machine may have held the first question back.
        assert at[2] - at[0] > 1.5


def test_checksums_that_are_always_wrong_end_in_polling_and_not_in_a_storm() -> None:
    with KrakenRig(patience={"resyncs_per_minute": 2, "restarts_per_10_minutes": 1}) as rig:
        rig.live_and_moving()
        rig.venue.bad_checksum(BTC, 100_000)
        rig.until(lambda: FeedState.POLLING in rig.witness.states, 20.0, "polling")
        rig.until(lambda: rig.witness.polls > 2, what="polls")
        assert rig.witness.said("resyncs within a minute")
        assert rig.venue.accepted == 2
        assert len(rig.sent('"unsubscribe"')) == 4
        rig.venue.script(BTC).clear()
        rig.until_live(timeout=20.0)
        rig.until_healed()


def test_snapshots_with_a_wrong_checksum_are_not_believed_and_asked_for_ever_more_seldom() -> None:
    with KrakenRig() as rig:
        rig.venue.spoil_snapshots(3)
        rig.start().move()
        rig.until(lambda: rig.feed().quality.checksums_bad == 3, what="three wrong snapshots")
        assert FeedState.LIVE not in rig.witness.states
        rig.until_live(timeout=20.0)
        rig.until_healed()


def test_unreadable_frames_are_dropped_and_counted() -> None:
    with KrakenRig() as rig:
        rig.live_and_moving()
        rig.venue.rewrite(BTC, unreadable, 3)
        for frame in ("", "[]", '{"channel":"book","type":"update","data":7}', '{"channel":"new","data":[]}'):
            rig.venue.send_all(frame)
        rig.until_healed()
        assert rig.feed().quality.decode_errors >= 5
        assert rig.feed().quality.resyncs == 0


def test_a_symbol_that_falls_silent_is_subscribed_again_on_every_channel() -> None:
    with KrakenRig([BTC, ETH]) as rig:
        rig.live_and_moving()
        rig.pause(40)  # long enough to have a rate
        rig.until(lambda: rig.feed(BTC).quality.rate_per_s(rig.connector.runtime.clock.now_ns()), what="a rate")
        rig.venue.mute(BTC)
        rig.until(lambda: FeedState.STALE in rig.witnesses[BTC].states, what="STALE")
        rig.until_live(timeout=20.0)
        assert {json.loads(text)["params"]["channel"] for text in rig.sent('"unsubscribe"')} == {
            "book", "trade", "ticker",
        }  # fmt: skip
        assert rig.venue.accepted == 1
        rig.until_healed()


def test_an_unknown_symbol_is_invalid_with_near_ones_and_disturbs_nobody() -> None:
    with KrakenRig([BTC, ETH]) as rig:
        rig.live_and_moving()
        wrong = Witness("XBT/USDT", rig.oracle)
        stream = rig.connector.start_stream("XBT/USDT", wrong)
        rig.until(lambda: FeedState.INVALID in wrong.states, what="the refusal")
        rig.until(lambda: wrong.said("BTC/USDT"), what="a near symbol")
        stream.stop()
        assert rig.feed(BTC).state is FeedState.LIVE
        rig.until_healed()


def test_rest_errors_come_with_status_200_and_are_understood() -> None:
    with KrakenRig() as rig:
        rig.start().move()
        rig.until_live()
        rig.venue.refuse(503, times=None)
        for said in ("EAPI:Rate limit exceeded", "EService:Unavailable"):
            rig.venue.rest_fault(HttpResponse(body=json.dumps({"error": [said]}).encode()))
        rig.venue.rst()
        rig.until(lambda: rig.witness.polls > 2, 20.0, "polls")
        rig.venue.accept_all()
        rig.until_live(timeout=20.0)
        rig.until_healed()


def test_a_second_connection_takes_over_a_book_without_numbers() -> None:
    with KrakenRig([BTC, ETH], limits={"rotate_after_s": 20.0}, patience={"rotate_again_s": 600.0}) as rig:
        rig.live_and_moving()
        statuses = len(rig.witness.statuses)
        rig.until(lambda: rig.venue.accepted == 2 and rig.venue.connections == 1, 20.0, "the handover")
        rig.until_healed()
        assert {status.state for status in rig.witness.statuses[statuses:]} <= {FeedState.LIVE, FeedState.STALE}
        for witness in rig.witnesses.values():
            assert witness.trades == list(range(int(witness.trades[0]), int(witness.trades[-1]) + 1))
            assert witness.snapshots >= 2
        assert rig.feed(BTC).quality.checksums_bad == 0


def test_readers_of_the_hub_who_come_late_hold_the_same_line() -> None:
    with KrakenRig() as rig:
        hub = Hub({"kraken": rig.connector})
        key = ("kraken", BTC, "stream")
        try:
            queues = [EventQueue()]
            hub.subscribe([key], queues[0])
            rig.move(200.0)
            rig.until(lambda: (feed := hub.feed(key)) is not None and feed.state is FeedState.LIVE, what="LIVE")
            for _ in range(30):
                rig.pause(3)
                queues.append(EventQueue())
                hub.subscribe([key], queues[-1])
            rig.rest()
            feed = hub.feed(key)
            assert feed is not None
            rig.until(lambda: feed.view is not None and _is_settled(rig, feed.view.exchange_ns))
        finally:
            hub.close()
        lines = [[item.event for item in queue.drain()] for queue in queues]
        deltas = [event for event in lines[0] if isinstance(event, BookDelta)]
        for line in lines[1:]:
            first = next(index for index, event in enumerate(line) if isinstance(event, BookSnapshot))
            mine = [event for event in line if isinstance(event, BookDelta)]
            opening = line[first]
            assert isinstance(opening, BookSnapshot)
            later = [event for event in deltas if (event.exchange_ns or 0) > (opening.exchange_ns or 0)]
            assert mine == later, "an update came twice or never"
            assert opening.checksum is not None
            assert not any(isinstance(event, Trade) for event in line[:first])


def _is_settled(rig: KrakenRig, exchange_ns: int | None) -> bool:
    return exchange_ns is not None and rig.venue.listed[BTC].at.get(exchange_ns) == rig.venue.sent[BTC]
