"""Session bundles: the same on another machine, and one clear sentence for everything that is none."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from engine.errors import StoreError
from engine.feed.quality import FeedQuality
from engine.store.base import CandleBar, Entry, Gap, MarketDepth, QualityNote, Recording, Store
from engine.store.copying import BATCH_ENTRIES
from engine.store.exports import bundle
from engine.store.exports.bundle import Limits
from engine.store.exports.bundle_reader import Bundle
from engine.store.exports.bundle_writer import write_bundle
from engine.store.opening import open_store
from engine.store.work import Cancelled, unwatched
from tests.engine.store.events import KEY, OTHER, SECOND_NS, START_NS, any_entries, exactly, run_of, snapshot, trade
from tests.fakes.memory_store import MemoryStore

SETTINGS = {"LOG_LEVEL": "INFO", "FINNHUB_API_KEY": "***"}
ENDED_NS = START_NS + 60 * SECOND_NS


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """One store is enough here: what the stores can do is tested with them."""
    made = open_store(f"duckdb:///{tmp_path}/here/tape.duckdb")
    yield made
    made.close()


def record(store: Store, entries: list[Entry]) -> Recording:
    """A recording with something of everything."""
    made = store.begin([KEY, OTHER], at_ns=START_NS, note="a test")
    gap = Gap(KEY, START_NS + 5, START_NS + 9, None, "the disk was full")
    quality = QualityNote(KEY, START_NS + 7, FeedQuality().report(START_NS + 7))
    depth = MarketDepth("BTCUSDT", START_NS // 10**6, "[[1.0,2.0]]", "[[2.0,1.0]]", "mock", 1.5, 1.0, 0.3, made.id)
    bar = CandleBar("BTCUSDT", "1m", START_NS // 10**6, 1.0, 2.0, 0.5, 1.5, 3.0, 1.0, 2.0, "mock", made.id)
    store.append(made.id, entries, gaps=[gap], depth=[depth], bars=[bar], quality=[quality])
    return store.end(made.id, at_ns=ENDED_NS)


def other_machine(folder: Path) -> Store:
    return open_store(f"duckdb:///{folder}/elsewhere/tape.duckdb")


def packed(store: Store, recording: Recording, folder: Path) -> Path:
    path = folder / f"{recording.id}{bundle.ENDING}"
    write_bundle(store, recording.id, path, SETTINGS, unwatched, at_ns=ENDED_NS)
    return path


@pytest.fixture
def a_bundle(store: Store, tmp_path: Path) -> Path:
    return packed(store, record(store, run_of([snapshot(), trade(1.0), trade(2.0)])), tmp_path)


def test_everything_comes_back_in_a_fresh_folder(open_again: Callable[[], Store], tmp_path: Path) -> None:
    store = open_again()
    entries = run_of([snapshot(), *[trade(number / 100) for number in range(BATCH_ENTRIES + 10)]])
    origin = record(store, entries)
    path = packed(store, origin, tmp_path)
    target = other_machine(tmp_path)
    with Bundle(path) as opened:
        assert opened.settings() == SETTINGS
        assert opened.manifest.recording == origin
        assert opened.manifest.versions["python"]
        made = opened.restore(target, unwatched)
    assert exactly(list(target.read(made.id))) == exactly(entries)
    assert (made.started_ns, made.ended_ns, made.ending) == (origin.started_ns, ENDED_NS, "stopped")
    assert (made.feeds, made.events, made.gaps) == (origin.feeds, origin.events, 1)
    assert made.note == f"a test (copy of {origin.id})"
    assert target.gaps(made.id) == store.gaps(origin.id)
    assert target.quality(made.id) == store.quality(origin.id)
    assert [row.mid_price for row in target.market_depth(recording=made.id)] == [1.5]
    assert [row.close for row in target.candle_bars(recording=made.id)] == [1.5]
    target.close()


class Shelf(MemoryStore):
    """Keeps the entries themselves, numbers that are none included; quick enough for many examples."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[Entry] = []

    def append(self, recording_id: str, entries: Sequence[Entry], **rows: Any) -> None:
        self.entries += entries

    def read(self, recording_id: str, **which: Any) -> Iterator[Entry]:
        return iter(list(self.entries))


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=any_entries())
def test_every_bit_of_every_event_survives_the_way(tmp_path: Path, entries: list[Entry]) -> None:
    origin, target = Shelf(), Shelf()
    with Bundle(packed(origin, record(origin, entries), tmp_path)) as opened:
        opened.restore(target, unwatched)
    assert exactly(target.entries) == exactly(entries)


