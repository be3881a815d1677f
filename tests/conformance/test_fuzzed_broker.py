"""A running broker and damaged requests of every API and version: it answers or closes, stays small, and serves on.

Each request is followed by one that any broker answers at once, so a connection that neither answers nor closes hangs.
`YEOUL_FUZZ=1000000` widens the search; the default is a few thousand.
"""

from __future__ import annotations

import os
import random
import selectors
import socket
import struct
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from tests.fuzzed_requests import some_request

from yeoul.broker import Broker
from yeoul.broker.registry import all_handlers
from yeoul.wire import frames
from yeoul.wire.messages.api_versions import API_VERSIONS, ApiVersionsRequest

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(60 + int(os.environ.get("YEOUL_FUZZ", "0")) // 100)]

FUZZ = int(os.environ.get("YEOUL_FUZZ", "4000"))
SEED = int(os.environ.get("YEOUL_FUZZ_SEED", "11"))
CONNECTIONS = 24
ROUND = 20_000
PROBE_ID = 0x7EA5EED
PROBE = bytes(frames.encode_request(API_VERSIONS, 0, PROBE_ID, "probe", ApiVersionsRequest()))
MAY_WAIT = frozenset({"Fetch", "JoinGroup", "SyncGroup"})
WAITING_S = 0.05
HANGING_S = 20.0
GROWTH_BYTES = 200 << 20


@dataclass
class Peer:
    """One connection with one damaged request under way."""

    socket: socket.socket
    name: str = ""
    request: bytes = b""
    sent_at_s: float = 0.0
    received: bytearray = field(default_factory=bytearray)

    def send(self, name: str, request: bytes) -> None:
        self.name, self.request, self.sent_at_s = name, request, time.monotonic()
        self.received.clear()
        self.socket.sendall(request + PROBE)

    def is_probe_answered(self) -> bool:
        """Takes whole responses off what was received; True once the probe's is among them."""
        while len(self.received) >= 8:
            size_bytes, correlation_id = struct.unpack_from(">ii", self.received)
            if len(self.received) < 4 + size_bytes:
                return False
            del self.received[: 4 + size_bytes]
            if correlation_id == PROBE_ID:
                return True
        return False


class Fuzzer:
    """Keeps some connections busy; counts how each request ended."""

    def __init__(self, broker: Broker, chance: random.Random) -> None:
        self._broker = broker
        self._chance = chance
        self._handlers = list(all_handlers()[0].values())
        self._selector = selectors.DefaultSelector()
        self.endings: Counter[str] = Counter()
        self.apis: Counter[str] = Counter()
        self.hanging: list[tuple[str, str]] = []
        self.sent = 0

    def run(self, count: int) -> None:
        """Sends that many requests and sees each to its end."""
        wanted = self.sent + count
        for _ in range(CONNECTIONS):
            self._next(None, wanted)
        while self._selector.get_map():
            for key, _ in self._selector.select(0.02):
                self._read(key.data, wanted)
            now_s = time.monotonic()
            for key in list(self._selector.get_map().values()):
                self._look_after(key.data, now_s, wanted)

    def _next(self, peer: Peer | None, wanted: int) -> None:
        if self.sent >= wanted:
            if peer is not None:
                self._close(peer)
            return
        if peer is None:
            peer = Peer(socket.create_connection((self._broker.host, self._broker.port), timeout=HANGING_S))
            self._selector.register(peer.socket, selectors.EVENT_READ, peer)
        handler = self._chance.choice(self._handlers)
        self.sent += 1
        self.apis[handler.api.name] += 1
        try:
            peer.send(handler.api.name, some_request(self._chance, handler))
        except OSError:
            self._ended(peer, "closed", wanted)

    def _read(self, peer: Peer, wanted: int) -> None:
        try:
            data = peer.socket.recv(1 << 20)
        except OSError:
            data = b""
        if not data:
            self._ended(peer, "closed", wanted)
            return
        peer.received += data
        if peer.is_probe_answered():
            self.endings["answered"] += 1
            self._next(peer, wanted)

    def _look_after(self, peer: Peer, now_s: float, wanted: int) -> None:
        waited_s = now_s - peer.sent_at_s
        # A damaged body may be one of an API whose key was damaged into it, so the name is read from the bytes.
        if waited_s > WAITING_S and peer.name in MAY_WAIT:
            self._ended(peer, "waiting", wanted)
        elif waited_s > HANGING_S:
            self.hanging.append((peer.name, peer.request.hex()))
            self._ended(peer, "hanging", wanted)

    def _ended(self, peer: Peer, how: str, wanted: int) -> None:
        self.endings[how] += 1
        self._close(peer)
        self._next(None, wanted)

    def _close(self, peer: Peer) -> None:
        self._selector.unregister(peer.socket)
        peer.socket.close()


def rss_bytes(broker: Broker) -> int:
    return int(psutil.Process(broker.pid).memory_info().rss)


def test_damaged_requests_neither_stop_nor_swell_nor_hang_a_broker(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with Broker(tmp_path / "data", log_level="error") as broker:
        pid, fuzzer = broker.pid, Fuzzer(broker, random.Random(SEED))
        fuzzer.run(min(FUZZ, ROUND) // 4)
        before_bytes = rss_bytes(broker)
        while fuzzer.sent < FUZZ:
            fuzzer.run(min(ROUND, FUZZ - fuzzer.sent))
            grown_bytes = rss_bytes(broker) - before_bytes
            assert grown_bytes < GROWTH_BYTES, f"seed {SEED}: {grown_bytes >> 20} MiB after {fuzzer.sent} requests"
            assert not fuzzer.hanging, (SEED, fuzzer.hanging[:3])
            if FUZZ > ROUND:
                with capfd.disabled():
                    print(f"{fuzzer.sent:,} requests, {grown_bytes >> 20} MiB more, {dict(fuzzer.endings)}", flush=True)
        assert fuzzer.apis.keys() == {handler.api.name for handler in all_handlers()[0].values()}
        assert fuzzer.endings["answered"] > FUZZ // 10
        assert fuzzer.endings["closed"] > FUZZ // 10
        assert psutil.pid_exists(pid)
        broker.restart()
        fuzzer.run(20)
        broker.stop()
    assert "Traceback" not in capfd.readouterr().err
