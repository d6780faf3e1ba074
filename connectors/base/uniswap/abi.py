"""How calls of Ethereum contracts are written and read, as far as a Uniswap v3 pool needs it: 32-byte words.

Source: Solidity ABI specification; protocol sheet 5.1 (selectors, addresses, topics).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from engine.errors import DecodeError

MULTICALL = "0xca11bde05977b3631167028862be2a173976ca11"
"""Multicall3: many calls in one, at the same address on most chains."""

SLOT0, LIQUIDITY, BITMAP, TICKS = "3850c7bd", "1a686502", "5339c296", "f30dba93"
TICK_SPACING, FEE, TOKEN0, TOKEN1, DECIMALS, SYMBOL = (
    "d0c93a7c", "ddca3f43", "0dfe1681", "d21220a7", "313ce567", "95d89b41",
)  # fmt: skip
AGGREGATE = "82ad56cb"
SWAP_TOPIC = "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67"

WORD = 32


class Call(Struct, frozen=True):
    """One question to a contract: address and data, both with 0x."""

    to: str
    data: str


def call(to: str, selector: str, *arguments: int) -> Call:
    """A call with whole numbers as arguments; negative ones as two's complement."""
    return Call(to, "0x" + selector + "".join([_word(argument).hex() for argument in arguments]))


def unhex(text: object) -> bytes:
    """The bytes of a hexadecimal text, with or without 0x.

    Raises:
        DecodeError: it is none.
    """
    if not isinstance(text, str):
        raise DecodeError(f"expected hexadecimal text, got {type(text).__name__}")
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise DecodeError(f"not hexadecimal: {text[:40]!r}") from error


def number(text: object) -> int:
    """A JSON-RPC quantity such as 0x1b4.

    Raises:
        DecodeError: it is none.
    """
    try:
        return int(text, 16) if isinstance(text, str) else int(text)  # type: ignore[call-overload]
    except (TypeError, ValueError) as error:
        raise DecodeError(f"not a number: {text!r:.40}") from error


def unsigned(data: bytes, index: int = 0) -> int:
    """Word `index` as a whole number.

    Raises:
        DecodeError: the data ends before it.
    """
    return int.from_bytes(_at(data, index), "big")


def signed(data: bytes, index: int = 0) -> int:
    """Word `index` as two's complement."""
    return int.from_bytes(_at(data, index), "big", signed=True)


def address(data: bytes, index: int = 0) -> str:
    """Word `index` as an address, lower case."""
    return "0x" + _at(data, index)[12:].hex()


def text(data: bytes) -> str:
    """A returned string; some old tokens return one padded word instead."""
    raw = data.rstrip(b"\0") if len(data) == WORD else _bytes_at(data, unsigned(data))
    return raw.decode("utf-8", "replace")


def aggregate(calls: Sequence[Call]) -> Call:
    """All calls in one; those that fail do not fail the others."""
    tuples = [_tuple(one) for one in calls]
    offset, heads = WORD * len(tuples), b""
    for one in tuples:
        heads += _word(offset)
        offset += len(one)
    body = _word(WORD) + _word(len(tuples)) + heads + b"".join(tuples)
    return Call(MULTICALL, "0x" + AGGREGATE + body.hex())


def disaggregate(data: bytes, count: int) -> list[bytes | None]:
    """The answers of `aggregate`; None for a call that failed.

    Raises:
        DecodeError: there are not `count` of them.
    """
    start = unsigned(data) + WORD
    if unsigned(data, unsigned(data) // WORD) != count:
        raise DecodeError(f"expected {count} answers in one, got {unsigned(data, unsigned(data) // WORD)}")
    found: list[bytes | None] = []
    for index in range(count):
        answer = data[start + unsigned(data[start:], index) :]
        found.append(_bytes_at(answer, unsigned(answer, 1)) if unsigned(answer) else None)
    return found


def _tuple(one: Call) -> bytes:
    data = unhex(one.data)
    padded = data + bytes(-len(data) % WORD)
    return _word(int(one.to, 16)) + _word(1) + _word(3 * WORD) + _word(len(data)) + padded


def _bytes_at(data: bytes, offset: int) -> bytes:
    length = unsigned(data[offset : offset + WORD])
    raw = data[offset + WORD : offset + WORD + length]
    if len(raw) != length:
        raise DecodeError(f"expected {length} bytes, got {len(raw)}")
    return raw


def _word(value: int) -> bytes:
    return value.to_bytes(WORD, "big", signed=value < 0)


def _at(data: bytes, index: int) -> bytes:
    word = data[index * WORD : (index + 1) * WORD]
    if len(word) != WORD:
        raise DecodeError(f"expected a word at {index * WORD}, the data has {len(data)} bytes")
    return word
