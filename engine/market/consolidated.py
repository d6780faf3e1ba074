"""Several venues' books of one thing as one book: whose size stands where, and who may be believed just now.

Pure: nothing is remembered between two looks but what each feed said last, and the moment is passed in. So a venue that
has fallen silent is gone by the bound even when nothing arrives, and nothing of it can be left behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from math import ceil, floor

from msgspec import Struct

from engine.errors import ConfigError
from engine.market.book import BookView, Column
from engine.market.events import FeedState, Source

MOST_MEMBERS = 6
DEPTH = 50
"""Levels per venue and side: the whole is at most 300 levels a side."""
STALE_AFTER_S = 5.0
_NEAR = 1e-12
"""Relative: a price that is off a step by less is on it, but for the rounding of doubles."""


class Member(Struct, frozen=True):
    """One book among several: a venue, and the thing as that venue spells it."""

    venue: str
    symbol: str


class Standing(StrEnum):
    """Whether a venue's levels count. Only those of LIVE ones do; all others are evicted."""

    LIVE = "live"
    STALE = "stale"
    CROSSED = "crossed"
    WAITING = "waiting"
    OFF = "off"


class Said(Struct, frozen=True):
    """What a venue's feed says of itself: its picture, its state, and when it last had a word (None: not yet)."""

    view: BookView | None = None
    state: FeedState = FeedState.CONNECTING
    last_ns: int | None = None
    stale_after_s: float = STALE_AFTER_S
    reason: str = ""
    source: Source = "stream"


class SharedLevel(Struct, frozen=True):
    """A price and who stands there: (position of the member, size); `size` is their sum, in the members' order."""

    price: float
    size: float
    shares: tuple[tuple[int, float], ...]


class VenueView(Struct, frozen=True):
    """One venue at the moment of looking. `why` says in words why it is evicted; its prices are shown all the same."""

    member: Member
    standing: Standing
    why: str
    age_s: float | None
    bid: float | None
    bid_size: float | None
    ask: float | None
    ask_size: float | None
    source: Source


class Best(Struct, frozen=True):
    """The best price of all live venues, how much stands there in all, and at which of them (positions)."""

    price: float
    size: float
    venues: tuple[int, ...]


class Gap(Struct, frozen=True):
    """One venue bids above what another asks: buy at `buy`, sell at `sell` (positions), at most `quantity`."""

    buy: int
    sell: int
    ask: float
    ask_size: float
    bid: float
    bid_size: float

    @property
    def quantity(self) -> float:
        """What both best levels can take, in units of the base."""
        return min(self.ask_size, self.bid_size)

    @property
    def gross(self) -> float:
        """Best bid minus best ask in quote units, above zero, before all costs."""
        return self.bid - self.ask

    @property
    def gross_bps(self) -> float:
        """The same in basis points of the price that is paid."""
        return (self.bid - self.ask) / self.ask * 10_000

    def net_bps(self, buy_fee_bps: float | None, sell_fee_bps: float | None) -> float | None:
        """After the taker's fees at both venues, in basis points of the price; None while a fee is not known."""
        if buy_fee_bps is None or sell_fee_bps is None:
            return None
        paid, earned = self.ask * (1 + buy_fee_bps / 10_000), self.bid * (1 - sell_fee_bps / 10_000)
        return (earned - paid) / self.ask * 10_000


class ConsolidatedView(Struct, frozen=True):
    """The whole at one moment; best first on both sides.

    `bids` and `asks` may overlap: then there is at least one gap, the widest first. `whole_bid` and `whole_ask` are the
    prices down and up to which every live venue's book is seen; beyond them the sizes are of some venues only. Best
    prices, spread and gaps are of exact prices, however the levels are grouped.
    """

    venues: tuple[VenueView, ...]
    bids: tuple[SharedLevel, ...]
    asks: tuple[SharedLevel, ...]
    best_bid: Best | None
    best_ask: Best | None
    gaps: tuple[Gap, ...]
    whole_bid: float | None
    whole_ask: float | None

    @property
    def spread(self) -> float | None:
        """Best ask minus best bid over all live venues, in quote units; below zero while there is a gap."""
        return self.best_ask.price - self.best_bid.price if self.best_bid and self.best_ask else None

    @property
    def spread_bps(self) -> float | None:
        """The spread in basis points of the mid."""
        if self.best_bid is None or self.best_ask is None:
            return None
        return (self.best_ask.price - self.best_bid.price) / (self.best_ask.price + self.best_bid.price) * 20_000


class Step:
    """A price step by which levels are grouped: bids down, asks up, so that no price looks better than it is."""

    __slots__ = ("ticks", "unit")

    def __init__(self, size: float) -> None:
        """`size` is in quote units. Raises ConfigError if it is not above zero and finite."""
        if not 0.0 < size < float("inf"):
            raise ConfigError(f"a price step of {size}: it must be above zero")
        exact = Decimal(repr(size))
        decimals = max(0, -int(exact.as_tuple().exponent))
        self.unit: int = 10**decimals
        self.ticks = int(exact * self.unit)

    def price(self, price: float, *, up: bool) -> float:
        """The step that `price` belongs to: the double nearest to its decimal."""
        exact = price * self.unit / self.ticks
        near = round(exact)
        number = near if abs(exact - near) < _NEAR * exact else ceil(exact) if up else floor(exact)
        return number * self.ticks / self.unit


