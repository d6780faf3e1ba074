"""What stands in a page's address is kept while the person looks at another page of the same tab."""

from __future__ import annotations

import streamlit as st


def resume(page: str) -> None:
    """Give a page that was come to by its bare link the address back that it was left with; call it first."""
    arrived = st.session_state.get("page") != page
    st.session_state["page"] = page
    kept = st.session_state.get(f"address of {page}")
    if arrived and kept and not st.query_params:
        st.query_params.from_dict(kept)


def keep(page: str) -> None:
    """Remember a page's address as it is now; call it when all controls have been drawn."""
    st.session_state[f"address of {page}"] = {name: st.query_params.get_all(name) for name in st.query_params}
