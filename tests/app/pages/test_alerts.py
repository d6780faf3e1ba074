"""Alerts in a real browser: a rule is made, fires on the simulated market, is seen on every page and acknowledged."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.app.pages.dashboard import choose, dashboard, open_page, press, settle, tracebacks
from tests.engine.alerts.test_apprise_door import TOKEN, Hook

pytestmark = pytest.mark.browser

LIVE = "/?connector=mock&run=1&symbols=BTC/USDT"


def go(page: Page, name: str) -> None:
    """To another page of the same tab."""
    page.get_by_role("link", name=name, exact=True).first.click()
    settle(page)


def fill(page: Page, key: str, text: str) -> None:
    field = page.locator(f'[class*="st-key-{key}"] input')
    field.fill(text)
    field.press("Enter")
    settle(page)


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    with Hook() as server:
        yield server


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the rules, broken from the first."""
    path = tmp_path_factory.mktemp("alerts") / "alerts.json"
    path.write_text("{")
    return path


@pytest.fixture(scope="module")
def address(hook: Hook, rules: Path) -> Iterator[str]:
    log = rules.with_name("app.log")
    environment = {
        "MOCK_SEED": "7", "ALERT_RULES_FILE": str(rules), "LOG_LEVEL": "DEBUG",
        "ALERT_URLS": f"desk={hook.http_url.replace('http', 'json', 1)}/{TOKEN}",
    }  # fmt: skip
    with dashboard(log, environment) as served:
        yield served
    assert tracebacks(log.read_text()) == []
    assert TOKEN not in log.read_text()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    tab = open_page(browser, f"{address}{LIVE}")
    problems: list[str] = []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    go(tab, "Alerts")
    yield tab
    assert TOKEN not in tab.content()
    tab.context.close()
    assert problems == []


def test_a_rule_is_made_fires_is_told_on_every_page_sent_and_acknowledged(page: Page, hook: Hook, rules: Path) -> None:
    table = page.locator('[data-table="rules"]')
    expect(table).to_have_attribute("data-rows", "10")
    expect(page.get_by_text("cannot be read", exact=False)).to_contain_text("alerts.json")
    fill(page, "rule-condition-new-0", "spred_bps > 0")
    expect(page.get_by_text("Did you mean spread_bps", exact=False)).to_be_visible()
    fill(page, "rule-condition-new-0", "spread_bps > 0 for 1 s")
    expect(page.get_by_text("✓ spread_bps > 0 for 1 s")).to_be_visible()
    fill(page, "rule-name-new-0", "Spread <b>there</b>")
    choose(page, "rule-channels-new-0", "all channels")
    page.keyboard.press("Escape")
    press(page, "rule-save")
    expect(table).to_have_attribute("data-rows", "11", timeout=10_000)
    expect(page.get_by_text("cannot be read", exact=False)).to_have_count(0)
    assert json.loads(rules.read_text())["rules"][-1]["feed"] == ["mock", "BTC/USDT"]
    assert rules.with_name("alerts.json.broken").read_text() == "{"

    toast = page.locator('[data-testid="stToast"]').filter(has_text="Spread <b>there</b>")
    expect(toast).to_be_visible(timeout=20_000)
    expect(toast).to_contain_text("BTC/USDT at mock (simulated): spread_bps is")
    row = page.locator('[data-table="alerts"] tbody tr[data-kind="condition"]').filter(has_text="Spread").first
    expect(row).to_contain_text("desk: sent", timeout=15_000)
    assert json.loads(hook.posts[0].body)["title"] == "[simulated] Spread <b>there</b>: BTC/USDT at mock"

    go(page, "Live Trading")
    bell = page.locator(".td-bell")
    expect(bell).to_have_attribute("data-waiting", re.compile("[1-9]"), timeout=10_000)
    expect(bell).to_contain_text("Spread <b>there</b>")
    go(page, "Alerts")
    number = page.locator(".td-alert").first.get_attribute("data-alert")
    press(page, f"alert-ack-{number}")
    expect(page.locator(f'.td-alert[data-alert="{number}"]')).to_have_count(0, timeout=10_000)
    choose(page, "rule-chosen", "Spread <b>there</b>")
    press(page, "rule-remove")
    expect(table).to_have_attribute("data-rows", "10", timeout=10_000)
    assert len(json.loads(rules.read_text())["rules"]) == 10


def test_what_was_typed_last_is_saved_without_a_pause(page: Page, rules: Path) -> None:
    table = page.locator('[data-table="rules"]')
    before = int(table.get_attribute("data-rows") or 0)
    page.locator('[class*="st-key-rule-condition-new"] input').fill("imbalance_10 > 0.99 for 60 s")
    press(page, "rule-save")
    expect(table).to_have_attribute("data-rows", str(before + 1), timeout=10_000)
    made = json.loads(rules.read_text())["rules"][-1]
    assert (made["condition"], made["name"]) == ("imbalance_10 > 0.99 for 60 s",) * 2
    choose(page, "rule-chosen", made["name"])
    page.locator(f'[class*="st-key-rule-name-{made["id"]}"] input').fill("One-sided")
    press(page, "rule-save")
    expect(table.locator(f'tr[data-rule="{made["id"]}"]')).to_contain_text("One-sided", timeout=10_000)
    press(page, "rule-remove")
    expect(table).to_have_attribute("data-rows", str(before), timeout=10_000)


def test_tests_are_sent_seen_and_heard(page: Page) -> None:
    channel = page.locator('[data-channel="desk"]')
    sent = int(channel.get_attribute("data-sent") or 0)
    press(page, "alert-test-desk")
    expect(channel).to_have_attribute("data-sent", str(sent + 1), timeout=15_000)
    page.locator(".st-key-alert-sound label").first.click()
    settle(page)
    # The tone is on the page for a second only.
    with page.expect_response(lambda answer: answer.url.endswith(".wav")) as tone:
        press(page, "alert-test-toast")
        expect(page.locator('[data-testid="stToast"]').last).to_contain_text("this is a test", timeout=10_000)
    assert tone.value.status in (200, 206)
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("document.documentElement.scrollWidth <= window.innerWidth", timeout=5_000)
