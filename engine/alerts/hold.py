"""Says once that a condition has held for its time; time is that of the events, so a recording says the same."""

from __future__ import annotations

from engine.alerts.condition import Condition, Figures

SECOND_NS = 1_000_000_000
LONGEST_BREAK_NS = 10 * SECOND_NS
"""What was not looked at for so long did not hold without a break. (A fast recording runs 2.5 s between two looks.)"""


class Hold:
    """One condition on one feed. `step` is given the figures of one moment after the other."""

    __slots__ = ("_condition", "_last_ns", "_since_ns", "_told")

    def __init__(self, condition: Condition) -> None:
        self._condition = condition
        self._since_ns: int | None = None
        self._last_ns: int | None = None
        self._told = False

    @property
    def since_ns(self) -> int | None:
        """Since when it holds; None while it does not."""
        return self._since_ns

    def step(self, t_ns: int, figures: Figures) -> bool:
        """Whether this is the moment to tell.

        It is told once, and again only after it was over. What is not known breaks the time that it has held, and
        does not make it over.
        """
        last, self._last_ns = self._last_ns, t_ns
        if last is not None and not 0 <= t_ns - last <= LONGEST_BREAK_NS:
            self._since_ns = None
            # A clock that runs backwards is another playing of a recording: everything begins anew.
            self._told = self._told and t_ns >= last
        if self._told and self._condition.over(figures):
            self._told = False
        if not self._condition.holds(figures):
            self._since_ns = None
            return False
        if self._since_ns is None:
            self._since_ns = t_ns
        if self._told or t_ns - self._since_ns < self._condition.hold_s * SECOND_NS:
            return False
        self._told = True
        return True
