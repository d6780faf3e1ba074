"""cTrader: the decoder on its own, and the real connector on a fake host through the real transport."""

from __future__ import annotations

import json
import logging
import stat
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest

from connectors.base import Control
from connectors.base.ctrader import wire
from connectors.base.ctrader.book import QuoteMap
from connectors.base.ctrader.candles import CandleDesk
from connectors.base.ctrader.login import Keys, Listing, Login
from connectors.base.ctrader.tokens import TokenPair, TokenStore
from connectors.base.transport.redaction import Redactor
from connectors.ctrader import CtraderConnector
from engine.errors import (
    Blocked,
    ConfigError,
    DecodeError,
    Disconnected,
    FeedError,
    RateLimited,
    StreamUnsupported,
)
from engine.market.events import BookDelta, BookSnapshot, FeedState, Quote
from engine.store.captures.verify import recognise, verify
from tests.connectors.ctrader_rig import Rig
from tests.connectors.uniswap_rig import Ear
from tests.fakes.ctrader import ACCOUNT, recorded_quotes
from tests.fakes.rig import PACE

LIVE, BLOCKED, INVALID, RECONNECTING = FeedState.LIVE, FeedState.BLOCKED, FeedState.INVALID, FeedState.RECONNECTING
SECRETS = ("client-secret-1234", "access-token-1", "refresh-token-1", "access-token-2", "refresh-token-2")


def frame(kind: int, request: str = "", **content: Any) -> bytes:
    return json.dumps({"payloadType": kind, "clientMsgId": request, "payload": content}).encode()


def listed() -> CtraderConnector:
    """A connector that has been told what there is."""
    connector = CtraderConnector()
    assets = [{"assetId": number, "name": name} for number, name in enumerate(("EUR", "USD", "JPY"), 1)]
    symbols = [
        {"symbolId": 1, "symbolName": "EURUSD", "enabled": True, "baseAssetId": 1, "quoteAssetId": 2},
        {"symbolId": "4", "symbolName": "USDJPY", "enabled": True, "baseAssetId": "2", "quoteAssetId": "3"},
        {"symbolId": 9, "symbolName": "OLD", "enabled": False},
    ]
    connector.decode(frame(2113, asset=assets), 0)
    connector.decode(frame(2115, symbol=symbols), 0)
    connector.decode(frame(2117, symbol=[{"symbolId": 4, "digits": 3, "stepVolume": 100000}]), 0)
    return connector


# ---- the decoder


def test_best_prices_become_a_quote_and_a_missing_side_stays() -> None:
    connector = listed()
    assert connector.decode(frame(2131, symbolId=1, bid=108541), 5) == ()
    (first,) = connector.decode(frame(2131, symbolId=1, ask=108549, timestamp=1_700_000_000_123), 6)
    (second,) = connector.decode(frame(2131, symbolId="1", bid="108542"), 7)
    assert first == Quote("ctrader", "EURUSD", 1.08541, 0.0, 1.08549, 0.0, None, 1_700_000_000_123 * 10**6, 6, "stream")
    assert isinstance(second, Quote)
    assert (second.bid, second.ask, second.exchange_ns) == (1.08542, 1.08549, None)


def test_quotes_at_one_price_are_added_up_and_later_messages_change_them() -> None:
    connector = listed()
    quotes = [
        {"id": 1, "size": 100_000_000, "bid": 108540}, {"id": "2", "size": "50000000", "bid": "108540"},
        {"id": 3, "size": 200_000_000, "ask": 108550}, {"id": 4, "size": 100, "bid": 108539},
    ]  # fmt: skip
    (book,) = connector.decode(frame(2155, symbolId=1, newQuotes=quotes), 5)
    assert book == BookSnapshot(
        "ctrader", "EURUSD", ((1.0854, 1_500_000.0), (1.08539, 1.0)), ((1.0855, 2_000_000.0),), None, None, 5, "stream"
    )  # fmt: skip
    moved = [{"id": 3, "size": 300_000_000, "ask": 108551}]
    (delta,) = connector.decode(frame(2155, symbolId=1, newQuotes=moved, deletedQuotes=[2, "77"]), 6)
    assert delta == BookDelta(
        "ctrader", "EURUSD", ((1.0854, 1_000_000.0),), ((1.0855, 0.0), (1.08551, 3_000_000.0)), None, None, None, 6,
        "stream",
    )  # fmt: skip


