"""Why no data? Looks into the five usual causes, live."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import streamlit as st

from app.causes import Cause, look_into
from app.session import LiveSession
from app.view import View
from app.wiring import directory, engine
from app.words import plain

MARKS = {True: "✅", False: "❌", None: "❔"}


@st.fragment(run_every=1.0)
def show(session: LiveSession, view: View) -> None:
    """A button; the answers come as they are found, and nothing else waits for them."""
    with st.expander("Why no data?", key="why-no-data"):
        st.caption("Checks the five usual causes now, with this venue, these symbols and this machine.")
        st.button("Check now", key="why-check", on_click=_check, args=(session, view))
        asked: Future[list[Cause]] | None = st.session_state.get("why")
        if asked is None:
            return
        if not asked.done():
            st.caption("Looking …")
            return
        for cause in asked.result():
            remedy = f" → {plain(cause.remedy)}" if cause.remedy else ""
            st.markdown(f"{MARKS[cause.fine]} **{cause.question}** {plain(cause.found)}{remedy}")


def _check(session: LiveSession, view: View) -> None:
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="why-no-data")
    try:
        found = pool.submit(look_into, session, view, engine().connectors[view.connector], directory())
        st.session_state["why"] = found
    finally:
        pool.shutdown(wait=False)