def test_a_cut_off_recording_says_so_on_the_other_machine(open_again: Callable[[], Store], tmp_path: Path) -> None:
    store = open_again()
    made = store.begin([KEY], at_ns=START_NS)
    store.append(made.id, run_of([snapshot()]))
    store.close()
    store = open_again()
    target = other_machine(tmp_path)
    with Bundle(packed(store, made, tmp_path)) as opened:
        assert "which was cut off" in opened.restore(target, unwatched).note
    target.close()


def test_a_bundle_of_the_schema_before_is_opened_too(store: Store, a_bundle: Path, tmp_path: Path) -> None:
    def as_before(files: dict[str, bytes]) -> None:
        manifest = json.loads(files[bundle.MANIFEST])
        for name in ("orders", "fills"):
            del manifest["recording"][name]
        manifest |= {"schema": 1, "left_out": "Of market_depth only the newest rows."}
        files[bundle.MANIFEST] = json.dumps(manifest).encode()

    target = other_machine(tmp_path)
    with Bundle(changed(a_bundle, as_before)) as opened:
        assert opened.manifest.left_out == "Of market_depth only the newest rows."
        made = opened.restore(target, unwatched)
    assert (made.events, made.orders, made.fills) == (3, 0, 0)
    assert len(list(target.depth_of(made.id))) == 1
    target.close()


def test_people_can_read_what_it_is_worth(a_bundle: Path) -> None:
    with zipfile.ZipFile(a_bundle) as archive:
        text = archive.read(bundle.QUALITY_TEXT).decode()
    assert "3 events" in text
    assert "an unknown number of events" in text
    assert "the disk was full" in text
    assert "mock ETHUSDT: said nothing of its quality" in text


def test_what_is_called_off_leaves_nothing(store: Store, a_bundle: Path, tmp_path: Path) -> None:
    def call_off(done: int, total: int, words: str = "") -> None:
        if done:
            raise Cancelled("called off")

    before = [recording.id for recording in store.recordings()]
    with Bundle(a_bundle) as opened, pytest.raises(Cancelled):
        opened.restore(store, call_off)
    assert [recording.id for recording in store.recordings()] == before
    path = tmp_path / "half.tapedeck.zip"
    with pytest.raises(Cancelled):
        write_bundle(store, before[0], path, {}, call_off, at_ns=ENDED_NS)
    assert not list(tmp_path.glob("half*"))


