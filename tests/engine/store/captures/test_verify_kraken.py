"""Real Kraken captures through `verify`: every checksum, every level, every trade."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from engine.__main__ import main
from engine.errors import StoreError
from engine.plugins import frame_readers
from engine.store.captures.reader import Damage, read_capture
from engine.store.captures.verify import Verification, recognise, verify
from tests.engine.store.captures.test_verify import decimals, truths
from tests.shared import capture

CAPTURES = [
    "kraken_v2_book10_20260719_first688.jsonl.gz",
    "kraken_v2_book25_instrument_20260826_slice.jsonl.gz",
    "kraken_v2_trades_20260823_first30.jsonl.gz",
]
V1 = "kraken_v1_20210417_10pairs.jsonl.gz"
NONE = {"trades": 0, "taker_buy_base": "0", "taker_sell_base": "0"}


@pytest.mark.parametrize("name", CAPTURES)
def test_a_real_capture_gives_its_truth_to_the_last_digit(name: str) -> None:
    path, truth = capture(name), truths(name)
    reader = recognise(path, frame_readers())
    assert reader.name == "kraken"
    verification = Verification(reader)
    checkpoints = {one["after_lines"]: one["top5"] for one in truth["checkpoints"]}
    damages: list[Damage] = []
    for record in read_capture(path, damages.append):
        for symbol, top in checkpoints.pop(record.line - 1, {}).items():
            found = verification.feeds[symbol].snapshot(5)
            assert found is not None
            assert found.wire is not None
            # As the venue wrote it, trailing zeros and all.
            assert [[list(level) for level in side] for side in found.wire] == [top["bids"], top["asks"]]
        verification.play(record)
    report = verification.finish()
    assert (damages, checkpoints, report.problems) == ([], {}, [])
    assert (report.frames, report.dropped_frames) == (truth["ws_frames"], 0)
    assert report.seconds == pytest.approx(truth["span_s"], abs=0.2)
    assert set(report.symbols) == set(truth["symbols"])
    for symbol, expected in truth["symbols"].items():
        found_symbol, stats = report.symbols[symbol], expected["stats"]
        assert found_symbol["checksums_ok"] == stats.get("crc_ok", 0)
        assert found_symbol["snapshots"] == stats.get("snapshot", 0)
        assert found_symbol["applied"] == stats.get("crc_ok", 1) - 1
        wrong = ("gaps", "resyncs", "crossed", "checksums_bad", "duplicates", "ignored")
        assert [found_symbol[one] for one in wrong] == [0] * len(wrong)
        assert found_symbol["levels"] == expected.get("final_levels", [0, 0])
        for side, levels in expected.get("final_top10", {"bids": [], "asks": []}).items():
            assert decimals(found_symbol["top"][side]) == decimals(levels)
        trades = expected.get("trades", NONE)
        assert found_symbol["trades"] == trades["trades"]
        assert Decimal(found_symbol["buy_volume"]) == Decimal(trades["taker_buy_base"])
        assert Decimal(found_symbol["sell_volume"]) == Decimal(trades["taker_sell_base"])
        assert found_symbol["first_trade_id"] == trades.get("first_id")
        assert found_symbol["last_trade_id"] == trades.get("last_id")


@pytest.mark.parametrize("options", [(), ("--connector", "kraken")])
def test_a_capture_of_websocket_v1_is_refused_in_one_sentence(
    options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["verify", str(capture(V1)), *options])
    said = capsys.readouterr()
    assert (status, said.out) == (2, "")
    assert said.err.count("\n") == 1
    assert "WebSocket v1" in said.err
    assert "only WebSocket v2" in said.err


def test_one_changed_digit_fails_the_checksum(tmp_path: Path) -> None:
    """The quantity is the same number; only its digits differ."""
    lines = list(read_capture(capture(CAPTURES[0]), lambda damage: None))
    spoiled = tmp_path / "spoiled.jsonl"
    with spoiled.open("w") as file:
        for record in lines:
            text = record.data.decode().replace('"qty":0.77490540}', '"qty":0.7749054}', 1)
            file.write(
                json.dumps({"t": record.received_ns / 1e9, "ch": "ws", "dir": record.direction, "url": record.url,
                            "data": text}) + "\n"
            )  # fmt: skip
    report = verify(spoiled, frame_readers()["kraken"])
    assert report.symbols["BTC/USD"]["checksums_bad"] == 1
    assert report.symbols["BTC/USD"]["state"] == "syncing"
    assert any("checksums_bad 1" in problem for problem in report.problems)


def test_sums_of_traded_volume_are_exact_where_doubles_are_not(tmp_path: Path) -> None:
    trade = {"symbol": "PEPE/USD", "side": "buy", "price": 0.00001, "qty": 0, "ord_type": "market", "trade_id": 1,
             "timestamp": "2026-08-23T13:40:09.726398Z"}  # fmt: skip
    path = tmp_path / "huge.jsonl"
    with path.open("w") as file:
        for number in (1, 2, 3):
            frame = json.dumps({"channel": "trade", "type": "update", "data": [{**trade, "trade_id": number}]})
            text = frame.replace('"qty": 0', '"qty": 1234567890.12345678')
            file.write(json.dumps({"t": number, "ch": "ws", "dir": "recv", "url": "wss://ws.kraken.com/v2",
                                   "data": text}) + "\n")  # fmt: skip
    report = verify(path, frame_readers()["kraken"])
    assert report.symbols["PEPE/USD"]["buy_volume"] == "3703703670.37037034"


def test_verify_itself_refuses_what_its_connector_cannot_read() -> None:
    with pytest.raises(StoreError, match="v2"):
        verify(capture(V1), frame_readers()["kraken"])
