"""The documents keep their word: their code runs, their links lead somewhere, their words and commands exist."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Condition
from threading import enumerate as enumerate_threads
from types import ModuleType
from typing import Any
from urllib.parse import quote, unquote

import pytest

import connectors
import strategies
from app.words import state_word
from engine import errors
from engine.connector import Connector
from engine.feed.feed import Feed
from engine.feed.mailbox import EventQueue, FeedKey
from engine.feed.sync import WholeBooks
from engine.hub import Hub
from engine.market.events import BookDelta, BookSnapshot, FeedState, FeedStatus, MarketEvent, Trade
from engine.plugins import discover
from engine.settings import _VENUE_PREFIXES, VARIABLES
from engine.store.captures.verify import recognise, verify
from engine.strategy.params import parameters
from tests.fakes.http_server import HttpRequest, HttpResponse
from tests.fakes.websocket_server import FakeServer, Session

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
CODE_FOLDERS = ("app", "connectors", "engine", "strategies")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
IN_CODE = re.compile(r"`[^`]+`")
SYMBOL = "APPLE/USD"
NOW_MS = 1_700_000_000_000
BOUND_S = 8.0


def page_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path, language: str) -> list[str]:
    return [text for kind, text in FENCE.findall(path.read_text(encoding="utf-8")) if kind == language]


def code(page: str) -> list[tuple[str, str]]:
    """The Python blocks of a page: the file that the first line names, and the text below it."""
    found = []
    for text in blocks(DOCS / page, "python"):
        first, rest = text.split("\n", 1)
        assert first.startswith("# "), f"{page}: a block must begin with the name of its file, not {first!r}"
        found.append((first[2:], rest))
    return found


# ---- The two tutorials


class House:
    """A folder that counts as a part of `connectors` or `strategies`, so that a file in it is dropped in for real."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        for package in (connectors, strategies):
            (folder / package.__name__).mkdir()
            monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder / package.__name__)])

    def put(self, file: str, text: str) -> str:
        """Write a file of the page; its module name."""
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        module = file.removesuffix(".py").replace("/", ".")
        forget(module)
        importlib.invalidate_caches()
        return module

    def plugin(self, package: str, method: str, name: str) -> type:
        """The plugin of that name as the engine finds it."""
        plugins = discover(package, method)
        assert [str(error) for error in plugins.errors] == []
        return plugins.found[name]

    def run_tests(self, file: str, text: str) -> int:
        """Run every test in a block; how many there were."""
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        module = ModuleType(path.stem)
        exec(compile(text, str(path), "exec"), module.__dict__)
        tests = [value for name, value in vars(module).items() if name.startswith("test_")]
        for test in tests:
            test()
        return len(tests)


def forget(module: str) -> None:
    sys.modules.pop(module, None)
    package, _, name = module.rpartition(".")
    if hasattr(sys.modules.get(package), name):
        delattr(sys.modules[package], name)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    yield House(tmp_path, monkeypatch)
    for page in ("add_a_connector.md", "add_a_strategy.md"):
        for file, _ in code(page):
            forget(file.removesuffix(".py").replace("/", "."))


