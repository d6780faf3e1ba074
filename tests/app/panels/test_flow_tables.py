"""What the record of earlier signals says of the fee that it counts."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from app.panels.flow_tables import _pressed, _scores, fee_words
from engine.flow.signals.flow_signal import FlowSignal, Side, SignalType
from engine.flow.signals.scoreboard import Record, judge
from engine.market.terms import Terms
from tests.engine.alerts.support import picture


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        (Terms(7.5, paid_at="kraken"), "Net counts a taker's fee of 7.5 bps; KRAKEN_TAKER_FEE_BPS can say another."),
        (Terms(), "The taker's fee is not known here, and so the net is not: BINANCE_TAKER_FEE_BPS can say it."),
    ],
)
def test_the_fee_and_where_to_say_another_are_told(terms: Terms, words: str) -> None:
    assert fee_words(picture(1, terms=terms)) == words


def test_the_net_is_a_number_where_the_fee_is_known() -> None:
    record = Record()
    record.add(9.0, 1.0, 0, 1)
    scores = tuple(judge([record.score("binance", "BTCUSDT", "absorption", 5.0, 5.0)]))
    shown = _scores(replace(picture(1, terms=Terms(5.0)), scores=scores))
    assert "3.00 bps" in shown
    assert 'data-fee="5.0"' in shown


@pytest.mark.parametrize(
    ("kind", "direction", "side", "words"),
    [
        (SignalType.LIQUIDITY_VACUUM, None, 1, "thin bids"), (SignalType.LIQUIDITY_VACUUM, None, -1, "thin asks"),
        (SignalType.SPREAD_ANOMALY, None, 0, "warning"), (SignalType.OFI_PRESSURE, "sell", -1, "▼ sell"),
    ],
)  # fmt: skip
def test_a_signal_names_the_side_that_it_is_about(
    kind: SignalType, direction: Side | None, side: int, words: str
) -> None:
    signal = FlowSignal("mock", "BTC/USDT", kind, direction, side, 1.0, None, None, 0, 100.0, 5.0)
    assert _pressed(signal) == words
