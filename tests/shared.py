"""Where the shared captures are; tests that need one skip with a reason where it is absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("TAPEDECK_SHARED", ROOT.parent / "shared"))


def capture(name: str) -> Path:
    """The path of a shared capture."""
    path = SHARED / "captures" / name
    if not path.is_file():
        pytest.skip(f"the shared capture {name} is not here (set TAPEDECK_SHARED to the folder that holds captures/)")
    return path


def golden(name: str) -> Path:
    """The path of a shared result that was worked out by other means."""
    path = SHARED / "golden" / name
    if not path.is_file():
        pytest.skip(f"the shared result {name} is not here (set TAPEDECK_SHARED to the folder that holds golden/)")
    return path
