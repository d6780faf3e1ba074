"""What the flight recorder itself has to say in a capture, between the frames.

A note is a record with `"dir": "note"` whose data is a JSON object. These are understood when a capture is read:

* `connector`, `frames`: how each file begins: who reads it, and in words what was recorded where it is not the wire's.
* `lost`: so many records of this connection are missing here (the recorder could not keep up, or the disk was full).
* `beside`: this connection was opened to take the place of that one; `takes over`: from here on it does.
* `ended`: this connection ended, and why; one that stood beside another takes nothing over any more.

Others (`begun`, `failed`, `status`) are for people.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from engine.store.captures.reader import Record

_decode = msgspec.json.Decoder(dict[str, Any]).decode
encode_note = msgspec.json.Encoder().encode


def read_note(record: Record) -> Mapping[str, Any]:
    """The words of a note; empty for every other record, and for a note that cannot be read."""
    if record.direction != "note":
        return {}
    try:
        return _decode(record.data)
    except msgspec.DecodeError:
        return {}
