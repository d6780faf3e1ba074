"""Tapedeck's own contestants.

`decode_and_book`: the Binance decoder, continuity and book, and nothing else. `whole_line`: what runs behind the page,
unchanged: a Session reads from a link that lies in memory, decodes, pushes into the Feeds (book, quality, picture), the
Hub publishes to one Mailbox, which is drained about every 50 ms as a tab does. `line_with_flow`: the same, with every
figure, detector and signal of the order flow of both symbols; they are told the frames' own times, so that as many
seconds pass as did in the market.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from benchmarks.peers.floor import Job
from benchmarks.tape import TOP, Outcome, Step, Top, pairs
from connectors.base.runtime import Patience, SystemRuntime
from connectors.base.transport.channel import Channel, SymbolStream
from connectors.base.transport.session import Session
from connectors.base.venue import Decode
from connectors.binance import BinanceConnector
from engine.clock import SYSTEM_CLOCK, Clock, SystemClock
from engine.connector import Callback, Capabilities
from engine.errors import Disconnected, StreamUnsupported
from engine.feed.feed import Feed
from engine.feed.mailbox import Mailbox
from engine.feed.sync import BookSync, Verdict
from engine.hub import Hub
from engine.market.book import Book
from engine.market.events import BookDelta, BookSnapshot, Quote, Trade
from engine.market.instrument import Instrument

SYMBOLS = ("BTCUSDT", "ETHUSDT")
TICK = 0.01


class _Side:
    """One symbol's continuity and book."""

    def __init__(self, venue: BinanceConnector) -> None:
        self.sync = BookSync(venue.continuity)
        self.book = Book()

    def open(self, snapshot: BookSnapshot) -> None:
        joined = self.sync.push_snapshot(snapshot)
        if joined is None:
            raise RuntimeError(f"the snapshot of {snapshot.symbol} does not join the updates")
        self.book.replace(snapshot.bids, snapshot.asks)
        for delta in joined[0]:
            self.book.apply(delta.bids, delta.asks)


def decode_and_book(steps: list[Step]) -> Job:
    venue = BinanceConnector({})
    sides = {symbol: _Side(venue) for symbol in SYMBOLS}
    arrivals = [(step.symbol, step.data, step.received_ns) for step in steps]
    return lambda: _decode_and_book(venue, sides, arrivals)


def _decode_and_book(
    venue: BinanceConnector, sides: dict[str, _Side], arrivals: list[tuple[str, bytes, int]]
) -> Outcome:
    decode = venue.decode
    trades = quotes = 0
    for symbol, data, received_ns in arrivals:
        if symbol:
            sides[symbol].open(venue.decode_snapshot(symbol, data, received_ns, "stream"))
            continue
        for item in decode(data, received_ns):
            kind = type(item)
            if kind is Quote:
                quotes += 1
            elif kind is Trade:
                trades += 1
            elif isinstance(item, BookDelta):
                side = sides[item.symbol]
                verdict = side.sync.push_delta(item)
                if verdict is Verdict.APPLY:
                    side.book.apply(item.bids, item.asks)
                    if side.book.crossed:
                        raise RuntimeError(f"{item.symbol} is crossed after update {item.last_sequence}")
                elif verdict is Verdict.GAP:
                    raise RuntimeError(f"{item.symbol} has a gap before update {item.first_sequence}")
    tops: dict[str, Top] = {
        name: {"bids": pairs(side.book.bids(TOP)), "asks": pairs(side.book.asks(TOP))} for name, side in sides.items()
    }
    return Outcome(trades, quotes, tops)


class Shelf:
    """A connector that hands out channels and leaves the reading to the benchmark's own Session."""

    name = "binance"
    capabilities = Capabilities(streaming=True, polling=False, depth=1000, trades=True)

    def __init__(self, venue: BinanceConnector, prepare: Callable[[Feed], None]) -> None:
        self._venue = venue
        self._prepare = prepare
        self.channels: Mapping[str, Channel] = {}

    def start_stream(self, symbol: str, callback: Callback) -> SymbolStream:
        feed = Feed(self.name, symbol, self._venue.continuity)
        self._prepare(feed)
        channel = Channel(feed, callback)
        self.channels = {**self.channels, symbol: channel}
        return SymbolStream(channel, callback, self)

    def leave(self, channel: Channel) -> None:
        self.channels = {symbol: one for symbol, one in self.channels.items() if one is not channel}

    def start_polling(self, symbol: str, callback: Callback, interval_s: float) -> SymbolStream:
        raise StreamUnsupported("the benchmark does not poll")

    def latest_snapshot(self, symbol: str | None = None) -> BookSnapshot | None:
        return None

    def fetch_snapshot(self, symbol: str, depth: int = 100) -> BookSnapshot:
        raise StreamUnsupported("the benchmark does not fetch")

    def instruments(self) -> Sequence[Instrument]:
        return ()

    def close(self) -> None:
        self.channels = {}


