"""Uniswap: a chain read by calls. There is no stream that could break, but nodes fail and chains turn back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import Any, ClassVar

from engine.market.events import FeedState
from tests.contract.adapter import Adapter
from tests.fakes.http_server import HttpResponse
from tests.fakes.uniswap_rig import UniswapRig

CALLS = "the chain is read by calls: no connection stands"
WHOLE = "every block is read as a whole"
ONE_NODE = "polls go to the same node: while it answers nothing there is nothing to poll (own tests with another one)"
BROKEN = {
    "html": HttpResponse(body=b"<html>maintenance</html>", content_type="text/html"),
    "empty": HttpResponse(body=b""),
    "cut": HttpResponse(body=b'[{"jsonrpc":"2.0","id":1,"res'),
    "list": HttpResponse(body=b"[]"),
    "half sent": HttpResponse(body=b"0123456789", truncate_at=4),
    "hung up": HttpResponse(drop=True),
}
LINK_ENDS = 6
"""Failures that end a link: three calls, each of which is repeated once if its connection was kept alive."""


class UniswapAdapter(Adapter):
    """Two pools behind one node."""

    name = "uniswap"
    two = ("WBTC/WETH@3000", "WBTC/WETH@500")
    wrong_symbol = "WBTC/WETH@300"
    cannot: ClassVar[Mapping[str, str]] = {
        "F1 no way back for a while": ONE_NODE,
        "close": CALLS,
        "announce_shutdown": CALLS,
        "F5": "a node that answers nothing is the case before",
        "F6": "a pool without a swap is quiet; a chain that stands still is the node's fault (an own test)",
        "F7": WHOLE,
        "F8": WHOLE,
        "F9": WHOLE,
        "F11": WHOLE,
        "F19": WHOLE,
        "bad_checksum": "block hashes take their place: see F23",
        "F12 crossed": "the ladder is made of one price",
        "F13 451": ONE_NODE,
        "F14 instead of an update": "an answer that cannot be read is asked for again: see F12",
        "F15": "there are no frames",
        "F16 first one lost": "nothing is subscribed to",
        "F16 first one refused": "nothing is subscribed to",
        "F16 later one lost": "nothing is subscribed to",
        "F16 later one refused": "nothing is subscribed to",
        "F17": "it is asked, it does not push",
        "F20": CALLS,
        "second_connection": "any number of calls is allowed",
        "expire_token": "a node's key does not expire",
        "F24": "prices and sizes are computed from whole numbers of bounded size",
        "F25 in a blocked send": "calls are short",
        "F25 while polling": ONE_NODE,
    }
    differs: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "F4": {"states": (FeedState.RECONNECTING,), "says": "did not answer"},
        # A call that fails now and then is repeated, and nobody need hear of it.
        "F12": {"says": "", "book_requests": 2},
        "F12 403": {"says": "403", "states": (FeedState.BLOCKED,), "recovers": False, "ends": (FeedState.BLOCKED,)},
        "F12 451": {"book_requests_at_most": None},
        "F13 403": {
            "states": (FeedState.POLLING,), "connections": 0, "recovers": False, "ends": (FeedState.POLLING,)
        },
        "F14 twelve a minute": {"says": "not a JSON-RPC answer"},
    }  # fmt: skip

    _looked_at = 0
    _slipped: tuple[int, int] | None = None

    def make_rig(self, symbols: Sequence[str], **options: Any) -> UniswapRig:
        return UniswapRig(symbols, **options)

    @property
    def accepted(self) -> int:
        return len(self.venue.openings)

    def attempts(self) -> list[float]:
        return list(self.venue.openings)

    def book_requests(self) -> list[float]:
        """Every call; those that slipped in between the last look and the fault belong to neither."""
        with self.venue.lock:
            asked = list(self.venue.asked)
        if self._slipped is None:
            self._looked_at = len(asked)
            return asked
        first, last = self._slipped
        return asked[:first] + asked[last:]

    def fin(self) -> None:
        self._fail(HttpResponse(drop=True), LINK_ENDS)

    rst = fin

    def half_a_frame(self) -> None:
        self._fail(BROKEN["half sent"], LINK_ENDS)

    def stall(self) -> None:
        self._fail(HttpResponse(delay_s=30.0), 3)

    def lose_book(self) -> None:
        return  # every block brings calls

    def rest_fail(self, status: int, retry_after_s: int | None = None, times: int | None = 2) -> None:
        body = b"not eligible in your region" if status in (403, 451) else b"busy"
        headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        if times is None:
            self.venue.always = HttpResponse(status, body, headers)
        else:
            self._fail(HttpResponse(status, body, headers), times)

    def rest_slow(self, seconds: float, times: int | None = 1) -> None:
        late = HttpResponse(503, delay_s=seconds)
        if times is None:
            self.venue.always = late
        else:
            self._fail(late, times)

    def rest_broken(self, what: str, times: int = 2) -> None:
        self._fail(BROKEN[what], times)

    def refuse(self, status: int, retry_after_s: int | None = None, times: int | None = 1) -> None:
        headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        with self.venue.lock:
            self.venue.opening_faults += [HttpResponse(status, b"refused", headers)] * (times or 1_000)

    def hang_handshakes(self) -> Event:
        hold = Event()
        with self.venue.lock:
            self.venue.opening_faults.append(HttpResponse(503, hold=hold))
        return hold

    def malformed(self) -> Mapping[str, bytes]:
        return {
            "cut_json": b'[{"jsonrpc":"2.0","id":1,"res', "empty": b"", "null": b"null", "number": b"42",
            "list": b"[]", "empty_object": b"{}", "unknown_channel": b'{"surprise":1}',
            "wrong_types": b'[{"id":"x","result":{"number":[]}}]', "nan": b'[{"id":1,"result":NaN}]',
            "huge_number": b'[{"id":' + b"9" * 400 + b',"result":"0x1"}]', "deep": b"[" * 100_000,
            "not_utf8": b'[{"id":1,"result":"\xff\xfe"}]', "nul_bytes": b"\x00\x00\x00",
            "html": b"<html><body>502 Bad Gateway</body></html>",
        }  # fmt: skip

    def send(self, frame: bytes) -> None:
        self._fail(HttpResponse(body=frame), 1)

    def nonsense(self, count: int) -> None:
        self._fail(HttpResponse(body=b"nonsense"), count)

    def skew(self, what: str) -> None:
        acts: dict[str, Callable[[int], int]] = {
            "ahead": lambda seconds: seconds + 3_600,
            "behind": lambda seconds: seconds - 3_600,
            "1970": lambda seconds: seconds % 1_000_000,
            "microseconds": lambda seconds: seconds * 1_000_000,
        }
        self.venue.skewed = acts[what]

    def reorganise(self, what: str) -> None:
        edits: dict[str, Callable[[list[dict[str, Any]]], object]] = {
            "missing block": _without_blocks, "partial batch": _in_part, "empty result": _empty
        }  # fmt: skip
        with self.venue.lock:
            if what == "reorg":
                self.venue.reorganise(3)
            else:
                self.venue.edit = _times(edits[what], 2, self.venue)

    def _fail(self, response: HttpResponse, times: int) -> None:
        with self.venue.lock:
            self._slipped = self._slipped or (self._looked_at, len(self.venue.asked))
            self.venue.http_faults += [response] * times


def _times(edit: Callable[[list[dict[str, Any]]], object], times: int, venue: Any) -> Any:
    """The edit for so many batches that it changes; then no more."""
    left = [times]

    def once(answers: list[dict[str, Any]]) -> object:
        edited = edit(answers)
        if edited != answers:
            left[0] -= 1
            if not left[0]:
                venue.edit = None
        return edited

    return once


def _without_blocks(answers: list[dict[str, Any]]) -> object:
    return [one | {"result": None} if isinstance(one.get("result"), dict) else one for one in answers]


def _in_part(answers: list[dict[str, Any]]) -> object:
    return answers[:-1] if len(answers) > 1 else answers


def _empty(answers: list[dict[str, Any]]) -> object:
    return [one | {"result": "0x"} if len(str(one.get("result"))) > 66 else one for one in answers]
