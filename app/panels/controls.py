"""Connector, mode, symbols, strategy, start and stop."""

from __future__ import annotations

import streamlit as st

from app.instruments import Listing
from app.session import StrategyChoice
from app.view import POLLING, STREAMING, View
from app.wiring import directory, engine, reopen_recording
from app.words import REPLAY, plain, sentences
from connectors.base.venue import Venue
from engine.connector import Connector
from engine.strategy.params import parameters

MOST_SYMBOLS = 20
SUGGESTED = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BTC/USDT", "ETH/USDT", "SOL/USDT", "BTC/USD", "ETH/USD", "EUR/USD")
FIRST_VENUE = "binance"
NO_STRATEGY = "none"


def show() -> View:
    """Draw the controls; what the person wants."""
    reopen_recording(st.query_params.get("connector", ""))
    connectors = engine().connectors
    names = sorted(connectors)
    _missing_connector(names)
    first = names.index(FIRST_VENUE) if FIRST_VENUE in names else 0
    name = st.selectbox(
        "Connector", names, index=first, key="connector", bind="query-params", on_change=_forget_symbols, required=True
    )
    connector = connectors[str(name)]
    if connector.name.startswith(REPLAY):
        st.caption(plain(connector.name.removeprefix(REPLAY)))  # the box is too narrow for it
    mode, every_s = _mode(connector)
    symbols = _symbols(connector)
    strategy = _strategy()
    running = st.query_params.get("run") == "1"
    if running:
        st.button("⏹ Stop", key="stop", width="stretch", on_click=_stop)
    else:
        st.button(
            "▶️ Start Live Feed", key="start", type="primary", width="stretch", on_click=_start, disabled=not symbols
        )
    focus = str(st.session_state.get("focus") or (symbols[0] if symbols else ""))
    focus = focus if focus in symbols else (symbols[0] if symbols else "")
    _plugin_errors()
    st.session_state["address"] = _rest_of_address()
    return View(connector.name, mode, every_s, symbols, running and bool(symbols), focus, strategy)


def welcome(view: View) -> None:
    """What stands where the market will be."""
    connector = engine().connectors[view.connector]
    st.subheader("Nothing is running")
    if view.symbols:
        st.write(
            f"**{plain(view.connector)}** is chosen with {plain(', '.join(view.symbols))}. "
            "Press **▶️ Start Live Feed**; the first prices come within one to three seconds."
        )
        st.button("▶️ Start Live Feed", key="start-here", on_click=_start)
    else:
        _no_symbol(connector)
    card(connector)


def _no_symbol(connector: Connector) -> None:
    """Why nothing can be started yet, and the way on."""
    listing = directory().listing(connector)
    name = plain(connector.name)
    if listing.state == "failed":
        st.warning(
            f"**{name}** could not be asked for its symbols: {plain(sentences(listing.error, listing.hint))} "
            "It is asked again by itself. You can type a symbol as the venue spells it, or choose another connector."
        )
    elif listing.state == "loading":
        st.write(f"**{name}** is being asked for its symbols …")
    else:
        st.write(f"**{name}** is chosen. Pick at least one of its symbols under **Symbols**.")


def card(connector: Connector) -> None:
    """What the connector can do, as it says of itself."""
    lines = "\n".join(f"| {name} | {value} |" for name, value in card_rows(connector).items())
    st.markdown(f"| {connector.name} | |\n|---|---|\n{lines}")
    if connector.capabilities.note:
        st.caption(connector.capabilities.note)


def card_rows(connector: Connector) -> dict[str, str]:
    """The rows of a connector's card."""
    can = connector.capabilities
    key = f"yes. {connector.key_hint}" if isinstance(connector, Venue) and connector.key_hint else "yes"
    return {
        "Streaming": "yes" if can.streaming else "no, REST polling only",
        "Polling": "yes" if can.polling else "no",
        "Depth": f"up to {can.depth:,} levels per side" if can.depth else "none",
        "Trades": "yes" if can.trades else "no",
        "Candles": ", ".join(can.candles) or "none",
        "Gap detection": can.gap_detection,
        "Key needed": key if can.key_needed else "no",
        "Test network": can.test_network or "–",
        "Known to refuse": can.regions_blocked or "–",
    }


def _mode(connector: Connector) -> tuple[str, float]:
    options = [STREAMING, POLLING] if connector.capabilities.polling else [STREAMING]
    mode = st.radio("Mode", options, key="mode", bind="query-params")
    if mode != POLLING:
        if not connector.capabilities.streaming:
            st.caption(f"{connector.name} connector does not support WebSocket streaming: it will be polled.")
        return STREAMING, 1.0
    every_s = st.number_input(
        "Poll every (seconds)", 0.5, 60.0, 1.0, 0.5, format="%.1f", key="every", bind="query-params"
    )
    return POLLING, float(every_s)


