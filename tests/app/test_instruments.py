"""What the venues list is asked for once, in the background, and a wrong symbol gets near ones."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event

import pytest

from app.instruments import InstrumentDirectory
from engine.errors import Disconnected
from engine.market.instrument import Instrument
from tests.app.support import TabVenue, wait_until


class Listing(TabVenue):
    """A connector whose list of instruments can be late or missing."""

    def __init__(self, *symbols: str) -> None:
        super().__init__()
        self.asked = 0
        self.go = Event()
        self.error: Exception | None = None
        self._symbols = symbols

    def instruments(self) -> Sequence[Instrument]:
        self.asked += 1
        assert self.go.wait(5.0)
        if self.error is not None:
            raise self.error
        return [Instrument("fake", symbol, symbol[:3], symbol[3:], tick=0.01) for symbol in self._symbols]


def test_the_page_does_not_wait_for_the_list() -> None:
    venue, directory = Listing("BTCUSDT"), InstrumentDirectory()
    assert directory.listing(venue).state == "loading"
    assert directory.listing(venue).problem("ANYTHING") is None
    venue.go.set()
    assert wait_until(lambda: directory.listing(venue).state == "ready")
    assert venue.asked == 1
    assert directory.tick("fake", "BTCUSDT") == 0.01
    assert directory.tick("fake", "ETHUSDT") is None


def test_a_wrong_symbol_gets_the_nearest_right_ones() -> None:
    venue, directory = Listing("BTCUSDT", "ETHUSDT"), InstrumentDirectory()
    venue.go.set()
    assert wait_until(lambda: directory.listing(venue).state == "ready")
    listing = directory.listing(venue)
    assert listing.problem("BTCUSDT") is None
    problem = listing.problem("BTC/USDT")
    assert problem is not None
    assert problem[1][0] == "BTCUSDT"


def test_a_list_that_cannot_be_had_says_why() -> None:
    venue, directory = Listing(), InstrumentDirectory()
    venue.error = Disconnected("no route to the venue", hint="Look at the network.")
    venue.go.set()
    assert wait_until(lambda: directory.listing(venue).state == "failed")
    listing = directory.listing(venue)
    assert (listing.error, listing.hint) == ("no route to the venue", "Look at the network.")


@pytest.mark.parametrize("symbol", ["BTC\nUSDT", "A" * 61, "\x00"])
def test_what_can_be_no_symbol_is_refused_even_while_the_list_is_unknown(symbol: str) -> None:
    venue, directory = Listing(), InstrumentDirectory()
    assert directory.listing(venue).problem(symbol) is not None
    venue.go.set()


def test_a_list_stays_in_force_while_it_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.instruments.KEEP_S", 0.0)
    venue, directory = Listing("BTCUSDT"), InstrumentDirectory()
    venue.go.set()
    assert wait_until(lambda: directory.listing(venue).state == "ready")
    venue.error = Disconnected("no route to the venue")
    assert wait_until(lambda: directory.listing(venue).state != "loading" and venue.asked >= 3)
    assert list(directory.listing(venue).instruments) == ["BTCUSDT"]
