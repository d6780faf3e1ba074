from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from engine.errors import PluginError
from engine.plugins import (
    CONNECTOR_METHODS,
    Plugins,
    discover,
    frame_readers,
    make_connector,
    make_connectors,
    make_strategies,
    variants,
)

_numbers = count()
Folder = Callable[..., Plugins]

GOOD = """
class Good:
    name = "{0}"
    def speak(self): ...
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    """Writes files into a package of its own and looks for plugins in it."""
    package = f"plugins_of_a_test_{next(_numbers)}"
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))

    def find(**files: str) -> Plugins:
        for name, text in files.items():
            (tmp_path / package / f"{name}.py").write_text(text, encoding="utf-8")
        return discover(package, "speak")

    yield find
    for name in [name for name in sys.modules if name.startswith(package)]:
        del sys.modules[name]


def test_every_file_with_a_class_of_the_right_kind_is_a_plugin(folder: Folder) -> None:
    plugins = folder(one=GOOD.format("first"), two=GOOD.format("second"))
    assert sorted(plugins.found) == ["first", "second"]
    assert plugins.errors == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nothing_of_this_name", "ModuleNotFoundError"),
        ("class (:", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("name = '\\x00'\nraise ValueError(name)", "ValueError"),
    ],
)
def test_a_file_that_cannot_be_imported_breaks_only_itself(folder: Folder, text: str, said: str) -> None:
    plugins = folder(bad=text, good=GOOD.format("good"))
    assert list(plugins.found) == ["good"]
    [error] = plugins.errors
    assert "bad.py" in str(error)
    assert said in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "", "class Mute:\n    name = 'mute'", "class Nameless:\n    def speak(self): ...",
        "class Empty:\n    name = ''\n    def speak(self): ...", "class Odd:\n    name = 5\n    def speak(self): ...",
        "from abc import ABC, abstractmethod\nclass Half(ABC):\n    name = 'half'\n"
        "    @abstractmethod\n    def speak(self): ...",
    ],
)  # fmt: skip
def test_a_file_without_such_a_class_is_reported(folder: Folder, text: str) -> None:
    plugins = folder(bad=text)
    assert plugins.found == {}
    assert ["bad.py" in str(error) for error in plugins.errors] == [True]


def test_a_name_that_is_taken_is_reported_and_the_first_file_keeps_it(folder: Folder) -> None:
    plugins = folder(a_first=GOOD.format("same"), b_second=GOOD.format("same"))
    assert plugins.found["same"].__module__.endswith("a_first")
    assert ["'same'" in str(error) and "b_second.py" in str(error) for error in plugins.errors] == [True]


def test_two_classes_of_one_name_in_one_file_are_reported(folder: Folder) -> None:
    text = GOOD.format("same") + GOOD.format("same").replace("Good", "Other")
    plugins = folder(one=text)
    assert list(plugins.found) == ["same"]
    assert len(plugins.errors) == 1


def test_a_class_that_was_only_imported_is_no_plugin_of_that_file(folder: Folder) -> None:
    plugins = folder(one=GOOD.format("one"))
    package = plugins.found["one"].__module__.partition(".")[0]
    plugins = folder(two=f"from {package}.one import Good\nclass Two(Good):\n    name = 'two'")
    assert {name: cls.__name__ for name, cls in plugins.found.items()} == {"one": "Good", "two": "Two"}


def test_base_private_files_and_folders_are_no_plugins(folder: Folder) -> None:
    plugins = folder(base="1 / 0", _private="1 / 0", good=GOOD.format("good"))
    assert list(plugins.found) == ["good"]
    assert plugins.errors == []


def test_the_plugins_of_the_house_can_all_be_used() -> None:
    for package, method in (("connectors", "start_stream"), ("strategies", "on_book")):
        plugins = discover(package, method)
        assert plugins.errors == []
        assert plugins.found


def test_a_plugin_offers_itself_or_what_its_variants_name(folder: Folder) -> None:
    text = """
class Many:
    name = "many"
    def __init__(self, settings): self.said = settings["NAMES"]
    def speak(self): ...
    @classmethod
    def variants(cls, settings):
        return {f"many:{name}": cls for name in settings["NAMES"].split(",") if name}
