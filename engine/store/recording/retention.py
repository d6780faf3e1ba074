"""How long recordings are kept: by age and by the size of all together. The oldest go first, a running one never."""

from __future__ import annotations

import logging

from engine.store.base import Store
from engine.store.recording.options import RecordOptions

DAY_NS = 86_400_000_000_000
GB = 1_000_000_000

log = logging.getLogger(__name__)


def enforce(store: Store, options: RecordOptions, now_ns: int) -> list[str]:
    """Delete what is too old, then the oldest until the rest has room; a line for each that went.

    Raises:
        StoreError: something cannot be deleted.
    """
    said: list[str] = []
    if options.keep_days:
        oldest_ns = now_ns - round(options.keep_days * DAY_NS)
        for one in store.recordings():
            if one.ended_ns is not None and one.ended_ns < oldest_ns:
                _delete(store, one.id, f"older than {options.keep_days:g} days", said)
        rows = store.forget_rows_before(oldest_ns // 1_000_000)
        if rows:
            said.append(f"{rows} rows of market_depth and candle_bars deleted: older than {options.keep_days:g} days")
            log.warning("%s", said[-1])
    if options.max_gb:
        # Reckoned by each one's share: the room that a deletion makes shows in the file only piece by piece.
        excess = store.size() - options.max_gb * GB
        for one in store.recordings():
            if excess > 0 and one.ended_ns is not None:
                excess -= one.size_bytes or 0
                _delete(store, one.id, f"all recordings together exceed {options.max_gb:g} GB", said)
    return said


def outgrown(store: Store, options: RecordOptions) -> bool:
    """Whether the store is larger than the settings allow, and nothing is left that could be deleted.

    Raises:
        StoreError: it cannot be asked.
    """
    if not options.max_gb or store.size() <= options.max_gb * GB:
        return False
    return all(one.ended_ns is None for one in store.recordings())


def _delete(store: Store, recording_id: str, why: str, said: list[str]) -> None:
    store.delete(recording_id)
    said.append(f"recording {recording_id} deleted: {why}")
    log.warning("%s", said[-1])
