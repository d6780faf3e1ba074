"""A strategy's parameters: declared fields that become sliders, checked where they are set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, field, fields
from difflib import get_close_matches
from typing import Any, TypeVar

from msgspec import Struct

from engine.errors import ConfigError

Number = TypeVar("Number", int, float)


class Parameter(Struct, frozen=True):
    """One declared parameter: its default, the range it may take (both ends included) and what it means."""

    name: str
    kind: type
    default: float
    low: float
    high: float
    help: str


def param(default: Number, *, low: Number, high: Number, help: str) -> Number:
    """Declare a parameter as a dataclass field: `depth: int = param(10, low=1, high=50, help="levels per side")`."""
    if not low <= default <= high:
        raise ConfigError(f"default {default} lies outside {low} … {high}")
    declared: Number = field(default=default, metadata={"low": low, "high": high, "help": help})
    return declared


def parameters(strategy: type) -> list[Parameter]:
    """The declared parameters of a strategy class, in the order they stand in the file."""
    return [
        Parameter(name=item.name, kind=_kind(item.default, item.metadata), default=item.default, **item.metadata)
        for item in fields(strategy)
        if item.default is not MISSING and "low" in item.metadata
    ]


def _kind(default: float, metadata: Mapping[str, Any]) -> type:
    """int only where default and range are whole: `param(1, low=0.5, high=2.0)` is a float."""
    return int if all(isinstance(one, int) for one in (default, metadata["low"], metadata["high"])) else float


def build(strategy: type, values: dict[str, float]) -> Any:
    """A strategy with these parameters.

    Raises:
        ConfigError: a name that is not declared (with the nearest one), or a value outside its range.
    """
    declared = {item.name: item for item in parameters(strategy)}
    for name, value in values.items():
        item = declared.get(name)
        if item is None:
            near = get_close_matches(name, declared, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(declared) or 'none'}."
            raise ConfigError(f"{strategy.__name__} has no parameter {name!r}", hint=hint)
        if not item.low <= value <= item.high:
            raise ConfigError(f"{name} = {value} lies outside {item.low} … {item.high}")
    return strategy(**{name: declared[name].kind(value) for name, value in values.items()})
