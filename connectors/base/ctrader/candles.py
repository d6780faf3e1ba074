"""cTrader's trendbars: asked for once, then kept up by the stream.

1. 2135 subscribes to a symbol's live bars of one length (acknowledged by 2165), which needs its spots; then 2137 asks
   for the past (2138). In this order nothing is missing between the two.
2. From then on 2131 carries the bar that is growing, and the first word of the next one: the past is not asked for
   again while the session lasts. The venue allows five such requests a second.
3. A bar is told by its low; open, high and close are how far they lie above it, in 1/100000; times are in minutes.
   `volume` counts price changes: there is no tape to add amounts up from.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import count
from threading import Event, Lock

from connectors.base.ctrader import wire
from engine.errors import DecodeError, FeedError
from engine.market.candle import SECONDS, Candle, is_over

PERIODS = {
    "1m": (1, "M1"), "3m": (3, "M3"), "5m": (5, "M5"), "15m": (7, "M15"), "30m": (8, "M30"), "1h": (9, "H1"),
    "4h": (10, "H4"), "12h": (11, "H12"), "1d": (12, "D1"), "1w": (13, "W1"),
}  # fmt: skip
"""The venue's number and name for each of our timeframes."""
MOST = 1_000
REQUESTS_PER_S = 5.0
WEEK_MS = 7 * 86_400_000
_LONGEST_MS = ((300, 5 * WEEK_MS), (3_600, 35 * WEEK_MS), (86_400, 52 * WEEK_MS), (604_800, 260 * WEEK_MS))
"""The longest stretch that can be asked for at once, by how long a bar lasts at most."""
_CLOSED_MS = 4 * 86_400_000
"""A week-end and a holiday: bars of the past may lie so much further back."""
_BY_PERIOD = {shape: name for name, shapes in PERIODS.items() for shape in (*shapes, str(shapes[0]))}

_Series = tuple[int, str]
"""(symbol's id, timeframe)."""


class Question:
    """One request for candles; `answered` is set when `bars` or `error` is."""

    def __init__(self, number: int, series: _Series, most: int) -> None:
        self.number = number
        self.series = series
        self.most = most
        self.sent = False
        self.answered = Event()
        self.bars: list[wire.Trendbar] = []
        self.error: FeedError | None = None


