"""Tabs without a browser: clients that say on their sockets exactly what a page says, in a process of their own.

`python -m benchmarks.tabs ADDRESS COUNT SYMBOL…` opens COUNT pages of the mock venue and stays until its input ends.
Each one speaks the protocol of `/ws/live` (app/live/socket.py), ticket and acknowledgements, and acknowledges every
message as soon as it is read. With `--whole` it also holds a Streamlit session: it runs the page's script and asks for
each fragment again at its interval, as a browser does. The ticket is minted here with the secret that the dashboard was
started with (TICKET_SECRET).

It prints `ready` once every client has data, and at its end one line of JSON: messages and bytes of all clients.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from contextlib import suppress
from urllib.parse import urlencode, urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from app.live.tickets import TicketOffice
from engine.feed.mailbox import FeedKey


class Counts:
    """What all clients of this process were sent."""

    def __init__(self, clients: int) -> None:
        self.waiting = clients
        self.messages = 0
        self.bytes = 0
        self.runs = 0
        self.failures: list[str] = []

    def first(self) -> None:
        self.waiting -= 1
        if not self.waiting:
            print("ready", flush=True)


async def data_plane(address: str, keys: list[FeedKey], office: TicketOffice, counts: Counts, number: int) -> None:
    """One page's data socket."""
    url = f"ws://{urlsplit(address).netloc}/ws/live"
    async with connect(url, origin=address, compression=None, max_size=None) as socket:  # type: ignore[arg-type]
        await socket.send(json.dumps({"ticket": office.mint(keys, f"bench-{number}"), "watch": keys}))
        seen = False
        async for message in socket:
            if isinstance(message, str):
                continue
            counts.messages += 1
            counts.bytes += len(message)
            await socket.send('{"ack":1}')
            if not seen:
                seen = True
                counts.first()


async def control_plane(address: str, query: str, counts: Counts) -> None:
    """One page's Streamlit session: the script once, and every fragment at the interval that the script asked for."""
    url = f"ws://{urlsplit(address).netloc}/_stcore/stream"
    timers: list[asyncio.Task[None]] = []
    async with connect(url, origin=address, subprotocols=["streamlit"], compression=None, max_size=None) as socket:  # type: ignore[arg-type, list-item]
        await socket.send(_rerun(query, "", ""))
        page = ""
        try:
            async for message in socket:
                heard = ForwardMsg()
                heard.ParseFromString(message if isinstance(message, bytes) else message.encode())
                kind = heard.WhichOneof("type")
                if kind == "new_session" and not page:
                    page = heard.new_session.page_script_hash
                elif kind == "script_finished":
                    counts.runs += 1
                elif kind == "auto_rerun":
                    again = _rerun(query, page, heard.auto_rerun.fragment_id)
                    timers.append(asyncio.create_task(_repeat(socket, again, heard.auto_rerun.interval)))
        finally:
            for timer in timers:
                timer.cancel()


async def _repeat(socket, message: bytes, interval_s: float) -> None:  # type: ignore[no-untyped-def]
    with suppress(ConnectionClosed):
        while True:
            await asyncio.sleep(interval_s)
            await socket.send(message)


def _rerun(query: str, page: str, fragment: str) -> bytes:
    message = BackMsg()
    state = message.rerun_script
    state.query_string, state.page_script_hash, state.fragment_id = query, page, fragment
    state.is_auto_rerun = bool(fragment)
    data: bytes = message.SerializeToString()
    return data


async def stay(options: argparse.Namespace) -> Counts:
    """Hold all clients until the input ends."""
    office = TicketOffice(os.environ["TICKET_SECRET"].encode())
    keys: list[FeedKey] = [("mock", symbol, "stream") for symbol in options.symbols]
    query = urlencode([("connector", "mock"), ("run", "1"), *[("symbols", symbol) for symbol in options.symbols]])
    counts = Counts(options.count)
    tasks = [
        asyncio.create_task(data_plane(options.address, keys, office, counts, number))
        for number in range(options.count)
    ]
    if options.whole:
        tasks += [asyncio.create_task(control_plane(options.address, query, counts)) for _ in range(options.count)]
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    done, running = await asyncio.wait([ended, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    counts.failures = [repr(task.exception()) for task in done if task is not ended and task.exception() is not None]
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tabs", description=__doc__)
    parser.add_argument("address")
    parser.add_argument("count", type=int)
    parser.add_argument("symbols", nargs="+")
    parser.add_argument("--whole", action="store_true", help="with a Streamlit session each")
    counts = asyncio.run(stay(parser.parse_args()))
    print(json.dumps(vars(counts)))
    return 1 if counts.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
