"""Turns the figures and detections of one symbol into signals, and follows each to its outcome."""

from __future__ import annotations

from collections import deque

from msgspec.structs import replace

from engine.flow.book.top import TopOfBook
from engine.flow.correlation.mid_history import MidHistory
from engine.flow.section import SILENCE_NS, Section
from engine.flow.signals.flow_signal import RULES, FlowSignal, Side, SignalRule, SignalType, Status
from engine.flow.signals.hysteresis import Hysteresis, Said, ScoreHistory
from engine.flow.signals.outcomes import OutcomeLedger
from engine.flow.statistics.windows import SortedWindow

SIGNALS_KEPT = 500
CHANGES_KEPT = 2_000
OFI_SPAN_S = 5
OFI_HISTORY = 120
OFI_WARM = 60
NORMAL_DEVIATION = 1.4826
_IMBALANCE = SignalType.LIQUIDITY_IMBALANCE


class FlowScore:
    """Order-flow imbalance of 5 s as a robust z-score against its own last two minutes, the present not among them.

    `add` takes the running sum at each whole second, None after a break; it answers None until 60 values are known.
    """

    __slots__ = ("_flows", "_sums")

    def __init__(self) -> None:
        self._sums: deque[float] = deque(maxlen=OFI_SPAN_S + 1)
        self._flows = SortedWindow(OFI_HISTORY)

    def add(self, cumulative: float | None) -> float | None:
        if cumulative is None:
            self._sums.clear()
            return None
        self._sums.append(cumulative)
        if len(self._sums) <= OFI_SPAN_S:
            return None
        flow, score, flows = cumulative - self._sums[0], None, self._flows
        if len(flows) >= OFI_WARM:
            middle = flows.median() or 0.0
            spread = NORMAL_DEVIATION * flows.deviation(middle)
            score = (flow - middle) / spread if spread > 0.0 else None
        flows.add(flow)
        return score


