"""Rules survive restarts, crashes and mistakes in their file."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from engine.alerts.rule import Kind, Rule, check, defaults
from engine.alerts.rule_book import MOST_RULES, RuleBook
from engine.errors import ConfigError

FIGURES = ("imbalance_10", "mid")
MINE = Rule("mine", "Mine", Kind.CONDITION, "imbalance_10 > 0.6 for 3 s", ("mock", "BTC/USDT"), channels=("phone",))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "alerts.json"


def names(book: RuleBook) -> list[str]:
    return [rule.id for rule in book.rules()]


def test_without_a_file_the_default_rules_are_in_force_and_nothing_is_written(path: Path) -> None:
    book = RuleBook(path, FIGURES)
    assert book.rules() == defaults()
    assert (book.error, book.problems) == (None, [])
    assert not path.exists()


def test_a_rule_is_read_back_as_it_was_saved(path: Path) -> None:
    book = RuleBook(path, FIGURES)
    book.put(MINE)
    again = RuleBook(path, FIGURES)
    assert again.rules() == book.rules() == [*defaults(), MINE]
    again.put(replace(MINE, name="Other"))
    again.remove("stale")
    third = RuleBook(path, FIGURES)
    assert names(third) == [*[rule.id for rule in defaults()[1:]], "mine"]
    assert third.rules()[-1].name == "Other"


def test_no_trace_is_left_beside_the_file(path: Path) -> None:
    RuleBook(path, FIGURES).put(MINE)
    assert [one.name for one in path.parent.iterdir()] == ["alerts.json"]


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"version": 1}', '{"version": 7, "rules": []}', '{"version": 1, "rules": {}}', "\x00\xff"]
)
def test_a_file_that_cannot_be_read_is_named_and_the_defaults_go_on(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content, encoding="latin-1")
    book = RuleBook(path, FIGURES)
    assert book.rules() == defaults()
    assert str(path) in str(book.error)
    assert path.read_text(encoding="latin-1") == content
    book.put(MINE)
    assert book.error is None
    assert path.with_name("alerts.json.broken").read_text(encoding="latin-1") == content
    assert names(RuleBook(path, FIGURES))[-1] == "mine"


def test_a_rule_that_cannot_be_followed_is_left_out_told_and_never_lost(path: Path) -> None:
    path.parent.mkdir()
    wrong = [
        {"id": "a", "name": "A", "kind": "condition", "condition": "imbalance_11 > 1"},
        {"id": "b", "name": "B", "kind": "nonsense"},
        {"id": "c", "name": "C", "kind": "gap", "cooldown": 5},
        "no rule at all",
    ]
    path.write_text(json.dumps({"version": 1, "rules": [*wrong, msgspec.to_builtins(MINE)]}))
    book = RuleBook(path, FIGURES)
    assert names(book) == ["mine"]
    assert [problem[:6] for problem in book.problems] == ["Rule 1", "Rule 2", "Rule 3", "Rule 4"]
    assert "Did you mean imbalance_10?" in book.problems[0]
    book.remove("mine")
    assert json.loads(path.read_text())["rules"] == wrong


def test_a_folder_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    book = RuleBook(tmp_path / "file" / "alerts.json", FIGURES)
    with pytest.raises(ConfigError, match="could not be written"):
        book.put(MINE)
    assert book.rules() == defaults()


def test_there_is_an_end_to_the_number_of_rules() -> None:
    book = RuleBook(None, FIGURES)
    for number in range(MOST_RULES - len(defaults())):
        book.put(replace(MINE, id=str(number)))
    with pytest.raises(ConfigError, match="rules already"):
        book.put(MINE)
    book.put(replace(MINE, id="1", name="Replaced"))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": " "}, "name"), ({"name": "x" * 81}, "80 characters"), ({"cooldown_s": -1.0}, "cooldown"),
        ({"cooldown_s": float("nan")}, "cooldown"), ({"least": float("inf")}, "least"),
        ({"feed": ("mock", "")}, "symbol"),
        ({"condition": "mid"}, "comparison"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_followed_is_refused_in_words(changed: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        check(replace(MINE, **changed), FIGURES)
