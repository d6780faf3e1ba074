"""`python -m engine flow CAPTURE …` analyses the order flow of a capture and writes it to files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from engine.commands.verify import reader_of
from engine.errors import StoreError
from engine.flow_export.export import export


def add(commands: Any) -> None:
    """Describe the command and its options."""
    command = commands.add_parser("flow", help="analyse the order flow of a capture and write it to files")
    command.add_argument("capture", type=Path, help="a capture file (.jsonl or .jsonl.gz), or a folder of segments")
    command.add_argument("--connector", help="read it as this venue's; recognised from the file otherwise")
    command.add_argument("--symbol", required=True, action="append", help="as the venue spells it; may be repeated")
    command.add_argument("--prefix", required=True, action="append", help="how the symbol's files begin; one for each")
    command.add_argument("--out", required=True, type=Path, help="the folder to write to")
    command.add_argument("--tick", type=float, help="the price step in quote units; found from the prices otherwise")
    command.set_defaults(run=_flow)


def _flow(options: argparse.Namespace) -> int:
    if len(options.symbol) != len(options.prefix):
        raise StoreError("as many --prefix as --symbol are needed", hint="Give each symbol a prefix of its own.")
    prefixes = dict(zip(options.symbol, options.prefix, strict=True))
    reader = reader_of(options.capture, options.connector)
    for path in export(options.capture, reader, prefixes, options.out, options.tick):
        print(path)
    return 0
