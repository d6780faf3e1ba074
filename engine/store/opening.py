"""Which store a URL means."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from engine.errors import StoreError
from engine.store.base import Store


def open_store(url: str, *, read_only: bool = False) -> Store:
    """The store at `duckdb:///path` (three slashes: relative to here, four: absolute), `postgresql://…/database`,
    `parquet:///folder` or `s3://bucket/path`.

    Raises:
        StoreError: no such kind of store, or it cannot be opened; the hint says what to do.
    """
    kind = urlsplit(url).scheme
    if kind == "duckdb":
        from engine.store.duckdb_file.store import DuckdbStore  # loaded by who records only

        return DuckdbStore(file_of(url), read_only=read_only)
    if kind in ("postgresql", "postgres"):
        try:
            from engine.store.postgres.store import PostgresStore
        except ModuleNotFoundError as error:
            raise StoreError(
                f"PostgreSQL needs a package that is not installed ({error.name})",
                hint="Install it: .venv/bin/python -m pip install -r requirements-postgres.txt",
            ) from error
        return PostgresStore(url, read_only=read_only)
    if kind in ("parquet", "s3"):
        from engine.store.parquet.store import ParquetStore

        return ParquetStore(url)
    raise StoreError(
        f"there is no store of the kind {kind!r}",
        hint="Use duckdb:///data/tape.duckdb, postgresql://…/database, or an archive: parquet:///folder, s3://bucket/path.",
    )


def there_is_one(url: str) -> bool:
    """Whether something is at this place already, as far as that can be told without opening it."""
    return urlsplit(url).scheme != "duckdb" or file_of(url).exists()


def is_archive(url: str) -> bool:
    """Whether this is a place that is only read."""
    return urlsplit(url).scheme in ("parquet", "s3")


def file_of(url: str) -> Path:
    """The file that a `duckdb:///…` URL names.

    Raises:
        StoreError: it names none.
    """
    parts = urlsplit(url)
    path = unquote(parts.path)[1:]
    if parts.netloc or not path:
        raise StoreError(
            f"{url!r} names no file", hint="Three slashes for a relative path: duckdb:///data/tape.duckdb."
        )
    return Path(path).expanduser()
