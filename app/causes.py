"""The five usual causes of a feed without data, each looked into live instead of listed."""

from __future__ import annotations

import logging
import socket
from time import monotonic, perf_counter
from urllib.parse import urlsplit

from msgspec import Struct

from app.instruments import InstrumentDirectory
from app.session import LiveSession
from app.view import View
from app.words import sentences
from connectors.base.venue import Venue
from engine.connector import Connector
from engine.errors import EngineError
from engine.market.events import FeedState

log = logging.getLogger(__name__)

CONNECT_S = 3.0
UNREAD_S = 15.0
"""The page empties its mailbox every second; the checks before this one may take some seconds themselves."""
PORTS = {"wss": 443, "https": 443, "ws": 80, "http": 80}


class Cause(Struct, frozen=True):
    """One question, whether it is fine (None: it cannot be told), what was found and what to do."""

    question: str
    fine: bool | None
    found: str
    remedy: str = ""


def look_into(session: LiveSession, view: View, connector: Connector, directory: InstrumentDirectory) -> list[Cause]:
    """Check all five now; takes up to some seconds where the network does not answer."""
    return [
        _streams(session, view, connector),
        _said(session, view),
        _reach(view, connector),
        _symbols(view, connector, directory),
        _mailbox(session),
    ]


def _streams(session: LiveSession, view: View, connector: Connector) -> Cause:
    notices = list(dict.fromkeys([notice for key in session.keys if (notice := session.notice(key))]))
    if notices:
        return Cause("Does the connector stream?", False, "; ".join(notices), "It is polled by REST instead.")
    if not connector.capabilities.streaming:
        return Cause("Does the connector stream?", False, f"{view.connector} has no stream.", "It is polled by REST.")
    return Cause("Does the connector stream?", True, "Yes.")


def _said(session: LiveSession, view: View) -> Cause:
    question = "Did a connection fail silently?"
    words = []
    remedies = []
    for key in session.keys:
        feed = session.feed(key)
        status = feed.status if feed is not None else None
        if status is not None and status.state is not FeedState.LIVE and (status.reason or status.hint):
            words.append(f"{key[1]} is {status.state.value}: {status.reason}")
            remedies.append(status.hint)
    if not words:
        return Cause(question, True, "No: no feed reports a failure.")
    return Cause(question, False, "; ".join(words), " ".join(dict.fromkeys([text for text in remedies if text])))


def _reach(view: View, connector: Connector) -> Cause:
    question = "Can this machine reach the venue?"
    if connector.capabilities.source in ("mock", "replay"):
        return Cause(question, True, "It lives in this process; no network is needed.")
    found: list[str] = []
    fine = True
    try:
        for url in connector.addresses() if isinstance(connector, Venue) else ():
            reached, words = _knock(url)
            fine, found = fine and reached, [*found, words]
        said = _asked(connector, view.symbols[0])
        found += [said] if said else []
    except EngineError as error:
        fine = False
        found.append(sentences(str(error), error.hint))
    except Exception as error:  # the border: top of a thread, where a stranger's connector is asked
        log.exception("%s could not be asked", view.connector)
        fine = False
        found.append(f"{type(error).__name__}: {error}")
    remedy = "" if fine else "Look at the network, proxy and firewall; try REST Polling or another venue."
    return Cause(question, fine, sentences("; ".join(found)), remedy)


def _asked(connector: Connector, symbol: str) -> str:
    """What came of asking for a book, in words; empty where there are none to be asked for.

    Raises:
        EngineError: it was not given.
    """
    can = connector.capabilities
    if not can.depth:
        return "it has no books to ask for"
    if not can.polling:
        return ""
    started = perf_counter()
    connector.fetch_snapshot(symbol, 5)
    return f"REST answered in {(perf_counter() - started) * 1000:.0f} ms"


def _knock(url: str) -> tuple[bool, str]:
    """Whether a TCP connection to the URL's host can be made, in words."""
    address = urlsplit(url)
    host, port = address.hostname or "", address.port or PORTS.get(address.scheme, 443)
    started = perf_counter()
    try:
        socket.create_connection((host, port), timeout=CONNECT_S).close()
    except OSError as error:
        return False, f"{host}:{port} cannot be reached ({error})"
    return True, f"{host}:{port} answered in {(perf_counter() - started) * 1000:.0f} ms"


def _symbols(view: View, connector: Connector, directory: InstrumentDirectory) -> Cause:
    question = "Are the symbols spelled as the venue spells them?"
    listing = directory.listing(connector)
    if listing.state != "ready":
        return Cause(
            question, None, sentences(f"The venue's list is not known ({listing.state})", listing.error), listing.hint
        )
    wrong = {symbol: problem for symbol in view.symbols if (problem := listing.problem(symbol)) is not None}
    if not wrong:
        return Cause(question, True, f"Yes: all {len(view.symbols)} are listed.")
    words = "; ".join([f"{symbol} is not listed" for symbol in wrong])
    return Cause(question, False, words, " ".join([f"Try {', '.join(near)}." for _, near in wrong.values() if near]))


def _mailbox(session: LiveSession) -> Cause:
    events = sum(buffer.events for buffer in session.buffers.values())
    found = f"This page has emptied its mailbox {session.drains:,} times and found {events:,} events."
    dropped = session.mailbox.dropped
    if dropped:
        found += f" {dropped:,} were pushed out before they could be read."
    drained_at = session.drained_at
    fine = drained_at is not None and monotonic() - drained_at < UNREAD_S
    remedy = "" if fine else "Reload the page; if it stays so, stop and start the feed."
    return Cause("Does this page read what comes?", fine, found, remedy)
