"""Takes the pictures of the documentation anew: `.venv/bin/python docs/refresh_screenshots.py` (needs a Chromium).

Starts the dashboard on the mock as a person would, lets it run until the chart is full, and writes docs/images/*.png.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, sync_playwright  # noqa: E402

from tests.app.pages.dashboard import dashboard, launch, open_page, press, settle  # noqa: E402
from tests.conftest import find_chromium  # noqa: E402

IMAGES = ROOT / "docs" / "images"
VIEW = "/?connector=mock&run=1&strategy=book_pressure&book_pressure.threshold=0.4"
FULL_CHART_S = 65.0
SETTLED_S = 6.0
CARD = '.td-card[data-symbol="BTC/USDT"][data-state="live"]'
ACROSS = (
    "/across?venues=mock:alpha&venues=mock:beta&venues=mock:gamma&run=1"
    "&fee-mock:alpha=0.05&fee-mock:beta=0.05&fee-mock:gamma=0.05"
)
FLOW = "/flow?connector=mock&run=1"
RECORDINGS = "/recordings"
RECORDED_S = 12.0
RUNNING = '[data-table="recordings"] tr[data-ending="running"]'
ALERTS = "/alerts"
TOLD = '[data-table="alerts"] tbody tr[data-kind="large_order"]'
FILLED = '[data-table="scores"]'
ROW = '.td-across tr[data-venue="mock:gamma"][data-standing="live"]'


def take(
    browser: Browser, address: str, name: str, width: int, height: int, scheme: str, after_s: float, live: str = CARD
) -> None:
    """One picture of the page at `address` at a size and in a colour scheme, `after_s` after `live` is on it."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    page.goto(address)
    page.locator(live).first.wait_for(timeout=60_000)
    page.wait_for_timeout(after_s * 1000)
    page.screenshot(path=IMAGES / name)
    context.close()


def record(browser: Browser, address: str) -> str:
    """A short recording with a note, and one that runs, so that the page has something to show; the first one's id."""
    first = ""
    page = open_page(browser, address + RECORDINGS, height=1130)
    for number, symbols in enumerate((("BTC/USDT", "ETH/USDT"), ("BTC/USDT",))):
        # While feeds still run, those are offered first.
        page.locator(".st-key-record-way label", has_text="a venue and symbols").click()
        settle(page)
        for symbol in symbols:
            page.locator(".st-key-record-symbols-mock input").click()
            page.get_by_role("option", name=symbol, exact=True).click()
            page.keyboard.press("Escape")
            settle(page)
        if not number:
            page.locator(".st-key-record-note input").fill("the opening")
            page.keyboard.press("Enter")
            settle(page)
        press(page, "record")
        page.locator(".td-rec").first.wait_for(timeout=20_000)
        page.wait_for_timeout(RECORDED_S * 1000)
        if not number:
            press(page, "record-stop")
            row = page.locator('tr[data-ending="stopped"]')
            row.wait_for(timeout=20_000)
            first = row.get_attribute("data-recording") or ""
    page.context.close()
    return first


def main() -> None:
    chromium = find_chromium()
    if chromium is None:
        sys.exit("There is no Chromium: install one or set CHROMIUM to its path.")
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = launch(playwright, chromium)
        environment = {
            "MOCK_SEED": "7", "MOCK_RATE": "60", "STORE_URL": f"duckdb:///{folder}/tape.duckdb",
            "CAPTURES_DIR": f"{folder}/captures", "EXPORTS_DIR": f"{folder}/exports",
        }  # fmt: skip
        with dashboard(Path(folder) / "app.log", environment) as address:
            live, across = address + VIEW, address + ACROSS
            take(browser, live, "live_trading.png", 1440, 1130, "dark", FULL_CHART_S)
            take(browser, live, "live_trading_light.png", 1440, 1130, "light", SETTLED_S)
            take(browser, live, "live_trading_phone.png", 390, 844, "dark", SETTLED_S)
            take(browser, across, "across_venues.png", 1280, 1000, "dark", SETTLED_S, ROW)
            take(browser, across, "across_venues_light.png", 1280, 1000, "light", SETTLED_S, ROW)
            take(browser, across, "across_venues_phone.png", 390, 844, "dark", SETTLED_S, ROW)
            flow = address + FLOW
            take(browser, flow, "order_flow.png", 1280, 2700, "dark", FULL_CHART_S, FILLED)
            take(browser, flow, "order_flow_light.png", 1280, 1400, "light", SETTLED_S, FILLED)
            take(browser, flow, "order_flow_phone.png", 390, 1700, "dark", SETTLED_S, FILLED)
            recordings = f"{address}{RECORDINGS}?recording={record(browser, address)}"
            take(browser, recordings, "recordings.png", 1280, 1000, "dark", SETTLED_S, RUNNING)
            take(browser, recordings, "recordings_light.png", 1280, 1000, "light", SETTLED_S, RUNNING)
            take(browser, recordings, "recordings_phone.png", 390, 844, "dark", SETTLED_S, RUNNING)
            take(browser, address + ALERTS, "alerts.png", 1280, 1500, "dark", SETTLED_S, TOLD)
        browser.close()


if __name__ == "__main__":
    main()
