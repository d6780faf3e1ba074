"""The Recordings page as its script draws it: stores that fail, recordings that were cut off, limits in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from msgspec.structs import replace
from streamlit.testing.v1 import AppTest

from app.panels.recording_store import limits
from app.wiring import archive, close_archive, directory, engine
from engine.errors import StoreError
from engine.process import close_engine, services
from engine.store.opening import open_store
from engine.store.recording.options import RecordOptions
from engine.store.work import Outcome, ProgressCall
from tests.app.support import wait_until
from tests.engine.store.events import KEY, START_NS, fill, order, run_of, snapshot, trade

MAIN = Path(__file__).resolve().parents[3] / "app" / "main.py"
FIRST_RUN_S = 60.0


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which the process keeps its recordings; the process's engine ends with the test."""
    monkeypatch.setenv("STORE_URL", f"duckdb:///{tmp_path}/tape.duckdb")
    monkeypatch.setenv("EXPORTS_DIR", str(tmp_path / "exports"))
    monkeypatch.setenv("CAPTURES_DIR", str(tmp_path / "captures"))
    yield tmp_path
    close_archive()
    close_engine()
    services.clear()


def draw(name: str = "recordings", **query: str) -> AppTest:
    page = AppTest.from_file(str(MAIN), default_timeout=FIRST_RUN_S)
    page.switch_page(f"pages/{name}.py")
    for parameter, value in query.items():
        page.query_params[parameter] = value
    page.run()
    assert not page.exception
    return page


def words(page: AppTest) -> str:
    html = [element.proto.body for element in page.get("html")]
    return " ".join([*html, *[str(element.value) for element in (*page.warning, *page.error, *page.caption)]])


def plain_words(markdown: str) -> str:
    return markdown.replace("\\", "")


def leave_behind(folder: Path, *, end: bool) -> str:
    """A recording in the store of a process that ended, or died."""
    store = open_store(f"duckdb:///{folder}/tape.duckdb")
    made = store.begin([KEY], at_ns=START_NS, note="the *big* one")
    store.append(made.id, run_of([snapshot(), trade(1.0)]))
    if end:
        store.end(made.id, at_ns=START_NS + 10**9)
    store.close()
    return made.id


def test_an_empty_store_says_so_and_offers_to_record(here: Path) -> None:
    page = draw()
    assert "Nothing was recorded yet." in words(page)
    assert page.button(key="record").disabled, "nothing is chosen yet"
    assert "replay" not in [button.key for button in page.button]


def test_a_recording_that_was_cut_off_is_told_with_how_far_it_is_whole(here: Path) -> None:
    name = leave_behind(here, end=False)
    page = draw()
    assert any(name.replace("-", "\\-") in warning.value and "cut off" in warning.value for warning in page.warning)
    assert "cut off by a crash" in words(page)
    assert not page.button(key="export").disabled


def test_orders_and_fills_are_told_of_a_recording_that_has_some(here: Path) -> None:
    plain = leave_behind(here, end=True)
    assert "orders" not in words(draw())
    store = open_store(f"duckdb:///{here}/tape.duckdb")
    traded = store.begin([KEY], at_ns=START_NS + 10**9)
    store.append(traded.id, run_of([order(), order(1.0), fill(2.0)]))
    store.end(traded.id, at_ns=START_NS + 3 * 10**9)
    store.close()
    close_engine()
    assert "orders 2 · fills 1" in plain_words(words(draw(recording=traded.id)))
    assert "fills" not in words(draw(recording=plain))


def test_an_address_chooses_the_recording(here: Path) -> None:
    older, _ = leave_behind(here, end=True), leave_behind(here, end=True)
    page = draw(recording=older)
    assert page.selectbox(key="recording").value == older
    assert "not here" in words(draw(recording="20200101-000000-gone"))


def test_an_address_opens_its_recording_again_after_a_restart(here: Path) -> None:
    name = leave_behind(here, end=True)
    page = draw("live_trading", connector=f"replay:{name}", symbols=KEY[1], run="1")
    assert page.selectbox(key="connector").value == f"replay:{name}"
    replay = engine().connectors[f"replay:{name}"]
    assert replay.capabilities.source == "replay"
    assert [instrument.symbol for instrument in replay.instruments()] == [KEY[1]]


