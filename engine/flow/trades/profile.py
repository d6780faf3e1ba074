"""Volume profile: where most was traded, and the value area around it (CBOT Market Profile handbook)."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

VALUE_SHARE = 0.70


class ValueArea(Struct, frozen=True):
    """Bins, both ends inside: `poc` has most volume, `val` … `vah` hold `share` (0 … 1) of all of it."""

    poc: int
    val: int
    vah: int
    share: float
    total: float


def value_area(volumes: Mapping[int, float], share: float = VALUE_SHARE) -> ValueArea | None:
    """The value area of bin → volume; None when nothing was traded.

    It grows from the point of control (of equals the nearest to the mean bin by volume, then the lower) by the two bins
    above or the two below, whichever hold more (above, if equal), and by what is left of them at an end of the profile.
    """
    total = sum(volumes.values())
    if total <= 0.0:
        return None
    mean = sum(place * volume for place, volume in volumes.items()) / total
    low, high = min(volumes), max(volumes)
    poc = min(volumes, key=lambda place: (-volumes[place], abs(place - mean), place))
    val = vah = poc
    held = volumes[poc]
    while held < share * total and (val > low or vah < high):
        above = sum(volumes.get(place, 0.0) for place in range(vah + 1, min(vah + 2, high) + 1))
        below = sum(volumes.get(place, 0.0) for place in range(max(val - 2, low), val))
        if vah < high and (above >= below or val == low):
            vah, held = min(vah + 2, high), held + above
        else:
            val, held = max(val - 2, low), held + below
    return ValueArea(poc, val, vah, held / total, total)


class VolumeProfile:
    """Volume by price bin since the anchor; a bin spans `bin_ticks` ticks."""

    __slots__ = ("bin_ticks", "volumes")

    def __init__(self, bin_ticks: int) -> None:
        self.bin_ticks = bin_ticks
        self.volumes: dict[int, float] = {}

    def add_bins(self, volumes: Mapping[int, float]) -> None:
        """Take what a bar traded."""
        for place, volume in volumes.items():
            self.volumes[place] = self.volumes.get(place, 0.0) + volume

    def area(self) -> ValueArea | None:
        return value_area(self.volumes)

    def price(self, place: int, tick: float) -> float:
        """The lower edge of a bin in quote units."""
        return place * self.bin_ticks * tick
