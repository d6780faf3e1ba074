from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random

import pytest

from engine.errors import StoreError
from engine.store.captures import reader as module
from engine.store.captures.reader import Damage, Record, read_capture


def line(number: int, **more: object) -> bytes:
    return json.dumps({"t": 1.5 + number, "ch": "ws", "dir": "recv", "data": f"frame {number}", **more}).encode()


def lines(count: int) -> bytes:
    return b"".join(line(number) + b"\n" for number in range(count))


def read(path: Path) -> tuple[list[Record], list[Damage]]:
    damages: list[Damage] = []
    return list(read_capture(path, damages.append)), damages


def written(tmp_path: Path, content: bytes) -> tuple[list[Record], list[Damage]]:
    path = tmp_path / "capture.jsonl.gz"
    path.write_bytes(content)
    return read(path)


def test_a_record_says_everything(tmp_path: Path) -> None:
    content = line(0, url="wss://x", conn="c1", dir="open", data="") + b"\n" + line(1, t_ns=17, extra=[1, {}])
    [opened, received], damages = written(tmp_path, content)
    assert opened == Record(1, 1_500_000_000, "ws", "open", "wss://x", "c1", b"")
    assert received == Record(2, 17, "ws", "recv", "", "", b"frame 1")
    assert damages == []


@pytest.mark.parametrize("pack", [lambda data: data, gzip.compress])
def test_plain_and_packed_files_read_the_same(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    records, damages = written(tmp_path, pack(lines(50)))
    assert ([record.line for record in records], damages) == (list(range(1, 51)), [])


def test_several_gzip_members_are_one_file(tmp_path: Path) -> None:
    whole = lines(20)
    cut = len(whole) // 2 + 3  # in the middle of a line
    records, damages = written(tmp_path, gzip.compress(whole[:cut]) + gzip.compress(whole[cut:]) + b"\0" * 100)
    assert ([record.line for record in records], damages) == (list(range(1, 21)), [])


def test_a_file_larger_than_one_chunk_reads_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 7)
    monkeypatch.setattr(module, "PLAIN_CHUNK", 11)
    packed = gzip.compress(lines(30)) + gzip.compress(lines(3))
    for content in (lines(30) + lines(3), packed):
        records, damages = written(tmp_path, content)
        assert (len(records), damages) == (33, [])


@pytest.mark.parametrize(
    "bad",
    [
        b"not json", b"{", b"[]", b"null", b'"text"', b"{}", b'{"t":1,"ch":"ws"}', b'{"t":"x","ch":"ws","dir":"recv"}',
        b'{"t":1,"ch":"udp","dir":"recv"}', b'{"t":1,"ch":"ws","dir":"recv","data":5}', b"\xff\xfe\xfd",
        b'{"t":1,"ch":"ws","dir":"recv","data":"\xff"}', b'{"t":1,"ch":"ws","dir":"recv","data":"\\ud800"}',
        b'{"t":1,"ch":"ws","dir":"recv","enc":"b64","data":"%%%"}',
        b'{"t":1,"ch":"ws","dir":"recv","x":' + b"[" * 99_999,
        b'{"t":1,"ch":"ws","dir":"recv","enc":"b64","data":"abc"}',
        '{"t":1,"ch":"ws","dir":"recv","enc":"b64","data":"äöü"}'.encode(),
        b'{"t":1e400,"ch":"ws","dir":"recv"}', b'{"t":1e300,"ch":"ws","dir":"recv"}',
        b'{"t":-1,"ch":"ws","dir":"recv"}',
        b'{"t":1,"t_ns":9999999999999999999,"ch":"ws","dir":"recv"}', b'{"t":1,"t_ns":1.5,"ch":"ws","dir":"recv"}',
    ],
)  # fmt: skip
def test_a_line_that_is_no_record_costs_itself_only(tmp_path: Path, bad: bytes) -> None:
    records, damages = written(tmp_path, line(1) + b"\n" + bad + b"\n" + line(3) + b"\n")
    assert [record.line for record in records] == [1, 3]
    assert [damage.line for damage in damages] == [2]


