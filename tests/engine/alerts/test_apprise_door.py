"""Messages as they arrive at fake servers, and what is seen of secrets when they do not: nothing."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from time import monotonic

import pytest
from apprise.plugins.discord import NotifyDiscord
from apprise.plugins.telegram import NotifyTelegram

from engine.alerts.addresses import Address
from engine.alerts.apprise_door import CONNECT_S, READ_S, AppriseSender, make_notifier
from engine.errors import SendError
from tests.fakes.http_server import HttpRequest, HttpResponse
from tests.fakes.smtp_server import FakeSmtp
from tests.fakes.websocket_server import FakeServer

TOKEN, PASSWORD = "s3cr3tt0k3n0001", "p4ssw0rd0002"
TELEGRAM = "123456789:abcdefg_hijklmnopqrstuvwxyz"


class Hook(FakeServer):
    """Takes posts, and answers as it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.posts: list[HttpRequest] = []
        self.answer = HttpResponse(200, b"{}")

    def on_http(self, request: HttpRequest) -> HttpResponse:
        self.posts.append(request)
        return self.answer


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as server:
        yield server


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No secret is in the log, although all of it is kept."""
    caplog.set_level(logging.DEBUG)
    yield
    for secret in (TOKEN, PASSWORD, TELEGRAM, TELEGRAM[:9]):
        assert secret not in caplog.text


def sender(url: str) -> AppriseSender:
    return AppriseSender(Address("way", url))


def webhook(hook: Hook) -> AppriseSender:
    return sender(hook.http_url.replace("http", "json", 1) + f"/hooks/{TOKEN}")


def test_a_webhook_is_posted_title_and_body(hook: Hook) -> None:
    webhook(hook).send("Gap: BTC/USD at kraken", "1 gap <b> *x*")
    [post] = hook.posts
    body = json.loads(post.body)
    assert (post.method, post.path) == ("POST", f"/hooks/{TOKEN}")
    assert (body["title"], body["message"]) == ("Gap: BTC/USD at kraken", "1 gap <b> *x*")


@pytest.mark.parametrize(
    "answer", [HttpResponse(401, TOKEN.encode()), HttpResponse(500, b"oops"), HttpResponse(drop=True)]
)
def test_a_webhook_that_fails_says_why_without_the_token(hook: Hook, answer: HttpResponse) -> None:
    hook.answer = answer
    with pytest.raises(SendError) as caught:
        webhook(hook).send("T", "B")
    assert str(caught.value)
    assert TOKEN not in str(caught.value)


def test_nobody_listening_is_an_error_in_words() -> None:
    with FakeServer() as gone:
        address = gone.http_url.replace("http", "json", 1)
    with pytest.raises(SendError, match=r"(?i)connection"):
        sender(f"{address}/{TOKEN}").send("T", "B")


def test_a_message_reaches_telegram(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NotifyTelegram, "notify_url", f"{hook.http_url}/bot")
    telegram = sender(f"tgram://{TELEGRAM}/77665544")
    telegram.send("Gap: BTC/USD at kraken", "1 gap <b> *x* _y_ & z")
    [post] = hook.posts
    assert post.path == f"/bot{TELEGRAM}/sendMessage"
    assert json.loads(post.body)["chat_id"] in (77665544, "77665544")
    said = json.loads(post.body)
    assert (said["parse_mode"], "1 gap &lt;b&gt; *x* _y_ &amp; z" in said["text"]) == ("HTML", True)
    assert telegram.service == "Telegram"


def test_a_message_reaches_discord(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NotifyDiscord, "notify_url", f"{hook.http_url}/api/webhooks")
    sender(f"discord://4174216298/{TOKEN}").send("Gap: BTC/USD at kraken", "1 gap")
    [post] = hook.posts
    assert post.path == f"/api/webhooks/4174216298/{TOKEN}"
    assert "1 gap" in post.body.decode()


def test_what_is_too_long_for_a_service_goes_in_parts(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NotifyDiscord, "notify_url", f"{hook.http_url}/api/webhooks")
    monkeypatch.setattr(NotifyDiscord, "request_rate_per_sec", 0)
    sender(f"discord://4174216298/{TOKEN}").send("10 alerts", "\n".join([str(number) * 390 for number in range(10)]))
    assert len(hook.posts) > 1
    assert all(str(number) * 390 in "".join([post.body.decode() for post in hook.posts]) for number in range(10))


def test_a_mail_reaches_its_reader() -> None:
    with FakeSmtp() as server:
        url = f"mailto://someone:{PASSWORD}@127.0.0.1:{server.port}?from=desk@a.example&to=me@b.example&mode=insecure"
        sender(url).send("Gap: BTC/USD at kraken", "1 gap")
        [mail] = server.wait_for(1)
        assert server.logins == 1
    assert "To: me@b.example" in mail
    assert "Subject: Gap: BTC/USD at kraken" in mail
    assert "1 gap" in mail


def test_a_mail_server_that_refuses_the_login_says_so_without_the_password() -> None:
    with FakeSmtp(refuse=f"535 not with {PASSWORD}") as server:
        url = f"mailto://someone:{PASSWORD}@127.0.0.1:{server.port}?from=a@a.example&to=b@b.example&mode=insecure"
        with pytest.raises(SendError) as caught:
            sender(url).send("T", "B")
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("url", [f"nonsense://{TOKEN}", f"tgram://{TOKEN}", f"slack://{TOKEN}"])
def test_an_address_that_is_none_is_told_without_being_quoted(url: str) -> None:
    with pytest.raises(SendError, match="cannot read this address") as caught:
        sender(url).send("T", "B")
    assert TOKEN not in f"{caught.value} {sender(url)!r}"


def test_every_call_has_its_bounds() -> None:
    for url in (
        f"json://127.0.0.1/{TOKEN}",
        f"mailto://u:{PASSWORD}@127.0.0.1?from=c@b.example&to=a@b.example&mode=insecure",
    ):
        [service] = list(sender(url)._opened())
        assert service.request_timeout == (CONNECT_S, READ_S)


def test_a_server_that_never_answers_holds_up_the_end_for_less_than_two_seconds(hook: Hook) -> None:
    hook.answer = HttpResponse(delay_s=30.0)
    told: list[str] = []
    notifier = make_notifier(
        hook.http_url.replace("http", "json", 1) + f"/{TOKEN}", lambda number, channel, how: told.append(how)
    )
    notifier.test("json")
    assert hook.wait_for(lambda: hook.posts)
    began = monotonic()
    notifier.close()
    assert monotonic() - began < 2.0
    hook.stop()
    assert notifier.channels["json"].join(monotonic() + 10.0)
