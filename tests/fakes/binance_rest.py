"""How Binance spot writes things: stream data, REST bodies, error bodies, request weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from tests.fakes.http_server import HttpRequest, HttpResponse
from tests.fakes.truth import Listing, Print, Snapshot, Truth, Update

GEO = (
    "Service unavailable from a restricted location according to 'b. Eligibility' in https://www.binance.com/en/terms."
    " Please contact customer service if you believe you received this message in error."
)
HTML = b"<!DOCTYPE html><html><head><title>Error</title></head><body><h1>Request blocked</h1></body></html>"
_ORDER_TYPES = ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"]


def trade_data(symbol: str, one: Print, now: int) -> str:
    return (
        f'{{"e":"trade","E":{now},"s":"{symbol}","t":{one.trade_id},"p":"{one.price}","q":"{one.size}","T":{now},'
        f'"m":{"true" if one.buyer_is_maker else "false"},"M":true}}'
    )


def ticker_data(update: Update) -> str:
    (bid, bid_size), (ask, ask_size) = update.best_bid, update.best_ask
    return f'{{"u":{update.last},"s":"{update.symbol}","b":"{bid}","B":"{bid_size}","a":"{ask}","A":"{ask_size}"}}'


def depth_data(update: Update, now: int) -> str:
    levels = [",".join([f'["{price}","{size}"]' for price, size in side]) for side in (update.bids, update.asks)]
    return (
        f'{{"e":"depthUpdate","E":{now},"s":"{update.symbol}","U":{update.first},"u":{update.last},'
        f'"b":[{levels[0]}],"a":[{levels[1]}]}}'
    )


def depth_body(snapshot: Snapshot) -> bytes:
    return _json({"lastUpdateId": snapshot.last, "bids": snapshot.bids, "asks": snapshot.asks})


def depth(truth: Truth, request: HttpRequest) -> HttpResponse:
    """The book, or the venue's error."""
    query = request.query
    refusal = _symbol_error(truth, query)
    if refusal is not None:
        return refusal
    limit = query.get("limit", "100")
    if not limit.isdigit() or int(limit) < 1:
        return error(400, -1100, "Illegal characters found in parameter 'limit'; legal range is '^[0-9]{1,20}$'.")
    return HttpResponse(body=depth_body(truth.snapshot(query["symbol"], min(int(limit), 5_000))))


def answer(truth: Truth, request: HttpRequest, now: int) -> HttpResponse:
    """Everything but depth."""
    query = request.query
    if request.path == "/api/v3/ping":
        return HttpResponse(body=b"{}")
    if request.path == "/api/v3/time":
        return HttpResponse(body=_json({"serverTime": now}))
    if request.path == "/api/v3/exchangeInfo":
        wanted = [query["symbol"]] if "symbol" in query else json.loads(query.get("symbols", "null")) or truth.symbols
        if not set(wanted) <= set(truth.symbols):
            return error(400, -1121, "Invalid symbol.")
        return HttpResponse(body=_json(exchange_info([truth.listing(symbol) for symbol in wanted], now)))
    if request.path == "/api/v3/klines":
        return _symbol_error(truth, query) or HttpResponse(body=_json(_klines(truth, query["symbol"], now)))
    if request.path == "/api/v3/trades":
        refusal = _symbol_error(truth, query)
        if refusal is not None:
            return refusal
        prints = list(truth.trades(query["symbol"]))[-int(query.get("limit", "500")) :]
        return HttpResponse(body=_json([_past_trade(one, now) for one in prints]))
    return HttpResponse(404, HTML, content_type="text/html")


def exchange_info(listings: list[Listing], now: int) -> dict[str, object]:
    limits = [("REQUEST_WEIGHT", "MINUTE", 1, 6_000), ("RAW_REQUESTS", "MINUTE", 5, 300_000)]
    return {
        "timezone": "UTC",
        "serverTime": now,
        "rateLimits": [
            {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}
            for kind, interval, number, limit in limits
        ],
        "exchangeFilters": [],
        "symbols": [_listed(listing) for listing in listings],
    }


def error(status: int, code: int, message: str, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """The venue's error body."""
    return HttpResponse(status, _json({"code": code, "msg": message}), dict(headers or {}))


def failure(status: int, retry_after_s: int | None = None) -> HttpResponse:
    """How the venue fails with this status."""
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    if status == 429:
        return error(
            429, -1003, "Too much request weight used; current limit is 6000 request weight per 1 MINUTE.", headers
        )
    if status == 418:
        return error(418, -1003, "Way too much request weight used; IP banned until 1893456000000.", headers)
    if status == 451:
        return error(451, 0, GEO, headers)
    if status in (500, 502, 504):
        return error(status, -1000, "An unknown error occurred while processing the request.", headers)
    return HttpResponse(status, HTML, headers, content_type="text/html")


def with_weight(response: HttpResponse, used: int) -> HttpResponse:
    return replace(response, headers={**response.headers, "X-MBX-USED-WEIGHT-1M": str(used)})


def weight(request: HttpRequest) -> int:
    """The request weight as of 2026-07."""
    if request.path != "/api/v3/depth":
        weights = {"/api/v3/exchangeInfo": 20, "/api/v3/trades": 25, "/api/v3/klines": 2}
        return weights.get(request.path, 1)
    limit = request.query.get("limit", "100")
    size = int(limit) if limit.isdigit() else 100
    return 5 if size <= 100 else 25 if size <= 500 else 50 if size <= 1_000 else 250


def _symbol_error(truth: Truth, query: Mapping[str, str]) -> HttpResponse | None:
    if not query.get("symbol"):
        return error(400, -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
    if query["symbol"] not in truth.symbols:
        return error(400, -1121, "Invalid symbol.")
    return None


def _klines(truth: Truth, symbol: str, now: int) -> list[list[object]]:
    """Everything that was traded, as the candle of the present minute."""
    prints = truth.trades(symbol)
    prices = [float(one.price) for one in prints]
    if not prices:
        return []
    begin = now // 60_000 * 60_000
    volume = f"{sum([float(one.size) for one in prints]):.8f}"
    shown = [f"{price:.8f}" for price in (prices[0], max(prices), min(prices), prices[-1])]
    return [[begin, *shown, volume, begin + 59_999, "0.0", len(prices), "0.0", "0.0", "0"]]


def _past_trade(one: Print, now: int) -> dict[str, object]:
    return {
        "id": one.trade_id,
        "price": one.price,
        "qty": one.size,
        "quoteQty": f"{float(one.price) * float(one.size):.8f}",
        "time": now,
        "isBuyerMaker": one.buyer_is_maker,
        "isBestMatch": True,
    }


def _listed(listing: Listing) -> dict[str, object]:
    return {
        "symbol": listing.symbol,
        "status": "TRADING",
        "baseAsset": listing.base,
        "baseAssetPrecision": 8,
        "quoteAsset": listing.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": _ORDER_TYPES,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": listing.tick,
                "maxPrice": "1000000.00000000",
                "tickSize": listing.tick,
            },
            {"filterType": "LOT_SIZE", "minQty": listing.lot, "maxQty": "9000.00000000", "stepSize": listing.lot},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True, "avgPriceMins": 5},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
    }


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
