"""Reading Uniswap v3 pools from a node: which pools there are, what they are made of, how they stand at one block.

Everything of one reading is asked for at the same block number, so that prices, liquidity and ticks belong together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from connectors.base.uniswap import abi
from connectors.base.uniswap.arithmetic import Pool, State
from connectors.base.uniswap.json_rpc import BlockAbsent, Post, Question, Reverted, ask
from engine.errors import ConfigError, DecodeError, FeedError, InvalidSymbol

ETHEREUM, ARBITRUM = 1, 42161
CALLS_AT_ONCE = 150
WORD_BITS = 256

_ENTRY = re.compile(r"(?:[a-z]+:)?([^\s/@=:]+)/([^\s/@=]+)@(\d+)")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")

_TABLE = {
    ETHEREUM: """
WETH/USDC@500=0x88e6A0c2dDD26FEEb64F039a2c41296FcB3f5640
WETH/USDC@3000=0x8ad599c3A0ff1De082011EFDDc58f1908eb6e6D8
WETH/USDC@100=0xE0554a476A092703abdB3Ef35c80e0D76d32939F
WETH/USDT@500=0x11b815efB8f581194ae79006d24E0d814B7697F6
WETH/USDT@3000=0x4e68Ccd3E89f51C3074ca5072bbAC773960dFa36
WBTC/WETH@500=0x4585FE77225b41b697C938B018E2Ac67Ac5a20c0
WBTC/WETH@3000=0xCBCdF9626bC03E24f779434178A73a0B4bad62eD
WBTC/USDC@3000=0x99ac8cA7087fA4A2A1FB6357269965A2014ABc35
WBTC/USDT@3000=0x9Db9e0e53058C89e5B94e29621a205198648425B
DAI/USDC@100=0x5777d92f208679DB4b9778590Fa3CAB3aC9e2168
USDC/USDT@100=0x3416cF6C708Da44DB2624D63ea0AAef7113527C6
""",
    ARBITRUM: "arbitrum:WETH/USDC@500=0xC6962004f452bE9203591991D15f6b388e09E8D0",
}
"""Well-known pools. Source: Uniswap deployments of 2026-04-07; confirmed at the node before they are used."""


class Listing(Struct, frozen=True):
    """One pool by the name it is watched under; `chain` None where the setting does not say."""

    symbol: str
    base: str
    quote: str
    fee: int
    address: str
    chain: int | None = None


class Head(Struct, frozen=True):
    """One block: number, hash, the hash before it, and its time in seconds."""

    number: int
    hash: str
    parent: str
    time: int


class SwapLog(Struct, frozen=True):
    """One swap as the pool logged it; raw amounts, positive where the taker paid in."""

    address: str
    block: int
    transaction: str
    index: int
    amount0: int
    amount1: int


def default_listings() -> dict[str, Listing]:
    """The well-known pools by their symbols."""
    return {one.symbol: one for chain, text in _TABLE.items() for one in parse_listings(text, chain).values()}


def parse_listings(text: str, chain: int | None = None) -> dict[str, Listing]:
    """The pools of a text such as `WETH/USDC@500=0x88e6…, WBTC/WETH@3000=0xCBCd…`: base/quote@fee=address.

    Raises:
        ConfigError: an entry cannot be read.
    """
    found = {}
    for entry in text.replace(",", " ").split():
        symbol, _, address = entry.partition("=")
        parts = _ENTRY.fullmatch(symbol)
        if parts is None or not _ADDRESS.fullmatch(address):
            raise ConfigError(
                f"UNISWAP_POOLS: {entry[:80]!r} is no pool", hint="Write BASE/QUOTE@FEE=0xADDRESS, fee in millionths."
            )
        found[symbol] = Listing(symbol, parts[1], parts[2], int(parts[3]), address.lower(), chain)
    return found


class ChainReader:
    """One node's view of its chain. Every method makes one or a few calls and raises FeedError."""

    def __init__(self, post: Post, redact: Callable[[str], str] = str) -> None:
        self.chain = 0
        self.multicall = True
        """Whether this chain has Multicall3; found out by asking."""
        self._post = post
        self._redact = redact

    def ask(self, questions: Sequence[Question]) -> list[Any]:
        """The results of one batch; no error that comes of it shows the node's key."""
        try:
            return ask(self._post, questions)
        except FeedError as error:
            error.args = (self._redact(str(error)),)
            raise

    def open(self) -> Head:
        """Learn which chain this is; its newest block."""
        chain, head = self.ask([Question("eth_chainId"), _block("latest")])
        self.chain = abi.number(chain)
        return _head(head)

    def heads(self, numbers: Sequence[int | str]) -> list[Head]:
        """These blocks (numbers, or `latest`).

        Raises:
            BlockAbsent: the node does not have one of them.
        """
        return [_head(one) for one in self.ask([_block(number) for number in numbers])]

    def hashes(self, numbers: Sequence[int]) -> dict[int, str]:
        """The hashes of these blocks by number, without those that the node does not have."""
        blocks = self.ask([_block(number) for number in numbers]) if numbers else []
        return {head.number: head.hash for head in [_head(one) for one in blocks if one is not None]}

    def pool(self, listing: Listing, block: int) -> Pool:
        """What a pool is made of, compared with what its listing claims.

        Raises:
            InvalidSymbol: another chain, no contract, or another pool than its name says.
        """
        if listing.chain is not None and listing.chain != self.chain:
            raise InvalidSymbol(
                f"{listing.symbol} is a pool on chain {listing.chain}, the node serves chain {self.chain}"
            )
        selectors = (abi.TOKEN0, abi.TOKEN1, abi.FEE, abi.TICK_SPACING)
        facts = self.calls([abi.call(listing.address, selector) for selector in selectors], block)
        if not all(facts):
            raise InvalidSymbol(
                f"{listing.symbol}: there is no Uniswap v3 pool at {listing.address} on chain {self.chain}"
            )
        token0, token1, fee, spacing = [one or b"" for one in facts]
        tokens = abi.address(token0), abi.address(token1)
        answers = self.calls(
            [abi.call(token, selector) for selector in (abi.DECIMALS, abi.SYMBOL) for token in tokens], block
        )
        if not all(answers):
            raise InvalidSymbol(f"{listing.symbol}: the tokens of {listing.address} do not say what they are")
        decimals0, decimals1, symbol0, symbol1 = [one or b"" for one in answers]
        names = abi.text(symbol0), abi.text(symbol1)
        real_fee = abi.unsigned(fee)
        if sorted(names) != sorted((listing.base, listing.quote)) or real_fee != listing.fee:
            raise InvalidSymbol(
                f"{listing.symbol}: the pool at {listing.address} is {names[0]}/{names[1]}@{real_fee}",
                hint="Correct its name or its address in UNISWAP_POOLS.",
            )
        return Pool(
            abi.unsigned(decimals0), abi.unsigned(decimals1), real_fee, abi.signed(spacing), names[0] == listing.base
        )

    def states(self, pools: Mapping[str, Pool], block: int, levels: int) -> dict[str, State]:
        """How pools (by address) stand at a block, with the ticks of `levels` grid steps to both sides."""
        asked = [abi.call(address, selector) for address in pools for selector in (abi.SLOT0, abi.LIQUIDITY)]
        answers = _whole(self.calls(asked, block))
        tops = dict(zip(pools, zip(answers[::2], answers[1::2], strict=True), strict=True))
        windows = {
            address: _window(abi.signed(slot0, 1), pools[address].spacing, levels)
            for address, (slot0, _) in tops.items()
        }
        ticks = self._ticks(pools, windows, block)
        found = {}
        for address, (slot0, liquidity) in tops.items():
            low, high = windows[address]
            spacing = pools[address].spacing
            found[address] = State(
                abi.unsigned(slot0), abi.signed(slot0, 1), abi.unsigned(liquidity), ticks[address],
                low * spacing, high * spacing,
            )  # fmt: skip
        return found

    def swaps(self, addresses: Sequence[str], first: int, last: int) -> list[SwapLog]:
        """The swaps of these pools in the blocks `first` … `last`, in the chain's order."""
        wanted = {
            "address": list(addresses), "topics": [abi.SWAP_TOPIC], "fromBlock": hex(first), "toBlock": hex(last)
        }  # fmt: skip
        (logs,) = self.ask([Question("eth_getLogs", [wanted])])
        if not isinstance(logs, list):
            raise DecodeError(f"expected a list of logs, got {type(logs).__name__}")
        found = [_swap(log) for log in logs if isinstance(log, dict) and not log.get("removed")]
        return sorted(found, key=lambda log: (log.block, log.index))

    def calls(self, calls: Sequence[abi.Call], block: int) -> list[bytes | None]:
        """The answers of contracts at a block; empty where there is no contract, None where it refused."""
        found: list[bytes | None] = []
        for start in range(0, len(calls), CALLS_AT_ONCE):
            some = calls[start : start + CALLS_AT_ONCE]
            answers = self._together(some, block) if self.multicall else None
            found += answers if answers is not None else self._one_by_one(some, block)
        return found

    def _together(self, calls: Sequence[abi.Call], block: int) -> list[bytes | None] | None:
        (answer,) = self.ask([_eth_call(abi.aggregate(calls), block)])
        if isinstance(answer, Reverted):
            raise DecodeError(f"the node could not make {len(calls)} calls in one: {answer.message}")
        data = abi.unhex(answer)
        if not data:
            self.multicall = False  # an own test chain, for instance
            return None
        return abi.disaggregate(data, len(calls))

    def _one_by_one(self, calls: Sequence[abi.Call], block: int) -> list[bytes | None]:
        answers = self.ask([_eth_call(one, block) for one in calls])
        return [None if isinstance(answer, Reverted) else abi.unhex(answer) for answer in answers]

    def _ticks(
        self, pools: Mapping[str, Pool], windows: Mapping[str, tuple[int, int]], block: int
    ) -> dict[str, dict[int, int]]:
        words = [
            (address, word)
            for address, (low, high) in windows.items()
            for word in range(low // WORD_BITS, high // WORD_BITS + 1)
        ]
        bitmaps = _whole(self.calls([abi.call(address, abi.BITMAP, word) for address, word in words], block))
        marked = [
            (address, step * pools[address].spacing)
            for (address, word), bitmap in zip(words, bitmaps, strict=True)
            for step in _marked(word, abi.unsigned(bitmap))
            if windows[address][0] <= step <= windows[address][1]
        ]
        nets = _whole(self.calls([abi.call(address, abi.TICKS, tick) for address, tick in marked], block))
        found: dict[str, dict[int, int]] = {address: {} for address in pools}
        for (address, tick), net in zip(marked, nets, strict=True):
            found[address][tick] = abi.signed(net, 1)
        return found


def _window(tick: int, spacing: int, levels: int) -> tuple[int, int]:
    """The grid steps that a ladder of so many levels to each side may touch."""
    step = tick // spacing
    return step - levels, step + levels + 1


def _marked(word: int, bitmap: int) -> list[int]:
    return [word * WORD_BITS + bit for bit in range(WORD_BITS) if bitmap >> bit & 1]


def _whole(answers: Sequence[bytes | None]) -> list[bytes]:
    """Answers none of which may be missing: the pool answered before, so the node does not have this block's state."""
    missing = sum([not answer for answer in answers])
    if missing:
        raise BlockAbsent(f"the node could not answer {missing} of {len(answers)} calls at this block")
    return [answer for answer in answers if answer]


def _eth_call(one: abi.Call, block: int) -> Question:
    return Question("eth_call", [{"to": one.to, "data": one.data}, hex(block)])


def _block(number: int | str) -> Question:
    return Question("eth_getBlockByNumber", [hex(number) if isinstance(number, int) else number, False])


def _head(block: Any) -> Head:
    if block is None:
        raise BlockAbsent("the node does not have this block")
    if not isinstance(block, dict):
        raise DecodeError(f"expected a block, got {type(block).__name__}")
    return Head(
        abi.number(block.get("number")),
        str(block.get("hash")),
        str(block.get("parentHash")),
        abi.number(block.get("timestamp")),
    )


def _swap(log: Mapping[str, Any]) -> SwapLog:
    data = abi.unhex(log.get("data"))
    return SwapLog(
        str(log.get("address")).lower(),
        abi.number(log.get("blockNumber")),
        str(log.get("transactionHash")),
        abi.number(log.get("logIndex")),
        abi.signed(data, 0),
        abi.signed(data, 1),
    )
