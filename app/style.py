"""The page's own style: a desk, not a report. Colours come from Streamlit's theme, so dark and light both work."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

PAGE_ICON = str(Path(__file__).resolve().parent / "assets" / "icon.png")

_STYLE = """
<style>
.stMainBlockContainer { padding: 3.9rem 1.2rem 2rem 1.2rem; }
[data-testid="stSidebarHeader"] { height: 2rem; margin-bottom: 0; }
[data-testid="stSidebarUserContent"] { padding-top: 0; }
[data-testid="stSidebar"] .stVerticalBlock { gap: 0.7rem; }
[data-testid="stSelectboxVirtualDropdown"] { width: max-content !important; min-width: 11rem;
  max-width: calc(100vw - 4rem); }
:is(.st-key-venues, .st-key-record-feeds) [role="group"] { max-height: none; }
:is(.st-key-venues, .st-key-record-feeds) [data-tag] { max-width: 100%; height: auto; }
:is(.st-key-venues, .st-key-record-feeds) [data-tag] > span {
  max-width: none; white-space: normal; overflow-wrap: anywhere; }
.st-key-capture-speed [role="radiogroup"] button { padding-left: 0.45rem; padding-right: 0.45rem; min-width: 0; }
.st-key-off button { height: auto; }
.st-key-off button :is(div, p, span) { white-space: normal; overflow-wrap: anywhere; text-align: left; }
[data-testid="stToastContainer"] { top: auto !important; bottom: 1rem; }
.td-header { display: flex; flex-wrap: wrap; gap: 0.3rem 1.2rem; align-items: baseline;
  font-variant-numeric: tabular-nums; }
.td-live { font-size: 1.25rem; font-weight: 650; }
.td-count { opacity: 0.8; }
.td-badge { color: color-mix(in srgb, #e69f00 55%, currentColor); border: 1px solid currentColor; border-radius: 4px;
  padding: 0 0.45rem; font-size: 0.75rem; font-weight: 600; letter-spacing: 0.04em; }
.td-grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(15.5rem, 1fr)); gap: 0.4rem;
  margin-top: 0.4rem;  font-variant-numeric: tabular-nums; }
