"""The Live Trading page in a real browser, on the mock and on a fake Binance."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.app.pages.dashboard import (
    card,
    choose,
    dashboard,
    expect_state,
    open_page,
    panel,
    press,
    settle,
    updates,
)
from tests.fakes.binance import FakeBinance
from tests.fakes.capture_player import CaptureBinance
from tests.shared import capture

pytestmark = pytest.mark.browser

DEMO = "demo_binance_spot_btc_eth_20240808_650s.jsonl.gz"
SYMBOL = "BTC/USDT"


@pytest.fixture(scope="module")
def mock_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("mock") / "app.log"
    with dashboard(log, {"MOCK_SEED": "7", "HUB_LINGER_S": "1"}) as address:
        yield address


@pytest.fixture
def page(browser: Browser, mock_address: str) -> Iterator[Page]:
    tab = open_page(browser, f"{mock_address}/?connector=mock")
    problems: list[str] = []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    yield tab
    # The server goes on for the next test: nothing may stay broken, whatever became of this one.
    if tab.locator(".st-key-fault-clear").is_visible():
        press(tab, "fault-clear")
        settle(tab)
    tab.context.close()
    assert problems == []


def painted(page: Page, name: str) -> int:
    return int(panel(page, name).get_attribute("data-painted") or 0)


def expect_painting(page: Page, name: str, at_least: int = 2) -> None:
    """The panel paints so many more frames within fifteen seconds (the tape only when somebody trades)."""
    panel(page, name).wait_for(timeout=10_000)
    goal = painted(page, name) + at_least
    page.wait_for_function(
        "([name, goal]) => Number(window.__findPanel(name)?.dataset.painted ?? 0) >= goal",
        arg=[name, goal],
        timeout=15_000,
    )


# How many points of the price chart are in view: those of the mid, between the ends of its axis of time.
POINTS_IN_VIEW = """
() => {
  const plot = window.__findPanel('price')?.querySelector('.js-plotly-plot');
  const line = plot?.data?.find((trace) => trace.mode === 'lines' && trace.y?.some(Number.isFinite));
  const range = plot?.layout?.xaxis?.range;
  if (!line || !range) return 0;
  const [from, to] = range.map((at) => new Date(String(at).replace(' ', 'T')).getTime());
  const at = (text) => new Date(String(text).replace(' ', 'T')).getTime();
  return [...line.x].filter((x, i) => Number.isFinite(line.y[i]) && at(x) >= from && at(x) <= to).length;
}
"""

FIND_PANEL = """
window.__findPanel = (name) => {
  const look = (root) => {
    const hit = root.querySelector(`[data-panel="${name}"]`);
    if (hit) return hit;
    for (const element of root.querySelectorAll('*')) {
      if (element.shadowRoot) { const inner = look(element.shadowRoot); if (inner) return inner; }
    }
    return null;
  };
  return look(document);
};
"""


def watch_panels(page: Page) -> None:
    page.evaluate(FIND_PANEL)


def start(page: Page) -> None:
    press(page, "start")
    card(page, SYMBOL).wait_for(timeout=10_000)


def choose_mode(page: Page, words: str) -> None:
    page.locator(".st-key-mode").get_by_text(words, exact=True).click()
    settle(page)


def break_with(page: Page, fault: str) -> None:
    """Switch a fault of the mock on, as a person does on the page."""
    opened = page.locator(".st-key-fault")
    if not opened.is_visible():
        page.get_by_text("Simulated market", exact=True).click()
    opened.wait_for()
    choose(page, "fault", fault)
    press(page, "fault-on")
    if fault != "drop":  # which is over as soon as it has happened
        page.get_by_text(f"🔥 {fault}").wait_for(timeout=5_000)


def test_the_mock_is_live_within_three_seconds_and_everything_moves(page: Page) -> None:
    expect(page.get_by_text("Nothing is running")).to_be_visible()
    start(page)
    expect_state(page, SYMBOL, "live", 3)
    expect(card(page, SYMBOL)).to_contain_text("✅")
    expect(page.locator(".td-header")).to_contain_text("🔴 LIVE (WebSocket)")
    expect(page.locator(".td-header")).to_contain_text("🔌 3/3 connections active")
    expect(page.locator(".td-badge")).to_have_text("SIMULATED MARKET")
    before = updates(page, SYMBOL)
    watch_panels(page)
    for name in ("ladder", "depth", "tape", "price"):
        expect_painting(page, name)
    expect(card(page, SYMBOL)).not_to_have_attribute("data-updates", str(before))
    assert updates(page, SYMBOL) > before


def test_polling_is_chosen_shown_and_left_again(page: Page) -> None:
    start(page)
    expect_state(page, SYMBOL, "live", 15)
    choose_mode(page, "REST Polling")
    expect_state(page, SYMBOL, "polling", 5)
    expect(page.locator(".td-header")).to_contain_text("🔴 LIVE (REST Polling)")
    expect(card(page, SYMBOL)).to_contain_text("REST poll")
    choose_mode(page, "Streaming (WebSocket)")
    expect_state(page, SYMBOL, "live", 15)


def test_a_broken_stream_is_polled_and_comes_back_by_itself(page: Page) -> None:
    start(page)
    expect_state(page, SYMBOL, "live", 15)
    break_with(page, "handshake refused")
    break_with(page, "drop")
    expect_state(page, SYMBOL, "polling", 25)
    expect(page.locator(".td-header")).to_contain_text("polled instead of streamed")
    press(page, "fault-clear")
    expect_state(page, SYMBOL, "live", 60)


def test_silence_is_never_called_live(page: Page) -> None:
    start(page)
    expect_state(page, SYMBOL, "live", 15)
    break_with(page, "stall")
    expect_state(page, SYMBOL, "stale", 10)
    expect(page.locator(".td-header")).to_contain_text("No current data")
    expect(card(page, SYMBOL)).to_contain_text("→")
    expect(panel(page, "ladder")).to_have_attribute("data-state", re.compile("STALE|RECONNECTING|SYNCING"))
    press(page, "fault-clear")
    expect_state(page, SYMBOL, "live", 20)


def test_an_address_of_rubbish_is_answered_in_words(browser: Browser, mock_address: str) -> None:
    tab = open_page(browser, f"{mock_address}/?connector=gone&symbols=BTCUSDT&run=1&every=-1&book_pressure.depth=9999")
    expect(tab.get_by_text("There is no connector 'gone' here.")).to_be_visible()
    expect(tab.get_by_text("Nothing is running")).to_be_visible()
    tab.goto(f"{mock_address}/?connector=mock&run=1&symbols=![x](http://127.0.0.1:1/p.png)&symbols=%3Cscript%3E")
    settle(tab)
    expect(tab.get_by_text("There is no '<script>' here.")).to_be_visible()
    expect(tab.locator("[data-testid=stSidebar] img, [data-testid=stSidebar] a[href^=http]")).to_have_count(0)
    tab.context.close()


def test_a_reload_finds_the_running_feed_again(page: Page) -> None:
    start(page)
    expect_state(page, SYMBOL, "live", 15)
    counted = updates(page, SYMBOL)
    page.reload()
    settle(page)
    expect_state(page, SYMBOL, "live", 15)
    assert updates(page, SYMBOL) >= counted


def test_the_address_holds_the_view(page: Page, browser: Browser) -> None:
    start(page)
    page.locator(".st-key-focus").get_by_text("ETH/USDT", exact=True).click()
    settle(page)
    other = open_page(browser, page.url)
    expect_state(other, SYMBOL, "live", 15)
    expect(panel(other, "ladder")).to_have_attribute("data-symbol", "ETH/USDT", timeout=10_000)
    other.context.close()


def test_back_and_forward_keep_the_symbols(page: Page) -> None:
    start(page)
    expect_state(page, SYMBOL, "live", 15)
    page.locator(".st-key-focus").get_by_text("ETH/USDT", exact=True).click()
    settle(page)
    page.go_back()
    settle(page)
    page.go_forward()
    expect_state(page, SYMBOL, "live", 10)


def test_what_is_left_on_the_page_of_a_dead_server_is_not_called_live(browser: Browser, tmp_path: Path) -> None:
    with dashboard(tmp_path / "app.log", {"MOCK_SEED": "7"}) as address:
        tab = open_page(browser, f"{address}/?connector=mock&run=1")
        expect_state(tab, SYMBOL, "live", 10)
    shown = "getComputedStyle(document.querySelector('.td-live'), '::after').content"
    tab.wait_for_function(f"{shown}.includes('No connection to the server')", timeout=15_000)
    tab.context.close()


def test_stop_ends_the_feed(page: Page) -> None:
    start(page)
    expect_state(page, SYMBOL, "live", 15)
    press(page, "stop")
    expect(page.get_by_text("Nothing is running")).to_be_visible(timeout=10_000)
    expect(card(page, SYMBOL)).to_have_count(0)


def test_a_wrong_symbol_gets_near_ones_offered(page: Page) -> None:
    field = page.locator(".st-key-symbols input")
    field.fill("BTCUSD")
    page.get_by_role("option", name="Add: BTCUSD").click()
    field.press("Escape")
    settle(page)
    expect(page.get_by_text("There is no 'BTCUSD' here.")).to_be_visible()
    page.get_by_role("button", name="BTC/USDT?").first.click()
    settle(page)
    expect(page.get_by_text("There is no 'BTCUSD' here.")).to_have_count(0)


def test_why_no_data_looks_into_the_five_causes(page: Page) -> None:
    start(page)
    expect_state(page, SYMBOL, "live", 15)
    page.get_by_text("Why no data?", exact=True).click()
    press(page, "why-check")
    expect(page.get_by_text("Does this page read what comes?")).to_be_visible(timeout=15_000)
    expect(page.locator(".st-key-why-no-data").get_by_text(re.compile("✅"))).to_have_count(5)


def test_a_strategy_speaks_on_the_page(browser: Browser, mock_address: str) -> None:
    tab = open_page(
        browser,
        f"{mock_address}/?connector=mock&run=1&strategy=book_pressure&book_pressure.threshold=0.05"
        "&book_pressure.cooldown_s=0.0",
    )
    expect_state(tab, SYMBOL, "live", 15)
    tab.locator(".st-key-signals [data-testid=stDataFrame]").wait_for(timeout=20_000)
    tab.context.close()


def test_nothing_is_mounted_anew_while_the_market_moves(page: Page) -> None:
    start(page)
    expect_state(page, SYMBOL, "live", 15)
    watch_panels(page)
    for name in ("ladder", "depth", "tape", "price"):
        expect_painting(page, name)
    page.evaluate("window.__roots = ['ladder', 'depth', 'tape', 'price'].map(window.__findPanel)")
    expect_painting(page, "ladder", 40)
    same = page.evaluate(
        "['ladder', 'depth', 'tape', 'price'].every((name, i) => window.__findPanel(name) === window.__roots[i])"
    )
    assert same


@pytest.fixture
def binance_page(browser: Browser, tmp_path: Path) -> Iterator[tuple[FakeBinance, Page, str]]:
    with FakeBinance() as venue:
        moving = venue.run(20.0)
        environment = {"BINANCE_WS_URL": venue.ws_url, "BINANCE_REST_URL": venue.http_url, "HUB_LINGER_S": "1"}
        with dashboard(tmp_path / "app.log", environment) as address:
            tab = open_page(browser, f"{address}/?connector=binance&run=1")
            yield venue, tab, address
            if not tab.is_closed():
                tab.context.close()
        moving.set()


def test_two_tabs_share_one_connection_and_the_last_one_ends_it(
    binance_page: tuple[FakeBinance, Page, str], browser: Browser
) -> None:
    venue, tab, _ = binance_page
    expect_state(tab, "BTCUSDT", "live", 10)
    other = open_page(browser, tab.url)
    expect_state(other, "BTCUSDT", "live", 15)
    assert venue.connections == 1
    other.context.close()
    expect_state(tab, "BTCUSDT", "live", 15)
    assert venue.connections == 1
    tab.context.close()
    assert venue.wait_for(lambda: venue.connections == 0, timeout=10)
    assert venue.violations == []


def test_the_real_capture_is_shown_through_the_fake_venue(browser: Browser, tmp_path: Path) -> None:
    with CaptureBinance(capture(DEMO)) as venue:
        environment = {"BINANCE_WS_URL": venue.ws_url, "BINANCE_REST_URL": venue.http_url}
        with dashboard(tmp_path / "app.log", environment) as address:
            tab = open_page(browser, f"{address}/?connector=binance&run=1&symbols=BTCUSDT&symbols=ETHUSDT")
            venue.play()
            expect_state(tab, "BTCUSDT", "live", 10)
            expect_state(tab, "ETHUSDT", "live", 10)
            watch_panels(tab)
            for name in ("ladder", "depth", "tape", "price"):
                expect_painting(tab, name)
            tab.context.close()


def test_a_capture_is_played_as_a_venue(browser: Browser, tmp_path: Path) -> None:
    path = capture(DEMO)
    with dashboard(tmp_path / "app.log", {"CAPTURES_DIR": str(path.parent)}) as address:
        tab = open_page(browser, f"{address}/?connector=mock")
        tab.get_by_text("Play a recording", exact=True).click()
        choose(tab, "capture-file", path.name)
        tab.locator(".st-key-capture-speed").get_by_text("10×", exact=True).click()
        settle(tab)
        press(tab, "capture-open")
        expect(tab.get_by_text("is chosen with BTCUSDT, ETHUSDT")).to_be_visible(timeout=15_000)
        expect(tab.locator(".st-key-symbols")).to_contain_text("BTCUSDT", timeout=15_000)
        settle(tab)
        tab.locator(".st-key-start button:enabled").click(timeout=15_000)
        expect_state(tab, "BTCUSDT", "live", 15)
        expect(card(tab, "BTCUSDT")).to_contain_text("recording")
        _use_the_deck(tab)
        tab.context.close()


def _use_the_deck(tab: Page) -> None:
    """Pause, step, go elsewhere and on from there, as a person does."""
    deck = tab.locator(".st-key-replay-deck")
    press(tab, "replay-pause")
    expect(deck).to_contain_text(", paused", timeout=10_000)
    settle(tab)
    counted = tab.locator(".td-count")
    expect(counted).to_contain_text("total updates")
    held = counted.inner_text()
    press(tab, "replay-step-book")
    expect(counted).not_to_have_text(held, timeout=10_000)
    tab.locator(".st-key-replay-at input[type=range]").press("End")
    expect(deck).to_contain_text("00:05:04 of 00:05:04", timeout=20_000)
    tab.locator(".st-key-replay-at input[type=range]").press("Home")
    expect(deck).to_contain_text("23:54:13 of", timeout=20_000)
    press(tab, "replay-resume")
    expect_state(tab, "BTCUSDT", "live", 15)
    watch_panels(tab)
    expect_painting(tab, "ladder")
    _see_the_market_of_that_time(tab)
    tab.locator(".st-key-replay-speed").get_by_text("100×", exact=True).click()
    _see_the_market_of_that_time(tab)
    tab.locator(".st-key-replay-speed").get_by_text("max", exact=True).click()
    expect(tab.locator(".td-live")).to_contain_text("Ended", timeout=30_000)
    expect(deck).to_contain_text("00:05:04 of 00:05:04 UTC, ended")
    press(tab, "replay-once-more")
    expect(tab.locator(".td-live")).to_contain_text("Ended", timeout=30_000)
    tab.wait_for_function(f"() => ({POINTS_IN_VIEW})() >= 10", timeout=15_000)


def _see_the_market_of_that_time(tab: Page) -> None:
    """The chart has its line in view, ages are those of a market that moves, and nothing calls it live."""
    tab.wait_for_function(f"() => ({POINTS_IN_VIEW})() >= 10", timeout=15_000)
    expect(tab.locator(".td-header")).to_contain_text("▶️ REPLAY")
    expect(tab.locator(".td-header")).not_to_contain_text("🔴 LIVE")
    expect(tab.locator(".td-badge")).to_have_text("RECORDING, NOT LIVE")
    for symbol in ("BTCUSDT", "ETHUSDT"):
        expect(card(tab, symbol)).to_contain_text(re.compile(r"[^\d.][0-4]\.\d s old"), timeout=10_000)
    expect(panel(tab, "quotes")).to_contain_text("<1 s", timeout=10_000)
    expect_painting(tab, "price")
