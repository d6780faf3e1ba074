"""How long recordings are kept: by age and by the size of all together. The oldest go first, a running one never.

What ended within the last day makes room for nothing: nobody has had the time to look at it, or to put it away. And
what will have to go is named before it goes.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from engine.store.base import Recording, Store
from engine.store.recording.options import RecordOptions
from engine.store.report import feed_name, moment, size_words

DAY_NS = 86_400_000_000_000
GB = 1_000_000_000
WARN_SHARE = 0.8
"""How full the store may be before it is said what will go."""
NOTICE_NS = DAY_NS
"""How long before it is too old a recording is named."""
MOST_NAMED = 3

log = logging.getLogger(__name__)


def enforce(store: Store, options: RecordOptions, now_ns: int) -> list[str]:
    """Delete what is too old, then the oldest until the rest has room; a line for each that went.

    Raises:
        StoreError: something cannot be deleted.
    """
    said: list[str] = []
    if options.keep_days:
        oldest_ns = _oldest_ns(options, now_ns)
        for one in store.recordings():
            if one.ended_ns is not None and one.ended_ns < oldest_ns:
                _delete(store, one, f"older than {options.keep_days:g} days", said)
        rows = store.forget_rows_before(oldest_ns // 1_000_000)
        if rows:
            said.append(f"{rows} rows of market_depth and candle_bars deleted: older than {options.keep_days:g} days")
            log.warning("%s", said[-1])
    # Reckoned by each one's share: the room that a deletion makes shows in the file only piece by piece.
    excess = store.size() - options.max_gb * GB if options.max_gb else 0
    for one in _may_make_room(store.recordings(), now_ns) if excess > 0 else ():
        if excess > 0:
            excess -= one.size_bytes or 0
            _delete(store, one, f"all recordings together exceed {options.max_gb:g} GB", said)
    return said


def outgrown(store: Store, options: RecordOptions, now_ns: int) -> str:
    """Why nothing more can be recorded: the store is too large, and nothing is left that may be deleted; else empty.

    Raises:
        StoreError: it cannot be asked.
    """
    if not options.max_gb or store.size() <= options.max_gb * GB:
        return ""
    recordings = store.recordings()
    if _may_make_room(recordings, now_ns):
        return ""
    allowed = f"the {options.max_gb:g} GB that RECORD_MAX_GB allows"
    if all(one.ended_ns is None for one in recordings):
        return f"it alone exceeds {allowed}"
    return f"the recordings of the last day exceed {allowed}, and none of them is deleted to make room"


def forecast(store: Store, options: RecordOptions, now_ns: int) -> list[str]:
    """What will have to go before long, and why, while there is time to put it away; empty when nothing will.

    Raises:
        StoreError: it cannot be asked.
    """
    said: list[str] = []
    if options.keep_days:
        oldest_ns = _oldest_ns(options, now_ns)
        due = [
            (one.ended_ns, one)
            for one in store.recordings()
            if one.ended_ns is not None and oldest_ns <= one.ended_ns < oldest_ns + NOTICE_NS
        ]
        for ended_ns, one in due[:MOST_NAMED]:
            at_ns = ended_ns + now_ns - oldest_ns
            said.append(f"Recording {_named(one)} will be deleted at {moment(at_ns)}, {options.keep_days:g} days old.")
        if len(due) > MOST_NAMED:
            said.append(f"{len(due) - MOST_NAMED} more recordings will be deleted within a day for their age.")
    used = store.size() if options.max_gb else 0
    if options.max_gb and used >= WARN_SHARE * options.max_gb * GB:
        oldest = _may_make_room(store.recordings(), now_ns)
        then = (
            f"the oldest recording will be deleted: {_named(oldest[0])}."
            if oldest
            else "recording will end, since all that is here is less than a day old."
        )
        allowed = f"the {options.max_gb:g} GB that RECORD_MAX_GB allows"
        said.append(f"The store has {size_words(used)} of {allowed}. Above that, {then}")
    return said


def _oldest_ns(options: RecordOptions, now_ns: int) -> int:
    return now_ns - round(options.keep_days * DAY_NS)


def _may_make_room(recordings: Sequence[Recording], now_ns: int) -> list[Recording]:
    """Those that may be deleted for their size, the oldest first."""
    return [one for one in recordings if one.ended_ns is not None and one.ended_ns < now_ns - DAY_NS]


def _named(one: Recording) -> str:
    feeds = ", ".join([feed_name(key) for key in one.feeds[:3]])
    more = f" and {len(one.feeds) - 3} more" if len(one.feeds) > 3 else ""
    return f"{one.id} of {moment(one.started_ns)} ({feeds}{more}, {size_words(one.size_bytes)})"


def _delete(store: Store, one: Recording, why: str, said: list[str]) -> None:
    store.delete(one.id)
    said.append(f"recording {_named(one)} deleted: {why}")
    log.warning("%s", said[-1])
