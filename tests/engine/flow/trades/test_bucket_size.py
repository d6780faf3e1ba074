from __future__ import annotations

from engine.flow.trades.bucket_size import FIRST_S, PER_DAY, BucketSize
from engine.flow.trades.volumes import DAY_NS

SECOND = 1_000_000_000
NOON = 20_000 * DAY_NS + DAY_NS // 2


def _run(size: BucketSize, start_ns: int, seconds: int, volume: float) -> list[tuple[int, float | None]]:
    return [
        (step, size.value) for step in range(1, seconds + 1) if size.on_second(start_ns + step * SECOND, volume)
    ]  # fmt: skip


def test_the_first_hour_stands_for_a_day() -> None:
    size = BucketSize()
    assert _run(size, NOON, 2 * FIRST_S, 2.0) == [(FIRST_S, 2.0 * 86_400 / PER_DAY)]


def test_a_day_that_was_seen_whole_replaces_it_at_midnight() -> None:
    size = BucketSize()
    midnight = NOON + DAY_NS // 2
    _run(size, NOON, 12 * FIRST_S, 2.0)
    assert size.since_ns == NOON + FIRST_S * SECOND
    assert _run(size, midnight, 24 * FIRST_S, 1.0) == [(24 * FIRST_S, 86_400 / PER_DAY)]
    assert size.since_ns == midnight + DAY_NS


def test_while_nothing_trades_it_is_not_known() -> None:
    size = BucketSize()
    assert _run(size, NOON, FIRST_S + 10, 0.0) == []
    assert _run(size, NOON, 1, 5.0) != []
