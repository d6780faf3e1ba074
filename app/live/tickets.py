"""Tickets: how the page's script lets one browser read certain feeds over the socket, and nobody else."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

import msgspec
from itsdangerous import BadSignature, URLSafeTimedSerializer
from msgspec import Struct

from engine.errors import EngineError
from engine.feed.mailbox import FeedKey

TICKET_AGE_S = 30
RESUME_AGE_S = 12 * 3600
MOST_KEYS = 60


class TicketRefused(EngineError):
    """A ticket that is forged, too old or not a ticket."""

    hint = "Reload the page."


class Claims(Struct, frozen=True):
    """What a ticket allows: these feeds, to this browser session."""

    session: str
    keys: tuple[FeedKey, ...]


class TicketOffice:
    """Mints and checks tickets.

    A ticket must be used within 30 s. Whoever used one is given a resume token, with which the same browser may come
    back for 12 hours after its connection broke; both die with the process unless `secret` is given.
    """

    def __init__(self, secret: bytes | None = None) -> None:
        key = secret or secrets.token_bytes(32)
        self._tickets = URLSafeTimedSerializer(key, salt="tapedeck-live-ticket")
        self._resumes = URLSafeTimedSerializer(key, salt="tapedeck-live-resume")

    def mint(self, keys: Iterable[FeedKey], session: str) -> str:
        """A ticket for these feeds (at most 60), good for 30 s.

        Raises:
            TicketRefused: too many feeds.
        """
        return str(self._tickets.dumps(_payload(Claims(session, tuple(keys)))))

    def mint_resume(self, claims: Claims) -> str:
        """What a running socket needs to come back."""
        return str(self._resumes.dumps(_payload(claims)))

    def check(self, ticket: str, *, age_s: int = TICKET_AGE_S) -> Claims:
        """What a fresh ticket allows.

        Raises:
            TicketRefused: forged, expired or not a ticket.
        """
        return _read(self._tickets, ticket, age_s)

    def check_resume(self, token: str, *, age_s: int = RESUME_AGE_S) -> Claims:
        """What a resume token allows.

        Raises:
            TicketRefused: forged, expired or not a token.
        """
        return _read(self._resumes, token, age_s)


def _payload(claims: Claims) -> list[object]:
    if len(claims.keys) > MOST_KEYS:
        raise TicketRefused(f"{len(claims.keys)} feeds asked for, at most {MOST_KEYS} fit one ticket")
    return [claims.session, [list(key) for key in claims.keys]]


def _read(serializer: URLSafeTimedSerializer, text: str, age_s: int) -> Claims:
    try:
        session, keys = serializer.loads(text, max_age=age_s)
        return msgspec.convert({"session": session, "keys": keys}, Claims)
    except BadSignature as error:
        raise TicketRefused(f"ticket refused: {type(error).__name__}") from error
    except (TypeError, ValueError, msgspec.ValidationError) as error:
        raise TicketRefused("ticket refused: not what we sign") from error
