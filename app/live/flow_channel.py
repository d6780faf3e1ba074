"""The order flow of one feed on its way to the browsers: encoded once, the same bytes for every tab."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.live import flow_frames, frames
from app.live.channel import HEARTBEAT_EVERY_NS
from app.live.source import News
from engine.analysis.flow_line import FlowPicture
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey
from engine.flow.book.heatmap import Column
from engine.market.events import FeedState

OVERLAP_COLUMNS = 10
OVERLAP_SECONDS = 30
OVERLAP_EVENTS = 30


class FlowChannel:
    """Turns pictures into frames, as `Channel` does with news. Used by one thread."""

    def __init__(self, key: FeedKey, number: int, picture: Callable[[], FlowPicture | None]) -> None:
        self.key = key
        self.number = number
        self.seq = 0
        self._read = picture
        self._feed: Feed | None = None
        self._picture: FlowPicture | None = None
        self._sent: FlowPicture | None = None
        self._standing: dict[str, Any] = {}
        self._frame_ns = 0
        self._whole: tuple[int, list[bytes]] | None = None

    def absorb(self, news: News) -> None:
        """Nothing comes by the mailbox."""

    def missed(self, from_ns: int, to_ns: int) -> None:
        """A time in which nobody listened shows in the columns themselves."""

    def look(self, feed: Feed | None, notice: str = "") -> None:
        """Take feed and picture as they stand now."""
        self._feed = feed
        self._picture = self._read() or self._picture

    def next_frame(self, now_ns: int) -> bytes | None:
        """What is new since the last frame; None when that can wait."""
        picture, sent = self._picture, self._sent
        if picture is None or picture is sent:
            if now_ns - self._frame_ns < HEARTBEAT_EVERY_NS:
                return None
            self._frame_ns = now_ns
            return frames.frame(self._header(frames.HEARTBEAT, now_ns), ())
        if sent is not None and picture.analysis != sent.analysis:
            # The analysis began anew, perhaps at an earlier time. A number left out makes every page ask for the whole.
            self.seq += 1
        self.seq += 1
        self._frame_ns, self._sent = now_ns, picture
        return frames.frame(self._header(frames.DELTA, now_ns), self._news(picture, sent))

    def snapshot(self, now_ns: int) -> bytes:
        """Everything, as it stands after the last frame."""
        if self._whole is None or self._whole[0] != self.seq:
            self._whole = (self.seq, self._all())
        return frames.frame(self._header(frames.SNAPSHOT, now_ns), self._whole[1])

    def overlap(self, now_ns: int) -> bytes:
        """The last few seconds of everything: for a transport that may lose a message now and then."""
        return frames.frame(
            self._header(frames.OVERLAP, now_ns), self._all(OVERLAP_COLUMNS, OVERLAP_SECONDS, OVERLAP_EVENTS)
        )

    def _news(self, picture: FlowPicture, sent: FlowPicture | None) -> list[bytes]:
        if sent is None or picture.analysis != sent.analysis:
            return self._all()
        sections = [flow_frames.figures(picture.metrics), flow_frames.levels(picture.levels)]
        if standing := self._new_standing(picture):
            sections.append(flow_frames.standing(standing))
        known = picture.seconds_count - sent.seconds_count
        if known > 0:
            sections.append(flow_frames.seconds(picture.seconds[-known:]))
        known = picture.bubbles_count - sent.bubbles_count
        if known > 0:
            sections.append(flow_frames.bubbles(picture.bubbles[-known:]))
        last = sent.detections[-1][0] if sent.detections else 0
        if fresh := [one for one in picture.detections if one[0] > last]:
            sections.append(flow_frames.events(fresh))
        if picture.slow is not sent.slow:
            newest_ns = sent.slow.columns[-1].begin_ns if sent.slow.columns else 0
            columns = [column for column in picture.slow.columns[-60:] if column.begin_ns > newest_ns]
            sections += self._slow(picture, columns, -2)
        return sections

    def _slow(self, picture: FlowPicture, columns: tuple[Column, ...] | list[Column], bars: int) -> list[bytes]:
        slow, tick = picture.slow, picture.tick
        step = slow.bin_ticks * tick if slow.bin_ticks else None
        return [
            flow_frames.heat(columns, slow.heat_ticks * tick),
            flow_frames.prints(slow.bars[bars:], step),
            flow_frames.profile(slow.profile.items(), slow.area, step),
        ]

    def _all(self, columns: int = 0, seconds: int = 0, events: int = 0) -> list[bytes]:
        """Everything of the picture that was sent last; of runs the newest so many (0: all)."""
        picture = self._sent
        if picture is None:
            return []
        self._new_standing(picture)
        return [
            self._meta(picture),
            flow_frames.figures(picture.metrics),
            flow_frames.levels(picture.levels),
            flow_frames.standing(self._standing),
            flow_frames.seconds(picture.seconds[-seconds:]),
            flow_frames.bubbles(picture.bubbles[-2 * seconds :]),
            flow_frames.events(picture.detections[-events:]),
            *self._slow(picture, picture.slow.columns[-columns:], 0 if not columns else -2),
        ]

    def _meta(self, picture: FlowPicture) -> bytes:
        # Every frame that names its feed carries the market's kind of words too: the page reads both alike.
        words = {"key": self.key, "tick": picture.tick, "reason": "", "hint": "", "attempt": 0, "next_try_ms": None}
        return frames.meta_section(words) + flow_frames.meta(self.key, picture.tick)

    def _new_standing(self, picture: FlowPicture) -> dict[str, Any]:
        """What holds now, if that is something else than before."""
        metrics = picture.metrics
        margin = metrics.margin
        shown = {
            "failed": picture.failed,
            "state": metrics.state.value,
            "regime": metrics.regime.value,
            "since": None if metrics.regime_since_ns is None else metrics.regime_since_ns / 1e6,
            "margin": [margin.figure, margin.value, margin.threshold, margin.then.value] if margin else None,
            "walls": sorted([price, since / 1e6] for price, since in picture.walls.items()),
            "signals": [
                [signal.kind.value, signal.direction, signal.at_ns / 1e6, signal.mid] for signal in metrics.signals
            ],
        }
        if shown == self._standing:
            return {}
        self._standing = shown
        return shown

    def _header(self, kind: int, now_ns: int) -> frames.Header:
        feed = self._feed
        status = feed.status if feed is not None else None
        return frames.Header(
            kind, self.number, self.seq, status.state if status is not None else FeedState.CONNECTING,
            status.source if status is not None else "stream", 0, 0, now_ns,
            feed.quality.last_ns if feed is not None else None, None, None,
            self._picture.number if self._picture is not None else 0, None, None, None, None,
        )  # fmt: skip
