"""What OpenD's and the library's refusals mean to us. They come as text, in the language that OpenD is set to."""

from __future__ import annotations

import re

from engine.errors import Blocked, Disconnected, FeedError, InvalidSymbol, RateLimited

LONGEST = 240
WINDOW_S = 30.0
"""OpenD counts calls over half a minute."""

QUOTA_HINT = (
    "Stop other symbols, or other programs on the same OpenD: a subscription is freed a minute after it began at the "
    "earliest, and only when nobody uses it any more."
)
RIGHT_HINT = (
    "The account has no quote right for this market (the basic one, BMP, gives no depth), or another terminal has "
    "taken it: see OpenD's window."
)
_UNKNOWN = re.compile(
    r"unknow\w*\s+(stock|security)|未知股票|未知证券|format of code|(stock|code).* (not exist|invalid)", re.I
)
_QUOTA = re.compile(r"quota|额度|額度", re.I)
_RIGHT = re.compile(r"no (quote )?(right|permission|authority)|权限|權限", re.I)
_PACE = re.compile(r"frequen|too many|频率|頻率|频繁|頻繁", re.I)
_GONE = re.compile(r"disconnect|closed|not ?connected|connect timeout|context status|sendfail", re.I)
_SLOW = re.compile(r"timeout|timed out|超时", re.I)


class QuotaUsedUp(RateLimited):
    """Every subscription that the account may have is taken; the pace does not matter."""


def refused(text: object) -> FeedError:
    """The error that a refusal stands for."""
    said = " ".join(str(text).split()) or "no reason given"
    said = said if len(said) <= LONGEST else said[:LONGEST] + "…"
    if _UNKNOWN.search(said):
        return InvalidSymbol(f"OpenD: {said}", hint="Codes are written as HK.00700 or US.AAPL.")
    if _QUOTA.search(said):
        return QuotaUsedUp(f"OpenD's subscriptions are used up: {said}", retry_after_s=WINDOW_S, hint=QUOTA_HINT)
    if _RIGHT.search(said):
        return Blocked(f"OpenD: {said}", hint=RIGHT_HINT)
    if _PACE.search(said):
        return RateLimited(f"OpenD: {said}", retry_after_s=WINDOW_S, hint="OpenD asks to slow down.")
    if _GONE.search(said):
        return Disconnected("the connection to OpenD ended", hint="It is made anew.")
    if _SLOW.search(said):
        return Disconnected("OpenD did not answer in time", hint="See OpenD's window: it may be busy logging in.")
    return Disconnected(f"OpenD: {said}")
