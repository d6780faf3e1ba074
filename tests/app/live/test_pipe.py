from __future__ import annotations

from app.live import frames
from app.live.pipe import FramePipe
from tests.app.live.market import HandSource
from tests.app.live.reading import KEY, read


def test_each_message_stands_on_its_own_and_all_is_repeated_every_five_seconds() -> None:
    source = HandSource(KEY)
    pipe = FramePipe(source)
    pipe.watch([KEY])
    kinds = []
    for number in range(60):
        source.clock.advance(0.1)
        source.feeds[KEY].book([(99.5, 1.0 + number)], [(100.0, 1.0)])
        [frame] = read(pipe.message())
        assert frame.sections[frames.BIDS] == [(99.5, 1.0 + number)]
        kinds.append(frame.kind)
    assert kinds[0] == kinds[50] == frames.SNAPSHOT
    assert kinds.count(frames.SNAPSHOT) == 2
    assert set(kinds) == {frames.SNAPSHOT, frames.OVERLAP}


def test_the_newest_received_time_travels_with_every_message() -> None:
    source = HandSource(KEY)
    pipe = FramePipe(source)
    pipe.watch([KEY])
    source.feeds[KEY].book([(99.5, 1.0)], [(100.0, 1.0)])
    [frame] = read(pipe.message())
    assert frame.numbers[3] == source.clock.now_ns() / 1e6


def test_a_feed_that_is_no_longer_watched_sends_nothing() -> None:
    source = HandSource(KEY)
    pipe = FramePipe(source)
    pipe.watch([KEY])
    assert pipe.message()
    pipe.watch([])
    assert pipe.message() == b""
    assert source.watched == [(KEY,), ()]
    pipe.close()
    assert source.closed
