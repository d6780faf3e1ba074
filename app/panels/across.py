"""The venues side by side, who counts and why not, the spread across them and the gaps between them.

The first fragment is the one place on this page that drains the tab's mailbox.
"""

from __future__ import annotations

from html import escape

import streamlit as st

from app.across import AcrossView, key_of, look
from app.live import components
from app.panels.across_table import LETTERS, badge, table
from app.panels.market import pump
from app.session import LiveSession
from app.wiring import directory, engine, live_plane
from app.words import REPLAY, UNKNOWN, amount, basis_points, decimals_for, number, plain, sentences, venue_name
from engine.market.consolidated import ConsolidatedView, Gap, Standing, Step

FIRST_LOOK_S = 0.5
GAPS_SHOWN = 2
LADDER_HEIGHT = 690


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
    st.html(_header(view, whole, places) + table(session, whole, places) + _gaps(view, whole, places))


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
    sources = {engine().connectors[venue.member.venue].capabilities.source for venue in whole.venues}
    mark = "⚠️ No venue counts" if not live else "▶️ REPLAY" if "replay" in sources else "🔴 LIVE"
    best_bid, best_ask = whole.best_bid, whole.best_ask
    sides = [
        f"bid {number(best_bid.price, places)} {_letters(best_bid.venues)}" if best_bid else f"bid {UNKNOWN}",
        f"ask {number(best_ask.price, places)} {_letters(best_ask.venues)}" if best_ask else f"ask {UNKNOWN}",
        f"spread across {number(whole.spread, places)} ({basis_points(whole.spread_bps, ' bps')})",
    ]
    told = "SIMULATED MARKET" if "mock" in sources else "RECORDING, NOT LIVE" if "replay" in sources else ""
    badge = f'<span class="td-badge">{told}</span>' if told else ""
    return (
        f'<div class="td-header"><span class="td-live">{mark} – {escape(view.name)}</span>'
        f'<span class="td-count">{live}/{len(whole.venues)} venues count • {escape(" • ".join(sides))}</span>'
        f"{badge}</div>"
    )


def _letters(positions: tuple[int, ...]) -> str:
    return "".join([LETTERS[position] for position in positions])


def _gaps(view: AcrossView, whole: ConsolidatedView, places: int) -> str:
    """The widest gaps; the place stays as high when there is none, so that nothing below jumps."""
    lines = [gap_line(view, whole, gap, places) for gap in whole.gaps[:GAPS_SHOWN]]
    if not lines:
        counting = sum(venue.standing is Standing.LIVE for venue in whole.venues)
        none = "no venue bids above what another asks" if counting > 1 else "it takes two venues that count"
        lines = [f"<div>No arbitrage gap now: {none}.</div>"]
    return f'<div class="td-gaps" data-gaps="{len(whole.gaps)}">{"".join(lines)}</div>'


def gap_line(view: AcrossView, whole: ConsolidatedView, gap: Gap, places: int) -> str:
    """One gap as HTML: where to buy and sell, how much, gross, and net where both fees are known."""
    base, _, rest = view.name.partition("/")
    quote = rest.partition(":")[0]
    buy, sell = whole.venues[gap.buy].member, whole.venues[gap.sell].member
    fees = view.fees.get(buy.venue), view.fees.get(sell.venue)
    net = gap.net_bps(*fees)
    costs = "net – (fees not known)" if net is None else f"net {net:+.2f} bps after fees {fees[0]:g} + {fees[1]:g} bps"
    return (
        f"<div><b>GAP</b> buy {_offer(gap.buy, buy.venue, gap.ask, gap.ask_size, places)} → "
        f"sell {_offer(gap.sell, sell.venue, gap.bid, gap.bid_size, places)} • "
        f"<b>gross {number(gap.gross, places)} {escape(quote)} ({gap.gross_bps:.2f} bps)</b> • {escape(costs)} • "
        f"at most {amount(gap.quantity)} {escape(base)}</div>"
    )


def _offer(position: int, venue: str, price: float, size: float, places: int) -> str:
    return f"{badge(position)} {escape(venue_name(venue))} {number(price, places)} × {amount(size)}"


def _places(view: AcrossView, whole: ConsolidatedView) -> int:
    """As many decimals as the finest tick among the venues needs."""
    ticks = [directory().tick(member.venue, member.symbol) for member in view.members]
    price = whole.best_bid.price if whole.best_bid else None
    return max([decimals_for(tick, price) for tick in ticks], default=2)


def _toasts(view: AcrossView, whole: ConsolidatedView) -> None:
    """Tell once when a venue is evicted or counts again; being left out is no news, nor is what a recording does."""
    before: dict[str, Standing] = st.session_state.setdefault("across-standings", {})
    for venue in [one for one in whole.venues if not one.member.venue.startswith(REPLAY)]:
        name, was = venue.member.venue, before.get(venue.member.venue)
        if was is Standing.LIVE and venue.standing in (Standing.STALE, Standing.CROSSED, Standing.WAITING):
            st.toast(f"⚠️ {plain(name)} is evicted: {plain(venue.why)}")
        elif venue.standing is Standing.LIVE and was in (Standing.STALE, Standing.CROSSED):
            st.toast(f"✅ {plain(name)} counts again")
        if venue.standing is not Standing.WAITING or was is Standing.LIVE:
            before[name] = venue.standing
