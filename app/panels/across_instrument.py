"""Which instrument: one name at every venue, understood in any spelling, with near ones where it is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from app.instruments import Listing
from app.wiring import directory, engine
from app.words import plain, sentences
from engine.market.instrument import Instrument
from engine.market.unified import UnifiedNames

SUGGESTED = ("BTC/USDT", "BTC/USD", "BTC/USD*", "ETH/USDT", "ETH/USD", "EUR/USD")
LEAST = 2
"""So many venues must list a thing for it to be offered."""


def unified_names(listings: Mapping[str, Listing], alike: bool) -> UnifiedNames:
    """The unified names of these venues; made anew only when a list is another one."""
    lists = {name: listing.instruments for name, listing in listings.items()}
    kept: tuple[bool, dict[str, dict[str, Instrument]], UnifiedNames] | None = st.session_state.get("unified-names")
    if kept is not None:
        was_alike, were, names = kept
        same = alike == was_alike and list(were) == list(lists)
        if same and all(were[name] is instruments for name, instruments in lists.items()):
            return names
    names = UnifiedNames({name: one.values() for name, one in lists.items()}, dollars_alike=alike)
    st.session_state["unified-names"] = (alike, lists, names)
    return names


def choose_instrument(names: UnifiedNames, listings: Mapping[str, Listing]) -> str:
    """Draw the choice; the unified name that is wanted. A wrong one is answered with near ones at every venue."""
    offered = names.names(LEAST)
    asked = str(st.session_state.get("instrument") or st.query_params.get("instrument") or "")
    if any(listing.state == "loading" for listing in listings.values()):
        st.selectbox("Instrument", [asked or "…"], disabled=True, key="instrument-to-come")
        return names.resolve(asked) or asked
    first = next((offered.index(name) for name in SUGGESTED if name in offered), 0)
    options = offered if not asked or asked in offered else [*offered, asked]
    chosen = st.selectbox(
        "Instrument", options, index=first if options else None, key="instrument", bind="query-params",
        accept_new_options=True, placeholder="BASE/QUOTE, or as a venue spells it",
    )  # fmt: skip
    written = str(chosen or "")
    name = names.resolve(written) or written
    if name != written:
        st.caption(f"{plain(written)} is {plain(name)}.")
    ready = {venue: listing for venue, listing in listings.items() if listing.state == "ready"}
    if name and ready:
        _complain(name, names, ready)
    return name


def _complain(name: str, names: UnifiedNames, ready: Mapping[str, Listing]) -> None:
    have = names.at(name)
    lacking = [venue for venue in ready if venue not in have]
    if not lacking:
        return
    if len(have) >= LEAST:
        for venue in lacking:
            near = ", ".join(names.nearest_at(venue, name))
            st.caption(f"{plain(venue)} has no {plain(name)}" + (f"; near: {plain(near)}." if near else "."))
        return
    st.error(
        f"No venue here has {plain(name)}."
        if not have
        else f"Of these only {plain(', '.join(have))} has {plain(name)}."
    )
    unknown = names.unknown(name)
    for near, venues in unknown.near.items():
        st.button(f"{near}?", key=f"near-{name}-{near}", on_click=_choose, args=(near,), help=f"At {', '.join(venues)}")
    for venue in lacking:
        if near_here := ", ".join(names.nearest_at(venue, name)):
            st.caption(f"Near at {plain(venue)}: {plain(near_here)}")


def show_listings(listings: Mapping[str, Listing]) -> None:
    loading = [name for name, listing in listings.items() if listing.state == "loading"]
    if loading:
        _wait_for_listings(loading)
    for name, listing in listings.items():
        if listing.state == "failed":
            st.caption(
                f"{plain(name)} could not be asked for its symbols: {plain(sentences(listing.error, listing.hint))}"
            )


@st.fragment(run_every=0.5)
def _wait_for_listings(names: Sequence[str]) -> None:
    connectors = engine().connectors
    if any(directory().listing(connectors[name]).state != "loading" for name in names):
        st.rerun()
    st.caption(f"Loading what {plain(', '.join(names))} list …")


def _choose(name: str) -> None:
    st.session_state["instrument"] = name