def _symbols(connector: Connector) -> tuple[str, ...]:
    listing = directory().listing(connector)
    known = list(listing.instruments)
    suggested = [symbol for symbol in SUGGESTED if symbol in listing.instruments][:3] or known[:3]
    # Until the person chooses, the symbols are the suggested ones, also when the browser went back or forward.
    empty = not st.session_state.get("symbols", st.query_params.get_all("symbols"))
    if suggested and empty and not st.session_state.get("own_symbols"):
        st.session_state["symbols"] = suggested
    chosen = st.multiselect(
        "Symbols",
        known,
        key="symbols",
        bind="query-params",
        on_change=_chose_symbols,
        max_selections=MOST_SYMBOLS,
        accept_new_options=True,
        select_all=False,
        placeholder="Search the venue's instruments" if known else "Type a symbol as the venue spells it",
    )
    if suggested and not chosen and not empty and not st.session_state.get("own_symbols"):
        st.rerun()  # an older address was gone back to, and took the symbols away
    _listing_state(connector, listing)
    return tuple([symbol for symbol in chosen if not _wrong(symbol, listing)])


def _wrong(symbol: str, listing: Listing) -> bool:
    """Say what is wrong with a symbol and offer the near ones; False when nothing is."""
    problem = listing.problem(symbol)
    if problem is None:
        return False
    text, near = problem
    st.error(plain(text) + (" Did you mean:" if near else " Nothing that is listed is like it."))
    with st.container(horizontal=True, gap="small"):
        for name in near:
            st.button(f"{name}?", key=f"near-{symbol}-{name}", on_click=_swap, args=(symbol, name))
    return True


def _listing_state(connector: Connector, listing: Listing) -> None:
    if listing.state == "loading":
        _wait_for_listing(connector)
    elif listing.state == "failed":
        _wait_for_network(connector)
        st.caption(f"The list of instruments could not be had: {plain(sentences(listing.error, listing.hint))}")


@st.fragment(run_every=0.5)
def _wait_for_listing(connector: Connector) -> None:
    if directory().listing(connector).state != "loading":
        st.rerun()
    st.caption(f"Loading what {connector.name} lists …")


@st.fragment(run_every=5.0)
def _wait_for_network(connector: Connector) -> None:
    """Asks again from time to time; the page learns of it when there is an answer."""
    if directory().listing(connector).state == "ready":
        st.rerun()


def _strategy() -> StrategyChoice | None:
    classes = engine().strategies.classes
    name = str(st.selectbox("Strategy", [NO_STRATEGY, *sorted(classes)], key="strategy", bind="query-params"))
    if name == NO_STRATEGY:
        return None
    values = []
    with st.expander("Parameters", key="strategy-parameters"):
        for item in parameters(classes[name]):
            whole = item.kind is int
            step = 1 if whole else round((item.high - item.low) / 100, 4)
            value = st.slider(
                item.name, item.kind(item.low), item.kind(item.high), item.kind(item.default), step,
                help=item.help, key=f"{name}.{item.name}", bind="query-params",
            )  # fmt: skip
            values.append((item.name, float(value)))
    return StrategyChoice(name, tuple(values))


def _plugin_errors() -> None:
    for error in engine().plugin_errors:
        st.warning(plain(sentences(str(error), error.hint)))


def _missing_connector(names: list[str]) -> None:
    """An address may name a connector that is not here (any more): say so instead of starting another one."""
    asked = st.query_params.get("connector")
    if asked and asked not in names:
        st.session_state["missing-connector"] = asked
        st.query_params.pop("run", None)
        st.session_state["symbols"] = []
    if missing := st.session_state.get("missing-connector"):
        st.warning(
            f"There is no connector {plain(repr(missing))} here. A recording has to be opened again after a restart."
        )


def _start() -> None:
    st.query_params["run"] = "1"


def _stop() -> None:
    st.query_params.pop("run", None)


def _forget_symbols() -> None:
    # Set, not removed: what is removed would come back from the address.
    st.session_state["symbols"] = []
    st.session_state["own_symbols"] = False
    st.session_state.pop("focus", None)
    st.session_state.pop("missing-connector", None)
    _stop()


def _chose_symbols() -> None:
    # Going back in the browser empties the list as well, but then the rest of the address has changed with it.
    emptied = not st.session_state["symbols"]
    st.session_state["own_symbols"] = not emptied or _rest_of_address() == st.session_state.get("address")


def _rest_of_address() -> dict[str, str]:
    return {name: value for name, value in st.query_params.items() if name != "symbols"}


def _swap(wrong: str, right: str) -> None:
    chosen = [right if symbol == wrong else symbol for symbol in st.session_state["symbols"]]
    st.session_state["symbols"] = list(dict.fromkeys(chosen))