def test_empty_lines_are_counted_and_no_damage(tmp_path: Path) -> None:
    records, damages = written(tmp_path, b"\n \r\n" + line(1) + b"\r\n\n" + line(2))
    assert ([record.line for record in records], damages) == ([3, 5], [])


def test_binary_frames_are_given_as_they_were(tmp_path: Path) -> None:
    [record], damages = written(tmp_path, line(1, enc="b64", data="AP/+"))
    assert (record.data, damages) == (b"\x00\xff\xfe", [])


def test_everything_before_the_cut_of_a_truncated_file_is_read(tmp_path: Path) -> None:
    packed = gzip.compress(lines(2000))
    records, damages = written(tmp_path, packed[: len(packed) * 3 // 4])
    assert len(records) > 1000
    assert [record.line for record in records] == list(range(1, len(records) + 1))
    assert {damage.line for damage in damages} == {len(records) + 1}
    assert "too early" in damages[0].reason


def test_everything_before_the_damage_within_a_packed_file_is_read(tmp_path: Path) -> None:
    random = Random(1)
    whole = b"".join(line(number, data=random.randbytes(60).hex()) + b"\n" for number in range(3000))
    packed = bytearray(gzip.compress(whole))
    middle = len(packed) * 2 // 3
    packed[middle : middle + 64] = b"\xff" * 64
    records, damages = written(tmp_path, bytes(packed))
    assert len(records) > 1500
    assert [record.line for record in records[:1500]] == list(range(1, 1501))
    assert damages
    assert all(damage.line > 1500 for damage in damages)


def test_a_checksum_that_is_wrong_costs_no_line(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(lines(100)))
    packed[-6] ^= 0xFF
    records, damages = written(tmp_path, bytes(packed))
    assert len(records) == 100
    assert len(damages) == 1


def test_bytes_after_the_packed_data_are_damage(tmp_path: Path) -> None:
    records, damages = written(tmp_path, gzip.compress(lines(5)) + b"tail")
    assert (len(records), len(damages)) == (5, 1)


def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINE_LIMIT", 1000)
    monkeypatch.setattr(module, "CHUNK", 100)
    records, damages = written(tmp_path, line(1) + b"\n" + b"x" * 5000)
    assert [record.line for record in records] == [1]
    assert [damage.line for damage in damages] == [2]


def test_an_empty_file_has_neither_records_nor_damage(tmp_path: Path) -> None:
    assert written(tmp_path, b"") == ([], [])
    assert written(tmp_path, gzip.compress(b"")) == ([], [])


def test_a_file_that_cannot_be_opened_is_a_store_error_that_names_it(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.jsonl", tmp_path):
        with pytest.raises(StoreError, match=path.name):
            read(path)


def test_a_folder_of_segments_reads_as_one_capture_and_its_lines_count_through(tmp_path: Path) -> None:
    for name, content in (("2.jsonl.gz", lines(2)), ("1.jsonl.gz", lines(3) + b"?"), ("3.jsonl.gz.part", lines(1))):
        (tmp_path / name).write_bytes(gzip.compress(content))
    (tmp_path / "manifest.json").write_text("{}")
    records, damages = read(tmp_path)
    assert [record.line for record in records] == [1, 2, 3, 4, 5, 6]
    assert [damage.line for damage in damages] == [4]


def test_an_empty_folder_is_no_capture(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no recorded frames"):
        read(tmp_path)


def test_the_captures_of_a_folder_are_files_and_folders_of_segments(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl.gz", "a.manifest.json", "notes.txt", "flight/1.jsonl.gz", "empty/x.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert module.captures_in(tmp_path) == ["a.jsonl.gz", "b.jsonl", "flight"]
    assert module.captures_in(tmp_path / "none") == []
