from __future__ import annotations

import errno
import gzip
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.connector import Capabilities, FrameTap, RawSource
from engine.errors import StoreError
from engine.store.captures.notes import read_note
from engine.store.captures.reader import Damage, Record, read_capture
from engine.store.flight import segments as files
from engine.store.flight.files import FlightLimits
from engine.store.flight.recorder import FlightRecorder
from engine.store.flight.segments import PART, SegmentFile, mend

START_NS = 1_700_000_000_000_000_000
URL = "wss://venue.example/stream"
ROOT = Path(__file__).resolve().parents[3]


class Source:
    """A connector that knows one secret."""

    name = "venue"
    capabilities = Capabilities(streaming=True, polling=False, depth=1, trades=True)
    frames = ""

    def __init__(self) -> None:
        self.tap: FrameTap | None = None

    def record_frames(self, tap: FrameTap | None) -> None:
        self.tap = tap

    def redact(self, text: str) -> str:
        return text.replace("s3cr3t", "***")


def recorder(place: Path, *, private: bool = False, **limits: Any) -> FlightRecorder:
    return FlightRecorder(Source(), place, private=private, at_ns=START_NS, limits=FlightLimits(**limits))


def at(seconds: float) -> int:
    return START_NS + round(seconds * 1e9)


def say(tap: FlightRecorder, number: int, data: bytes = b"", connection: str = "1") -> None:
    tap.frame("ws", "recv", URL, connection, data or f"frame {number}".encode(), at(number))


def read(place: Path) -> list[Record]:
    damages: list[Damage] = []
    found = list(read_capture(place, damages.append))
    assert damages == []
    return found


def frames(place: Path) -> list[bytes]:
    return [record.data for record in read(place) if record.direction != "note"]


def notes(place: Path) -> list[dict[str, Any]]:
    return [dict(read_note(record)) for record in read(place) if record.direction == "note"]


