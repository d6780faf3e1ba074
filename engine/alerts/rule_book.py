"""The rules of the process, kept in a JSON file that is replaced whole. What cannot be read is said, and never lost."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from threading import Lock
from typing import Any

import msgspec

from engine.alerts.rule import Rule, check, defaults
from engine.errors import ConfigError

VERSION = 1
MOST_RULES = 200
LARGEST_BYTES = 1_000_000


class RuleBook:
    """All rules, in the order in which they were made. Any thread may ask and change.

    `path` None keeps them in memory. A file that cannot be read leaves the default rules in force; it is set aside as
    `<name>.broken` when the rules are saved the next time. Single rules that cannot be followed stay in the file as
    they are, and `problems` tells of them.
    """

    def __init__(self, path: Path | None, figures: Collection[str]) -> None:
        self.path = path
        self.figures = figures
        self.problems: list[str] = []
        self.error: ConfigError | None = None
        """Why the file could not be read; None while it can."""
        self.revision = 0
        """Another number after every change."""
        self._kept: list[Any] = []
        self._lock = Lock()
        self._rules = {rule.id: rule for rule in defaults()}
        if path is not None and path.exists():
            self._load(path)

    def rules(self) -> list[Rule]:
        with self._lock:
            return list(self._rules.values())

    def put(self, rule: Rule) -> None:
        """Add a rule, or replace the one of the same id.

        Raises:
            ConfigError: it cannot be followed, there are too many, or the file cannot be written; then nothing has
                changed.
        """
        check(rule, self.figures)
        with self._lock:
            if rule.id not in self._rules and len(self._rules) >= MOST_RULES:
                raise ConfigError(f"There are {MOST_RULES} rules already.", hint="Remove one first.")
            self._save({**self._rules, rule.id: rule})

    def remove(self, identity: str) -> None:
        """Take a rule away; one that is not there is no mistake.

        Raises:
            ConfigError: the file cannot be written; then nothing has changed.
        """
        with self._lock:
            self._save({name: rule for name, rule in self._rules.items() if name != identity})

    def _load(self, path: Path) -> None:
        try:
            if path.stat().st_size > LARGEST_BYTES:
                raise ConfigError(f"it is larger than {LARGEST_BYTES:,} bytes")
            content = msgspec.json.decode(path.read_bytes())
            if not isinstance(content, dict) or not isinstance(content.get("rules"), list):
                raise ConfigError("there is no list of rules in it")
            if content.get("version") != VERSION:
                raise ConfigError(f"it is of version {content.get('version')!r}, and {VERSION} is known here")
        except (OSError, ValueError, ConfigError) as error:
            self.error = ConfigError(
                f"The alert rules in {path} cannot be read: {error}.",
                hint="The default rules are in force. Mend the file and start again, or save a rule: the file is then "
                "set aside and written anew.",
            )
            return
        self._rules = {}
        for place, item in enumerate(content["rules"]):
            self._take(place, item)

    def _take(self, place: int, item: Any) -> None:
        try:
            rule = check(msgspec.convert(item, Rule), self.figures)
            if rule.id in self._rules:
                raise ConfigError(f"its id {rule.id!r} is taken")
            if len(self._rules) >= MOST_RULES:
                raise ConfigError(f"more than {MOST_RULES} rules")
        except (ConfigError, msgspec.ValidationError) as error:
            self._kept.append(item)
            hint = getattr(error, "hint", "")
            self.problems.append(f"Rule {place + 1} in {self.path} is left out: {error} {hint}".strip())
            return
        self._rules[rule.id] = rule

    def _save(self, rules: dict[str, Rule]) -> None:
        if self.path is not None:
            content = {"version": VERSION, "rules": [*rules.values(), *self._kept]}
            try:
                if self.error is not None and self.path.exists():
                    os.replace(self.path, self.path.with_name(self.path.name + ".broken"))
                _write(self.path, msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
            except OSError as error:
                raise ConfigError(
                    f"The alert rules could not be written to {self.path}: {error.strerror or error}.",
                    hint="Check the folder's rights and its free space, or set ALERT_RULES_FILE.",
                ) from error
        self._rules, self.error = rules, None
        self.revision += 1


def _write(path: Path, content: bytes) -> None:
    """Replace a file whole: whoever reads sees the old one or the new one, also after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
