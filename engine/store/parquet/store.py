"""An archive of Parquet files as a store that only reads; in a folder, or at a place that speaks S3."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyarrow import fs

from engine.errors import StoreError
from engine.feed.mailbox import FeedKey
from engine.store.base import Entry, Gap, MarketDepth, QualityNote, Recording, unknown
from engine.store.columns.entries import SCHEMAS
from engine.store.columns.reader import from_columns
from engine.store.columns.sampled_rows import PAGE_ROWS, SampledRows
from engine.store.parquet.export import RECORDINGS, Contents

PAGE = 10_000
CONNECT_S, ANSWER_S = 5.0, 30.0
_HINT = "An archive only reads: name a duckdb:/// or postgresql:// place in STORE_URL to record."
_contents = msgspec.json.Decoder(Contents).decode


class ParquetStore(SampledRows):
    """See `Store` in engine/store/base.py; everything that would change the archive raises StoreError."""

    def __init__(self, url: str) -> None:
        """Look at `parquet:///folder` or `s3://bucket/path`; for the latter the usual AWS_… variables count.

        Raises:
            StoreError: there is no archive, or it cannot be reached.
        """
        self.place = url.partition("?")[0]
        self.found_cut_off: list[Recording] = []
        self._closed = False
        try:
            self._files, self._base = _filesystem(url)
            self.recordings()
        except (OSError, pa.ArrowException) as error:
            raise self._explain(error) from error

    # What is there.

    def recordings(self) -> list[Recording]:
        found = sorted(self._names())
        return [self._read_contents(name).recording for name in found]

    def recording(self, recording_id: str) -> Recording:
        return self._contents_of(recording_id).recording

    def gaps(self, recording_id: str) -> list[Gap]:
        return sorted(self._contents_of(recording_id).gaps, key=lambda gap: gap.from_ns)

    def quality(self, recording_id: str) -> list[QualityNote]:
        return sorted(self._contents_of(recording_id).quality, key=lambda note: note.at_ns)

    def read(
        self,
        recording_id: str,
        *,
        keys: Collection[FeedKey] | None = None,
        start_ns: int | None = None,
        end_ns: int | None = None,
        from_index: int = 0,
    ) -> Iterator[Entry]:
        contents = self._contents_of(recording_id)
        feeds = dict(enumerate(contents.feeds))
        wanted = [number for number, (key, _, _) in feeds.items() if keys is None or key in keys]
        chosen = pc.field("feed").isin(wanted)
        if start_ns is not None:
            chosen &= pc.field("at_ns") >= start_ns
        if end_ns is not None:
            chosen &= pc.field("at_ns") < end_ns
        return self._pages(contents, feeds, chosen, from_index)

    def _pages(
        self, contents: Contents, feeds: dict[int, Any], chosen: pc.Expression, from_index: int
    ) -> Iterator[Entry]:
        try:
            tables = {
                name: ds.dataset([f"{self._base}/{path}" for path in paths], SCHEMAS[name], "parquet", self._files)
                for name, paths in contents.files.items()
                if name in SCHEMAS
            }
            for begin in range(from_index, contents.last_index + 1, PAGE):
                page: list[Entry] = []
                place = (pc.field("idx") >= begin) & (pc.field("idx") < begin + PAGE)
                for name, table in tables.items():
                    found = table.to_table(filter=place & chosen, use_threads=False)
                    page += from_columns(name, found, feeds)
                page.sort(key=_index)
                yield from page
        except (OSError, pa.ArrowException) as error:
            raise self._explain(error) from error

    def _newest(
        self,
        kind: type[Any],
        table: str,
        wanted: dict[str, str | None],
        since_ms: int | None,
        limit: int,
        until_ms: int | None = None,
    ) -> list[Any]:
        chosen = pc.field("ts_utc") >= (since_ms if since_ms is not None else -(2**63))
        if until_ms is not None:
            chosen &= pc.field("ts_utc") <= until_ms
        for column, value in wanted.items():
            if value is not None:
                chosen &= pc.field(column) == value
        found = self._sampled(table, wanted["recording"], chosen)
        if found is None:
            return []
        newest = found.sort_by([("ts_utc", "descending"), ("symbol", "ascending")]).slice(0, limit)
        return [kind(**row) for row in newest.select(list(kind.__struct_fields__)).to_pylist()]

    def _page_ends(self, table: str, recording_id: str) -> list[int]:
        found = self._sampled(table, recording_id, pc.field("recording") == recording_id, ["ts_utc"])
        moments = np.sort(found["ts_utc"].to_numpy()) if found is not None else np.empty(0, np.int64)
        last = np.minimum(np.arange(PAGE_ROWS - 1, len(moments) + PAGE_ROWS - 1, PAGE_ROWS), len(moments) - 1)
        return [int(end) for end in np.unique(moments[last])]

    def _sampled(
        self, name: str, recording_id: str | None, chosen: pc.Expression, columns: list[str] | None = None
    ) -> pa.Table | None:
        """The chosen rows of all recordings' files, or of one recording's; None where there is no file."""
        names = [one for one in self._names() if recording_id is None or one == recording_id]
        paths = [path for one in names for path in self._read_contents(one).files.get(name, [])]
        if not paths:
            return None
        try:
            table = ds.dataset([f"{self._base}/{path}" for path in paths], format="parquet", filesystem=self._files)
            return table.to_table(columns, filter=chosen, use_threads=False)
        except (OSError, pa.ArrowException) as error:
            raise self._explain(error) from error

    def size(self) -> int:
        """Bytes of the recordings' own files."""
        return sum([one.size_bytes or 0 for one in self.recordings()])

    def close(self) -> None:
        self._closed = True

    # What is not done here.

    def begin(self, feeds: Sequence[FeedKey], *, at_ns: int, note: str = "") -> NoReturn:
        self._refuse()

    def append(self, recording_id: str, entries: Sequence[Entry], **more: object) -> NoReturn:
        self._refuse()

    def end(self, recording_id: str, *, at_ns: int) -> NoReturn:
        self._refuse()

    def add_market_depth(self, rows: Sequence[MarketDepth]) -> NoReturn:
        self._refuse()

    def delete(self, recording_id: str) -> NoReturn:
        self._refuse()

    def forget_rows_before(self, ts_utc: int) -> NoReturn:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise StoreError(f"{self.place} is an archive and is not changed", hint=_HINT)

    # The files.

    def _names(self) -> list[str]:
        """The ids of the recordings that are whole."""
        if self._closed:
            raise StoreError(f"{self.place} has been closed")
        try:
            found = self._files.get_file_info(fs.FileSelector(f"{self._base}/{RECORDINGS}"))
        except (OSError, pa.ArrowException) as error:
            raise self._explain(error) from error
        return [one.base_name.removesuffix(".json") for one in found if one.base_name.endswith(".json")]

    def _contents_of(self, recording_id: str) -> Contents:
        names = self._names()
        if recording_id in names:
            return self._read_contents(recording_id)
        raise unknown(recording_id, names, self.place)

    def _read_contents(self, recording_id: str) -> Contents:
        path = f"{self._base}/{RECORDINGS}/{recording_id}.json"
        try:
            with self._files.open_input_stream(path) as stream:
                return _contents(stream.read())
        except (OSError, pa.ArrowException) as error:
            raise self._explain(error) from error
        except msgspec.DecodeError as error:
            raise StoreError(f"{path} is damaged: {error}", hint="Export the recording again.") from error

    def _explain(self, error: Exception) -> StoreError:
        said = " ".join(str(error).split())[:300]
        if isinstance(error, FileNotFoundError) or "does not exist" in said:
            return StoreError(
                f"{self.place} holds no archive of recordings ({said})", hint="Export one there, or name another place."
            )
        return StoreError(f"{self.place} cannot be read: {said}", hint="Check the place and the right to read it.")


def _filesystem(url: str) -> tuple[fs.FileSystem, str]:
    """What opens the files of an archive, and where it begins there."""
    parts = urlsplit(url)
    if parts.scheme == "parquet":
        path = Path(unquote(parts.path)[1:]).expanduser()
        if parts.netloc or path == Path():
            raise StoreError(
                f"{url!r} names no folder", hint="Three slashes for a relative path: parquet:///data/tape."
            )
        return fs.LocalFileSystem(), str(path.resolve())
    endpoint = urlsplit(os.environ.get("AWS_ENDPOINT_URL", ""))
    found = fs.S3FileSystem(
        region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1",
        endpoint_override=endpoint.netloc or None, scheme=endpoint.scheme or "https",
        anonymous=not os.environ.get("AWS_ACCESS_KEY_ID") and "AWS_PROFILE" not in os.environ,
        connect_timeout=CONNECT_S, request_timeout=ANSWER_S,
    )  # fmt: skip
    return found, f"{parts.netloc}{unquote(parts.path)}".rstrip("/")


def _index(entry: Entry) -> int:
    return entry.index