.td-card { border: 1px solid var(--st-border-color, #8884); border-left: 3px solid #8a93a6; border-radius: 4px;
  padding: 0.3rem 0.6rem; display: flex; flex-wrap: wrap; gap: 0 0.5rem; align-items: baseline;
  align-content: flex-start; min-height: 3.1rem; }
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
.td-across { width: 100%; border-collapse: collapse; margin-top: 0.5rem; font-size: 0.85rem;
  font-variant-numeric: tabular-nums; }
.td-across th { text-align: right; font-weight: 600; font-size: 0.75rem; opacity: 0.7; padding: 0.1rem 0.5rem; }
.td-across td { text-align: right; padding: 0.25rem 0.5rem; border-top: 1px solid var(--st-border-color, #8884);
  white-space: nowrap; }
.td-across :is(th, td):nth-child(-n+2) { text-align: left; }
.td-across td:nth-child(-n+2) { overflow: hidden; text-overflow: ellipsis; }
@media (min-width: 641px) {
  .td-across { table-layout: fixed; }
  .td-across th:nth-child(1) { width: 20%; } .td-across th:nth-child(2) { width: 22%; }
  .td-across th:is(:nth-child(4), :nth-child(6), :nth-child(9)) { width: 6%; }
  .td-across th:nth-child(8) { width: 10%; }
}
@media (min-width: 641px) { .td-gaps > div { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; } }
@media (min-width: 641px) and (max-width: 1200px) {
  .td-gaps { font-size: 0.78rem; }
  .td-across { font-size: 0.78rem; }
  .td-across :is(th, td) { padding-left: 0.3rem; padding-right: 0.3rem; }
  .td-across th:nth-child(1) { width: 21%; } .td-across th:nth-child(2) { width: 15%; }
  .td-across th:nth-child(8) { width: 12%; }
}
.td-across i { font-style: normal; opacity: 0.75; font-size: 0.78rem; }
.td-across tr:is(.td-warn, .td-wait) td:nth-child(n+3) { opacity: 0.5; }
.td-best { box-shadow: inset 0 -2px 0 currentColor; font-weight: 700; }
.td-chip { border: 1px solid currentColor; border-radius: 4px; padding: 0 0.35rem; font-size: 0.72rem; font-weight: 600;
  text-transform: uppercase; letter-spacing: 0.03em; }
.td-good .td-chip { color: color-mix(in srgb, #0072b2 50%, currentColor); }
.td-warn .td-chip { color: color-mix(in srgb, #d55e00 60%, currentColor); }
.td-letter { display: inline-block; width: 1.15rem; border-radius: 3px; text-align: center; font-weight: 700;
  font-size: 0.75rem; color: #10131a; }
.td-gaps .td-letter { line-height: 1.1rem; }
.td-v0 { background: #4da3e8; } .td-v1 { background: #f0a500; } .td-v2 { background: #2fbf8f; }
.td-v3 { background: #e57fb8; } .td-v4 { background: #d8c63a; } .td-v5 { background: #ff7a45; }
.td-gaps { min-height: 3.1rem; margin-top: 0.5rem; font-size: 0.85rem; line-height: 1.5rem;
  font-variant-numeric: tabular-nums; }
.td-two { display: grid; grid-template-columns: minmax(0, 1.75fr) minmax(0, 1fr); gap: 0 1.4rem; }
.td-table { width: 100%; border-collapse: collapse; font-size: 0.82rem; font-variant-numeric: tabular-nums; }
.td-table th { text-align: left; font-weight: 600; font-size: 0.72rem; opacity: 0.7; padding: 0.1rem 0.5rem;
  cursor: help; }
.td-table td { padding: 0.16rem 0.5rem; border-top: 1px solid var(--st-border-color, #8884); white-space: nowrap; }
.td-table i, .td-regime i { font-style: normal; opacity: 0.7; font-size: 0.76rem; }
.td-buy td:nth-child(3) { color: color-mix(in srgb, #2f8df5 60%, currentColor); font-weight: 600; }
.td-sell td:nth-child(3) { color: color-mix(in srgb, #e07b1f 65%, currentColor); font-weight: 600; }
.td-is-active { background: color-mix(in srgb, #2f8df5 9%, transparent); }
.td-is-expired td, .td-is-ended td, .td-is-cancelled td { opacity: 0.75; }
.td-even { grid-template-columns: minmax(0, 1fr) minmax(0, 1.4fr); --td-up: #2f8df5; --td-down: #e07b1f; }
.td-even .td-even { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }
.td-matrix { border-collapse: separate; border-spacing: 2px; font-size: 0.85rem; font-variant-numeric: tabular-nums; }
.td-matrix th { font-weight: 600; font-size: 0.75rem; padding: 0.2rem 0.5rem; text-align: left; }
.td-matrix td { min-width: 5.2rem; padding: 0.35rem 0.5rem; border-radius: 3px; text-align: center; }
.td-matrix td i { display: block; font-style: normal; font-size: 0.68rem; opacity: 0.7; }
.td-grey { background: color-mix(in srgb, currentColor 10%, transparent); opacity: 0.6; }
.td-pale { opacity: 0.55; }
.td-bars { width: 100%; font-size: 0.78rem; font-variant-numeric: tabular-nums; border-collapse: collapse; }
.td-bars td { white-space: nowrap; padding: 0 0.4rem; } .td-bars td:nth-child(2) { width: 60%; }
.td-bars em { display: block; height: 0.5rem; border-radius: 2px; }
.td-scroll { overflow-x: auto; }
.td-regime strong { font-size: 1.15rem; text-transform: uppercase; letter-spacing: 0.04em; }
.td-figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); gap: 0.1rem 1rem;
  font-size: 0.8rem; margin: 0.4rem 0; font-variant-numeric: tabular-nums; }
.td-figures span { display: flex; justify-content: space-between; opacity: 0.85; }
.td-figures span { cursor: help; }
.td-strip { position: relative; height: 0.9rem; margin-top: 0.5rem; border-radius: 3px; overflow: hidden;
  background: color-mix(in srgb, currentColor 6%, transparent); }
.td-strip em { position: absolute; top: 0; bottom: 0; min-width: 1px; cursor: help; }
.td-strip-feet { display: flex; justify-content: space-between; font-size: 0.68rem; opacity: 0.6; }
.td-strip-feet i { font-style: normal; }
.td-dot { display: inline-block; width: 0.6rem; height: 0.6rem; border-radius: 2px; margin-right: 0.45rem; }
.td-r-liquidity_stress { background: #d55e00; } .td-r-volatile { background: #e69f00; }
.td-r-trend_up { background: #2f8df5; } .td-r-trend_down { background: #cc79a7; }
.td-r-quiet { background: color-mix(in srgb, #009e73 70%, transparent); }
.td-r-range { background: color-mix(in srgb, currentColor 38%, transparent); }
.td-r-unknown { background: repeating-linear-gradient(135deg, color-mix(in srgb, currentColor 22%, transparent) 0 2px,
  transparent 2px 5px); }
.td-two p, .td-note-line { font-size: 0.78rem; opacity: 0.75; margin: 0.3rem 0; }
.stHtml h4 { font-size: 0.95rem; padding: 0.4rem 0 0.2rem; }
.st-key-recording-light { gap: 0.2rem; }
[data-testid="stLayoutWrapper"]:has(> .st-key-recording-light):not(:has(.td-rec)) { display: none; }
.td-rec { color: color-mix(in srgb, #e02424 75%, currentColor); font-size: 0.8rem; font-weight: 650;
  font-variant-numeric: tabular-nums; }
.td-rec em { font-style: normal; font-weight: 500; }
.td-bell { font-size: 0.85rem; font-variant-numeric: tabular-nums; border-top: 1px solid var(--st-border-color, #8884);
  padding-top: 0.5rem; min-height: 5.9rem; }
.td-bell i { font-style: normal; opacity: 0.75; }
.td-bell ul { list-style: none; padding: 0; margin: 0.2rem 0 0 0; font-size: 0.78rem; }
.td-bell li { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.td-bell .td-seen { opacity: 0.6; }
.st-key-alert-tone { height: 0; overflow: hidden; }
.td-alert { font-size: 0.9rem; border-left: 3px solid #e69f00; padding-left: 0.6rem; }
.td-names { font-size: 0.78rem; columns: 2; padding: 0; list-style: none; }
@media (max-width: 640px) { .td-names { columns: 1; } }
@media (max-width: 640px) { .td-two { grid-template-columns: minmax(0, 1fr); } .td-two section { overflow-x: auto; } }
@media (max-width: 640px) {
  .td-across thead { display: none; }
  .td-across tr { display: grid; grid-template-columns: repeat(4, 1fr); padding: 0.3rem 0;
    border-top: 1px solid var(--st-border-color, #8884); }
  .td-across td { border: 0; padding: 0.05rem 0.2rem; text-align: left; }
  .td-across td:nth-child(-n+2) { grid-column: span 2; max-width: 100%; }
  .td-across td:nth-child(n+3)::before { content: attr(data-label); display: block; opacity: 0.6; font-size: 0.7rem;
    line-height: 1; }
  .td-gaps { min-height: 6rem; }
}
@media (max-width: 640px) { .stMainBlockContainer { padding: 3.9rem 0.6rem 1rem 0.6rem; } }
</style>
"""


def apply_style() -> None:
    """Put the style on the page."""
    st.html(_STYLE)
