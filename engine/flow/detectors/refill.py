"""Refills: a best price that shows its size again soon after each trade, as an iceberg order would."""

from __future__ import annotations

from engine.flow.detectors.detection import Detection

RESTORED = 0.8
WITHIN_NS = 250_000_000
REFILLS = 3
TIMES_SHOWN = 2.0


class _Episode:
    """One price, for as long as it stays the best of its side."""

    __slots__ = ("before", "executed", "fell", "peak", "price", "refills", "reported", "side", "size", "traded_ns")

    def __init__(self, side: int) -> None:
        self.side = side
        self.begin(0.0, 0.0)

    def begin(self, price: float, size: float) -> None:
        self.price = price
        self.size = self.peak = size
        self.executed = 0.0
        self.refills = 0
        self.traded_ns = -1
        """When the trade happened that the next refill would answer; -1 when none waits."""
        self.before = 0.0
        """What was shown before it."""
        self.fell = False
        self.reported = False

    def answered(self, t_ns: int, size: float) -> bool:
        """The size shown has changed while a trade waits for an answer; whether this is one."""
        if t_ns - self.traded_ns > WITHIN_NS:
            self.traded_ns = -1
            return False
        if not self.fell:
            self.fell = size < self.before
            return False
        if size < self.before * RESTORED:
            return False
        self.traded_ns = -1
        self.refills += 1
        return True

    def traded(self, t_ns: int, size: float) -> None:
        self.executed += size
        if self.traded_ns < 0 or t_ns - self.traded_ns > WITHIN_NS:
            self.traded_ns, self.before, self.fell = t_ns, self.size, False


class Refills:
    """Watches both best prices. An event when a price was refilled three times or more and more than twice the largest
    size it ever showed was taken from it; once for as long as it stays the best. The event's side is that of the
    resting order: +1 a bid, -1 an ask."""

    __slots__ = ("ask", "bid")

    def __init__(self) -> None:
        self.bid = _Episode(1)
        self.ask = _Episode(-1)

    def on_bbo(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> Detection | None:
        """Take a best quote; prices in quote units."""
        found = None
        side = self.bid
        if bid != side.price:
            side.begin(bid, bid_size)
        elif bid_size != side.size:
            side.size = bid_size
            if bid_size > side.peak:
                side.peak = bid_size
            if side.traded_ns >= 0 and side.answered(t_ns, bid_size):
                found = self._judge(t_ns, side)
        side = self.ask
        if ask != side.price:
            side.begin(ask, ask_size)
        elif ask_size != side.size:
            side.size = ask_size
            if ask_size > side.peak:
                side.peak = ask_size
            if side.traded_ns >= 0 and side.answered(t_ns, ask_size):
                found = self._judge(t_ns, side) or found
        return found

    def on_trade(self, t_ns: int, price: float, size: float, side: int) -> None:
        """Take a trade with a side: a buy takes from the ask."""
        episode = self.ask if side > 0 else self.bid
        if side and price == episode.price:
            episode.traded(t_ns, size)

    def on_reset(self) -> None:
        """The quotes are unknown: both episodes end."""
        self.bid.begin(0.0, 0.0)
        self.ask.begin(0.0, 0.0)

    def _judge(self, t_ns: int, episode: _Episode) -> Detection | None:
        if episode.reported or episode.refills < REFILLS or episode.executed < TIMES_SHOWN * episode.peak:
            return None
        episode.reported = True
        evidence = {"executed": episode.executed, "peak": episode.peak, "refills": float(episode.refills)}
        return Detection("refill", t_ns, episode.side, episode.executed, episode.price, evidence)
