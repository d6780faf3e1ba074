"""A fake cTrader host and the real connector on it. Time runs ten times faster than ours."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from connectors.ctrader import CtraderConnector
from engine.connector import Stream
from engine.market.events import FeedState
from tests.connectors.uniswap_rig import Ear
from tests.fakes.ctrader import FakeCtrader
from tests.fakes.rig import PACE, PATIENCE, HurriedRuntime


class Rig:
    """A fake host, the connector on it; leaving it checks that nothing was broken, said twice or left behind."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.venue = FakeCtrader(pace=PACE)
        self.folder = folder
        self.settings = settings
        self.connector: CtraderConnector
        self.forgiven = False
        """Whether the test breaks the venue's rules on purpose."""

    def __enter__(self) -> Self:
        self.venue.start()
        self._threads = set(threading.enumerate())
        keys = {
            "CTRADER_WS_URL": self.venue.ws_url, "CTRADER_CLIENT_ID": "client-id",
            "CTRADER_CLIENT_SECRET": "client-secret-1234", "CTRADER_ACCESS_TOKEN": "access-token-1",
            "CTRADER_REFRESH_TOKEN": "refresh-token-1", "CTRADER_TOKEN_FILE": str(self.folder / "tokens.json"),
        }  # fmt: skip
        self.connector = CtraderConnector(keys | self.settings, runtime=HurriedRuntime(1), patience=PATIENCE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        begun = time.monotonic()
        self.connector.close()
        took_s = time.monotonic() - begun
        self.venue.wait_for(lambda: not self._left() and not self.venue.sockets, 2.0)
        left = self._left()
        self.venue.stop()
        if kind is None:
            assert not left
            assert took_s < 2.0
            assert self.forgiven or not self.venue.violations, self.venue.violations
            assert self.venue.most <= 1

    def start(self, symbol: str = "EURUSD") -> tuple[Ear, Stream]:
        ear = Ear()
        return ear, self.connector.start_stream(symbol, ear)

    def live(self, symbol: str = "EURUSD") -> tuple[Ear, Stream]:
        ear, stream = self.start(symbol)
        ear.until(lambda: ear.state is FeedState.LIVE and ear.books, "LIVE")
        self.true(symbol, stream)
        return ear, stream

    def true(self, symbol: str, stream: Stream) -> None:
        """Wait until the shown book is the true one."""

        def same() -> bool:
            view = stream.feed.view
            return view is not None and (view.bids[:20], view.asks[:20]) == self.venue.book(symbol)

        assert self.venue.wait_for(same, 8.0), (stream.feed.view, self.venue.book(symbol))

    def _left(self) -> list[str]:
        return [
            thread.name
            for thread in threading.enumerate()
            if thread not in self._threads and not thread.name.startswith("fake-")
        ]
