"""A store of recordings that lives in memory, in place of a database."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from engine.errors import StoreError
from engine.feed.mailbox import FeedKey
from engine.market.codec import decode, encode
from engine.store.base import (
    CandleBar,
    Entry,
    Gap,
    MarketDepth,
    QualityNote,
    Recording,
    new_id,
    time_ns,
)


class _Kept(Struct):
    recording: Recording
    rows: list[tuple[int, FeedKey, bytes]] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    quality: list[QualityNote] = field(default_factory=list)


class MemoryStore:
    """Entries go through the codec, as in any store: what is read is never the very object that was appended."""

    place = "memory"
    found_cut_off: Sequence[Recording] = ()

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    def begin(self, feeds: Sequence[FeedKey], *, at_ns: int, note: str = "") -> Recording:
        recording = Recording(new_id(at_ns), at_ns, None, "running", tuple(feeds), 0, 0, 0, None, note, {})
        self._kept[recording.id] = _Kept(recording)
        return recording

    def append(
        self,
        recording_id: str,
        entries: Sequence[Entry],
        *,
        gaps: Sequence[Gap] = (),
        depth: Sequence[MarketDepth] = (),
        bars: Sequence[CandleBar] = (),
        quality: Sequence[QualityNote] = (),
    ) -> None:
        kept = self._find(recording_id)
        kept.rows += [(entry.index, entry.key, encode(entry.event)) for entry in entries]
        kept.gaps += gaps
        kept.quality += quality
        events = kept.recording.events + len(entries)
        kept.recording = replace(kept.recording, events=events, gaps=len(kept.gaps))

    def end(self, recording_id: str, *, at_ns: int) -> Recording:
        kept = self._find(recording_id)
        kept.recording = replace(kept.recording, ended_ns=at_ns, ending="stopped")
        return kept.recording

    def add_market_depth(self, rows: Sequence[MarketDepth]) -> None:
        raise StoreError("this store keeps no rows for everybody")

    def recordings(self) -> list[Recording]:
        return sorted([kept.recording for kept in self._kept.values()], key=lambda recording: recording.id)

    def recording(self, recording_id: str) -> Recording:
        return self._find(recording_id).recording

    def read(
        self,
        recording_id: str,
        *,
        keys: Collection[FeedKey] | None = None,
        start_ns: int | None = None,
        end_ns: int | None = None,
        from_index: int = 0,
    ) -> Iterator[Entry]:
        for index, key, row in list(self._find(recording_id).rows):
            event = decode(row)
            if index < from_index or (keys is not None and key not in keys):
                continue
            at_ns = time_ns(event)
            if (start_ns is None or at_ns >= start_ns) and (end_ns is None or at_ns < end_ns):
                yield Entry(index, key, event)

    def gaps(self, recording_id: str) -> list[Gap]:
        return sorted(self._find(recording_id).gaps, key=lambda gap: gap.from_ns)

    def quality(self, recording_id: str) -> list[QualityNote]:
        return list(self._find(recording_id).quality)

    def market_depth(
        self, symbol: str | None = None, *, since_ms: int | None = None, recording: str | None = None, limit: int = 1000
    ) -> list[MarketDepth]:
        return []

    def candle_bars(
        self,
        symbol: str | None = None,
        timeframe: str | None = None,
        *,
        since_ms: int | None = None,
        recording: str | None = None,
        limit: int = 1000,
    ) -> list[CandleBar]:
        return []

    def depth_of(self, recording_id: str) -> Iterator[MarketDepth]:
        return iter(())

    def bars_of(self, recording_id: str) -> Iterator[CandleBar]:
        return iter(())

    def delete(self, recording_id: str) -> None:
        self._find(recording_id)
        del self._kept[recording_id]

    def forget_rows_before(self, ts_utc: int) -> int:
        return 0

    def size(self) -> int:
        return sum(len(row) for kept in self._kept.values() for _, _, row in kept.rows)

    def close(self) -> None:
        """There is nothing to let go of."""

    def _find(self, recording_id: str) -> _Kept:
        kept = self._kept.get(recording_id)
        if kept is None:
            raise StoreError(f"there is no recording {recording_id!r}", hint=f"There are: {', '.join(self._kept)}.")
        return kept
