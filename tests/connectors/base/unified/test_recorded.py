"""Real recordings through ccxt's own handlers, against the figures that were worked out from the raw frames.

What ccxt cannot give, and is therefore not asked for here: sequence numbers and their gaps (nothing is numbered once it
has passed through ccxt), more than the best 100 levels (`final_levels` is compared up to there), KuCoin's trade
sequence (it gives the trade's hexadecimal number), and a book whose venue sends no update (Bitstamp: ccxt asks for the
snapshot after the sixth).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.base.unified.recorded import HOSTS
from engine.__main__ import main
from engine.errors import DecodeError
from engine.market.events import Trade
from engine.plugins import frame_readers
from engine.store.captures.reader import Damage, read_capture
from engine.store.captures.verify import FrameReader, Verification, exact, recognise, verify
from tests.shared import capture

OKX = "okx_v5_books_20220513_btcusdt.jsonl.gz"
BYBIT = "bybit_v5_spot_linear_20260809_first20s.jsonl.gz"
GEMINI = "gemini_v2_20210623_10pairs.jsonl.gz"
KUCOIN = "kucoin_20210425_9pairs.jsonl.gz"
BITSTAMP = "bitstamp_20220105_10pairs.jsonl.gz"
COINBASE = "coinbase_exchange_20210417_10prod_first15s.jsonl.gz"
NAMES = {
    OKX: "ccxt:okx",
    BYBIT: "ccxt:bybit",
    GEMINI: "ccxt:gemini",
    KUCOIN: "ccxt:kucoin",
    BITSTAMP: "ccxt:bitstamp",
    COINBASE: "ccxt:coinbaseexchange",
}
DEPTH = 100
NOT_YET = {
    # ccxt asks for the snapshot after so many updates; these symbols have not had as many by then, or none ever.
    (KUCOIN, 1186): {"EQZ-BTC"},
    (BITSTAMP, 194): {"galaeur", "sgbeur"},
    (BITSTAMP, 389): {"sgbeur"},
    (BITSTAMP, 584): {"sgbeur"},
}
NEVER = {BITSTAMP: {"sgbeur"}}


def truths(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(capture("truths.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = content[name]
    return found


def ours(name: str, symbol: str) -> str:
    """The symbol by which the connector calls what the truths call `symbol`."""
    if name == BYBIT:
        kind, _, plain_symbol = symbol.partition(":")
        return plain_symbol if kind == "spot" else f"{plain_symbol.removesuffix('USDT')}/USDT:USDT"
    return symbol


def assert_side(levels: Any, expected: list[list[str]], what: object) -> None:
    found = [(exact(price), exact(size)) for price, size in levels]
    assert found == [(Decimal(price), Decimal(size)) for price, size in expected], what


def reader_for(path: Path) -> FrameReader:
    return recognise(path, frame_readers())


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_gives_its_truth_through_ccxts_own_handlers(name: str) -> None:
    path, truth = capture(name), truths(name)
    verification = Verification(reader_for(path))
    checkpoints = {one["after_lines"]: one["top5"] for one in truth["checkpoints"]}
    damages: list[Damage] = []
    for record in read_capture(path, damages.append):
        lines = record.line - 1
        for symbol, top in checkpoints.pop(lines, {}).items():
            if symbol not in NOT_YET.get((name, lines), ()):
                book = verification.feeds[ours(name, symbol)].snapshot(5)
                assert book is not None
                assert_side(book.bids, top["bids"], (symbol, lines))
                assert_side(book.asks, top["asks"], (symbol, lines))
        verification.play(record)
    report = verification.finish()
    assert (damages, checkpoints) == ([], {})
    assert (report.connector, report.frames, report.dropped_frames) == (NAMES[name], truth["ws_frames"], 0)
    assert report.problems == []
    expected = {symbol: one for symbol, one in truth["symbols"].items() if symbol not in NEVER.get(name, ())}
    assert set(report.symbols) == {ours(name, symbol) for symbol in expected}
    for symbol, figures in expected.items():
        assert_symbol(name, report.symbols[ours(name, symbol)], figures)


def assert_symbol(name: str, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    assert (found["state"], found["crossed"]) == ("live", 0)
    for side in ("bids", "asks"):
        levels = [[float(number) for number in level] for level in found["top"][side]]
        assert_side(levels, expected["final_top10"][side], side)
    assert found["levels"] == [min(count, DEPTH) for count in expected["final_levels"]]
    trades = expected.get("trades", {"trades": 0, "taker_buy_base": "0", "taker_sell_base": "0"})
    assert found["trades"] == trades["trades"]
    assert Decimal(found["buy_volume"]) == Decimal(trades["taker_buy_base"])
    assert Decimal(found["sell_volume"]) == Decimal(trades["taker_sell_base"])
    if name != KUCOIN and "first_id" in trades:
        assert found["first_trade_id"] == str(trades["first_id"])
        assert found["last_trade_id"] == str(trades["last_id"])


def test_all_checksums_of_okx_agree_and_are_counted() -> None:
    report = verify(capture(OKX), reader_for(capture(OKX)))
    expected = {symbol: one["stats"]["crc_ok"] for symbol, one in truths(OKX)["symbols"].items()}
    assert {symbol: found["checksums_ok"] for symbol, found in report.symbols.items()} == expected
    assert sum(expected.values()) == truths(OKX)["totals"]["crc_ok"] == 290


@pytest.mark.parametrize("missing", [True, False])
def test_an_update_of_okx_that_is_missing_or_changed_fails_the_checksum(tmp_path: Path, missing: bool) -> None:
    lines = gzip.decompress(capture(OKX).read_bytes()).splitlines()
    place = [i for i, line in enumerate(lines) if b'"update' in line.replace(b"\\", b"") and b"BTC-USDT" in line][20]
    record = json.loads(lines[place])
    message = json.loads(record["data"])
    row = message["data"][0]
    (row["asks"] or row["bids"])[0][1] = "7777.77"
    record["data"] = json.dumps(message)
    lines[place : place + 1] = [] if missing else [json.dumps(record).encode()]
    spoiled = tmp_path / "spoiled.jsonl"
    spoiled.write_bytes(b"\n".join(lines))
    report = verify(spoiled, reader_for(spoiled))
    assert report.symbols["BTC-USDT"]["checksums_bad"] > 0
    assert report.symbols["BTC-USD-220527"]["checksums_bad"] == 0
    assert any(problem.startswith("BTC-USDT: ") and "checksums_bad" in problem for problem in report.problems)


def test_the_makers_side_that_ccxt_passes_on_at_coinbase_becomes_the_takers() -> None:
    name = "coinbase_advanced_btc_eth_20260809_first12s.jsonl.gz"
    report = verify(capture(name), frame_readers()["ccxt:coinbase"])
    assert report.problems == []
    for symbol, found in report.symbols.items():
        assert_symbol(name, found, truths(name)["symbols"][symbol])


def test_the_trades_that_gemini_repeats_on_subscribing_are_history() -> None:
    path = capture(GEMINI)
    reader = reader_for(path)
    trades: list[Trade] = []
    for record in read_capture(path, lambda damage: None):
        if record.direction == "resp":
            reader.decode_response(record.url, record.data, record.received_ns)
        elif record.direction == "recv":
            events = reader.recorded_decoder(record.url, record.connection)(record.data, record.received_ns)
            trades += [event for event in events if isinstance(event, Trade)]
    assert len([trade for trade in trades if not trade.backfill]) == 16
    assert len([trade for trade in trades if trade.backfill]) > 100


def test_a_recording_can_be_read_again_from_its_beginning() -> None:
    path = capture(BITSTAMP)
    reader = reader_for(path)
    assert verify(path, reader) == verify(path, reader)


def test_the_command_recognises_such_a_recording(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(capture(BYBIT))]) == 0
    said = capsys.readouterr().out
    assert "ccxt:bybit, 1479 frames" in said
    assert "nothing wrong" in said


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("wss://ws.okx.com:8443/ws/v5/public", "okx"),
        ("https://api.bybit.com/v5/market/instruments-info", "bybit"),
        ("wss://push-private.kucoin.com/endpoint?token=TOKEN", "kucoin"),
        ("wss://ws-feed.pro.coinbase.com", "coinbaseexchange"),
        ("wss://ws-feed.exchange.coinbase.com", "coinbaseexchange"),
        ("wss://advanced-trade-ws.coinbase.com", ""),
        ("wss://okx.com.example.org", ""),
        ("not a url", ""),
    ],
)
def test_a_recording_is_recognised_by_its_hosts(url: str, name: str) -> None:
    readers = frame_readers()
    assert [one for one in HOSTS if readers[f"ccxt:{one}"].recognises(url)] == ([name] if name else [])


@pytest.mark.parametrize(
    "frame", [b'{"arg":', b"\xff\xfe", b'{"arg":{"channel":"trades","instId":"A-B"},"data":[{"ts":[]}]}']
)
def test_a_frame_that_ccxt_cannot_read_is_a_decode_error(frame: bytes) -> None:
    with pytest.raises(DecodeError, match="ccxt:okx frame"):
        frame_readers()["ccxt:okx"].recorded_decoder("", "")(frame, 1)


def test_an_update_that_ccxt_finds_missing_is_a_decode_error() -> None:
    reader = frame_readers()["ccxt:okx"]
    frame = (
        '{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"%s",'
        '"data":[{"asks":[["2","1","0","1"]],"bids":[],"ts":"1","seqId":%d,"prevSeqId":%d}]}'
    )
    assert len(reader.recorded_decoder("", "")((frame % ("snapshot", 5, -1)).encode(), 1)) == 1
    assert len(reader.recorded_decoder("", "")((frame % ("update", 6, 5)).encode(), 2)) == 1
    with pytest.raises(DecodeError, match="an update is missing"):
        reader.recorded_decoder("", "")((frame % ("update", 8, 7)).encode(), 3)
