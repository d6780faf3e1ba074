"""ALERT_URLS: taken apart, named, and never quoted."""

from __future__ import annotations

import pytest

from engine.alerts.addresses import MOST, Address, addresses, secrets_of


@pytest.mark.parametrize(
    "text",
    [
        "tgram://123:token/77,discord://4174/secret  mailto://me:pass@mail.example?to=a@b.example,c@d.example",
        "tgram=tgram://123:token/77\ndiscord://4174/secret; mailto://me:pass@mail.example?to=a@b.example,c@d.example",
    ],
)
def test_addresses_are_told_apart_although_commas_stand_in_them(text: str) -> None:
    found, problems = addresses(text)
    assert [(one.name, one.scheme) for one in found] == [
        ("tgram", "tgram"), ("discord", "discord"), ("mailto", "mailto"),
    ]  # fmt: skip
    assert found[2].url.endswith("?to=a@b.example,c@d.example")
    assert problems == []


def test_names_are_given_or_made() -> None:
    found, _ = addresses("json://a.example/x, desk=json://b.example/y, json://c.example/z")
    assert [one.name for one in found] == ["json", "desk", "json-2"]


def test_what_is_wrong_is_told_by_its_place_and_not_quoted() -> None:
    many = " ".join([f"json://h{number}.example/x" for number in range(MOST)])
    found, problems = addresses(f"hush-hush, a=json://x.example/hush, a=json://y.example/hush {many}")
    assert len(found) == MOST
    assert [problem[:24] for problem in problems] == [
        "Address 1 in ALERT_URLS ", "Address 3 in ALERT_URLS ", f"Address {MOST + 3} in ALERT_URLS",
    ]  # fmt: skip
    assert "hush" not in " ".join(problems)


@pytest.mark.parametrize(
    ("url", "hidden", "shown"),
    [
        ("tgram://123456789:abcdefgh/77665544", ["123456789", "abcdefgh", "77665544"], []),
        ("discord://4174216298/JHMHI8qBe7bk", ["4174216298", "JHMHI8qBe7bk"], []),
        ("mailto://someone:passw%40rd@mail.example?to=a@b.example", ["passw%40rd"], ["mail.example", "a@b.example"]),
        ("jsons://hooks.example/services/T0KEN?+Auth=Bearer-x", ["T0KEN", "Bearer-x"], ["hooks.example"]),
    ],
)
def test_keys_in_an_address_are_secret_and_servers_are_not(url: str, hidden: list[str], shown: list[str]) -> None:
    secrets = secrets_of(Address("x", url))
    assert all(one in secrets for one in hidden)
    assert not any(one in secrets for one in shown)


def test_an_address_does_not_show_itself() -> None:
    assert repr(Address("phone", "tgram://123:hush/77")) == "Address('phone', 'tgram://***')"
