"""The venues side by side, who counts and why not, the spread across them and the gaps between them.

The first fragment is the one place on this page that drains the tab's mailbox.
"""

from __future__ import annotations

from html import escape

import streamlit as st

from app.across import AcrossView, key_of, look
from app.live import components
from app.panels.across_controls import LETTERS
from app.panels.market import pump
from app.panels.status import SOURCES
from app.session import LiveSession
from app.wiring import directory, engine, live_plane
from app.words import UNKNOWN, amount, decimals_for, number, plain, seconds, sentences
from engine.market.consolidated import ConsolidatedView, Gap, Standing, Step, VenueView

FIRST_LOOK_S = 0.5
GAPS_SHOWN = 2
LADDER_HEIGHT = 690
HEADINGS = ("Venue", "State", "Bid", "Size", "Ask", "Size", "Spread", "Latency", "Age", "Source")
TONES = {Standing.LIVE: "good", Standing.OFF: "wait", Standing.WAITING: "wait"}


@st.fragment(run_every=1.0)
def show(session: LiveSession, view: AcrossView) -> None:
    """Drain the mailbox, then draw the header, one row per venue, and the gaps."""
    session.await_first_data(FIRST_LOOK_S)
    session.drain()
    if session.error is not None:
        st.error(plain(sentences(str(session.error), session.error.hint)))
    whole = look(view, session.feed, engine().clock.now_ns())
    _toasts(view, whole)
    places = _places(view, whole)
    rows = "".join([_row(session, view, whole, position, places) for position in range(len(whole.venues))])
    head = "".join([f"<th>{name}</th>" for name in HEADINGS])
    st.html(
        f"{_header(view, whole, places)}"
        f'<table class="td-across"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        f"{_gaps(view, whole, places)}"
    )


def ladder(session: LiveSession, view: AcrossView) -> None:
    """The consolidated ladder, drawn by the browser from the data socket."""
    plane = live_plane()
    ticket = plane.office.mint(session.keys, session.id) if plane is not None else ""
    step = Step(view.step) if view.step else None
    components.across(
        view.name,
        [(key_of(member), member.venue not in view.off) for member in view.members],
        ticket=ticket,
        key="across",
        step=(step.ticks, step.unit) if step is not None else None,
        height=LADDER_HEIGHT,
    )
    if plane is None:
        pump(session)


def _header(view: AcrossView, whole: ConsolidatedView, places: int) -> str:
    live = sum(venue.standing is Standing.LIVE for venue in whole.venues)
    mark = "🔴 LIVE" if live else "⚠️ No venue counts"
    best_bid, best_ask = whole.best_bid, whole.best_ask
    sides = [
        f"bid {number(best_bid.price, places)} {_letters(best_bid.venues)}" if best_bid else f"bid {UNKNOWN}",
        f"ask {number(best_ask.price, places)} {_letters(best_ask.venues)}" if best_ask else f"ask {UNKNOWN}",
        f"spread across {number(whole.spread, places)} ({number(whole.spread_bps, 2, ' bps')})",
    ]
    invented = any(engine().connectors[venue.member.venue].capabilities.source == "mock" for venue in whole.venues)
    badge = '<span class="td-badge">SIMULATED MARKET</span>' if invented else ""
    return (
        f'<div class="td-header"><span class="td-live">{mark} – {escape(view.name)}</span>'
        f'<span class="td-count">{live}/{len(whole.venues)} venues count • {escape(" • ".join(sides))}</span>'
        f"{badge}</div>"
    )


def _letters(positions: tuple[int, ...]) -> str:
    return "".join([LETTERS[position] for position in positions])


