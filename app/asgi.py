"""The application with its own routes: `streamlit run app/asgi.py`. Nobody imports this module."""

import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import streamlit as st  # noqa: E402
from streamlit.runtime.pages_manager import PagesManager  # noqa: E402

from app.wiring import close_archive, engine, start_live_plane  # noqa: E402
from engine.errors import ConfigError  # noqa: E402
from engine.process import close_engine, services  # noqa: E402

# A folder called `pages` makes Streamlit run its files by themselves until `st.navigation` was called once: the first
# visitor whose address names a page would see it without its frame, or be told that there is no such page.
PagesManager.uses_pages_directory = False

try:
    engine()
    plane = start_live_plane()
except ConfigError as error:
    sys.exit(f"{error} {error.hint}".strip())


@asynccontextmanager
async def lifespan(application: st.App) -> AsyncIterator[dict[str, Any]]:
    """The engine lives as long as the server does."""
    import pandas  # noqa: F401  what the first page would import, before the collector is told to leave it alone
    import plotly  # noqa: F401

    await plane.start()
    gc.collect()
    gc.freeze()
    try:
        yield {}
    finally:
        await plane.stop()
        services.pop("live_plane", None)
        close_archive()
        close_engine()
        gc.unfreeze()  # or libraries in C++ complain, while Python ends, of what is still there


app = st.App(str(ROOT / "app" / "main.py"), lifespan=lifespan, routes=plane.routes())
