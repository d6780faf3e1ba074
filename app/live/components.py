"""The panels as Streamlit elements: one function each. What moves does not pass through here, only what to show.

With a ticket the panels read the data socket. Without one (`ticket=""`, where only `app/main.py` runs) the page first
calls `boot`, which brings the modules themselves, and then `pipe` 5 to 10 times a second from one fragment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import streamlit as st

from app.flow_keys import flow_key
from app.live.assets import build, module_sources, plotly_path, plotly_version
from engine.feed.mailbox import FeedKey

# A line break must stand inside the code: a single line with a slash would be taken for a file name.
_FROM_ROUTE = """const modules = import(new URL('/assets/{build}/hub.js', location.href).href);
export default async (component) => (await modules).{mount}(component);
"""
_FROM_PAGE = """const booted = new Promise((found) => {{
  const look = () => (window.__tapedeckModules ? found(window.__tapedeckModules) : setTimeout(look, 30));
  look();
}});
export default async (component) => (await booted).{mount}(component);
"""
# Modules become blobs in the order of their imports, each with the addresses of those before it.
_BOOT = """async function load(sources) {
  const addresses = {};
  for (const [name, source] of sources) {
    const linked = source.replace(/from '\\.\\/([\\w.]+)'/g, (_, other) => `from '${addresses[other]}'`);
    addresses[name] = URL.createObjectURL(new Blob([linked], { type: 'text/javascript' }));
  }
  return import(addresses['hub.js']);
}
export default async ({ data }) => {
  window.__tapedeckLoading ??= load(data.modules);
  window.__tapedeckModules = await window.__tapedeckLoading;
};
"""
_BOOT_PLOTLY = """export default ({ data }) => {
  window.__tapedeckPlotly ??= URL.createObjectURL(new Blob([data], { type: 'text/javascript' }));
};
"""


def ladder(feed: FeedKey, *, ticket: str, key: str, height: int = 660) -> None:
    """The DOM ladder of one feed, 20 levels per side."""
    _mount("ladder", "mountLadder", key, {"feed": feed, "ticket": ticket, "height": height})


def across(
    title: str,
    members: Sequence[tuple[FeedKey, bool]],
    *,
    ticket: str,
    key: str,
    step: tuple[int, int] | None = None,
    height: int = 660,
) -> None:
    """The consolidated ladder of several feeds; each with whether its levels count if it is live.

    `step` groups levels: whole ticks and how many of their unit make one (5, 100 for 0.05).
    """
    shown = {
        "title": title,
        "members": [{"key": feed, "on": wanted} for feed, wanted in members],
        "step": {"ticks": step[0], "unit": step[1]} if step is not None else None,
    }
    _mount("across", "mountAcross", key, {**shown, "ticket": ticket, "height": height})


def depth(feed: FeedKey, *, ticket: str, key: str, height: int = 320) -> None:
    """Cumulative depth of one feed."""
    _mount("depth", "mountDepth", key, {"feed": feed, "ticket": ticket, "height": height})


def tape(feed: FeedKey, *, ticket: str, key: str, height: int = 420) -> None:
    """Time and sales of one feed."""
    _mount("tape", "mountTape", key, {"feed": feed, "ticket": ticket, "height": height})


def price(feed: FeedKey, *, ticket: str, key: str, height: int = 420) -> None:
    """Bid, ask and mid of one feed over time, with signals and gaps."""
    script = f"/assets/plotly-{plotly_version()}.js" if ticket else ""
    data = {"feed": feed, "ticket": ticket, "height": height, "plotly": script}
    # Plotly keeps its style rules in the document, where a shadow root would not see them.
    _mount("price", "mountPrice", key, data, isolated=False)


def quotes(feeds: Sequence[FeedKey], *, ticket: str, key: str) -> None:
    """One quote card per feed."""
    _mount("quotes", "mountQuotes", key, {"feeds": list(feeds), "ticket": ticket})


def flow(name: str, feed: FeedKey, *, ticket: str, key: str, height: int) -> None:
    """A panel of order flow: `heatmap`, `dom`, `delta`, `footprint`, `gauges` or `happenings`."""
    shown = {"feed": feed, "flow": flow_key(feed), "ticket": ticket, "height": height}
    _mount(name, f"mount{name.capitalize()}", key, shown)


def boot(*, key: str) -> None:
    """Bring the modules and Plotly to a page that has no route to fetch them from."""
    _component("boot", _BOOT, False)(key=key, data={"modules": module_sources()})
    _component("boot_plotly", _BOOT_PLOTLY, False)(key=f"{key}-plotly", data=plotly_path().read_bytes())


def pipe(frames: bytes, *, key: str) -> None:
    """Frames for all panels of a page without a socket."""
    _component("pipe", _FROM_PAGE.format(mount="mountPipe"), True)(key=key, data=frames)


def _mount(name: str, mount: str, key: str, data: dict[str, Any], *, isolated: bool = True) -> None:
    if data["ticket"]:
        # Named after the build as well: Streamlit frowns on one name with two meanings.
        component = _component(f"{name}_{build()}", _FROM_ROUTE.format(build=build(), mount=mount), isolated)
    else:
        component = _component(f"{name}_booted", _FROM_PAGE.format(mount=mount), isolated)
    # A page whose ticket has grown too old asks for a new one by this trigger, which reruns the script.
    component(key=key, data=data, on_renew_change=_nothing)


@cache
def _component(name: str, code: str, isolated: bool) -> Callable[..., Any]:
    return st.components.v2.component(f"tapedeck_{name}", js=code, isolate_styles=isolated)


def _nothing() -> None:
    """The rerun itself is what was wanted."""