def _row(session: LiveSession, view: AcrossView, whole: ConsolidatedView, position: int, places: int) -> str:
    venue = whole.venues[position]
    feed = session.feed(key_of(venue.member))
    latency = feed.quality.transit.percentiles() if feed is not None else None
    known = latency is not None and latency.p50_ms is not None
    state, why = _state(session, venue)
    at_best = (_is_best(whole.best_bid, position), _is_best(whole.best_ask, position))
    cells = (
        f"<b>{escape(venue.member.venue)}</b> <i>{escape(venue.member.symbol)}</i>",
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
    badge = f'<span class="td-letter td-v{position}">{LETTERS[position]}</span> '
    drawn = "".join(
        [
            f'<td data-label="{label}">{badge if not number_ else ""}{cell}</td>'
            for number_, (label, cell) in enumerate(zip(HEADINGS, cells, strict=True))
        ]
    )
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


def _is_best(best: object, position: int) -> bool:
    return position in getattr(best, "venues", ())


def _price(price: float | None, places: int, best: bool) -> str:
    text = number(price, places)
    return f'<b class="td-best" title="best of all venues that count">{text}</b>' if best else text


def _own_spread(venue: VenueView) -> str:
    if venue.bid is None or venue.ask is None:
        return UNKNOWN
    return number((venue.ask - venue.bid) / (venue.ask + venue.bid) * 20_000, 2, " bps")


def _gaps(view: AcrossView, whole: ConsolidatedView, places: int) -> str:
    """The widest gaps; the place stays as high when there is none, so that nothing below jumps."""
    lines = [gap_line(view, whole, gap, places) for gap in whole.gaps[:GAPS_SHOWN]]
    if not lines:
        lines = ["<div>No arbitrage gap now: no venue bids above what another asks.</div>"]
    return f'<div class="td-gaps" data-gaps="{len(whole.gaps)}">{"".join(lines)}</div>'


def gap_line(view: AcrossView, whole: ConsolidatedView, gap: Gap, places: int) -> str:
    """One gap as HTML: where to buy and sell, how much, gross, and net where both fees are known."""
    base, _, rest = view.name.partition("/")
    quote = rest.partition(":")[0]
    buy, sell = whole.venues[gap.buy].member, whole.venues[gap.sell].member
    fees = view.fees.get(buy.venue), view.fees.get(sell.venue)
    net = gap.net_bps(*fees)
    costs = "fees not known, net –" if net is None else f"fees {fees[0]:g} + {fees[1]:g} bps → net {net:+.2f} bps"
    return (
        f"<div><b>GAP</b> buy {_offer(gap.buy, buy.venue, gap.ask, gap.ask_size, places)} → "
        f"sell {_offer(gap.sell, sell.venue, gap.bid, gap.bid_size, places)} • "
        f"<b>gross {number(gap.gross, places)} {escape(quote)} ({gap.gross_bps:.2f} bps)</b> • "
        f"at most {amount(gap.quantity)} {escape(base)} • {escape(costs)}</div>"
    )


def _offer(position: int, venue: str, price: float, size: float, places: int) -> str:
    return f"{_badge(position)} {escape(venue)} {number(price, places)} × {amount(size)}"


def _badge(position: int) -> str:
    return f'<span class="td-letter td-v{position}">{LETTERS[position]}</span>'


def _places(view: AcrossView, whole: ConsolidatedView) -> int:
    """As many decimals as the finest tick among the venues needs."""
    ticks = [directory().tick(member.venue, member.symbol) for member in view.members]
    price = whole.best_bid.price if whole.best_bid else None
    return max([decimals_for(tick, price) for tick in ticks], default=2)


def _toasts(view: AcrossView, whole: ConsolidatedView) -> None:
    """Tell once when a venue is evicted or counts again; being left out by the person is no news."""
    before: dict[str, Standing] = st.session_state.setdefault("across-standings", {})
    for venue in whole.venues:
        name, was = venue.member.venue, before.get(venue.member.venue)
        if was is Standing.LIVE and venue.standing in (Standing.STALE, Standing.CROSSED, Standing.WAITING):
            st.toast(f"⚠️ {plain(name)} is evicted: {plain(venue.why)}")
        elif venue.standing is Standing.LIVE and was in (Standing.STALE, Standing.CROSSED):
            st.toast(f"✅ {plain(name)} counts again")
        if venue.standing is not Standing.WAITING or was is Standing.LIVE:
            before[name] = venue.standing
