from __future__ import annotations

from connectors.base.transport.acks import Acks

SECOND = 10**9


def test_an_answer_in_time_ends_the_waiting() -> None:
    acks = Acks(5.0)
    acks.sent(1, ["AAA", "BBB"], 0)
    assert acks.awaits("AAA")
    acks.heard(1, "")
    assert not acks.awaits("AAA")
    assert acks.overdue(9 * SECOND) == []


def test_answers_by_symbol_leave_the_others_waiting() -> None:
    acks = Acks(5.0)
    acks.sent(1, ["AAA", "BBB"], 0)
    acks.heard(1, "AAA")
    assert not acks.awaits("AAA")
    assert acks.overdue(5 * SECOND - 1) == []
    assert acks.overdue(5 * SECOND) == ["BBB"]
    assert acks.overdue(6 * SECOND) == []
    assert not acks.awaits("BBB")


def test_what_failed_is_due_again_ever_later() -> None:
    acks = Acks(5.0)
    now_ns, waits = 0, []
    for tries in range(1, 6):
        assert acks.failed("AAA", now_ns) == tries
        due_ns = now_ns
        while not acks.due(due_ns):
            due_ns += SECOND
        waits.append((due_ns - now_ns) // SECOND)
        now_ns = due_ns
    assert waits == [0, 1, 2, 4, 8]


def test_a_late_answer_takes_the_second_question_back() -> None:
    acks = Acks(5.0)
    acks.sent(1, ["AAA"], 0)
    acks.failed("AAA", 0)
    acks.due(0)
    acks.sent(2, ["AAA"], 0)
    [symbol] = acks.overdue(5 * SECOND)
    acks.failed(symbol, 5 * SECOND)
    acks.heard(2, "")
    assert acks.due(600 * SECOND) == []


def test_a_frame_that_is_never_answered_is_not_excused_by_the_others_of_its_symbol() -> None:
    acks = Acks(5.0)
    acks.sent(1, ["AAA"], 0)
    acks.sent(2, ["AAA"], 0)
    for symbol in acks.overdue(5 * SECOND):
        acks.failed(symbol, 5 * SECOND)
    acks.heard(2, "AAA")
    assert acks.due(60 * SECOND) == ["AAA"]


def test_a_refusal_concerns_the_symbols_of_its_frame() -> None:
    acks = Acks(5.0)
    acks.sent(1, ["BBB", "AAA"], 0)
    acks.sent(2, ["CCC"], 0)
    assert acks.refused(1, "") == ["AAA", "BBB"]
    assert acks.refused(None, "") == []
    assert acks.refused(None, "DDD") == ["DDD"]
    assert acks.overdue(5 * SECOND) == ["CCC"]


def test_who_is_not_wanted_any_more_is_not_waited_for() -> None:
    acks = Acks(5.0)
    acks.sent(1, ["AAA", "BBB"], 0)
    acks.failed("AAA", 0)
    acks.forget("AAA")
    assert acks.due(60 * SECOND) == []
    assert acks.overdue(60 * SECOND) == ["BBB"]


def test_answers_that_nobody_waits_for_are_passed_over_and_memory_is_bounded() -> None:
    acks = Acks(5.0)
    acks.heard(7, "")
    acks.heard(None, "AAA")
    for number in range(5_000):
        acks.sent(number, [f"S{number}"], 0)
    assert len(acks.overdue(5 * SECOND)) == 1_000
