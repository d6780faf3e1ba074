"""The tape deck on the page: what it says and what its buttons do."""

from __future__ import annotations

from datetime import datetime

import pytest
from msgspec.structs import replace
from streamlit.testing.v1 import AppTest

from app.panels import replay as panel
from connectors.base.playback.controls import ReplayState, Step
from tests.engine.support import START_NS

SECOND = 1_000_000_000
STATE = ReplayState(
    "monday", START_NS, START_NS + 600 * SECOND, START_NS + 61 * SECOND, 1.0, False, False, False, False, ""
)
"""It began at 22:13:20 UTC."""


class Deck:
    """Notes what is pressed."""

    def __init__(self) -> None:
        self.pressed: list[object] = []
        self.shown = STATE

    def state(self) -> ReplayState:
        return self.shown

    def set_speed(self, speed: float | None) -> None:
        self.pressed.append(("speed", speed))
        self.shown = replace(self.shown, speed=speed)

    def pause(self) -> None:
        self.pressed.append("pause")
        self.shown = replace(self.shown, paused=True)

    def resume(self) -> None:
        self.pressed.append("resume")
        self.shown = replace(self.shown, paused=False)

    def step(self, what: Step = "event") -> None:
        self.pressed.append(("step", what))

    def seek(self, at_ns: int) -> None:
        self.pressed.append(("seek", (at_ns - START_NS) / SECOND))

    def set_loop(self, loop: bool) -> None:
        self.pressed.append(("loop", loop))
        self.shown = replace(self.shown, loop=loop)


def page() -> None:
    from app.panels import replay

    replay.show("replay:monday")


@pytest.fixture
def deck(monkeypatch: pytest.MonkeyPatch) -> Deck:
    made = Deck()
    monkeypatch.setattr(panel, "replay_controls", lambda connector: made)
    return made


def shown(deck: Deck) -> AppTest:
    tab = AppTest.from_function(page)
    tab.run()
    assert not tab.exception
    return tab


def test_it_says_where_the_replay_is(deck: Deck) -> None:
    assert "2023-11-14 22:14:21 of 22:23:20 UTC" in shown(deck).markdown[0].value.replace("\\", "")


def test_every_button_does_its_part(deck: Deck) -> None:
    tab = shown(deck)
    tab.button(key="replay-pause").click().run()
    tab.button(key="replay-step").click().run()
    tab.button(key="replay-step-book").click().run()
    tab.button(key="replay-resume").click().run()
    tab.toggle(key="replay-loop").set_value(True).run()
    tab.segmented_control(key="replay-speed").set_value("100×").run()
    tab.segmented_control(key="replay-speed").set_value("max").run()
    assert not tab.exception
    assert deck.pressed == [
        "pause", ("step", "event"), ("step", "book"), "resume", ("loop", True), ("speed", 100.0), ("speed", None),
    ]  # fmt: skip


def test_at_the_end_it_is_played_once_more_from_the_beginning(deck: Deck) -> None:
    deck.shown = replace(STATE, ended=True, at_ns=STATE.end_ns)
    shown(deck).button(key="replay-once-more").click().run()
    assert deck.pressed == [("seek", 0.0), "resume"]


def test_the_slider_moves_the_replay_and_stays_where_it_was_put(deck: Deck) -> None:
    tab = shown(deck)
    chosen = datetime(2023, 11, 14, 22, 16, 1)  # noqa: DTZ001 - the slider knows no zones
    assert tab.slider(key="replay-at").value == datetime(2023, 11, 14, 22, 13, 20)  # noqa: DTZ001
    tab.slider(key="replay-at").set_value(chosen).run()
    assert deck.pressed == [("seek", 161.0)]
    for second in range(170, 300, 10):
        deck.shown = replace(STATE, at_ns=START_NS + second * SECOND)
        tab.run()
    assert tab.slider(key="replay-at").value == chosen
    assert deck.pressed == [("seek", 161.0)], "what moves by itself moves nothing"
    tab.button(key="replay-again").click().run()
    assert deck.pressed == [("seek", 161.0)] * 2


def test_a_place_chosen_in_another_recording_is_forgotten(deck: Deck) -> None:
    tab = shown(deck)
    tab.slider(key="replay-at").set_value(datetime(2023, 11, 14, 22, 16, 1)).run()  # noqa: DTZ001
    later = 3_600 * SECOND
    deck.shown = replace(STATE, start_ns=START_NS + later, at_ns=START_NS + later, end_ns=STATE.end_ns + later)
    tab.run()
    assert not tab.exception
    assert tab.slider(key="replay-at").value == datetime(2023, 11, 14, 23, 13, 20)  # noqa: DTZ001


def test_a_recording_of_a_moment_has_no_slider(deck: Deck) -> None:
    deck.shown = replace(STATE, end_ns=START_NS + SECOND // 2, at_ns=START_NS)
    assert len(shown(deck).slider) == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"paused": True}, ", paused"),
        ({"ended": True}, ", ended"),
        ({"seeking": True, "paused": True}, ", on its way"),
        ({"error": "StoreError: the disk is gone"}, ", failed: StoreError: the disk is gone"),
    ],
)
def test_what_is_special_is_said(changed: dict[str, object], said: str) -> None:
    assert panel.words(replace(STATE, **changed)).endswith(said)


def test_of_several_recordings_the_first_has_the_deck_and_the_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    decks = {"replay:monday": Deck(), "replay:tuesday": Deck()}
    monkeypatch.setattr(panel, "replay_controls", decks.get)

    def two() -> None:
        from app.panels import replay

        replay.show("mock", "replay:monday", "replay:tuesday")

    tab = AppTest.from_function(two)
    tab.run()
    tab.button(key="replay-pause").click().run()
    assert decks["replay:monday"].pressed == ["pause"]
    assert any("first recording" in caption.value for caption in tab.caption)


def test_a_venue_has_no_deck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panel, "replay_controls", lambda connector: None)
    tab = AppTest.from_function(page)
    tab.run()
    assert not tab.exception
    assert len(tab.markdown) == len(tab.button) == 0