def changed(path: Path, change: Callable[[dict[str, bytes]], None]) -> io.BytesIO:
    """The bundle with its files changed."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made


def manifest_with(**values: object) -> Callable[[dict[str, bytes]], None]:
    def change(files: dict[str, bytes]) -> None:
        files[bundle.MANIFEST] = json.dumps({**json.loads(files[bundle.MANIFEST]), **values}).encode()

    return change


def with_file(name: str, data: bytes) -> Callable[[dict[str, bytes]], None]:
    return lambda files: files.update({name: data})


def without(name: str) -> Callable[[dict[str, bytes]], None]:
    def change(files: dict[str, bytes]) -> None:
        del files[name]

    return change


def recorded(**values: object) -> Callable[[dict[str, bytes]], None]:
    def change(files: dict[str, bytes]) -> None:
        manifest = json.loads(files[bundle.MANIFEST])
        manifest["recording"].update(values)
        files[bundle.MANIFEST] = json.dumps(manifest).encode()

    return change


BAD = {
    "newer": (manifest_with(schema=99), "made by a newer Tapedeck: its schema is 99"),
    "no schema of ours": (manifest_with(schema=0), "schema 0 does not exist"),
    "of something else": (manifest_with(format="holiday pictures"), "its manifest is of something else"),
    "no manifest": (without(bundle.MANIFEST), "there is no manifest.json"),
    "rubbish manifest": (with_file(bundle.MANIFEST, b"\xff{"), "manifest.json is not what it should be"),
    "path upwards": (with_file("../../etc/cron.d/evil", b"x"), "does not belong into one: '../../etc/cron.d/evil'"),
    "absolute path": (with_file("/etc/passwd", b"x"), "does not belong into one"),
    "a file more": (with_file("entries/000099.msgpack", b"x"), "does not belong into one"),
    "a file less": (without("entries/000001.msgpack"), "'entries/000001.msgpack' is missing"),
    "no time of this world": (recorded(started_ns=2**62), "no believable time"),
    "ends before it begins": (recorded(ended_ns=1), "no believable time"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_bundle_is_told_in_one_sentence(a_bundle: Path, case: str) -> None:
    change, words = BAD[case]
    with pytest.raises(StoreError) as told:
        Bundle(changed(a_bundle, change))
    assert words in str(told.value)


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04" + bytes(100), bytes(5000)])
def test_rubbish_is_no_bundle(data: bytes) -> None:
    with pytest.raises(StoreError, match="it is no zip archive") as told:
        Bundle(io.BytesIO(data))
    assert bundle.ENDING in told.value.hint


def chunk(entries: list[tuple[int, int, object]]) -> bytes:
    return msgspec.msgpack.encode(([KEY], entries))


def resealed(entries: bytes) -> Callable[[dict[str, bytes]], None]:
    """Other entries, with a manifest that agrees with them: made so on purpose."""

    def change(files: dict[str, bytes]) -> None:
        name = bundle.chunk_name(1)
        files[name] = entries
        manifest = json.loads(files[bundle.MANIFEST])
        for file in manifest["files"]:
            if file["name"] == name:
                file.update(size=len(entries), sha256=sha256(entries).hexdigest())
        files[bundle.MANIFEST] = json.dumps(manifest).encode()

    return change


DAMAGED = {
    "another byte": (with_file(bundle.chunk_name(1), b"x"), "is not what it was"),
    "not entries": (resealed(b"\x00\x01"), "is not what it should be"),
    "too few": (resealed(chunk([(0, 0, trade())])), "it holds 1 entries instead of 3"),
    "out of order": (resealed(chunk([(4, 0, trade()), (4, 0, trade())])), "is not in order after entry 4"),
    "of no feed": (resealed(chunk([(0, 7, trade())])), "is not in order"),
    "another kind": (resealed(chunk([(0, 0, {"type": "os.system"})])), "is not what it should be"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_bundle_changes_nothing(store: Store, a_bundle: Path, case: str) -> None:
    change, words = DAMAGED[case]
    before = store.recordings()
    with Bundle(changed(a_bundle, change)) as opened, pytest.raises(StoreError) as told:
        opened.restore(store, unwatched)
    assert words in str(told.value)
    assert [recording.id for recording in store.recordings()] == [recording.id for recording in before]


def test_a_broken_archive_is_told_and_not_believed(store: Store, a_bundle: Path) -> None:
    data = bytearray(a_bundle.read_bytes())
    with zipfile.ZipFile(a_bundle) as archive:
        begin = archive.getinfo(bundle.chunk_name(1)).header_offset
    data[begin + 70] ^= 0xFF
    with Bundle(io.BytesIO(data)) as opened, pytest.raises(StoreError, match=r"damaged: entries/000001\.msgpack"):
        opened.restore(store, unwatched)
    assert len(store.recordings()) == 1


def test_what_is_too_large_is_refused_by_what_it_says_and_by_what_it_holds(a_bundle: Path) -> None:
    with pytest.raises(StoreError, match="too large"):
        Bundle(a_bundle, Limits(total_bytes=100))
    with pytest.raises(StoreError, match="too large"):
        Bundle(a_bundle, Limits(file_bytes=10))
    with pytest.raises(StoreError, match="it holds"):
        Bundle(a_bundle, Limits(files=3))


def test_an_archive_that_lies_about_its_sizes_is_stopped_while_it_unpacks(store: Store, a_bundle: Path) -> None:
    with Bundle(a_bundle, Limits(chunk_bytes=50)) as opened, pytest.raises(StoreError, match="more than 50 bytes"):
        opened.restore(store, unwatched)
