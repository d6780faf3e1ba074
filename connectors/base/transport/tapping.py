"""Hands one connection's raw frames to whoever records them."""

from __future__ import annotations

from collections.abc import Mapping

from engine.connector import FrameTap

TRANSLATED = "translated:"
"""How the address of frames begins that are not the wire's own (`RawSource.frames`)."""


class ConnectionTap:
    """A tap for the frames of one connection to `url`, under the name that the recording knows it by."""

    __slots__ = ("connection", "tap", "url")

    def __init__(self, tap: FrameTap, connection: str, url: str) -> None:
        self.tap = tap
        self.connection = connection
        self.url = url

    def opened(self, now_ns: int) -> None:
        self.tap.frame("ws", "open", self.url, self.connection, b"", now_ns)

    def received(self, frame: bytes, now_ns: int) -> None:
        self.tap.frame("ws", "recv", self.url, self.connection, frame, now_ns)

    def sent(self, text: str, now_ns: int) -> None:
        self.tap.frame("ws", "send", self.url, self.connection, text.encode(), now_ns)

    def note(self, words: Mapping[str, object], now_ns: int) -> None:
        self.tap.note(self.url, self.connection, words, now_ns)
