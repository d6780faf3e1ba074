"""A venue's markets as the library lists them, under the names that the venue itself uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from engine.market.instrument import Instrument

KINDS = ("spot", "swap", "future")
"""What is listed; options by the thousand are not."""
PUBLIC = ("public", "rest", "spot")
"""What the library calls the address of the calls that need no key."""
TICK_SIZE, DECIMAL_PLACES = 4, 2


class Listing:
    """Names there and back: the venue's own spelling, or the library's where that alone is not unique."""

    def __init__(self, venue: str, exchange: Any) -> None:
        markets: list[Mapping[str, Any]] = [one for one in exchange.markets.values() if one.get("type") in KINDS]
        self.markets = list(exchange.markets.values())
        self.currencies = exchange.currencies
        self._counts = Counter([one["id"] for one in markets])
        self._names = {one["symbol"]: self._name(one) for one in markets}
        self._symbols = {name: symbol for symbol, name in self._names.items()}
        self.instruments = [
            Instrument(
                venue,
                self._names[one["symbol"]],
                one["base"],
                _quote(one),
                *_steps(one, exchange.precisionMode),
                multiplier=_multiplier(one),
                inverse=bool(one.get("inverse")),
            )
            for one in markets
            if one.get("active") is not False
        ]

    def unified(self, symbol: str) -> str | None:
        """The library's name of a symbol in the venue's spelling or in the library's own; None if there is none."""
        return self._symbols.get(symbol) or (symbol if symbol in self._names else None)

    def own(self, unified: str) -> str:
        """The name by which we call what the library calls `unified`."""
        return self._names.get(unified, unified)

    def _name(self, market: Mapping[str, Any]) -> str:
        # Bybit calls its spot market and its perpetual alike: the spot market keeps the name.
        unique = self._counts[market["id"]] == 1 or market.get("type") == "spot"
        return str(market["id"] if unique else market["symbol"])


def redirect(urls: Any, websocket: str, rest: str) -> Any:
    """The library's table of addresses with every host replaced: `websocket` and `rest` where they are not empty."""
    if isinstance(urls, Mapping):
        return {name: redirect(value, websocket, rest) for name, value in urls.items()}
    if not isinstance(urls, str):
        return urls
    address = urlsplit(urls)
    target = {"ws": websocket, "wss": websocket, "http": rest, "https": rest}.get(address.scheme, "")
    if not target:
        return urls
    there = urlsplit(target)
    path = there.path.rstrip("/") + address.path
    return urlunsplit((there.scheme, there.netloc, path, address.query, ""))


def first_websocket(urls: Any) -> str:
    """Some address of the venue's stream; empty when it has none."""
    values: Iterable[Any] = urls.values() if isinstance(urls, Mapping) else ()
    if isinstance(urls, str):
        return urls if urls.startswith("ws") else ""
    return next((found for value in values if (found := first_websocket(value))), "")


def first_rest(urls: Any) -> str:
    """Some address of the venue's public calls; empty when it has none."""
    if isinstance(urls, str):
        return urls if urls.startswith("http") else ""
    values: Mapping[str, Any] = urls if isinstance(urls, Mapping) else {}
    names = sorted(values, key=lambda name: (name not in PUBLIC, name))
    return next((found for name in names if (found := first_rest(values[name]))), "")


def _quote(market: Mapping[str, Any]) -> str:
    """The quote currency; for contracts with what follows it in the library's symbol (`USDT:USDT`)."""
    if market.get("type") == "spot":
        return str(market["quote"])
    return str(market["symbol"]).removeprefix(f"{market['base']}/")


def _multiplier(market: Mapping[str, Any]) -> float:
    """What one unit of a size stands for: contracts are counted in contracts."""
    size = market.get("contractSize") if market.get("contract") else None
    return float(size) if size else 1.0


def _steps(market: Mapping[str, Any], mode: int) -> tuple[float | None, float | None]:
    precision = market.get("precision") or {}
    return _step(precision.get("price"), mode), _step(precision.get("amount"), mode)


def _step(value: Any, mode: int) -> float | None:
    if value is None or not isfinite(float(value)):
        return None
    if mode == TICK_SIZE:
        return float(value) or None
    return float(f"1e-{int(value)}") if mode == DECIMAL_PLACES else None
