"""A broker's insides without sockets: the real log on a temporary directory, a loop that the test turns by hand."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from yeoul.broker.config import BrokerConfig, Limits
from yeoul.broker.connection import Connection
from yeoul.broker.server import Server
from yeoul.wire import frames
from yeoul.wire.schema import Api, Message


class FakeTransport(asyncio.Transport):
    """Remembers what was written and whether reading is paused."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.writes = 0
        self.reading = True
        self.ended = False
        self.protocol: Connection | None = None
        self.accepts_bytes = 1 << 62

    def get_extra_info(self, name: str, default: object = None) -> object:
        return ("127.0.0.1", 5) if name == "peername" else default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def writelines(self, list_of_data) -> None:  # type: ignore[no-untyped-def]
        self.writes += 1
        for part in list_of_data:
            self.written += part
        if len(self.written) > self.accepts_bytes and self.protocol is not None:
            self.protocol.pause_writing()

    def is_closing(self) -> bool:
        return self.ended

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def close(self) -> None:
        if not self.ended and self.protocol is not None:
            self.protocol._server.loop.call_soon(self.protocol.connection_lost, None)
        self.ended = True


class Bench:
    """One server and as many fake connections as a test wants."""

    def __init__(self, data_dir: Path, **settings: object) -> None:
        self.loop = asyncio.new_event_loop()
        self.data_dir = data_dir
        self.failures: list[Exception] = []
        self.config = BrokerConfig(data_dir, **settings)  # type: ignore[arg-type]
        self.server = Server(self.config, self.loop, self.failures.append)
        self.node = self.server.node

    def connect(self) -> tuple[Connection, FakeTransport]:
        connection, transport = Connection(self.server), FakeTransport()
        transport.protocol = connection
        connection.connection_made(transport)
        return connection, transport

    def feed(self, connection: Connection, data: bytes | memoryview, piece_bytes: int = 1 << 30) -> memoryview:
        """Hands bytes over as uvloop does, in pieces, until the connection pauses; returns what it did not take."""
        view = memoryview(data)
        transport = connection._transport
        while view and isinstance(transport, FakeTransport) and transport.reading and not transport.ended:
            room = connection.get_buffer(-1)
            count = min(len(room), len(view), piece_bytes)
            assert count, "A connection that reads must have room"
            room[:count] = view[:count]
            connection.buffer_updated(count)
            view = view[count:]
        return view

    def until(self, condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Turns the loop until something is true."""

        async def turn() -> None:
            deadline_s = time.monotonic() + timeout_s
            while not condition():
                assert time.monotonic() < deadline_s, "Waited in vain"
                await asyncio.sleep(0)

        self.loop.run_until_complete(turn())

    def ask(self, api: Api[Message, Message], version: int, message: Message) -> Message:
        """One request on a connection of its own."""
        connection, transport = self.connect()
        self.feed(connection, frames.encode_request(api, version, 1, "bench", message))
        self.until(lambda: bool(responses(transport)) or transport.ended)
        [frame] = responses(transport)
        transport.close()
        self.until(lambda: connection._transport is None)
        return frames.read_response(api, version, frame)[1]

    def close(self) -> None:
        self.loop.run_until_complete(self.server.close())
        self.loop.close()


def responses(transport: FakeTransport) -> list[bytes]:
    """The frames that were written, without their lengths."""
    found, position = [], 0
    while position + 4 <= len(transport.written):
        (size,) = struct.unpack_from(">i", transport.written, position)
        found.append(bytes(transport.written[position + 4 : position + 4 + size]))
        position += 4 + size
    return found


def correlation_ids(transport: FakeTransport) -> list[int]:
    return [cast(int, struct.unpack_from(">i", frame)[0]) for frame in responses(transport)]


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(name: str = "data", **settings: object) -> Bench:
        made.append(Bench(tmp_path / name, **settings))
        return made[-1]

    yield make
    for bench in made:
        if not bench.loop.is_closed():
            bench.close()


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench(limits=Limits(pipelined_requests=8, send_bytes=100_000))
