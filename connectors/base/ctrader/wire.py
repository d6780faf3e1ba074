"""cTrader's messages: JSON texts {"clientMsgId": …, "payloadType": 2131, "payload": {…}}, and what its errors mean.

Documentation: cTrader Open API, messages of 2025-07-16. Prices are whole numbers of 1/100000, sizes of 1/100 of a unit,
whatever the symbol's digits. Whole numbers may come as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from json import dumps
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from engine.errors import Blocked, DecodeError, Disconnected, FeedError, RateLimited

PRICE_UNIT, SIZE_UNIT, PRICE_DIGITS = 100_000, 100, 5

COMMON_ERROR, HEARTBEAT = 50, 51
APPLICATION_AUTH, ACCOUNT_AUTH, ACCOUNT_AUTHORISED = 2100, 2102, 2103
ASSETS, ASSETS_LISTED, SYMBOLS, SYMBOLS_LISTED, DETAILS, DETAILS_TOLD, SYMBOL_CHANGED = (
    2112, 2113, 2114, 2115, 2116, 2117, 2120,
)  # fmt: skip
SUBSCRIBE_SPOTS, SPOTS_SUBSCRIBED, UNSUBSCRIBE_SPOTS, SPOT = 2127, 2128, 2129, 2131
DEPTH, SUBSCRIBE_DEPTH, UNSUBSCRIBE_DEPTH = 2155, 2156, 2158
SUBSCRIBE_TRENDBARS, UNSUBSCRIBE_TRENDBARS, TRENDBARS, TRENDBARS_TOLD, TRENDBARS_SUBSCRIBED = (
    2135, 2136, 2137, 2138, 2165,
)  # fmt: skip
ERROR, TOKENS_INVALIDATED, CLIENT_DISCONNECT, ACCOUNT_DISCONNECT = 2142, 2147, 2148, 2164
ACCOUNTS, ACCOUNTS_TOLD, REFRESH, REFRESHED, APPLICATION_AUTHORISED = 2149, 2150, 2173, 2174, 2101

LONGEST_WAIT_S = 60.0


Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""What the venue calls int64."""


class Message(Struct):
    """One message; `payload` is read by its type."""

    payloadType: int
    payload: msgspec.Raw = msgspec.Raw(b"{}")
    clientMsgId: str = ""


class Trendbar(Struct):
    """Open, high and close count from `low` upwards; `volume` counts price changes; `period` as number or name."""

    volume: Whole = 0
    period: int | str = 1
    low: Whole | None = None
    deltaOpen: Whole = 0
    deltaHigh: Whole = 0
    deltaClose: Whole = 0
    utcTimestampInMinutes: Whole | None = None


class Trendbars(Struct):
    trendbar: list[Trendbar] = []


class Spot(Struct):
    symbolId: Whole
    bid: Whole | None = None
    ask: Whole | None = None
    timestamp: Whole | None = None
    trendbar: list[Trendbar] = []


class DepthQuote(Struct):
    id: Whole
    size: Whole
    bid: Whole | None = None
    ask: Whole | None = None


class Depth(Struct):
    symbolId: Whole
    newQuotes: list[DepthQuote] = []
    deletedQuotes: list[Whole] = []


class Asset(Struct):
    assetId: int
    name: str


class Assets(Struct):
    asset: list[Asset] = []


class LightSymbol(Struct):
    symbolId: int
    symbolName: str = ""
    enabled: bool = True
    baseAssetId: int | None = None
    quoteAssetId: int | None = None


class Symbols(Struct):
    symbol: list[LightSymbol] = []


class Detail(Struct):
    symbolId: int
    digits: int
    stepVolume: int | None = None


class Details(Struct):
    symbol: list[Detail] = []


class Account(Struct):
    ctidTraderAccountId: int
    isLive: bool = False
    traderLogin: int | None = None
    brokerTitleShort: str = ""


class Accounts(Struct):
    ctidTraderAccount: list[Account] = []


class Tokens(Struct):
    accessToken: str
    refreshToken: str = ""


class Changed(Struct):
    symbolId: list[int] = []


class Failure(Struct):
    """Both kinds of error message. `maintenanceEndTimestamp` counts seconds, in the common kind milliseconds."""

    errorCode: str = ""
    description: str = ""
    maintenanceEndTimestamp: int | None = None
    retryAfter: int | None = None


class Parting(Struct):
    """`ctidTraderAccountIds` are the accounts whose tokens are good no more."""

    reason: str = ""
    ctidTraderAccountIds: list[int] = []


Kind = TypeVar("Kind")

_message = msgspec.json.Decoder(Message, strict=False).decode
_decoders: dict[type, msgspec.json.Decoder[Any]] = {}


def read_message(frame: bytes) -> Message:
    """A frame's envelope.

    Raises:
        DecodeError: it is none.
    """
    try:
        return _message(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"ctrader frame: {error}") from error


