"""A stream made of blocks: follows a node's newest block and says how each watched pool stands, once per block.

What it says are frames like those of any venue (`PoolFrame` …), so that the decoder stays pure and a recording can be
played. Rules:
1. The newest block is asked for about twice per block time. Everything is read at that block's number.
2. After the reading the block's hash is asked for again. Another hash: the reading is thrown away and made anew.
3. A new block whose chain does not contain the last one is a reorganisation: all is read anew, and swaps are asked for
   from the last common block on. A swap is told once, by its transaction and its place in it.
4. A lower block of the same chain is only a slower node behind the same address.
5. A head that stands still for five block times (at least 30 s) means that the node is broken.
"""

from __future__ import annotations

import logging
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping
from threading import Event

import msgspec
from msgspec import Struct

from connectors.base.runtime import Runtime
from connectors.base.uniswap.arithmetic import Pool, State
from connectors.base.uniswap.chain import ChainReader, Head, Listing, SwapLog
from connectors.base.uniswap.json_rpc import BlockAbsent
from engine.errors import Blocked, Disconnected, FeedError, InvalidSymbol, RateLimited

log = logging.getLogger(__name__)

BLOCK_S = {1: 12.0, 10: 2.0, 56: 3.0, 137: 2.0, 8453: 2.0, 42161: 0.25}
"""Seconds per block of well-known chains."""
OTHER_BLOCK_S = 2.0
SHORTEST_POLL_S, LONGEST_POLL_S = 1.0, 6.0
STANDS_BLOCKS, STANDS_S = 5.0, 30.0
FAILURES_BORNE = 2
"""Calls in a row that may fail before the link counts as broken."""
BLOCKS_KNOWN = 32
"""How far back a reorganisation is followed."""
BLOCKS_CAUGHT_UP = 100
"""Swaps of so many missed blocks are asked for after an interruption; older ones are left out."""
SWAPS_KNOWN = 20_000
READINGS = 3


class Command(Struct):
    """What the session sends."""

    do: str
    symbols: list[str]


class SwapFrame(Struct):
    """One swap; raw amounts as text, positive where the taker paid in. `time` is its block's, None where unknown."""

    block: int
    transaction: str
    index: int
    amount0: str
    amount1: str
    time: int | None


class PoolFrame(Struct, tag="pool"):
    """One pool at one block; whole numbers beyond 64 bits as text."""

    symbol: str
    pool: Pool
    block: int
    hash: str
    time: int
    sqrt_price: str
    tick: int
    liquidity: str
    ticks: list[tuple[int, str]]
    low: int
    high: int
    swaps: list[SwapFrame] = []


class InvalidFrame(Struct, tag="invalid"):
    """A pool that cannot be watched, and why."""

    symbol: str
    reason: str


class Memory:
    """What must outlive one link: the blocks and swaps that were seen. Belongs to whichever link is read."""

    def __init__(self) -> None:
        self.pools: dict[tuple[int, str], Pool] = {}
        """By chain and address."""
        self.head: Head | None = None
        self.stands_since_ns = 0
        self.hashes: OrderedDict[int, str] = OrderedDict()
        self.next_block: dict[str, int] = {}
        """The first block whose swaps were not asked for yet, by address."""
        self.swaps: OrderedDict[tuple[str, str, int], None] = OrderedDict()
        self.reorganisations = 0

    def is_new(self, swap: tuple[str, str, int]) -> bool:
        """Whether a swap (pool, transaction, place in it) was not told yet; it counts as told from now on."""
        if swap in self.swaps:
            return False
        self.swaps[swap] = None
        if len(self.swaps) > SWAPS_KNOWN:
            self.swaps.popitem(last=False)
        return True

    def keep(self, head: Head) -> None:
        """Remember a block, and the one before it by what this one says of it."""
        for number, name in ((head.number - 1, head.parent), (head.number, head.hash)):
            self.hashes[number] = name
            self.hashes.move_to_end(number)
        while len(self.hashes) > BLOCKS_KNOWN:
            self.hashes.popitem(last=False)

    def forget_from(self, number: int) -> None:
        """The blocks from here on are no longer part of the chain."""
        for known in [known for known in self.hashes if known >= number]:
            del self.hashes[known]
        for address, block in self.next_block.items():
            self.next_block[address] = min(block, number)


