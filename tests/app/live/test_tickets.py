from __future__ import annotations

import pytest
from itsdangerous import URLSafeTimedSerializer

from app.live.tickets import MOST_KEYS, TicketOffice, TicketRefused
from tests.app.live.reading import KEY


def test_a_ticket_says_which_feeds_and_whose() -> None:
    office = TicketOffice()
    claims = office.check(office.mint([KEY], "tab-1"))
    assert claims.keys == (KEY,)
    assert claims.session == "tab-1"


def test_a_ticket_of_another_process_is_refused() -> None:
    with pytest.raises(TicketRefused):
        TicketOffice().check(TicketOffice().mint([KEY], "tab-1"))


def test_the_same_secret_makes_the_same_office() -> None:
    secret = b"0123456789abcdef"
    assert TicketOffice(secret).check(TicketOffice(secret).mint([KEY], "a")).session == "a"


def test_an_old_ticket_is_refused() -> None:
    office = TicketOffice()
    with pytest.raises(TicketRefused, match="SignatureExpired"):
        office.check(office.mint([KEY], "tab-1"), age_s=-1)


def test_a_ticket_is_no_resume_token_and_the_other_way_round() -> None:
    office = TicketOffice()
    ticket = office.mint([KEY], "tab-1")
    token = office.mint_resume(office.check(ticket))
    assert office.check_resume(token).keys == (KEY,)
    with pytest.raises(TicketRefused):
        office.check(token)
    with pytest.raises(TicketRefused):
        office.check_resume(ticket)


@pytest.mark.parametrize("content", ["x", [], ["a"], ["a", [["b"]]], [1, []], {"session": "a"}])
def test_a_signed_word_of_another_shape_is_refused(content: object) -> None:
    signed = URLSafeTimedSerializer(b"secret", salt="tapedeck-live-ticket").dumps(content)
    with pytest.raises(TicketRefused):
        TicketOffice(b"secret").check(str(signed))


def test_a_ticket_for_very_many_feeds_is_not_written() -> None:
    with pytest.raises(TicketRefused):
        TicketOffice().mint([("mock", str(n), "stream") for n in range(MOST_KEYS + 1)], "tab-1")
