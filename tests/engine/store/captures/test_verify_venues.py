"""The recordings of further venues give their truths to the last digit, through the line that serves live data."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.__main__ import main
from engine.feed.feed import Feed
from engine.market.events import MarketEvent, Trade
from engine.plugins import frame_readers
from engine.store.captures.reader import Damage, read_capture
from engine.store.captures.verify import Report, Verification, exact, recognise
from tests.shared import capture

FINNHUB = "finnhub_trades_aapl_20230331.jsonl.gz"
USDM = "binance_usdm_20210722_4sym.jsonl.gz"
COINBASE = "coinbase_advanced_btc_eth_20260809_first12s.jsonl.gz"


def truths(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(capture("truths.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = content[name]
    return found


def decimals(levels: Iterable[Iterable[str]]) -> list[tuple[Decimal, ...]]:
    return [tuple(Decimal(text) for text in level) for level in levels]


def top5(feed: Feed) -> dict[str, list[tuple[Decimal, ...]]]:
    book = feed.snapshot(5)
    assert book is not None
    return {
        side: [(exact(price), exact(size)) for price, size in levels]
        for side, levels in (("bids", book.bids), ("asks", book.asks))
    }


def played(path: Path, truth: dict[str, Any], venue: str) -> tuple[Verification, Report]:
    """The capture, with the books compared at every checkpoint on the way."""
    reader = recognise(path, frame_readers())
    assert reader.name == venue
    verification = Verification(reader)
    checkpoints = {one["after_lines"]: one["top5"] for one in truth["checkpoints"]}

    def check(lines: int) -> None:
        for symbol, top in checkpoints.pop(lines, {}).items():
            assert top5(verification.feeds[symbol]) == {side: decimals(top[side]) for side in top}

    damages: list[Damage] = []
    last = 0
    for one in read_capture(path, damages.append):
        check(one.line - 1)
        verification.play(one)
        last = one.line
    check(last)
    assert (damages, checkpoints) == ([], {})
    report = verification.finish()
    assert (report.frames, report.dropped_frames, report.problems) == (truth["ws_frames"], 0, [])
    assert report.seconds == pytest.approx(truth["span_s"], abs=0.2)
    return verification, report


def assert_book(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert (found["state"], found["snapshots"]) == ("live", 1)
    assert [found[name] for name in ("duplicates", "gaps", "resyncs", "crossed")] == [0, 0, 0, 0]
    assert found["levels"] == expected["final_levels"]
    for side in ("bids", "asks"):
        assert decimals(found["top"][side]) == decimals(expected["final_top10"][side])


def assert_trades(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found["trades"] == expected["trades"]
    assert Decimal(found["buy_volume"]) == Decimal(expected["taker_buy_base"])
    assert Decimal(found["sell_volume"]) == Decimal(expected["taker_sell_base"])
    assert (found["first_trade_id"], found["last_trade_id"]) == (expected["first_id"], expected["last_id"])


def test_coinbase_gives_its_truth_to_the_last_digit() -> None:
    truth = truths(COINBASE)
    _, report = played(capture(COINBASE), truth, "coinbase")
    symbols = {symbol: one for symbol, one in truth["symbols"].items() if not symbol.startswith("_")}
    assert set(report.symbols) == set(symbols)
    for symbol, expected in symbols.items():
        found = report.symbols[symbol]
        assert_book(found, expected)
        assert_trades(found, expected["trades"])
        assert (found["applied"], found["ignored"]) == (expected["stats"]["update"], 0)


def test_a_frame_that_is_missing_from_coinbase_is_a_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = list(read_capture(capture(COINBASE), lambda damage: None))
    kept = [one for one in records if one.direction in ("open", "recv") and b'"sequence_num":40,' not in one.data]
    path = tmp_path / "gap.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for one in kept:
            line = {
                "t": one.received_ns / 1e9, "ch": one.channel, "dir": one.direction, "url": one.url,
                "conn": one.connection, "data": one.data.decode(),
            }  # fmt: skip
            file.write(json.dumps(line) + "\n")
    assert main(["verify", str(path), "--json"]) == 1
    said = capsys.readouterr()
    assert "expected frame 40, received 41" in said.err
    found = json.loads(said.out)
    for symbol in ("BTC-USD", "ETH-USD"):
        assert (found["symbols"][symbol]["gaps"], found["symbols"][symbol]["state"]) == (1, "syncing")


def test_binance_futures_give_their_truth_to_the_last_digit() -> None:
    truth = truths(USDM)
    verification, report = played(capture(USDM), truth, "binance_usdm")
    assert set(report.symbols) == set(truth["symbols"])
    for symbol, expected in truth["symbols"].items():
        found, stats = report.symbols[symbol], expected["stats"]
        assert_book(found, expected)
        assert_trades(found, expected["trades"])
        assert found["applied"] == stats["diff_applied"]
        # Besides, a quote may have come that was older than the book.
        assert stats["diff_before_snapshot_dropped"] <= found["ignored"] <= stats["diff_before_snapshot_dropped"] + 1
        assert verification.feeds[symbol].quality.quote_mismatches == 0


def test_futures_are_not_taken_for_spot_nor_spot_for_futures() -> None:
    readers = frame_readers()
    assert recognise(capture(USDM), readers).name == "binance_usdm"
    assert recognise(capture("binance_spot_20211012_4sym.jsonl.gz"), readers).name == "binance"


def test_finnhub_gives_its_truth_without_a_book_and_without_sides() -> None:
    truth = truths(FINNHUB)
    expected = truth["symbols"]["AAPL"]["trades"]
    verification, report = played(capture(FINNHUB), truth, "finnhub")
    found = report.symbols["AAPL"]
    assert (found["state"], found["trades"], found["levels"]) == ("live", expected["trades"], [0, 0])
    assert (found["buy_volume"], found["sell_volume"], found["top"]) == ("0", "0", {"bids": [], "asks": []})
    assert verification.feeds["AAPL"].view is None
    reader, events = frame_readers()["finnhub"], list[MarketEvent]()
    for one in read_capture(capture(FINNHUB), lambda damage: None):
        if one.direction == "recv":
            events += [
                event
                for event in reader.recorded_decoder(one.url, one.connection)(one.data, one.received_ns)
                if isinstance(event, Trade)
            ]
    trades = [event for event in events if isinstance(event, Trade)]
    prices = [exact(trade.price) for trade in trades]
    assert [prices[0], max(prices), min(prices), prices[-1]] == [
        Decimal(expected[name]) for name in ("open", "high", "low", "close")
    ]
    assert sum([exact(trade.price) * exact(trade.size) for trade in trades]) == Decimal(expected["quote"])