class BlockLink:
    """A `Link` to a node. `close_node` ends the calls of this link from any thread."""

    def __init__(
        self,
        reader: ChainReader,
        listings: Mapping[str, Listing],
        memory: Memory,
        runtime: Runtime,
        levels: int,
        close_node: Callable[[], None],
    ) -> None:
        self._reader = reader
        self._listings = listings
        self._memory = memory
        self._runtime = runtime
        self._levels = levels
        self._close_node = close_node
        self._ended = Event()
        self._frames: deque[bytes] = deque()
        self._wanted: dict[str, None] = {}
        self._fresh: set[str] = set()
        """Asked for, and not told yet how they stand."""
        self._due_ns = 0
        self._failures = 0
        self._interval_s = LONGEST_POLL_S
        self._stands_s = STANDS_S

    def open(self, url: str, timeout_s: float) -> None:
        head = self._reader.open()
        block_s = BLOCK_S.get(self._reader.chain, OTHER_BLOCK_S)
        self._interval_s = min(max(block_s / 2, SHORTEST_POLL_S), LONGEST_POLL_S)
        self._stands_s = max(STANDS_S, STANDS_BLOCKS * block_s)
        self._watch_progress(head)

    def receive(self, timeout_s: float) -> bytes | None:
        if self._ended.is_set():
            raise Disconnected("the link was ended")
        if self._frames:
            return self._frames.popleft()
        now_ns = self._runtime.clock.now_ns()
        if now_ns < self._due_ns:
            self._runtime.wait(self._ended, min(timeout_s, (self._due_ns - now_ns) / 1e9))
            return None
        self._due_ns = now_ns + round(self._interval_s * 1e9)
        try:
            self._look()
            self._failures = 0
        except FeedError as error:
            self._bear(error, now_ns)
            self._runtime.wait(self._ended, timeout_s)
            return None
        return self._frames.popleft() if self._frames else b""

    def send(self, text: str) -> None:
        command = msgspec.json.decode(text, type=Command)
        for symbol in command.symbols:
            if command.do == "subscribe":
                self._wanted[symbol] = None
                self._fresh.add(symbol)
                self._due_ns = 0
            else:
                self._drop(symbol)
                self._memory.next_block.pop(self._listings[symbol].address, None)

    def ping(self) -> None:
        self._due_ns = 0

    def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        self._ended.set()
        self._close_node()

    def _drop(self, symbol: str) -> None:
        self._wanted.pop(symbol, None)
        self._fresh.discard(symbol)

    def _bear(self, error: FeedError, now_ns: int) -> None:
        """A call that fails now and then breaks nothing: it is repeated."""
        self._failures += 1
        if self._failures > FAILURES_BORNE or self._ended.is_set() or isinstance(error, Blocked):
            raise error
        log.info("uniswap: %s; once more", error)
        wait_s = self._interval_s / 4
        if isinstance(error, RateLimited):
            wait_s = max(self._interval_s, error.retry_after_s or 0.0)
        self._due_ns = now_ns + round(wait_s * 1e9)

    def _look(self) -> None:
        """Ask for the newest block, and if it is news (or somebody waits) read the pools at it."""
        (head,) = self._reader.heads(["latest"])
        for _ in range(READINGS):
            if self._advance(head):
                self._fresh.update(self._wanted)
            symbols = [symbol for symbol in self._wanted if symbol in self._fresh]
            if not symbols:
                return
            pinned = self._memory.head or head
            try:
                again = self._read(symbols, pinned)
            except BlockAbsent:
                # Announced, but not there yet where the call went: the one before it is.
                (head,) = self._reader.heads([min(head.number, pinned.number - 1)])
                self._memory.head = None
                continue
            if again is None:
                return
            head = again
        raise Disconnected("the node's newest blocks changed while they were read")

    def _advance(self, head: Head) -> bool:
        """Whether this block is news; notices reorganisations."""
        memory, last = self._memory, self._memory.head
        self._watch_progress(head)
        if last is None:
            memory.head = head
            memory.keep(head)
            return True
        if head.hash == last.hash or memory.hashes.get(head.number) == head.hash:
            return False
        if head.number <= last.number or head.parent != memory.hashes.get(head.number - 1):
            self._follow_chain(head)
        memory.head = head
        memory.keep(head)
        return True

    def _follow_chain(self, head: Head) -> None:
        """Find the last block that this chain has in common with what was seen; what came after it never was."""
        memory, last = self._memory, self._memory.head
        behind = last is not None and last.number < head.number
        if last is not None and behind and self._reader.hashes([last.number]).get(last.number) == last.hash:
            return  # some blocks were made meanwhile
        now = self._reader.hashes([number for number in memory.hashes if number < head.number])
        wrong = [
            number for number, name in memory.hashes.items() if number >= head.number or now.get(number, name) != name
        ]
        if wrong:
            memory.reorganisations += 1
            log.info("uniswap: the chain was reorganised from block %d on", min(wrong))
            memory.forget_from(min(wrong))

    def _read(self, symbols: list[str], head: Head) -> Head | None:
        """Read these pools at a block and queue their frames; another block of the same number if it was replaced."""
        pools = self._known_pools(symbols, head)
        addresses = {self._listings[symbol].address: pool for symbol, pool in pools.items()}
        if not addresses:
            return None
        states = self._reader.states(addresses, head.number, self._levels)
        first = {address: self._first_block(address, head) for address in addresses}
        logs = self._reader.swaps(list(addresses), min(first.values()), head.number)
        times = self._times(logs, head)
        if times[head.number].hash != head.hash:
            return times[head.number]
        swaps = self._news(logs, first, times)
        for symbol, pool in pools.items():
            address = self._listings[symbol].address
            self._memory.next_block[address] = head.number + 1
            frame = _frame(symbol, pool, states[address], head, swaps.get(address, []))
            self._frames.append(msgspec.json.encode(frame))
            self._fresh.discard(symbol)
        return None

    def _known_pools(self, symbols: list[str], head: Head) -> dict[str, Pool]:
        found = {}
        for symbol in symbols:
            listing = self._listings[symbol]
            key = (self._reader.chain, listing.address)
            try:
                if key not in self._memory.pools:
                    self._memory.pools[key] = self._reader.pool(listing, head.number)
                found[symbol] = self._memory.pools[key]
            except InvalidSymbol as error:
                reason = f"{error} {error.hint}".strip()
                self._frames.append(msgspec.json.encode(InvalidFrame(symbol, reason)))
                self._drop(symbol)
        return found

    def _first_block(self, address: str, head: Head) -> int:
        """The first block whose swaps are news; without a past only those of this block."""
        first = min(self._memory.next_block.get(address, head.number), head.number)
        if head.number - first > BLOCKS_CAUGHT_UP:
            log.info("uniswap: swaps of %d blocks are left out", head.number - first)
            return head.number
        return first

    def _times(self, logs: list[SwapLog], head: Head) -> dict[int, Head]:
        """The blocks that the swaps are in, and the one that was read, as the node has them now."""
        numbers = sorted({head.number, *[one.block for one in logs]})
        return {one.number: one for one in self._reader.heads(numbers)}

    def _news(
        self, logs: list[SwapLog], first: Mapping[str, int], times: Mapping[int, Head]
    ) -> dict[str, list[SwapFrame]]:
        places: Counter[tuple[str, str]] = Counter()
        found: dict[str, list[SwapFrame]] = {}
        for one in logs:
            place = places[one.address, one.transaction]
            places[one.address, one.transaction] += 1
            if one.block < first[one.address] or not self._memory.is_new((one.address, one.transaction, place)):
                continue
            frame = SwapFrame(
                one.block, one.transaction, one.index, str(one.amount0), str(one.amount1), times[one.block].time
            )
            found.setdefault(one.address, []).append(frame)
        return found

    def _watch_progress(self, head: Head) -> None:
        memory, now_ns = self._memory, self._runtime.clock.now_ns()
        if memory.head is None or head.number > memory.head.number or not memory.stands_since_ns:
            memory.stands_since_ns = now_ns
            return
        stood_s = (now_ns - memory.stands_since_ns) / 1e9
        if stood_s >= self._stands_s:
            raise Disconnected(
                f"the node's newest block has been {memory.head.number} for {stood_s:.0f} s",
                hint="The node does not follow its chain: use another one (UNISWAP_RPC_URL).",
            )


def _frame(symbol: str, pool: Pool, state: State, head: Head, swaps: list[SwapFrame]) -> PoolFrame:
    ticks = [(tick, str(net)) for tick, net in sorted(state.ticks.items())]
    return PoolFrame(
        symbol, pool, head.number, head.hash, head.time, str(state.sqrt_price), state.tick, str(state.liquidity), ticks,
        state.low, state.high, swaps,
    )  # fmt: skip
