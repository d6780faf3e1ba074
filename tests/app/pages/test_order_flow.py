"""The Order Flow page in a real browser: on the simulated market, and on a recording."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.app.pages.dashboard import choose, dashboard, open_page, panel, press, settle, tracebacks
from tests.shared import capture

pytestmark = pytest.mark.browser

VIEW = "/flow?connector=mock&run=1&symbols=BTC/USDT&symbols=ETH/USDT"
DEMO = "demo_binance_spot_btc_eth_20240808_650s.jsonl.gz"
THEN = re.compile(r"^(23:5\d|00:0\d):\d\d$")
"""A time of day within that recording."""
PANELS = ("heatmap", "dom", "delta", "footprint", "gauges", "tape", "happenings")

# How many colours the canvas of a panel shows.
COLOURS = """
(name) => {
  const look = (root) => {
    const hit = root.querySelector(`[data-panel="${name}"] canvas`);
    if (hit) return hit;
    for (const element of root.querySelectorAll('*')) {
      const inner = element.shadowRoot && look(element.shadowRoot);
      if (inner) return inner;
    }
    return null;
  };
  const canvas = look(document);
  if (!canvas?.width) return 0;
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const seen = new Set();
  for (let i = 0; i < data.length; i += 4) seen.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
  return seen.size;
}
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("flow") / "app.log"
    with dashboard(log, {"MOCK_SEED": "7", "MOCK_RATE": "40", "HUB_LINGER_S": "1"}) as served:
        yield served
    assert tracebacks(log.read_text()) == []


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    tab = open_page(browser, f"{address}{VIEW}")
    problems: list[str] = []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    yield tab
    tab.context.close()
    assert problems == []


def number_in(root: Locator, name: str) -> int:
    return int(root.get_attribute(f"data-{name}") or 0)


def expect_at_least(page: Page, name: str, attribute: str, least: int, within_s: float) -> None:
    """A panel's figure reaches `least`."""
    expect(panel(page, name)).to_have_attribute(f"data-{attribute}", re.compile(r"\d"), timeout=within_s * 1000)
    found = panel(page, name).element_handle(timeout=within_s * 1000)
    assert found is not None
    page.wait_for_function(
        f"([element, least]) => Number(element.dataset.{attribute}) >= least",
        arg=[found, least],
        timeout=within_s * 1000,
    )


def figure(page: Page, name: str) -> Locator:
    return panel(page, "gauges").locator(f'[data-figure="{name}"]')


def test_every_panel_fills_from_the_running_market(page: Page) -> None:
    for name in PANELS:
        expect(panel(page, name)).to_have_attribute("data-state", "LIVE", timeout=20_000)
    expect_at_least(page, "heatmap", "columns", 6, 30)
    expect_at_least(page, "heatmap", "bubbles", 2, 30)
    expect_at_least(page, "dom", "traded", 2, 30)
    expect_at_least(page, "dom", "churned", 5, 30)
    expect_at_least(page, "delta", "seconds", 6, 30)
    expect_at_least(page, "footprint", "candles", 1, 30)
    assert page.evaluate(COLOURS, "heatmap") > 20
    expect(figure(page, "spread_bps").locator("b")).to_have_text(re.compile(r"^\d.* bps$"))
    expect(page.locator('[data-table="signals"]')).to_be_visible()
    expect(page.locator(".td-regime")).to_have_attribute("data-regime", re.compile("."))
    expect(page.locator(".td-strip")).to_be_visible()
    expect(page.locator('.td-figures [data-figure="efficiency"]')).to_have_attribute("title", re.compile("moves"))


def test_what_is_not_known_yet_is_a_dash_and_hover_explains_it(page: Page) -> None:
    expect_at_least(page, "gauges", "painted", 3, 20)
    later = figure(page, "ofi_z")
    expect(later.locator("b")).to_have_text(re.compile(r"^(–|[+-]?\d.*)$"))
    later.hover()
    about = panel(page, "gauges").locator(".td-about")
    expect(about).to_be_visible()
    expect(about).to_contain_text("(OFI − median)")


