"""WebSocket frames as bytes (RFC 6455), the well-formed and the deliberately wrong ones."""

from __future__ import annotations

import base64
import hashlib
import struct
from typing import NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
NAMES = {CONTINUATION: "continuation", TEXT: "text", BINARY: "binary", CLOSE: "close", PING: "ping", PONG: "pong"}
_ACCEPT_SUFFIX = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Frame(NamedTuple):
    """One frame as received, unmasked."""

    fin: bool
    opcode: int
    payload: bytes


def accept_key(key: str) -> str:
    """The answer to a client's `Sec-WebSocket-Key`."""
    return base64.b64encode(hashlib.sha1(key.encode() + _ACCEPT_SUFFIX).digest()).decode()


def encode(opcode: int, payload: bytes | str = b"", *, fin: bool = True, reserved: int = 0) -> bytes:
    """One unmasked server frame; `reserved` sets the RSV bits (1 … 7), which no extension here allows."""
    data = payload.encode() if isinstance(payload, str) else payload
    first = (0x80 if fin else 0) | reserved << 4 | opcode
    size = len(data)
    if size < 126:
        return struct.pack("!BB", first, size) + data
    if size < 65_536:
        return struct.pack("!BBH", first, 126, size) + data
    return struct.pack("!BBQ", first, 127, size) + data


def encode_close(code: int | None, reason: str = "") -> bytes:
    """A close frame; None sends one without a code."""
    return encode(CLOSE, b"" if code is None else struct.pack("!H", code) + reason.encode())


def encode_fragments(opcode: int, payload: bytes | str, parts: int) -> bytes:
    """One message cut into `parts` frames of nearly equal size (cuts may fall inside a character)."""
    data = payload.encode() if isinstance(payload, str) else payload
    step = max(1, -(-len(data) // parts))
    pieces = [data[start : start + step] for start in range(0, len(data), step)] or [b""]
    last = len(pieces) - 1
    return b"".join(
        [encode(CONTINUATION if index else opcode, piece, fin=index == last) for index, piece in enumerate(pieces)]
    )


def decode(buffer: bytearray) -> Frame | None:
    """Take the first whole frame off `buffer`; None while there is none."""
    if len(buffer) < 2:
        return None
    size, start = buffer[1] & 0x7F, 2
    if size == 126:
        start = 4
    elif size == 127:
        start = 10
    masked = buffer[1] & 0x80
    if len(buffer) < start + (4 if masked else 0):
        return None
    if size >= 126:
        size = int.from_bytes(buffer[2:start], "big")
    mask = bytes(buffer[start : start + 4]) if masked else b""
    start += len(mask)
    if len(buffer) < start + size:
        return None
    fin, opcode = bool(buffer[0] & 0x80), buffer[0] & 0x0F
    payload = bytes(buffer[start : start + size])
    del buffer[: start + size]
    return Frame(fin, opcode, _unmask(payload, mask) if mask else payload)


def _unmask(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
