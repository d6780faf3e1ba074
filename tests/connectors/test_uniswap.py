"""Uniswap: a recorded pool through a fake node and the real transport."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
import pytest

from connectors.base.uniswap.arithmetic import Pool, State, ladder, mid, sqrt_price_of
from connectors.base.uniswap.link import PoolFrame, SwapFrame
from connectors.uniswap import LEVELS, UniswapConnector
from engine.errors import Blocked, ConfigError, DecodeError, Disconnected, InvalidSymbol, RateLimited
from engine.market.events import BUY, SELL, BookSnapshot, FeedState, Quote, Trade
from tests.connectors.uniswap_rig import KEY, SYMBOL, Ear, Rig
from tests.fakes.http_server import HttpResponse
from tests.fakes.uniswap import FakeNode
from tests.fakes.uniswap_pool import WBTC_WETH, FakePool

TOKENS = Pool(8, 18, 3000, 60, True)
ONE_BTC, ONE_ETH = 10**8, 10**18


def true_book(pool: FakePool, levels: int = LEVELS) -> tuple[Any, Any]:
    ticks = {tick: net for tick, (net, _) in pool.ticks.items()}
    return ladder(TOKENS, State(pool.sqrt_price, pool.tick, pool.liquidity, ticks, -887_220, 887_220), levels)


def shown(book: BookSnapshot) -> tuple[Any, Any]:
    return book.bids, book.asks


def frame(**changes: Any) -> bytes:
    said = PoolFrame(
        SYMBOL, TOKENS, 7, "0xabc", 1_700_000_000, str(sqrt_price_of(265400)), 265400, str(10**17),
        [(265200, str(10**17)), (265800, str(-(10**17)))], 264000, 266400,
    )  # fmt: skip
    return msgspec.json.encode(msgspec.structs.replace(said, **changes))


# ---- the decoder


def test_a_frame_becomes_book_and_quote_marked_as_synthetic() -> None:
    book, quote = UniswapConnector().decode(frame(), 99)
    assert isinstance(book, BookSnapshot)
    assert isinstance(quote, Quote)
    assert {book.source, quote.source, UniswapConnector.capabilities.source} == {"synthetic"}
    assert (book.exchange_ns, book.received_ns, book.sequence) == (1_700_000_000 * 10**9, 99, None)
    assert book.bids[0][0] < quote.bid < quote.ask < book.asks[0][0]
    assert quote.ask / quote.bid == pytest.approx(1 / 0.997**2)
    assert len(book.bids) == 4
    assert len(book.asks) == 7


def test_without_the_fee_prices_meet_and_there_is_no_quote() -> None:
    (book,) = UniswapConnector({"UNISWAP_PRICES": "raw"}).decode(frame(), 99)
    (net, _) = UniswapConnector().decode(frame(), 99)
    assert isinstance(book, BookSnapshot)
    assert isinstance(net, BookSnapshot)
    assert book.asks[0][0] == pytest.approx(net.asks[0][0] * 0.997)


@pytest.mark.parametrize(
    ("amounts", "side", "price", "size"),
    [((-ONE_BTC, 34 * ONE_ETH), BUY, 34.0, 1.0), ((2 * ONE_BTC, -66 * ONE_ETH), SELL, 33.0, 2.0)],
)
def test_who_receives_the_base_buys(amounts: tuple[int, int], side: int, price: float, size: float) -> None:
    swap = SwapFrame(6, "0xfeed", 3, str(amounts[0]), str(amounts[1]), 1_600_000_000)
    trade, *_ = UniswapConnector().decode(frame(swaps=[swap]), 99)
    assert trade == Trade(
        "uniswap", SYMBOL, price, size, side, "6-0xfeed-3", 1_600_000_000 * 10**9, 99, "synthetic"
    )  # fmt: skip


def test_a_swap_of_dust_is_no_trade() -> None:
    swap = SwapFrame(6, "0xfeed", 3, "0", "5", None)
    assert [type(item) for item in UniswapConnector().decode(frame(swaps=[swap]), 99)] == [BookSnapshot, Quote]


@pytest.mark.parametrize("broken", [b"{", b"[]", b'{"type":"pool"}', b"\xff", frame(sqrt_price="x")])
def test_a_broken_frame_is_an_error(broken: bytes) -> None:
    with pytest.raises(DecodeError):
        UniswapConnector().decode(broken, 0)


# ---- settings


def test_every_listed_pool_has_a_unified_name() -> None:
    listed = UniswapConnector().instruments()
    assert {one.symbol: one.unified for one in listed}["WETH/USDC@500"] == "WETH/USDC"
    assert len(listed) == 12


def test_pools_can_be_named_in_the_settings() -> None:
    connector = UniswapConnector({"UNISWAP_POOLS": f"A/B@500={'0x' + '1' * 40}, C/D@100=0x{'2' * 40}"})
    assert [one.symbol for one in connector.instruments()] == ["A/B@500", "C/D@100"]


@pytest.mark.parametrize("pools", ["A/B=0x1", "A/B@500", "A/B@500=0x12", "AB@500=0x" + "1" * 40])
def test_a_pool_that_cannot_be_read_is_an_error_that_names_the_setting(pools: str) -> None:
    with pytest.raises(ConfigError, match="UNISWAP_POOLS"):
        UniswapConnector({"UNISWAP_POOLS": pools})


def test_other_prices_than_net_and_raw_are_refused() -> None:
    with pytest.raises(ConfigError, match="UNISWAP_PRICES"):
        UniswapConnector({"UNISWAP_PRICES": "gross"})


def test_without_an_address_nothing_starts_and_the_hint_names_the_variable() -> None:
    connector = UniswapConnector()
    for call in (lambda: connector.start_stream(SYMBOL, Ear()), lambda: connector.fetch_snapshot(SYMBOL)):
        with pytest.raises(ConfigError, match="UNISWAP_RPC_URL is not set") as caught:
            call()
        assert "HTTPS" in caught.value.hint


@pytest.mark.parametrize("url", ["wss://node.example/v3/k3y-k3y-k3y", "node.example/v3/k3y-k3y-k3y"])
def test_an_address_that_is_not_http_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ConfigError, match="UNISWAP_RPC_URL must begin with https://") as caught:
        UniswapConnector({"UNISWAP_RPC_URL": url})
    assert "k3y" not in f"{caught.value}{caught.value.hint}"


# ---- live, through the transport


def test_the_recorded_pool_is_live_with_its_recorded_price() -> None:
    with Rig() as rig:
        ear = rig.live()
        assert shown(ear.books[-1]) == true_book(rig.pool)
        ear.until(lambda: ear.quotes)
        quote = ear.quotes[-1]
        assert f"{quote.bid / 0.997:.8f}" == f"{quote.ask * 0.997:.8f}" == "33.54473672"
        assert {event.source for event in [*ear.books, *ear.quotes]} == {"synthetic"}  # type: ignore[attr-defined]
        assert ear.books[-1].exchange_ns == rig.node.head.time * 10**9


def test_one_call_gives_the_book() -> None:
    with Rig() as rig:
        book = rig.connector.fetch_snapshot(SYMBOL, 5)
        assert shown(book) == true_book(rig.pool, 5)
        assert book.source == "synthetic"


def test_each_block_brings_its_book_and_its_trades_once() -> None:
    with Rig() as rig:
        ear = rig.live()
        rig.node.trade(WBTC_WETH, 40 * ONE_ETH, zero_for_one=False)
        rig.node.trade(WBTC_WETH, ONE_BTC, zero_for_one=True, mine=False)
        ear.until(lambda: len(ear.trades) == 2, "trades")
        ear.until(lambda: shown(ear.books[-1]) == true_book(rig.pool), "the new book")
        assert [trade.aggressor for trade in ear.trades] == [BUY, SELL]
        assert ear.trades[1].size == 1.0
        assert mid(TOKENS, State(rig.pool.sqrt_price, 0, 0, {}, 0, 0)) != pytest.approx(33.5447367, rel=1e-5)
        rig.node.mine(3)
        read = rig.node.methods.count("eth_getLogs")
        assert rig.node.wait_for(lambda: rig.node.methods.count("eth_getLogs") > read)
        assert len(ear.trades) == 2
        assert len({trade.trade_id for trade in ear.trades}) == 2


def test_a_changed_liquidity_is_seen_with_the_next_block() -> None:
    with Rig() as rig:
        ear = rig.live()
        with rig.node.lock:
            rig.node.mine().pools[WBTC_WETH].mint(264_000, 267_000, 10**17)
        ear.until(lambda: shown(ear.books[-1]) == true_book(rig.pool), "the new book")
        assert ear.books[-1].asks[0][1] > 2 * ear.books[0].asks[0][1]


def test_after_a_reorganisation_the_book_is_that_of_the_new_chain_and_no_trade_is_told_twice() -> None:
    with Rig() as rig:
        ear = rig.live()
        rig.node.mine(3)
        rig.node.trade(WBTC_WETH, 40 * ONE_ETH, zero_for_one=False, transaction="0xaaaa")
        ear.until(lambda: ear.trades, "the first trade")
        with rig.node.lock:
            rig.node.reorganise(2)
            rig.node.trade(WBTC_WETH, 2 * ONE_BTC, zero_for_one=True, transaction="0xbbbb")
            rig.node.trade(WBTC_WETH, 40 * ONE_ETH, zero_for_one=False, transaction="0xaaaa", mine=False)
        ear.until(lambda: len(ear.trades) == 2, "the second trade")
        ear.until(lambda: shown(ear.books[-1]) == true_book(rig.pool), "the new chain's book")
        rig.node.mine()
        ear.until(lambda: shown(ear.books[-1]) == true_book(rig.pool), "the next book")
        assert [str(trade.trade_id).split("-")[1] for trade in ear.trades] == ["0xaaaa", "0xbbbb"]
        assert rig.connector.reorganisations == 1
        assert FeedState.RECONNECTING not in [status.state for status in ear.statuses]


def test_a_block_that_is_replaced_while_it_is_read_is_read_anew() -> None:
    with Rig() as rig:
        ear = rig.live()
        rig.node.mine()
        ear.until(lambda: rig.node.methods.count("eth_getLogs") >= 2)

        def replace() -> None:
            rig.node.reorganise(1)
            rig.node.trade(WBTC_WETH, 3 * ONE_BTC, zero_for_one=True)

        with rig.node.lock:
            rig.node.on_read = replace
            rig.node.mine()
            wrong = true_book(rig.pool)
        ear.until(lambda: shown(ear.books[-1]) == true_book(rig.pool) != wrong, "the book of the block that stayed")
        assert rig.connector.reorganisations >= 1


def test_a_lagging_node_behind_the_same_address_is_no_reorganisation() -> None:
    with Rig() as rig:
        ear = rig.live()
        rig.node.mine(2)
        ear.until(lambda: rig.node.methods.count("eth_getLogs") >= 2)
        with rig.node.lock:
            newest = rig.node.chain.pop()
        asked = rig.node.methods.count("eth_getBlockByNumber")
        assert rig.node.wait_for(lambda: rig.node.methods.count("eth_getBlockByNumber") >= asked + 3)
        with rig.node.lock:
            rig.node.chain.append(newest)
        rig.node.trade(WBTC_WETH, ONE_BTC, zero_for_one=True)
        ear.until(lambda: ear.trades)
        assert rig.connector.reorganisations == 0


def test_a_block_that_is_announced_too_early_is_read_one_block_later() -> None:
    node = FakeNode(FakePool.recorded())
    node.mine(2)
    node.lag = 1
    with Rig(node) as rig:
        ear = rig.live()
        assert shown(ear.books[-1]) == true_book(rig.pool)


def test_without_multicall_every_call_is_made_in_a_batch() -> None:
    node = FakeNode(FakePool.recorded())
    node.multicall = False
    with Rig(node) as rig:
        assert shown(rig.live().books[-1]) == true_book(rig.pool)
        assert node.methods.count("eth_call") > 200


# ---- what is wrong with a pool


@pytest.mark.parametrize(
    ("symbol", "setting", "chain", "words"),
    [
        (SYMBOL, "", 10, "on chain 1, the node serves chain 10"),
        ("WBTC/WETH@500", "", 1, "no Uniswap v3 pool at 0x4585"),
        ("WBTC/USDC@3000", f"WBTC/USDC@3000={WBTC_WETH}", 1, "is WBTC/WETH@3000"),
        ("WBTC/WETH@500", f"WBTC/WETH@500={WBTC_WETH}", 1, "is WBTC/WETH@3000"),
        ("WBTC/WETHH@3000", "", 1, "does not list"),
    ],
)
def test_a_pool_that_is_not_what_it_should_be_is_refused_in_words(
    symbol: str, setting: str, chain: int, words: str
) -> None:
    with Rig(FakeNode(FakePool.recorded(), chain_id=chain), UNISWAP_POOLS=setting) as rig:
        ear, _ = rig.start(symbol)
        ear.until(lambda: ear.state is FeedState.INVALID, "a refusal")
        assert words in ear.statuses[-1].reason
        with pytest.raises(InvalidSymbol):
            rig.connector.fetch_snapshot(symbol)


def test_one_wrong_pool_does_not_disturb_another() -> None:
    with Rig() as rig:
        wrong, _ = rig.start("WETH/USDC@500")
        ear = rig.live()
        wrong.until(lambda: wrong.state is FeedState.INVALID)
        rig.node.trade(WBTC_WETH, ONE_BTC, zero_for_one=True)
        ear.until(lambda: ear.trades)


# ---- what is wrong with a node


def partial(answers: list[dict[str, Any]]) -> None:
    if len(answers) > 1:
        answers.pop()


def single_error(code: int, message: str) -> Any:
    return lambda answers: {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}


@pytest.mark.parametrize("edit", [partial, single_error(-32603, "internal"), single_error(-32005, "limit exceeded")])
def test_bad_answers_are_asked_for_again(edit: Any) -> None:
    with Rig() as rig:
        ear = rig.live()
        rig.node.edit = edit
        rig.node.mine()
        asked = len(rig.node.paths)
        assert rig.node.wait_for(lambda: len(rig.node.paths) >= asked + 5)
        rig.node.edit = None
        rig.node.trade(WBTC_WETH, ONE_BTC, zero_for_one=True)
        ear.until(lambda: ear.trades and ear.state is FeedState.LIVE)
        ear.until(lambda: shown(ear.books[-1]) == true_book(rig.pool), "the book")
        assert len(ear.trades) == 1


@pytest.mark.parametrize(
    "fault",
    [
        HttpResponse(502, b"<html>", content_type="text/html"),
        HttpResponse(200, b"<html>", content_type="text/html"),
        HttpResponse(200, b'[{"id":'),
        HttpResponse(429, b"slow down"),
        HttpResponse(drop=True),
    ],
    ids=["502", "web page", "half JSON", "429", "dropped"],
)
def test_a_single_failed_call_breaks_nothing(fault: HttpResponse) -> None:
    with Rig() as rig:
        ear = rig.live()
        rig.node.http_faults.append(fault)
        assert rig.node.wait_for(lambda: not rig.node.http_faults)
        rig.node.trade(WBTC_WETH, ONE_BTC, zero_for_one=True)
        ear.until(lambda: ear.trades)
        assert FeedState.RECONNECTING not in [status.state for status in ear.statuses]


def test_a_node_that_fails_for_long_is_left_and_found_again_and_no_swap_is_missed() -> None:
    with Rig() as rig:
        ear = rig.live()
        rig.node.http_faults += [HttpResponse(503, b"away")] * 6
        ear.until(lambda: ear.state is FeedState.RECONNECTING, "the loss")
        for _ in range(3):
            rig.node.trade(WBTC_WETH, ONE_BTC, zero_for_one=True)
        ear.until(lambda: ear.state is FeedState.LIVE, "the return")
        ear.until(lambda: len(ear.trades) == 3, "all swaps")
        ear.until(lambda: shown(ear.books[-1]) == true_book(rig.pool), "the book")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_key_blocks_and_is_not_shown(status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    node = FakeNode(FakePool.recorded())
    node.http_faults += [HttpResponse(status, f"invalid project id {KEY}".encode())] * 9
    with Rig(node) as rig:
        ear, _ = rig.start()
        ear.until(lambda: ear.state is FeedState.BLOCKED, "BLOCKED")
        assert "UNISWAP_RPC_URL" in ear.statuses[-1].hint
        with pytest.raises(Blocked) as caught:
            rig.connector.fetch_snapshot(SYMBOL)
    assert "***" in str(caught.value)
    assert KEY not in f"{ear.statuses}{caught.value}{caplog.text}"
    assert KEY in node.paths[0]


def test_user_and_password_of_an_address_are_sent_as_http_wants_them() -> None:
    node = FakeNode(FakePool.recorded())
    with Rig(node, UNISWAP_RPC_URL=f"http://me:p%40ss@127.0.0.1:{node.port}/") as rig:
        rig.live()
        (header,) = {(entry.headers or {}).get("authorization") for entry in node.entries("http")}
        assert header == "Basic bWU6cEBzcw=="


def test_a_second_node_takes_over_from_the_first() -> None:
    with FakeNode(FakePool.recorded()) as broken:
        broken.http_faults += [HttpResponse(401, b"no")] * 9
        node = FakeNode(FakePool.recorded())
        with Rig(node, UNISWAP_RPC_URL=f"{broken.http_url}/a, {node.http_url}/b") as rig:
            rig.live()
            assert broken.paths
            assert node.paths


@pytest.mark.slow
def test_a_head_that_stands_still_is_noticed() -> None:
    with Rig() as rig:
        ear = rig.live()
        assert rig.node.wait_for(lambda: ear.state is FeedState.RECONNECTING, 10.0)
        assert "newest block has been 24947230 for" in ear.statuses[-1].reason
        rig.node.mine()
        ear.until(lambda: ear.state is FeedState.LIVE, "the return")


def test_errors_of_one_call_say_what_they_are() -> None:
    with Rig() as rig:
        rig.node.http_faults.append(HttpResponse(429, b"", {"Retry-After": "7"}))
        with pytest.raises(RateLimited) as limited:
            rig.connector.fetch_snapshot(SYMBOL)
        assert limited.value.retry_after_s == 7.0
        rig.node.edit = partial
        with pytest.raises(Disconnected, match="left out 1 of 2"):
            rig.connector.fetch_snapshot(SYMBOL)


def test_stopping_returns_while_a_call_hangs() -> None:
    with Rig() as rig:
        ear, stream = rig.start()
        ear.until(lambda: ear.state is FeedState.LIVE)
        rig.node.http_faults.append(HttpResponse(200, b"[]", delay_s=30.0))
        assert rig.node.wait_for(lambda: not rig.node.http_faults)
        stream.stop()
        heard = len(ear.events)
        rig.node.mine()
        assert len(ear.events) == heard
