"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import StoreError

PART = ".part"


@contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """A file to be filled; it becomes `path` (and replaces what was there) when all went well, else it is gone.

    Raises:
        StoreError: the disk refuses, or refused what was done inside.
    """
    draft = path.with_name(path.name + PART)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _remove(draft)
            yield draft
            os.replace(draft, path)
        finally:
            _remove(draft)
    except OSError as error:
        raise StoreError(
            f"{path.name} cannot be written: {error.strerror or error}", hint="Make room, or choose another folder."
        ) from error


def _remove(draft: Path) -> None:
    """It and what a database keeps beside it."""
    for path in draft.parent.iterdir():
        if path.name.startswith(draft.name):
            path.unlink(missing_ok=True)
