"""The engine's commands, without a page.

`python -m engine verify CAPTURE` plays a capture through the line and says what it found.
`python -m engine smoke VENUE SYMBOL` watches a venue for a minute and says whether what came was sound.
`python -m engine flow CAPTURE …` analyses the order flow of a capture and writes it to files.
`python -m engine record VENUE:SYMBOL …` writes what feeds publish into the store.
`python -m engine replay RECORDING --strategy NAME` runs a strategy over a recording and prints what it said.
"""

from __future__ import annotations

import argparse
import sys

from engine.commands import flow, record, replay, smoke, verify
from engine.errors import EngineError

INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when nothing is wrong, 1 when something is, 2 when the call itself is, 130 after Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except EngineError as error:
        said = str(error).rstrip(".")
        print(f"error: {said}." + (f" {error.hint}" if error.hint else ""), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m engine", description="What runs with the lights off.")
    commands = parser.add_subparsers(dest="command", required=True)
    for command in (verify, smoke, flow, record, replay):
        command.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
