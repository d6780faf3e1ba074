"""The panels as Streamlit elements: one function each. What moves does not pass through here, only what to show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import streamlit as st

from app.live.assets import build, plotly_version
from engine.feed.mailbox import FeedKey

# The line break must be inside the code: a single line with a slash would be taken for a file name.
_LOADER = """const modules = import(new URL('/assets/{build}/hub.js', location.href).href);
export default async (component) => (await modules).{mount}(component);
"""


def ladder(feed: FeedKey, *, ticket: str, key: str, height: int = 660) -> None:
    """The DOM ladder of one feed, 20 levels per side."""
    _mount("ladder", "mountLadder", key, {"feed": feed, "ticket": ticket, "height": height})


def depth(feed: FeedKey, *, ticket: str, key: str, height: int = 320) -> None:
    """Cumulative depth of one feed."""
    _mount("depth", "mountDepth", key, {"feed": feed, "ticket": ticket, "height": height})


def tape(feed: FeedKey, *, ticket: str, key: str, height: int = 420) -> None:
    """Time and sales of one feed."""
    _mount("tape", "mountTape", key, {"feed": feed, "ticket": ticket, "height": height})


def price(feed: FeedKey, *, ticket: str, key: str, height: int = 420) -> None:
    """Bid, ask and mid of one feed over time, with signals and gaps."""
    script = f"/assets/plotly-{plotly_version()}.js"
    data = {"feed": feed, "ticket": ticket, "height": height, "plotly": script}
    # Plotly keeps its style rules in the document, where a shadow root would not see them.
    _mount("price", "mountPrice", key, data, isolated=False)


def quotes(feeds: Sequence[FeedKey], *, ticket: str, key: str) -> None:
    """One quote card per feed."""
    _mount("quotes", "mountQuotes", key, {"feeds": list(feeds), "ticket": ticket})


def pipe(frames: bytes, *, key: str) -> None:
    """The other transport: frames for all panels of the page as component data, where there is no socket."""
    _component("pipe", "mountPipe", True)(key=key, data=frames)


def _mount(name: str, mount: str, key: str, data: dict[str, Any], *, isolated: bool = True) -> None:
    # A page whose ticket has grown too old asks for a new one by this trigger, which reruns the script.
    _component(name, mount, isolated)(key=key, data=data, on_renew_change=_nothing)


@cache
def _component(name: str, mount: str, isolated: bool) -> Callable[..., Any]:
    loader = _LOADER.format(build=build(), mount=mount)
    return st.components.v2.component(f"tapedeck_{name}", js=loader, isolate_styles=isolated)


def _nothing() -> None:
    """The rerun itself is what was wanted."""
