"""Marks the hooks that a strategy has not filled, so that nobody works for nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Hook = TypeVar("Hook", bound=Callable[..., object])


def unused(hook: Hook) -> Hook:
    """Mark a method as one that does nothing until a subclass writes its own."""
    hook.__dict__["unused"] = True
    return hook


def uses(strategy: object, name: str) -> bool:
    """Whether a strategy has a hook of this name that does something."""
    hook = getattr(type(strategy), name, None)
    return hook is not None and not getattr(hook, "unused", False)
