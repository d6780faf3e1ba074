"""Several venues and one instrument: which, which of them count, what they cost, start and stop."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.across import AcrossView
from app.panels.across_instrument import LEAST, choose_instrument, show_listings, unified_names
from app.wiring import directory, engine, reopen_recording, venues_of_recording
from app.words import REPLAY, plain
from engine.market.consolidated import MOST_MEMBERS, Member, common_step
from engine.market.instrument import Instrument

FIRST_VENUES = ("binance", "coinbase", "kraken")
AUTOMATIC = "automatic"
EXACT = "as quoted"
ALIKE_HELP = "USD, USDT, USDC and others are different money. Treated alike, gaps contain what one costs in the other."
STEP_HELP = (
    "Automatic: by the coarsest tick where ticks differ. Bids go to the step below, asks to the step above. "
    "Best prices and gaps are never rounded."
)
STEPS = (1, 2, 5, 10, 20, 50, 100)


def show() -> AcrossView:
    """Draw the controls; what the person wants."""
    for asked in st.query_params.get_all("venues"):
        reopen_recording(asked)
    connectors = engine().connectors
    venues = _venues(sorted(connectors))
    alike = st.toggle("Treat dollar coins alike", key="alike", bind="query-params", help=ALIKE_HELP)
    listings = {name: directory().listing(connectors[name]) for name in venues}
    show_listings(listings)
    names = unified_names(listings, alike)
    name = choose_instrument(names, listings)
    found = names.at(name)
    members = tuple([Member(venue, found[venue].symbol) for venue in venues if venue in found])
    off = _left_out(venues)
    step = _step(list(found.values()))
    fees = _fees(venues)
    running = _running(len(members) >= LEAST)
    if alike:
        st.caption("⚠️ Dollars and dollar coins are treated alike: a gap may be the price of a coin, not of the market.")
    return AcrossView(name, members, off, fees, step, running)


def _running(enough: bool) -> bool:
    wanted = st.query_params.get("run") == "1"
    if wanted:
        st.button("⏹ Stop", key="stop", width="stretch", on_click=_stop)
    else:
        st.button("▶️ Start", key="start", type="primary", width="stretch", on_click=_start, disabled=not enough)
    return wanted and enough


def welcome(view: AcrossView) -> None:
    """What stands where the books will be."""
    st.subheader("Nothing is running")
    if len(view.members) < LEAST:
        st.write("Choose two to six **venues** and an **instrument** that at least two of them list.")
        return
    symbols = ", ".join([f"{plain(member.venue)} {plain(member.symbol)}" for member in view.members])
    st.write(f"**{plain(view.name)}** is chosen: {symbols}. Press **▶️ Start**.")


def _venues(names: list[str]) -> list[str]:
    if "venues" not in st.session_state and not st.query_params.get_all("venues"):
        st.session_state["venues"] = [name for name in FIRST_VENUES if name in names] or names[:3]
    missing = [name for name in st.query_params.get_all("venues") if name not in names]
    chosen = st.multiselect(
        "Venues", names, key="venues", bind="query-params", max_selections=MOST_MEMBERS,
        select_all=False, placeholder="Two to six venues",
    )  # fmt: skip
    for name in missing:
        st.warning(f"There is no connector {plain(repr(name))} here.")
    return [str(name) for name in chosen]


def _left_out(venues: list[str]) -> frozenset[str]:
    """The venues whose levels shall not count. Kept is who is out, so that a venue that is added counts at once."""
    if not venues:
        return frozenset()
    kept = st.session_state.get("off")
    if kept and not set(kept) <= set(venues):
        st.session_state["off"] = [venue for venue in kept if venue in venues]
    chosen = st.pills(
        "Leave out", venues, selection_mode="multi", key="off", bind="query-params",
        help="A venue that is left out is still read, and back at once.",
    )  # fmt: skip
    return frozenset(map(str, chosen))


def _step(instruments: Sequence[Instrument]) -> float | None:
    """How levels are grouped: by default not at all, or by the coarsest tick where ticks differ."""
    ticks = [instrument.tick for instrument in instruments]
    coarsest = max([tick for tick in ticks if tick], default=None)
    if coarsest is None:
        return None
    common = common_step(ticks)
    options = [AUTOMATIC, EXACT, *[f"{coarsest * times:.10g}" for times in STEPS]]
    if st.session_state.get("step", EXACT) not in options or st.query_params.get("step", EXACT) not in options:
        st.session_state.pop("step", None)
        st.query_params.pop("step", None)
    chosen = st.selectbox("Group levels", options, key="step", bind="query-params", help=STEP_HELP)
    if chosen is None or chosen == AUTOMATIC:
        if common is not None:
            st.caption(f"The venues' ticks differ: levels are laid on the coarsest, {common:g}.")
        return common
    return None if chosen == EXACT else float(str(chosen))


def _fees(venues: Sequence[str]) -> dict[str, float | None]:
    with st.expander("Takers' fees", key="fees"):
        st.caption("In basis points. Without them gaps are gross only.")
        return {
            venue: st.number_input(
                venue, 0.0, 500.0, None, 0.5, key=f"fee-{venue}", bind="query-params",
                placeholder="not known", format="%.2f",
            )
            for venue in venues
        }  # fmt: skip


def take_recording(connector: str) -> None:
    """Look at all venues of a recording that was opened; a recording of one venue joins those that are chosen."""
    opened = venues_of_recording(connector)
    chosen = [str(name) for name in st.session_state.get("venues", ())] if len(opened) < LEAST else []
    others = [name for name in chosen if not name.startswith(REPLAY)]
    st.session_state["venues"] = list(dict.fromkeys([*opened, *others]))[:MOST_MEMBERS]
    st.session_state.pop("off", None)
    _stop()


def _start() -> None:
    st.query_params["run"] = "1"


def _stop() -> None:
    st.query_params.pop("run", None)
