"""Which side took: the venue's word, else the quote that stood shortly before, else the last change of price.

Lee & Ready 1991 (J. Finance 46:733). Quotes often reach us before the trade that caused them, so the prevailing quote
is the one a learned lag earlier; where a venue marks its trades, the lag is the one that agrees best with its marks.
"""

from __future__ import annotations

from typing import Literal

from engine.flow.trades.quote_history import QuoteHistory

SideSource = Literal["venue", "quote", "tick"]
Fallback = Literal["quote", "tick", "none"]

LAGS_MS = (0, 1, 5, 10, 20, 50, 100, 150, 200)
"""Where the lag is looked for."""
MILLISECOND_NS = 1_000_000
LEARN_FROM = 500
LEARN_TO = 1_000
"""Marked trades after which the lag is believed, and after which learning rests until the next hour."""
RELEARN_NS = 3_600 * 1_000_000_000


class TickRule:
    """Up is a buy, down is a sell, equal carries on; 0 until the price has changed once."""

    __slots__ = ("last", "side")

    def __init__(self) -> None:
        self.last: float | None = None
        self.side = 0

    def take(self, price: float) -> int:
        """The side of a trade at this price: +1, -1 or 0."""
        last = self.last
        if price != last:
            if last is not None:
                self.side = 1 if price > last else -1
            self.last = price
        return self.side


def quote_rule(price: float, mid: float | None, by_ticks: int) -> tuple[int, SideSource]:
    """Above the mid a buy, below it a sell; at the mid, or without one, what the tick rule says."""
    if mid is None or price == mid:
        return by_ticks, "tick"
    return (1 if price > mid else -1), "quote"


class LagLearner:
    """Counts how often the quote rule agrees with the venue's marks, for each of `lags_ms`.

    `limit` marked trades are learned from, then learning rests for an hour (None: it never rests).
    """

    __slots__ = (
        "_agreed", "_agreed_size", "_judged", "_judged_size", "lag_ns", "lags_ms", "limit", "rest_until_ns", "seen",
        "seen_size",
    )  # fmt: skip

    def __init__(self, lags_ms: tuple[int, ...] = LAGS_MS, limit: int | None = LEARN_TO) -> None:
        self.lags_ms = lags_ms
        self.limit = limit
        self.lag_ns = 0
        """The lag in use: 0 until enough is known."""
        self.rest_until_ns = 0
        """Until when nothing is learned; 0 while it is."""
        self._clear()

    def take(self, t_ns: int, price: float, size: float, side: int, by_ticks: int, quotes: QuoteHistory) -> None:
        """Learn from a trade that the venue has marked; price in ticks, `by_ticks` what the tick rule says of it."""
        if t_ns < self.rest_until_ns:
            return
        if self.rest_until_ns:
            self.rest_until_ns = 0
            self._clear()
        self.seen += 1
        self.seen_size += size
        for place, lag in enumerate(self.lags_ms):
            mid = quotes.before(t_ns - lag * MILLISECOND_NS) if lag else quotes.mid
            if mid is None:
                continue
            self._judged[place] += 1
            self._judged_size[place] += size
            if (by_ticks if price == mid else 1 if price > mid else -1) == side:
                self._agreed[place] += 1
                self._agreed_size[place] += size
        if self.limit is not None and self.seen >= self.limit:
            self.rest_until_ns = t_ns + RELEARN_NS
        if self.seen == LEARN_FROM or self.rest_until_ns:
            self.lag_ns = self.best_ms() * MILLISECOND_NS

    @property
    def learned(self) -> bool:
        """Whether enough marked trades were seen to believe the lag."""
        return self.seen >= LEARN_FROM or self.rest_until_ns > 0

    def best_ms(self) -> int:
        """The lag with the largest share of trades it agreed on; of equals the shortest."""
        shares = [agreed / judged if judged else 0.0 for agreed, judged in zip(self._agreed, self._judged, strict=True)]
        return self.lags_ms[shares.index(max(shares))]

    def agreement(self, place: int) -> tuple[float, float] | None:
        """The share of trades and of their volume that the quote rule got right at `lags_ms[place]`, each in 0 … 1, of
        those before which a quote was known; None without any."""
        judged, size = self._judged[place], self._judged_size[place]
        return (self._agreed[place] / judged, self._agreed_size[place] / size) if judged and size > 0.0 else None

    @property
    def agreed(self) -> tuple[float, float] | None:
        """The agreement at the lag in use."""
        return self.agreement(self.lags_ms.index(self.lag_ns // MILLISECOND_NS))

    def _clear(self) -> None:
        self.seen = 0
        self.seen_size = 0.0
        self._agreed, self._judged = [0] * len(self.lags_ms), [0] * len(self.lags_ms)
        self._agreed_size, self._judged_size = [0.0] * len(self.lags_ms), [0.0] * len(self.lags_ms)


class Signer:
    """Gives every trade its side: +1 buy, -1 sell, 0 unknown, and says where from in `source`.

    A venue that marks its trades is believed, also when it marks none (an auction): then the side stays unknown. Of a
    venue that has marked nothing yet the side is inferred by `fallback`: "quote" suits feeds whose quotes and trades
    are in step, "tick" fast ones whose quotes run ahead.
    """

    __slots__ = ("_quotes", "_ticks", "fallback", "learner", "marked", "source", "unsigned")

    def __init__(self, quotes: QuoteHistory, fallback: Fallback = "quote") -> None:
        self._quotes = quotes
        self._ticks = TickRule()
        self.fallback = fallback
        self.learner = LagLearner()
        self.source: SideSource | None = None
        """Where the last side came from; None when it is unknown."""
        self.marked = 0
        """How many trades the venue has marked."""
        self.unsigned = 0
        """How many trades have no known side."""

    @property
    def lag_ns(self) -> int:
        """How long before a trade the quote stood that it is held against."""
        return self.learner.lag_ns

    @property
    def inferred(self) -> bool:
        """Whether sides are inferred: whatever is made of them is an estimate."""
        return not self.marked

    def sign(self, t_ns: int, price: float, size: float, aggressor: int) -> int:
        """The side of a trade; price in ticks, `aggressor` as the venue says (0: it does not)."""
        if aggressor:
            self.marked += 1
            self.source = "venue"
            learner = self.learner
            if t_ns >= learner.rest_until_ns:
                learner.take(t_ns, price, size, aggressor, self._ticks.take(price), self._quotes)
            return aggressor
        side = 0
        if not self.marked and self.fallback != "none":
            side, self.source = self._infer(t_ns, price, self._ticks.take(price))
        if not side:
            self.source = None
            self.unsigned += 1
        return side

    def _infer(self, t_ns: int, price: float, by_ticks: int) -> tuple[int, SideSource]:
        if self.fallback == "tick":
            return by_ticks, "tick"
        lag = self.learner.lag_ns
        mid = self._quotes.before(t_ns - lag) if lag else self._quotes.mid
        return quote_rule(price, mid, by_ticks)
