"""The page's own style: a desk, not a report. Colours come from Streamlit's theme, so dark and light both work."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

PAGE_ICON = str(Path(__file__).resolve().parent / "assets" / "icon.png")

_STYLE = """
<style>
.stMainBlockContainer { padding: 3.2rem 1.2rem 2rem 1.2rem; }
[data-testid="stSidebarHeader"] { height: 2rem; margin-bottom: 0; }
[data-testid="stSidebarUserContent"] { padding-top: 0; }
[data-testid="stSidebar"] .stVerticalBlock { gap: 0.7rem; }
.td-header { display: flex; flex-wrap: wrap; gap: 0.3rem 1.2rem; align-items: baseline;
  font-variant-numeric: tabular-nums; }
.td-live { font-size: 1.25rem; font-weight: 650; }
.td-count { opacity: 0.8; }
.td-badge { color: color-mix(in srgb, #e69f00 55%, currentColor); border: 1px solid currentColor; border-radius: 4px;
  padding: 0 0.45rem; font-size: 0.75rem; font-weight: 600; letter-spacing: 0.04em; }
.td-grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(15.5rem, 1fr)); gap: 0.4rem;
  margin-top: 0.4rem;  font-variant-numeric: tabular-nums; }
.td-card { border: 1px solid var(--st-border-color, #8884); border-left: 3px solid #8a93a6; border-radius: 4px;
  padding: 0.3rem 0.6rem; display: flex; flex-wrap: wrap; gap: 0 0.5rem; align-items: baseline; min-height: 3.1rem; }
.td-card b { font-weight: 620; }
.td-card i { font-style: normal; opacity: 0.75; margin-left: auto; }
.td-card .td-numbers { flex-basis: 100%; font-size: 0.8rem; opacity: 0.85; }
.td-card small { flex-basis: 100%; font-size: 0.78rem; line-height: 1.25; }
.td-good { border-left-color: #56b4e9; }
.td-warn { border-left-color: #e69f00; }
.td-bad { border-left-color: #d55e00; }
[data-testid="stApp"]:not([data-test-connection-state="CONNECTED"]) :is(.td-grid, .td-count) { opacity: 0.35; }
[data-testid="stApp"]:not([data-test-connection-state="CONNECTED"]) .td-live { font-size: 0; }
[data-testid="stApp"]:not([data-test-connection-state="CONNECTED"]) .td-live::after {
  content: "🔌 No connection to the server – what follows is old"; font-size: 1.25rem; }
@media (max-width: 640px) { .stMainBlockContainer { padding: 3.9rem 0.6rem 1rem 0.6rem; } }
</style>
"""


def apply_style() -> None:
    """Put the style on the page."""
    st.html(_STYLE)
