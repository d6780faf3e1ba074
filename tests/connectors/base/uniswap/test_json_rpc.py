from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.base.uniswap.json_rpc import BlockAbsent, Question, Reverted, ask
from engine.errors import Blocked, DecodeError, Disconnected, RateLimited

TWO = [Question("first"), Question("second", [1])]


def answering(*results: dict[str, Any], backwards: bool = False) -> Any:
    """A node that gives these answers to the questions of a batch."""

    def post(body: bytes) -> bytes:
        batch = json.loads(body)
        assert all(one["jsonrpc"] == "2.0" for one in batch)
        answers = [{"id": one["id"], **result} for one, result in zip(batch, results, strict=False)]
        return json.dumps(answers[::-1] if backwards else answers).encode()

    return post


@pytest.mark.parametrize("backwards", [False, True])
def test_answers_are_matched_by_their_id(backwards: bool) -> None:
    assert ask(answering({"result": 1}, {"result": "b"}, backwards=backwards), TWO) == [1, "b"]


def test_a_refusal_by_the_contract_is_an_answer() -> None:
    error = {"code": -32000, "message": "execution reverted"}
    assert ask(answering({"error": error}, {"result": 2}), TWO) == [Reverted("execution reverted"), 2]


def test_a_missing_answer_is_an_error_with_numbers() -> None:
    with pytest.raises(Disconnected, match="left out 1 of 2 answers"):
        ask(answering({"result": 1}), TWO)


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (-32005, "whatever", RateLimited),
        (429, "Your app has exceeded its compute units per second capacity", RateLimited),
        (-32000, "header not found", BlockAbsent),
        (-32000, "missing trie node 00ff (path )", BlockAbsent),
        (-32000, "invalid project id", Blocked),
        (-32603, "internal error", Disconnected),
    ],
)
def test_errors_are_what_they_mean(code: int, message: str, kind: type[Exception]) -> None:
    error = {"code": code, "message": message}
    with pytest.raises(kind) as one:
        ask(answering({"result": 1}, {"error": error}), TWO)
    with pytest.raises(kind):
        ask(lambda body: json.dumps({"id": None, "error": error}).encode(), TWO)
    assert type(one.value) is kind
    assert message[:20] in str(one.value)


@pytest.mark.parametrize("body", [b"", b"{", b"7", b"[1]", b"\xff", b"[" * 100_000])
def test_what_is_no_answer_is_a_decode_error(body: bytes) -> None:
    with pytest.raises(DecodeError):
        ask(lambda _: body, TWO)
