"""Uniswap v3 pools, read from an Ethereum node: not an order book but what a taker would get, block by block.

Documentation: Uniswap v3 core contracts and deployments (2026-04-07), Ethereum JSON-RPC. What is shown is derived, and
marked `synthetic` throughout. Book rule:
1. Each new block is read as a whole at its number: price, liquidity, ticks (connectors/base/uniswap/link.py).
2. Between two steps of the pool's tick grid the liquidity is constant: that stretch is one level. Its size is what it
   holds, its price what taking all of it costs on average. Without liquidity there is no level.
3. Prices include the pool's fee, so that the spread is real; UNISWAP_PRICES=raw leaves it out.
4. Each block's book replaces the one before; there is nothing to join and no gap.
5. In the polling mode, and while following the chain fails, single books are read the same way: at one block, which
   must still be the same block afterwards; a failing node gives way to the next address.

Trades are the pool's Swap logs. Amounts are positive where the taker paid in: who received base bought.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from json import dumps
from typing import Any
from urllib.parse import urlsplit

import msgspec

from connectors.base import Control, Limits, Link, StreamingConnector
from connectors.base.stamps import unix_ns
from connectors.base.uniswap.arithmetic import Pool, State, ladder, quote, ratio
from connectors.base.uniswap.chain import ChainReader, default_listings, parse_listings
from connectors.base.uniswap.link import BlockLink, InvalidFrame, Memory, PoolFrame, SwapFrame
from connectors.base.uniswap.node import KEY_HINT, Node, SingleBooks
from engine.connector import Callback, Capabilities, Stream
from engine.errors import ConfigError, DecodeError
from engine.feed.sync import WholeBooks
from engine.market.events import BUY, SELL, BookSnapshot, MarketEvent, Quote, Source, Trade
from engine.market.instrument import Instrument

LEVELS = 100
CALLS_PER_BOOK = 6
FALLBACK_S = 6.0
"""How often a pool is read while its chain cannot be followed."""
PRICES = ("net", "raw")
_frame = msgspec.json.Decoder(PoolFrame | InvalidFrame).decode


class UniswapConnector(StreamingConnector):
    """Uniswap v3 pools of one chain. Settings: UNISWAP_RPC_URL, UNISWAP_POOLS, UNISWAP_PRICES (`net` or `raw`)."""

    name = "uniswap"
    capabilities = Capabilities(
        streaming=True,
        polling=True,
        depth=LEVELS,
        trades=True,
        gap_detection="block hashes",
        key_needed=True,
        source="synthetic",
        test_network="any node of your own (set UNISWAP_RPC_URL and UNISWAP_POOLS)",
        regions_blocked="depends on the provider of the node",
        note="Derived from the pools' liquidity once per block; no orders rest here. Prices include the pool's fee.",
    )
    location_hint = "The node's provider does not serve this place: set UNISWAP_RPC_URL to another node."
    key_hint = KEY_HINT
    continuity = WholeBooks()
    frames = "a pool's state per block, worked out from the node's answers; those are recorded as they came"
    limits = Limits(
        silence_s=60.0,
        one_connection=True,
        stale_after_s=60.0,
        connect_per_s=0.5,
        connect_burst=3,
        rest_per_s=10.0,
        backoff_cap_s=30.0,
    )

    def __init__(self, settings: Mapping[str, str] | None = None, **options: Any) -> None:
        super().__init__(settings, **({"fallback_interval_s": FALLBACK_S} | options))
        self._urls = [url for url in re.split(r"[,\s]+", self.setting("RPC_URL", "")) if url]
        self._pools = parse_listings(self.setting("POOLS", "")) or default_listings()
        if any(urlsplit(url).scheme not in ("http", "https") for url in self._urls):
            raise ConfigError("UNISWAP_RPC_URL must begin with https:// (or http://)", hint=KEY_HINT)
        prices = self.setting("PRICES", PRICES[0])
        if prices not in PRICES:
            raise ConfigError(f"UNISWAP_PRICES is {prices!r}: it must be net or raw")
        self._net = prices == "net"
        self._memory = Memory()
        self._links = 0
        self._single = SingleBooks(self._new_node, self._pools, LEVELS)

    @property
    def reorganisations(self) -> int:
        """How often the chain took blocks back."""
        return self._memory.reorganisations

    def instruments(self) -> Sequence[Instrument]:
        return [Instrument(self.name, one.symbol, one.base, one.quote) for one in self._pools.values()]

    def start_stream(self, symbol: str, callback: Callback) -> Stream:
        self._need_url()
        return super().start_stream(symbol, callback)

    def start_polling(self, symbol: str, callback: Callback, interval_s: float) -> Stream:
        self._need_url()
        return super().start_polling(symbol, callback, interval_s)

    def make_link(self) -> Link:
        node = self._new_node(self._links)  # after a failure the next one
        self._links += 1
        return BlockLink(
            ChainReader(node.post, node.redact), self._pools, self._memory, self.runtime, LEVELS, node.close
        )  # fmt: skip

    def book_cost(self, symbol: str, depth: int) -> float:
        return CALLS_PER_BOOK

    def book(self, symbol: str, depth: int, source: Source) -> BookSnapshot:
        self._need_url()
        levels = min(max(depth, 1), LEVELS)
        pool, state, head = self._single.read(symbol, levels)
        return self._book(symbol, pool, state, head.time, self.runtime.clock.now_ns(), levels)

    def release_calls(self) -> None:
        self._single.release()

    def abort_calls(self, thread: int) -> None:
        self._single.abort(thread)

    def close(self) -> None:
        self._single.close()
        super().close()

    def addresses(self) -> Sequence[str]:
        self._need_url()
        parts = [urlsplit(url) for url in self._urls]
        return [f"{part.scheme}://{part.netloc.rpartition('@')[2]}" for part in parts]

    def stream_url(self, symbols: Sequence[str]) -> str:
        return self._need_url()

    def subscribe(self, symbols: Sequence[str]) -> list[str]:
        return [dumps({"do": "subscribe", "symbols": list(symbols)})]

    def unsubscribe(self, symbols: Sequence[str]) -> list[str]:
        return [dumps({"do": "unsubscribe", "symbols": list(symbols)})]

    def unlisted(self, symbols: Sequence[str]) -> Sequence[str]:
        return [symbol for symbol in symbols if symbol not in self._pools]

    def decode(self, frame: bytes, received_ns: int) -> Sequence[MarketEvent | Control]:
        try:
            said = _frame(frame)
            if isinstance(said, InvalidFrame):
                return (Control("invalid_symbol", said.symbol, said.reason),)
            state = _state(said)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
            raise DecodeError(f"uniswap frame: {error}") from error
        trades = [_trade(said, swap, received_ns) for swap in said.swaps]
        book = self._book(said.symbol, said.pool, state, said.time, received_ns, LEVELS)
        return (*[trade for trade in trades if trade is not None], book, *self._quotes(said, state, book))

    def _need_url(self) -> str:
        if not self._urls:
            raise ConfigError("UNISWAP_RPC_URL is not set", hint=KEY_HINT)
        return self._urls[self._links % len(self._urls)]

    def _new_node(self, number: int) -> Node:
        """One of the nodes, in turn."""
        node = Node(self._urls[number % len(self._urls)], self.patience.fetch_s, others=len(self._urls) > 1)
        node.record = self.record_answer
        return node

    def _book(self, symbol: str, pool: Pool, state: State, time_s: int, received_ns: int, levels: int) -> BookSnapshot:
        bids, asks = ladder(pool, state, levels, net=self._net)
        return BookSnapshot(self.name, symbol, bids, asks, None, unix_ns(time_s * 1_000), received_ns, "synthetic")

    def _quotes(self, said: PoolFrame, state: State, book: BookSnapshot) -> Sequence[Quote]:
        """The marginal prices, with the sizes of the first stretches; none where a side is empty or without the fee."""
        if not (self._net and book.bids and book.asks):
            return ()
        bid, ask = quote(said.pool, state, net=True)
        sizes = book.bids[0][1], book.asks[0][1]
        return (
            Quote(
                self.name, said.symbol, bid, sizes[0], ask, sizes[1], None, book.exchange_ns, book.received_ns,
                "synthetic",
            ),
        )  # fmt: skip


def _state(said: PoolFrame) -> State:
    ticks = {tick: int(net) for tick, net in said.ticks}
    return State(int(said.sqrt_price), said.tick, int(said.liquidity), ticks, said.low, said.high)


def _trade(said: PoolFrame, swap: SwapFrame, received_ns: int) -> Trade | None:
    """A swap as a print; None where it moved less than the smallest unit of a token."""
    amounts, pool = (int(swap.amount0), int(swap.amount1)), said.pool
    base, paid = amounts if pool.base_is_0 else amounts[::-1]
    if base == 0 or paid == 0:
        return None
    decimals = (pool.decimals0, pool.decimals1) if pool.base_is_0 else (pool.decimals1, pool.decimals0)
    unit, paid_unit = 10 ** decimals[0], 10 ** decimals[1]
    price = ratio(abs(paid) * unit, abs(base) * paid_unit)
    side = BUY if base < 0 else SELL
    stamp = unix_ns(swap.time * 1_000) if swap.time is not None else None
    return Trade(
        "uniswap", said.symbol, price, ratio(abs(base), unit), side, f"{swap.block}-{swap.transaction}-{swap.index}",
        stamp, received_ns, "synthetic",
    )  # fmt: skip
