"""The venues side by side: who counts and why not, best prices, spread, latency and age, as one HTML table."""

from __future__ import annotations

from html import escape

from app.across import key_of
from app.panels.status import SOURCES
from app.session import LiveSession
from app.words import UNKNOWN, amount, basis_points, number, seconds, venue_name
from engine.market.consolidated import Best, ConsolidatedView, Standing, VenueView

LETTERS = "ABCDEF"
HEADINGS = ("Venue", "State", "Bid", "Size", "Ask", "Size", "Spread", "Latency", "Age", "Source")
TITLES = {"Latency": "from the venue to us, half of all / 95 % of all; contains the difference of the clocks"}
TONES = {Standing.LIVE: "good", Standing.OFF: "wait", Standing.WAITING: "wait"}


def table(session: LiveSession, whole: ConsolidatedView, places: int) -> str:
    """One row per member; prices with `places` decimals."""
    rows = "".join([_row(session, whole, position, places) for position in range(len(whole.venues))])
    head = "".join([f'<th title="{TITLES.get(name, "")}">{name}</th>' for name in HEADINGS])
    return f'<table class="td-across"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def badge(position: int) -> str:
    """A member's letter on its colour."""
    return f'<span class="td-letter td-v{position}">{LETTERS[position]}</span>'


def _row(session: LiveSession, whole: ConsolidatedView, position: int, places: int) -> str:
    venue = whole.venues[position]
    feed = session.feed(key_of(venue.member))
    latency = feed.quality.transit.percentiles() if feed is not None else None
    known = latency is not None and latency.p50_ms is not None
    state, why = _state(session, venue)
    at_best = (_is_best(whole.best_bid, position), _is_best(whole.best_ask, position))
    cells = (
        f'{badge(position)} <b title="{escape(venue.member.venue)}">{escape(venue_name(venue.member.venue))}</b> '
        f"<i>{escape(venue.member.symbol)}</i>",
        f'<span class="td-chip">{escape(state)}</span> <i title="{escape(why)}">{escape(why)}</i>',
        _price(venue.bid, places, at_best[0]),
        amount(venue.bid_size),
        _price(venue.ask, places, at_best[1]),
        amount(venue.ask_size),
        _own_spread(venue),
        f"{number(latency.p50_ms)} / {number(latency.p95_ms)} ms" if latency is not None and known else UNKNOWN,
        seconds(venue.age_s),
        SOURCES.get(venue.source, venue.source),
    )
    drawn = "".join([f'<td data-label="{label}">{cell}</td>' for label, cell in zip(HEADINGS, cells, strict=True)])
    return (
        f'<tr class="td-{TONES.get(venue.standing, "warn")}" data-venue="{escape(venue.member.venue)}" '
        f'data-standing="{venue.standing.value}">{drawn}</tr>'
    )


def _state(session: LiveSession, venue: VenueView) -> tuple[str, str]:
    """The chip's word, and why a venue is evicted or not simply live."""
    notice = session.notice(key_of(venue.member))
    feed = session.feed(key_of(venue.member))
    if venue.standing is Standing.LIVE:
        return (feed.state.value if feed is not None else "live"), notice
    word = venue.standing.value
    if venue.standing is Standing.WAITING and feed is not None and feed.status is not None:
        word = "no book" if feed.state.has_data else feed.state.value.replace("_", " ")
    why = venue.why if venue.why != word else ""
    return word, f"evicted: {why}" if why and venue.standing is not Standing.OFF else why or "evicted"


def _is_best(best: Best | None, position: int) -> bool:
    return best is not None and position in best.venues


def _price(price: float | None, places: int, best: bool) -> str:
    text = number(price, places)
    return f'<b class="td-best" title="best of all venues that count">{text}</b>' if best else text


def _own_spread(venue: VenueView) -> str:
    if venue.bid is None or venue.ask is None:
        return UNKNOWN
    return basis_points((venue.ask - venue.bid) / (venue.ask + venue.bid) * 20_000, " bps")
