"""`async with Broker(...)`: the event loop runs on while the child starts and ends, and nothing is left behind."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from yeoul.broker import Broker
from yeoul.errors import EnvironmentFailure, UserError


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the brokers' temporary directories are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_round_trip_and_then_nothing_is_left(temporary: Path) -> None:
    async def round_trip() -> bytes:
        async with Broker(flush="os", start=False) as broker:
            assert broker.data_dir.parent == temporary
            async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers) as producer:
                await producer.send_and_wait("orders", b"one coffee")
            async with AIOKafkaConsumer(
                "orders", bootstrap_servers=broker.bootstrap_servers, auto_offset_reset="earliest"
            ) as consumer:
                return bytes((await consumer.getone()).value or b"")

    assert asyncio.run(asyncio.wait_for(round_trip(), 60)) == b"one coffee"
    assert not list(temporary.iterdir())


def test_start_and_end_wait_beside_the_loop(monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    waited_on: list[threading.Thread] = []
    for name in ("start", "close"):
        method = getattr(Broker, name)

        def noted(self: Broker, method=method) -> None:  # type: ignore[no-untyped-def]
            waited_on.append(threading.current_thread())
            method(self)

        monkeypatch.setattr(Broker, name, noted)

    async def enter_and_leave() -> None:
        async with Broker(flush="os", start=False):
            pass

    asyncio.run(asyncio.wait_for(enter_and_leave(), 60))
    assert len(waited_on) == 2
    assert threading.main_thread() not in waited_on


def test_a_start_that_is_cancelled_leaves_nothing(monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    spawned = threading.Event()
    first_line = Broker._first_line

    def told(self: Broker) -> str:
        spawned.set()
        return first_line(self)

    monkeypatch.setattr(Broker, "_first_line", told)
    broker = Broker(flush="os", start=False)

    async def enter_and_cancel() -> None:
        entering = asyncio.ensure_future(broker.__aenter__())
        assert await asyncio.to_thread(spawned.wait, 30)
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering

    asyncio.run(asyncio.wait_for(enter_and_cancel(), 60))
    assert broker._process is None
    assert not list(temporary.iterdir())


def test_a_block_starts_a_broker_that_was_not_started_and_only_then(temporary: Path) -> None:
    with Broker(flush="os", start=False) as broker:
        assert broker.port != 0
    with Broker(flush="os") as broker:
        pid = broker.pid
        with broker as same:
            assert same.pid == pid


def test_a_failed_start_leaves_no_temporary_directory(temporary: Path) -> None:
    with pytest.raises(UserError):
        Broker(host="0.0.0.0")
    with Broker(flush="os") as broker, pytest.raises(EnvironmentFailure):
        Broker(port=broker.port)
    assert not list(temporary.iterdir())
