"""Conditions in words: what they mean, and what is said of those that mean nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from engine.alerts.condition import LONGEST, MOST_TERMS, Condition, Term, parse
from engine.alerts.figures import FEED_FIGURES, flow_figures, known_figures
from engine.errors import ConfigError

KNOWN = ("imbalance_10", "imbalance_1", "delta_60s", "spread_bps", "mid")


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("imbalance_10 > 0.6 for 3 s", Condition((Term("imbalance_10", ">", 0.6),), 3.0)),
        ("mid>=1.5k", Condition((Term("mid", ">=", 1500.0),))),
        ("mid ≤ -2M for 500ms", Condition((Term("mid", "<=", -2e6),), 0.5)),
        ("abs(delta_60s) < 1e3 for 1 min", Condition((Term("delta_60s", "<", 1000.0, True),), 60.0)),
        (
            "imbalance_1 > .5 and spread_bps < 2 for 1 h until imbalance_1 < 0.3",
            Condition(
                (Term("imbalance_1", ">", 0.5), Term("spread_bps", "<", 2.0)), 3600.0, (Term("imbalance_1", "<", 0.3),)
            ),
        ),
    ],
)
def test_a_condition_means_what_it_says(text: str, means: Condition) -> None:
    assert parse(text, KNOWN) == means


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("", "At the beginning the name of a figure was expected, found nothing", "For example"),
        ("imbalanc_10 > 1", "There is no figure 'imbalanc_10'", "imbalance_10"),
        ("Delta_60 > 1", "There is no figure 'Delta_60'", "delta_60s"),
        ("qqqq > 1", "There is no figure 'qqqq'", "below the field"),
        ("mid", "After 'mid' a comparison", "For example"),
        ("mid > 1e999", "'1e999' is more than can be compared with", ""),
        ("mid > high", "After 'mid >' a number", "For example"),
        ("mid > 3x", "After 'mid >' a number", "For example"),
        ("mid > 3 for", "After 'mid > 3 for' a duration", "For example"),
        ("mid > 3 for 3", "After 'mid > 3 for 3' a duration", "For example"),
        ("mid > 3 for 3 days", "found 'days'", "For example"),
        ("mid > 3 for 2 h", "for 0 to 3600 s, not for 7200 s", ""),
        ("mid > 3 or mid < 2", "'and', 'for', 'until' or the end was expected, found 'or'", "For example"),
        ("mid == 3", "'=' cannot stand in a condition", "For example"),
        ("abs mid > 3", "'(' and the name of a figure", "For example"),
        ("abs(mid > 3", "')' was expected", "For example"),
        ("for > 3", "the name of a figure was expected, found 'for'", "For example"),
        (" and ".join(["mid > 1"] * (MOST_TERMS + 1)), f"{MOST_TERMS} are allowed", ""),
        ("mid > 1" + " " * LONGEST, "characters long", ""),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place_and_a_way_on(text: str, said: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, KNOWN)
    assert said in str(caught.value)
    assert hint in caught.value.hint


TERMS = some.builds(
    Term, some.sampled_from(KNOWN), some.sampled_from([">", ">=", "<", "<="]),
    some.floats(-1e9, 1e9).map(lambda value: float(f"{value:.12g}")), some.booleans(),
)  # fmt: skip


@given(
    some.builds(
        Condition, some.lists(TERMS, min_size=1, max_size=4).map(tuple),
        some.integers(0, 3600_000).map(lambda ms: ms / 1000), some.lists(TERMS, max_size=3).map(tuple),
    )
)  # fmt: skip
def test_a_condition_reads_back_from_its_own_words(condition: Condition) -> None:
    assert parse(condition.text, KNOWN) == condition


@given(some.text(alphabet="abcdmi_10 <>=.()ksfor\n\t|'\"%", max_size=60))
def test_no_text_raises_anything_but_a_mistake_in_words(text: str) -> None:
    try:
        found = parse(text, KNOWN)
    except ConfigError:
        return
    assert found.names


def test_what_is_not_known_neither_holds_nor_is_over() -> None:
    condition = parse("mid > 3 and spread_bps < 2", KNOWN)
    assert condition.holds({"mid": 4.0, "spread_bps": 1.0}.get) is True
    assert condition.holds({"mid": 4.0}.get) is None
    assert condition.over({"mid": 4.0}.get) is None
    assert condition.holds({"mid": 2.0}.get) is False
    assert condition.over({"mid": float("nan"), "spread_bps": 3.0}.get) is True


def test_a_figure_can_be_taken_without_its_sign() -> None:
    condition = parse("abs(delta_60s) > 5", KNOWN)
    assert condition.holds({"delta_60s": -6.0}.get) is True
    assert condition.holds({"delta_60s": -4.0}.get) is False


def test_every_figure_of_order_flow_and_of_the_feed_may_be_named() -> None:
    assert len(flow_figures()) > 100
    for name in ("imbalance_10", "spread_bps", "vpin", "cvd", "ofi_z", "vacuum_bid_severity", *FEED_FIGURES):
        assert parse(f"{name} > 0", known_figures()).names == (name,)