def test_an_id_may_be_deleted_and_inserted_in_one_message() -> None:
    connector = listed()
    connector.decode(frame(2155, symbolId=1, newQuotes=[{"id": 1, "size": 100, "bid": 5}]), 5)
    again = [{"id": 1, "size": 200, "bid": 6}]
    (delta,) = connector.decode(frame(2155, symbolId=1, newQuotes=again, deletedQuotes=[1]), 6)
    assert isinstance(delta, BookDelta)
    assert delta.bids == ((6 / 100_000, 2.0), (5 / 100_000, 0.0))


@pytest.mark.parametrize(
    "broken",
    [
        b"", b"{", b"[]", b'{"payloadType":"x"}', b"\xff\xfe", b'{"payload":{}}', b"[" * 100_000,
        frame(2131), frame(2131, symbolId=1, bid=[1]), frame(2155, symbolId=1, newQuotes=[{"id": 1, "size": 5}]),
        frame(2155, symbolId=1, newQuotes=[{"id": 1, "size": -5, "bid": 5}]), frame(2131, symbolId=1, bid=10**400),
        frame(2155, symbolId=1, newQuotes=[{"id": 1, "size": 5, "bid": 5, "ask": 6}]), frame(2115, symbol=7),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_a_decode_error(broken: bytes) -> None:
    with pytest.raises(DecodeError):
        listed().decode(broken, 0)


def test_events_of_symbols_that_nobody_listed_are_of_no_interest() -> None:
    connector = listed()
    assert connector.decode(frame(2131, symbolId=55, bid=1, ask=2), 0) == ()
    assert connector.decode(frame(2155, symbolId=55, newQuotes=[]), 0) == ()


def test_everything_else_belongs_to_the_conversation() -> None:
    said = frame(2101)
    assert listed().decode(said, 0) == (Control("talk", frame=said),)
    assert listed().decode(frame(51), 0) == (Control("heartbeat"),)


def test_symbols_carry_their_assets_and_steps() -> None:
    connector = listed()
    found = {one.symbol: one for one in connector._listing.instruments("ctrader")}
    assert {name: one.unified for name, one in found.items()} == {"EURUSD": "EUR/USD", "USDJPY": "USD/JPY"}
    assert (found["USDJPY"].tick, found["USDJPY"].lot) == (0.001, 1000.0)
    assert connector.unlisted(["EURUSD", "OLD", "EUR/USD"]) == ["OLD", "EUR/USD"]


def test_depth_that_stays_away_from_the_best_prices_is_doubted_after_two_seconds() -> None:
    depth, second = QuoteMap(), 10**9
    depth.apply(wire.Depth(1, [wire.DepthQuote(1, 100, bid=1000), wire.DepthQuote(2, 100, ask=1010)]))
    depth.note(wire.Spot(1, bid=1003, ask=1010))
    assert not depth.disagrees(1, 0)
    depth.note(wire.Spot(1, bid=1004))
    assert not depth.disagrees(1, second)
    assert not depth.disagrees(1, 3 * second)
    assert depth.disagrees(1, 3 * second + 1)
    assert depth.apply(wire.Depth(1, [wire.DepthQuote(3, 100, bid=1001)])) is None
    depth.begin()
    again = depth.apply(wire.Depth(1, [wire.DepthQuote(4, 100, bid=1004)]))
    assert again is not None
    assert again.whole
    assert not depth.disagrees(1, 9 * second)


def test_a_broker_whose_depth_always_differs_is_believed_in_the_end() -> None:
    depth = QuoteMap()
    doubts = 0
    for turn in range(10):
        depth.begin()
        depth.apply(wire.Depth(1, [wire.DepthQuote(1, 100, bid=1000)]))
        depth.note(wire.Spot(1, bid=1100, ask=1200))
        doubts += depth.disagrees(1, turn * 10**10)
        doubts += depth.disagrees(1, turn * 10**10 + 3 * 10**9)
    assert doubts == 2


def test_a_recording_is_verified(tmp_path: Path) -> None:
    quotes = [{"id": 1, "size": 100_000_000, "bid": 108540}, {"id": 2, "size": 50_000_000, "ask": 108550}]
    frames = [
        frame(2113, asset=[{"assetId": 1, "name": "EUR"}]),
        frame(2115, symbol=[{"symbolId": 1, "symbolName": "EURUSD"}]),
        frame(2131, symbolId=1, bid=108540, ask=108550), frame(2155, symbolId=1, newQuotes=quotes),
        frame(2155, symbolId=1, newQuotes=[{"id": 3, "size": 100, "bid": 108540}]),
    ]  # fmt: skip
    url = "wss://demo.ctraderapi.com:5036"
    records = [
        json.dumps({"t": 1.0 + number, "ch": "ws", "dir": "recv", "url": url, "data": one.decode()})
        for number, one in enumerate(frames)
    ]
    path = tmp_path / "ctrader.jsonl"
    path.write_text("\n".join(records), encoding="utf-8")
    report = verify(path, recognise(path, cast(Any, {"ctrader": CtraderConnector()})))
    assert report.problems == []
    assert report.symbols["EURUSD"]["top"] == {"bids": [["1.0854", "1000001"]], "asks": [["1.0855", "500000"]]}


# ---- the conversation


def login(tmp_path: Path, *, account: int = ACCOUNT, live: bool = False) -> Login:
    tokens = TokenStore(tmp_path / "tokens.json", TokenPair("access-token-1", "refresh-token-1"))
    keys, redactor = Keys("id", "secret", account, live), Redactor(["access-token-1", "refresh-token-1"])
    return Login(keys, tokens, Listing(), CandleDesk(), redactor, lambda identifiers: None)


def sent(answers: Any) -> list[int]:
    return [json.loads(answer)["payloadType"] for answer in answers]


def accounts(*described: tuple[int, int, bool]) -> bytes:
    return frame(
        2150,
        ctidTraderAccount=[
            {"ctidTraderAccountId": number, "traderLogin": login, "isLive": live} for number, login, live in described
        ],
    )


def test_spots_come_before_depth(tmp_path: Path) -> None:
    talk = login(tmp_path)
    assert sent(talk.open()) == [2100]
    assert sent(talk.hear(frame(2101), 0)) == [2149]
    assert sent(talk.hear(accounts((ACCOUNT, 5, False)), 0)) == [2102]
    assert sent(talk.hear(frame(2103), 0)) == [2112, 2114]
    assert not talk.ready
    talk.hear(frame(2115), 0)
    talk.hear(frame(2113), 0)
    assert talk.ready
    details, spots = talk.subscribe([1, 4])
    assert sent([details, spots]) == [2116, 2127]
    (depth,) = talk.hear(frame(2128, json.loads(spots)["clientMsgId"]), 0)
    assert isinstance(depth, str)
    assert json.loads(depth)["payloadType"] == 2156
    assert json.loads(depth)["payload"] == {"ctidTraderAccountId": ACCOUNT, "symbolId": [1, 4]}
    assert len(talk.subscribe(range(1, 50))) == 6


@pytest.mark.parametrize(
    ("account", "live", "chosen"), [(7, False, 7), (5_002, False, 8), (0, True, 9), (5_003, True, 9)]
)
def test_an_account_is_named_by_its_number_or_its_login(tmp_path: Path, account: int, live: bool, chosen: int) -> None:
    talk = login(tmp_path, account=account, live=live)
    told = accounts((7, 5_001, False), (8, 5_002, False), (9, 5_003, True))
    (answer,) = talk.hear(told, 0)
    assert isinstance(answer, str)
    assert json.loads(answer)["payload"]["ctidTraderAccountId"] == chosen


@pytest.mark.parametrize(
    ("account", "live", "told", "hint"),
    [
        (7, True, accounts((7, 5_001, False)), "CTRADER_HOST=demo"),
        (1, False, accounts((7, 5_001, False)), "CTRADER_ACCOUNT_ID to one of: 7"),
        (0, False, accounts((7, 5_001, False), (8, 5_002, False)), "7 (demo), 8 (demo)"),
        (7, False, accounts(), "CTRADER_ACCESS_TOKEN"),
    ],
)
def test_an_account_that_cannot_be_used_is_refused_with_what_to_set(
    tmp_path: Path, account: int, live: bool, told: bytes, hint: str
) -> None:
    with pytest.raises(Blocked) as caught:
        login(tmp_path, account=account, live=live).hear(told, 0)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("code", "kind", "hint"),
    [
        ("CH_CLIENT_AUTH_FAILURE", Blocked, "CTRADER_CLIENT_SECRET"),
        ("ACCOUNT_NOT_AUTHORIZED", Blocked, "CTRADER_ACCOUNT_ID"),
        ("CANT_ROUTE_REQUEST", Blocked, "CTRADER_HOST"),
        ("CONNECTIONS_LIMIT_EXCEEDED", RateLimited, "CTRADER_CLIENT_ID"),
        ("SERVER_IS_UNDER_MAINTENANCE", RateLimited, "comes back"),
        ("CH_CLIENT_NOT_AUTHENTICATED", Disconnected, "CTRADER_CLIENT_ID"),
        ("SOMETHING_NEW", Disconnected, ""),
    ],
)
def test_errors_while_logging_in_name_what_to_check(
    tmp_path: Path, code: str, kind: type[FeedError], hint: str
) -> None:
    with pytest.raises(kind) as caught:
        login(tmp_path).hear(frame(2142, "account:", errorCode=code, description="no access-token-1 here"), 0)
    assert hint in caught.value.hint
    assert code in str(caught.value)
    assert "access-token-1" not in str(caught.value)


def test_maintenance_is_waited_for_a_minute_at_most(tmp_path: Path) -> None:
    now_ns = 1_700_000_000 * 10**9
    for kind, ends in ((2142, 1_700_000_030), (50, 1_700_000_030_000)):
        with pytest.raises(RateLimited) as caught:
            login(tmp_path).hear(
                frame(kind, errorCode="SERVER_IS_UNDER_MAINTENANCE", maintenanceEndTimestamp=ends), now_ns
            )
        assert caught.value.retry_after_s == pytest.approx(30.0)


# ---- tokens


def test_a_renewed_pair_survives_and_is_only_for_us(tmp_path: Path) -> None:
    path, configured = tmp_path / "deep" / "tokens.json", TokenPair("a", "r")
    store = TokenStore(path, configured)
    store.prepare()
    store.renew(TokenPair("a2", "r2"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert TokenStore(path, configured).current == TokenPair("a2", "r2")
    assert [one.name for one in path.parent.iterdir()] == ["tokens.json"]


def test_a_newly_configured_pair_wins_over_the_kept_one(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    TokenStore(path, TokenPair("a", "r")).renew(TokenPair("a2", "r2"))
    assert TokenStore(path, TokenPair("b", "s")).current == TokenPair("b", "s")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_a_broken_file_counts_as_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tokens.json"
    path.write_bytes(content)
    assert TokenStore(path, TokenPair("a", "r")).current == TokenPair("a", "r")


def test_where_nothing_can_be_written_no_token_is_spent(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Blocked, match="cannot be kept"):
        TokenStore(tmp_path / "file" / "tokens.json", TokenPair("a", "r")).prepare()


# ---- settings


def test_missing_keys_are_named() -> None:
    connector = CtraderConnector({"CTRADER_CLIENT_ID": "x"})
    for call in (lambda: connector.start_stream("EURUSD", Ear()), connector.instruments):
        with pytest.raises(ConfigError, match="CTRADER_CLIENT_SECRET, CTRADER_ACCESS_TOKEN are not set") as caught:
            call()
        assert "CTRADER_REFRESH_TOKEN and CTRADER_ACCOUNT_ID" in caught.value.hint


@pytest.mark.parametrize("setting", [{"CTRADER_HOST": "test"}, {"CTRADER_ACCOUNT_ID": "me"}])
def test_a_wrong_setting_is_named(setting: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=next(iter(setting))):
        CtraderConnector(setting)


def test_the_host_is_chosen_by_a_setting() -> None:
    assert CtraderConnector().stream_url(()) == "wss://demo.ctraderapi.com:5036"
    assert CtraderConnector({"CTRADER_HOST": "live"}).stream_url(()) == "wss://live.ctraderapi.com:5036"
    assert CtraderConnector.recognises("wss://demo.ctraderapi.com:5036")


def test_it_is_not_polled() -> None:
    with pytest.raises(StreamUnsupported):
        CtraderConnector().start_polling("EURUSD", Ear(), 1.0)


# ---- live, through the transport


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_a_symbol_is_live_and_follows_the_market(rig: Rig) -> None:
    with rig:
        begun = time.monotonic()
        ear, stream = rig.live()
        assert time.monotonic() - begun < 3.0
        rig.venue.step(times=200)
        rig.true("EURUSD", stream)
        (bids, asks) = rig.venue.book("EURUSD", 1)
        ear.until(lambda: (ear.quotes[-1].bid, ear.quotes[-1].ask) == (bids[0][0], asks[0][0]), "the best prices")
        assert len(ear.books) == 1
        assert stream.feed.quality.gaps == 0


def test_numbers_may_come_as_text(rig: Rig) -> None:
    rig.venue.as_text = True
    with rig:
        _, stream = rig.live()
        rig.venue.step(times=20)
        rig.true("EURUSD", stream)


def test_several_symbols_share_one_connection(rig: Rig) -> None:
    with rig:
        streams = {name: rig.live(name)[1] for name in ("EURUSD", "GBPUSD", "USDJPY")}
        for name, stream in streams.items():
            rig.venue.step(name, times=30)
            rig.true(name, stream)
        assert rig.venue.accepted == 1
        streams["GBPUSD"].stop()
        assert rig.venue.wait_for(lambda: rig.venue.subscribers("GBPUSD") == 0)
        assert rig.venue.subscribers("EURUSD") == 1


def test_real_quotes_pass_unchanged(rig: Rig) -> None:
    quotes = recorded_quotes()
    assert len(quotes) == 500
    rig.venue.play_quotes(quotes[:1])
    with rig:
        ear, stream = rig.live("USDJPY")
        rig.venue.play_quotes(quotes[1:])
        rig.true("USDJPY", stream)
        wanted = [(float(bid), float(ask)) for bid, ask in quotes]
        changes = [two for one, two in pairwise(wanted) if one != two]
        ear.until(lambda: len(ear.quotes) == 1 + len(changes), "all quotes")
        assert [(quote.bid, quote.ask) for quote in ear.quotes[1:]] == changes
        # The touch of every book is what was quoted.
        view = stream.feed.view
        assert view is not None
        assert (view.bids, view.asks) == (((wanted[-1][0], 1e6),), ((wanted[-1][1], 1e6),))


def test_a_crossed_book_is_shown(rig: Rig) -> None:
    with rig:
        ear, stream = rig.live()
        rig.venue.replace("EURUSD", [(108_560, 100_000_000)], [(108_550, 100_000_000)])
        rig.true("EURUSD", stream)
        ear.until(lambda: ear.quotes[-1].bid > ear.quotes[-1].ask, "the crossed quote")
        assert ear.state is LIVE
        assert len(ear.books) == 1


def test_a_lost_depth_message_is_noticed_by_the_best_prices_and_the_book_comes_back(rig: Rig) -> None:
    with rig:
        ear, stream = rig.live()
        rig.venue.gap("EURUSD")
        rig.venue.replace("EURUSD", [(107_000, 100_000_000)], [(107_010, 100_000_000)])

        def speak() -> bool:
            rig.venue.spot_only("EURUSD", bid=107_000)
            return FeedState.SYNCING in [status.state for status in ear.statuses[3:]]

        assert rig.venue.wait_for(speak, 8.0)
        rig.true("EURUSD", stream)
        assert "does not agree" in next(one.reason for one in ear.statuses if "agree" in one.reason)
        assert rig.venue.accepted == 1
        rig.venue.step(times=10)
        rig.true("EURUSD", stream)


@pytest.mark.parametrize("how", ["drop", 2148, 2164])
def test_a_lost_connection_comes_back_with_a_whole_book(rig: Rig, how: str | int) -> None:
    with rig:
        ear, stream = rig.live()
        if how == "drop":
            rig.venue.drop_all()
        else:
            rig.venue.tell_all(int(how), reason="Server restarts", ctidTraderAccountId=ACCOUNT)
        rig.venue.step(times=20)
        ear.until(lambda: RECONNECTING in [status.state for status in ear.statuses], "the loss")
        ear.until(lambda: ear.state is LIVE, "the return")
        rig.true("EURUSD", stream)
        assert rig.venue.accepted == 2


def test_a_silent_host_is_left(rig: Rig) -> None:
    with rig:
        ear, stream = rig.live()
        for session in list(rig.venue.sessions):
            session.stall()
        ear.until(lambda: any("nothing received" in status.reason for status in ear.statuses), "the watchdog")
        ear.until(lambda: ear.state is LIVE, "the return")
        rig.true("EURUSD", stream)


def test_the_heart_beats_every_ten_seconds(rig: Rig) -> None:
    with rig:
        rig.live()
        begun = time.monotonic()
        assert rig.venue.wait_for(lambda: rig.venue.heartbeats >= 3, 8.0)
        assert 2.0 < (time.monotonic() - begun) * PACE / 10 < 4.5


@pytest.mark.parametrize("code", ["SYMBOL_NOT_FOUND", "UNKNOWN_SYMBOL"])
def test_an_unknown_symbol_is_answered_with_near_ones(rig: Rig, code: str) -> None:
    with rig:
        good, stream = rig.live()
        wrong, _ = rig.start("EUR/USD")
        wrong.until(lambda: wrong.state is INVALID, "INVALID")
        assert "EURUSD" in wrong.statuses[-1].hint
        rig.venue.fail(2127, code)
        refused, _ = rig.start("GBPUSD")
        refused.until(lambda: refused.state is INVALID, "INVALID")
        rig.venue.step(times=3)
        rig.true("EURUSD", stream)
        assert good.state is LIVE


@pytest.mark.parametrize("kind", [2127, 2156])
@pytest.mark.parametrize("code", ["REQUEST_FREQUENCY_EXCEEDED", "INTERNAL_ERROR", "ALREADY_SUBSCRIBED"])
def test_a_refused_subscription_is_made_again(rig: Rig, kind: int, code: str) -> None:
    rig.forgiven = True
    with rig:
        rig.venue.fail(kind, code)
        ear, stream = rig.start()
        ear.until(lambda: ear.state is LIVE, "LIVE")
        rig.true("EURUSD", stream)


def test_a_log_in_that_does_not_end_is_given_up_and_made_again(rig: Rig) -> None:
    rig.venue.deaf = {2102}
    with rig:
        ear, stream = rig.start()
        ear.until(lambda: any("log-in was not finished" in status.reason for status in ear.statuses), "the end of it")
        rig.venue.deaf = set()
        ear.until(lambda: ear.state is LIVE, "LIVE")
        rig.true("EURUSD", stream)


def test_an_expired_token_is_renewed_once_and_kept_before_it_is_used(rig: Rig) -> None:
    kept: list[bool] = []
    path = rig.folder / "tokens.json"
    rig.venue.tokens = set()
    with rig:
        rig.venue.on_refresh = lambda: kept.append(path.exists())
        ear, stream = rig.live()
        assert ear.state is LIVE
        assert kept == [True]
        content = json.loads(path.read_text(encoding="utf-8"))
        assert (content["access"], content["refresh"]) == ("access-token-2", "refresh-token-2")
        rig.true("EURUSD", stream)
        requests = [json.loads(entry.text)["payloadType"] for entry in rig.venue.entries("text")]
        assert requests.count(2173) == 1


def test_tokens_that_expire_while_it_runs_are_renewed(rig: Rig) -> None:
    with rig:
        ear, stream = rig.live()
        rig.venue.invalidate()
        ear.until(lambda: RECONNECTING in [status.state for status in ear.statuses], "the end")
        ear.until(lambda: ear.state is LIVE, "the return")
        rig.true("EURUSD", stream)
        assert rig.venue.tokens == {"access-token-2"}


def test_a_token_that_cannot_be_renewed_blocks_and_no_secret_is_shown(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    rig.venue.tokens, rig.venue.renewals = set(), {}
    with rig:
        ear, _ = rig.start()
        ear.until(lambda: ear.state is BLOCKED, "BLOCKED")
        assert "CTRADER_REFRESH_TOKEN" in ear.statuses[-1].hint
        with pytest.raises(Blocked):
            rig.connector.instruments()
    told = f"{ear.statuses}{caplog.text}"
    assert not [secret for secret in SECRETS if secret in told]


def test_a_wrong_application_blocks(tmp_path: Path) -> None:
    with Rig(tmp_path, CTRADER_CLIENT_SECRET="wrong") as rig:
        ear, _ = rig.start()
        ear.until(lambda: ear.state is BLOCKED, "BLOCKED")
        assert "CTRADER_CLIENT_SECRET" in ear.statuses[-1].hint


def test_the_list_comes_without_a_stream_on_a_connection_of_its_own(rig: Rig) -> None:
    with rig:
        assert [one.unified for one in rig.connector.instruments()] == ["EUR/USD", "USD/JPY", "GBP/USD"]
        assert rig.venue.wait_for(lambda: rig.venue.connections == 0)
        rig.connector.instruments()
        assert rig.venue.accepted == 1
        rig.live()


def test_the_list_comes_with_the_stream_where_there_is_one(rig: Rig) -> None:
    with rig:
        rig.start()
        assert len(rig.connector.instruments()) == 3
        assert rig.venue.accepted == 1


def test_a_stream_takes_the_place_of_a_list_that_is_being_fetched(rig: Rig) -> None:
    rig.venue.deaf = {2114}
    with rig:
        found: list[int] = []
        asking = threading.Thread(target=lambda: found.append(len(rig.connector.instruments())))
        asking.start()
        assert rig.venue.wait_for(lambda: rig.venue.logins == 1)
        rig.venue.deaf = set()
        rig.live()
        asking.join(8.0)
        assert found == [3]


def test_one_book_is_that_of_the_running_stream(rig: Rig) -> None:
    with rig:
        with pytest.raises(FeedError, match="not streaming"):
            rig.connector.fetch_snapshot("EURUSD")
        rig.live()
        book = rig.connector.fetch_snapshot("EURUSD")
        assert (book.bids[:20], book.asks[:20]) == rig.venue.book("EURUSD")


def test_stopping_returns_in_every_phase_of_the_log_in(rig: Rig) -> None:
    with rig:
        for kind in (2100, 2149, 2102, 2114, 2127):
            rig.venue.deaf = {kind}
            accepted = rig.venue.accepted
            ear, stream = rig.start()
            rig.venue.wait_for_more(accepted)
            begun = time.monotonic()
            stream.stop()
            assert time.monotonic() - begun < 2.0
            heard = len(ear.events)
            rig.venue.step()
            assert len(ear.events) == heard
