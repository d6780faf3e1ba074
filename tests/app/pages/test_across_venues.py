"""The Across Venues page in a real browser: three simulated venues of one market, one of them silent, one left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from time import monotonic

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from engine.feed.mailbox import FeedKey
from engine.store.base import Entered, Entry
from engine.store.opening import open_store
from tests.app.pages.dashboard import choose, dashboard, open_page, panel, press, settle
from tests.engine.store.events import SECOND_NS, START_NS, snapshot, status

pytestmark = pytest.mark.browser

VENUES = ("mock:alpha", "mock:beta", "mock:gamma")
VIEW = "/across?" + "&".join([f"venues={venue}" for venue in VENUES])
STALE_AFTER_S = 5.0
SLACK_S = 3.0

# How many pixels of the canvas bear the colour of each venue's badge.
COLOURS = """
() => {
  const look = (root) => {
    const hit = root.querySelector('[data-panel="across"]');
    if (hit) return hit;
    for (const element of root.querySelectorAll('*')) {
      const inner = element.shadowRoot && look(element.shadowRoot);
      if (inner) return inner;
    }
    return null;
  };
  const panel = look(document);
  const canvas = panel?.querySelector('canvas');
  if (!canvas?.width) return null;
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const counts = {};
  for (const venue of panel.querySelectorAll('.td-venue')) {
    const color = getComputedStyle(venue.querySelector('b')).backgroundColor;
    const [r, g, b] = color.match(/\\d+/g).map(Number);
    let count = 0;
    for (let i = 0; i < data.length; i += 4) if (data[i] === r && data[i + 1] === g && data[i + 2] === b) count += 1;
    counts[venue.dataset.venue] = count;
  }
  return counts;
}
"""


def recorded(url: str) -> str:
    """A recording of two venues that moved for a minute years ago, one of them with two symbols; its id."""
    names = [("binance", "BTCUSDT"), ("binance", "ETHUSDT"), ("kraken", "XBT/USDT")]
    keys: list[FeedKey] = [(venue, symbol, "stream") for venue, symbol in names]
    store = open_store(url)
    made = store.begin(keys, at_ns=START_NS, note="two venues")
    said: list[tuple[FeedKey, Entered]] = [(key, status(key=key)) for key in keys]
    for half in range(120):
        said += [(key, snapshot(half / 2, key, sequence=half + 1)) for key in keys]
    store.append(made.id, [Entry(index, key, event) for index, (key, event) in enumerate(said)])
    store.end(made.id, at_ns=START_NS + 60 * SECOND_NS)
    store.close()
    return made.id


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"duckdb:///{tmp_path_factory.mktemp('store')}/tape.duckdb"


@pytest.fixture(scope="module")
def recording(url: str) -> str:
    return recorded(url)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, url: str, recording: str) -> Iterator[str]:
    log = tmp_path_factory.mktemp("across") / "app.log"
    with dashboard(log, {"MOCK_SEED": "7", "HUB_LINGER_S": "1", "STORE_URL": url}) as served:
        yield served


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    tab = open_page(browser, f"{address}{VIEW}")
    problems: list[str] = []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    yield tab
    if tab.locator(".st-key-fault-clear").is_visible():
        press(tab, "fault-clear")
        settle(tab)
    tab.context.close()
    assert problems == []


def row(page: Page, venue: str) -> Locator:
    return page.locator(f'.td-across tr[data-venue="{venue}"]')


def expect_standing(page: Page, venue: str, standing: str, within_s: float) -> None:
    """The table's row and the ladder's legend both say so."""
    expect(row(page, venue)).to_have_attribute("data-standing", re.compile(standing), timeout=within_s * 1000)
    told = re.compile(rf"{re.escape(venue)}=({standing})")
    expect(panel(page, "across")).to_have_attribute("data-venues", told, timeout=within_s * 1000)


def expect_colours(page: Page, *venues: str) -> None:
    """The bars of these venues are on the ladder, and none of any other."""
    shown = " ".join(venues)
    expect(panel(page, "across")).to_have_attribute("data-standing", shown, timeout=5_000)
    page.wait_for_function(
        f"(venues) => {{ const found = ({COLOURS})(); return found && Object.entries(found).every("
        "([venue, count]) => venues.includes(venue) ? count > 100 : count === 0); }",
        arg=list(venues),
        timeout=5_000,
    )


def start(page: Page) -> None:
    page.locator(".st-key-start button:enabled").click(timeout=15_000)
    for venue in VENUES:
        expect_standing(page, venue, "live", 20)


def break_at(page: Page, venue: str, fault: str) -> None:
    """Switch a fault of one venue on, as a person does on the page."""
    if not page.locator(".st-key-fault").is_visible():
        page.get_by_text("Simulated market", exact=True).click()
    page.locator(".st-key-fault").wait_for()
    choose(page, "fault-venue", venue)
    choose(page, "fault", fault)
    press(page, "fault-on")
    page.get_by_text(f"🔥 {fault} on all symbols at {venue}").wait_for(timeout=5_000)


def test_three_venues_of_one_instrument_stand_in_one_book(page: Page) -> None:
    expect(page.get_by_text("Nothing is running")).to_be_visible()
    expect(page.get_by_text("is chosen: mock:alpha BTC-USDT, mock:beta BTCUSDT, mock:gamma XBT/USDT")).to_be_visible(
        timeout=10_000
    )
    start(page)
    expect_colours(page, *VENUES)
    expect(page.locator(".td-header")).to_contain_text("3/3 venues count")
    expect(page.locator(".td-badge")).to_have_text("SIMULATED MARKET")
    expect(page.locator(".td-best")).not_to_have_count(0)
    for venue in VENUES:
        expect(row(page, venue)).to_contain_text(re.compile(r"\d+ / \d+ ms"), timeout=5_000)


def test_a_silent_venue_is_evicted_within_the_bound_and_comes_back(page: Page) -> None:
    start(page)
    break_at(page, "mock:beta", "refuse rest")  # or it would soon be polled, and count again
    break_at(page, "mock:beta", "stall")
    begun = monotonic()
    expect_standing(page, "mock:beta", "stale|waiting", STALE_AFTER_S + SLACK_S)
    assert monotonic() - begun <= STALE_AFTER_S + SLACK_S
    expect_colours(page, "mock:alpha", "mock:gamma")
    expect(row(page, "mock:beta")).to_contain_text("evicted")
    expect(page.locator(".td-header")).to_contain_text("2/3 venues count")
    press(page, "fault-clear")
    expect_standing(page, "mock:beta", "live", 30)
    expect_colours(page, *VENUES)


def test_a_venue_is_left_out_and_taken_back_and_the_address_says_so(page: Page, browser: Browser) -> None:
    start(page)
    pill = page.locator(".st-key-off").get_by_role("button", name="mock:gamma")
    pill.click()
    expect_standing(page, "mock:gamma", "off", 5)
    expect_colours(page, "mock:alpha", "mock:beta")
    settle(page)
    assert "off=mock%3Agamma" in page.url
    other = open_page(browser, page.url)
    expect_standing(other, "mock:gamma", "off", 20)
    expect_standing(other, "mock:alpha", "live", 20)
    other.context.close()
    pill.click()
    expect_standing(page, "mock:gamma", "live", 5)
    expect_colours(page, *VENUES)


def test_a_gap_is_shown_with_both_sizes_and_after_fees_once_they_are_known(browser: Browser, address: str) -> None:
    tab = open_page(browser, f"{address}{VIEW}&run=1&fee-mock:alpha=1&fee-mock:beta=1&fee-mock:gamma=1")
    gap = tab.locator(".td-gaps b", has_text="GAP").first
    gap.wait_for(timeout=90_000)
    words = tab.locator(".td-gaps").text_content(timeout=1_000) or ""
    if "GAP" in words:  # it may be over by the time it is read
        assert re.search(
            r"gross [\d.]+ USDT \([\d.]+ bps\) • net [+-][\d.]+ bps after fees 1 \+ 1 bps • at most", words
        )
    tab.context.close()


def test_a_wrong_instrument_gets_near_ones_at_every_venue(browser: Browser, address: str) -> None:
    tab = open_page(browser, f"{address}{VIEW}&instrument=BTC/USDD")
    expect(tab.get_by_text("No venue here has BTC/USDD.")).to_be_visible(timeout=10_000)
    expect(tab.get_by_text("Near at mock:gamma: XBT/USDT")).to_be_visible()
    tab.get_by_role("button", name="BTC/USDT?").click()
    settle(tab)
    expect(tab.get_by_text("No venue here has")).to_have_count(0)
    expect(tab.locator(".st-key-start button:enabled")).to_be_visible()
    tab.context.close()


def test_each_venues_own_spelling_is_understood(browser: Browser, address: str) -> None:
    tab = open_page(browser, f"{address}{VIEW}&instrument=XDG-USDT")
    expect(tab.get_by_text("mock:alpha DOGE-USDT, mock:beta DOGEUSDT, mock:gamma XDG/USDT")).to_be_visible(
        timeout=10_000
    )
    tab.context.close()


def test_dollar_coins_are_alike_only_when_asked_and_then_it_is_said(browser: Browser, address: str) -> None:
    tab = open_page(browser, f"{address}{VIEW}&instrument=BTC/USDT&alike=true")
    expect(tab.get_by_text("Dollars and dollar coins are treated alike")).to_be_visible(timeout=10_000)
    expect(tab.get_by_text("BTC/USD* is chosen")).to_be_visible(timeout=10_000)
    tab.context.close()


def test_the_live_page_and_this_one_share_what_runs(page: Page, browser: Browser, address: str) -> None:
    start(page)
    other = open_page(browser, f"{address}/?connector=mock:alpha&symbols=BTC-USDT&run=1")
    card = other.locator('.td-card[data-symbol="BTC-USDT"]')
    # A feed of its own would begin to count anew.
    expect(card).to_have_attribute("data-state", "live", timeout=20_000)
    expect(card).to_have_attribute("data-updates", re.compile(r"\d{2,}"), timeout=20_000)
    other.context.close()
    expect_standing(page, "mock:alpha", "live", 5)


def test_the_live_page_goes_on_where_it_was_left(browser: Browser, address: str) -> None:
    tab = open_page(browser, f"{address}/?connector=mock:beta&symbols=ETHUSDT&run=1")
    card = tab.locator('.td-card[data-symbol="ETHUSDT"]')
    expect(card).to_have_attribute("data-state", "live", timeout=20_000)
    tab.get_by_role("link", name="Across Venues").click()
    settle(tab)
    expect(card).to_have_count(0)
    tab.get_by_role("link", name="Live Trading").click()
    expect(card).to_have_attribute("data-state", "live", timeout=20_000)
    tab.context.close()


def test_each_page_is_found_again_as_it_was_left(page: Page) -> None:
    start(page)
    page.get_by_role("link", name="Live Trading").click()
    settle(page)
    expect(page.get_by_text("Nothing is running")).to_be_visible(timeout=10_000)
    page.get_by_role("link", name="Across Venues").click()
    for venue in VENUES:
        expect_standing(page, venue, "live", 20)
    press(page, "stop")
    expect(page.get_by_text("Nothing is running")).to_be_visible(timeout=10_000)
    page.get_by_role("link", name="Live Trading").click()
    settle(page)
    page.get_by_role("link", name="Across Venues").click()
    settle(page)
    expect(page.get_by_text("Nothing is running")).to_be_visible(timeout=10_000)
    expect(page.locator(".st-key-start button:enabled")).to_be_visible(timeout=10_000)


def test_the_venues_of_a_recording_stand_side_by_side_at_the_age_they_had(
    browser: Browser, address: str, recording: str
) -> None:
    tab = open_page(browser, f"{address}/recordings?recording={recording}")
    press(tab, "replay-across")
    names = [f"replay:{recording}/{venue}" for venue in ("binance", "kraken")]
    for name in names:
        expect_standing(tab, name, "live", 20)
        expect(row(tab, name).locator("td").nth(8)).to_have_text(re.compile(r"^[01]\.\d s$"))
        expect(row(tab, name)).to_contain_text("recording")
    expect(tab.locator(".td-header")).to_contain_text("▶️ REPLAY – BTC/USDT")
    expect(tab.locator(".td-header")).to_contain_text("2/2 venues count")
    expect(row(tab, names[1]).locator("td").first).to_contain_text("kraken XBT/USDT")
    press(tab, "replay-pause")
    expect(tab.locator(".st-key-replay-deck")).to_contain_text(", paused", timeout=10_000)
    tab.locator(".st-key-replay-speed").get_by_text("max", exact=True).click()
    press(tab, "replay-resume")
    expect(tab.locator(".st-key-replay-deck")).to_contain_text(", ended", timeout=20_000)
    again = open_page(browser, tab.url)
    expect_standing(again, names[0], "waiting", 20)
    again.context.close()
    tab.goto(f"{address}/recordings?recording={recording}")
    settle(tab)
    press(tab, "replay")
    for symbol in ("BTCUSDT", "ETHUSDT"):
        expect(tab.locator(f'.td-card[data-symbol="{symbol}"]')).to_be_visible(timeout=20_000)
    tab.context.close()
