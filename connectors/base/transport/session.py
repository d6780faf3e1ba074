"""The life of one link: subscribe, read, repair, until something ends it."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from threading import Event

from connectors.base.backoff import TokenBucket, Window
from connectors.base.runtime import Patience, Runtime
from connectors.base.transport.acks import PATIENT_TRIES, Acks
from connectors.base.transport.channel import Channel
from connectors.base.transport.link import Link, PlannedClose
from connectors.base.transport.tapping import ConnectionTap
from connectors.base.venue import Control, Conversation, Venue
from engine.clock import Clock
from engine.errors import Blocked, DecodeError, Disconnected
from engine.feed.sync import NoBook
from engine.market.events import FeedState

log = logging.getLogger(__name__)

CHECK_NS = 50_000_000
CENSUS_NS = 500_000_000
MESSAGE_BURST = 1
THROTTLED_S = 10.0
BUSY_RATE = 0.2
STALL_INTERVALS = 20.0
STALL_AGAIN_S, STALL_CAP_S = 30.0, 600.0
OUTBOX_LIMIT = 10_000
SPELLING = "Is the symbol traded now, and spelled as the venue spells it?"


class Untrusted(Disconnected):
    """What this connection says can no longer be believed: begin a new one."""


class Session:
    """One link and the channels that it feeds. Belongs to one thread; `retire` may be called from any.

    `on_check` runs on that thread at most every 50 ms, `repair(channel, session, due_ns)` fetches a snapshot elsewhere.
    """

    def __init__(
        self,
        venue: Venue,
        link: Link,
        runtime: Runtime,
        patience: Patience,
        wanted: Callable[[], Mapping[str, Channel]],
        repair: Callable[[Channel, Session, int], None],
        on_check: Callable[[Session, int], None],
        on_invalid: Callable[[Channel, str], None],
    ) -> None:
        self.venue = venue
        self.link = link
        self.on_check = on_check
        self.wanted = wanted
        """The channels to carry by symbol; another mapping (not another content) means that it has changed."""
        self.channels: dict[str, Channel] = {}
        self.opened_ns = self.heard_ns = runtime.clock.now_ns()
        self.data_ns: int | None = None
        """When the first market data came; None before."""
        self.shutdown_announced = ""
        self.tap: ConnectionTap | None = None
        """Where the raw frames of this link go while they are recorded; changed on the session's own thread only."""
        self.finished = Event()
        self.retired = False
        self._clock: Clock = runtime.clock
        self._patience = patience
        self._repair_by_rest = repair
        self._on_invalid = on_invalid
        self._outbox: deque[str] = deque(venue.opening())
        self._messages = TokenBucket(venue.limits.messages_per_s, MESSAGE_BURST)
        self._asked_ns: dict[str, int] = {}
        self._again_ns: dict[str, int] = {}
        self._unanswered: set[str] = set()
        """Symbols that were asked for anew and have not come yet."""
        self._bookless = isinstance(venue.continuity, NoBook)
        self._mute_tries: dict[str, int] = {}
        """How often a symbol that never spoke was asked for again."""
        self._acks = Acks(patience.ack_s)
        self._seen: Mapping[str, Channel] = {}
        self._resyncs = Window(60.0)
        self._unreadable = Window(60.0)
        self._census_ns = 0
        self._stream_opens = venue.continuity.recovery in ("resubscribe", "reconnect")
        """Whether the stream itself sends the snapshot that a book begins with."""
        self._carried: frozenset[str] | None = None
        """What the venue says that it carries here; None while it has not said so."""
        self._carried_ns = self._sent_ns = 0
        self._pinged_ns = self._beat_ns = self.opened_ns
        self._talk = venue.converse()
        if self._talk is not None:
            self._send(self._talk.open())

    def run(self) -> None:
        """Read until retired.

        Raises:
            FeedError: what ended the link.
        """
        receive, decode, now = self.link.receive, self.venue.new_decoder(), self._clock.now_ns
        read_s = self._patience.read_s
        now_ns, check_ns = now(), 0  # so that it subscribes before it waits for a frame
        while not self.retired:
            if now_ns >= check_ns:
                check_ns = now_ns + CHECK_NS
                self._check(now_ns)
            frame = receive(self._wait_s(read_s) if self._outbox else read_s)
            now_ns = now()
            if frame:
                self.heard_ns = now_ns
                if self.tap is not None:
                    self.tap.received(frame, now_ns)
                try:
                    items = decode(frame, now_ns)
                except (DecodeError, RecursionError) as error:  # the latter: nested to drive a parser mad
                    self._note_unreadable(error, now_ns)
                    continue
                # Read anew for every frame: a handover exchanges it.
                channels = self.channels
                for item in items:
                    if type(item) is Control:
                        self._obey(item, now_ns)
                        continue
                    channel = channels.get(item.symbol)
                    if channel is None:
                        continue
                    channel.push(item)
                    if channel.feed.needs_snapshot:
                        if not channel.repairing:
                            self._repair(channel, now_ns)
                    elif channel.repairing or not channel.synced:
                        self._note_heard(channel)
                if self.data_ns is None and items:
                    self._note_first_data(items, now_ns)
            elif frame is not None:
                self.heard_ns = now_ns
                self._messages.spend(now_ns)  # the answer to a ping counts as a message

    def retire(self) -> None:
        """End `run` now; from any thread."""
        self.retired = True
        self.link.abort()

    def take(
        self,
        channels: dict[str, Channel],
        wanted: Callable[[], Mapping[str, Channel]],
        on_check: Callable[[Session, int], None],
    ) -> None:
        """Feed these channels from now on; the link is subscribed to them already. On the session's own thread."""
        self.channels = channels
        self.wanted = wanted
        self.on_check = on_check
        self._seen = {}
        for channel in channels.values():
            if not channel.synced:
                self._expect_book(channel, self._clock.now_ns())

    def healthy(self, now_ns: int) -> bool:
        """Whether data flowed for so long that past failures are forgiven."""
        return self.data_ns is not None and now_ns - self.data_ns >= self._patience.healthy_s * 1e9

    def resubscribe(self, channel: Channel) -> None:
        """Ask for a symbol anew on the same link: for its book where that was lost, else for everything."""
        symbols = (channel.symbol,)
        if channel.feed.needs_snapshot:
            self._send(self.venue.resubscribe(symbols))
        else:
            self._send(self.venue.unsubscribe(symbols))
            self._send(self.venue.subscribe(symbols))
        self._asked_ns[channel.symbol] = self._clock.now_ns()

    def _check(self, now_ns: int) -> None:
        limits = self.venue.limits
        silent_s = (now_ns - self.heard_ns) / 1e9
        if silent_s >= limits.silence_s:
            raise Disconnected(
                f"nothing received for {silent_s:.0f} s", hint="The connection is made anew; check the network."
            )
        wanted = self.wanted()
        if wanted is not self._seen and self._may_follow(now_ns):
            self._follow(wanted, now_ns)
        if limits.ping_interval_s is not None and now_ns - self._pinged_ns >= limits.ping_interval_s * 1e9:
            self._pinged_ns = now_ns
            self._messages.spend(now_ns)
            self.link.ping()
        if self._talk is not None and limits.heartbeat_interval_s is not None:
            self._beat(self._talk, limits.heartbeat_interval_s, now_ns)
        if self._talk is not None and self._talk.ready:
            self._send(self._talk.errands(now_ns))
        while self._outbox and self._messages.try_take(now_ns):
            self._send_next(now_ns)
        self._mind_answers(now_ns)
        if now_ns >= self._census_ns:
            self._census_ns = now_ns + CENSUS_NS
            for channel in list(self.channels.values()):
                self._look_after(channel, now_ns)
        self.on_check(self, now_ns)

    def _may_follow(self, now_ns: int) -> bool:
        """Whether the log-in, where there is one, is done."""
        if self._talk is None or self._talk.ready:
            return True
        waited_s = (now_ns - self.opened_ns) / 1e9
        if waited_s >= self._patience.login_s:
            raise Disconnected(f"the log-in was not finished within {waited_s:.0f} s")
        return False

    def _beat(self, talk: Conversation, interval_s: float, now_ns: int) -> None:
        if now_ns - self._beat_ns >= interval_s * 1e9:
            self._beat_ns = now_ns
            self._messages.spend(now_ns)
            self._put_on_the_wire(talk.heartbeat(), now_ns)

    def _follow(self, wanted: Mapping[str, Channel], now_ns: int) -> None:
        """Subscribe to what is wanted and not yet carried, unsubscribe from what is no longer wanted."""
        for symbol in self.venue.unlisted([symbol for symbol, channel in wanted.items() if not channel.dead]):
            self._on_invalid(wanted[symbol], f"{self.venue.name} does not list {symbol}")
        self._seen = wanted
        kept = {symbol: channel for symbol, channel in wanted.items() if not channel.dead}
        new = [symbol for symbol, channel in kept.items() if self.channels.get(symbol) is not channel]
        gone = [symbol for symbol, channel in self.channels.items() if kept.get(symbol) is not channel]
        self.channels = kept
        for symbol in gone:
            self._asked_ns.pop(symbol, None)
            self._again_ns.pop(symbol, None)
            self._unanswered.discard(symbol)
            self._acks.forget(symbol)
            self._mute_tries.pop(symbol, None)
        for symbol in new:
            channel = kept[symbol]
            channel.begin()
            self._asked_ns[symbol] = now_ns
            self._expect_book(channel, now_ns)
            if not channel.polled:
                channel.tell(FeedState.SYNCING, "subscribed, waiting for the first data")
        if gone:
            self._send(self.venue.unsubscribe(gone))
        if new:
            self._send(self.venue.subscribe(new))

    def _send(self, frames: Sequence[str]) -> None:
        if len(self._outbox) + len(frames) > OUTBOX_LIMIT:
            raise Untrusted("too many messages wait to be sent")
        self._outbox.extend(frames)

    def _expect_book(self, channel: Channel, now_ns: int) -> None:
        """Where the stream itself opens a book: it is due; asked for again if it does not come."""
        if self._stream_opens:
            channel.begin_repair()
            self._again_ns[channel.symbol] = now_ns + round(self._patience.resubscribe_s * 1e9)

    def _send_next(self, now_ns: int) -> None:
        frame = self._outbox.popleft()
        self._put_on_the_wire(frame, now_ns)
        self._sent_ns = now_ns
        awaited = self.venue.awaits(frame)
        if awaited is not None:
            self._acks.sent(*awaited, now_ns)

    def _put_on_the_wire(self, frame: str, now_ns: int) -> None:
        if self.tap is not None:
            self.tap.sent(frame, now_ns)
        self.link.send(frame)

    def _mind_answers(self, now_ns: int) -> None:
        """Subscriptions that the venue did not answer are made again."""
        for symbol in self._acks.overdue(now_ns):
            self._subscription_failed(symbol, "the venue did not answer the subscription", now_ns)
        again = [symbol for symbol in self._acks.due(now_ns) if symbol in self.channels]
        if again:
            self._send(self.venue.subscribe(again))
            self._asked_ns.update(dict.fromkeys(again, now_ns))

    def _subscription_failed(self, symbol: str, reason: str, now_ns: int) -> None:
        """It is made again, the first time at once; people hear of it when that does not help."""
        channel = self.channels.get(symbol)
        if channel is None or channel.dead:
            return
        tries = self._acks.failed(symbol, now_ns)
        log.info("%s %s: %s", self.venue.name, symbol, reason)
        if tries >= PATIENT_TRIES and not channel.polled and not channel.feed.sync.live:
            channel.tell(FeedState.SYNCING, f"{reason}, {tries} times in a row", hint=SPELLING)

    def _wait_s(self, read_s: float) -> float:
        """How long to read before the next message may be sent."""
        return min(read_s, max(0.005, self._messages.wait_s(self._clock.now_ns())))

    def _note_first_data(self, items: Sequence[object], now_ns: int) -> None:
        if any(type(item) is not Control for item in items):
            self.data_ns = now_ns

    def _note_unreadable(self, error: Exception, now_ns: int) -> None:
        for channel in self.channels.values():
            channel.feed.quality.decode_errors += 1
        count = self._unreadable.add(now_ns)
        if count == 1:
            log.warning("%s: a frame could not be read: %s", self.venue.name, error)
        if count > self._patience.decode_errors_per_minute:
            raise Untrusted(f"{count} unreadable frames within a minute, the last: {error}")

    # Books

    def _note_heard(self, channel: Channel) -> None:
        """Something came and the feed asks for no book: it has one, or (with trades or quotes alone) never had any."""
        mended = self.venue.continuity.recovery == "none" and channel.feed.state is not FeedState.SYNCING
        if channel.feed.sync.live or self._bookless or (channel.repairing and mended):
            channel.repairing, channel.synced = False, True

    def _repair(self, channel: Channel, now_ns: int) -> None:
        """The feed asks for a snapshot: the first of this link at once, later ones after a cooldown."""
        recovery = self.venue.continuity.recovery
        due_ns = now_ns
        if channel.synced:
            channel.synced = False
            due_ns = channel.cooldown.next_due_ns(now_ns)
            if self._resyncs.add(now_ns) > max(self._patience.resyncs_per_minute, len(self.channels)):
                raise Untrusted(f"{self._resyncs.count(now_ns)} resyncs within a minute: {_reason(channel)}")
            log.info("%s %s: %s", self.venue.name, channel.symbol, _reason(channel))
            if recovery == "reconnect":
                raise Untrusted(_reason(channel))
            self._unanswered.discard(channel.symbol)
            if recovery == "resubscribe":
                self._again_ns[channel.symbol] = due_ns
        elif recovery != "rest":
            self._again_ns[channel.symbol] = now_ns + round(self._patience.resubscribe_s * 1e9)
        channel.begin_repair()
        if recovery == "rest":
            self._repair_by_rest(channel, self, due_ns)

    def _look_after(self, channel: Channel, now_ns: int) -> None:
        """What time alone brings: silence, a stalled symbol, a snapshot that does not come."""
        channel.tick(now_ns)
        symbol, feed = channel.symbol, channel.feed
        if feed.state is FeedState.STALE and (why := self.venue.rests(symbol, now_ns)):
            channel.tell(FeedState.STALE, why)
        if channel.dead:
            self._seen = {}
            return
        if self._is_unknown(symbol, now_ns):
            self._on_invalid(channel, "the venue left it out of what it carries: it does not list this symbol")
            self._seen = {}
            return
        again_ns = self._again_ns.get(symbol)
        if again_ns is not None:
            if not channel.repairing:
                del self._again_ns[symbol]
                self._unanswered.discard(symbol)
            elif now_ns >= again_ns:
                self.resubscribe(channel)
                if not channel.polled and not feed.sync.live:
                    channel.tell(FeedState.SYNCING, "no book came: asked for it again", hint=SPELLING)
                self._again_ns[symbol] = self._answer_due_ns(channel, now_ns)
            return
        age_s = feed.quality.age_s(now_ns)
        asked_ns = self._asked_ns.get(symbol, now_ns)
        if self._bookless and not channel.synced and not self.venue.rests(symbol, now_ns):
            self._ask_mute_again(channel, (now_ns - asked_ns) / 1e9)
        spoke = feed.quality.last_ns is not None and feed.quality.last_ns >= asked_ns
        whole = self.venue.continuity.recovery == "none" and not self._bookless
        if spoke and feed.state is FeedState.SYNCING and whole:
            # The next message mends a book that comes whole; only if none does, it is asked for anew.
            channel.begin_repair()
            self._again_ns[symbol] = now_ns + round(self._patience.resubscribe_s * 1e9)
            return
        if not spoke and not channel.stalls:
            self._look_after_mute(channel, (now_ns - asked_ns) / 1e9, now_ns)
        elif age_s is not None:
            self._look_after_stall(channel, age_s, now_ns)

    def _is_unknown(self, symbol: str, now_ns: int) -> bool:
        """Whether the venue has answered all that we sent, and left this symbol out."""
        carried = self._carried
        if carried is None or symbol in carried or self._outbox or self._carried_ns <= self._sent_ns:
            return False
        return now_ns - self._sent_ns >= self._patience.probe_s * 1e9

    def _answer_due_ns(self, channel: Channel, now_ns: int) -> int:
        """When a symbol that was just asked for anew is asked for once more, ever later if no answer comes."""
        # No answer can come before the question has left.
        wait_s = self._patience.resubscribe_s + len(self._outbox) / self.venue.limits.messages_per_s
        due_ns = now_ns + round(wait_s * 1e9)
        if channel.symbol in self._unanswered:
            due_ns = max(due_ns, channel.cooldown.next_due_ns(now_ns))
        self._unanswered.add(channel.symbol)
        return due_ns

    def _look_after_mute(self, channel: Channel, waited_s: float, now_ns: int) -> None:
        """Subscribed and silent: a quiet symbol, or one that does not exist. The REST snapshot tells."""
        if self._outbox or self._acks.unsettled(channel.symbol):
            return
        rest = self.venue.continuity.recovery == "rest"
        if rest and waited_s >= self._patience.probe_s and not channel.repairing and not channel.synced:
            channel.begin_repair()
            self._repair_by_rest(channel, self, now_ns)
        if waited_s >= self._patience.no_data_s and not channel.synced and not channel.polled:
            channel.tell(
                FeedState.SYNCING,
                f"subscribed, but no data in {self._patience.no_data_s:.0f} s",
                hint=self.venue.rests(channel.symbol, now_ns) or SPELLING,
            )

    def _ask_mute_again(self, channel: Channel, waited_s: float) -> None:
        """Where neither an answer nor a book shows that a subscription arrived it is made again, ever more seldom."""
        tries = self._mute_tries.get(channel.symbol, 0)
        if waited_s >= min(STALL_CAP_S, self._patience.no_data_s * 2.0**tries):
            self._mute_tries[channel.symbol] = tries + 1
            self.resubscribe(channel)

    def _look_after_stall(self, channel: Channel, age_s: float, now_ns: int) -> None:
        """A symbol that was busy and fell silent while the link lives is asked for once more, then ever more seldom."""
        if age_s < 1.0:
            channel.rate = channel.feed.quality.rate_per_s(now_ns) or 0.0
            channel.stalls = 0
            return
        whole = self.venue.continuity.recovery == "none" and channel.feed.view is not None
        if channel.polled or channel.rate < BUSY_RATE or not (channel.synced or whole):
            return
        if self.venue.rests(channel.symbol, now_ns):
            return
        # Asking again may get lost like anything else.
        due_s = max(channel.feed.stale_after_s, STALL_INTERVALS / channel.rate)
        if channel.stalls:
            due_s += min(STALL_CAP_S, STALL_AGAIN_S * 2.0 ** (channel.stalls - 1))
        if age_s >= due_s:
            channel.stalls += 1
            log.info("%s %s: silent for %.1f s on a live connection", self.venue.name, channel.symbol, age_s)
            self.resubscribe(channel)

    # What the venue says about the connection

    def _obey(self, control: Control, now_ns: int) -> None:
        channel = self.channels.get(control.symbol)
        kind = control.kind
        if kind == "ack":
            self._acks.heard(control.id, control.symbol)
            return
        if kind == "heartbeat":
            return
        if kind == "carries":
            self._carried, self._carried_ns = frozenset(control.symbols), now_ns
            return
        if kind == "talk":
            self._hear(control.frame, now_ns)
            return
        log.info("%s: %s %s %s", self.venue.name, kind, control.symbol, control.reason)
        if kind == "shutdown":
            if self.venue.limits.rotate_after_s is None:
                raise PlannedClose(control.reason or "the venue announced that it closes")
            self.shutdown_announced = control.reason or "the venue announced that it closes"
        elif kind == "restart":
            for one in self.channels.values():
                one.feed.quality.gaps += 1
            raise Untrusted(control.reason or "the venue's numbering broke")
        elif kind == "blocked":
            raise Blocked(
                control.reason or "the venue refuses us", why="key" if self.venue.capabilities.key_needed else ""
            )
        elif kind == "throttled":
            self._messages.throttle(now_ns, THROTTLED_S)
        elif kind == "invalid_symbol" and channel is not None:
            self._on_invalid(channel, control.reason or "the venue does not know this symbol")
            self._seen = {}
        elif kind == "lost" and channel is not None:
            self._lose(channel, control.reason or "the book is wrong", now_ns)
        elif kind == "refused":
            self._note_refusal(control, now_ns)

    def _hear(self, frame: bytes, now_ns: int) -> None:
        """A word of the conversation: answer it, and do what it means."""
        if self._talk is None:
            return
        try:
            answers = self._talk.hear(frame, now_ns)
        except DecodeError as error:
            self._note_unreadable(error, now_ns)
            return
        for answer in answers:
            if isinstance(answer, Control):
                self._obey(answer, now_ns)
            else:
                self._send((answer,))

    def _lose(self, channel: Channel, reason: str, now_ns: int) -> None:
        """The venue's author found the book wrong: throw it away and win it back."""
        if channel.repairing:
            return
        with channel.lock:
            channel.publish(channel.feed.lose(reason))
        self._repair(channel, now_ns)

    def _note_refusal(self, control: Control, now_ns: int) -> None:
        """A refused subscription is made again; where the venue does not say which, it may be any that is silent."""
        reason = f"the venue refused the subscription: {control.reason or 'no reason given'}"
        concerned = self._acks.refused(control.id, control.symbol)
        for symbol in concerned:
            self._subscription_failed(symbol, reason, now_ns)
        suspects = concerned or [symbol for symbol, one in self.channels.items() if not one.synced]
        for channel in [self.channels[symbol] for symbol in suspects if symbol in self.channels]:
            if not channel.polled and not channel.feed.sync.live:
                channel.tell(FeedState.SYNCING, reason)


def _reason(channel: Channel) -> str:
    status = channel.feed.status
    return status.reason if status is not None and status.reason else "the book was lost"
