"""A fake Ethereum node: JSON-RPC by POST over a chain of a few blocks, with every fault that nodes have.

The chain moves when the test says `mine` or `swap`. Each block keeps its own pools, so that old blocks answer as they
were. Source: Ethereum JSON-RPC; Multicall3; Uniswap v3 core.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, cast

from tests.fakes.http_server import HttpRequest, HttpResponse
from tests.fakes.uniswap_pool import FakePool, encode_string, words
from tests.fakes.venue import FakeVenue

MULTICALL = "0xca11bde05977b3631167028862be2a173976ca11"
SWAP = "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67"
FIRST_BLOCK = 24_947_230


@dataclass
class FakeBlock:
    """One block with the pools as they stand after it and the logs in it."""

    number: int
    hash: str
    parent: str
    time: int
    pools: dict[str, FakePool]
    logs: list[dict[str, Any]] = field(default_factory=list)


class RpcFault(Exception):
    """An error object for one call."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class FakeNode(FakeVenue):
    """The node. Its symbols are the addresses of its pools.

    `chain_id`, `multicall` (whether that contract exists) and `shuffled` (order of batch answers) may be set; `edit`
    may change the answers of every batch; `lag` makes reads of the newest blocks fail.
    """

    def __init__(self, *pools: FakePool, chain_id: int = 1, pace: float = 1.0) -> None:
        super().__init__(cast(Any, None), pace=pace)
        self.chain_id = chain_id
        self.multicall = True
        self.shuffled = True
        self.lag = 0
        self.edit: Callable[[list[dict[str, Any]]], object] | None = None
        self.on_read: Callable[[], None] | None = None
        """Called once before the next contract call is answered."""
        self.http_faults: list[HttpResponse] = []
        """What the next calls are answered with."""
        self.opening_faults: list[HttpResponse] = []
        """What the next calls that ask which chain this is (those that open a link) are answered with."""
        self.always: HttpResponse | None = None
        """What every call is answered with."""
        self.openings: list[float] = []
        """When somebody asked which chain this is, by the monotonic clock."""
        self.asked: list[float] = []
        """When any call came."""
        self.skewed: Callable[[int], int] = lambda seconds: seconds
        """What the venue's clock makes of a block's time."""
        self.methods: list[str] = []
        self.paths: list[str] = []
        self._forks = 0
        self._swaps = 0
        self.ever: dict[int, list[FakeBlock]] = {}
        """Every block that there ever was, also those that were taken back, by its time."""
        start = {pool.address: pool for pool in pools}
        self.chain = [FakeBlock(FIRST_BLOCK, _hash("genesis"), _hash("before"), int(time.time()) - 12, start)]
        self.ever[self.chain[0].time] = [self.chain[0]]

    # ---- the market

    @property
    def names(self) -> Sequence[str]:
        return tuple(self.head.pools)

    def move_one(self, symbol: str) -> None:
        """A block with a swap, to and fro."""
        self._swaps += 1
        up = self._swaps % 4 < 2
        self.trade(symbol, 10**17 if up else 10**6, zero_for_one=not up)
        self.published = dict.fromkeys(self.names, self.head.number)

    def subscribers(self, symbol: str) -> int:
        return 0

    def depth(self, request: HttpRequest) -> HttpResponse:
        return self._honest(request)

    def heal(self) -> None:
        super().heal()
        with self.lock:
            self.http_faults.clear()
            self.opening_faults.clear()
            self.always, self.edit, self.lag = None, None, 0

    # ---- the chain

    @property
    def head(self) -> FakeBlock:
        return self.chain[-1]

    def mine(self, blocks: int = 1) -> FakeBlock:
        """Blocks in which nothing happens."""
        with self.lock:
            for _ in range(blocks):
                pools = {address: pool.copy() for address, pool in self.head.pools.items()}
                number = self.head.number + 1
                at = max(self.head.time, int(time.time()))
                name = _hash(f"{number}/{self._forks}")
                self.chain.append(FakeBlock(number, name, self.head.hash, at, pools))
                self.ever.setdefault(at, []).append(self.head)
            return self.head

    def trade(self, address: str, amount: int, *, zero_for_one: bool, transaction: str = "", mine: bool = True) -> None:
        """A swap in a new block (or in the newest one)."""
        with self.lock:
            block = self.mine() if mine else self.head
            pool = block.pools[address]
            amounts = pool.swap(amount, zero_for_one=zero_for_one)
            data = words(*amounts, pool.sqrt_price, pool.liquidity, pool.tick)
            block.logs.append(
                {
                    "address": address, "topics": [SWAP, _hash("sender"), _hash("receiver")], "data": "0x" + data.hex(),
                    "blockNumber": hex(block.number), "blockHash": block.hash, "logIndex": hex(len(block.logs)),
                    "transactionHash": transaction or _hash(f"tx {block.hash} {len(block.logs)}"), "removed": False,
                }
            )  # fmt: skip

    def reorganise(self, depth: int) -> None:
        """Take the newest blocks back; what is mined from now on has other hashes."""
        with self.lock:
            del self.chain[-depth:]
            self._forks += 1

    # ---- the dialect

    def on_http(self, request: HttpRequest) -> HttpResponse:
        with self.lock:
            self.paths.append(request.target)
            self.asked.append(time.monotonic())
            opening = b"eth_chainId" in request.body
            if opening:
                self.openings.append(self.asked[-1])
            if opening and self.opening_faults:
                return self.opening_faults.pop(0)
            if self.http_faults:
                return self.http_faults.pop(0)
            return self.always or self._honest(request)

    def _honest(self, request: HttpRequest) -> HttpResponse:
        with self.lock:
            if request.method != "POST":
                return HttpResponse(405, b"POST only", content_type="text/plain")
            questions = json.loads(request.body)
            assert isinstance(questions, list)
            answers = [self._reply(question) for question in questions]
            if self.shuffled:
                answers.reverse()
            edited = self.edit(answers) if self.edit is not None else None
            return HttpResponse(200, json.dumps(answers if edited is None else edited).encode())

    def _reply(self, question: Mapping[str, Any]) -> dict[str, Any]:
        self.methods.append(question["method"])
        try:
            result = self._result(question["method"], question["params"])
        except RpcFault as fault:
            return {"jsonrpc": "2.0", "id": question["id"], "error": {"code": fault.code, "message": str(fault)}}
        return {"jsonrpc": "2.0", "id": question["id"], "result": result}

    def _result(self, method: str, params: list[Any]) -> Any:
        if method == "eth_chainId":
            return hex(self.chain_id)
        if method == "eth_getBlockByNumber":
            block = self.head if params[0] == "latest" else self._block(params[0])
            return block and {
                "number": hex(block.number),
                "hash": block.hash,
                "parentHash": block.parent,
                "timestamp": hex(self.skewed(block.time)),
            }
        if method == "eth_getLogs":
            return self._logs(params[0])
        if method == "eth_call":
            return self._eth_call(*params)
        raise RpcFault(-32601, f"the method {method} does not exist/is not available")

    def _block(self, number: str) -> FakeBlock | None:
        return next((block for block in self.chain if block.number == int(number, 16)), None)

    def _logs(self, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
        first, last = int(wanted["fromBlock"], 16), int(wanted["toBlock"], 16)
        return [
            entry
            for block in self.chain
            if first <= block.number <= last
            for entry in block.logs
            if entry["address"] in wanted["address"] and entry["topics"][0] in wanted["topics"]
        ]

    def _eth_call(self, wanted: Mapping[str, str], number: str) -> str:
        if self.on_read is not None:
            on_read, self.on_read = self.on_read, None
            on_read()
        block = self._block(number)
        if block is None or block.number > self.head.number - self.lag:
            raise RpcFault(-32000, "header not found")
        data = bytes.fromhex(wanted["data"].removeprefix("0x"))
        if wanted["to"] == MULTICALL:
            return "0x" + (_aggregate(block, data).hex() if self.multicall else "")
        answer = _contract(block, wanted["to"], data)
        if answer is None:
            raise RpcFault(3, "execution reverted")
        return "0x" + answer.hex()


def _contract(block: FakeBlock, address: str, data: bytes) -> bytes | None:
    """What a contract returns: empty where there is none, None where it reverts."""
    selector, arguments = data[:4].hex(), data[4:]
    if address in block.pools:
        return block.pools[address].answer(selector, arguments)
    for pool in block.pools.values():
        for token in (pool.token0, pool.token1):
            if token.address == address and selector in ("95d89b41", "313ce567"):
                return encode_string(token.symbol) if selector == "95d89b41" else words(token.decimals)
    return b""


def _aggregate(block: FakeBlock, data: bytes) -> bytes:
    """Multicall3.aggregate3 as the contract decodes and encodes it."""
    assert data[:4].hex() == "82ad56cb"
    body = data[4:]
    array = body[_int(body, 0) :]
    heads, answers = b"", b""
    count = _int(array, 0)
    for index in range(count):
        entry = array[32 + _int(array, 32 + 32 * index) :]
        call = entry[_int(entry, 64) :]
        answer = _contract(block, "0x" + entry[12:32].hex(), call[32 : 32 + _int(call, 0)])
        heads += words(32 * count + len(answers))
        content = answer or b""
        answers += words(int(answer is not None), 64, len(content)) + content + bytes(-len(content) % 32)
    return words(32, count) + heads + answers


def _int(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 32], "big")


def _hash(text: str) -> str:
    return "0x" + sha256(text.encode()).hexdigest()
