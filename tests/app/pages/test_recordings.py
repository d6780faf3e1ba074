"""The Recordings page in a real browser: record the mock, stop, replay, export, open a session, delete."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from engine.store.exports.bundle_reader import Bundle
from tests.app.pages.dashboard import choose, dashboard, open_page, press, settle, tracebacks

pytestmark = pytest.mark.browser

WAIT_MS = 20_000
SECRET = "f1nnhubK3y0000000777"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture(scope="module")
def environment(folder: Path) -> dict[str, str]:
    return {
        "MOCK_SEED": "7", "MOCK_RATE": "40", "HUB_LINGER_S": "1", "FINNHUB_API_KEY": SECRET,
        "STORE_URL": f"duckdb:///{folder}/tape.duckdb", "EXPORTS_DIR": str(folder / "exports"),
        "CAPTURES_DIR": str(folder / "captures"), "RECORD_FLUSH_S": "0.2", "RECORD_DEPTH_EVERY_S": "1",
    }  # fmt: skip


@pytest.fixture(scope="module")
def address(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    log = folder / "app.log"
    with dashboard(log, environment) as served:
        yield served
    said = log.read_text()
    assert tracebacks(said) == []
    assert "leaked" not in said


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    tab = open_page(browser, f"{address}/recordings")
    problems: list[str] = []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    yield tab
    tab.context.close()
    assert problems == []


def light(page: Page, words: str) -> Locator:
    return page.locator(".td-rec", has_text=re.compile(words))


def row(page: Page, ending: str) -> Locator:
    return page.locator(f'[data-table="recordings"] tr[data-ending="{ending}"]')


def record(page: Page, browser: Browser, address: str) -> None:
    """A hundred events and more of the mock, and its raw frames; seen on another page as well."""
    page.locator(".st-key-record-symbols-mock input").click()
    page.get_by_role("option", name="BTC/USDT", exact=True).click()
    page.keyboard.press("Escape")
    settle(page)
    page.locator(".st-key-record-frames label").first.click()
    settle(page)
    page.locator(".st-key-record button:enabled").click()
    expect(light(page, r"REC \d\d:\d\d · \d+ events")).to_be_visible(timeout=WAIT_MS)
    expect(light(page, r"RAW mock \d\d:\d\d · \d+ frames")).to_be_visible(timeout=WAIT_MS)
    expect(row(page, "running")).to_have_count(1, timeout=WAIT_MS)
    other = open_page(browser, f"{address}/across")
    expect(light(other, r"REC \d\d:\d\d · [1-9]\d+ events")).to_be_visible(timeout=WAIT_MS)
    other.context.close()
    expect(light(page, r"REC \d\d:\d\d · [1-9]\d{2,} events")).to_be_visible(timeout=WAIT_MS)  # some are trades
    press(page, "record-stop")
    expect(row(page, "stopped")).to_have_count(1, timeout=WAIT_MS)
    expect(page.locator(".td-rec")).to_have_count(0, timeout=WAIT_MS)


def export(page: Page, kind: str, ending: str) -> Path:
    """What a person gets who exports and downloads."""
    choose(page, "export-kind", kind)
    press(page, "export")
    done = page.locator('[class*="st-key-work-"]', has_text=re.compile(rf"{re.escape(ending)}, [\d.]+"))
    expect(done).to_have_count(1, timeout=WAIT_MS)
    settle(page)  # the lists are drawn anew when a task ends
    with page.expect_download(timeout=WAIT_MS) as download:
        done.get_by_role("button", name="Download").click(timeout=WAIT_MS)
    return Path(download.value.path())


def test_a_life_of_a_recording(page: Page, browser: Browser, address: str, folder: Path) -> None:
    record(page, browser, address)
    expect(page.locator('[data-table="recording-quality"] tr[data-feed="mock BTC/USDT"]')).to_contain_text(
        re.compile(r"\d")
    )
    expect(page.locator('[data-table="recording-gaps"]')).to_contain_text("Nothing is missing.", timeout=WAIT_MS)
    expect(page.get_by_text("RECORD_MAX_GB")).to_be_visible()

    # Checked as the documents do.
    page.get_by_text("Check the tables", exact=True).click()
    expect(page.locator('[data-check="count"]')).to_have_attribute("data-rows", re.compile("[1-9]"), timeout=WAIT_MS)
    expect(page.locator('[data-table="check-aggregated"]')).to_contain_text("BTC/USDT", timeout=WAIT_MS)

    # Exported.
    bundle = export(page, "Session bundle", ".tapedeck.zip")
    with Bundle(bundle) as opened:
        assert opened.manifest.entries > 10
        assert opened.settings()["FINNHUB_API_KEY"] == "***"
    with zipfile.ZipFile(bundle) as archive:
        assert not [name for name in archive.namelist() if SECRET.encode() in archive.read(name)]
    with zipfile.ZipFile(export(page, "CSV", ".csv.zip")) as archive:
        assert archive.read("trades.csv").count(b"\n") > 1
    assert export(page, "DuckDB", ".duckdb").read_bytes()[8:12] == b"DUCK"

    # Opened again, as it would be on another machine; rubbish is not.
    page.get_by_text("Open a session from another machine").click()
    upload = page.locator(".st-key-session-file input[type=file]")
    upload.set_input_files({"name": "x.zip", "mimeType": "application/zip", "buffer": b"rubbish"})
    page.locator(".st-key-session-open button").click(timeout=WAIT_MS)
    expect(page.get_by_text("this file is no session bundle")).to_be_visible(timeout=WAIT_MS)
    upload.set_input_files({"name": "s.zip", "mimeType": "application/zip", "buffer": bundle.read_bytes()})
    expect(page.locator(".st-key-session-file")).to_contain_text("s.zip", timeout=WAIT_MS)
    settle(page)
    press(page, "session-open")
    expect(row(page, "stopped")).to_have_count(2, timeout=WAIT_MS)
    expect(page.locator('[data-table="recordings"]')).to_contain_text("copy of", timeout=WAIT_MS)

    # Deleted, after a question that names it.
    press(page, "delete")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(re.compile(r"\d+ events of mock BTC/USDT"), timeout=WAIT_MS)
    expect(dialog).to_contain_text("This cannot be undone.", timeout=WAIT_MS)
    dialog.get_by_role("button", name="Keep it").click()
    expect(dialog).to_have_count(0, timeout=WAIT_MS)
    expect(row(page, "stopped")).to_have_count(2, timeout=WAIT_MS)
    press(page, "delete")
    dialog.get_by_role("button", name="Delete for good").click()
    expect(row(page, "stopped")).to_have_count(1, timeout=WAIT_MS)

    # Its raw frames.
    expect(page.locator('[data-table="flights"]')).to_contain_text("mock", timeout=WAIT_MS)
    press(page, "flight-pack")
    expect(page.get_by_text(re.compile(r"\.frames\.zip, "))).to_be_visible(timeout=WAIT_MS)
    press(page, "flight-delete")
    expect(dialog).to_contain_text(re.compile(r"[1-9]\d* records of mock"), timeout=WAIT_MS)
    dialog.get_by_role("button", name="Delete for good").click()
    expect(page.locator('[data-table="flights"]')).to_have_count(0, timeout=WAIT_MS)
    assert not list((folder / "captures").iterdir())

    # Played, and found again by its address.
    press(page, "replay")
    card = page.locator('.td-card[data-symbol="BTC/USDT"]')
    expect(card).to_contain_text("recording", timeout=WAIT_MS)
    expect(card).to_have_attribute("data-updates", re.compile(r"\d{2,}"), timeout=WAIT_MS)
    assert "connector=replay" in page.url
