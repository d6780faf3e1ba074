from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.__main__ import main
from engine.errors import StoreError
from engine.plugins import frame_readers
from engine.store.captures.reader import Damage, Record, read_capture
from engine.store.captures.verify import PROBLEMS_LISTED, FrameReader, Verification, exact, plain, recognise, verify
from tests.shared import capture

STREAM = "wss://stream.binance.com:9443/stream"
REST = "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000"
BINANCE = [
    "binance_spot_20210404_btc_eth_dot.jsonl.gz",
    "binance_spot_20211012_4sym.jsonl.gz",
    pytest.param("demo_binance_spot_btc_eth_20240808_650s.jsonl.gz", marks=pytest.mark.slow),
]
KEYS = {
    "state", "snapshots", "applied", "ignored", "duplicates", "gaps", "resyncs", "crossed", "checksums_ok",
    "checksums_bad", "trades", "buy_volume", "sell_volume", "first_trade_id", "last_trade_id", "levels", "top",
}  # fmt: skip
Say = Callable[..., dict[str, Any]]


def reader() -> FrameReader:
    return frame_readers()["binance"]


def record(at_s: float, data: object, **more: object) -> dict[str, Any]:
    text = data if isinstance(data, str) else json.dumps(data)
    return {"t": at_s, "ch": "ws", "dir": "recv", "url": STREAM, "data": text, **more}


def depth(at_s: float, first: int, last: int, bids: object = (), asks: object = (), **more: object) -> dict[str, Any]:
    data = {"e": "depthUpdate", "E": 1000, "s": "BTCUSDT", "U": first, "u": last, "b": bids, "a": asks}
    return record(at_s, {"stream": "btcusdt@depth@100ms", "data": data}, **more)


def trade(at_s: float, number: int, size: str, sold: bool) -> dict[str, Any]:
    data = {"e": "trade", "E": 1, "s": "BTCUSDT", "t": number, "p": "100.5", "q": size, "T": 1, "m": sold}
    return record(at_s, {"stream": "btcusdt@trade", "data": data})


def book(at_s: float, number: int) -> dict[str, Any]:
    body = {"lastUpdateId": number, "bids": [["100.10", "1.50"]], "asks": [["101.00", "2.00"]]}
    return record(at_s, body, ch="http", dir="resp", url=REST)


def good() -> list[dict[str, Any]]:
    return [
        record(0.0, "", dir="open"),
        record(0.1, {"result": None, "id": 1}),
        depth(1.0, 95, 99),
        depth(1.1, 100, 105),
        book(1.2, 102),
        depth(1.3, 106, 107, [["100.20", "0.10"]], [["101.00", "0.00"], ["101.50", "3.000"]]),
        trade(1.4, 7, "0.10", sold=False),
        trade(1.5, 8, "0.20", sold=True),
        trade(2.5, 9, "0.30", sold=False),
    ]


def write(path: Path, records: Iterable[dict[str, Any] | bytes]) -> Path:
    path.write_bytes(b"\n".join(one if isinstance(one, bytes) else json.dumps(one).encode() for one in records) + b"\n")
    return path


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    """Runs the command on records; the exit status and what it printed and complained."""

    def run(records: Iterable[dict[str, Any] | bytes] | Path, *options: str) -> tuple[int, str, str]:
        path = records if isinstance(records, Path) else write(tmp_path / "capture.jsonl", records)
        status = main(["verify", str(path), *options])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


Run = Callable[..., tuple[int, str, str]]


