"""Order flow on its way to the browsers: the first frame says all, the next ones what is new."""

from __future__ import annotations

import json
from struct import unpack_from

import numpy as np
import pytest

from app.flow_keys import flow_key, is_flow, market_key
from app.flow_words import FIGURES, NAMES
from app.live import flow_frames, frames
from app.live.channel import Channel
from app.live.channels import make_channel
from app.live.flow_channel import FlowChannel
from engine.analysis.flow_line import FlowLine
from engine.clock import ManualClock
from engine.feed.feed import Feed
from engine.feed.sync import WholeBooks
from engine.flow.book.heatmap import Column
from engine.market.events import BookSnapshot, Quote, Trade
from tests.app.live.market import HandSource
from tests.engine.flow.market import LEVELS, TICK, events

KEY = ("mock", "BTC/USDT", "stream")


class Market:
    """A feed with its order flow, some seconds old."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.feed = Feed(KEY[0], KEY[1], WholeBooks(), clock=self.clock)
        self.line = FlowLine(KEY)
        self.play(1, 1)
        self.line.attach(self.feed, TICK, derive_quotes=False)
        self.play(20, 2)
        self.line.look()
        self.channel = FlowChannel(flow_key(KEY), 3, lambda: self.line.picture)

    def play(self, seconds: int, seed: int) -> None:
        for kind, t_ns, one, two, three, four in events(seconds, seed, self.clock.now_ns()):
            self.clock.set(t_ns)
            if kind == "bbo":
                self.feed.push(Quote(*KEY[:2], one, two, three, four, None, t_ns, t_ns, "mock"))
            elif kind == "trade":
                self.feed.push(Trade(*KEY[:2], one, two, int(three), None, t_ns, t_ns, "mock"))
            else:
                bids = tuple([(round(one - place * TICK, 2), three + place) for place in range(LEVELS)])
                asks = tuple([(round(two + place * TICK, 2), three + place) for place in range(LEVELS)])
                self.feed.push(BookSnapshot(*KEY[:2], bids, asks, None, t_ns, t_ns, "mock"))

    def frame(self) -> dict[int, tuple[int, bytes]]:
        self.channel.look(self.feed)
        return sections(self.channel.next_frame(self.clock.now_ns()) or b"")


def sections(frame: bytes) -> dict[int, tuple[int, bytes]]:
    """Tag → count and payload."""
    found, at = {}, frames.HEADER_BYTES
    while at < len(frame):
        tag, count, size = unpack_from("<BxHI", frame, at)
        found[tag] = count, frame[at + 8 : at + 8 + size]
        at += 8 + size
    return found


def test_the_first_frame_says_all_and_the_next_only_what_is_new() -> None:
    market = Market()
    first = market.frame()
    assert {flow_frames.FLOW_META, flow_frames.HEAT, flow_frames.SECONDS, flow_frames.PROFILE} <= first.keys()
    assert first[flow_frames.SECONDS][0] > 15
    meta = json.loads(first[flow_frames.FLOW_META][1])
    assert [name for name, *_ in meta["figures"]] == list(NAMES)
    market.play(2, 3)
    market.line.look()
    second = market.frame()
    assert flow_frames.FLOW_META not in second
    assert 1 <= second[flow_frames.SECONDS][0] <= 3
    assert 1 <= second[flow_frames.HEAT][0] <= 3


def test_without_a_new_picture_there_is_a_heartbeat_at_most() -> None:
    market = Market()
    assert market.frame()
    assert market.channel.next_frame(market.clock.now_ns()) is None
    market.clock.advance(1.0)
    beat = market.channel.next_frame(market.clock.now_ns())
    assert beat is not None
    assert beat[1] == frames.HEARTBEAT


def test_a_late_page_gets_what_the_others_have() -> None:
    market = Market()
    market.frame()
    market.play(3, 3)
    market.line.look()
    market.frame()
    whole = sections(market.channel.snapshot(market.clock.now_ns()))
    assert market.line.picture is not None
    assert whole[flow_frames.SECONDS][0] == len(market.line.picture.seconds)
    assert whole[flow_frames.HEAT][0] == len(market.line.picture.slow.columns)
    assert market.channel.snapshot(0) is not None
    last = sections(market.channel.overlap(market.clock.now_ns()))
    assert last[flow_frames.HEAT][0] <= 10


def test_where_the_analysis_begins_anew_no_page_can_continue_what_it_has() -> None:
    market = Market()
    market.frame()
    known = market.channel.seq
    market.play(2, 3)
    market.line.look()
    market.frame()
    assert market.channel.seq == known + 1
    market.feed.start_over()
    market.line.detach()
    market.clock.advance(-20.0)
    market.play(1, 4)
    market.line.attach(market.feed, TICK, derive_quotes=False)
    market.play(3, 5)
    market.line.look()
    market.frame()
    assert market.channel.seq == known + 3, "a page that has what came before asks for the whole"
    whole = sections(market.channel.snapshot(market.clock.now_ns()))
    assert whole[flow_frames.SECONDS][0] <= 5


def test_before_anything_is_known_a_frame_says_nothing() -> None:
    channel = FlowChannel(flow_key(KEY), 3, lambda: None)
    channel.look(None)
    assert sections(channel.snapshot(1)) == {}
    assert channel.next_frame(1) is None


def test_an_unknown_figure_travels_as_unknown_and_never_as_zero() -> None:
    market = Market()
    count, payload = market.frame()[flow_frames.FIGURES]
    assert count == len(FIGURES)
    values = np.frombuffer(payload[8 : 8 + 8 * count])
    known = dict(zip(NAMES, values, strict=True))
    assert np.isnan(known["ofi_z"])
    assert known["spread_bps"] > 0


def test_sizes_of_the_heatmap_survive_to_a_thousandth_and_the_unknown_stays_unknown() -> None:
    sizes = np.array([0.0, 1e-8, 0.5, 123.456, 9e9, np.nan], dtype=np.float32)
    codes = np.frombuffer(flow_frames.heat_codes(Column(0, 1, 5, sizes)), dtype="<u2")
    assert codes[0] == 1
    assert codes[-1] == 0
    back = 2.0 ** ((codes[1:-1].astype(float) - 2) / flow_frames.STEPS - flow_frames.OCTAVES)
    assert back == pytest.approx(sizes[1:-1].astype(float), rel=1e-3)


def test_order_flow_goes_by_a_name_of_its_own() -> None:
    key = flow_key(KEY)
    assert is_flow(key)
    assert not is_flow(KEY)
    assert market_key(key) == KEY == market_key(KEY)
    source = HandSource(KEY)
    assert isinstance(make_channel(key, 1, source), FlowChannel)
    assert isinstance(make_channel(KEY, 1, source), Channel)


def test_every_figure_that_is_explained_exists() -> None:
    market = Market()
    assert market.line.picture is not None
    known = market.line.picture.metrics.readings
    unknown = [name for name in NAMES if name not in known and name != "vpin"]
    assert unknown == []
    assert all(figure.about.endswith((".", ").")) for figure in FIGURES)
