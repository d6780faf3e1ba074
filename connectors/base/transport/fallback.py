"""When the poller carries a connection's channels, and when the stream gets them back."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from threading import Lock

from connectors.base.runtime import Patience, Runtime
from connectors.base.transport.channel import Channel
from connectors.base.transport.polling import Poller
from engine.errors import Blocked, FeedError
from engine.market.events import FeedState

log = logging.getLogger(__name__)


class Fallback:
    """One connection's use of the poller. The poller starts by itself when a lost stream does not return in time."""

    def __init__(self, poller: Poller | None, runtime: Runtime, patience: Patience, interval_s: float) -> None:
        self._poller = poller
        """None where the venue cannot be polled."""
        self._runtime = runtime
        self._patience = patience
        self._interval_s = interval_s
        self._standing: set[Channel] = set()
        self._lock = Lock()
        self._hold_s = 0.0
        self._hold_until_ns = 0
        self._returned_ns: int | None = None

    def stand_by(self, channels: Iterable[Channel], reason: str) -> None:
        """Let the poller begin in `fallback_s` unless the stream delivers before."""
        self._add(channels, reason, self._patience.fallback_s)

    def lost(self, channels: list[Channel], failure: FeedError, failures: int, had_session: bool, now_ns: int) -> float:
        """The stream broke, or could not be made; for how many seconds polling keeps the field at least."""
        self.stand_by(channels, _because(failure))
        if had_session and self._returned_ns is not None:
            lasted_s = (now_ns - self._returned_ns) / 1e9
            self._returned_ns = None
            if lasted_s < self._patience.healthy_s:
                self._hold(channels, failure, self._patience.hold_s, now_ns)
            else:
                self._hold_s = 0.0
        if failures >= self._patience.fallback_attempts:
            self._hasten(channels, _because(failure))
        return max(0.0, (self._hold_until_ns - now_ns) / 1e9) if self._poller is not None else 0.0

    def storm(self, channels: list[Channel], failure: FeedError, now_ns: int) -> float:
        """The stream works but cannot be trusted: poll for a good while; for how many seconds."""
        log.warning("the stream breaks too often, polling for a while: %s", failure)
        self._hold(channels, failure, self._patience.storm_hold_s, now_ns)
        return self._hold_s

    def give_up(self, channels: list[Channel], failure: FeedError) -> None:
        """There will be no stream: poll for good; where that is impossible, say so."""
        if self._poller is None:
            state = FeedState.BLOCKED if isinstance(failure, Blocked) else FeedState.FAILED
            for channel in channels:
                channel.tell(state, str(failure), hint=failure.hint)
            return
        for channel in channels:
            if not channel.polled and not channel.dead:
                channel.tell(FeedState.CONNECTING, f"no stream ({failure}), trying to poll", hint=failure.hint)
        reason = f"no stream: {failure}; to try it once more, start the feed again"
        self._add(channels, reason, 0.0, final=True, hint=failure.hint)

    def try_again(self, channels: Iterable[Channel]) -> None:
        """The stream is tried once more: who is polled stays so until it delivers, others wait as at a beginning."""
        if self._poller is None:
            return
        for channel in channels:
            self._poller.unbind(channel)
        self.stand_by(channels, "connecting takes long")

    def hand_back(self, now_ns: int) -> None:
        """Stop polling what the stream delivers again."""
        if not self._standing:
            return
        for channel in list(self._standing):
            if channel.feed.state is FeedState.LIVE:
                with channel.lock:
                    if channel.polled:
                        self._returned_ns = now_ns
                        log.info("%s %s: back on the stream", channel.feed.venue, channel.symbol)
                    self.drop([channel])

    def drop(self, channels: Iterable[Channel]) -> None:
        """No polling for these (any more)."""
        if self._poller is None:
            return
        for channel in channels:
            with self._lock:
                self._standing.discard(channel)
            self._poller.drop(channel)

    def tell(self, channel: Channel, reason: str, hint: str, attempt: int, next_try_ns: int) -> None:
        """Say that the stream is away, without disturbing what the poller delivers meanwhile."""
        with channel.lock:
            if channel.dead:
                return
            if not channel.polled:
                if channel.poll_error:
                    reason = f"{reason}; REST fails too: {channel.poll_error}"
                channel.tell(FeedState.RECONNECTING, reason, hint=hint, attempt=attempt, next_try_ns=next_try_ns)
            elif channel.feed.state is FeedState.POLLING:
                channel.tell(
                    FeedState.POLLING,
                    f"stream lost: {reason}",
                    hint="The stream returns by itself.",
                    attempt=attempt,
                    next_try_ns=next_try_ns,
                    source="poll",
                )

    def _hold(self, channels: list[Channel], failure: FeedError, least_s: float, now_ns: int) -> None:
        self._hold_s = min(self._patience.hold_cap_s, max(least_s, self._hold_s * 2.0))
        self._hold_until_ns = now_ns + round(self._hold_s * 1e9)
        self._hasten(channels, _because(failure))

    def _hasten(self, channels: Iterable[Channel], reason: str) -> None:
        self._add(channels, reason, 0.0)

    def _add(
        self, channels: Iterable[Channel], reason: str, in_s: float, *, final: bool = False, hint: str = ""
    ) -> None:
        if self._poller is None:
            return
        due_ns = self._runtime.clock.now_ns() + round(in_s * 1e9)
        for channel in channels:
            if channel.closed or channel.dead:
                continue
            with self._lock:
                self._standing.add(channel)
            self._poller.add(channel, self._interval_s, due_ns, reason, final=final, hint=hint)


def _because(failure: FeedError) -> str:
    return f"stream lost: {failure}"
