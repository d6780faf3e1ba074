"""What the flight recorder wrote while a fake venue played says the same as the live feed did."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.clock import ManualClock
from engine.engine import Engine
from engine.errors import StoreError
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey
from engine.market.events import BUY, SELL, FeedState, MarketEvent, Trade
from engine.plugins import frame_readers
from engine.store.captures.notes import read_note
from engine.store.captures.play import PlayableCapture
from engine.store.captures.reader import read_capture
from engine.store.captures.verify import Report, exact, recognise, verify
from engine.store.flight.desk import FlightDesk
from tests.fakes.binance_rig import BinanceRig
from tests.fakes.ccxt_rig import CcxtRig
from tests.fakes.coinbase_rig import CoinbaseRig
from tests.fakes.finnhub_rig import FinnhubRig
from tests.fakes.futu_rig import FutuRig
from tests.fakes.kraken_rig import KrakenRig
from tests.fakes.rig import Rig
from tests.fakes.uniswap_rig import UniswapRig

COUNTS = (
    "snapshots", "applied", "ignored", "duplicates", "gaps", "resyncs", "crossed", "checksums_ok", "checksums_bad",
)  # fmt: skip
RIGS: dict[str, type[Rig]] = {"binance": BinanceRig, "kraken": KrakenRig, "coinbase": CoinbaseRig}
SYMBOLS = {
    "binance": ("BTCUSDT", "ETHUSDT"), "kraken": ("BTC/USDT", "ETH/USDT"), "coinbase": ("BTC-USD", "ETH-USD"),
}  # fmt: skip


class Listener:
    """Every trade that a feed let through, in exact sums."""

    def __init__(self) -> None:
        self.count = 0
        self.volume = {BUY: Decimal(0), SELL: Decimal(0), 0: Decimal(0)}

    def __call__(self, event: object) -> None:
        if type(event) is Trade and not event.backfill:
            self.count += 1
            size = exact(event.size) if event.exact_size is None else Decimal(event.exact_size)
            self.volume[event.aggressor] += size


def recorded(path: Path) -> Report:
    return verify(path, recognise(path, frame_readers()))


def said(rig: Rig, symbol: str, heard: Listener) -> dict[str, Any]:
    """What the live feed says of itself, as a report words it."""
    feed = rig.feed(symbol)
    book = feed.snapshot(10)
    return {
        **{name: getattr(feed.quality, name) for name in COUNTS},
        "state": feed.state.value,
        "levels": list(feed.levels),
        "best": (exact(book.bids[0][0]), exact(book.bids[0][1]), exact(book.asks[0][0]), exact(book.asks[0][1])),
        "trades": heard.count,
        "volumes": (heard.volume[BUY], heard.volume[SELL]),
    }


def reported(found: dict[str, Any]) -> dict[str, Any]:
    bid, ask = found["top"]["bids"][0], found["top"]["asks"][0]
    return {
        **{name: found[name] for name in COUNTS},
        "state": found["state"],
        "levels": found["levels"],
        "best": tuple([Decimal(text) for text in (*bid, *ask)]),
        "trades": found["trades"],
        "volumes": (Decimal(found["buy_volume"]), Decimal(found["sell_volume"])),
    }


@pytest.mark.parametrize("venue", RIGS)
def test_a_recording_of_a_playing_venue_says_what_the_live_feed_said(venue: str, tmp_path: Path) -> None:
    with RIGS[venue](SYMBOLS[venue]) as rig:
        desk = FlightDesk({venue: rig.connector}, rig.runtime.clock)
        place = tmp_path / "flight.jsonl.gz"
        desk.start(venue, place)
        rig.start()
        heard = {symbol: Listener() for symbol in rig.symbols}
        for symbol, listener in heard.items():
            rig.connector.start_stream(symbol, listener)
        rig.move()
        rig.until_live()
        rig.pause(80)
        rig.settle()
        live = {symbol: said(rig, symbol, heard[symbol]) for symbol in rig.symbols}
        state = desk.stop(venue)
    assert state is not None
    assert (state.running, state.lost, state.trouble) == (False, 0, "")
    report = recorded(place)
    assert (report.connector, report.problems, report.dropped_frames) == (venue, [], 0)
    assert {symbol: reported(found) for symbol, found in report.symbols.items()} == live
    assert all(one["trades"] > 0 and one["applied"] > 20 for one in live.values())


def begun_late(rig: Rig, place: Path) -> FlightDesk:
    desk = FlightDesk({rig.connector.name: rig.connector}, rig.runtime.clock)
    rig.live_and_moving()
    rig.pause(40)
    desk.start(rig.connector.name, place)
    return desk


@pytest.mark.parametrize("venue", ["kraken", "coinbase"])
def test_a_recording_that_begins_late_has_a_connection_from_its_opening_on_and_no_reader_notices(
    venue: str, tmp_path: Path
) -> None:
    place = tmp_path / "flight.jsonl.gz"
    with RIGS[venue](SYMBOLS[venue]) as rig:
        desk = begun_late(rig, place)
        words = len(rig.witness.statuses)
        rig.until(lambda: rig.venue.accepted == 2 and rig.venue.connections == 1, 20.0, "the second connection")
        rig.pause(40)
        rig.settle()
        assert {status.state for status in rig.witness.statuses[words:]} <= {FeedState.LIVE, FeedState.STALE}
        best = {symbol: rig.feed(symbol).snapshot(10) for symbol in rig.symbols}
        desk.close()
    report = recorded(place)
    assert (report.connector, report.problems, report.dropped_frames) == (venue, [], 0)
    for symbol, book in best.items():
        found = report.symbols[symbol]
        assert (found["state"], found["gaps"], found["trades"] > 0) == ("live", 0, True)
        assert [[exact(price), exact(size)] for price, size in book.bids] == [
            [Decimal(text) for text in level] for level in found["top"]["bids"]
        ]


@pytest.mark.parametrize("venue", ["binance", "kraken"])
def test_a_handover_in_the_middle_of_a_recording_is_read_without_a_gap_or_a_trade_told_twice(
    venue: str, tmp_path: Path
) -> None:
    place = tmp_path / "flight.jsonl.gz"
    with RIGS[venue](limits={"rotate_after_s": 10.0}, patience={"rotate_again_s": 600.0}) as rig:
        desk = FlightDesk({venue: rig.connector}, rig.runtime.clock)
        desk.start(venue, place)
        rig.live_and_moving()
        heard = Listener()
        rig.connector.start_stream(rig.symbols[0], heard)
        rig.until(lambda: rig.venue.accepted == 2 and rig.venue.connections == 1, 20.0, "the handover")
        rig.pause(40)
        rig.settle()
        symbol, told = rig.symbols[0], rig.witness.trades
        live = rig.feed(symbol)
        levels, checked = live.levels, live.quality.checksums_bad
        desk.close()
    report = recorded(place)
    found = report.symbols[symbol]
    assert (report.problems, found["gaps"], found["checksums_bad"], checked) == ([], 0, 0, 0)
    assert found["trades"] == len(told)
    assert found["levels"] == list(levels)


def test_where_one_connection_is_all_there_may_be_frames_are_recorded_from_where_it_stands(tmp_path: Path) -> None:
    place = tmp_path / "flight.jsonl.gz"
    with FinnhubRig() as rig:
        desk = begun_late(rig, place)
        rig.pause(60)
        desk.close()
        assert rig.venue.accepted == 1
    report = recorded(place)
    assert (report.connector, report.problems) == ("finnhub", [])
    assert all(one["trades"] > 0 for one in report.symbols.values())
    notes = [read_note(record) for record in read_capture(place, lambda damage: None)]
    assert {"begun": "in the middle of the connection"} in notes


@pytest.mark.parametrize("rig_of", [UniswapRig, CcxtRig, FutuRig])
def test_what_is_not_the_wires_own_says_so_and_is_read_back_all_the_same(rig_of: Any, tmp_path: Path) -> None:
    with rig_of() as rig:
        name = rig.connector.name
        desk = FlightDesk({name: rig.connector}, rig.runtime.clock)
        state = desk.start(name, tmp_path)
        assert state.frames
        rig.start().move()
        rig.until_live(timeout=30.0)  # a large library may have to be loaded first
        rig.pause(20)
        desk.close()
    [folder] = tmp_path.iterdir()
    assert json.loads((folder / "manifest.json").read_text())["frames"] == state.frames
    report = recorded(folder)
    assert name.startswith(report.connector)
    assert report.problems == []
    assert all(one["snapshots"] > 0 for one in report.symbols.values())


def test_beside_what_ccxt_made_of_them_stand_the_exchanges_own_messages_both_ways(tmp_path: Path) -> None:
    place = tmp_path / "flight.jsonl.gz"
    with CcxtRig() as rig:
        desk = FlightDesk({rig.connector.name: rig.connector}, rig.runtime.clock)
        desk.start(rig.connector.name, place)
        rig.start().move()
        rig.until_live(timeout=30.0)
        rig.pause(20)
        desk.close()
        asked = [json.loads(entry.text) for entry in rig.venue.entries("text")]
    own = [one for one in read_capture(place, lambda damage: None) if one.url.startswith(rig.venue.ws_url)]
    sent = [json.loads(one.data) for one in own if one.direction == "send"]
    # Two of them may be on their way at once: then they arrive in either order.
    assert sorted(sent, key=str) == sorted(asked, key=str) != []
    received = [one.data for one in own if one.direction == "recv"]
    assert any(b'"depthUpdate"' in data for data in received)
    assert recorded(place).problems == []


def test_the_desk_switches_venues_on_and_off_and_tells_how_they_stand(tmp_path: Path) -> None:
    with BinanceRig() as rig:
        desk = FlightDesk({"binance": rig.connector, "other": object()}, rig.runtime.clock)  # type: ignore[dict-item]
        desk.folder = tmp_path
        assert desk.venues() == ["binance"]
        assert desk.states() == {}
        [begun] = desk.start_all()
        assert (begun.running, begun.venue, Path(begun.place).parent) == (True, "binance", tmp_path)
        assert desk.start("binance").place == begun.place
        rig.live_and_moving()
        [ended] = desk.stop_all()
        assert (ended.running, ended.lost, desk.states()) == (False, 0, {"binance": ended})
        assert ended.records > 10
        assert rig.connector.tap is None
        assert desk.stop("binance") is None
        again = desk.start("binance")
        assert again.place != begun.place
        desk.close()
        with pytest.raises(StoreError, match="no raw frames"):
            desk.start("other")
        with pytest.raises(StoreError, match="no venue 'none'"):
            desk.start("none")


def test_of_several_venues_all_are_recorded_or_none(tmp_path: Path) -> None:
    with BinanceRig() as one, KrakenRig() as other:
        desk = FlightDesk({"binance": one.connector, "kraken": other.connector}, one.runtime.clock)
        with pytest.raises(StoreError, match="one file for 2 venues"):
            desk.start_many(["binance", "kraken"], tmp_path / "both.jsonl.gz")
        with pytest.raises(StoreError, match="no venue 'none'"):
            desk.start_many(["binance", "none"], tmp_path)
        assert one.connector.tap is None
        assert [state.venue for state in desk.start_many(["binance", "kraken", "binance"], tmp_path)] == [
            "binance", "kraken",
        ]  # fmt: skip
        desk.close()


def test_the_engine_completes_what_is_recorded_when_it_closes(tmp_path: Path) -> None:
    with BinanceRig() as rig:
        engine = Engine({"binance": rig.connector}, {}, clock=rig.runtime.clock)
        engine.flight.folder = tmp_path
        place = Path(engine.flight.start("binance").place)
        rig.live_and_moving()
        engine.close()
    assert sorted(path.name for path in place.iterdir()) == ["000001.jsonl.gz", "manifest.json"]
    assert json.loads((place / "manifest.json").read_text())["ended_ns"]
    assert recorded(place).problems == []


def played(path: Path) -> tuple[dict[str, Feed], list[MarketEvent]]:
    """The feeds of a recording after it was played, and all that they said."""
    clock, feeds, said = ManualClock(0), dict[str, Feed](), list[MarketEvent]()
    capture = PlayableCapture(path, recognise(path, frame_readers()))

    def feed_of(key: FeedKey) -> Feed:
        feeds[key[1]] = feeds.get(key[1]) or capture.make_feed(key, clock)
        return feeds[key[1]]

    run = capture.begin(feed_of)
    for at_ns, moment in run.moments():
        clock.set(at_ns)
        said += [event for _, event in run.take(moment)]
    assert run.losses() == ""
    return feeds, said


@pytest.mark.parametrize("venue", ["binance", "kraken"])
def test_a_handover_in_the_middle_of_a_recording_is_played_as_one_line(venue: str, tmp_path: Path) -> None:
    place = tmp_path / "flight.jsonl.gz"
    with RIGS[venue](limits={"rotate_after_s": 10.0}, patience={"rotate_again_s": 600.0}) as rig:
        desk = FlightDesk({venue: rig.connector}, rig.runtime.clock)
        desk.start(venue, place)
        rig.live_and_moving()
        rig.until(lambda: rig.venue.accepted == 2 and rig.venue.connections == 1, 20.0, "the handover")
        rig.pause(40)
        rig.settle()
        book, told = rig.feed().snapshot(10), rig.witness.trades
        desk.close()
    feeds, said = played(place)
    [feed] = feeds.values()
    found = feed.snapshot(10)
    assert found is not None
    assert (found.bids, found.asks) == (book.bids, book.asks)
    assert [str(one.trade_id) for one in said if type(one) is Trade and not one.backfill] == [str(one) for one in told]
    assert (feed.quality.gaps, feed.quality.checksums_bad, feed.quality.resyncs) == (0, 0, 0)
    assert {event.source for event in said} == {"replay"}


def test_records_that_the_recorder_lost_are_a_gap_when_a_recording_is_played(tmp_path: Path) -> None:
    place = tmp_path / "flight.jsonl.gz"
    with BinanceRig() as rig:
        desk = FlightDesk({"binance": rig.connector}, rig.runtime.clock)
        desk.start("binance", place)
        rig.live_and_moving()
        rig.pause(10)
        rig.connector.tap.note("", "1", {"lost": 3}, rig.runtime.clock.now_ns())
        rig.rest()
        desk.close()
    [feed] = played(place)[0].values()
    assert feed.quality.gaps == 1
