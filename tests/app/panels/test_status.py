"""The top of the page never says LIVE when nothing is, and tells each trouble once."""

from __future__ import annotations

import pytest

from app.panels.status import headline, notes
from app.view import POLLING, STREAMING, View
from engine.feed.feed import Feed
from engine.market.events import FeedState, FeedStatus, Source
from tests.engine.support import make_feed

VIEW = View("fake", STREAMING, 1.0, ("BTCUSDT",), True, "BTCUSDT", None)


def feed_in(state: FeedState, attempt: int = 0) -> Feed:
    feed = make_feed()
    feed.set_state(state, attempt=attempt)
    return feed


def change(symbol: str, state: FeedState, reason: str = "", source: Source = "stream") -> FeedStatus:
    return FeedStatus("fake", symbol, state, reason, "", 0, None, 0, source)


@pytest.mark.parametrize(
    ("feed", "active", "total", "words"),
    [
        (feed_in(FeedState.LIVE), 1, 142, "🔴 LIVE (WebSocket) – 142 updates"),
        (None, 0, 0, "🔌 Initializing WebSocket connections..."),
        (feed_in(FeedState.STALE), 0, 142, "⚠️ No current data – 142 updates"),
        (feed_in(FeedState.RECONNECTING), 0, 142, "⚠️ No current data – 142 updates"),
        (feed_in(FeedState.RECONNECTING, 5), 0, 0, "❌ No data – the cards say why"),
        (feed_in(FeedState.BLOCKED), 0, 142, "❌ No data – the cards say why"),
        (feed_in(FeedState.STOPPED), 0, 142, "⏹ Ended – 142 updates"),
    ],
)
def test_the_headline_says_live_only_while_something_is(feed: Feed | None, active: int, total: int, words: str) -> None:
    assert headline(VIEW, [feed], active, total, total) == words


def test_a_recording_that_is_being_opened_connects_to_nothing() -> None:
    assert headline(VIEW, [None], 0, 0, 0, played=True) == "▶️ Opening the recording ..."


def test_polling_is_called_polling() -> None:
    view = View("fake", POLLING, 1.0, ("BTCUSDT",), True, "BTCUSDT", None)
    assert headline(view, [feed_in(FeedState.POLLING)], 1, 3, 3) == "🔴 LIVE (REST Polling) – 3 updates"
    assert headline(view, [None], 0, 0, 0) == "🔌 Starting REST polling..."
    fallen_back = [feed_in(FeedState.POLLING), feed_in(FeedState.RECONNECTING)]
    assert headline(VIEW, fallen_back, 1, 3, 3) == "🔴 LIVE (REST Polling) – 3 updates"
    assert headline(VIEW, [*fallen_back, feed_in(FeedState.LIVE)], 2, 3, 3) == "🔴 LIVE (WebSocket) – 3 updates"


def test_a_recording_is_never_called_live() -> None:
    assert headline(VIEW, [feed_in(FeedState.LIVE)], 1, 3, 3, played=True) == "▶️ REPLAY – 3 updates"
    assert headline(VIEW, [feed_in(FeedState.STOPPED)], 0, 3, 3, played=True) == "⏹ Ended – 3 updates"


def test_one_broken_connection_is_one_note() -> None:
    changes = [change(f"S{number}", FeedState.RECONNECTING, "connection lost") for number in range(20)]
    assert notes(changes, {}, VIEW) == ["🔌 S0, S1, S2, S3 and 16 more: connection lost"]


def test_a_beginning_is_no_news_and_a_return_is() -> None:
    seen: dict[tuple[str, str], FeedState] = {}
    first = [change("S", state) for state in (FeedState.CONNECTING, FeedState.SYNCING, FeedState.LIVE)]
    assert notes(first, seen, VIEW) == []
    assert notes([change("S", FeedState.RECONNECTING, "reset"), change("S", FeedState.SYNCING)], seen, VIEW) == [
        "🔌 S: reset"
    ]
    assert notes([change("S", FeedState.LIVE)], seen, VIEW) == ["✅ S: live again"]
    assert notes([change("S", FeedState.LIVE)], seen, VIEW) == []


def test_the_pauses_of_a_recording_are_no_news() -> None:
    seen = {("fake", "S"): FeedState.LIVE}
    assert notes([change("S", FeedState.STALE, "silence", "replay")], seen, VIEW) == []


def test_a_venue_cannot_write_markdown_into_a_note() -> None:
    told = notes([change("S", FeedState.FAILED, "![x](http://evil.example/p.png)")], {}, VIEW)
    assert "![" not in told[0]
