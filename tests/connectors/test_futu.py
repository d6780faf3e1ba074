"""Futu: the real library on a fake OpenD, through the real transport."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from connectors.base.futu import door as futu_door
from connectors.base.futu import link as futu_link
from connectors.base.futu.link import CODES_PER_CALL
from connectors.futu import FutuConnector
from engine.errors import ConfigError, Disconnected, InvalidSymbol, RateLimited
from engine.market.events import BUY, SELL, UNKNOWN_SIDE, BookSnapshot, FeedState
from engine.market.instrument import Instrument
from tests.connectors.futu_rig import AMERICAN, BOUND_S, OTHER, SYMBOL, Ear, Rig
from tests.fakes.futu import ALIVE, BOOK, GET_BOOK, INIT, MINUTE_S, STATE, SUBSCRIBE, FakeOpenD, framed, new
from tests.fakes.truth import Print

# ---- settings


@pytest.mark.parametrize("port", ["none", "0", "65536", "-1"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(ConfigError, match="FUTU_PORT"):
        FutuConnector({"FUTU_PORT": port})


def test_a_key_file_must_exist() -> None:
    with pytest.raises(ConfigError, match="FUTU_RSA_KEY_FILE"):
        FutuConnector({"FUTU_RSA_KEY_FILE": "no/such/file"})


def test_an_unknown_market_is_refused_and_the_hint_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="no market MOON") as caught:
        FutuConnector({"FUTU_MARKETS": "hk, moon"})
    assert "US" in caught.value.hint


def test_without_the_library_nothing_starts_and_the_hint_is_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(futu_door, "PACKAGE", "futu_that_is_not_there")
    connector = FutuConnector()
    for call in (
        lambda: connector.start_stream(SYMBOL, Ear()),
        lambda: connector.start_polling(SYMBOL, Ear(), 1.0),
        lambda: connector.fetch_snapshot(SYMBOL),
        connector.instruments,
    ):
        with pytest.raises(ConfigError, match="futu-api, which is not installed") as caught:
            call()
        assert "pip install -r requirements-futu.txt" in caught.value.hint


# ---- live


def test_a_stock_is_live_within_three_seconds_and_shows_the_true_book() -> None:
    with Rig() as rig:
        begun = time.monotonic()
        ear = rig.live()
        assert time.monotonic() - begun < 3.0
        rig.until_shown(ear)
        book = ear.books[-1]
        assert (book.venue, book.symbol, book.source, book.sequence) == ("futu", SYMBOL, "stream", None)
        assert book.exchange_ns is not None
        assert abs(book.exchange_ns / 1e9 - time.time()) < 60.0


def test_every_book_that_is_shown_was_true_and_the_last_one_is() -> None:
    with Rig() as rig:
        ear = rig.live()
        rig.opend.step(SYMBOL, 200)
        truth = rig.opend.shown[SYMBOL]
        changes = [book for before, book in zip([None, *truth], truth, strict=False) if book != before]
        ear.until(lambda: len(ear.books) >= len(changes), "every book")
        shown = [(book.bids, book.asks) for book in ear.books]
        assert [book for before, book in zip([None, *shown], shown, strict=False) if book != before] == changes


def test_every_print_is_told_once_with_its_taker() -> None:
    with Rig() as rig:
        ear = rig.live()
        rig.opend.step(SYMBOL, 100)
        truth = rig.opend.prints[SYMBOL]
        ear.until(lambda: len(ear.trades) == len(truth), "every print")
        assert [(trade.trade_id, trade.price, trade.size, trade.aggressor) for trade in ear.trades] == [
            (one.trade_id, float(one.price), float(one.size), SELL if one.buyer_is_maker else BUY) for one in truth
        ]


def test_a_print_without_a_direction_has_no_aggressor() -> None:
    with Rig() as rig:
        ear = rig.live()
        for number, direction in enumerate((0, 3)):
            rig.opend.push_prints(SYMBOL, [Print(10**12 + number, "10", "100", False)], dir=direction)
        ear.until(lambda: len(ear.news) >= 2)
        assert [trade.aggressor for trade in ear.news[-2:]] == [UNKNOWN_SIDE, UNKNOWN_SIDE]


def test_what_is_repeated_on_subscribing_is_past_and_not_news() -> None:
    opend = FakeOpenD()
    while not opend.prints[SYMBOL]:
        opend.step(SYMBOL)
    with Rig(opend) as rig:
        ear = rig.live()
        ear.until(lambda: len(ear.trades) == len(opend.prints[SYMBOL]))
        assert not ear.news


def test_several_stocks_share_one_connection() -> None:
    with Rig() as rig:
        ears = {code: rig.start(code)[0] for code in (SYMBOL, OTHER, AMERICAN)}
        for code, ear in ears.items():
            rig.until_live(ear)
            rig.opend.step(code, 20)
            rig.until_shown(ear, code)
        assert rig.opend.asked[INIT] == 1


def test_long_lists_are_asked_for_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    assert CODES_PER_CALL == 100
    monkeypatch.setattr(futu_link, "CODES_PER_CALL", 2)
    opend = FakeOpenD(pace=10.0)
    opend.deaf = {INIT}
    with Rig(opend) as rig:
        ears = {code: rig.start(code)[0] for code in (SYMBOL, OTHER, AMERICAN)}
        opend.deaf = set()
        for ear in ears.values():
            rig.until_live(ear)
        assert opend.asked[SUBSCRIBE] == 2


def test_time_zero_is_no_time() -> None:
    opend = FakeOpenD()
    opend.known_times = False
    with Rig(opend) as rig:
        ear = rig.live()
        opend.step(SYMBOL, 5)
        rig.until_shown(ear)
        assert {book.exchange_ns for book in ear.books} == {None}


def test_an_older_book_is_left_out_and_a_repeated_one_does_no_harm() -> None:
    with Rig() as rig:
        ear = rig.live()
        before = rig.opend.book(SYMBOL)
        times = rig.opend._times[SYMBOL]
        rig.opend.step(SYMBOL, 3)
        rig.opend.push_book(SYMBOL)
        rig.opend.push_book(SYMBOL, before, times)
        rig.opend.step(OTHER)
        rig.until_shown(ear)
        rig.opend.step(SYMBOL)
        rig.until_shown(ear)
        shown = [(book.bids, book.asks) for book in ear.books]
        assert shown.count(before) == 1


def test_a_crossed_book_of_an_auction_is_shown_as_it_is() -> None:
    with Rig() as rig:
        ear = rig.live()
        crossed = (((11.0, 500.0), (10.0, 100.0)), ((10.5, 300.0), (12.0, 100.0)))
        rig.opend.push_book(SYMBOL, crossed)
        ear.until(lambda: ear.shows(crossed), "the crossed book")
        assert ear.state is FeedState.LIVE


def test_empty_places_of_a_book_are_left_out() -> None:
    with Rig() as rig:
        ear = rig.live()
        rig.opend.push_book(SYMBOL, (((10.0, 100.0), (0.0, 0.0)), ((11.0, 0.0), (12.0, 5.0))))
        ear.until(lambda: ear.shows((((10.0, 100.0),), ((12.0, 5.0),))), "the levels that are there")


# ---- wrong names, quotas, rights


def test_an_unknown_stock_is_invalid_with_near_ones_and_others_go_on() -> None:
    with Rig() as rig:
        wrong, _ = rig.start("HK.0070")
        ear = rig.live()
        wrong.until(lambda: wrong.state is FeedState.INVALID)
        assert "Unknown stock 0070" in wrong.statuses[-1].reason
        wrong.until(lambda: SYMBOL in wrong.statuses[-1].hint, "the near one")
        assert ear.state is FeedState.LIVE


@pytest.mark.parametrize("symbol", ["00700", "MOON.1", "FX.USDHKD"])
def test_a_code_without_a_known_market_is_invalid(symbol: str) -> None:
    with Rig() as rig:
        ear, _ = rig.start(symbol)
        ear.until(lambda: ear.state is FeedState.INVALID)
        assert "HK" in ear.statuses[-1].reason
        with pytest.raises(InvalidSymbol):
            rig.connector.fetch_snapshot(symbol)


def test_a_wrong_code_among_many_spoils_nothing() -> None:
    opend = FakeOpenD(pace=10.0)
    opend.deaf = {INIT}
    with Rig(opend) as rig:
        wrong, _ = rig.start("HK.1")
        right, _ = rig.start(SYMBOL)
        opend.deaf = set()
        rig.until_live(right)
        wrong.until(lambda: wrong.state is FeedState.INVALID)


def test_a_used_up_quota_is_said_and_the_stock_comes_when_there_is_room() -> None:
    opend = FakeOpenD(pace=10.0)
    opend.quota = 2
    with Rig(opend) as rig:
        first = rig.live(SYMBOL)
        second, _ = rig.start(OTHER)
        second.until(lambda: second.status("subscriptions are used up"), "the quota")
        assert first.state is FeedState.LIVE
        opend.quota = 10
        rig.until_live(second)


def test_a_missing_quote_right_is_said_with_what_it_means() -> None:
    with Rig() as rig:
        rig.opend.fail(SUBSCRIBE, "No right to subscribe 00700", 2)
        ear, _ = rig.start()
        ear.until(lambda: ear.status("No right to subscribe 00700"))
        told = ear.status("No right to subscribe 00700")
        assert told is not None
        assert "another terminal" in told.reason
        rig.until_live(ear)


# ---- the connection


@pytest.mark.parametrize("reset", [True, False])
def test_a_drop_is_over_within_three_seconds_without_a_lost_or_repeated_print(reset: bool) -> None:
    with Rig() as rig:
        ear = rig.live()
        rig.opend.step(SYMBOL, 30)
        rig.until_shown(ear)
        books = len(ear.books)
        (rig.opend.rst if reset else rig.opend.fin)()
        ear.until(lambda: ear.status("OpenD"), "the reason")
        rig.opend.step(SYMBOL, 30)
        begun = time.monotonic()
        ear.until(lambda: ear.state is FeedState.LIVE and len(ear.books) > books, "LIVE again")
        assert time.monotonic() - begun < 3.0
        rig.opend.step(SYMBOL, 30)
        rig.until_shown(ear)
        truth = [one.trade_id for one in rig.opend.prints[SYMBOL]]
        ear.until(lambda: len(ear.trades) >= len(truth), "every print")
        assert [trade.trade_id for trade in ear.trades] == truth


def test_an_opend_that_is_down_is_named_with_what_to_do_and_found_when_it_comes() -> None:
    with Rig() as rig:
        rig.opend.refusing = True
        ear, _ = rig.start()
        ear.until(lambda: ear.state is FeedState.RECONNECTING)
        rig.opend.refusing = False
        rig.until_live(ear)


def test_nobody_at_the_port_is_said_with_host_port_and_remedy() -> None:
    opend = FakeOpenD()
    with Rig(opend, FUTU_PORT=str(_free_port())) as rig:
        ear, _ = rig.start()
        port = rig.connector.stream_url([]).rpartition(":")[2]
        ear.until(lambda: ear.status(f"no OpenD at 127.0.0.1:{port}: connection refused"))
        assert "Start OpenD" in ear.statuses[-1].hint
        assert "FUTU_HOST" in ear.statuses[-1].hint
        with pytest.raises(Disconnected, match=f"no OpenD at 127.0.0.1:{port}"):
            rig.connector.fetch_snapshot(SYMBOL)


def test_a_name_without_an_address_is_said() -> None:
    with Rig(FUTU_HOST="::1") as rig:
        ear, _ = rig.start()
        ear.until(lambda: ear.status("no OpenD at ::1"))
        assert "IPv4" in ear.statuses[-1].reason


def test_a_server_that_is_no_opend_is_given_up_after_our_own_patience() -> None:
    opend = FakeOpenD()
    opend.deaf = {INIT}
    with Rig(opend) as rig:
        ear, _ = rig.start()
        ear.until(lambda: ear.status("accepts connections, but did not answer"))
        opend.deaf = set()
        rig.until_live(ear)


def test_a_refusal_of_the_connection_is_passed_on() -> None:
    with Rig() as rig:
        rig.opend.fail(INIT, "Client version too old")
        ear, _ = rig.start()
        ear.until(lambda: ear.status("OpenD refused the connection: Client version too old"))
        rig.until_live(ear)


def test_an_opend_that_is_not_logged_in_is_said_and_waited_for() -> None:
    opend = FakeOpenD()
    opend.logged_in = False
    with Rig(opend) as rig:
        ear, _ = rig.start()
        ear.until(lambda: ear.status("not logged in to quotes"))
        assert "log in" in ear.statuses[-1].hint
        opend.logged_in = True
        rig.until_live(ear)


@pytest.mark.parametrize(
    ("notice", "words"),
    [({"event": 7}, "another terminal has logged in"), ({"quotes": False}, "lost the servers that give quotes")],
)
def test_quotes_that_are_taken_away_are_said_and_come_back(notice: dict[str, Any], words: str) -> None:
    with Rig() as rig:
        ear = rig.live()
        rig.opend.logged_in = False
        rig.opend.notify(**notice)
        ear.until(lambda: ear.status(words))
        assert ear.state is FeedState.RECONNECTING
        rig.opend.logged_in = True
        rig.until_live(ear)


def test_other_notices_change_nothing() -> None:
    with Rig() as rig:
        ear = rig.live()
        rig.opend.notify(event=14)
        rig.opend.notify(quotes=True)
        rig.opend.step(SYMBOL)
        rig.until_shown(ear)
        assert rig.opend.asked[INIT] == 1


def test_a_silent_market_is_no_dead_connection_while_opend_answers() -> None:
    with Rig(silence_s=20.0) as rig:
        opend, ear = rig.opend, rig.live()
        assert opend.wait_for(lambda: opend.asked[ALIVE] >= 3)  # 30 s as the connector counts
        assert opend.asked[INIT] == 1
        assert FeedState.RECONNECTING not in [one.state for one in ear.statuses]


def test_an_opend_that_falls_silent_is_left() -> None:
    assert FutuConnector.limits.silence_s == 40.0
    with Rig(silence_s=15.0) as rig:
        ear = rig.live()
        rig.opend.deaf = {ALIVE}
        ear.until(lambda: ear.status("nothing received from OpenD for 15"), "the watchdog")
        rig.opend.deaf = set()
        rig.until_live(ear)


def test_a_half_open_connection_is_left_too() -> None:
    with Rig(silence_s=15.0) as rig:
        ear = rig.live()
        for session in list(rig.opend.sessions):
            session.half_open()
        ear.until(lambda: ear.status("nothing received from OpenD for 15"), "the watchdog")
        ear.until(lambda: ear.state is FeedState.LIVE)


def test_messages_in_pieces_are_put_together() -> None:
    opend = FakeOpenD()
    opend.piecemeal = True
    with Rig(opend) as rig:
        ear = rig.live()
        opend.step(SYMBOL, 5)
        rig.until_shown(ear)


def test_a_spoilt_message_is_dropped_and_counted() -> None:
    with Rig() as rig:
        ear, stream = rig.start()
        rig.until_live(ear)
        rig.opend.bad_digests = 1
        rig.opend.push_book(SYMBOL)
        rig.opend.step(SYMBOL)
        rig.until_shown(ear)
        assert stream.feed.quality.decode_errors == 1
        assert ear.state is FeedState.LIVE


def test_too_many_spoilt_messages_end_the_connection() -> None:
    with Rig() as rig:
        ear = rig.live()
        rig.opend.bad_digests = 11
        for _ in range(11):
            rig.opend.push_book(SYMBOL)
        ear.until(lambda: ear.status("11 unreadable frames within a minute"))
        rig.until_live(ear)


def test_a_push_that_is_an_error_is_counted_and_shows_nothing() -> None:
    with Rig() as rig:
        ear, stream = rig.start()
        rig.until_live(ear)
        rig.opend.send_all_raw(_frame_of_an_error())
        rig.opend.step(SYMBOL)
        rig.until_shown(ear)
        assert stream.feed.quality.decode_errors == 1


def test_a_book_that_can_be_read_in_part_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with Rig() as rig:
        ear, stream = rig.start()
        rig.until_live(ear)
        content = new(BOOK).s2c
        content.security.market, content.security.code = 1, "00700"
        content.orderBookBidList.add(price=10.0, volume=1, orederCount=1)
        half = content.SerializeToString() + b"\x12\x7f"  # a level follows, and its bytes do not
        rig.opend.send_all_raw(framed(BOOK, b"\x08\x00\x22" + bytes([len(half)]) + half))
        rig.opend.step(SYMBOL)
        rig.until_shown(ear)
        assert {(book.bids, book.asks) for book in ear.books} <= rig.opend.ever[SYMBOL]
        assert stream.feed.quality.decode_errors == 1
    assert capsys.readouterr().out == ""


def test_a_subscription_without_an_answer_is_asked_for_again() -> None:
    opend = FakeOpenD()
    opend.deaf = {SUBSCRIBE}
    with Rig(opend) as rig:
        ear, _ = rig.start()
        ear.until(lambda: ear.status("did not answer in time"))
        opend.deaf = set()
        rig.until_live(ear)
        assert FeedState.RECONNECTING not in [one.state for one in ear.statuses]


def test_a_key_that_cannot_be_used_is_said_and_nothing_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("no key", encoding="utf-8")
    with Rig(FUTU_RSA_KEY_FILE=str(tmp_path / "key.pem")) as rig:
        ear, _ = rig.start()
        ear.until(lambda: ear.state is FeedState.BLOCKED)
        assert "FUTU_RSA_KEY_FILE" in ear.statuses[-1].reason
    futu_door.load()


# ---- leaving


def test_who_leaves_within_a_minute_is_unsubscribed_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert futu_link.HELD_S > MINUTE_S
    monkeypatch.setattr(futu_link, "HELD_S", 11.0)
    with Rig(FakeOpenD(pace=60.0)) as rig:  # its minute is a second of ours, ten of the connector's
        rig.live(OTHER)
        ear, stream = rig.start()
        rig.until_live(ear)
        stream.stop()
        assert rig.opend.watchers(SYMBOL) == 1
        assert rig.opend.wait_for(lambda: not rig.opend.watchers(SYMBOL), BOUND_S)
        assert rig.opend.watchers(OTHER) == 1


def test_who_returns_within_a_minute_stays_subscribed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(futu_link, "HELD_S", 11.0)
    with Rig(FakeOpenD(pace=60.0)) as rig:
        kept = rig.live(OTHER)
        ear, stream = rig.start()
        rig.until_live(ear)
        stream.stop()
        again, _ = rig.start()
        rig.until_live(again)
        assert not rig.opend.wait_for(lambda: not rig.opend.watchers(SYMBOL), 1.6)
        rig.opend.step(SYMBOL)
        rig.until_shown(again)
        assert kept.state is not None


def test_the_last_to_leave_ends_the_connection() -> None:
    with Rig() as rig:
        ear, stream = rig.start()
        rig.until_live(ear)
        begun = time.monotonic()
        stream.stop()
        assert time.monotonic() - begun < 2.0
        heard = len(ear.events)
        assert rig.opend.wait_for(lambda: not rig.opend.connections)
        assert rig.opend.wait_for(lambda: not rig.left()), rig.left()
        assert len(ear.events) == heard


@pytest.mark.parametrize("deaf", [INIT, STATE, SUBSCRIBE])
def test_it_stops_within_two_seconds_while_opend_owes_an_answer(deaf: int) -> None:
    opend = FakeOpenD()
    opend.deaf = {deaf}
    with Rig(opend) as rig:
        _, stream = rig.start()
        assert opend.wait_for(lambda: opend.asked[deaf])
        begun = time.monotonic()
        stream.stop()
        assert time.monotonic() - begun < 2.0
        assert opend.wait_for(lambda: not rig.left(), 2.0), rig.left()


def test_it_stops_while_it_waits_to_try_again() -> None:
    with Rig(FUTU_PORT=str(_free_port())) as rig:
        ear, stream = rig.start()
        ear.until(lambda: ear.state is FeedState.RECONNECTING)
        begun = time.monotonic()
        stream.stop()
        assert time.monotonic() - begun < 2.0


def test_it_can_be_stopped_by_its_own_listener() -> None:
    with Rig() as rig:
        stopped = threading.Event()
        box: list[Any] = []

        def listen(event: object) -> None:
            if isinstance(event, BookSnapshot) and box and not stopped.is_set():
                box[0].stop()
                stopped.set()

        box.append(rig.connector.start_stream(SYMBOL, listen))
        assert rig.opend.wait_for(lambda: rig.opend.watchers(SYMBOL) or stopped.is_set())
        rig.opend.step(SYMBOL)
        assert stopped.wait(BOUND_S)


# ---- questions


def test_one_call_gives_the_book_and_leaves_no_connection() -> None:
    with Rig() as rig:
        book = rig.connector.fetch_snapshot(SYMBOL, 5)
        bids, asks = rig.opend.book(SYMBOL)
        assert (book.bids, book.asks) == (bids[:5], asks[:5])
        assert book.source == "poll"
        assert book.exchange_ns is not None
        assert abs(book.exchange_ns / 1e9 - time.time()) < 60.0
        assert rig.opend.wait_for(lambda: not rig.opend.connections)


def test_an_unknown_stock_is_an_error_that_names_the_near_one() -> None:
    with Rig() as rig, pytest.raises(InvalidSymbol) as caught:
        rig.connector.fetch_snapshot("US.APPL")
    assert AMERICAN in caught.value.hint


def test_a_used_up_quota_is_an_error_that_says_so() -> None:
    opend = FakeOpenD()
    opend.quota = 0
    with Rig(opend) as rig, pytest.raises(RateLimited, match="used up") as caught:
        rig.connector.fetch_snapshot(SYMBOL)
    assert "a minute" in caught.value.hint


def test_a_question_without_an_answer_ends_with_our_patience() -> None:
    opend = FakeOpenD()
    opend.deaf = {GET_BOOK}
    with Rig(opend) as rig:
        begun = time.monotonic()
        with pytest.raises(Disconnected, match="did not answer in time"):
            rig.connector.fetch_snapshot(SYMBOL)
        assert time.monotonic() - begun < 4.0


def test_polling_shows_one_book_after_another_on_one_connection() -> None:
    with Rig() as rig:
        ear = Ear()
        stream = rig.connector.start_polling(SYMBOL, ear, 1.0)
        for _ in range(4):
            rig.opend.step(SYMBOL, 3)
            rig.until_shown(ear)
        assert ear.state is FeedState.POLLING
        assert {book.source for book in ear.books} == {"poll"}
        assert rig.opend.asked[INIT] == 1
        stream.stop()
        assert rig.opend.wait_for(lambda: not rig.opend.connections)


def test_closing_ends_a_question_that_waits() -> None:
    opend = FakeOpenD()
    opend.deaf = {GET_BOOK}
    with Rig(opend) as rig:
        rig.connector.start_polling(SYMBOL, Ear(), 1.0)
        assert opend.wait_for(lambda: opend.asked[GET_BOOK])


def test_the_list_has_unified_names_lots_and_steps() -> None:
    with Rig() as rig:
        listed = {one.symbol: one for one in rig.connector.instruments()}
        assert listed[SYMBOL] == Instrument("futu", SYMBOL, "00700", "HKD", 0.2, 100.0)
        assert listed[AMERICAN] == Instrument("futu", AMERICAN, "AAPL", "USD", None, 100.0)
        assert listed[AMERICAN].unified == "AAPL/USD"
        asked = rig.opend.asked.copy()
        assert rig.connector.instruments()
        assert rig.opend.asked == asked


def _free_port() -> int:
    """A port that nobody listens on."""
    closed = FakeOpenD().start()
    closed.stop()
    return closed.port


def _frame_of_an_error() -> bytes:
    message = new(BOOK)
    message.retType, message.retMsg = -1, "no more quotes"
    return framed(BOOK, message.SerializeToString())
