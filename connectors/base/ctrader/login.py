"""The talk with cTrader that leads to data: application, account, lists; and what it says in between.

1. 2100 the application (2101) → 2149 which accounts the token opens (2150) → 2102 the account (2103).
2. 2112 assets and 2114 symbols (2113, 2115): from then on symbols can be subscribed to.
3. 2127 spots; only when they are acknowledged (2128) 2156 depth.
4. An expired token is renewed once per connection (2173, 2174); the new pair is on disk before it is used.
5. 51 every ten seconds. What others want to know meanwhile (candles) is asked on the same connection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event

from msgspec import Struct

from connectors.base.ctrader import wire
from connectors.base.ctrader.candles import CandleDesk
from connectors.base.ctrader.tokens import TokenPair, TokenStore
from connectors.base.transport.link import PlannedClose
from connectors.base.transport.redaction import Redactor
from connectors.base.venue import Control
from engine.errors import Blocked, FeedError
from engine.market.instrument import Instrument

SYMBOLS_PER_MESSAGE = 20


class Keys(Struct, frozen=True):
    """The application and the account. `account` 0 takes the only one there is; `live` says which host it is."""

    client_id: str
    client_secret: str
    account: int
    live: bool

    def __repr__(self) -> str:
        return f"Keys(***, account={self.account}, live={self.live})"


class Listing:
    """What the account can watch, as far as it was told; `told` is set when it is complete."""

    def __init__(self) -> None:
        self.told = Event()
        self.symbols: dict[int, wire.LightSymbol] = {}
        self.identifiers: dict[str, int] = {}
        self.details: dict[int, wire.Detail] = {}
        self._assets: dict[int, str] = {}

    def learn(self, message: wire.Message) -> None:
        """Take in a list. Raises DecodeError."""
        kind = message.payloadType
        if kind == wire.ASSETS_LISTED:
            self._assets = {one.assetId: one.name for one in wire.read_payload(message, wire.Assets).asset}
        elif kind == wire.SYMBOLS_LISTED:
            listed = [one for one in wire.read_payload(message, wire.Symbols).symbol if one.enabled and one.symbolName]
            self.symbols = {one.symbolId: one for one in listed}
            self.identifiers = {one.symbolName: one.symbolId for one in listed}
        elif kind == wire.DETAILS_TOLD:
            self.details |= {one.symbolId: one for one in wire.read_payload(message, wire.Details).symbol}
        if self._assets and self.symbols:
            self.told.set()

    def instruments(self, venue: str) -> list[Instrument]:
        found = []
        for identifier, one in list(self.symbols.items()):
            detail = self.details.get(identifier)
            tick = 10.0**-detail.digits if detail is not None else None
            lot = detail.stepVolume / wire.SIZE_UNIT if detail is not None and detail.stepVolume else None
            base = self._assets.get(one.baseAssetId or 0, one.symbolName)
            found.append(
                Instrument(venue, one.symbolName, base, self._assets.get(one.quoteAssetId or 0, ""), tick, lot)
            )
        return found

    def tick(self, identifier: int) -> int:
        """A symbol's price step in the venue's units."""
        detail = self.details.get(identifier)
        digits = detail.digits if detail is not None else wire.PRICE_DIGITS
        return max(1, 10 ** (wire.PRICE_DIGITS - digits)) if digits <= wire.PRICE_DIGITS else 1


class Login:
    """A `Conversation` with cTrader."""

    def __init__(
        self,
        keys: Keys,
        tokens: TokenStore,
        listing: Listing,
        candles: CandleDesk,
        redactor: Redactor,
        begin_depth: Callable[[Sequence[int]], None],
    ) -> None:
        self.account = keys.account
        self._keys = keys
        self._tokens = tokens
        self._listing = listing
        self._candles = candles
        self._redactor = redactor
        self._begin_depth = begin_depth
        self._spots_of: set[int] = set()
        """The symbols whose best prices come."""
        self._renewed = False
        self._lists: set[int] = set()
        self._handlers: dict[int, Callable[[wire.Message], Sequence[str | Control]]] = {
            wire.APPLICATION_AUTHORISED: lambda _: self._ask_accounts(),
            wire.ACCOUNTS_TOLD: self._on_accounts,
            wire.ACCOUNT_AUTHORISED: lambda _: self._ask_lists(),
            wire.ASSETS_LISTED: self._on_list,
            wire.SYMBOLS_LISTED: self._on_list,
            wire.SPOTS_SUBSCRIBED: self._on_spots_subscribed,
            wire.SYMBOL_CHANGED: self._on_symbol_changed,
            wire.REFRESHED: self._on_refreshed,
            wire.TRENDBARS_TOLD: self._on_candles,
            wire.TRENDBARS_SUBSCRIBED: self._on_live,
        }
        candles.restart()

    @property
    def ready(self) -> bool:
        return len(self._lists) == 2

    def open(self) -> Sequence[str]:
        keys, pair = self._keys, self._tokens.current
        self._redactor.add((pair.access, pair.refresh))
        return [wire.write(wire.APPLICATION_AUTH, "login:", clientId=keys.client_id, clientSecret=keys.client_secret)]

    def errands(self, now_ns: int) -> Sequence[str]:
        return self._candles.frames(self.account, self._spots_of, now_ns)

    def heartbeat(self) -> str:
        return wire.write(wire.HEARTBEAT)

    def hear(self, frame: bytes, now_ns: int) -> Sequence[str | Control]:
        message = wire.read_message(frame)
        kind = message.payloadType
        if kind in (wire.ERROR, wire.COMMON_ERROR):
            return self._on_error(message, now_ns)
        if kind in (wire.TOKENS_INVALIDATED, wire.CLIENT_DISCONNECT, wire.ACCOUNT_DISCONNECT):
            return self._on_parting(message)
        handler = self._handlers.get(kind)
        return handler(message) if handler is not None else ()

    def subscribe(self, identifiers: Sequence[int]) -> list[str]:
        """Details and spots; the depth follows when the spots are acknowledged."""
        return [
            frame
            for some in _chunks(identifiers)
            for frame in (self._about(wire.DETAILS, "details", some), self._spots(some))
        ]

    def unsubscribe(self, identifiers: Sequence[int]) -> list[str]:
        self._spots_of.difference_update(identifiers)
        return [*self._candles.leave(self.account, identifiers), *self._leave(identifiers)]

    def _leave(self, identifiers: Sequence[int]) -> list[str]:
        return [
            frame
            for some in _chunks(identifiers)
            for frame in (
                self._about(wire.UNSUBSCRIBE_DEPTH, "leave", some),
                self._about(wire.UNSUBSCRIBE_SPOTS, "leave", some),
            )
        ]

    def _spots(self, identifiers: Sequence[int]) -> str:
        return wire.write(
            wire.SUBSCRIBE_SPOTS,
            wire.request_of("spots", identifiers),
            ctidTraderAccountId=self.account,
            symbolId=list(identifiers),
            subscribeToSpotTimestamp=True,
        )

    def _about(self, kind: int, what: str, identifiers: Sequence[int]) -> str:
        request = wire.request_of(what, identifiers)
        return wire.write(kind, request, ctidTraderAccountId=self.account, symbolId=list(identifiers))

    def _depth(self, identifiers: Sequence[int], what: str = "depth") -> Sequence[str]:
        self._begin_depth(identifiers)
        return (self._about(wire.SUBSCRIBE_DEPTH, what, identifiers),)

    def _ask_accounts(self) -> Sequence[str]:
        return (wire.write(wire.ACCOUNTS, "accounts:", accessToken=self._tokens.current.access),)

    def _on_accounts(self, message: wire.Message) -> Sequence[str]:
        self.account = _choose(wire.read_payload(message, wire.Accounts).ctidTraderAccount, self._keys)
        token = self._tokens.current.access
        return (wire.write(wire.ACCOUNT_AUTH, "account:", ctidTraderAccountId=self.account, accessToken=token),)

    def _ask_lists(self) -> Sequence[str]:
        return [
            wire.write(kind, request, ctidTraderAccountId=self.account)
            for kind, request in ((wire.ASSETS, "assets:"), (wire.SYMBOLS, "symbols:"))
        ]

    def _on_list(self, message: wire.Message) -> Sequence[str]:
        # What it lists was learned when the frame was decoded.
        self._lists.add(message.payloadType)
        return ()

    def _on_spots_subscribed(self, message: wire.Message) -> Sequence[str]:
        _, identifiers = wire.parse_request(message.clientMsgId)
        self._spots_of.update(identifiers)
        return self._depth(identifiers) if identifiers else ()

    def _on_candles(self, message: wire.Message) -> Sequence[str]:
        _, numbers = wire.parse_request(message.clientMsgId)
        for number in numbers:
            self._candles.take(number, message)
        return ()

    def _on_live(self, message: wire.Message) -> Sequence[str]:
        _, numbers = wire.parse_request(message.clientMsgId)
        for number in numbers:
            self._candles.subscribed(number, agreed=True)
        return ()

    def _on_parting(self, message: wire.Message) -> Sequence[str]:
        """The venue ends the session, or the token of an account that may be another one."""
        said = wire.read_payload(message, wire.Parting)
        others = message.payloadType == wire.TOKENS_INVALIDATED and said.ctidTraderAccountIds
        if others and self.account not in said.ctidTraderAccountIds:
            return ()
        words = self._redactor.text(f": {said.reason}" if said.reason else "")
        raise PlannedClose(f"cTrader ended the session ({message.payloadType}){words}")

    def _on_symbol_changed(self, message: wire.Message) -> Sequence[str]:
        changed = wire.read_payload(message, wire.Changed).symbolId
        return [self._about(wire.DETAILS, "details", some) for some in _chunks(changed)]

    def _on_refreshed(self, message: wire.Message) -> Sequence[str]:
        pair = wire.read_payload(message, wire.Tokens)
        self._redactor.add((pair.accessToken, pair.refreshToken))
        self._tokens.renew(TokenPair(pair.accessToken, pair.refreshToken))
        return self._ask_accounts()

    def _on_error(self, message: wire.Message, now_ns: int) -> Sequence[str | Control]:
        failure = wire.read_payload(message, wire.Failure)
        what, identifiers = wire.parse_request(message.clientMsgId)
        code = failure.errorCode
        error = wire.error_of(failure, milliseconds=message.payloadType == wire.COMMON_ERROR, now_ns=now_ns)
        error = self._redactor.error(error)
        if code == "ALREADY_LOGGED_IN" and what in ("login", "account"):
            return self._ask_accounts() if what == "login" else self._ask_lists()
        if code == "ALREADY_SUBSCRIBED" and what == "spots":
            return self._on_spots_subscribed(message)
        if code == "ALREADY_SUBSCRIBED" and what == "depth":
            # Then the message that carries every quote has passed: leave, and subscribe once more.
            leave = self._about(wire.UNSUBSCRIBE_DEPTH, "leave", identifiers)
            return (leave, *self._depth(identifiers, "again"))
        if code in wire.TOKEN_ERRORS and self._tokens.current.refresh and not self._renewed and what != "refresh":
            return self._renew()
        if code in wire.CONNECTION_ERRORS or not self.ready:
            raise error if what != "refresh" else Blocked(str(error), hint=_NEW_PAIR)
        return self._on_refused(code, what, identifiers, error)

    def _on_refused(self, code: str, what: str, identifiers: list[int], error: FeedError) -> Sequence[str | Control]:
        """One request failed: say so for its symbols, one by one where only one of several can be wrong."""
        if what in ("leave", "details"):
            return ()  # nobody waits for it: the symbol is left, or shown without its step
        if what in ("candles", "live"):
            for number in identifiers:
                if what == "live":
                    self._candles.subscribed(number, agreed=False)
                else:
                    self._candles.refuse(number, error)
            return ()
        if len(identifiers) > 1:
            if what == "spots":
                return [self._spots([identifier]) for identifier in identifiers]
            return [frame for identifier in identifiers for frame in self._depth([identifier])]
        symbols = [one.symbolName for one in map(self._listing.symbols.get, identifiers) if one is not None]
        slow = (Control("throttled", reason=str(error)),) if code in wire.THROTTLED else ()
        refused = [
            Control("invalid_symbol" if code in wire.UNKNOWN_SYMBOL else "refused", symbol, str(error))
            for symbol in symbols
        ]
        return (*slow, *refused)

    def _renew(self) -> Sequence[str]:
        self._renewed = True
        self._tokens.prepare()
        return (wire.write(wire.REFRESH, "refresh:", refreshToken=self._tokens.current.refresh),)


_NEW_PAIR = "The token cannot be renewed: get a new pair for CTRADER_ACCESS_TOKEN and CTRADER_REFRESH_TOKEN."


def _chunks(identifiers: Sequence[int]) -> list[Sequence[int]]:
    return [
        identifiers[start : start + SYMBOLS_PER_MESSAGE] for start in range(0, len(identifiers), SYMBOLS_PER_MESSAGE)
    ]


def _choose(accounts: Sequence[wire.Account], keys: Keys) -> int:
    """The account to use, by its number or by its login.

    Raises:
        Blocked: there is no such account, it lives on the other host, or there are several and none is named.
    """
    host = "live" if keys.live else "demo"
    here = [one for one in accounts if one.isLive == keys.live]
    if not accounts:
        raise Blocked("cTrader: the token opens no account", hint="Check CTRADER_ACCESS_TOKEN and its consent page.")
    if not keys.account:
        if len(here) == 1:
            return here[0].ctidTraderAccountId
        raise Blocked(
            f"cTrader: the token opens {len(here)} {host} accounts",
            hint=f"Set CTRADER_ACCOUNT_ID (and CTRADER_HOST) to one of: {_described(accounts)}.",
        )
    for one in accounts:
        if keys.account in (one.ctidTraderAccountId, one.traderLogin):
            if one.isLive is keys.live:
                return one.ctidTraderAccountId
            other = "live" if one.isLive else "demo"
            raise Blocked(
                f"cTrader: account {keys.account} is a {other} account, the host is {host}",
                hint=f"Set CTRADER_HOST={other}, or CTRADER_ACCOUNT_ID to one of: {_described(here) or 'none'}.",
            )
    raise Blocked(
        f"cTrader: the token does not open account {keys.account}",
        hint=f"Set CTRADER_ACCOUNT_ID to one of: {_described(accounts)}.",
    )


def _described(accounts: Sequence[wire.Account]) -> str:
    return ", ".join([f"{one.ctidTraderAccountId} ({'live' if one.isLive else 'demo'})" for one in accounts[:10]])
