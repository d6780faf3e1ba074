"""What a failure of the DuckDB file means for people, read from what the library and the system say."""

from __future__ import annotations

import re
from pathlib import Path

from engine.errors import StoreError

_HOLDER = re.compile(r"\(?PID (\d+)\)?")
_MEANINGS = (
    (
        ("no space left", "disk quota", "not enough space", "could not write all bytes"),
        "the disk is full",
        "Free some space, or lower RECORD_MAX_GB; recording goes on by itself once there is room.",
    ),
    (
        ("read-only file system", "permission denied", "operation not permitted", "access is denied"),
        "the place cannot be written to",
        "Make the folder writable for this user, or name another place in STORE_URL.",
    ),
    (
        ("not a valid duckdb database", "corrupt", "checksum"),
        "the file is damaged, or no DuckDB file",
        "Move it away or name another file in STORE_URL; a new one is made.",
    ),
    (
        ("different version", "newer version", "storage version", "older version"),
        "the file was written by another version of DuckDB",
        "Use the version in requirements.txt.",
    ),
    (
        (
            "cannot open file",
            "cannot open database",
            "no such file",
            "not a directory",
            "file exists",
            "does not exist",
        ),
        "there is no such file, or it cannot be opened",
        "Check the path in STORE_URL.",
    ),
)


def explain(error: Exception, place: Path) -> StoreError:
    """The failure as an error of ours: what it means, what the library said (in one line), and what to do."""
    said = " ".join(str(error).split())
    low = said.lower()
    if "lock" in low and ("conflicting" in low or "could not set lock" in low):
        holder = _HOLDER.search(said)
        who = f"another process ({holder[0].strip('()')})" if holder else "another process"
        return StoreError(
            f"{place}: {who} has the file open",
            hint="One process at a time can use it: stop the other one, or give this one a STORE_URL of its own.",
        )
    for words, meaning, hint in _MEANINGS:
        if any(word in low for word in words):
            return StoreError(f"{place}: {meaning} ({said[:300]})", hint=hint)
    return StoreError(f"{place}: {said[:300]}", hint="The log has more.")
