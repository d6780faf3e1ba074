"""A hub and an order flow that do what the test wants, and pictures with as much in them as it needs."""

from __future__ import annotations

from collections.abc import Mapping

from engine.alerts.alert import Happening
from engine.analysis.flow_line import FlowPicture, SlowPicture
from engine.clock import ManualClock
from engine.errors import ConfigError
from engine.feed.feed import Feed
from engine.feed.mailbox import FeedKey, Receiver
from engine.flow.analyzer import FlowMetrics
from engine.flow.detectors.detection import Detection
from engine.flow.readings import Reading
from engine.flow.regimes.regime import Regime, RegimeChange
from engine.flow.signals.flow_signal import FlowSignal, SignalType
from engine.flow.state import BookState
from engine.market.events import FeedState
from engine.market.terms import Terms
from tests.engine.support import START_NS, delta, make_feed, snapshot

KEY: FeedKey = ("binance", "BTCUSDT", "stream")
SECOND = 1_000_000_000


class FakeFeeds:
    """A hub of hand-driven feeds."""

    def __init__(self) -> None:
        self.clock = ManualClock(START_NS)
        self.feeds: dict[FeedKey, Feed] = {}
        self.readers: list[tuple[FeedKey, Receiver]] = []
        self.notices: dict[FeedKey, str] = {}
        self.venues = {"binance"}

    def running(self) -> Mapping[FeedKey, int]:
        return dict.fromkeys(self.feeds, 1)

    def feed(self, key: FeedKey) -> Feed | None:
        return self.feeds.get(key)

    def notice(self, key: FeedKey) -> str:
        return self.notices.get(key, "")

    def check(self, key: FeedKey) -> object:
        if key[0] not in self.venues:
            raise ConfigError(f"no connector named {key[0]!r}", hint="There are: binance.")
        return None

    def attach(self, key: FeedKey, receiver: Receiver) -> None:
        self.readers.append((key, receiver))
        self.start(key)

    def detach(self, key: FeedKey, receiver: Receiver) -> None:
        self.readers.remove((key, receiver))

    def start(self, key: FeedKey = KEY) -> Feed:
        """A feed that begins, without a book yet."""
        if key not in self.feeds:
            self.feeds[key] = make_feed(self.clock, symbol=key[1])
        return self.feeds[key]

    def live(self, key: FeedKey = KEY) -> Feed:
        """A feed with a book, as fresh as the clock."""
        feed = self.start(key)
        feed.push(snapshot(100, symbol=key[1], at_ns=self.clock.now_ns()))
        assert feed.state is FeedState.LIVE
        return feed

    def update(self, number: int, key: FeedKey = KEY) -> None:
        self.feeds[key].push(delta(number, symbol=key[1], at_ns=self.clock.now_ns()))


class FakePictures:
    """An order flow whose pictures the test puts there."""

    def __init__(self) -> None:
        self.pictures: dict[FeedKey, FlowPicture] = {}
        self.held: list[FeedKey] = []

    def acquire(self, key: FeedKey) -> object:
        self.held.append(key)
        return None

    def release(self, key: FeedKey) -> None:
        self.held.remove(key)

    def picture(self, key: FeedKey) -> FlowPicture | None:
        return self.pictures.get(key)


def picture(
    number: int,
    at_ns: int = START_NS,
    figures: Mapping[str, float | None] | None = None,
    *,
    detections: tuple[tuple[int, Detection], ...] = (),
    signals: tuple[FlowSignal, ...] = (),
    regimes: tuple[RegimeChange, ...] = (),
    terms: Terms | None = None,
) -> FlowPicture:
    """A picture of the order flow with these things in it."""
    readings = {name: Reading(value, at_ns) for name, value in (figures or {}).items()}
    metrics = FlowMetrics(*KEY[:2], at_ns, BookState.OK, readings, Regime.UNKNOWN, None, None, ())
    slow = SlowPicture(None, (), {}, None, signals, regimes, {}, (), 1)
    return FlowPicture(number, 0.1, metrics, (), {}, detections, (), 0, (), 0, slow, (), terms or Terms())


def order(
    size: float, price: float | None, *, side: int = 1, kind: str = "large_order", alert: float = 1.0
) -> Detection:
    return Detection(kind, START_NS + round(size), side, size, price, {"alert": alert})


def signal(number: int, kind: SignalType, *, side: int = 1, direction: str | None = None) -> FlowSignal:
    return FlowSignal(
        *KEY[:2], kind, direction, side, 1.0, None, None, START_NS + number, 100.5, 30.0, number=number  # type: ignore[arg-type]
    )  # fmt: skip


def texts(found: list[Happening]) -> list[str]:
    return [f"{one.kind.value}: {one.text}" for one in found]