class MemoryLink:
    """A link whose frames lie in memory; where the capture holds a REST snapshot, it is pushed as a repair would."""

    def __init__(self, steps: Sequence[Step], deliver: Callable[[Step], None]) -> None:
        self._next = iter([step if step.symbol else step.data for step in steps]).__next__
        self._deliver = deliver

    def receive(self, timeout_s: float) -> bytes | None:
        try:
            data = self._next()
            while isinstance(data, Step):
                self._deliver(data)
                data = self._next()
        except StopIteration:
            raise Disconnected("the capture ends") from None
        return data

    def open(self, url: str, timeout_s: float) -> None:
        """Nothing to open: the frames lie here already."""

    def send(self, text: str) -> None:
        """Nobody listens."""

    def ping(self) -> None:
        """Nobody answers."""

    def close(self) -> None:
        """Nothing to free."""

    def abort(self) -> None:
        """Nothing blocks."""


class Line:
    """The line from a link to one mailbox, built of its real parts."""

    def __init__(
        self,
        make_mailbox: Callable[[Clock], Mailbox] = lambda _clock: Mailbox(),
        prepare: Callable[[Feed], None] = lambda _feed: None,
        venue: BinanceConnector | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.venue = venue or BinanceConnector({})
        self.clock = clock
        self.shelf = Shelf(self.venue, prepare)
        self.hub = Hub({"binance": self.shelf})
        self.mailbox = make_mailbox(clock)
        self.subscription = self.hub.subscribe([("binance", symbol, "stream") for symbol in SYMBOLS], self.mailbox)

    def session(self, link: MemoryLink, on_check: Callable[[Session, int], None]) -> Session:
        return Session(
            self.venue, link, SystemRuntime(self.clock), Patience(), lambda: self.shelf.channels,
            lambda channel, session, due_ns: None, on_check, lambda channel, reason: None,
        )  # fmt: skip

    def deliver(self, step: Step) -> None:
        """Push a captured REST snapshot."""
        received_ns = self.clock.now_ns()
        snapshot = self.venue.decode_snapshot(step.symbol, step.data, received_ns, "stream")
        self.shelf.channels[step.symbol].push(snapshot)

    def outcome(self) -> Outcome:
        tops: dict[str, Top] = {}
        trades = 0
        for symbol, channel in self.shelf.channels.items():
            view = channel.feed.view
            trades += channel.feed.quality.trades
            tops[symbol] = {"bids": pairs(view.bids), "asks": pairs(view.asks)} if view is not None else {}
        return Outcome(trades, 0, tops)

    def close(self) -> None:
        self.subscription.close()
        self.hub.close()


class RecordedTimeLink(MemoryLink):
    """Knows when the frame that it gave out last was received."""

    def __init__(self, steps: Sequence[Step], deliver: Callable[[Step], None]) -> None:
        super().__init__(steps, deliver)
        self._next_ns = iter([step.received_ns for step in steps if not step.symbol]).__next__
        self.now_ns = steps[0].received_ns

    def receive(self, timeout_s: float) -> bytes | None:
        data = super().receive(timeout_s)
        self.now_ns = self._next_ns()
        return data


class RecordedTimeVenue(BinanceConnector):
    """Stamps events with the recording's times: what is done once a second is done as often as in the market."""

    link: RecordedTimeLink

    def new_decoder(self) -> Decode:
        decode, link = super().new_decoder(), self.link
        return lambda data, now_ns: decode(data, link.now_ns)


class RecordedClock(SystemClock):
    """Real time, counted from the moment at which the recording begins: nothing that it holds is ever stale."""

    def __init__(self, begin_ns: int) -> None:
        super().__init__()
        self._shift_ns = begin_ns - super().now_ns()

    def now_ns(self) -> int:
        return super().now_ns() + self._shift_ns


def whole_line(steps: list[Step]) -> Job:
    line = Line()
    return _run(line, MemoryLink(steps, line.deliver))


def line_with_flow(steps: list[Step]) -> Job:
    # Here, for only this contestant needs numpy.
    from engine.analysis.flow_border import FlowBorder
    from engine.flow.analyzer import FlowAnalyzer

    def analyse(feed: Feed) -> None:
        feed.observer = FlowBorder(
            ("binance", feed.symbol, "stream"), FlowAnalyzer(feed.venue, feed.symbol, TICK).observer, failed
        )

    venue = RecordedTimeVenue({})
    line = Line(prepare=analyse, venue=venue, clock=RecordedClock(steps[0].received_ns))
    link = venue.link = RecordedTimeLink(steps, line.deliver)
    return _run(line, link)


def failed(error: Exception) -> None:
    """An analysis that fails is no contestant."""
    raise error


def _run(line: Line, link: MemoryLink) -> Job:
    session = line.session(link, lambda _session, _now_ns: _drain(line))

    def run() -> Outcome:
        try:
            session.run()
        except Disconnected:
            return line.outcome()
        raise RuntimeError("the session ended before the capture did")

    return run


def _drain(line: Line) -> None:
    line.mailbox.drain()
