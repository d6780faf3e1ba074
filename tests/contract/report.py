"""Runs the whole catalogue and writes its matrix: `python -m tests.contract.report --write docs/reliability.md`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.contract.adapters import found
from tests.contract.campaign import WORKERS, Campaign
from tests.contract.catalogue import CASES
from tests.contract.matrix import render


def main(arguments: list[str] | None = None) -> int:
    """1 when a case failed, else 0; failures are told on standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="the page to write; else it goes to standard output")
    parser.add_argument("--workers", type=int, default=WORKERS, help="cases at once")
    chosen = parser.parse_args(arguments)
    campaign = Campaign([(kind, case) for kind in found().values() for case in CASES], chosen.workers)
    outcomes = campaign.outcomes()
    campaign.close()
    page = render(outcomes)
    if chosen.write is None:
        sys.stdout.write(page)
    else:
        chosen.write.write_text(page, encoding="utf-8")
    failed = [one for one in outcomes if one.failure]
    for one in failed:
        sys.stderr.write(f"{one.connector} {one.fault} {one.variant}: {one.failure}\n\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
