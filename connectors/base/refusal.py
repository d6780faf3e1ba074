"""What an HTTP status means for us, for REST calls and WebSocket handshakes alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from engine.errors import Blocked, Disconnected, FeedError, RateLimited

RESTRICTED = re.compile(rb"restricted|eligib|not available in your|unavailable in your|country|region", re.IGNORECASE)
LOCATION_HINT = "The venue refuses this location: pick another venue or another of its hosts."
KEY_HINT = "The venue wants valid credentials: check the key in the settings."
PACE_HINT = "The venue asks to slow down; the pace is lowered, and it goes on by itself."
PROXY_HINT = "The proxy wants a user and a password: put them into HTTPS_PROXY (http://user:password@host:port)."
FIREWALL_HINT = (
    "A firewall, a proxy or a log-in page answers in the venue's place (or the venue's own guard, for some minutes "
    "after too many attempts): check the network and HTTPS_PROXY."
)
TROUBLE_HINT = "The venue has trouble of its own: it is tried again by itself."
BAN_S = 120.0
"""The shortest ban that venues speak out (HTTP 418) when they do not say how long."""


def refusal(status: int, body: bytes, headers: Mapping[str, str], what: str) -> FeedError:
    """The error that a response with this status stands for; header names are lower case."""
    said = _said(body, headers)
    message = f"{what} answered HTTP {status}{said}"
    if status in (429, 418):
        wait_s = retry_after_s(headers)
        if wait_s is None and status == 418:
            wait_s = BAN_S
        return RateLimited(message, retry_after_s=wait_s, hint=PACE_HINT)
    if status == 451 or (status == 403 and RESTRICTED.search(body)):
        return Blocked(message, hint=LOCATION_HINT, why="location")
    if status == 401:
        return Blocked(message, hint=KEY_HINT, why="key")
    if status == 407:
        return Blocked(message, hint=PROXY_HINT)
    if is_web_page(body, headers) and status < 500:
        return Disconnected(message, hint=FIREWALL_HINT)
    return Disconnected(message, hint=TROUBLE_HINT if status >= 500 else FIREWALL_HINT if status == 403 else "")


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """The wait that `Retry-After` asks for, in seconds or as a date; None without one."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    if value.replace(".", "", 1).isdigit():
        return float(value)
    try:
        then = parsedate_to_datetime(value)
    except ValueError:
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return max(0.0, (then - (now or datetime.now(UTC))).total_seconds())


def is_web_page(body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether somebody (a proxy, a firewall, a log-in page) answered in the venue's place."""
    return "html" in headers.get("content-type", "") or body[:64].lstrip()[:1] == b"<"


def _said(body: bytes, headers: Mapping[str, str]) -> str:
    """The beginning of the body in one line; a web page is named as one, not quoted."""
    if is_web_page(body, headers):
        return " with a web page instead of data"
    text = " ".join(body[:400].decode("utf-8", "replace").split())[:200]
    return f": {text}" if text else ""
