"""Venues that live in the test process: real sockets on 127.0.0.1, real frames, every fault on demand."""
