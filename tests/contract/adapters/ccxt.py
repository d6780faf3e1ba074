"""ccxt's binance: the library reads the frames, so much of what the others notice it must notice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from engine.market.events import FeedState
from tests.contract.adapters.binance import BinanceAdapter
from tests.fakes.ccxt_rig import CcxtRig

SHORTER = 8.0
"""Time is not hurried here, so waits that a venue asks for are this much shorter."""
IN_THE_LIBRARY = "the library does it by itself, out of sight"
UNSEEN = "the library leaves out what it cannot read and tells nobody, so such a change is lost unseen"
REFUSED = "the library waits for a refused subscription without a word, as for a quiet symbol"
SYNCING: Mapping[str, Any] = {"counters": {}, "states": (FeedState.SYNCING,)}
ANEW: Mapping[str, Any] = {
    "counters": {}, "states": (FeedState.RECONNECTING,), "at_most": None, "calm": False,
}  # fmt: skip


class CcxtAdapter(BinanceAdapter):
    """Any exchange through ccxt.pro, by the example of Binance; it opens a socket per symbol and channel."""

    name = "ccxt:binance"
    wrong_symbol = "BTCUSTD"
    sockets = 4
    many = ()
    cannot: ClassVar[Mapping[str, str]] = {
        **BinanceAdapter.cannot,
        "announce_shutdown": "the library does not pass the notice on",
        "nonsense": "the library passes over what is no JSON",
        "stale_snapshot": IN_THE_LIBRARY,
        "F24 NaN": UNSEEN,
        "F14 instead of an update": UNSEEN,
        "refuse_subscription": REFUSED,
        "F25 in a blocked send": IN_THE_LIBRARY,
    }
    differs: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "F4": {"states": (FeedState.RECONNECTING,)},
        "F5": {"states": (FeedState.RECONNECTING,)},
        "gap": SYNCING,
        "swap": SYNCING,
        "desync_all": SYNCING,
        "duplicate": {"counters": {}},
        "F12": {"says": "", "book_requests": 1, "at_most": None, "rest_not_before_s": 0.0},
        "F12 451": {
            "states": (FeedState.RECONNECTING,), "recovers": True, "ends": (), "book_requests_at_most": None,
        },
        "F13": {"says": "", "not_before_s": 0.0},
        "malformed": {"at_most": None},
        "F15 over the bound": {"says": "exceeds limit"},
        "F16": {"at_most": None},
        "F17": {"at_most": None},
        "F24 crossed": SYNCING,
        "F24 negative": SYNCING,
        "F24 null": ANEW,
        "F24 infinite": ANEW,
        "F24 letters": ANEW,
        "F24 removal of nothing": {"counters": {}},
    }  # fmt: skip

    def make_rig(self, symbols: Sequence[str], **options: Any) -> Any:
        import ccxt.pro  # noqa: F401 - so that no case has to wait for it

        return CcxtRig(symbols, **options)

    def edits(self) -> Mapping[str, Any]:
        def negative(fields: dict[str, Any]) -> None:
            # Only what is copied out of the library's book is looked at: a level that everybody sees.
            best = self.rig.feed(self.symbol).view.best_bid
            fields["b"] = [*fields["b"], [f"{best:.8f}", "-1.00000000"]]

        def infinite(fields: dict[str, Any]) -> None:
            # Nor does the library tell of a removal that it could not read: a level that is set, then.
            fields["b"] = [["1e999", "1.00000000"], *fields["b"]]

        return {**super().edits(), "negative": negative, "infinite": infinite}

    def refuse(self, status: int, retry_after_s: int | None = None, times: int | None = 1) -> None:
        super().refuse(status, None if retry_after_s is None else round(retry_after_s / SHORTER), times)

    def lose_book(self) -> None:
        self.need_rest()
        self.venue.rst()

    def need_rest(self) -> None:
        self.venue.refuse(503, times=None)
