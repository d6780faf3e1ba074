"""The other transport: where no socket can be, the tab's script fetches frames and hands them on as component data."""

from __future__ import annotations

from collections.abc import Sequence

from app.live.channels import AnyChannel, make_channel
from app.live.source import LiveSource
from engine.feed.mailbox import FeedKey

WHOLE_EVERY_NS = 5_000_000_000


class FramePipe:
    """Frames for one browser session, asked for 5 to 10 times a second by one fragment.

    Streamlit may skip a message when several are under way, so each one stands on its own: the whole book and the
    last seconds; every five seconds all that is kept. Used by the tab's script thread.
    """

    def __init__(self, source: LiveSource) -> None:
        self.source = source
        self._channels: dict[FeedKey, AnyChannel] = {}
        self._whole_due_ns: dict[FeedKey, int] = {}
        self._count = 0

    def watch(self, keys: Sequence[FeedKey]) -> None:
        """Read exactly these feeds from now on."""
        self.source.watch(keys)
        for key in keys:
            if key not in self._channels:
                self._channels[key] = make_channel(key, self._count, self.source)
                self._count = (self._count + 1) % 65_536
        for key in [key for key in self._channels if key not in keys]:
            del self._channels[key]
            self._whole_due_ns.pop(key, None)

    def message(self) -> bytes:
        """One frame per feed, as they stand now."""
        now_ns = self.source.clock.now_ns()
        for news in self.source.drain():
            if news.key in self._channels:
                self._channels[news.key].absorb(news)
        return b"".join([self._frame(key, channel, now_ns) for key, channel in self._channels.items()])

    def close(self) -> None:
        """Let go of every feed."""
        self.source.close()

    def _frame(self, key: FeedKey, channel: AnyChannel, now_ns: int) -> bytes:
        channel.look(self.source.feed(key), self.source.notice(key))
        channel.next_frame(now_ns)
        if now_ns < self._whole_due_ns.get(key, 0):
            return channel.overlap(now_ns)
        self._whole_due_ns[key] = now_ns + WHOLE_EVERY_NS
        return channel.snapshot(now_ns)
