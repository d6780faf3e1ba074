"""Files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import StoreError
from engine.store.drafts import drafted


def test_what_went_well_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.zip"
    for text in ("first", "second"):
        with drafted(path) as draft:
            draft.write_text(text)
            assert not path.exists() or path.read_text() == "first"
    assert path.read_text() == "second"
    assert [file.name for file in path.parent.iterdir()] == ["a.zip"]


def test_what_failed_leaves_what_was_there_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    path.write_text("before")
    with pytest.raises(ZeroDivisionError), drafted(path) as draft:
        draft.write_text("half")
        draft.with_name(draft.name + ".wal").write_text("half")
        draft.with_name(draft.name + ".journal").write_text("half")
        _ = 1 / 0
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["a.duckdb"]


def test_a_disk_that_refuses_is_told_by_the_name_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with (
        pytest.raises(StoreError, match=r"a\.zip cannot be written: "),
        drafted(tmp_path / "file" / "a.zip"),
    ):
        pytest.fail("there is nothing to write to")
    with pytest.raises(StoreError, match="No space left"), drafted(tmp_path / "a.zip"):
        raise OSError(28, "No space left on device")
    assert not (tmp_path / "a.zip").exists()
