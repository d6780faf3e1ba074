"""The dashboard's script: `streamlit run app/asgi.py` serves it with its data plane, this file alone without."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import streamlit as st  # noqa: E402

from app.panels import alert_bell, recording_light  # noqa: E402
from app.style import PAGE_ICON, apply_style  # noqa: E402

st.set_page_config(page_title="Tapedeck", page_icon=PAGE_ICON, layout="wide", initial_sidebar_state="auto")
apply_style()
PAGES = ROOT / "app" / "pages"
page = st.navigation(
    [
        st.Page(PAGES / "live_trading.py", title="Live Trading", default=True),
        st.Page(PAGES / "order_flow.py", title="Order Flow", url_path="flow"),
        st.Page(PAGES / "across_venues.py", title="Across Venues", url_path="across"),
        st.Page(PAGES / "recordings.py", title="Recordings", url_path="recordings"),
        st.Page(PAGES / "alerts.py", title="Alerts", url_path="alerts"),
    ],
    position="top",
)
recording_light.show()
page.run()
with st.sidebar:
    alert_bell.show()
