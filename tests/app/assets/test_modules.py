"""Runs the panels' own tests with node, on frames that the real encoder wrote."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from app.live.channel import Channel
from engine.clock import ManualClock
from engine.market.events import FeedState
from engine.market.signal import Signal
from tests.app.live.market import HandFeed
from tests.app.live.reading import KEY
from tests.app.live.test_flow_channel import Market

HERE = Path(__file__).parent


def encoded_frames() -> dict[str, object]:
    """A snapshot and deltas, and what they mean."""
    clock = ManualClock()
    hand = HandFeed(clock, KEY)
    channel = Channel(KEY, 7, 0.01)
    messages: list[bytes] = []
    snapshot = b""
    for step in range(30):
        clock.advance(0.05)
        middle = 100 + step % 3
        hand.book(
            [((middle * 100 - i) / 100, 1.0 + (i * step) % 5) for i in range(1, 260)],
            [((middle * 100 + i) / 100, 2.0 + (i + step) % 4) for i in range(1, 260)],
        )
        hand.trade(float(middle), 0.25 + step, 1 if step % 2 else -1)
        news = hand.news()
        if step == 20:
            news.signals.append(Signal("pressure", "mock", "BTCUSDT", "buy", 0.5, 100.0, clock.now_ns(), "more bids"))
        channel.absorb(news)
        channel.look(hand.feed)
        messages.append(channel.next_frame(clock.now_ns()) or b"")
        if step == 9:
            snapshot = channel.snapshot(clock.now_ns())
    hand.state(FeedState.RECONNECTING, "connection reset")
    clock.advance(1.0)
    channel.absorb(hand.news())
    channel.look(hand.feed)
    last = channel.next_frame(clock.now_ns()) or b""
    view_bids = [[(10100 + 100 - i) / 100, 1.0 + (i * 29) % 5] for i in range(1, 51)]
    return {
        "snapshot": base64.b64encode(snapshot).decode(),
        "deltas": [base64.b64encode(message).decode() for message in messages[10:]],
        "lost": base64.b64encode(last).decode(),
        "overlap": base64.b64encode(channel.overlap(clock.now_ns())).decode(),
        "bids": view_bids,
        "nowMs": clock.now_ns() / 1e6,
        "flow": encoded_flow(),
    }


def encoded_flow() -> dict[str, object]:
    """Frames of order flow, and what they mean."""
    market = Market()
    messages = []
    for seed in range(4):
        market.play(1, seed)
        market.line.look()
        market.channel.look(market.feed)
        messages.append(market.channel.next_frame(market.clock.now_ns()) or b"")
        if seed == 0:
            messages = [market.channel.snapshot(market.clock.now_ns())]
    picture = market.line.picture
    assert picture is not None
    area = picture.slow.area
    assert area is not None
    return {
        "first": base64.b64encode(messages[0]).decode(),
        "next": [base64.b64encode(message).decode() for message in messages[1:]],
        "expected": {
            "tick": picture.tick,
            "seconds": len(picture.seconds),
            "columns": len(picture.slow.columns),
            "bubbles": len(picture.bubbles),
            "spread": picture.metrics["spread_bps"],
            "area": [area.poc, area.val, area.vah],
            "levels": [[level.price] for level in picture.levels],
        },
    }


@pytest.mark.skipif(shutil.which("node") is None, reason="no node: install one to test the panels' modules")
@pytest.mark.parametrize("module", sorted(path.name for path in HERE.glob("*.test.mjs")))
def test_the_modules_of_the_panels_pass_their_own_tests(module: str, tmp_path: Path) -> None:
    frames = tmp_path / "frames.json"
    frames.write_text(json.dumps(encoded_frames()))
    run = subprocess.run(
        ["node", "--test", str(HERE / module)],
        env={**os.environ, "FRAMES": str(frames)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
