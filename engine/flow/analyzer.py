"""All of the order flow of one symbol: feed it events through its observer, read its figures when they are wanted."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from zlib import crc32

from msgspec import Struct

from engine.flow.book.band import BandDepth
from engine.flow.book.flicker import Flicker
from engine.flow.book.heatmap import Heatmap
from engine.flow.book.integrated import IntegratedOfi
from engine.flow.book.micro_price import MicroPrice
from engine.flow.book.ofi import BestOfi, Impact, LevelOfi
from engine.flow.book.top import TopOfBook
from engine.flow.book.vacuum import Vacuum
from engine.flow.detectors.detection import Detection
from engine.flow.figures import BookFigures, flow_readings, trade_readings
from engine.flow.live_observer import LiveObserver
from engine.flow.market_watch import MarketWatch
from engine.flow.readings import Quality, Reading
from engine.flow.regimes.regime import Margin, Regime
from engine.flow.section import SECOND_NS, Observer, Section
from engine.flow.signals.board import SignalBoard
from engine.flow.signals.calibration import Calibration
from engine.flow.signals.flow_signal import FlowSignal
from engine.flow.signals.outcomes import LATENCY_S, OutcomeLedger
from engine.flow.signals.sources import occurrence_of
from engine.flow.state import BookState
from engine.flow.tape import Tape
from engine.flow.trades.volumes import Volume
from engine.market.events import Levels


class FlowMetrics(Struct, frozen=True, tag="flow_metrics"):
    """The order flow of one symbol at one moment.

    `readings` has every figure by name, each with its own moment, quality and warm-up. `signals` are those that hold
    now. `regime` is as of the last whole second and has been so since `regime_since_ns` (None: never known).
    """

    venue: str
    symbol: str
    at_ns: int
    state: BookState
    readings: dict[str, Reading]
    regime: Regime
    regime_since_ns: int | None
    margin: Margin | None
    signals: tuple[FlowSignal, ...]

    def __getitem__(self, name: str) -> float | None:
        """The value of a figure; None while it is not known.

        Raises:
            KeyError: there is no figure of this name.
        """
        return self.readings[name].value


class _Impacts(Section):
    """The lines between order flow and the move of the mid, a point every ten seconds."""

    __slots__ = ("_top", "best", "integrated")

    def __init__(self, top: TopOfBook, levels: LevelOfi) -> None:
        self._top = top
        self.best = Impact()
        self.integrated = IntegratedOfi(levels)

    def on_timer(self, t_ns: int) -> None:
        mid = self._top.mid_ticks
        self.best.on_second(mid, self._top.ofi)
        self.integrated.on_second(mid)

    def on_reset(self, t_ns: int, reason: str) -> None:
        self.best.lose()
        self.integrated.lose()

    def readings(self, t_ns: int, state: BookState) -> dict[str, Reading]:
        line, whole = self.best.line(), self.integrated.line()
        found = {
            "ofi_beta": line.slope if line else None,
            "ofi_r2": line.r2 if line else None,
            "ofi_t": line.t if line else None,
            "ofi_integrated": self.integrated.value,
            "ofi_integrated_r2": whole.r2 if whole else None,
        }
        warm = min(self.best.n / 30.0, 1.0)
        return {name: Reading(value, t_ns, Quality.EXACT, warm, state) for name, value in found.items()}


class FlowAnalyzer:
    """Give `observer` to the symbol's feed, and the feed's lock as `lock`; then any thread may `read`.

    `tick` is the price step in quote units. `multiplier` and `inverse` are those of a contract, `bucket` the volume of
    a toxicity bucket (None: toxicity is not known). `fee_bps` is what a taker pays (None: net outcomes are not known),
    `latency_s` how long after a signal its outcome begins. `pool` is the venue's experience, shared by its symbols.
    `derive_quotes`: the venue sends no best quotes beside its books.
    """

    def __init__(
        self,
        venue: str,
        symbol: str,
        tick: float,
        *,
        multiplier: float = 1.0,
        inverse: bool = False,
        bucket: float | None = None,
        fee_bps: float | None = None,
        latency_s: float = LATENCY_S,
        pool: Calibration | None = None,
        derive_quotes: bool = False,
    ) -> None:
        self.venue, self.symbol, self.tick = venue, symbol, tick
        self.lock: AbstractContextManager[object] = nullcontext()
        """Held by whoever feeds the observer while it does."""
        self.top, self.level_ofi = TopOfBook(tick), LevelOfi()
        self.ofi = BestOfi(self.top)
        self.micro_price = MicroPrice(self.top)
        self.flicker = Flicker(self.top)
        self.book = BookFigures(tick)
        self.band = BandDepth(tick)
        self.vacuum = Vacuum(self.band)
        self.heatmap = Heatmap(tick)
        self.impacts = _Impacts(self.top, self.level_ofi)
        seed = crc32(f"{venue} {symbol}".encode())
        self.outcomes = OutcomeLedger(venue, symbol, pool, latency_s=latency_s, fee_bps=fee_bps, seed=seed)
        self.board = SignalBoard(venue, symbol, self.top, self.outcomes)
        self.tape = Tape(tick, multiplier=multiplier, inverse=inverse, bucket=bucket, band=self.band)
        self.tape.on_detection = self._detected
        self.watch = MarketWatch(self.top, self.vacuum, self.board)
        # What reads others stands after them.
        self.observer: Observer = LiveObserver(
            self.top, self.board, self.tape,
            (
                self.top, self.level_ofi, self.micro_price, self.flicker, self.book, self.band, self.vacuum,
                self.heatmap, self.impacts, self.board, self.tape, self.watch,
            ),
            derive_quotes=derive_quotes,
        )  # fmt: skip

    def read(self, t_ns: int | None = None) -> FlowMetrics:
        """Everything as of `t_ns` (None: the last event), from any thread but within a call of the observer."""
        with self.lock:
            return self.metrics(t_ns)

    def levels(self, count: int) -> tuple[Levels, Levels] | None:
        """The best `count` bids and asks, (price, size) each; None without a book. From any thread."""
        with self.lock:
            return self.book.levels(count)

    def volume(self, window_s: float) -> Volume | None:
        """What traded in the last `window_s`; None before the first trade. From any thread."""
        with self.lock:
            if not self.watch.trades:
                return None
            return self.tape.volumes.over(self.observer.last_ns, round(window_s * SECOND_NS))

    def metrics(self, t_ns: int | None = None) -> FlowMetrics:
        """The same as `read`, on the thread that feeds."""
        now = self.observer.last_ns if t_ns is None else max(t_ns, self.observer.last_ns)
        state = self.top.state_at(now)
        regime = self.watch.regime
        return FlowMetrics(
            self.venue, self.symbol, now, state, self._readings(now, state), regime.regime, regime.since_ns,
            regime.margin(), tuple(self.board.active()),
        )  # fmt: skip

    def _readings(self, now: int, state: BookState) -> dict[str, Reading]:
        found = self.top.readings(now)
        found |= self.book.readings(state)
        found |= self.vacuum.readings(now, state)
        found |= flow_readings(self.ofi, now, state)
        found |= self.impacts.readings(now, state)
        found |= trade_readings(self.tape, now, state, alive=self.watch.trades > 0)
        found |= self.watch.readings(now, state)
        found["microprice"] = self._micro_price(state)
        for name, rate in zip(("flicker_rate_bid", "flicker_rate_ask"), self.flicker.rates(), strict=True):
            found[name] = Reading(rate, now, Quality.EXACT, 1.0, state)
        return found

    def _micro_price(self, state: BookState) -> Reading:
        """In quote units; the weighted mid, marked as an estimate, while too little has been seen."""
        top, adjustment = self.top, self.micro_price.adjustment()
        mid, weighted = top.mid_ticks, top.weighted_mid_ticks
        if mid is not None and adjustment is not None:
            return Reading((mid + adjustment) * self.tick, top.t_ns, Quality.EXACT, 1.0, state)
        fallback = None if weighted is None else weighted * self.tick
        return Reading(fallback, top.t_ns, Quality.ESTIMATED, 0.0, state)

    def _detected(self, found: Detection) -> None:
        event = occurrence_of(found)
        if event is not None:
            # An order is known to be whole only some time after its last fill: nobody could have acted before.
            known_ns = max(found.t_ns, self.observer.last_ns)
            self.board.occurred(known_ns, event.kind, event.direction, event.side, event.score)