def common_step(ticks: Iterable[float | None]) -> float | None:
    """The step in which books of different ticks can be laid side by side: the coarsest; None where all are alike.

    Ticks that are not known count as fitting.
    """
    known = {tick for tick in ticks if tick}
    return max(known) if len(known) > 1 else None


class ConsolidatedBook:
    """The books of at most six members. `take` keeps what a feed says, `read` looks at all of them at one moment."""

    def __init__(self, members: Sequence[Member]) -> None:
        if len(members) > MOST_MEMBERS or len(set(members)) < len(members):
            raise ConfigError(f"a consolidated book has at most {MOST_MEMBERS} members, each once")
        self.members = tuple(members)
        self._said = dict.fromkeys(self.members, Said())
        self._off: set[Member] = set()

    def take(self, member: Member, said: Said) -> None:
        """What a member's feed says now; replaces what it said before."""
        if member not in self._said:
            raise ConfigError(f"{member.venue} {member.symbol} is no member of this book")
        self._said[member] = said

    def include(self, member: Member, wanted: bool) -> None:
        """Count a member's levels, or leave them out because somebody wants it so."""
        if wanted:
            self._off.discard(member)
        else:
            self._off.add(member)

    def read(self, now_ns: int, step: Step | None = None) -> ConsolidatedView:
        """Everything as it stands at `now_ns` (by the clock of `Said.last_ns`), levels grouped by `step` if given."""
        said = [self._said[member] for member in self.members]
        venues = tuple(
            [_look(member, one, member in self._off, now_ns) for member, one in zip(self.members, said, strict=True)]
        )
        live = {
            position: one.view
            for position, (venue, one) in enumerate(zip(venues, said, strict=True))
            if venue.standing is Standing.LIVE and one.view is not None
        }
        bids = {position: (view.bid_prices[:DEPTH], view.bid_sizes[:DEPTH]) for position, view in live.items()}
        asks = {position: (view.ask_prices[:DEPTH], view.ask_sizes[:DEPTH]) for position, view in live.items()}
        return ConsolidatedView(
            venues, _merge(bids, step, up=False), _merge(asks, step, up=True), _best(bids, max), _best(asks, min),
            _gaps({position: venues[position] for position in live}),
            max([prices[-1] for prices, _ in bids.values() if prices], default=None),
            min([prices[-1] for prices, _ in asks.values() if prices], default=None),
        )  # fmt: skip


_Sides = Mapping[int, tuple[Column, Column]]


def _look(member: Member, said: Said, off: bool, now_ns: int) -> VenueView:
    age_s = None if said.last_ns is None else max(0.0, (now_ns - said.last_ns) / 1e9)
    standing, why = (Standing.OFF, "left out by you") if off else _stand(said, age_s)
    view = said.view
    bid, bid_size = (view.bid_prices[0], view.bid_sizes[0]) if view and view.bid_prices else (None, None)
    ask, ask_size = (view.ask_prices[0], view.ask_sizes[0]) if view and view.ask_prices else (None, None)
    return VenueView(member, standing, why, age_s, bid, bid_size, ask, ask_size, said.source)


def _stand(said: Said, age_s: float | None) -> tuple[Standing, str]:
    """The same rules as everywhere: data of `stale_after_s` and older is stale, a locked book counts as crossed."""
    view = said.view
    if not said.state.has_data and said.state is not FeedState.STALE:
        return Standing.WAITING, said.reason or str(said.state).replace("_", " ")
    if said.state is FeedState.STALE or age_s is None or age_s >= said.stale_after_s:
        return Standing.STALE, "nothing received yet" if age_s is None else f"nothing received for {age_s:.1f} s"
    if view is None or not (view.bid_prices or view.ask_prices):
        return Standing.WAITING, "no book"
    if view.bid_prices and view.ask_prices and view.bid_prices[0] >= view.ask_prices[0]:
        return (
            Standing.CROSSED,
            f"its own book is crossed: bid {view.bid_prices[0]:.10g}, ask {view.ask_prices[0]:.10g}",
        )
    return Standing.LIVE, ""


def _merge(sides: _Sides, step: Step | None, *, up: bool) -> tuple[SharedLevel, ...]:
    """Levels of equal price become one; best first."""
    levels: dict[float, dict[int, float]] = {}
    for position, (prices, sizes) in sides.items():
        for price, size in zip(prices, sizes, strict=True):
            shares = levels.setdefault(step.price(price, up=up) if step else price, {})
            shares[position] = shares.get(position, 0.0) + size
    return tuple(
        [SharedLevel(price, sum(levels[price].values()), tuple(levels[price].items())) for price in
         sorted(levels, reverse=not up)]
    )  # fmt: skip


def _best(sides: _Sides, choose: Callable[[Iterable[float]], float]) -> Best | None:
    tops = {position: (prices[0], sizes[0]) for position, (prices, sizes) in sides.items() if prices}
    if not tops:
        return None
    price = choose([price for price, _ in tops.values()])
    there = {position: size for position, (own, size) in tops.items() if own == price}
    return Best(price, sum(there.values()), tuple(there))


def _gaps(live: Mapping[int, VenueView]) -> tuple[Gap, ...]:
    """Every pair of live venues of which one bids above what the other asks, the widest first."""
    found = [
        Gap(buy, sell, asked.ask, asked.ask_size or 0.0, bidding.bid, bidding.bid_size or 0.0)
        for buy, asked in live.items()
        for sell, bidding in live.items()
        if buy != sell and asked.ask is not None and bidding.bid is not None and bidding.bid > asked.ask
    ]
    return tuple(sorted(found, key=lambda gap: -gap.gross_bps))
