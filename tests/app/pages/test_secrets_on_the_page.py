"""What a person sees of venues that want keys, in a real browser: everything but the keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.app.pages.dashboard import dashboard, expect_state, open_page, press
from tests.fakes.finnhub import FakeFinnhub
from tests.fakes.http_server import HttpResponse
from tests.fakes.truth import SimulatorTruth
from tests.fakes.uniswap import FakeNode
from tests.fakes.uniswap_pool import FakePool

pytestmark = pytest.mark.browser

FINNHUB_KEY, NODE_KEY = "f1nnhubK3y0000000777", "n0dek3yn0dek3yn0d3"


def test_no_key_is_on_the_page_or_in_the_log(browser: Browser, tmp_path: Path) -> None:
    finnhub, node = FakeFinnhub(SimulatorTruth(["BTCUSDT"]), key="another"), FakeNode(FakePool.recorded())
    log = tmp_path / "app.log"
    with finnhub, node:
        finnhub.refuse(401, body=f"Invalid API key {FINNHUB_KEY}", times=None)
        node.always = HttpResponse(403, f"no such project {NODE_KEY}".encode())
        environment = {
            "FINNHUB_WS_URL": finnhub.ws_url, "FINNHUB_REST_URL": finnhub.http_url, "FINNHUB_API_KEY": FINNHUB_KEY,
            "UNISWAP_RPC_URL": f"{node.http_url}/v3/{NODE_KEY}", "LOG_LEVEL": "DEBUG",
        }  # fmt: skip
        with dashboard(log, environment) as address:
            cases = (("finnhub", "BTCUSDT", "FINNHUB_API_KEY"), ("uniswap", "WETH/USDC@500", "no such project ***"))
            for connector, symbol, words in cases:
                tab = open_page(browser, f"{address}/?connector={connector}&symbols={symbol}&run=1")
                expect_state(tab, symbol, "blocked", 30)
                tab.get_by_text("Why no data?", exact=True).click()
                press(tab, "why-check")
                expect(tab.get_by_text("Does this page read what comes?")).to_be_visible(timeout=20_000)
                shown = tab.content() + tab.locator("body").inner_text()
                assert words in shown, "what is wrong is shown"
                assert FINNHUB_KEY not in shown
                assert NODE_KEY not in shown
                tab.context.close()
        assert finnhub.entries("refused")
        assert any(NODE_KEY in path for path in node.paths)
    written = log.read_text()
    assert "finnhub" in written
    assert FINNHUB_KEY not in written
    assert NODE_KEY not in written
