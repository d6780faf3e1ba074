"""A Uniswap v3 pool as the contract is: its state, its swaps with exact rounding, its answers to calls.

Written from the contracts (SqrtPriceMath, SwapMath, TickBitmap), not from our own arithmetic, so that one proves the
other.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, log
from typing import Any, Self

from connectors.base.uniswap.arithmetic import sqrt_price_of
from tests.shared import capture

CAPTURE = "uniswap_v3_wbtc_weth_block24947230.json.gz"
WBTC_WETH = "0xcbcdf9626bc03e24f779434178a73a0b4bad62ed"
Q96 = 1 << 96


@dataclass(frozen=True)
class Token:
    address: str
    symbol: str
    decimals: int


@dataclass
class FakePool:
    """One pool; `ticks` are (net, gross) liquidity."""

    address: str
    token0: Token
    token1: Token
    fee: int
    spacing: int
    sqrt_price: int
    tick: int
    liquidity: int
    ticks: dict[int, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def recorded(cls) -> Self:
        """The recorded WBTC/WETH pool of 0.3 % at block 24947230."""
        content = read(CAPTURE)
        ticks = {
            int(tick): (int(one["liquidity_net"]), int(one["liquidity_gross"]))
            for tick, one in content[f"v3_{WBTC_WETH}_tick_data"].items()
        }
        words = word_answers(content, WBTC_WETH)
        slot0, tokens = words["3850c7bd"], [f"0x{words[one][0]:040x}" for one in ("0dfe1681", "d21220a7")]
        token0, token1 = [
            Token(one, string(answer(content, one, "95d89b41")), word_answers(content, one)["313ce567"][0])
            for one in tokens
        ]
        return cls(
            WBTC_WETH, token0, token1, words["ddca3f43"][0], words["d0c93a7c"][0], slot0[0], slot0[1],
            words["1a686502"][0], ticks,
        )  # fmt: skip

    def copy(self) -> FakePool:
        return FakePool(
            self.address, self.token0, self.token1, self.fee, self.spacing, self.sqrt_price, self.tick, self.liquidity,
            dict(self.ticks),
        )  # fmt: skip

    def swap(self, amount: int, *, zero_for_one: bool) -> tuple[int, int]:
        """Pay `amount` in (raw); the signed amounts as the Swap log has them."""
        left, out = amount, 0
        while left > 0:
            target_tick = self._next_tick(zero_for_one)
            target = sqrt_price_of(target_tick)
            paid, got, reached = self._step(left, target, zero_for_one)
            left, out = left - paid, out + got
            if not reached:
                break
            net = self.ticks.get(target_tick, (0, 0))[0]
            self.liquidity += -net if zero_for_one else net
            self.tick = target_tick - 1 if zero_for_one else target_tick
        return (amount - left, -out) if zero_for_one else (-out, amount - left)

    def mint(self, low: int, high: int, liquidity: int) -> None:
        """Add liquidity between two ticks (negative: take it away)."""
        for tick, net in ((low, liquidity), (high, -liquidity)):
            old_net, old_gross = self.ticks.get(tick, (0, 0))
            self.ticks[tick] = (old_net + net, old_gross + liquidity)
            if not self.ticks[tick][1]:
                del self.ticks[tick]
        if low <= self.tick < high:
            self.liquidity += liquidity

    def bitmap(self, word: int) -> int:
        return sum([1 << (tick // self.spacing & 255) for tick in self.ticks if tick // self.spacing >> 8 == word])

    def answer(self, selector: str, arguments: bytes) -> bytes | None:
        """What the contract returns; None where it has no such function."""
        argument = int.from_bytes(arguments[:32], "big", signed=True)
        if selector == "3850c7bd":
            return words(self.sqrt_price, self.tick, 0, 1, 1, 0, 1)
        if selector == "f30dba93":
            net, gross = self.ticks.get(argument, (0, 0))
            return words(gross, net, 0, 0, 0, 0, 0, int(bool(gross)))
        simple: Mapping[str, int] = {
            "1a686502": self.liquidity, "ddca3f43": self.fee, "d0c93a7c": self.spacing,
            "0dfe1681": int(self.token0.address, 16), "d21220a7": int(self.token1.address, 16),
        }  # fmt: skip
        if selector in simple:
            return words(simple[selector])
        return words(self.bitmap(argument)) if selector == "5339c296" else None

    def _next_tick(self, down: bool) -> int:
        """The next initialised tick, at most one word of the bitmap away."""
        step = self.tick // self.spacing
        if down:
            found = [tick for tick in self.ticks if tick <= self.tick]
            return max([*found, (step - 255) * self.spacing])
        found = [tick for tick in self.ticks if tick > self.tick]
        return min([*found, (step + 255) * self.spacing])

    def _step(self, left: int, target: int, down: bool) -> tuple[int, int, bool]:
        """Paid in (with the fee), given out, and whether the target was reached."""
        net = left * (1_000_000 - self.fee) // 1_000_000
        needed = self._amount(target, paying=True, down=down)
        reached = net >= needed
        old, root = self.sqrt_price, target if reached else self._after(net, down)
        needed = self._amount(root, paying=True, down=down)
        out = self._amount(root, paying=False, down=down)
        self.sqrt_price = root
        if reached:
            return needed + round_up(needed * self.fee, 1_000_000 - self.fee), out, True
        if root != old:
            self.tick = tick_of(root)
        return left, out, False

    def _after(self, amount: int, down: bool) -> int:
        if not self.liquidity:
            return self.sqrt_price
        if down:
            above = self.liquidity << 96
            return round_up(above * self.sqrt_price, above + amount * self.sqrt_price)
        return self.sqrt_price + (amount << 96) // self.liquidity

    def _amount(self, root: int, *, paying: bool, down: bool) -> int:
        """Of the token that is paid (rounded up) or given (rounded down) on the way to a root."""
        low, high = sorted((self.sqrt_price, root))
        if paying == down:
            above = (self.liquidity << 96) * (high - low)
            return round_up(round_up(above, high), low) if paying else above // high // low
        above = self.liquidity * (high - low)
        return round_up(above, Q96) if paying else above // Q96


def round_up(above: int, below: int) -> int:
    return (above + below - 1) // below


def tick_of(sqrt_price: int) -> int:
    """The highest tick whose root is not above this one."""
    tick = ceil(2 * log(sqrt_price / Q96) / log(1.0001)) + 1
    while sqrt_price_of(tick) > sqrt_price:
        tick -= 1
    return tick


def read(name: str) -> dict[str, Any]:
    """A shared JSON capture."""
    with gzip.open(capture(name), "rt", encoding="utf-8") as file:
        content = json.load(file)
    assert isinstance(content, dict)
    return content


def answer(content: Mapping[str, Any], address: str, selector: str) -> bytes:
    """A recorded answer (some lack the 0x)."""
    return bytes.fromhex(content["calls"][f"{address}:0x{selector}"].removeprefix("0x"))


def word_answers(content: Mapping[str, Any], address: str) -> dict[str, list[int]]:
    """All recorded answers of a contract by selector, as signed words."""
    found = {}
    for key in content["calls"]:
        where, _, selector = key.partition(":0x")
        if where == address:
            data = answer(content, address, selector)
            found[selector] = [
                int.from_bytes(data[index : index + 32], "big", signed=True) for index in range(0, len(data), 32)
            ]
    return found


def words(*values: int) -> bytes:
    return b"".join([value.to_bytes(32, "big", signed=value < 0) for value in values])


def string(data: bytes) -> str:
    return data[64 : 64 + int.from_bytes(data[32:64], "big")].decode()


def encode_string(text: str) -> bytes:
    data = text.encode()
    return words(32, len(data)) + data + bytes(-len(data) % 32)
