"""The simulated exchange: its frames are the truth, and every fault acts and clears."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from threading import Event, Thread

import msgspec
import pytest

from connectors.base.backoff import TokenBucket
from connectors.base.runtime import SystemRuntime
from connectors.base.simulation.exchange import QUEUE_LIMIT, SimulatedExchange
from connectors.base.simulation.faults import Fault, FaultBoard, ScriptedFault
from connectors.base.simulation.link import SimulatedLink
from connectors.base.simulation.market import Market
from connectors.base.simulation.rest import SimulatedRest
from connectors.base.simulation.wire import (
    WireCommand,
    WireDelta,
    WireFrame,
    WireNotice,
    WireQuote,
    WireTrade,
    decode_book,
    decode_frame,
    decode_instruments,
    decode_time,
    encode,
)
from connectors.base.transport.link import PlannedClose
from engine.clock import Clock, ManualClock
from engine.errors import Blocked, Disconnected, FeedError, RateLimited, StreamUnsupported

BTC, ETH = "BTC/USDT", "ETH/USDT"


class VirtualTime:
    """A runtime in which waiting moves the clock and nothing else happens."""

    def __init__(self) -> None:
        self.manual = ManualClock()
        self.clock: Clock = self.manual

    def random(self) -> float:
        return 0.5

    def wait(self, event: Event, seconds: float) -> bool:
        self.manual.advance(seconds)
        return event.is_set()

    def start(self, name: str, target: Callable[[], None]) -> None:
        raise AssertionError("nothing here needs a thread")

    def connect_budget(self, host: str, rate: float, burst: int) -> TokenBucket:
        raise AssertionError("nothing here is paced")


class Bench:
    """An exchange in virtual time and one client of it."""

    def __init__(self, *symbols: str, rate: float = 200.0, seed: int = 1) -> None:
        self.time = VirtualTime()
        self.faults = FaultBoard(clock=self.time.clock)
        market = Market(seed, start_ns=self.time.clock.now_ns())
        self.exchange = SimulatedExchange(market, self.faults, self.time.clock, rate)
        self.rest = SimulatedRest(self.exchange)
        self.unreadable = 0
        self.link = self.join(*(symbols or (BTC,)))

    def join(self, *symbols: str) -> SimulatedLink:
        link = SimulatedLink(self.exchange, self.time)
        link.open("mock://exchange/stream", 1.0)
        link.send(encode(WireCommand("subscribe", list(symbols), 7)).decode())
        return link

    def raw(self, seconds: float, link: SimulatedLink | None = None) -> list[bytes]:
        """What arrives within the next seconds of virtual time."""
        frames = []
        ends_ns = self.time.clock.now_ns() + round(seconds * 1e9)
        while (left_ns := ends_ns - self.time.clock.now_ns()) > 0:
            frame = (link or self.link).receive(left_ns / 1e9)
            if frame is not None:
                frames.append(frame)
        return frames

    def read(self, seconds: float) -> list[WireFrame]:
        frames = []
        for frame in self.raw(seconds):
            try:
                frames.append(decode_frame(frame))
            except (msgspec.DecodeError, UnicodeDecodeError):
                self.unreadable += 1
        return frames

    def deltas(self, seconds: float) -> list[WireDelta]:
        return [frame for frame in self.read(seconds) if isinstance(frame, WireDelta)]


def gaps(deltas: list[WireDelta]) -> int:
    return sum(before.u + 1 != after.U for before, after in pairwise(deltas))


def test_a_subscription_is_answered_and_delivers_trades_deltas_quotes_and_heartbeats() -> None:
    bench = Bench(BTC, ETH)
    frames = bench.read(5.0)
    notices = [frame for frame in frames if isinstance(frame, WireNotice)]
    assert (notices[0].kind, notices[0].id) == ("ack", 7)
    assert [notice.kind for notice in notices[1:]].count("heartbeat") in (4, 5)
    for kind in (WireDelta, WireTrade, WireQuote):
        assert {frame.s for frame in frames if isinstance(frame, kind)} == {BTC, ETH}
    for symbol in (BTC, ETH):
        assert gaps([frame for frame in frames if isinstance(frame, WireDelta) and frame.s == symbol]) == 0


def test_the_book_by_rest_and_the_frames_after_it_are_the_truth() -> None:
    bench = Bench()
    bench.raw(1.0)
    book = decode_book(bench.rest.answer(f"mock://exchange/book?symbol={BTC.replace('/', '%2F')}&depth=1000").body)
    bids, asks = dict(book.bids), dict(book.asks)
    for delta in bench.deltas(3.0):
        if delta.u <= book.u:
            continue
        bids.update(delta.b)
        asks.update(delta.a)
        truth = bench.exchange.truth_at(BTC, delta.u, None)
        assert truth is not None
        assert tuple(sorted(((p, s) for p, s in bids.items() if s), reverse=True)) == truth[0]
        assert tuple(sorted((p, s) for p, s in asks.items() if s)) == truth[1]


def test_rest_serves_depth_time_and_instruments() -> None:
    bench = Bench()
    book = decode_book(bench.rest.answer("mock://exchange/book?symbol=EUR%2FUSD&depth=7").body)
    assert (book.s, len(book.bids), len(book.asks)) == ("EUR/USD", 7, 7)
    now_ns = bench.time.clock.now_ns()
    assert now_ns == decode_time(bench.rest.answer("mock://exchange/time").body).E
    assert len(decode_instruments(bench.rest.answer("mock://exchange/instruments").body).listed) == 20
    unknown = bench.rest.answer("mock://exchange/book?symbol=BTCUSDT")
    assert unknown.status == 404
    assert b"BTC/USDT" in unknown.body


def test_an_unknown_symbol_is_named_and_the_others_go_on() -> None:
    bench = Bench("BTCUSDT", ETH)
    frames = bench.read(2.0)
    assert [(f.kind, f.s) for f in frames[:2] if isinstance(f, WireNotice)] == [
        ("invalid_symbol", "BTCUSDT"),
        ("ack", ""),
    ]
    assert any(isinstance(frame, WireDelta) and frame.s == ETH for frame in frames)


def test_after_unsubscribing_nothing_more_comes() -> None:
    bench = Bench()
    bench.raw(0.5)
    bench.link.send(encode(WireCommand("unsubscribe", [BTC], 8)).decode())
    bench.raw(0.001)
    assert bench.deltas(3.0) == []


def test_two_clients_get_the_same_frames_and_one_may_leave() -> None:
    bench = Bench()
    other = bench.join(BTC)
    bench.raw(0.5)
    mine = bench.deltas(1.0)
    theirs = [frame for frame in map(decode_frame, bench.raw(1.0, other)) if isinstance(frame, WireDelta)]
    assert {delta.u for delta in mine} <= {delta.u for delta in theirs}
    other.close()
    with pytest.raises(Disconnected):
        other.receive(1.0)
    assert gaps(bench.deltas(1.0)) == 0


def test_an_absence_is_jumped_over_without_a_hole_in_the_numbers() -> None:
    bench = Bench(rate=5000.0)
    before = bench.deltas(0.1)
    bench.time.manual.advance(3600.0)
    after = bench.deltas(1.0)
    assert len(after) < 60_000
    assert gaps(before + after) == 0
    assert after[-1].E > before[-1].E + 3_590 * 10**9


def test_the_rate_follows_its_setting() -> None:
    bench = Bench(rate=10.0)
    slow = len(bench.raw(10.0))
    bench.exchange.set_rate(3000.0)
    assert len(bench.raw(1.0)) > 5 * slow


def test_a_client_that_does_not_read_is_thrown_out_and_its_frames_are_freed() -> None:
    bench = Bench(rate=5000.0)
    for _ in range(40):
        bench.time.manual.advance(4.0)
        bench.exchange.catch_up()
    assert bench.exchange.sent > QUEUE_LIMIT
    with pytest.raises(RateLimited):
        bench.raw(1.0)


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Fault.DROP, Disconnected), (Fault.CLOSE_1012, PlannedClose), (Fault.CLOSE_1008, RateLimited)],
)
def test_connections_break_and_can_be_made_again(fault: Fault, error: type[FeedError]) -> None:
    bench = Bench()
    bench.raw(0.5)
    bench.faults.set(fault)
    with pytest.raises(error) as caught:
        bench.raw(1.0)
    assert type(caught.value) is error
    bench.link = bench.join(BTC)
    assert len(bench.deltas(1.0)) > 10


def test_a_shutdown_is_announced_before_the_connection_closes() -> None:
    bench = Bench()
    bench.faults.set(Fault.SHUTDOWN_NOTICE)
    assert any(isinstance(frame, WireNotice) and frame.kind == "shutdown" for frame in bench.read(2.0))
    with pytest.raises(PlannedClose):
        bench.raw(6.0)


def test_there_may_be_no_stream_at_all() -> None:
    bench = Bench()
    bench.faults.set(Fault.REFUSE_STREAM)
    for _ in range(3):
        with pytest.raises(StreamUnsupported):
            bench.join(BTC)
    bench.faults.clear(Fault.REFUSE_STREAM)
    bench.join(BTC)


@pytest.mark.parametrize(("status", "error"), [(429, RateLimited), (451, Blocked), (503, Disconnected)])
def test_handshakes_may_be_refused(status: int, error: type[FeedError]) -> None:
    bench = Bench()
    bench.faults.set(Fault.HANDSHAKE_REFUSED, value=status, count=1)
    with pytest.raises(error):
        bench.join(BTC)
    bench.join(BTC)


def test_a_stall_is_total_silence_and_leaves_a_gap() -> None:
    bench = Bench()
    before = bench.deltas(0.5)
    bench.faults.set(Fault.STALL, seconds=8.0)
    assert bench.raw(7.5) == []
    bench.link.ping()
    assert bench.raw(0.2) == []
    after = bench.deltas(2.0)
    assert gaps(before + after) == 1
    bench.link.ping()
    assert b"" in bench.raw(0.5)


def test_one_symbol_may_fall_silent_while_heartbeats_and_others_go_on() -> None:
    bench = Bench(BTC, ETH)
    bench.raw(0.5)
    bench.faults.set(Fault.SYMBOL_STALL, symbol=ETH)
    frames = bench.read(3.0)
    assert {frame.s for frame in frames if not isinstance(frame, WireNotice)} == {BTC}
    assert any(isinstance(frame, WireNotice) for frame in frames)
    bench.faults.clear()
    assert ETH in {delta.s for delta in bench.deltas(1.0)}


def test_latency_delays_everything_and_loses_nothing() -> None:
    bench = Bench()
    before = bench.deltas(0.5)
    bench.faults.set(Fault.LATENCY, value=400)
    assert bench.raw(0.35) == []
    late = bench.deltas(2.0)
    delays = []
    for _ in range(100):
        frame = bench.link.receive(1.0)
        wire = decode_frame(frame or b"")
        if isinstance(wire, WireDelta):
            late.append(wire)
            delays.append(bench.time.clock.now_ns() - wire.E)
    assert min(delays) >= 400_000_000
    assert max(delays) < 460_000_000
    bench.faults.clear()
    assert gaps(before + late + bench.deltas(1.0)) == 0


def test_a_flood_is_many_messages_at_once_and_then_over() -> None:
    bench = Bench()
    bench.raw(0.5)
    bench.faults.set(Fault.FLOOD, value=20_000)
    flood = bench.deltas(0.3)
    assert 20_000 * 0.4 < len(flood) < 40_000
    calm = bench.deltas(1.0)
    assert len(calm) < 1_000
    assert gaps(flood + calm) == 0


def test_a_gap_loses_as_many_updates_as_wanted() -> None:
    bench = Bench()
    bench.raw(0.5)
    bench.faults.set(Fault.GAP, count=3)
    deltas = bench.deltas(2.0)
    assert gaps(deltas) <= 1
    assert bench.faults.acted[Fault.GAP] == 3
    assert gaps(bench.deltas(1.0)) == 0


def test_a_duplicate_is_the_same_frame_again() -> None:
    bench = Bench()
    bench.faults.set(Fault.DUPLICATE)
    deltas = bench.deltas(1.0)
    assert sum(a == b for a, b in pairwise(deltas)) == 1


def test_reordered_updates_are_all_there() -> None:
    bench = Bench()
    bench.raw(0.2)
    bench.faults.set(Fault.REORDER)
    deltas = bench.deltas(1.0)
    assert gaps(deltas) >= 2
    assert gaps(sorted(deltas, key=lambda delta: delta.u)) == 0


def test_a_crossed_update_bids_at_the_best_ask() -> None:
    bench = Bench()
    bench.raw(0.2)
    bench.faults.set(Fault.CROSSED)
    crossed = []
    for delta in bench.deltas(1.0):
        truth = bench.exchange.truth_at(BTC, delta.u, 1)
        assert truth is not None
        if any(price >= truth[1][0][0] and size > 0 for price, size in delta.b):
            crossed.append(delta)
    assert len(crossed) == 1


def test_bad_frames_come_on_top_and_cannot_be_read_or_mean_nothing() -> None:
    bench = Bench()
    bench.raw(0.2)
    bench.faults.set(Fault.BAD_FRAME, count=7)
    deltas = bench.deltas(1.0)
    assert bench.unreadable == 7
    assert gaps(deltas) == 0


def test_bad_values_come_in_three_kinds() -> None:
    bench = Bench()
    bench.raw(0.2)
    bench.faults.set(Fault.BAD_VALUES, count=3)
    levels = [level for delta in bench.deltas(1.0) for level in (*delta.b, *delta.a)]
    assert any(size < 0 for _, size in levels)
    assert any(price == 0 for price, _ in levels)
    assert bench.unreadable == 1


def test_a_huge_frame_is_as_big_as_wanted() -> None:
    bench = Bench()
    bench.faults.set(Fault.HUGE_FRAME, value=2)
    assert max(len(frame) for frame in bench.raw(1.0)) > 2_000_000


def test_the_clock_of_the_exchange_may_be_wrong() -> None:
    bench = Bench()
    bench.raw(0.2)
    bench.faults.set(Fault.CLOCK_SKEW, value=-50)
    deltas = bench.deltas(1.0)
    now_ns = bench.time.clock.now_ns()
    assert now_ns - deltas[-1].E > 49 * 10**9
    assert now_ns - decode_time(bench.rest.answer("mock://exchange/time").body).E == 50 * 10**9


def test_subscriptions_may_be_ignored_or_refused() -> None:
    bench = Bench()
    bench.faults.set(Fault.ACK_MISSING, count=1)
    assert [frame for frame in bench.raw(0.5, bench.join(ETH)) if b"heartbeat" not in frame] == []
    bench.faults.set(Fault.ACK_REFUSED, count=1)
    refusal = decode_frame(bench.raw(0.5, bench.join(ETH))[0])
    assert isinstance(refusal, WireNotice)
    assert (refusal.kind, refusal.id) == ("refused", 7)


def test_an_unreadable_command_is_refused() -> None:
    bench = Bench()
    bench.raw(0.2)
    bench.link.send("hello")
    assert any(isinstance(frame, WireNotice) and frame.kind == "refused" for frame in bench.read(0.2))


def test_snapshots_may_be_stale_wrong_or_unreachable() -> None:
    bench = Bench()
    bench.raw(3.0)
    url = "mock://exchange/book?symbol=BTC%2FUSDT&depth=20"
    fresh = decode_book(bench.rest.answer(url).body)
    bench.faults.set(Fault.STALE_SNAPSHOT)
    stale = decode_book(bench.rest.answer(url).body)
    assert stale.u < fresh.u - 50
    assert len(stale.bids) == 20
    bench.faults.set(Fault.SNAPSHOT_ERROR, value=429, count=1)
    limited = bench.rest.answer(url)
    assert (limited.status, "retry-after" in limited.headers) == (429, True)
    bench.faults.set(Fault.SNAPSHOT_HTML, count=1)
    assert bench.rest.answer(url).body.startswith(b"<!DOCTYPE")
    bench.faults.set(Fault.REFUSE_REST, count=1)
    with pytest.raises(Disconnected):
        bench.rest.answer(url)
    assert decode_book(bench.rest.answer(url).body).u >= fresh.u


def test_a_script_acts_at_its_message() -> None:
    bench = Bench()
    bench.faults.play([ScriptedFault(50, Fault.DUPLICATE), ScriptedFault(100, Fault.DROP)])
    with pytest.raises(Disconnected):
        bench.raw(10.0)
    assert bench.faults.acted == {Fault.DUPLICATE: 1, Fault.DROP: 1}
    assert 100 <= bench.exchange.sent < 200


def test_an_abort_from_another_thread_ends_a_waiting_read() -> None:
    runtime = SystemRuntime()
    market = Market(1, start_ns=runtime.clock.now_ns())
    exchange = SimulatedExchange(market, FaultBoard(), runtime.clock, 1.0)
    link = SimulatedLink(exchange, runtime)
    link.open("mock://exchange/stream", 1.0)
    ended = Event()

    def read() -> None:
        try:
            link.receive(60.0)
        except Disconnected:
            ended.set()

    thread = Thread(target=read, daemon=True)
    thread.start()
    link.abort()
    assert ended.wait(2.0)
    thread.join(2.0)
