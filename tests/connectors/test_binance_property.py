"""Whatever the market does and whatever goes wrong: a book that says LIVE is true, and it says so again within a bound.

Every example draws a market and a script of faults, runs them against the real connector over real sockets, heals the
venue and waits. The rig then checks what was shown and published against the truth, update by update, and that no limit
of the venue was broken and nothing was left behind.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes import binance_faults as faults
from tests.fakes.binance import FakeBinance
from tests.fakes.binance_rig import BinanceRig

SYMBOLS = ("BTCUSDT", "ETHUSDT")
RECOVERY_S = 20.0
"""Real seconds: 200 for the connector, which includes the longest cooldown that these scripts can bring about."""

Act = Callable[[FakeBinance, str, int], object]


def some_bad_frames(venue: FakeBinance, symbol: str, number: int) -> None:
    for frame in list(faults.bad_frames(symbol).values())[number::7]:
        venue.send_all(frame)


ACTS: dict[str, Act] = {
    "gap": lambda venue, symbol, number: venue.gap(symbol, number),
    "duplicate": lambda venue, symbol, number: venue.duplicate(symbol, number),
    "swap": lambda venue, symbol, number: venue.swap(symbol, number),
    "crossed": lambda venue, symbol, number: venue.crossed(symbol),
    "negative": lambda venue, symbol, number: venue.negative(symbol),
    "not a number": lambda venue, symbol, number: venue.rewrite(symbol, faults.edited(faults.bad_value("NaN"))),
    "fragmented": lambda venue, symbol, number: venue.rewrite(symbol, faults.fragmented, number),
    "binary": lambda venue, symbol, number: venue.rewrite(symbol, faults.binary, number),
    "bad frames": some_bad_frames,
    "all lose one": lambda venue, symbol, number: venue.desync_all(),
    "mute": lambda venue, symbol, number: venue.mute(symbol),
    "unmute": lambda venue, symbol, number: venue.unmute(symbol),
    "fin": lambda venue, symbol, number: venue.fin(),
    "rst": lambda venue, symbol, number: venue.rst(),
    "close": lambda venue, symbol, number: venue.close_all((1001, 1012, 1008, 4000, 1013)[number % 5]),
    "shutdown": lambda venue, symbol, number: venue.server_shutdown(),
    "stall": lambda venue, symbol, number: venue.stall(),
    "half open": lambda venue, symbol, number: venue.half_open(),
    "ping": lambda venue, symbol, number: venue.ping_all(),
    "REST fails": lambda venue, symbol, number: venue.fail_rest((500, 503, 403, 502)[number % 4], times=number),
    "REST throttles": lambda venue, symbol, number: venue.fail_rest(429, retry_after_s=number),
    "REST is slow": lambda venue, symbol, number: venue.slow_rest(0.1 * number),
    "REST is stale": lambda venue, symbol, number: venue.stale_rest(symbol, times=number),
    "handshakes fail": lambda venue, symbol, number: venue.refuse((503, 500, 429)[number % 3], times=number),
    "no acks": lambda venue, symbol, number: venue.drop_acks(),
    "refused": lambda venue, symbol, number: venue.refuse_subscribe(),
    "flood": lambda venue, symbol, number: venue.flood(symbol, 500 * number),
    "clock": lambda venue, symbol, number: venue.skew(600.0 * (number - 2)),
}

steps = st.tuples(st.sampled_from(sorted(ACTS)), st.sampled_from(SYMBOLS), st.integers(1, 4), st.integers(0, 20))


@settings(
    max_examples=20,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(seed=st.integers(0, 2**32 - 1), script=st.lists(steps, min_size=1, max_size=8), late_start=st.booleans())
def test_a_live_book_is_true_and_comes_back(
    seed: int, script: list[tuple[str, str, int, int]], late_start: bool
) -> None:
    with BinanceRig(SYMBOLS, seed=seed, limits={"silence_s": 8.0}, patience={"fetch_s": 0.5, "connect_s": 0.5}) as rig:
        rig.start()
        if late_start:
            # Half of the scripts begin while the connector is still on its way to the first book.
            rig.until(lambda: rig.venue.counts["handshake"])
        else:
            rig.venue.wait_for(lambda: rig.venue.subscribers(SYMBOLS[0]), 5.0)
        rig.move(60.0)
        if not late_start:
            rig.until_live(timeout=RECOVERY_S)
        for name, symbol, number, pause in script:
            ACTS[name](rig.venue, symbol, number)
            rig.pause(pause)
        rig.venue.heal()
        rig.until_live(timeout=RECOVERY_S)
        rig.settle()