"""
    found = folder(many=text, one=GOOD.format("one")).found
    assert variants(found["one"], {}) == {"one": found["one"]}
    assert variants(found["many"], {"NAMES": ""}) == {}
    makers = variants(found["many"], {"NAMES": "a,b"})
    assert list(makers) == ["many:a", "many:b"]
    assert makers["many:a"]({"NAMES": "a,b"}).said == "a,b"


def test_every_reader_of_frames_is_offered_by_its_own_name() -> None:
    readers = frame_readers()
    assert {name: reader.name for name, reader in readers.items()} == {name: name for name in readers}
    assert {"binance", "mock"} <= set(readers)


BROKEN = {
    "raises": (
        "    def __init__(self, settings): raise ValueError('no good')",
        "ValueError: no good (raises.py, line 4)",
    ),
    "takes_nothing": ("    ...", "TypeError"),
    "has_no_card": ("    def __init__(self, settings): ...", "lacks `start_polling`, `latest_snapshot`"),
    "leaves": ("    def __init__(self, settings): raise SystemExit(2)", "SystemExit"),
    "varies": ("    @classmethod\n    def variants(cls, settings): return 1 / 0", "ZeroDivisionError"),
}


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Puts files beside the plugins of the house: `house("strategies", name, text)`."""
    added: list[str] = []

    def put(package: str, name: str, text: str) -> None:
        folder = tmp_path / package
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
        found = importlib.import_module(package)
        if str(folder) not in found.__path__:
            monkeypatch.setattr(found, "__path__", [*found.__path__, str(folder)])
        added.append(f"{package}.{name}")

    yield put
    for name in added:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", BROKEN)
def test_a_connector_that_cannot_be_made_is_reported_and_the_others_go_on(
    house: Callable[..., None], name: str
) -> None:
    body, said = BROKEN[name]
    house(
        "connectors", name, f"class C:\n    name = '{name}'\n    def start_stream(self, symbol, callback): ...\n{body}"
    )
    made, errors = make_connectors({})
    assert {"mock", "binance", "kraken"} <= set(made)
    assert name not in made
    [words] = [f"{error} {error.hint}" for error in errors]
    assert words.startswith(f"connectors/{name}: ")
    assert said in words
    with pytest.raises(PluginError, match=name):
        make_connector(name, {})
    assert "binance" in frame_readers()


def test_a_connector_whose_card_is_no_card_is_reported(house: Callable[..., None]) -> None:
    methods = "".join([f"    def {method}(self, *a): ...\n" for method in CONNECTOR_METHODS])
    house("connectors", "cardless", f"class C:\n    name = 'cardless'\n    def __init__(self, s): ...\n{methods}")
    made, [error] = make_connectors({})
    assert "cardless" not in made
    assert "`capabilities`" in str(error)


def test_a_setting_that_many_variants_share_is_wrong_once() -> None:
    made, [error] = make_connectors({"MOCK_RATE": "fast"})
    assert "MOCK_RATE is 'fast'" in str(error)
    assert "mock" not in made
    assert "binance" in made


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("class S:\n    name = 'odd'\n    def on_book(self, book): ...", "TypeError"),
        ("@dataclass\nclass S(Strategy):\n    depth: int\n    name = 'odd'\n    def on_book(self, b): 0", "TypeError"),
        ("@dataclass\nclass S:\n    name = 'odd'\n    def on_book(self, book): ...", "lacks `on_trade`, `on_status`"),
        ("@dataclass\nclass S(Strategy):\n    name = 'odd'\n    def on_book(self, book): ...\n"
         "    def __post_init__(self): raise KeyError('window')", "KeyError: 'window' (odd.py, line 7)"),
        ("class S(Strategy):\n    depth: int = param(9, low=1, high=2, help='')", "default 9 lies outside 1 … 2"),
    ],
)  # fmt: skip
def test_a_strategy_that_cannot_be_made_is_reported_and_the_others_go_on(
    house: Callable[..., None], text: str, said: str
) -> None:
    house(
        "strategies", "odd", f"from dataclasses import dataclass\nfrom strategies.base import Strategy, param\n{text}"
    )
    usable, [error] = make_strategies()
    assert "odd" not in usable
    assert "book_pressure" in usable
    assert str(error).startswith("strategies/odd.py: ")
    assert said in str(error)
