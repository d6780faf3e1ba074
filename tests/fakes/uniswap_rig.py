"""The Uniswap connector on its fake node. Books are dated by their block's time, which several blocks may share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from connectors.base import Patience
from connectors.base.stamps import unix_ns
from connectors.base.uniswap.arithmetic import Pool, State, ladder
from connectors.uniswap import UniswapConnector
from tests.fakes.rig import Rig, hasty
from tests.fakes.truth import SimulatorTruth, Top
from tests.fakes.uniswap import FakeBlock, FakeNode
from tests.fakes.uniswap_pool import WBTC_WETH, FakePool
from tests.fakes.witness import Seen

OTHER = "0x4585fe77225b41b697c938b018e2ac67ac5a20c0"
POOLS = {"WBTC/WETH@3000": WBTC_WETH, "WBTC/WETH@500": OTHER}
ARBITRUM = 42_161
"""A chain with quick blocks: its head is asked for every second."""
LEVELS = 10


class UniswapRig(Rig):
    """Everything of one test on the fake node."""

    default_symbols = ("WBTC/WETH@3000",)
    levels = LEVELS
    venue: FakeNode

    def make_truth(self, seed: int, history: int) -> SimulatorTruth:
        self._tops: dict[tuple[str, str], Top] = {}
        return SimulatorTruth([])  # the chain moves by itself

    def make_venue(self, pace: float, **options: Any) -> FakeNode:
        pool = FakePool.recorded()
        return FakeNode(pool, replace(pool.copy(), address=OTHER, fee=500), chain_id=ARBITRUM, pace=pace)

    def make_connector(self, ws_url: str, limits: dict[str, Any], patience: Patience) -> Any:
        pools = ",".join([f"{symbol}={address}" for symbol, address in POOLS.items()])
        settings = {"UNISWAP_RPC_URL": ws_url.replace("ws", "http", 1), "UNISWAP_POOLS": pools}
        return hasty(UniswapConnector, limits)(settings, runtime=self.runtime, patience=patience)

    def label(self, symbol: str) -> str:
        return POOLS[symbol]

    def oracle(self, symbol: str, seen: Seen) -> Sequence[Top] | None:
        if seen.exchange_ns is None:
            return None  # a clock that cannot be believed dates nothing
        return [self._top(symbol, block) for block in self._blocks(seen.exchange_ns)]

    def is_current(self, symbol: str, goal: int) -> bool:
        view = self.feed(symbol).view
        if view is None:
            return False
        top = view.bids[:LEVELS], view.asks[:LEVELS]
        blocks = [block for block in self._blocks(view.exchange_ns) if block.number >= goal]
        return any(self._top(symbol, block) == top for block in blocks)

    def _blocks(self, exchange_ns: int | None) -> list[FakeBlock]:
        """Every block that says that it was made then."""
        with self.venue.lock:
            ever, skewed = self.venue.ever.items(), self.venue.skewed
            said = [blocks for at, blocks in ever if unix_ns(skewed(at) * 1_000) == exchange_ns]
            return [block for blocks in said for block in blocks]

    def _top(self, symbol: str, block: FakeBlock) -> Top:
        key = symbol, block.hash
        if key not in self._tops:
            pool = block.pools[POOLS[symbol]]
            ticks = {tick: net for tick, (net, _) in pool.ticks.items()}
            state = State(pool.sqrt_price, pool.tick, pool.liquidity, ticks, -887_220, 887_220)
            self._tops[key] = ladder(Pool(8, 18, pool.fee, pool.spacing, True), state, LEVELS)
        return self._tops[key]
