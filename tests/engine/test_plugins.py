from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from engine.plugins import Plugins, discover, frame_readers, variants

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
