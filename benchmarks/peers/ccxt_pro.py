"""ccxt.pro on the same frames: its own client, message handlers and order books; nothing goes to the network.

A frame enters where its socket library hands it over (`Client.handle_message`, text already decoded), so ccxt parses
the JSON as it always does. The REST snapshot is answered from the capture at the moment it came. Nobody awaits an
update, which spares ccxt its futures and tasks.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import ccxt.pro
from aiohttp import WSMessage, WSMsgType

from benchmarks.peers.floor import Job
from benchmarks.tape import Outcome, Step, Top, pairs

URL = "wss://stream.binance.com:9443/stream"
SYMBOLS = {"BTCUSDT": ("BTC", "USDT"), "ETHUSDT": ("ETH", "USDT")}


class _Binance(ccxt.pro.binance):  # type: ignore[misc]
    """Its REST depth comes from the capture, its trades are counted; all else is as shipped."""

    def __init__(self) -> None:
        super().__init__({"newUpdates": False})
        self.bodies: dict[str, asyncio.Future[bytes]] = {}
        self.trade_count = 0
        self.quote_count = 0
        # ccxt puts its REST methods on the instance, over anything that the class defines.
        self.publicGetDepth = self._depth

    async def _depth(self, params: dict[str, Any]) -> Any:
        return json.loads(await self.bodies[params["symbol"]])

    def handle_trade(self, client: Any, message: Any) -> None:
        super().handle_trade(client, message)
        self.trade_count += 1

    def handle_bids_asks(self, client: Any, message: Any) -> None:
        super().handle_bids_asks(client, message)
        self.quote_count += 1


def follow(steps: list[Step]) -> Job:
    arrivals = [(step.symbol, WSMessage(WSMsgType.TEXT, step.data.decode(), None), step.data) for step in steps]
    exchange = _Binance()
    exchange.options |= {"crossMarginPairsData": [], "isolatedMarginPairsData": []}
    exchange.set_markets([exchange.parse_market(_listing(*item)) for item in SYMBOLS.items()])
    return lambda: asyncio.run(_follow(exchange, arrivals))


async def _follow(exchange: _Binance, arrivals: list[tuple[str, WSMessage, bytes]]) -> Outcome:
    loop = asyncio.get_running_loop()
    exchange.bodies = {symbol: loop.create_future() for symbol in SYMBOLS}
    client = exchange.client(URL)
    names = [f"{base}/{quote}" for base, quote in SYMBOLS.values()]
    # What ccxt does when the venue confirms a subscription.
    exchange.handle_order_book_subscription(client, {}, {"symbols": names, "type": "spot", "params": {}})
    handle = client.handle_message
    for symbol, message, data in arrivals:
        if symbol:
            exchange.bodies[symbol].set_result(data)
            await _synced(exchange, "/".join(SYMBOLS[symbol]))
        else:
            handle(message)
    tops: dict[str, Top] = {
        symbol: {side: pairs(exchange.orderbooks["/".join(parts)][side]) for side in ("bids", "asks")}
        for symbol, parts in SYMBOLS.items()
    }
    await exchange.close()
    return Outcome(exchange.trade_count, exchange.quote_count, tops)


async def _synced(exchange: _Binance, name: str) -> None:
    for _ in range(100):
        await asyncio.sleep(0)
        if exchange.orderbooks[name]["nonce"] is not None:
            return
    raise RuntimeError(f"ccxt did not take the snapshot of {name}")


def _listing(symbol: str, parts: tuple[str, str]) -> dict[str, Any]:
    """An entry of Binance's exchangeInfo with what ccxt reads of it."""
    return {
        "symbol": symbol, "status": "TRADING", "baseAsset": parts[0], "quoteAsset": parts[1],
        "baseAssetPrecision": 8, "quotePrecision": 8, "permissions": ["SPOT"], "isSpotTradingAllowed": True,
        "orderTypes": ["LIMIT"],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
        ],
    }  # fmt: skip
