"""A fake Coinbase, the real connector on it, and a witness per product. See `rig`: only how a book is dated differs.

Coinbase numbers the frames of a connection, not the updates of a book; here the frames' time stamps tell the update.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from connectors.coinbase import CoinbaseConnector
from engine.market.events import BookDelta, BookSnapshot, FeedState, MarketEvent, Trade
from tests.fakes.coinbase import FakeCoinbase, label_of, symbol_of
from tests.fakes.rig import PACE, PATIENCE, HurriedRuntime, Rig, Witness, _Alarms
from tests.fakes.truth import TOP_DEPTH, SimulatorTruth


class CoinbaseWitness(Witness):
    """Follows the published line of a product and dates it by the venue's stamps; trades must not come twice."""

    def __init__(self, symbol: str, venue: FakeCoinbase) -> None:
        super().__init__(symbol)
        self.trades = 0
        self._venue = venue
        self._open = False
        self._last_trade: int | None = None

    def __call__(self, event: MarketEvent) -> None:
        if isinstance(event, Trade) and not event.backfill:
            assert isinstance(event.trade_id, int)
            if self._last_trade is not None and event.trade_id <= self._last_trade:
                self.problems.append(f"trade {event.trade_id} was published after {self._last_trade}")
            self._last_trade = event.trade_id
            self.trades += 1
        super().__call__(event)

    def verify(self, truth: SimulatorTruth) -> list[str]:
        product, self.symbol = self.symbol, symbol_of(label_of(self.symbol))
        try:
            return super().verify(truth)
        finally:
            self.symbol = product

    def number_at(self, exchange_ns: int | None) -> int:
        """The update that a frame with this stamp stands for."""
        return self._venue.number_at.get((label_of(self.symbol), exchange_ns or 0), -1)

    def _look(self) -> None:
        feed = self.stream.feed if self.stream is not None else None
        view = feed.view if feed is not None else None
        if feed is not None and view is not None and feed.state is FeedState.LIVE:
            self._note("the view", self.number_at(view.exchange_ns), view.bids[:TOP_DEPTH], view.asks[:TOP_DEPTH])

    def _follow_snapshot(self, snapshot: BookSnapshot) -> None:
        self.snapshots += 1
        self._open = True
        self._book.replace(snapshot.bids, snapshot.asks)
        self._note_book(snapshot.exchange_ns)

    def _follow_delta(self, delta: BookDelta) -> None:
        if not self._open or not (self.state.has_data or self.state is FeedState.STALE):
            self.problems.append("an update was published without a snapshot before it")
            return
        self._book.apply(delta.bids, delta.asks)
        self._note_book(delta.exchange_ns)

    def _note_book(self, exchange_ns: int | None) -> None:
        number = self.number_at(exchange_ns)
        self._note("the published line", number, self._book.bids(TOP_DEPTH), self._book.asks(TOP_DEPTH))


class CoinbaseRig(Rig):
    """Everything of one test on the fake Coinbase."""

    venue: FakeCoinbase  # type: ignore[assignment]

    def __init__(
        self,
        symbols: Sequence[str] = ("BTC-USD",),
        *,
        seed: int = 1,
        patience: dict[str, Any] | None = None,
        limits: dict[str, Any] | None = None,
        **venue: Any,
    ) -> None:
        self.symbols = tuple(symbols)
        listed = dict.fromkeys([symbol_of(label_of(symbol)) for symbol in symbols])
        self.truth = SimulatorTruth([symbol for symbol in listed if symbol.isalpha()], seed=seed)
        self.venue = FakeCoinbase(self.truth, pace=PACE, **venue)
        self.witnesses = {}
        self._threads = set(threading.enumerate())
        hasty = type(
            "HastyCoinbase", (CoinbaseConnector,), {"limits": replace(CoinbaseConnector.limits, **(limits or {}))}
        )
        self.connector = hasty(
            {"COINBASE_WS_URL": self.venue.ws_url, "COINBASE_REST_URL": self.venue.http_url},
            runtime=HurriedRuntime(seed),
            patience=replace(PATIENCE, **(patience or {})),
        )
        self._market = None
        self.closed_in_s = 0.0
        self._alarms = _Alarms()

    def start(self, *symbols: str) -> CoinbaseRig:
        for symbol in symbols or self.symbols:
            witness = self.witnesses[symbol] = CoinbaseWitness(symbol, self.venue)
            witness.stream = self.connector.start_stream(symbol, witness)
        return self

    @property
    def told(self) -> CoinbaseWitness:
        """The first product's witness."""
        witness = self.witness
        assert isinstance(witness, CoinbaseWitness)
        return witness

    def _caught_up(self, symbol: str, sequence: int) -> bool:
        witness = self.witnesses[symbol]
        assert isinstance(witness, CoinbaseWitness)
        assert witness.stream is not None
        feed = witness.stream.feed
        view = feed.view
        goal = self.venue.published.get(label_of(symbol), 0) if sequence == 0 else sequence
        return feed.state is FeedState.LIVE and view is not None and witness.number_at(view.exchange_ns) >= goal
