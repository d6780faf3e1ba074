"""The panels' own modules and Plotly's, as they are served to the browser."""

from __future__ import annotations

import re
from functools import cache
from graphlib import TopologicalSorter
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

ASSETS = Path(__file__).resolve().parent.parent / "assets"
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".png": "image/png"}

_IMPORT = re.compile(r"from '\./([\w.]+)'")


def asset_names() -> list[str]:
    """Names of the files that may be served."""
    return sorted(path.name for path in ASSETS.iterdir() if path.suffix in MEDIA_TYPES)


def asset_path(name: str) -> Path | None:
    """The file of that name; None if it is not one of ours."""
    return ASSETS / name if name in asset_names() else None


def module_sources() -> list[list[str]]:
    """Name and text of every module, each after those that it imports."""
    texts = {name: (ASSETS / name).read_text() for name in asset_names() if name.endswith(".js")}
    imports = {name: set(_IMPORT.findall(text)) for name, text in texts.items()}
    return [[name, texts[name]] for name in TopologicalSorter(imports).static_order()]


def build() -> str:
    """A word that changes with the content of any module; part of every address, so that caches never lie."""
    digest = sha256()
    for name in asset_names():
        digest.update(name.encode())
        digest.update((ASSETS / name).read_bytes())
    return digest.hexdigest()[:12]


@cache
def plotly_path() -> Path:
    """Plotly.js as the installed plotly package brings it."""
    return Path(str(files("plotly") / "package_data" / "plotly.min.js"))


@cache
def plotly_version() -> str:
    """The version of the installed plotly package; part of the address of its script."""
    return version("plotly")
