"""JSON-RPC 2.0 by POST: batches matched by id, and errors as the transport knows them. Pure but for the call itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import msgspec
from msgspec import Struct

from engine.errors import Blocked, DecodeError, Disconnected, FeedError, RateLimited

LIMIT_EXCEEDED = -32005
_THROTTLED = ("limit exceeded", "rate limit", "too many request", "exceeded its", "compute units")
_ABSENT = ("header not found", "missing trie node", "unknown block", "block not found", "not been found")
_REFUSED = ("unauthorized", "api key", "forbidden", "invalid project", "must be authenticated")

Post = Callable[[bytes], bytes]


class Question(Struct, frozen=True):
    """One method with its parameters."""

    method: str
    params: Sequence[Any] = ()


class BlockAbsent(Disconnected):
    """The node does not have (all of) this block yet, or any more."""


class Reverted(Struct, frozen=True):
    """The contract refused the call: no fault of the node."""

    message: str


class _Error(Struct):
    code: int = 0
    message: str = ""


class _Answer(Struct):
    id: int | str | None = None
    result: Any = None
    error: _Error | None = None


_answers = msgspec.json.Decoder(list[_Answer] | _Answer)
_numbers = count(1)


def ask(post: Post, questions: Sequence[Question]) -> list[Any]:
    """The results in the order of the questions; `Reverted` where a contract refused. One call.

    Raises:
        FeedError: the node did not answer, answered in part, or with an error.
    """
    first = next(_numbers)
    ids = [first, *[next(_numbers) for _ in questions[1:]]]
    batch = [
        {"jsonrpc": "2.0", "id": identifier, "method": one.method, "params": list(one.params)}
        for identifier, one in zip(ids, questions, strict=True)
    ]
    answers = _read(post(msgspec.json.encode(batch)))
    found = {answer.id: answer for answer in answers}
    missing = [identifier for identifier in ids if identifier not in found]
    if missing:
        raise Disconnected(f"the node left out {len(missing)} of {len(ids)} answers")
    return [_result(found[identifier]) for identifier in ids]


def _read(body: bytes) -> list[_Answer]:
    try:
        content = _answers.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"not a JSON-RPC answer: {error}") from error
    if isinstance(content, list):
        return content
    # One object for a whole batch: the node refuses it as a whole.
    raise failure(content.error or _Error(0, "one answer to a batch of questions"))


def _result(answer: _Answer) -> Any:
    error = answer.error
    if error is None:
        return answer.result
    if "revert" in error.message.lower() or error.code == 3:
        return Reverted(error.message)
    raise failure(error)


def failure(error: _Error) -> FeedError:
    """The error that a JSON-RPC error stands for."""
    said = error.message.lower()
    message = f"the node answered: {' '.join(error.message.split())[:200]} (code {error.code})"
    if error.code == LIMIT_EXCEEDED or any(words in said for words in _THROTTLED):
        return RateLimited(message, hint="The node asks to slow down; the pace is lowered.")
    if any(words in said for words in _ABSENT):
        return BlockAbsent(message)
    if any(words in said for words in _REFUSED):
        return Blocked(message, hint="The node wants a valid key in its address.")
    return Disconnected(message, hint="The call is repeated by itself.")
