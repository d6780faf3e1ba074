"""What happens in the order flow of one feed: large orders, signals and changes of regime that are new in a picture."""

from __future__ import annotations

from engine.alerts.alert import Happening
from engine.alerts.rule import Kind
from engine.analysis.flow_line import FlowPicture
from engine.feed.mailbox import FeedKey
from engine.flow.detectors.detection import Detection
from engine.flow.regimes.regime import Regime
from engine.flow.signals.flow_signal import FlowSignal, SignalType

OF_SIGNALS = {
    SignalType.ABSORPTION: Kind.ABSORPTION,
    SignalType.EXHAUSTION: Kind.EXHAUSTION,
    SignalType.LIQUIDITY_VACUUM: Kind.VACUUM,
}
_TAKERS = {1: "bought", -1: "sold"}


class FlowWatch:
    """Remembers what it has seen. The first picture of a feed is history, and told by nobody."""

    __slots__ = ("_detection", "_key", "_number", "_regime_ns", "_signal")

    def __init__(self, key: FeedKey) -> None:
        self._key = key
        self._number = 0
        self._detection = self._signal = self._regime_ns = 0

    def look(self, picture: FlowPicture, source: str) -> list[Happening]:
        """What is new since the last picture."""
        first = not self._number or picture.number < self._number
        self._number = picture.number
        detections = [one for number, one in picture.detections if number > self._detection]
        signals = [one for one in picture.slow.signals if one.number > self._signal]
        changes = [one for one in picture.slow.regimes if one.at_ns > self._regime_ns]
        self._detection = picture.detections[-1][0] if picture.detections else 0
        self._signal = picture.slow.signals[-1].number if picture.slow.signals else 0
        self._regime_ns = picture.slow.regimes[-1].at_ns if picture.slow.regimes else 0
        if first:
            return []
        found = [self._order(one, picture, source) for one in detections if _is_large(one)]
        found += [self._signalled(one, source) for one in signals if one.kind in OF_SIGNALS]
        # The first seconds after a break, when nothing is known, are no other market.
        for change in [one for one in changes if Regime.UNKNOWN not in (one.regime, one.before)]:
            words = change.regime.value.replace("_", " ")
            text = f"{words}, before that {change.before.value.replace('_', ' ')}"
            found.append(self._happening(Kind.REGIME, change.at_ns, words, text, source))
        return found

    def _order(self, found: Detection, picture: FlowPicture, source: str) -> Happening:
        worth = picture.terms.worth(found.size, found.price)
        what = "sweep" if found.kind == "sweep" else "order"
        at = f" at {_price(found.price)}" if found.price is not None else ""
        value = f", {worth:,.0f} in quote units" if worth is not None else ""
        text = f"{what}: {_TAKERS.get(found.side, 'traded')} {found.size:,.6g}{at}{value}"
        # A large order that swept the book is found twice, and told once.
        identity = f"{Kind.LARGE_ORDER.value} {found.t_ns} {found.side} {found.size}"
        topic = f"{Kind.LARGE_ORDER.value} {found.side}"
        return Happening(Kind.LARGE_ORDER, self._key, found.t_ns, identity, topic, text, source, worth)

    def _signalled(self, signal: FlowSignal, source: str) -> Happening:
        kind = OF_SIGNALS[signal.kind]
        if kind is Kind.VACUUM:
            text = f"the {'bids' if signal.side > 0 else 'asks'} within 10 bps are far below their usual size"
        elif kind is Kind.ABSORPTION:
            text = f"heavy {'selling' if signal.direction == 'buy' else 'buying'} hardly moves the price"
        else:
            text = f"a new {'high' if signal.side > 0 else 'low'} while the taking behind it fades"
        at = f", at {_price(signal.mid)}" if signal.mid else ""
        return self._happening(kind, signal.at_ns, str(signal.side), text + at, source)

    def _happening(self, kind: Kind, at_ns: int, topic: str, text: str, source: str) -> Happening:
        topic = f"{kind.value} {topic}"
        return Happening(kind, self._key, at_ns, f"{topic} {at_ns}", topic, text, source)


def _price(price: float) -> str:
    """As many digits as tell prices apart; a mean of fills has more than anybody reads."""
    return f"{float(f'{price:.7g}'):,.10g}"


def _is_large(found: Detection) -> bool:
    return found.kind == "large_order" or (found.kind == "sweep" and bool(found.evidence.get("alert")))
