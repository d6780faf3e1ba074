"""Ethereum nodes by their addresses, and single readings of pools for whoever does not follow the chain."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from threading import Lock
from urllib.parse import unquote, urlsplit

from connectors.base.refusal import is_web_page, refusal
from connectors.base.transport.redaction import Redactor, secrets_in
from connectors.base.transport.rest import Response, RestClient
from connectors.base.uniswap.arithmetic import Pool, State
from connectors.base.uniswap.chain import ChainReader, Head, Listing
from connectors.base.uniswap.json_rpc import BlockAbsent
from connectors.base.venue import Request
from engine.errors import Blocked, Disconnected, FeedError, InvalidSymbol

KEY_HINT = (
    "Set UNISWAP_RPC_URL to the HTTPS address of an Ethereum node, with its key; several are separated by commas."
)
READINGS = 3


class Node:
    """One node by its address. No error that it gives shows the key in that address."""

    def __init__(self, url: str, timeout_s: float, *, others: bool) -> None:
        self.client = RestClient()
        self.record: Callable[[Request, Response], None] | None = None
        """Takes every call and its answer, for whoever records them."""
        self.close = self.client.close
        self._url = url
        self._timeout_s = timeout_s
        self._others = others
        """Whether another node may answer what this one refuses."""
        address = urlsplit(url)
        self._host = address.hostname or ""
        self._headers = _authorisation(address.username, address.password)
        self._redactor = Redactor([*secrets_in(url), *[value for _, value in self._headers]])
        self.redact = self._redactor.text

    def post(self, body: bytes) -> bytes:
        """The answer to one POST. Raises FeedError."""
        request = Request(self._url, self._headers, body=body)
        response = self.client.get(request, self._timeout_s)
        if self.record is not None:
            self.record(request, response)
        if 200 <= response.status < 300:
            if is_web_page(response.body, response.headers):
                raise Disconnected(f"{self._host} answered with a web page instead of JSON-RPC", hint=KEY_HINT)
            return response.body
        error = refusal(response.status, response.body, response.headers, self._host)
        if response.status in (401, 403, 404) or isinstance(error, Blocked):
            kind = Disconnected if self._others else Blocked
            raise kind(str(error), hint=KEY_HINT)
        raise error


def _authorisation(user: str | None, password: str | None) -> tuple[tuple[str, str], ...]:
    """The header for an address with a user and a password; none without."""
    if not user:
        return ()
    pair = b64encode(f"{unquote(user)}:{unquote(password or '')}".encode()).decode()
    return (("Authorization", f"Basic {pair}"),)


class SingleBooks:
    """Reads one pool at a time, at one block each; safe to use from any thread.

    `node(number)` makes the node whose turn it is; a failure brings the next one.
    """

    def __init__(self, node: Callable[[int], Node], listings: Mapping[str, Listing], most: int) -> None:
        self._make = node
        self._listings = listings
        self._most = most
        self._lock = Lock()
        self._turn = 0
        self._closed = False
        self._desk: tuple[Node, ChainReader] | None = None
        self._pools: dict[str, Pool] = {}
        self._last: dict[str, tuple[Head, int, Pool, State]] = {}
        """The last reading of each pool, for how many levels: nothing of it changes before the next block."""

    def read(self, symbol: str, levels: int) -> tuple[Pool, State, Head]:
        """A pool as it stands at the newest block.

        Raises:
            FeedError: it cannot be read.
        """
        listing = self._listings.get(symbol)
        if listing is None:
            raise InvalidSymbol(f"uniswap does not list {symbol}", hint="Add the pool to UNISWAP_POOLS.")
        node, reader = self._open()
        try:
            return self._read(reader, listing, min(levels, self._most))
        except InvalidSymbol:
            raise
        except FeedError:
            self._give_way(node)
            raise

    def release(self) -> None:
        """The calling thread makes no more calls."""
        desk = self._desk
        if desk is not None:
            desk[0].client.forget()

    def abort(self, thread: int) -> None:
        desk = self._desk
        if desk is not None:
            desk[0].client.abort(thread)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            desk, self._desk = self._desk, None
        if desk is not None:
            desk[0].close()

    def _open(self) -> tuple[Node, ChainReader]:
        with self._lock:
            if self._closed:
                raise Disconnected("the uniswap connector is closed")
            if self._desk is None:
                node = self._make(self._turn)
                self._desk = node, ChainReader(node.post, node.redact)
            return self._desk

    def _give_way(self, node: Node) -> None:
        """The next reading asks the next node."""
        with self._lock:
            if self._desk is None or self._desk[0] is not node:
                return
            self._turn += 1
            self._desk = None
            self._pools.clear()  # the next one may serve another chain
            self._last.clear()
        node.close()

    def _read(self, reader: ChainReader, listing: Listing, levels: int) -> tuple[Pool, State, Head]:
        head = reader.heads(["latest"])[0] if reader.chain else reader.open()
        for _ in range(READINGS):
            known = self._last.get(listing.symbol)
            if known is not None and known[0].hash == head.hash and known[1] >= levels:
                return known[2], known[3], head
            try:
                pool, state = self._at(reader, listing, head, levels)
            except BlockAbsent:
                # Announced, but not there yet where the call went: the one before it is.
                (head,) = reader.heads([head.number - 1])
                continue
            (now,) = reader.heads([head.number])
            if now.hash == head.hash:
                self._last[listing.symbol] = head, levels, pool, state
                return pool, state, head
            head = now
        raise Disconnected("the node's newest blocks changed while they were read")

    def _at(self, reader: ChainReader, listing: Listing, head: Head, levels: int) -> tuple[Pool, State]:
        pool = self._pools.get(listing.symbol)
        if pool is None:
            pool = self._pools[listing.symbol] = reader.pool(listing, head.number)
        return pool, reader.states({listing.address: pool}, head.number, levels)[listing.address]
