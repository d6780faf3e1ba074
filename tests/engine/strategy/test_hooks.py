from __future__ import annotations

from engine.strategy.hooks import unused, uses


class Base:
    @unused
    def on_flow(self) -> None:
        """Nothing."""


class Deaf(Base):
    """Has a hook and leaves it."""


class Hears(Base):
    def on_flow(self) -> None:
        """Something."""


class Stranger:
    def on_flow(self) -> None:
        """Of no known family."""


def test_a_hook_is_used_where_somebody_wrote_it() -> None:
    assert [uses(one, "on_flow") for one in (Deaf(), Hears(), Stranger(), object())] == [False, True, True, False]
