"""Kraken's REST side: books, the list of pairs with their older names, and errors."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from engine.errors import Disconnected, FeedError, InvalidSymbol, RateLimited
from engine.market.instrument import Instrument


class _AssetPair(Struct):
    altname: str
    pair_decimals: int
    lot_decimals: int
    wsname: str = ""
    status: str = "online"
    tick_size: float | None = None


class _RestBook(Struct):
    bids: tuple[tuple[float, float, float], ...]
    asks: tuple[tuple[float, float, float], ...]


class _Depth(Struct):
    error: list[str] = []
    result: dict[str, _RestBook] = {}


class _AssetPairs(Struct):
    error: list[str] = []
    result: dict[str, _AssetPair] = {}


class _Errors(Struct):
    error: list[str] = []


decode_depth = msgspec.json.Decoder(_Depth, strict=False).decode
decode_asset_pairs = msgspec.json.Decoder(_AssetPairs, strict=False).decode
decode_errors = msgspec.json.Decoder(_Errors).decode


def complaint(errors: Sequence[str]) -> FeedError | None:
    """The error that a REST answer's list of errors stands for; None for an empty one."""
    said = ", ".join(errors)
    if not said:
        return None
    if "Unknown asset pair" in said or "Invalid arguments:pair" in said:
        return InvalidSymbol(
            f"kraken does not list this symbol ({said})", hint="Search the venue's own list of instruments."
        )
    if "Rate limit" in said or "Too many requests" in said:
        return RateLimited(f"kraken: {said}", hint="The venue asks to slow down; the pace is lowered.")
    if "EService" in said:
        return Disconnected(f"kraken: {said}", hint="Kraken is in maintenance or overloaded; see status.kraken.com.")
    return Disconnected(f"kraken: {said}")


def old_name(leg: str) -> str:
    """A currency as REST spells it: XBT for BTC."""
    return {"BTC": "XBT", "DOGE": "XDG"}.get(leg, leg)


def new_symbol(name: str) -> str:
    """A pair as the stream spells it: BTC/USD for XBT/USD."""
    return "/".join([{"XBT": "BTC", "XDG": "DOGE"}.get(leg, leg) for leg in name.split("/")])


def instrument(symbol: str, pair: _AssetPair) -> Instrument:
    """A listed pair with its steps."""
    base, _, quote = symbol.partition("/")
    tick = pair.tick_size or _step(pair.pair_decimals)
    return Instrument("kraken", symbol, base, quote, tick, _step(pair.lot_decimals))


def _step(places: int) -> float:
    return float(f"1e-{places}")