class SignalBoard(Section):
    """The signals of one symbol. It stands after the sections whose figures it is given.

    `judge` takes the scores of each second, `occurred` single events. `mids` keeps the changes of the mid.
    """

    __slots__ = (
        "_active", "_ask", "_bid", "_buy", "_count", "_histories", "_known", "_machines", "_sell", "_signals", "_top",
        "changes", "changes_dropped", "high", "ledger", "lost_ns", "low", "mids", "rules", "symbol", "venue", "wake_ns",
    )  # fmt: skip

    def __init__(
        self,
        venue: str,
        symbol: str,
        top: TopOfBook,
        ledger: OutcomeLedger,
        rules: dict[SignalType, SignalRule] | None = None,
    ) -> None:
        """`top` stands before this section and tells it of every change of price."""
        self._top = top
        top.listeners.append(self._moved)
        self.venue, self.symbol = venue, symbol
        self.ledger = ledger
        self.rules = rules or RULES
        self.mids = MidHistory()
        self.changes: deque[FlowSignal] = deque(maxlen=CHANGES_KEPT)
        """Signals that began or ended, oldest first; whoever reads takes them away."""
        self.changes_dropped = 0
        self._signals: dict[int, FlowSignal] = {}
        self._active: dict[tuple[SignalType, int], int] = {}
        self._count = 0
        self._histories = {kind: ScoreHistory() for kind in self.rules}
        self._machines: dict[tuple[SignalType, int], Hysteresis] = {}
        self._buy, self._sell = self._machine(_IMBALANCE, 1), self._machine(_IMBALANCE, -1)
        self._bid = self._ask = 0.0
        self.low, self.high, self.wake_ns = 0.0, 0.0, 0
        """While the imbalance stays between these and the time before that, there is nothing to do."""
        self._known = False
        self.lost_ns = 0
        """When the book could last no longer be trusted; 0 for never."""

    def on_bbo(self, t_ns: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        total = bid_size + ask_size
        score = (bid_size - ask_size) / total if total > 0.0 else 0.0
        if self.low < score < self.high and t_ns < self.wake_ns:
            return
        if t_ns > self.ledger.due_ns:
            self._settle(t_ns)
        if self._known:
            self._judge_imbalance(t_ns, score)

    def on_reset(self, t_ns: int, reason: str) -> None:
        if t_ns > self.ledger.due_ns:
            self._settle(t_ns)
        self._lose(self._top.t_ns, reason)

    def _moved(self, t_ns: int, bid: float, ask: float) -> None:
        """A best price has changed, or the first one is known again."""
        if t_ns > self.ledger.due_ns:
            self._settle(t_ns)
        self._bid, self._ask = bid, ask
        if bid >= ask:
            self._lose(t_ns, "the book is locked" if bid == ask else "the book is crossed")
            return
        self.mids.add(t_ns, (bid + ask) / 2.0)
        if not self._known:
            self._known = True
            if self.lost_ns:
                self.ledger.gap(self.lost_ns, t_ns)

    def judge(self, t_ns: int, scores: dict[tuple[SignalType, int], float | None]) -> None:
        """Take the scores of a whole second by type and side (+1 buy or bid, -1 sell or ask); None: not known.

        A score of a type whose key is missing stays as it was.
        """
        if t_ns > self.ledger.due_ns:
            self._settle(t_ns)
        if self._known and t_ns - self._top.t_ns >= SILENCE_NS:
            self._lose(self._top.t_ns, "the book is stale")
        for (kind, side), number in list(self._active.items()):
            if self.rules[kind].event and self._machine(kind, side).lapse(t_ns):
                self._end(kind, side, number, t_ns, "expired")
        if self._known:
            imbalance = self._top.imbalance
            if imbalance is not None and t_ns >= self.wake_ns:
                self._judge_imbalance(t_ns, imbalance)
            for (kind, side), score in scores.items():
                said = self._machine(kind, side).step(t_ns, score) if score is not None else None
                if said is not None and score is not None:
                    self._heard(t_ns, kind, side, score, said)

    def remember(self, kind: SignalType, score: float) -> None:
        """Take a score into the history by which the strength of its type is told; once per second."""
        self._histories[kind].add(score)

    def occurred(self, t_ns: int, kind: SignalType, direction: int, side: int, score: float) -> None:
        """A single event: +1 buy, -1 sell, or 0 for no direction."""
        if self._known and self._machine(kind, direction or side).fire(t_ns):
            self._begin(t_ns, kind, direction, side, score)
        self.remember(kind, score)

    def signals(self) -> list[FlowSignal]:
        """The newest 500 as they stand, oldest first."""
        return list(self._signals.values())

    def active(self) -> list[FlowSignal]:
        """Those that hold now."""
        return [self._signals[number] for number in self._active.values() if number in self._signals]

    def drain(self) -> list[FlowSignal]:
        """What began or ended since the last call."""
        found = list(self.changes)
        self.changes.clear()
        return found

    @property
    def mid(self) -> float | None:
        """In quote units; None while the book is not to be trusted."""
        return (self._bid + self._ask) / 2.0 if self._known else None

    def _machine(self, kind: SignalType, side: int) -> Hysteresis:
        key = kind, side
        found = self._machines.get(key)
        if found is None:
            rule = self.rules[kind]
            found = Hysteresis(rule.on, rule.off, rule.hold_s, rule.cooldown_s, rule.expiry_s)
            self._machines[key] = found
        return found

    def _judge_imbalance(self, t_ns: int, score: float) -> None:
        buy, sell = self._buy, self._sell
        if score > 0.0 or not buy.idle:
            said = buy.step(t_ns, score)
            if said is not None:
                self._heard(t_ns, _IMBALANCE, 1, score, said)
        if score < 0.0 or not sell.idle:
            said = sell.step(t_ns, -score)
            if said is not None:
                self._heard(t_ns, _IMBALANCE, -1, -score, said)
        low, high = buy.bounds
        sell_low, sell_high = sell.bounds
        self.low = low if low > -sell_high else -sell_high
        self.high = high if high < -sell_low else -sell_low
        # What is due is settled by the first quote after its moment, not by one at it.
        self.wake_ns = min(buy.next_ns, sell.next_ns, self.ledger.due_ns + 1)

    def _heard(self, t_ns: int, kind: SignalType, side: int, score: float, said: Said) -> None:
        """A score that lasts has said something."""
        if said == "on":
            self._begin(t_ns, kind, side if self.rules[kind].horizons_s else 0, side, score)
            return
        number = self._active.get((kind, side))
        if number is not None:
            self._end(kind, side, number, t_ns, "ended" if said == "off" else "expired")

    def _begin(self, t_ns: int, kind: SignalType, direction: int, side: int, score: float) -> None:
        rule, mid = self.rules[kind], self.mid or 0.0
        strength = self._histories[kind].percentile(score)
        self._count += 1
        way: Side | None = ("buy" if direction > 0 else "sell") if direction else None
        earlier = None
        if way is not None:
            earlier = self.ledger.confidence(kind, rule.expiry_s, strength)
            self.ledger.follow(kind, direction, strength, t_ns)
            self.wake_ns = min(self.wake_ns, self.ledger.due_ns + 1)
        signal = FlowSignal(
            self.venue, self.symbol, kind, way, side, score * direction if direction else score, strength, earlier,
            t_ns, mid, rule.expiry_s, number=self._count,
        )  # fmt: skip
        key = kind, direction or side
        previous = self._active.pop(key, None)
        if previous is not None:
            self._end(kind, direction or side, previous, t_ns, "expired")
        self._active[key] = signal.number
        self._signals[signal.number] = signal
        while len(self._signals) > SIGNALS_KEPT:
            del self._signals[next(iter(self._signals))]
        self._tell(signal)

    def _end(self, kind: SignalType, side: int, number: int, t_ns: int, status: Status, reason: str = "") -> None:
        self._active.pop((kind, side), None)
        signal = self._signals.get(number)
        if signal is not None:
            signal = self._signals[number] = replace(signal, status=status, reason=reason, ended_ns=t_ns)
            self._tell(signal)

    def _tell(self, signal: FlowSignal) -> None:
        if len(self.changes) == CHANGES_KEPT:
            self.changes_dropped += 1
        self.changes.append(signal)

    def _settle(self, t_ns: int) -> None:
        half = (self._ask - self._bid) / (self._ask + self._bid) * 10_000.0 if self._known else 0.0
        self.ledger.settle(t_ns, self.mid, half, self._top.t_ns + SILENCE_NS)
        self.wake_ns = min(self.wake_ns, self.ledger.due_ns + 1)

    def _lose(self, t_ns: int, reason: str) -> None:
        """The book cannot be trusted from here on: what is active is over."""
        if not self._known:
            return
        self._known = False
        self.lost_ns = t_ns
        self.low = self.high = 0.0
        for (kind, side), machine in self._machines.items():
            number = self._active.get((kind, side))
            machine.step(t_ns, None)
            if number is not None:
                self._end(kind, side, number, t_ns, "cancelled", reason)
