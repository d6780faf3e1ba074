from __future__ import annotations

from tests.app.pages.dashboard import tracebacks

STREAMLITS_OWN = "Traceback (most recent call last) … filtered_state … dictionary changed size during iteration"
OURS = "Traceback (most recent call last) … ValueError: something of ours"


def test_only_streamlits_own_fault_is_left_out_of_what_failed() -> None:
    assert tracebacks("served\n") == []
    assert tracebacks(STREAMLITS_OWN) == []
    assert len(tracebacks(f"{OURS}\n{STREAMLITS_OWN}\n{OURS}")) == 2
    assert len(tracebacks("Traceback (most recent call last) … dictionary changed size during iteration")) == 1