class Fairground(FakeServer):
    """The venue of the tutorial: apples are bid and asked, and a number grows with every change of the book.

    Its books carry that number unless `numbered` is off (as in the first version of its interface).
    """

    def __init__(self, *, numbered: bool = True) -> None:
        super().__init__()
        self.numbered = numbered
        self.seq = 10
        self.bid_size = 2

    def on_http(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/markets":
            return says([[SYMBOL, "APPLE", "USD"], ["PEAR/USD", "PEAR", "USD"]])
        if request.path == "/book" and request.query.get("market") == SYMBOL:
            return says(self.book())
        return says({"error": "no such thing"}, status=404)

    def on_text(self, session: Session, text: str) -> None:
        if json.loads(text)["do"] == "subscribe":
            session.send(json.dumps({"type": "notice", "market": "", "accepted": True}))

    def book(self) -> dict[str, Any]:
        with self.changed:
            number = {"seq": self.seq} if self.numbered else {}
            return {"bids": [["1.10", str(self.bid_size)]], "asks": [["1.20", "3"]], **number}

    def change(self, *, lost: int = 0) -> dict[str, Any]:
        """One more apple is bid; `lost` updates before it never arrive. The frame that says so."""
        with self.changed:
            self.seq += 1 + lost
            self.bid_size += 1
            frame = {
                "type": "change", "market": SYMBOL, "first": self.seq, "last": self.seq, "at_ms": NOW_MS,
                "bids": [["1.10", str(self.bid_size)]], "asks": [],
            }  # fmt: skip
        self.tell(frame)
        return frame

    def trade(self, number: int) -> None:
        self.tell(
            {
                "type": "trade", "market": SYMBOL, "id": number, "at_ms": NOW_MS, "price": "1.2", "size": "1",
                "taker": "buy",
            }
        )  # fmt: skip

    def tell(self, frame: dict[str, Any]) -> None:
        for session in list(self.sessions):
            session.send(json.dumps(frame))


def says(content: object, status: int = 200) -> HttpResponse:
    # Ending each connection leaves nothing open behind a connector that keeps a client of its own.
    return HttpResponse(status, json.dumps(content).encode(), {"Connection": "close"})


class Ear:
    """Hears what a connector says, and waits for what is to come."""

    def __init__(self) -> None:
        self.events: list[MarketEvent] = []
        self._news = Condition()

    def __call__(self, event: MarketEvent) -> None:
        with self._news:
            self.events.append(event)
            self._news.notify_all()

    def until(self, heard: Callable[[list[MarketEvent]], object]) -> None:
        with self._news:
            assert self._news.wait_for(lambda: heard(self.events), BOUND_S), self.events


def states(events: list[MarketEvent]) -> list[FeedState]:
    return [event.state for event in events if isinstance(event, FeedStatus)]


def bids(events: list[MarketEvent]) -> list[float]:
    """The sizes of the best bid in the order in which they were heard."""
    return [event.bids[0][1] for event in events if isinstance(event, BookSnapshot | BookDelta)]


def connector_at(venue: Fairground, found: type) -> Connector:
    settings = {"FAIRGROUND_REST_URL": venue.http_url, "FAIRGROUND_WS_URL": venue.ws_url}
    connector: Connector = found(settings)
    return connector


def test_the_tutorial_for_connectors_has_the_blocks_that_are_run_here() -> None:
    files = [file for file, _ in code("add_a_connector.md")]
    assert files == ["connectors/fairground.py", "connectors/fairground.py", "tests/connectors/test_fairground.py"]


def test_a_connector_for_rest_only_takes_one_file_of_less_than_forty_lines() -> None:
    _, text = code("add_a_connector.md")[0]
    assert "(PollingConnector)" in text
    assert len(text.splitlines()) < 40


def test_the_rest_only_connector_of_the_tutorial_works(house: House) -> None:
    file, text = code("add_a_connector.md")[0]
    house.put(file, text)
    found = house.plugin("connectors", "start_stream", "fairground")
    with Fairground(numbered=False) as venue:
        connector = connector_at(venue, found)
        try:
            assert [one.unified for one in connector.instruments()] == [SYMBOL, "PEAR/USD"]
            assert connector.fetch_snapshot(SYMBOL).bids == ((1.1, 2.0),)
            ear = Ear()
            stream = connector.start_polling(SYMBOL, ear, 0.05)
            ear.until(lambda events: bids(events) == [2.0])
            venue.change()
            ear.until(lambda events: bids(events) == [2.0, 3.0])
            stream.stop()
            assert states(ear.events)[-1] is FeedState.POLLING
            assert {event.source for event in ear.events if isinstance(event, BookSnapshot)} == {"poll"}
            wrong = Ear()
            connector.start_polling("APLE/USD", wrong, 0.05)
            wrong.until(states)
            with pytest.raises(errors.FeedError):
                connector.fetch_snapshot("APLE/USD")
        finally:
            connector.close()
        assert venue.wait_for(
            lambda: not [one.name for one in enumerate_threads() if one.name.startswith("fairground")]
        )


def test_the_hub_polls_a_connector_without_a_stream(house: House) -> None:
    file, text = code("add_a_connector.md")[0]
    house.put(file, text)
    found = house.plugin("connectors", "start_stream", "fairground")
    key: FeedKey = ("fairground", SYMBOL, "stream")
    with Fairground(numbered=False) as venue:
        hub = Hub({"fairground": connector_at(venue, found)})
        queue = EventQueue()
        subscription = hub.subscribe([key], queue)
        try:
            heard: list[MarketEvent] = []

            def has_come() -> bool:
                heard.extend([update.event for update in queue.drain()])
                return bids(heard) == [2.0]

            assert venue.wait_for(has_come, BOUND_S)
            assert "does not support WebSocket streaming" in hub.notice(key)
        finally:
            subscription.close()
            hub.close()


def test_the_streaming_connector_of_the_tutorial_works_and_recovers_from_a_gap(house: House) -> None:
    file, text = code("add_a_connector.md")[1]
    house.put(file, text)
    found = house.plugin("connectors", "start_stream", "fairground")
    with Fairground() as venue:
        connector = connector_at(venue, found)
        try:
            ear = Ear()
            connector.start_stream(SYMBOL, ear)
            assert venue.wait_for(lambda: venue.counts["text"] >= 1, BOUND_S)
            venue.change()
            ear.until(lambda events: states(events)[-1:] == [FeedState.LIVE])
            venue.change()
            venue.trade(1)
            ear.until(lambda events: any(isinstance(event, Trade) for event in events))
            assert bids(ear.events)[-1] == 4.0
            venue.change(lost=2)
            ear.until(lambda events: states(events)[-2:] == [FeedState.SYNCING, FeedState.LIVE])
            ear.until(lambda events: bids(events)[-1] == 5.0)
            assert connector.latest_snapshot(SYMBOL) is not None
            assert venue.accepted == 1
        finally:
            connector.close()


def test_a_capture_of_the_tutorials_venue_can_be_verified(house: House, tmp_path: Path) -> None:
    file, text = code("add_a_connector.md")[1]
    house.put(file, text)
    found = house.plugin("connectors", "decode", "fairground")
    stream = "wss://stream.fairground.example/v2"
    book = f"https://api.fairground.example/book?market={quote(SYMBOL, safe='')}&depth=1000"
    with Fairground() as venue:
        records = [
            {"t": 1.0, "ch": "ws", "dir": "recv", "url": stream, "data": json.dumps(venue.change())},
            {"t": 2.0, "ch": "http", "dir": "resp", "url": book, "data": json.dumps(venue.book())},
            {"t": 3.0, "ch": "ws", "dir": "recv", "url": stream, "data": json.dumps(venue.change())},
        ]
    capture = tmp_path / "fairground.jsonl"
    capture.write_text("\n".join([json.dumps(record) for record in records]), encoding="utf-8")
    report = verify(capture, recognise(capture, {"fairground": found()}))
    assert report.problems == []
    assert report.symbols[SYMBOL]["top"]["bids"] == [["1.1", "4"]]


def test_the_tests_in_the_tutorial_for_connectors_pass(house: House) -> None:
    (_, _), (file, text), (tests_file, tests) = code("add_a_connector.md")
    house.put(file, text)
    assert house.run_tests(tests_file, tests) == 2


def test_the_strategies_of_the_tutorial_are_found_and_their_tests_pass(house: House) -> None:
    *files, (tests_file, tests) = code("add_a_strategy.md")
    assert [file for file, _ in files] == ["strategies/top_heavy.py", "strategies/streak.py"]
    for file, text in files:
        house.put(file, text)
    found = {name: house.plugin("strategies", "on_book", name) for name in ("top_heavy", "streak")}
    assert [item.name for item in parameters(found["streak"])] == ["length", "least_size"]
    assert house.run_tests(tests_file, tests) == 3


def test_the_smallest_strategy_speaks_when_far_more_is_bid_than_asked(house: House) -> None:
    file, text = code("add_a_strategy.md")[0]
    house.put(file, text)
    strategy = house.plugin("strategies", "on_book", "top_heavy")()
    for size, said in ((30.0, ["buy"]), (20.0, [])):
        feed = Feed("mock", SYMBOL, WholeBooks())
        feed.push(BookSnapshot("mock", SYMBOL, ((1.1, size),), ((1.2, 2.0),), None, None, 1, "mock"))
        assert [signal.direction for signal in strategy.on_book(feed.view)] == said


# ---- What every page claims


def test_every_page_that_the_readme_promises_is_there() -> None:
    names = ("architecture", "glossary", "add_a_connector", "add_a_strategy", "operations", "decisions/README")
    assert [name for name in names if not (DOCS / f"{name}.md").is_file()] == []


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_every_link_leads_somewhere(path: Path) -> None:
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    wrong = []
    for target in LINK.findall(IN_CODE.sub("", text)):
        file, _, anchor = unquote(target).partition("#")
        if "://" in target:
            continue
        other = (path.parent / file).resolve() if file else path
        if not other.exists() or (anchor and anchor not in anchors(other)):
            wrong.append(target)
    assert not wrong


def anchors(path: Path) -> set[str]:
    """The headings of a page as GitHub makes addresses of them."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_every_file_that_a_page_names_exists(path: Path) -> None:
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    named = re.findall(r"`((?:app|connectors|engine|strategies|tests|docs|benchmarks)/[\w./-]+)`", text)
    made_up = {file for page in ("add_a_connector.md", "add_a_strategy.md") for file, _ in code(page)}
    assert [name for name in named if name not in made_up and not (ROOT / name).exists()] == []


def names_in_code() -> set[str]:
    """Every class, function, field and constant that is defined in our code."""
    found: set[str] = set()
    for folder in CODE_FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    found.add(node.name)
                elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    found.add(node.id)
                elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                    found.add(node.attr)
                elif isinstance(node, ast.arg):
                    found.add(node.arg)
    return found


def test_every_class_in_the_glossary_exists() -> None:
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("|")]
    words = [word for row in rows for word in re.findall(r"`([A-Z]\w+)`", row)]
    assert len(words) > 20
    known = names_in_code()
    assert [word for word in words if word not in known] == []


@pytest.mark.parametrize("name", ["architecture.md", "glossary.md", "operations.md"])
def test_every_name_in_code_marks_exists(name: str) -> None:
    """`Feed.push` and `Mailbox.dropped`: the class and the member are both in the code."""
    text = FENCE.sub("", (DOCS / name).read_text(encoding="utf-8"))
    known = names_in_code()
    dotted = re.findall(r"`([A-Z]\w+)\.(\w+)(?:\(\))?`", text)
    assert [f"{owner}.{member}" for owner, member in dotted if owner not in known or member not in known] == []


def commands() -> list[tuple[str, list[str]]]:
    """Every line in a shell block that calls something of ours, with its words up to a comment."""
    found = []
    for path in PAGES:
        for text in blocks(path, "sh"):
            for line in text.splitlines():
                words = line.split(" #")[0].split()
                while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
                    words = words[1:]
                if words:
                    found.append((page_name(path), words))
    return found


def test_every_command_names_a_script_and_options_that_exist() -> None:
    help_of = {
        "./run_app.sh": run("./run_app.sh", "--help"),
        "verify": run(sys.executable, "-m", "engine", "verify", "--help"),
        "smoke": run(sys.executable, "-m", "engine", "smoke", "--help"),
        "record": run(sys.executable, "-m", "engine", "record", "--help"),
    }
    tests_usage = (ROOT / "run_tests.sh").read_text(encoding="utf-8")
    for page, words in commands():
        program, *rest = words
        if program == "./run_app.sh":
            own = [word for word in rest if word.startswith("--") and "." not in word]
            assert all(option in help_of[program] for option in own), (page, words)
        elif program == "./run_tests.sh":
            assert all(f"    {scope})" in tests_usage for scope in rest), (page, words)
        elif program == ".venv/bin/python" and rest[:2] == ["-m", "engine"] and rest[2] in help_of:
            options = [word for word in rest[3:] if word.startswith("--")]
            assert all(option in help_of[rest[2]] for option in options), (page, words)
        elif program == ".venv/bin/python" and rest[:4] == ["-m", "pip", "install", "-r"]:
            assert (ROOT / rest[4]).is_file(), (page, words)
        elif program == ".venv/bin/streamlit":
            assert rest[0] == "run", (page, words)
            assert (ROOT / rest[1]).is_file(), (page, words)
        else:
            assert program in ("cp", "curl", "mkdir"), (page, words)


def run(*words: str) -> str:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_setting_in_the_operations_page_is_one_and_none_is_missing() -> None:
    text = (DOCS / "operations.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z_]+)` \|", text, re.MULTILINE)
    assert set(VARIABLES) <= set(rows)
    defaults = dict(re.findall(r"^\| `([A-Z_]+)` \| `([^`]+)` \|", text, re.MULTILINE))
    example = dict(
        re.findall(r"^#? ?([A-Z_]+)=(.+)$", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert {name: defaults.get(name) for name in example} == example
    venues = re.compile("|".join([*_VENUE_PREFIXES, ".+_(WS|REST)_URL$", ".+_TAKER_FEE_BPS$"]))
    others = {name for name in rows if name not in VARIABLES and not venues.match(name)}
    assert others == {"PYTHON"}


def test_every_state_of_a_feed_has_its_line_in_the_operations_page() -> None:
    text = (DOCS / "operations.md").read_text(encoding="utf-8")
    rows = {cells[1].strip() for line in text.splitlines() if len(cells := line.strip("|").split("|")) == 4}
    assert {state_word(state) for state in FeedState} <= rows


def test_the_tree_of_errors_is_printed_as_it_is() -> None:
    printed: dict[str, tuple[str, bool]] = {}
    above: list[str] = []
    for line in inspect.cleandoc(errors.__doc__ or "").splitlines():
        if found := re.match(r"^( *)\* (\w+)( \(retryable\))?", line):
            depth = len(found[1]) // 4
            above = [*above[:depth], found[2]]
            printed[found[2]] = (above[-2] if depth else "Exception", bool(found[3]))
    real = {
        name: (value.__mro__[1].__name__, value.retryable)
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, errors.EngineError)
    }
    assert printed == real