def test_a_good_capture_is_reported_exactly(say: Run) -> None:
    status, out, err = say(good(), "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert set(found) == {"connector", "frames", "dropped_frames", "seconds", "symbols"}
    assert (found["connector"], found["frames"], found["dropped_frames"], found["seconds"]) == ("binance", 7, 0, 2.4)
    [(symbol, report)] = found["symbols"].items()
    assert symbol == "BTCUSDT"
    assert set(report) == KEYS
    assert report == {
        "state": "live", "snapshots": 1, "applied": 2, "ignored": 1, "duplicates": 0, "gaps": 0, "resyncs": 0,
        "crossed": 0, "checksums_ok": 0, "checksums_bad": 0, "trades": 3, "buy_volume": "0.4", "sell_volume": "0.2",
        "first_trade_id": 7, "last_trade_id": 9, "levels": [2, 1],
        "top": {"bids": [["100.2", "0.1"], ["100.1", "1.5"]], "asks": [["101.5", "3"]]},
    }  # fmt: skip


def test_without_json_it_speaks_to_people(say: Run) -> None:
    status, out, err = say(good())
    assert (status, err) == (0, "")
    assert "7 frames in 2.4 s" in out
    assert "BTCUSDT: live, 2 updates applied" in out
    assert out.rstrip().endswith("nothing wrong")


@pytest.mark.parametrize(
    ("bad", "dropped"),
    [
        (b"not json", 0), (b'{"t":1}', 0), (b'{"t":1,"ch":"ws","dir":"recv","enc":"b64","data":"%"}', 0),
        (json.dumps(record(1.25, "not a frame")).encode(), 1), (json.dumps(record(1.25, [1])).encode(), 1),
        (json.dumps(record(1.25, {}, ch="http", dir="resp", url=REST)).encode(), 0),
    ],
)  # fmt: skip
def test_damage_is_reported_with_its_line_and_the_rest_is_still_verified(say: Run, bad: bytes, dropped: int) -> None:
    records: list[dict[str, Any] | bytes] = [*good()]
    records.insert(5, bad)
    status, out, err = say(records, "--json")
    found = json.loads(out)
    assert status == 1
    assert found["dropped_frames"] == dropped
    assert found["symbols"]["BTCUSDT"]["applied"] == 2
    assert found["symbols"]["BTCUSDT"]["last_trade_id"] == 9
    [problem] = err.splitlines()
    assert problem.startswith("line 6: ")


def test_a_gap_is_wrong_and_says_where_the_book_stands(say: Run) -> None:
    status, out, err = say([*good(), depth(3.0, 200, 201)], "--json")
    found = json.loads(out)
    assert status == 1
    assert (found["symbols"]["BTCUSDT"]["gaps"], found["symbols"]["BTCUSDT"]["state"]) == (1, "syncing")
    assert found["symbols"]["BTCUSDT"]["top"] == {"bids": [], "asks": []}
    assert "expected update 108, received 200" in err


@pytest.mark.parametrize(
    ("extra", "word"),
    [
        (depth(3.0, 108, 108, [["200.0", "1"]]), "crossed 1"),
        (trade(3.0, 20, "1", sold=True), "trade_gaps 1"),
        (trade(3.0, 10, "-1", sold=True), "decode_errors 1"),
        (depth(3.0, 108, 108, [["50.0", "-1"]]), "decode_errors 1"),
    ],
)
def test_whatever_the_feed_finds_wrong_is_a_problem(say: Run, extra: dict[str, Any], word: str) -> None:
    status, _, err = say([*good(), extra], "--json")
    assert status == 1
    assert word in err


def test_a_book_that_never_came_is_a_problem(say: Run) -> None:
    status, _, err = say([depth(1.0, 1, 2)], "--json")
    assert status == 1
    assert "never came" in err


def test_a_connection_that_opens_again_begins_its_books_anew(say: Run) -> None:
    again = [record(3.0, "", dir="open"), depth(3.1, 500, 510), book(3.2, 505), depth(3.3, 511, 512)]
    status, out, _ = say([*good(), *again], "--json")
    found = json.loads(out)["symbols"]["BTCUSDT"]
    assert status == 0
    assert (found["gaps"], found["snapshots"], found["applied"], found["state"]) == (0, 2, 4, "live")


def test_a_book_that_does_not_come_back_after_a_new_connection_is_a_problem(say: Run) -> None:
    status, out, _ = say([*good(), record(3.0, "", dir="open")], "--json")
    found = json.loads(out)
    assert status == 1
    assert found["symbols"]["BTCUSDT"]["state"] != "live"


def test_another_connection_that_opens_disturbs_nobody(say: Run) -> None:
    status, out, _ = say([*good(), record(3.0, "", dir="open", conn="second"), depth(3.1, 108, 108)], "--json")
    assert (status, json.loads(out)["symbols"]["BTCUSDT"]["applied"]) == (0, 3)


def test_only_the_first_hundred_problems_are_told_and_all_are_counted(say: Run) -> None:
    records = [*good(), *[b"bad"] * (PROBLEMS_LISTED + 20)]
    status, out, _ = say(records)
    assert status == 1
    assert "… and 20 more" in out
    _, _, err = say(records, "--json")
    assert len(err.splitlines()) == PROBLEMS_LISTED + 1
    assert err.rstrip().endswith("… and 20 more")


def test_a_truncated_file_is_wrong_and_its_beginning_is_verified(say: Run, tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl.gz"
    packed = gzip.compress(b"\n".join(json.dumps(one).encode() for one in good()))
    path.write_bytes(packed[:-12])
    status, out, err = say(path, "--json")
    found = json.loads(out)
    assert status == 1
    assert found["symbols"]["BTCUSDT"]["levels"] == [2, 1]
    assert "too early" in err


@pytest.mark.parametrize(
    ("records", "options", "word"),
    [
        ([], (), "names no venue"),
        ([b"rubbish"], (), "is no capture, or damaged from its beginning: line 1: not a capture record"),
        ([record(1, "x", url="")], (), "names no venue"),
        ([record(1, "x", url="wss://example.org/ws")], (), "example.org"),
        ([record(1, "x", url="http://[::1")], (), "no connector recognises"),
        (good(), ("--connector", "nope"), "'nope'"),
    ],
)
def test_a_call_that_cannot_be_answered_ends_with_two(
    say: Run, records: list[dict[str, Any] | bytes], options: tuple[str, ...], word: str
) -> None:
    status, out, err = say(records, *options)
    assert (status, out) == (2, "")
    assert word in err


def test_a_missing_file_ends_with_two_and_is_named(say: Run, tmp_path: Path) -> None:
    status, _, err = say(tmp_path / "missing.jsonl")
    assert status == 2
    assert "missing.jsonl" in err


def test_a_wrong_command_ends_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["verify"])
    assert caught.value.code == 2
    assert "capture" in capsys.readouterr().err


def test_a_file_without_frames_is_a_problem_when_the_venue_is_named(say: Run) -> None:
    status, out, err = say([], "--connector", "binance", "--json")
    assert (status, json.loads(out)["symbols"], err) == (1, {}, "the capture holds no frame\n")


def test_the_venue_is_recognised_by_any_of_its_addresses(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [record(1, "x", url="https://example.org/"), *good()])
    assert recognise(path, frame_readers()).name == "binance"
    with pytest.raises(StoreError):
        recognise(path, {})


@pytest.mark.parametrize("number", [0.1, 1e-8, 61837.63, 123456789.12345678, 5e-324, 1e22, 100.0, 3.0])
def test_a_double_is_written_as_the_decimal_that_it_came_from(number: float) -> None:
    text = plain(exact(number))
    assert "e" not in text.lower()
    assert float(text) == number
    assert "." not in text or text[-1] != "0"


def truths(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(capture("truths.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = content[name]
    return found


def decimals(levels: Iterable[Iterable[str]]) -> list[tuple[Decimal, ...]]:
    return [tuple(Decimal(text) for text in level) for level in levels]


@pytest.mark.parametrize("name", BINANCE)
def test_a_real_capture_gives_its_truth_to_the_last_digit(name: str) -> None:
    path, truth = capture(name), truths(name)
    verification = Verification(reader())
    checkpoints = {one["after_lines"]: one["top5"] for one in truth["checkpoints"]}

    def check(lines: int) -> None:
        for symbol, top in checkpoints.pop(lines).items():
            found = verification.feeds[symbol].snapshot(5)
            assert found is not None
            for side, levels in (("bids", found.bids), ("asks", found.asks)):
                assert [(exact(price), exact(size)) for price, size in levels] == decimals(top[side])

    damages: list[Damage] = []
    for one in read_capture(path, damages.append):
        if one.line - 1 in checkpoints:
            check(one.line - 1)
        verification.play(one)
    assert (damages, checkpoints) == ([], {})
    report = verification.finish()
    assert (report.frames, report.dropped_frames, report.problems) == (truth["ws_frames"], 0, [])
    assert report.seconds == pytest.approx(truth["span_s"], abs=0.2)
    assert set(report.symbols) == set(truth["symbols"])
    for symbol, expected in truth["symbols"].items():
        assert_symbol(report.symbols[symbol], expected)


def assert_symbol(found: dict[str, Any], expected: dict[str, Any]) -> None:
    stats, none = expected["stats"], {"trades": 0, "taker_buy_base": "0", "taker_sell_base": "0"}
    trades = expected.get("trades", none)
    assert (found["state"], found["snapshots"]) == ("live", 1)
    assert found["applied"] == stats["diff_applied"]
    assert found["ignored"] == stats["diff_before_snapshot_dropped"]
    assert [found[name] for name in ("duplicates", "gaps", "resyncs", "crossed")] == [0, 0, 0, stats["crossed"]]
    assert found["levels"] == expected["final_levels"]
    for side in ("bids", "asks"):
        assert decimals(found["top"][side]) == decimals(expected["final_top10"][side])
    assert found["trades"] == trades["trades"]
    assert Decimal(found["buy_volume"]) == Decimal(trades["taker_buy_base"])
    assert Decimal(found["sell_volume"]) == Decimal(trades["taker_sell_base"])
    assert found["first_trade_id"] == trades.get("first_id")
    assert found["last_trade_id"] == trades.get("last_id")


def test_verify_says_the_same_as_playing_line_by_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", good())
    verification = Verification(reader())
    records: list[Record] = list(read_capture(path, verification.damaged))
    for one in records:
        verification.play(one)
    assert verify(path, reader()) == verification.finish()


def note(at_s: float, words: dict[str, Any], **more: object) -> dict[str, Any]:
    return record(at_s, json.dumps(words), dir="note", **more)


def test_records_that_the_recorder_lost_are_a_problem_and_cost_the_books_of_their_connection(say: Run) -> None:
    status, out, err = say([*good(), note(2.6, {"lost": 3})], "--json")
    assert (status, json.loads(out)["symbols"]["BTCUSDT"]["gaps"]) == (1, 1)
    assert "the recorder lost 3 records" in err


def test_a_connection_that_stood_beside_another_and_ended_changes_no_book(say: Run) -> None:
    beside = [
        note(2.61, {"beside": ""}, conn="2"),
        record(2.62, "", dir="open", conn="2"),
        depth(2.63, 900, 901, [["1.0", "1.0"]], conn="2"),
        note(2.64, {"ended": "in vain"}, conn="2"),
        depth(2.7, 108, 109, [["100.20", "0.40"]]),
    ]
    status, out, _ = say([*good(), *beside], "--json")
    found = json.loads(out)["symbols"]["BTCUSDT"]
    assert (status, found["gaps"], found["top"]["bids"][0]) == (0, 0, ["100.2", "0.4"])


def test_a_capture_names_its_connector_itself_whatever_its_addresses(say: Run) -> None:
    named = [note(0.0, {"connector": "binance"}), *[{**one, "url": "ws://127.0.0.1:1/x"} for one in good()[2:4]]]
    status, out, _ = say(named, "--json")
    assert (status, json.loads(out)["connector"]) == (1, "binance")
