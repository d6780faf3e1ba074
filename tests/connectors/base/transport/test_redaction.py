"""Secrets are hidden in every spelling, whole or cut off."""

from __future__ import annotations

import pytest

from connectors.base.ctrader.login import Keys
from connectors.base.ctrader.tokens import TokenPair
from connectors.base.transport.redaction import Redactor
from connectors.base.venue import Request
from engine.errors import RateLimited


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("bad key abc/def+ghi-123!", "bad key ***!"), ("?token=abc%2Fdef%2Bghi-123&x=1", "?token=***&x=1"),
        ("abc/def%2Bghi-123", "***"), ("cut off: abc/def+g", "cut off: ***"), ("abc/d is none", "abc/d is none"),
        ("p@ssw0rd p%40ssw0rd", "*** ***"), ("short words stay", "short words stay"),
    ],
)  # fmt: skip
def test_every_spelling_is_hidden(said: str, left: str) -> None:
    assert Redactor(["abc/def+ghi-123", "p%40ssw0rd", "short", ""]).text(said) == left


def test_a_secret_that_begins_another_hides_both() -> None:
    assert Redactor(["secret-1", "secret-1-longer"]).text("secret-1 secret-1-longer") == "*** ***"


def test_an_error_keeps_its_kind_and_its_wait() -> None:
    error = Redactor(["topsecret"]).error(RateLimited("topsecret!", retry_after_s=3.0, hint="not topsecret"))
    assert (str(error), error.hint, error.retry_after_s) == ("***!", "not ***", 3.0)


def test_what_holds_secrets_does_not_show_them() -> None:
    shown = [
        repr(Keys("topsecret", "topsecret", 7, False)), repr(TokenPair("topsecret", "topsecret")),
        repr(Request("https://host/topsecret?key=topsecret", (("X-Token", "topsecret"),), body=b"topsecret")),
    ]  # fmt: skip
    assert "topsecret" not in "".join(shown)
    assert "host" in shown[2]