@pytest.fixture(autouse=True)
def _by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written but at the end, and where a test says so."""
    monkeypatch.setattr("engine.store.flight.recorder.FLUSH_S", 600.0)


def test_what_was_on_the_wire_is_read_back_as_it_was(tmp_path: Path) -> None:
    place = tmp_path / "one.jsonl.gz"
    tap = recorder(place)
    tap.frame("ws", "open", URL, "1", b"", at(0))
    tap.frame("ws", "send", URL, "1", b'{"subscribe":"\xc3\xa4"}', at(1))
    tap.frame("ws", "recv", URL, "1", b"\x00\xff\xfe raw", at(2))
    tap.frame("ws", "recv", URL, "2", b' {"b":\t1.10} \n', at(3))
    tap.frame("http", "resp", "https://venue.example/book?s=X", "", b"[]", at(4))
    tap.close(at(5))
    records = read(place)[1:]
    assert [(one.received_ns, one.channel, one.direction, one.url, one.connection, one.data) for one in records] == [
        (at(0), "ws", "open", URL, "1", b""),
        (at(1), "ws", "send", URL, "1", b'{"subscribe":"\xc3\xa4"}'),
        (at(2), "ws", "recv", URL, "1", b"\x00\xff\xfe raw"),
        (at(3), "ws", "recv", URL, "2", b' {"b":\t1.10} \n'),
        (at(4), "http", "resp", "https://venue.example/book?s=X", "", b"[]"),
    ]
    assert notes(place) == [{"connector": "venue", "frames": "", "segment": 1}]


def test_a_line_is_what_the_capture_format_says(tmp_path: Path) -> None:
    place = tmp_path / "one.jsonl.gz"
    tap = recorder(place)
    say(tap, 1)
    tap.close(at(2))
    line = json.loads(gzip.decompress(place.read_bytes()).splitlines()[1])
    assert line == {
        "t": at(1) / 1e9, "t_ns": at(1), "ch": "ws", "dir": "recv", "url": URL, "conn": "1", "data": "frame 1",
    }  # fmt: skip


def test_lines_stand_in_the_order_of_their_stamps_whoever_queued_first(tmp_path: Path) -> None:
    place = tmp_path / "one.jsonl.gz"
    tap = recorder(place)
    for number in (3, 1, 2, 5, 4):
        say(tap, number)
    tap.close(at(6))
    assert frames(place) == [b"frame 1", b"frame 2", b"frame 3", b"frame 4", b"frame 5"]


def test_secrets_are_hidden_in_addresses_messages_answers_and_notes(tmp_path: Path) -> None:
    place = tmp_path / "one.jsonl.gz"
    tap = recorder(place, private=True)
    tap.frame("ws", "open", "wss://me:pass@venue.example/s3cr3t?x=1&apiKey=abc&token=a-b", "1", b"", at(0))
    tap.frame("ws", "send", URL, "1", b'{"op":"login","clientSecret":"un\\"known","api_key" : "k","id":7}', at(1))
    tap.frame("ws", "recv", URL, "1", b'{"accessToken":"fresh","key0":"kept"} s3cr3t', at(2))
    tap.frame("ws", "recv", URL, "1", b"\xff\xfes3cr3t", at(3))
    tap.note(URL, "1", {"ended": "the key s3cr3t is refused"}, at(4))
    tap.close(at(5))
    _, opened, sent, received, binary, ended = read(place)
    assert opened.url == "wss://***@venue.example/***?x=1&apiKey=***&token=***"
    assert sent.data == b'{"op":"login","clientSecret":"***","api_key" : "***","id":7}'
    assert received.data == b'{"accessToken":"***","key0":"kept"} ***'
    assert binary.data == b"\xff\xfe***"
    assert read_note(ended) == {"ended": "the key *** is refused"}


def test_what_a_venue_without_keys_sends_is_kept_to_the_letter(tmp_path: Path) -> None:
    place = tmp_path / "one.jsonl.gz"
    tap = recorder(place)
    say(tap, 1, b'{"token":"WETH","signature":"0xab"}')
    tap.close(at(2))
    assert frames(place) == [b'{"token":"WETH","signature":"0xab"}']


def test_what_does_not_fit_is_counted_and_noted_where_it_is_missing(tmp_path: Path) -> None:
    place = tmp_path / "one.jsonl.gz"
    tap = recorder(place, queue_bytes=5 * 300)
    for number in range(1, 8):
        say(tap, number, b"x" * 100)
    say(tap, 8, b"y" * 100, connection="2")
    state = tap.close(at(9))
    assert (state.lost, len(frames(place))) == (3, 5)
    missing = [(one.connection, one.received_ns, dict(read_note(one))) for one in read(place)[6:]]
    assert missing == [("1", at(7), {"lost": 2}), ("2", at(8), {"lost": 1})]


def test_segments_are_closed_by_time_and_size_and_read_as_one(tmp_path: Path) -> None:
    place = tmp_path / "flight"
    tap = recorder(place, segment_s=60.0)
    for number in (1, 30, 61, 100, 125):
        say(tap, number)
        tap._flush(last=True)
    tap.close(at(130))
    assert [one.name for one in sorted(place.iterdir())] == [
        "000001.jsonl.gz", "000002.jsonl.gz", "000003.jsonl.gz", "manifest.json",
    ]  # fmt: skip
    assert frames(place) == [f"frame {number}".encode() for number in (1, 30, 61, 100, 125)]
    assert [one["segment"] for one in notes(place)] == [1, 2, 3]
    assert [record.line for record in read(place)] == list(range(1, 9))
    manifest = json.loads((place / "manifest.json").read_text())
    assert [(one["name"], one["records"]) for one in manifest["segments"]] == [
        ("000001.jsonl.gz", 3), ("000002.jsonl.gz", 3), ("000003.jsonl.gz", 2),
    ]  # fmt: skip
    assert (manifest["connector"], manifest["started_ns"], manifest["ended_ns"]) == ("venue", START_NS, at(130))
    assert all(one["size_bytes"] == (place / one["name"]).stat().st_size for one in manifest["segments"])


def test_the_oldest_segments_make_room(tmp_path: Path) -> None:
    place = tmp_path / "flight"
    tap = recorder(place, segment_bytes=1, total_bytes=2_000)
    for number in range(1, 30):
        last = os.urandom(100)
        say(tap, number, last)
        tap._flush(last=True)
    state = tap.close(at(30))
    left = sorted(place.glob("*.jsonl.gz"))
    assert state.removed == 30 - state.segments == 30 - len(left) > 20
    assert sum(one.stat().st_size for one in left) == state.size_bytes <= 2_000
    assert frames(place)[-1] == last


def test_one_file_ends_at_its_bound_and_says_so(tmp_path: Path) -> None:
    place = tmp_path / "one.jsonl.gz"
    tap = recorder(place, total_bytes=500)
    for number in range(1, 20):
        say(tap, number, os.urandom(100))
        tap._flush(last=True)
    state = tap.close(at(30))
    assert state.lost > 0
    assert state.lost + len(frames(place)) == 19
    assert "reached its 500 bytes" in state.trouble


def test_a_full_disk_is_told_and_costs_what_did_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "one.jsonl.gz"
    tap = recorder(place)
    append = SegmentFile.append

    def full(self: SegmentFile, lines: bytes, records: int, from_ns: int, to_ns: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    say(tap, 1)
    tap._flush(last=True)
    monkeypatch.setattr(SegmentFile, "append", full)
    for number in (2, 3):
        say(tap, number)
        tap._flush(last=True)
    assert "No space left on device" in tap.state.trouble
    monkeypatch.setattr(SegmentFile, "append", append)
    say(tap, 4)
    tap._flush(last=True)
    assert tap.state.trouble == ""
    state = tap.close(at(5))
    assert frames(place) == [b"frame 1", b"frame 4"]
    assert notes(place)[1:] == [{"lost": 2}]
    assert state.lost == 2
    assert len([one for one in caplog.messages if "cannot be recorded" in one]) == 1


class Torn:
    """A file on a disk that is full after so many bytes."""

    def __init__(self, file: Any, room: int) -> None:
        self.file = file
        self.room = room

    def write(self, content: bytes) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = int(self.file.write(content[: self.room]))
        self.room -= written
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


def test_what_was_written_in_part_when_the_disk_was_full_is_taken_back(tmp_path: Path) -> None:
    place = tmp_path / "flight"
    tap = recorder(place)
    say(tap, 1)
    tap._flush(last=True)
    file = tap._files._file
    assert file is not None
    disk = file._file = Torn(file._file, 30)  # type: ignore[assignment]
    say(tap, 2)
    tap._flush(last=True)
    assert (tap.state.lost, (place / f"000001.jsonl.gz{PART}").stat().st_size) == (1, file.segment.size_bytes)
    disk.room = 10**6
    say(tap, 3)
    tap.close(at(4))
    assert frames(place) == [b"frame 1", b"frame 3"]


def test_a_segment_that_cannot_be_begun_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "flight"
    tap = recorder(place, segment_s=60.0)
    say(tap, 1)
    tap._flush(last=True)

    def full(self: SegmentFile, lines: bytes, records: int, from_ns: int, to_ns: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(SegmentFile, "append", full)
        for number in (100, 101, 102):
            say(tap, number)
            tap._flush(last=True)
        assert sorted(path.name for path in place.iterdir()) == ["000001.jsonl.gz", "manifest.json"]
    say(tap, 103)
    state = tap.close(at(104))
    assert (state.lost, state.segments, frames(place)) == (3, 2, [b"frame 1", b"frame 103"])
    assert (place / "000002.jsonl.gz").is_file()


def test_a_place_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written") as caught:
        recorder(tmp_path / "file" / "flight")
    assert "another place" in caught.value.hint
    (tmp_path / "one.jsonl.gz").write_text("")
    with pytest.raises(StoreError, match="already"):
        recorder(tmp_path / "one.jsonl.gz")
    assert (tmp_path / "one.jsonl.gz").read_text() == ""


def test_after_the_end_nothing_more_is_taken(tmp_path: Path) -> None:
    place = tmp_path / "one.jsonl.gz"
    tap = recorder(place)
    say(tap, 1)
    assert tap.close(at(2)).running is False
    say(tap, 3)
    assert tap.close(at(4)).ended_ns == at(2)
    assert frames(place) == [b"frame 1"]


KILLED = """
import sys, time
from pathlib import Path
from tests.engine.store.flight.test_recorder import recorder, say
tap = recorder(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    say(tap, number)
    print(number, tap.state.records, flush=True)
    time.sleep(0.001)
"""


@pytest.mark.parametrize("after", [200, 700])
def test_a_process_that_is_killed_leaves_a_whole_file_and_loses_less_than_a_second(tmp_path: Path, after: int) -> None:
    place = tmp_path / "flight"
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(place)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    said: list[tuple[int, int]] = []
    for line in child.stdout:
        queued, written = line.split()
        said.append((int(queued), int(written)))
        if said[-1][1] >= after:
            child.send_signal(signal.SIGKILL)
            break
    child.communicate()
    found = frames(place)
    assert len(found) >= after
    assert found == [f"frame {number}".encode() for number in range(1, len(found) + 1)]
    assert [one.name for one in place.glob("*.gz*")] == ["000001.jsonl.gz" + PART]
    assert mend(tmp_path) == [place / "000001.jsonl.gz"]
    assert frames(place) == found


def test_a_member_that_was_cut_in_the_middle_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CHUNK", 7)
    line = json.dumps({"t": 1.0, "ch": "ws", "dir": "recv", "data": "x"}).encode() + b"\n"
    member = gzip.compress(line)
    for rest in (0, 5, len(member) - 1):
        (tmp_path / f"a{rest}.jsonl.gz.part").write_bytes(member * 3 + member[:rest])
        mend(tmp_path)
        assert (tmp_path / f"a{rest}.jsonl.gz").read_bytes() == member * 3


def test_a_file_that_somebody_writes_is_left_alone(tmp_path: Path) -> None:
    tap = recorder(tmp_path / "flight")
    assert mend(tmp_path) == []
    say(tap, 1)
    tap.close(at(2))
    assert frames(tmp_path / "flight") == [b"frame 1"]


def test_the_fake_is_a_source() -> None:
    assert isinstance(Source(), RawSource)