class CandleDesk:
    """What was asked for and what is kept up; used by the session's thread and by those who ask."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._numbers = count(1)
        self._questions: dict[int, Question] = {}
        self._live: dict[_Series, int] = {}
        """The series that this session has subscribed to, and the number under which it asked."""
        self._sure: set[_Series] = set()
        """Those of which the venue has said that it sends them."""
        self._kept: dict[_Series, dict[int, wire.Trendbar]] = {}
        """By the minute that each bar began in; only of series that are live and whose past was told."""

    # For those who ask

    def newest(self, series: _Series, most: int) -> list[wire.Trendbar] | None:
        """The bars of a series that is kept up; None where the venue must be asked."""
        with self._lock:
            kept = self._kept.get(series)
            if kept is None or len(kept) < most or series not in self._sure:
                return None
            return [kept[minute] for minute in sorted(kept)][-most:]

    def ask(self, series: _Series, most: int) -> Question:
        with self._lock:
            question = Question(next(self._numbers), series, min(most, MOST))
            self._questions[question.number] = question
            return question

    def withdraw(self, question: Question) -> None:
        with self._lock:
            self._questions.pop(question.number, None)

    # For the session

    def restart(self) -> None:
        """A new session: it knows of no subscription, and what was not answered is asked again."""
        with self._lock:
            self._live.clear()
            self._sure.clear()
            self._kept.clear()
            for question in self._questions.values():
                question.sent = False

    def frames(self, account: int, spots: Collection[int], now_ns: int) -> list[str]:
        """What is to be sent now; `spots` are the symbols whose best prices come."""
        with self._lock:
            waiting = [question for question in self._questions.values() if not question.sent]
            found = []
            for question in waiting:
                question.sent = True
                if question.series[0] in spots and question.series not in self._live:
                    self._live[question.series] = question.number
                    found.append(_about(wire.SUBSCRIBE_TRENDBARS, account, question.series, question.number))
                found.append(_history(account, question, now_ns))
            return found

    def leave(self, account: int, identifiers: Collection[int]) -> list[str]:
        """End the live bars of these symbols."""
        with self._lock:
            left = [series for series in self._live if series[0] in identifiers]
            numbers = [self._forget(series) for series in left]
            pairs = zip(left, numbers, strict=True)
            return [_about(wire.UNSUBSCRIBE_TRENDBARS, account, series, number) for series, number in pairs]

    def subscribed(self, number: int, *, agreed: bool) -> None:
        """Whether the venue agreed to send live bars."""
        with self._lock:
            for series in [series for series, asked in self._live.items() if asked == number]:
                if agreed:
                    self._sure.add(series)
                else:
                    self._forget(series)

    def take(self, number: int, message: wire.Message) -> None:
        """The past of a series. Raises DecodeError."""
        bars = wire.read_payload(message, wire.Trendbars).trendbar
        with self._lock:
            question = self._questions.pop(number, None)
            if question is None:
                return
            known = {_minute(bar): bar for bar in bars}
            question.bars = [known[minute] for minute in sorted(known)][-question.most :]
            if question.series in self._live:
                self._kept[question.series] = _newest(known | self._kept.get(question.series, {}))
        question.answered.set()

    def refuse(self, number: int, error: FeedError) -> None:
        """The past of a series cannot be had."""
        with self._lock:
            question = self._questions.pop(number, None)
        if question is not None:
            question.error = error
            question.answered.set()

    def note(self, identifier: int, bars: Sequence[wire.Trendbar]) -> None:
        """Live bars as a spot carried them. Raises DecodeError."""
        for bar in bars:
            timeframe = _BY_PERIOD.get(bar.period, "")
            with self._lock:
                kept = self._kept.get((identifier, timeframe))
                if kept is None:
                    continue
                kept[_minute(bar)] = bar
                self._kept[identifier, timeframe] = _newest(kept)

    def _forget(self, series: _Series) -> int:
        self._sure.discard(series)
        self._kept.pop(series, None)
        return self._live.pop(series)


def candle(venue: str, symbol: str, timeframe: str, bar: wire.Trendbar, now_ns: int) -> Candle:
    """A bar in the words of the house. Raises DecodeError."""
    low = bar.low
    if low is None:
        raise DecodeError(f"{venue}: a trendbar of {symbol} without a price")
    open_, high, close = [(low + above) / wire.PRICE_UNIT for above in (bar.deltaOpen, bar.deltaHigh, bar.deltaClose)]
    begin_ns = _minute(bar) * 60 * 10**9
    over = is_over(begin_ns, timeframe, now_ns)
    return Candle(
        venue, symbol, timeframe, begin_ns, open_, high, low / wire.PRICE_UNIT, close, None, bar.volume, over
    )  # fmt: skip


def _newest(bars: dict[int, wire.Trendbar]) -> dict[int, wire.Trendbar]:
    while len(bars) > MOST:
        del bars[min(bars)]
    return bars


def _minute(bar: wire.Trendbar) -> int:
    if bar.utcTimestampInMinutes is None:
        raise DecodeError("ctrader: a trendbar without a time")
    return bar.utcTimestampInMinutes


def _about(kind: int, account: int, series: _Series, number: int) -> str:
    identifier, timeframe = series
    request = wire.request_of("live", [number])
    return wire.write(kind, request, ctidTraderAccountId=account, symbolId=identifier, period=PERIODS[timeframe][0])


def _history(account: int, question: Question, now_ns: int) -> str:
    identifier, timeframe = question.series
    length_s, now_ms = SECONDS[timeframe], now_ns // 1_000_000
    longest_ms = next(most for seconds, most in _LONGEST_MS if length_s <= seconds)
    reach_ms = min(longest_ms, 2 * question.most * length_s * 1_000 + _CLOSED_MS)
    return wire.write(
        wire.TRENDBARS, wire.request_of("candles", [question.number]), ctidTraderAccountId=account,
        symbolId=identifier, period=PERIODS[timeframe][0], fromTimestamp=max(0, now_ms - reach_ms),
        toTimestamp=now_ms, count=question.most,
    )  # fmt: skip
