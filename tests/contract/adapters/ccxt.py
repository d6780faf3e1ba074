"""ccxt's binance: the library reads the frames, so much of what the others notice it must notice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from engine.market.events import FeedState
from tests.contract.adapters.binance import BinanceAdapter
from tests.fakes.ccxt_rig import CcxtRig

SHORTER = 8.0
"""Time is not hurried here, so waits that a venue asks for are this much shorter."""
IN_THE_LIBRARY = "inside the library, which does it by itself"


class CcxtAdapter(BinanceAdapter):
    """Any exchange through ccxt.pro, by the example of Binance."""

    name = "ccxt:binance"
    wrong_symbol = "BTCUSTD"
    many = ()
    cannot: ClassVar[Mapping[str, str]] = {
        **BinanceAdapter.cannot,
        "announce_shutdown": "the library does not pass the notice on",
        "F25 in a blocked send": IN_THE_LIBRARY,
    }
    differs: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "gap": {"counters": {}, "states": (FeedState.SYNCING,)},
    }

    def make_rig(self, symbols: Sequence[str], **options: Any) -> Any:
        import ccxt.pro  # noqa: F401 - so that no case has to wait for it

        return CcxtRig(symbols, **options)

    def refuse(self, status: int, retry_after_s: int | None = None, times: int | None = 1) -> None:
        super().refuse(status, None if retry_after_s is None else round(retry_after_s / SHORTER), times)
