"""The Live Trading page in a real browser: how often it paints, how late, and what it costs.

Starts the dashboard on the mock as a user does (`./run_app.sh`), opens it in the system's Chromium and measures, one
after the other: painting and latency over `--minutes`; whether zoom and scroll stay; what each further tab costs the
server; the page with 20 symbols at 100 messages a second each; and the memory of browser and server over `--minutes`.
`--only` picks some of them.

Words. *Wire to pixel*: from the server's stamp on an update (taken when the frame was received) to the end of the draw
call in the browser's animation frame; the screen follows within one refresh. *Newest*: the newest update that a picture
shows. *Every update*: each update counts, with its wait for the picture that first shows it. A picture tells the ages
of its newest and its oldest update and how many it shows: with one or two of them every age is exact, of more the ones
between are taken as evenly spaced. Pictures are those of quotes, ladder, depth and tape; the price chart is redrawn at
most four times a second by design and is not among them.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import gettempdir

from playwright.sync_api import sync_playwright

from benchmarks.machine import Machine, circumstances, write_between
from benchmarks.memory import memory
from benchmarks.page import Run, chromium, launch_page, serve
from benchmarks.scenarios import Outcome, busy, extra_tabs, painting, views

SECRET = "benchmark-secret-of-this-run"
THREE = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
BUSY_RATE = 100
PARTS = ("painting", "views", "tabs", "busy", "memory")


def main() -> int:
    options = _options()
    os.environ["TICKET_SECRET"] = SECRET
    failures: list[str] = []
    with sync_playwright() as playwright:
        if set(options.only) - {"busy", "memory"}:
            with serve(options.log, options.rate) as address, launch_page(playwright, address, THREE) as page:
                run = Run(address, page, THREE, options)
                for name, part in (("painting", painting), ("views", views), ("tabs", extra_tabs)):
                    if name in options.only:
                        failures += _tell(name, options, partial(part, run))
        if "busy" in options.only:
            with serve(options.log, BUSY_RATE) as address:
                failures += _tell("busy", options, partial(busy, playwright, address, options))
    if "memory" in options.only:
        with serve(options.log, options.rate) as address:
            failures += _tell("memory", options, partial(memory, address, THREE, chromium(), options.minutes))
    for failure in failures:
        print(f"MISSED: {failure}", file=sys.stderr)
    return 1 if failures else 0


def _tell(name: str, options: argparse.Namespace, part: Callable[[], Outcome]) -> list[str]:
    """Do one part, print what it found, and put it into the document at once; the bars that were missed."""
    print(f"{name} …", file=sys.stderr, flush=True)
    machine = Machine()
    text, failures = part()
    report = f"{text}\n\n{circumstances()}, {machine.others()}."
    print(f"{report}\n", flush=True)
    if options.write is not None:
        write_between(options.write, f"page-{name}", report)
    return failures


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.live_page", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="how long painting, and then memory, are watched")
    parser.add_argument("--rate", type=float, default=50.0, help="messages per second and symbol of the mock")
    parser.add_argument("--tabs", type=int, nargs="+", default=[1, 2, 5, 10, 20], help="numbers of further tabs")
    parser.add_argument("--tab-seconds", type=float, default=20.0, help="how long each number of tabs is watched")
    parser.add_argument("--busy-seconds", type=float, default=60.0, help="how long 20 symbols are watched")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument(
        "--log", type=Path, default=Path(gettempdir()) / "tapedeck-live-page.log", help="where the dashboard's log goes"
    )
    parser.add_argument("--write", type=Path, help="put the tables between their markers in this file")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
