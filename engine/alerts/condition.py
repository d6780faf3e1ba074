"""Conditions in words: `imbalance_10 > 0.6 for 3 s until imbalance_10 < 0.4`.

    condition  =  terms [ "for" number unit ] [ "until" terms ]
    terms      =  term { "and" term }
    term       =  figure ( > | >= | < | <= ) number
    figure     =  name | "abs" "(" name ")"
    unit       =  ms | s | min | h

A number may end in k or M. Nothing here is ever run as code.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Collection
from difflib import get_close_matches
from typing import NoReturn

from msgspec import Struct

from engine.errors import ConfigError

LONGEST = 300
MOST_TERMS = 8
LONGEST_HOLD_S = 3600.0
EXAMPLE = "imbalance_10 > 0.6 for 3 s"

Figures = Callable[[str], float | None]
"""The value of a figure by its name; None while it is not known."""

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip
_SIGNS = {"≥": ">=", "≤": "<="}
_UNITS_S = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
_POWERS = {"": 1.0, "k": 1e3, "M": 1e6}
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_TOKEN = re.compile(rf"\s*(?:({_NUMBER})([A-Za-z]*)|([A-Za-z_]\w*)|(>=|<=|≥|≤|>|<|\(|\)))")
_WORDS = ("and", "for", "until", "abs")


class Term(Struct, frozen=True):
    """One comparison of a figure (of its size without the sign, where `size`) with a number."""

    name: str
    sign: str
    bound: float
    size: bool = False

    def holds(self, figures: Figures) -> bool | None:
        """Whether it is so; None while the figure is not known."""
        value = figures(self.name)
        if value is None or value != value:
            return None
        return _COMPARE[self.sign](abs(value) if self.size else value, self.bound)

    @property
    def text(self) -> str:
        return f"{self.figure} {self.sign} {self.bound:.15g}"

    @property
    def figure(self) -> str:
        return f"abs({self.name})" if self.size else self.name


class Condition(Struct, frozen=True):
    """All `terms` at once, for `hold_s` without a break; over once all of `until` hold (empty: once they do not)."""

    terms: tuple[Term, ...]
    hold_s: float = 0.0
    until: tuple[Term, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The figures that it needs, each once."""
        return tuple(dict.fromkeys([term.name for term in (*self.terms, *self.until)]))

    @property
    def text(self) -> str:
        """The same in words; reads back as an equal condition."""
        parts = [_joined(self.terms)]
        if self.hold_s:
            parts.append(f"for {self.hold_s:.15g} s")
        if self.until:
            parts.append(f"until {_joined(self.until)}")
        return " ".join(parts)

    def holds(self, figures: Figures) -> bool | None:
        """Whether all terms hold now; None while that is not known."""
        return _all([term.holds(figures) for term in self.terms])

    def over(self, figures: Figures) -> bool | None:
        """Whether it may be told anew; None while that is not known."""
        if self.until:
            return _all([term.holds(figures) for term in self.until])
        held = self.holds(figures)
        return None if held is None else not held


def parse(text: str, known: Collection[str]) -> Condition:
    """The condition in a text, of figures that are `known`.

    Raises:
        ConfigError: it cannot be read (the message says where), or a figure is unknown (the hint names near ones).
    """
    return _Reader(text, known).condition()


def _all(held: list[bool | None]) -> bool | None:
    return False if False in held else None if None in held else True


def _joined(terms: tuple[Term, ...]) -> str:
    return " and ".join([term.text for term in terms])


class _Reader:
    """Reads one text from left to right."""

    def __init__(self, text: str, known: Collection[str]) -> None:
        self._known = known
        if len(text) > LONGEST:
            raise ConfigError(f"The condition is {len(text)} characters long; {LONGEST} are allowed.")
        self._tokens = _tokens(text)
        self._place = 0

    def condition(self) -> Condition:
        terms, hold_s, until = self._terms(), 0.0, tuple[Term, ...]()
        if self._take("for"):
            hold_s = self._duration()
        if self._take("until"):
            until = self._terms()
        if self._place < len(self._tokens):
            self._fail("'and', 'for', 'until' or the end")
        return Condition(terms, hold_s, until)

    def _terms(self) -> tuple[Term, ...]:
        found = [self._term()]
        while self._take("and"):
            found.append(self._term())
        if len(found) > MOST_TERMS:
            raise ConfigError(f"The condition has {len(found)} comparisons; {MOST_TERMS} are allowed.")
        return tuple(found)

    def _term(self) -> Term:
        size = self._take("abs")
        if size and not self._take("("):
            self._fail("'(' and the name of a figure")
        name = self._name()
        if size and not self._take(")"):
            self._fail("')'")
        sign = _SIGNS.get(self._next, self._next)
        if sign not in _COMPARE:
            self._fail("a comparison (>, >=, < or <=)")
        self._place += 1
        return Term(name, sign, self._number(_POWERS, "a number (1500, 1.5k, 2M)"), size)

    def _name(self) -> str:
        name = self._next
        if not name.isidentifier() or name in _WORDS:
            self._fail("the name of a figure")
        if name not in self._known:
            near = get_close_matches(name.lower(), self._known, n=3, cutoff=0.5)
            hint = f"Did you mean {' or '.join(near)}?" if near else "The list of figures is below the field."
            raise ConfigError(f"There is no figure {name!r}.", hint=hint)
        self._place += 1
        return name

    def _duration(self) -> float:
        seconds = self._number(_UNITS_S, "a duration (500 ms, 3 s, 1 min, 1 h)")
        if not 0.0 <= seconds <= LONGEST_HOLD_S:
            raise ConfigError(f"A condition can be asked to hold for 0 to {LONGEST_HOLD_S:g} s, not for {seconds:g} s.")
        return seconds

    def _number(self, units: dict[str, float], wanted: str) -> float:
        """A number and its unit, which may be written apart."""
        written, _, unit = self._next.partition("|")
        if not re.fullmatch(_NUMBER, written):
            self._fail(wanted)
        self._place += 1
        if not unit and "" not in units:
            unit = self._next
            self._place += 1
        if unit not in units:
            self._place -= 1
            self._fail(wanted)
        number = float(written) * units[unit]
        if not math.isfinite(number):
            raise ConfigError(f"{written!r} is more than can be compared with.")
        return number

    @property
    def _next(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _take(self, word: str) -> bool:
        found = self._next == word
        self._place += found
        return found

    def _fail(self, wanted: str) -> NoReturn:
        before = " ".join([token.replace("|", "") for token in self._tokens[: self._place]])
        found = repr(self._next.replace("|", "")) if self._next else "nothing"
        where = f"After {before!r}" if before else "At the beginning"
        raise ConfigError(f"{where} {wanted} was expected, found {found}.", hint=f"For example: {EXAMPLE}")


def _tokens(text: str) -> list[str]:
    """Words, signs, and numbers as `number|unit`.

    Raises:
        ConfigError: a character that belongs to nothing.
    """
    found, place, end = [], 0, len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            rest = text[place:].strip()
            raise ConfigError(f"{rest[0]!r} cannot stand in a condition.", hint=f"For example: {EXAMPLE}")
        number, unit, word, sign = match.groups()
        found.append(f"{number}|{unit}" if number is not None else word or sign)
        place = match.end()
    return found
