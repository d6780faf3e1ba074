from __future__ import annotations

from engine.flow.detectors.divergence import BARS
from engine.flow.session import BARS_KEPT, MINUTE_NS, Session
from engine.flow.trades.volumes import DAY_NS

DAY = 20_000 * DAY_NS


def _trade(session: Session, t_ns: int, price: float, size: float = 1.0, side: int = 1) -> None:
    bar = session.bar or session.open(t_ns, price)
    bar.add(price, size, side)


def test_bars_close_at_whole_minutes_and_quiet_minutes_leave_none() -> None:
    session = Session(0.01)
    _trade(session, DAY + 1, 100_000.0)
    assert session.on_second(DAY + MINUTE_NS - 1, 100_000.0) is None
    assert session.bar is not None
    session.on_second(DAY + MINUTE_NS, 100_000.0)
    assert session.bar is None
    session.on_second(DAY + 2 * MINUTE_NS, 100_000.0)
    assert [closed for closed, _ in session.bars] == [DAY + MINUTE_NS]


def test_the_profile_holds_closed_bars_and_the_open_one() -> None:
    session = Session(0.01, bin_ticks=10)
    _trade(session, DAY + 1, 105.0, 2.0)
    session.on_second(DAY + MINUTE_NS, 105.0)
    _trade(session, DAY + MINUTE_NS + 1, 105.0, 3.0, -1)
    _trade(session, DAY + MINUTE_NS + 2, 115.0, 1.0, 0)
    assert session.profile() == {10: 5.0, 11: 1.0}
    area = session.area()
    assert area is not None
    assert area.poc == 10


def test_midnight_begins_a_new_session_with_a_bin_of_its_own() -> None:
    session = Session(0.01)
    _trade(session, DAY - 1, 100_000.0)
    assert session.bin_ticks == 10
    session.on_second(DAY, 100_000.0)
    _trade(session, DAY + 1, 500_000.0)
    assert session.bin_ticks == 50
    assert session.profile() == {10_000: 1.0}
    assert len(session.bars) == 1


def test_an_own_bin_stays_and_no_trade_means_no_area() -> None:
    session = Session(0.01, bin_ticks=7)
    assert session.area() is None
    session.anchor()
    assert session.bin_ticks == 7


def test_bars_are_bounded() -> None:
    session = Session(0.01)
    for minute in range(BARS_KEPT + 5):
        _trade(session, DAY + minute * MINUTE_NS + 1, 1_000.0)
        session.on_second(DAY + (minute + 1) * MINUTE_NS, 1_000.0)
    assert len(session.bars) == BARS_KEPT


def test_a_divergence_shows_at_the_close_of_a_bar() -> None:
    session = Session(0.5)
    found = []
    for minute in range(BARS + 1):
        last = minute == BARS
        price = 100_000.0 + minute * 100
        _trade(session, DAY + minute * MINUTE_NS + 1, price, 9.0 if last else 1.0 + minute % 2, -1 if last else 1)
        found.append(session.on_second(DAY + (minute + 1) * MINUTE_NS, price))
    assert found[:-1] == [None] * BARS
    event = found[-1]
    assert event is not None
    assert (event.kind, event.side, event.price) == ("delta_divergence", -1, 51_000.0)
    assert event.evidence["shortfall"] > 0.5