def read_payload(message: Message, kind: type[Kind]) -> Kind:
    """What a message carries.

    Raises:
        DecodeError: it carries something else.
    """
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind, strict=False)
    try:
        return decoder.decode(message.payload)  # type: ignore[no-any-return]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"ctrader message {message.payloadType}: {error}") from error


def write(kind: int, request: str = "", **content: Any) -> str:
    """One message as text; `request` comes back with the answer."""
    message: dict[str, Any] = {"payloadType": kind, "payload": content}
    return dumps({"clientMsgId": request, **message} if request else message)


def request_of(what: str, identifiers: Sequence[int] = ()) -> str:
    """An identifier that says what was asked for: the answer, above all an error, is understood by it alone."""
    return f"{what}:{','.join([str(identifier) for identifier in identifiers])}"


def parse_request(request: str) -> tuple[str, list[int]]:
    """What was asked for, and for which symbols."""
    what, _, rest = request.partition(":")
    return what, [int(identifier) for identifier in rest.split(",") if identifier.isdigit()]


_HINTS = {
    "CH_CLIENT_AUTH_FAILURE": "Check CTRADER_CLIENT_ID and CTRADER_CLIENT_SECRET: both stand at openapi.ctrader.com.",
    "CH_CLIENT_NOT_AUTHENTICATED": "Check CTRADER_CLIENT_ID and CTRADER_CLIENT_SECRET.",
    "CH_ACCESS_TOKEN_INVALID": "Get a new pair at openapi.ctrader.com: CTRADER_ACCESS_TOKEN and CTRADER_REFRESH_TOKEN.",
    "OA_AUTH_TOKEN_EXPIRED": "Get a new pair at openapi.ctrader.com: CTRADER_ACCESS_TOKEN and CTRADER_REFRESH_TOKEN.",
    "ACCESS_DENIED": "Check CTRADER_ACCESS_TOKEN: it does not allow this.",
    "ACCOUNT_NOT_AUTHORIZED": "CTRADER_ACCOUNT_ID names an account that CTRADER_ACCESS_TOKEN does not open.",
    "CH_CTID_TRADER_ACCOUNT_NOT_FOUND": "CTRADER_ACCOUNT_ID names an account that does not exist.",
    "CANT_ROUTE_REQUEST": "The account lives on the other host: set CTRADER_HOST to live, or to demo.",
    "CONNECTIONS_LIMIT_EXCEEDED": "Another program uses the same application (CTRADER_CLIENT_ID): end it.",
    "SERVER_IS_UNDER_MAINTENANCE": "cTrader is maintained, mostly at week-ends: it comes back by itself.",
}
TOKEN_ERRORS = frozenset({"CH_ACCESS_TOKEN_INVALID", "OA_AUTH_TOKEN_EXPIRED"})
"""A renewed token may help."""
UNKNOWN_SYMBOL = frozenset({"SYMBOL_NOT_FOUND", "UNKNOWN_SYMBOL"})
THROTTLED = frozenset({"REQUEST_FREQUENCY_EXCEEDED", "BLOCKED_PAYLOAD_TYPE", "CONNECTIONS_LIMIT_EXCEEDED"})
_FATAL = frozenset(
    {
        "CH_CLIENT_AUTH_FAILURE", "ACCESS_DENIED", "ACCOUNT_NOT_AUTHORIZED", "CH_CTID_TRADER_ACCOUNT_NOT_FOUND",
        "CANT_ROUTE_REQUEST",
    }
    | TOKEN_ERRORS
)  # fmt: skip
CONNECTION_ERRORS = _FATAL | {
    "CH_CLIENT_NOT_AUTHENTICATED",
    "SERVER_IS_UNDER_MAINTENANCE",
    "CONNECTIONS_LIMIT_EXCEEDED",
}
"""These end the connection whenever they come; others concern one request."""


def error_of(failure: Failure, *, milliseconds: bool, now_ns: int) -> FeedError:
    """The error that the venue's error stands for."""
    code = failure.errorCode
    message = f"cTrader: {code}" + (f" ({failure.description[:200]})" if failure.description else "")
    hint = _HINTS.get(code, "")
    if code in _FATAL:
        return Blocked(message, hint=hint)
    if code == "SERVER_IS_UNDER_MAINTENANCE":
        return RateLimited(message, retry_after_s=_maintained_s(failure, milliseconds, now_ns), hint=hint)
    if code in THROTTLED:
        return RateLimited(message, retry_after_s=failure.retryAfter, hint=hint)
    return Disconnected(message, hint=hint)


def _maintained_s(failure: Failure, milliseconds: bool, now_ns: int) -> float | None:
    ends = failure.maintenanceEndTimestamp
    if ends is None:
        return None
    left_s = ends / (1_000 if milliseconds else 1) - now_ns / 1e9
    return min(max(left_s, 1.0), LONGEST_WAIT_S)
