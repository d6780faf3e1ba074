"""One TCP connection of the fake server: buffered both ways, ended from any thread at any moment."""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
import time

from tests.fakes import frames

_CHUNK = 262_144
BACKLOG_LIMIT = 512_000_000
"""Unsent bytes above which a client that does not read is cut off."""


class Ended(Exception):
    """The connection is over; raised to leave the thread that reads it."""


class Wire:
    """A non-blocking socket that waits on `select` together with a wake-up, so that no thread is ever stuck in it.

    Any thread may `post` and `write`; the reading thread sends what could not go at once. Only that thread may call
    `read_…` and `close`. A reset leaves as soon as nobody is inside a call on the socket, which is at once.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)
        self._kick = os.eventfd(0, os.EFD_NONBLOCK)
        self._guard = threading.RLock()
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._muted = False
        self._reading = True
        self._closed = False
        self.ended = False

    @property
    def backlog(self) -> int:
        """Bytes that the client has not taken yet (beyond the kernel's own buffers)."""
        return len(self._outgoing)

    # ---- from any thread

    def post(self, data: bytes) -> bool:
        """Send as soon as the peer takes it, without waiting. False when silent or over."""
        with self._guard:
            if self.ended or self._muted:
                return False
            self._outgoing += data
            self._flush()
            if self._outgoing:
                os.eventfd_write(self._kick, 1)
            if len(self._outgoing) > BACKLOG_LIMIT:
                self.end(reset=True)
            return not self.ended

    def write(self, data: bytes) -> bool:
        """Send all, waiting while the peer does not read. False when silent or over."""
        return self.post(data) and self.drain(0)

    def drain(self, limit: int) -> bool:
        """Wait until at most `limit` bytes are unsent. False when silent or over."""
        while True:
            with self._guard:
                if self.ended or self._muted:
                    return False
                self._flush()
                if len(self._outgoing) <= limit:
                    return True
            self._wait([self._wake], [self._socket], 0.05)

    def mute(self, *, reading: bool = True) -> None:
        """Write nothing more; with `reading` False, read nothing either."""
        with self._guard:
            self._muted = True
            self._reading = reading
            self._outgoing.clear()

    def pause_reading(self) -> None:
        self._reading = False

    def resume(self) -> None:
        self._muted = False
        self._reading = True

    def end(self, *, reset: bool = False) -> None:
        """Close the TCP connection: in good order, or with a reset."""
        with self._guard:
            if self.ended:
                return
            self.ended = True
            if reset:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self._socket.close()
            else:
                try:
                    self._socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    # The peer was faster.
                    self._outgoing.clear()
            os.eventfd_write(self._wake, 1)

    # ---- from the reading thread

    def close(self) -> None:
        """Give the descriptors back; `end` has been called."""
        with self._guard:
            if not self._closed:
                self._closed = True
                self._discard_unread()
                self._socket.close()
                os.close(self._wake)
                os.close(self._kick)

    def wait_readable(self) -> None:
        """Return when there is something to accept.

        Raises:
            Ended: the listener is closed.
        """
        self._wait([self._wake, self._socket], [], None)
        if self.ended:
            raise Ended

    def wait_ended(self, timeout: float) -> None:
        """Wait without reading; returns early only by raising.

        Raises:
            Ended: the connection was ended meanwhile, by us or by the peer.
        """
        deadline = time.monotonic() + timeout
        while not self.ended and (left := deadline - time.monotonic()) > 0:
            if self._peer_left(left):
                raise Ended
        if self.ended:
            raise Ended

    def read_until(self, mark: bytes, limit: int) -> bytes | None:
        """Everything before `mark`; None when the peer left first or `limit` bytes came without it."""
        while (at := self._incoming.find(mark)) < 0:
            if len(self._incoming) > limit or not self._fill():
                return None
        data = bytes(self._incoming[:at])
        del self._incoming[: at + len(mark)]
        return data

    def read_exactly(self, size: int) -> bytes:
        """The next `size` bytes.

        Raises:
            Ended: the peer left first.
        """
        while len(self._incoming) < size:
            if not self._fill():
                raise Ended
        data = bytes(self._incoming[:size])
        del self._incoming[:size]
        return data

    def read_frame(self) -> frames.Frame | None:
        """The next frame; None when the connection is over."""
        while (frame := frames.decode(self._incoming)) is None:
            if not self._fill():
                return None
        return frame

    # ---- inside

    def _fill(self) -> bool:
        """Read what is there, waiting for it and sending what is due meanwhile; False at the end."""
        while True:
            if self._reading:
                self._wait([self._wake, self._kick, self._socket], [self._socket] if self._outgoing else [], None)
            elif self._peer_left(0.02):
                return False
            with self._guard:
                if self.ended:
                    return False
                self._calm()
                self._flush()
                if not self._reading:
                    continue
                try:
                    data = self._socket.recv(_CHUNK)
                except BlockingIOError:
                    continue
                except OSError:
                    return False
            self._incoming += data
            return bool(data)

    def _peer_left(self, timeout: float) -> bool:
        """Wait for the peer's end without reading what it sent."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        with self._guard:
            if not self.ended:
                poll.register(self._socket, select.POLLRDHUP)
        return any(
            event & (select.POLLRDHUP | select.POLLHUP | select.POLLERR) for _, event in poll.poll(timeout * 1e3)
        )

    def _flush(self) -> None:
        try:
            while self._outgoing:
                with memoryview(self._outgoing) as view:
                    sent = self._socket.send(view[:_CHUNK])
                del self._outgoing[:sent]
        except BlockingIOError:
            return
        except OSError:
            # The reading thread will find the end itself.
            self._outgoing.clear()

    def _calm(self) -> None:
        try:
            os.eventfd_read(self._kick)
        except BlockingIOError:
            return

    def _discard_unread(self) -> None:
        """Read what nobody asked for: closing a socket with unread bytes would reset it."""
        try:
            while self._socket.recv(_CHUNK):
                continue
        except OSError:
            return

    def _wait(self, reads: list[int | socket.socket], writes: list[socket.socket], timeout: float | None) -> None:
        if self.ended:
            return
        try:
            select.select(reads, writes, [], timeout)
        except (OSError, ValueError):
            # Closed between the look and the wait: the caller sees `ended`.
            return