def test_two_pages_share_the_analysis_and_a_late_one_begins_with_its_history(page: Page, browser: Browser) -> None:
    expect_at_least(page, "heatmap", "columns", 8, 30)
    known = number_in(panel(page, "heatmap"), "columns")
    other = open_page(browser, page.url)
    expect(panel(other, "heatmap")).to_have_attribute("data-columns", re.compile(r"\d"), timeout=15_000)
    assert number_in(panel(other, "heatmap"), "columns") >= known
    other.context.close()


def test_zoom_stays_while_the_page_lives_and_the_panel_is_never_made_anew(page: Page) -> None:
    expect_at_least(page, "heatmap", "columns", 4, 30)
    root = panel(page, "heatmap")
    root.evaluate("element => { element.mark = 'same'; }")
    canvas = root.locator("canvas")
    canvas.hover()
    page.mouse.wheel(0, -400)
    follow = root.get_by_text("Follow ▸")
    expect(follow).to_be_visible()
    painted = number_in(root, "painted")
    expect_at_least(page, "heatmap", "painted", painted + 20, 20)
    assert root.evaluate("element => element.mark") == "same"
    expect(follow).to_be_visible()
    follow.click()
    expect(follow).to_be_hidden()


def test_a_lost_connection_is_shaded_on_every_chart(page: Page) -> None:
    expect_at_least(page, "heatmap", "columns", 3, 30)
    page.get_by_text("Simulated market", exact=True).click()
    choose(page, "fault", "drop")
    press(page, "fault-on")
    for name in ("heatmap", "delta", "footprint"):
        expect_at_least(page, name, "gaps", 1, 20)
    expect(panel(page, "heatmap")).to_have_attribute("data-state", "LIVE", timeout=20_000)


def test_another_symbol_in_focus_shows_its_own_order_flow(page: Page) -> None:
    expect_at_least(page, "heatmap", "columns", 2, 30)
    page.locator(".st-key-focus").get_by_text("ETH/USDT").click()
    expect(panel(page, "heatmap")).to_have_attribute("data-symbol", "ETH/USDT", timeout=10_000)
    expect_at_least(page, "heatmap", "columns", 2, 30)


def test_correlation_says_how_much_it_rests_on(page: Page) -> None:
    matrix = page.locator('[data-table="correlation"]')
    expect(matrix).to_be_visible(timeout=20_000)
    expect(matrix.locator("td").nth(1)).to_contain_text(re.compile(r"n \d+"))
    expect(page.locator("[data-pair]")).to_contain_text("Epps", timeout=20_000)


def test_a_phone_sees_every_panel_without_scrolling_sideways(browser: Browser, address: str) -> None:
    tab = open_page(browser, f"{address}{VIEW}", width=390, height=844)
    for name in PANELS:
        expect(panel(tab, name)).to_be_visible(timeout=20_000)
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    tab.context.close()


def test_a_recording_shows_its_order_flow(browser: Browser, tmp_path: Path) -> None:
    path = capture(DEMO)
    with dashboard(tmp_path / "app.log", {"CAPTURES_DIR": str(path.parent)}) as served:
        tab = open_page(browser, f"{served}/flow")
        tab.get_by_text("Play a recording", exact=True).click()
        choose(tab, "capture-file", path.name)
        tab.locator(".st-key-capture-speed").get_by_text("10×", exact=True).click()
        settle(tab)
        press(tab, "capture-open")
        settle(tab)
        tab.locator(".st-key-start button:enabled").click(timeout=15_000)
        expect_at_least(tab, "heatmap", "columns", 60, 60)
        expect_at_least(tab, "dom", "traded", 5, 30)
        expect_at_least(tab, "happenings", "events", 1, 60)
        expect(figure(tab, "spread_z").locator("b")).to_have_text(re.compile(r"\d"), timeout=30_000)
        expect(tab.locator('[data-table="signals"] td').first).to_have_text(THEN, timeout=30_000)
        begin_again(tab)
        tab.context.close()


def begin_again(tab: Page) -> None:
    """Moved back to its beginning, a recording leaves nothing behind that it has not yet come to."""
    assert number_in(panel(tab, "heatmap"), "columns") >= 60
    tab.locator(".st-key-replay-again button").first.click()
    tab.wait_for_function("element => Number(element.dataset.columns) < 40", arg=panel(tab, "heatmap").element_handle())
    expect_at_least(tab, "heatmap", "columns", 20, 60)
    expect(tab.locator(".st-key-replay-deck")).to_contain_text("Replay 2024-08-08 23:5")
