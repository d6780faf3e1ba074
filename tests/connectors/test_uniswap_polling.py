"""Uniswap without following the chain: single books, each at one block that is still there afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import Blocked, ConfigError, Disconnected, InvalidSymbol
from engine.market.events import FeedState
from tests.connectors.test_uniswap import ONE_BTC, shown, true_book
from tests.connectors.uniswap_rig import KEY, SYMBOL, Ear, Rig
from tests.fakes.http_server import HttpResponse
from tests.fakes.uniswap import FakeNode
from tests.fakes.uniswap_pool import WBTC_WETH, FakePool


def polled(rig: Rig, interval_s: float = 1.0) -> Ear:
    ear = Ear()
    rig.connector.start_polling(SYMBOL, ear, interval_s)
    return ear


def test_polled_books_are_those_of_the_newest_block_and_marked_as_polled() -> None:
    with Rig() as rig:
        ear = polled(rig)
        ear.until(lambda: ear.state is FeedState.POLLING and ear.books, "POLLING")
        assert shown(ear.books[-1]) == true_book(rig.pool)
        assert ear.books[-1].source == "poll"
        rig.node.trade(WBTC_WETH, 3 * ONE_BTC, zero_for_one=True)
        ear.until(lambda: shown(ear.books[-1]) == true_book(rig.pool), "the next block's book")
        assert len(ear.books) == 2


def test_a_block_that_was_read_is_not_read_again() -> None:
    with Rig() as rig:
        ear = polled(rig)
        ear.until(lambda: ear.books, "a book")
        calls = rig.node.methods.count("eth_call")
        heads = rig.node.methods.count("eth_getBlockByNumber")
        assert rig.node.wait_for(lambda: rig.node.methods.count("eth_getBlockByNumber") >= heads + 3)
        assert rig.node.methods.count("eth_call") == calls
        assert len(ear.books) == 1


def test_a_block_that_is_replaced_while_it_is_read_is_read_anew() -> None:
    with Rig() as rig:
        rig.node.mine()

        def replace() -> None:
            rig.node.reorganise(1)
            rig.node.trade(WBTC_WETH, 3 * ONE_BTC, zero_for_one=True)

        rig.node.on_read = replace
        book = rig.connector.fetch_snapshot(SYMBOL)
        assert shown(book) == true_book(rig.pool)
        assert book.exchange_ns == rig.node.head.time * 10**9


def test_a_chain_that_never_holds_still_is_an_error() -> None:
    with Rig() as rig:

        def replace() -> None:
            rig.node.reorganise(1)
            rig.node.mine()
            rig.node.on_read = replace

        rig.node.mine(2)
        rig.node.on_read = replace
        with pytest.raises(Disconnected, match="changed while they were read"):
            rig.connector.fetch_snapshot(SYMBOL)


def test_a_block_that_is_announced_too_early_is_read_one_block_later() -> None:
    with Rig() as rig:
        rig.node.mine()
        rig.node.trade(WBTC_WETH, 3 * ONE_BTC, zero_for_one=True)
        rig.node.lag = 1
        book = rig.connector.fetch_snapshot(SYMBOL)
        assert shown(book) == true_book(rig.node.chain[-2].pools[WBTC_WETH])


def without_last(answers: list[dict[str, Any]]) -> object:
    return answers[:-1]


def test_an_answer_in_part_is_asked_for_again() -> None:
    with Rig() as rig:
        rig.node.edit = without_last
        ear = polled(rig)
        asked = len(rig.node.paths)
        assert rig.node.wait_for(lambda: len(rig.node.paths) >= asked + 2)
        assert not ear.books
        rig.node.edit = None
        ear.until(lambda: ear.books, "a book")
        assert shown(ear.books[-1]) == true_book(rig.pool)


def test_an_address_without_a_contract_ends_it() -> None:
    pools = f"WBTC/WETH@3000=0x{'7' * 40}"
    with Rig(UNISWAP_POOLS=pools) as rig:
        ear = polled(rig)
        ear.until(lambda: ear.state is FeedState.INVALID, "INVALID")
        assert "no Uniswap v3 pool" in ear.statuses[-1].reason


def test_an_unknown_symbol_is_refused() -> None:
    with Rig() as rig, pytest.raises(InvalidSymbol, match="WBTC/DOGE@3000") as caught:
        rig.connector.fetch_snapshot("WBTC/DOGE@3000")
    assert "Did you mean" in caught.value.hint


def test_without_an_address_polling_does_not_begin() -> None:
    with Rig(UNISWAP_RPC_URL="") as rig, pytest.raises(ConfigError, match="UNISWAP_RPC_URL is not set"):
        polled(rig)


def test_a_failing_node_gives_way_to_the_next_one() -> None:
    node = FakeNode(FakePool.recorded())
    with FakeNode(FakePool.recorded()) as second:
        urls = f"{node.http_url}/{KEY},{second.http_url}/{KEY}"
        with Rig(node, UNISWAP_RPC_URL=urls) as rig:
            node.http_faults = [HttpResponse(500)] * 50
            ear = polled(rig)
            ear.until(lambda: ear.books, "a book of the second node")
            assert second.methods
            assert not node.methods


def test_while_the_chain_cannot_be_followed_books_are_polled_and_then_it_is_followed_again() -> None:
    """The node answers everything but questions for logs: following needs them, single books do not."""

    def without_logs(answers: list[dict[str, Any]]) -> object:
        return [
            {"id": answer["id"], "error": {"code": -32000, "message": "logs are off"}}
            if isinstance(answer.get("result"), list)
            else answer
            for answer in answers
        ]

    with Rig() as rig:
        ear = rig.live()
        rig.node.edit = without_logs
        rig.node.trade(WBTC_WETH, 3 * ONE_BTC, zero_for_one=True)
        ear.until(lambda: ear.state is FeedState.POLLING, "POLLING")
        ear.until(lambda: shown(ear.books[-1]) == true_book(rig.pool), "the polled book")
        assert "logs are off" in ear.statuses[-1].reason
        assert not ear.trades
        rig.node.edit = None
        ear.until(lambda: ear.state is FeedState.LIVE, "LIVE again")
        ear.until(lambda: len(ear.trades) == 1, "the trade that was missed meanwhile")
        assert shown(ear.books[-1]) == true_book(rig.pool)


def test_a_refused_key_blocks_the_polling_and_is_not_shown() -> None:
    with Rig() as rig:
        rig.node.http_faults = [HttpResponse(401, f"bad key {KEY}".encode())] * 5
        ear = polled(rig)
        ear.until(lambda: ear.state is FeedState.BLOCKED, "BLOCKED")
        assert KEY not in str(ear.events)
        with pytest.raises(Blocked) as caught:
            rig.connector.fetch_snapshot(SYMBOL)
        assert KEY not in f"{caught.value!r}{caught.value.hint}"