def test_an_address_of_a_recording_that_is_gone_is_told_and_makes_no_store(here: Path) -> None:
    page = draw("live_trading", connector="replay:20200101-000000-gone", run="1")
    assert any("There is no connector" in warning.value for warning in page.warning)
    assert not list(here.iterdir())


def test_a_store_that_is_no_store_leaves_the_rest_of_the_page_alone(here: Path) -> None:
    (here / "tape.duckdb").write_bytes(b"these are not recordings" * 1000)
    page = draw()
    assert "tape.duckdb" in plain_words(page.error[0].value)
    assert here.name not in page.error[0].value
    assert page.button(key="record")
    live = draw("live_trading", connector="mock")
    told = next(caption.value for caption in live.caption if "tape.duckdb" in plain_words(caption.value))
    assert here.name not in told


def test_limits_are_told_with_the_names_of_their_settings() -> None:
    told = limits(RecordOptions(keep_days=7.0, max_gb=2.0))
    assert "deleted after 7 days (RECORD_KEEP_DAYS)" in told
    assert "above 2 GB (RECORD_MAX_GB; what ended within the last day stays)" in told
    free = limits(RecordOptions(keep_days=0.0, max_gb=0.0, depth_every_s=0.0, timeframes=()))
    assert "whatever their age" in free
    assert "without a limit of size" in free
    assert "no market_depth (RECORD_DEPTH_EVERY_S) and no bars" in free


def test_long_work_has_a_bar_and_is_called_off_by_its_button(here: Path) -> None:
    begun = Event()

    def task(progress: ProgressCall) -> Outcome:
        while True:
            progress(3, 12, "events")
            begun.set()

    page = draw()
    number = archive().works.start("Session *bundle*", task)
    assert begun.wait(5.0)
    page.run()
    (bar,) = page.get("progress")
    assert bar.proto.value == 25
    assert "events 3 of 12" in plain_words(bar.proto.text)
    page.button(key=f"work-cancel-{number}").click().run()
    assert wait_until(lambda: archive().works.reports()[0].state == "cancelled", 5.0)
    page.run()
    assert any("called off, nothing of it is left" in text.value for text in page.markdown)
    page.button(key=f"work-forget-{number}").click().run()
    assert archive().works.reports() == []


def test_a_failure_is_told_with_what_to_do_and_without_folders(here: Path) -> None:
    def task(progress: ProgressCall) -> Outcome:
        raise StoreError("/srv/me/data/x.csv.zip cannot be written: no room", hint="Make room.")

    page = draw()
    archive().works.start("CSV", task)
    assert wait_until(lambda: archive().works.reports()[0].state == "failed", 5.0)
    page.run()
    told = " ".join([plain_words(text.value) for text in page.markdown])
    assert "x.csv.zip cannot be written: no room. Make room." in told
    assert "/srv/me" not in told


def test_recording_is_switched_on_and_off_on_the_page(here: Path) -> None:
    page = draw()
    assert wait_until(lambda: directory().listing(engine().connectors["mock"]).state == "ready", 5.0)
    page.run()
    page.multiselect(key="record-symbols-mock").select("BTC/USDT")
    page.text_input(key="record-note").input("a note")
    page.run()
    page.button(key="record").click().run()
    recording = engine().recording.state().recording
    assert recording is not None
    assert (recording.feeds, recording.note) == ((("mock", "BTC/USDT", "stream"),), "a note")
    assert page.button(key="replay").disabled
    page.button(key="record-stop").click().run()
    assert engine().recording.state().recording is None
    assert not page.exception
    assert [one.ending for one in archive().store().recordings()] == ["stopped"]


def test_what_will_be_deleted_is_told_on_the_page_before_it_is(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_behind(here, end=True)
    assert not draw().warning
    monkeypatch.setattr(engine().recording, "options", replace(engine().recording.options, max_gb=1e-6))
    [warning] = draw().warning
    assert "that RECORD_MAX_GB allows" in plain_words(warning.value)
    assert "Export what is to stay" in warning.value
    assert len(archive().store().recordings()) == 1
