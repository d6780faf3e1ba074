"""Sends messages through Apprise: webhooks, Telegram, Discord, e-mail and some 200 services more. Its only door.

The library's own log quotes addresses and payloads at DEBUG, and that of the HTTP library under it does too: neither is
let through below WARNING, and what they say of a failure is shown without the address's secrets.
"""

from __future__ import annotations

import logging
import warnings
from threading import Lock

import apprise
from apprise.plugins import NotifyBase

from engine.alerts.addresses import Address, addresses, secrets_of
from engine.alerts.channel import Channel, Told
from engine.alerts.notify import Notifier
from engine.errors import SendError
from engine.redaction import Redactor

CONNECT_S = 4.0
READ_S = 4.0
LONGEST_WORDS = 300
_TALKATIVE = ("apprise", "urllib3", "requests", "requests_oauthlib", "oauthlib")

_loading = Lock()


class AppriseSender:
    """One address, opened when the first message goes out: loading the library's services takes a moment."""

    def __init__(self, address: Address) -> None:
        self.service = address.scheme
        self.address = f"{address.scheme}://***"
        self._url = address.url
        self._redactor = Redactor(secrets_of(address))
        self._apprise: apprise.Apprise | None = None

    def __repr__(self) -> str:
        return f"AppriseSender({self.address!r})"

    def send(self, title: str, body: str) -> None:
        result = self._opened().notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT)
        if not result:
            words = [entry.message for sent in result for attempt in sent for entry in attempt.logs]
            raise SendError(self._redactor.text(words[-1])[:LONGEST_WORDS] if words else "no reason was given")

    def _opened(self) -> apprise.Apprise:
        if self._apprise is None:
            # Sending on the caller's thread: a thread pool of the library's own would outlive us.
            asset = apprise.AppriseAsset(app_id="Tapedeck", app_desc="Tapedeck", app_url="", async_mode=False)
            with _loading, warnings.catch_warnings():
                # Its services are loaded at the first address; one of them imports a module that Python will drop.
                warnings.simplefilter("ignore", DeprecationWarning)
                _hush()
                service = apprise.Apprise.instantiate(self._url, asset=asset, suppress_exceptions=True)
            if not isinstance(service, NotifyBase):
                raise SendError(
                    f"Apprise cannot read this address ({self.address}); its parts are not as it wants them"
                )
            service.socket_connect_timeout, service.socket_read_timeout = CONNECT_S, READ_S
            # Services refuse what is too long for them.
            service.overflow_mode = apprise.OverflowMode.SPLIT
            self.service = str(service.service_name or self.service)
            opened = apprise.Apprise(asset=asset)
            opened.add(service)
            self._apprise = opened
        return self._apprise


def make_notifier(urls: str, told: Told) -> Notifier:
    """A channel for each address in a list (see `addresses`), and what is wrong with the others."""
    found, problems = addresses(urls)
    return Notifier([Channel(address.name, AppriseSender(address), told) for address in found], problems)


def _hush() -> None:
    """Nothing below a warning from the libraries, whatever the log level of the process is."""
    for name in _TALKATIVE:
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))
    quiet = logging.getLogger("apprise")
    quiet.propagate = False
    if not quiet.handlers:
        quiet.addHandler(logging.NullHandler())
