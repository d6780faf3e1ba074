"""The fault board: faults come on, act as often or as long as told, and clear."""

from __future__ import annotations

from threading import Thread

import pytest

from connectors.base.simulation.faults import CARDS, Fault, FaultBoard, ScriptedFault
from engine.clock import ManualClock
from engine.errors import ConfigError


def test_every_fault_has_a_card_that_says_what_it_is() -> None:
    assert set(CARDS) == set(Fault)
    assert all(card.text.endswith(".") and len(card.text) < 90 for card in CARDS.values())
    assert all(card.default > 0 for card in CARDS.values() if card.parameter)


def test_a_one_shot_acts_once_unless_told_how_often() -> None:
    board = FaultBoard()
    board.set(Fault.GAP)
    board.set(Fault.DUPLICATE, count=2)
    assert board.take(Fault.GAP) is not None
    assert board.take(Fault.GAP) is None
    assert [board.take(Fault.DUPLICATE) is not None for _ in range(3)] == [True, True, False]
    assert board.acted == {Fault.GAP: 1, Fault.DUPLICATE: 2}
    assert board.quiet


def test_a_switch_stays_until_it_is_cleared() -> None:
    board = FaultBoard()
    board.set("stall")
    assert all(board.take(Fault.STALL) for _ in range(50))
    board.clear("stall")
    assert board.take(Fault.STALL) is None


def test_a_fault_with_a_duration_ends_by_itself() -> None:
    clock = ManualClock()
    board = FaultBoard(clock=clock)
    board.set(Fault.LATENCY, value=100, seconds=3.0)
    found = board.peek(Fault.LATENCY)
    assert found is not None
    assert found.value == 100
    clock.advance(2.9)
    assert len(board.active()) == 1
    clock.advance(0.2)
    assert board.peek(Fault.LATENCY) is None
    assert board.active() == []
    assert board.quiet


def test_a_fault_may_concern_one_symbol_or_all() -> None:
    board = FaultBoard()
    board.set(Fault.GAP, symbol="BTC/USDT")
    assert board.take(Fault.GAP, "ETH/USDT") is None
    assert board.take(Fault.GAP, "BTC/USDT") is not None
    board.set(Fault.GAP)
    assert board.take(Fault.GAP, "ETH/USDT") is not None


def test_peeking_does_not_use_a_fault_up_and_the_card_gives_the_value() -> None:
    board = FaultBoard()
    board.set(Fault.SNAPSHOT_ERROR, count=1)
    for _ in range(3):
        found = board.peek(Fault.SNAPSHOT_ERROR)
        assert found is not None
        assert found.value == CARDS[Fault.SNAPSHOT_ERROR].default
    assert board.take(Fault.SNAPSHOT_ERROR) is not None
    assert board.peek(Fault.SNAPSHOT_ERROR) is None


def test_clearing_all_forgets_the_script_too() -> None:
    board = FaultBoard()
    board.play([ScriptedFault(5, Fault.GAP)])
    board.set(Fault.STALL)
    assert not board.quiet
    board.clear()
    board.reached(10)
    assert board.quiet
    assert board.take(Fault.GAP) is None


def test_a_script_switches_faults_on_at_message_counts() -> None:
    board = FaultBoard()
    board.play([ScriptedFault(20, Fault.DROP), ScriptedFault(10, Fault.GAP, symbol="BTC/USDT", count=2)])
    board.reached(9)
    assert board.active() == []
    board.reached(10)
    assert [(one.fault, one.symbol, one.left) for one in board.active()] == [(Fault.GAP, "BTC/USDT", 2)]
    board.reached(50)
    assert board.take(Fault.DROP) is not None


def test_an_unknown_or_impossible_fault_is_refused() -> None:
    board = FaultBoard(supported=[Fault.GAP])
    with pytest.raises(ConfigError) as caught:
        board.set("gaps")
    assert "gap" in caught.value.hint
    with pytest.raises(ConfigError):
        board.set(Fault.BAD_CHECKSUM)
    with pytest.raises(ConfigError):
        FaultBoard().set(Fault.DROP, symbol="BTC/USDT")


def test_a_counted_fault_is_taken_exactly_so_often_by_many_threads() -> None:
    board = FaultBoard()
    board.set(Fault.GAP, count=500)
    taken: list[int] = []

    def take() -> None:
        taken.append(sum(board.take(Fault.GAP) is not None for _ in range(400)))

    threads = [Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=5.0)
    assert sum(taken) == 500
