"""aiokafka, on one event loop in a thread; its coroutines are waited for from the workloads' threads."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, ProducerFenced

from soak.clients.contract import Done, Failed, Reader, Seen, Writer, WriterSettings
from soak.history import Place

__all__ = ["AioFamily"]

_CALL_TIMEOUT_S = 10.0
_Found = TypeVar("_Found")


def _failed(error: BaseException) -> Failed:
    return Failed(
        repr(error),
        is_certain=isinstance(error, MessageSizeTooLargeError),
        is_abortable=not isinstance(error, (ProducerFenced, TimeoutError)),
    )


class _Loop:
    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda loop, context: None)
        self._thread = threading.Thread(target=self.loop.run_forever, name="soak-aiokafka", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _Found], timeout_s: float = _CALL_TIMEOUT_S) -> _Found:
        """Waits for a coroutine; one that takes too long is cancelled."""
        future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, timeout_s), self.loop)
        try:
            return future.result(timeout_s + 5)
        except (KafkaError, TimeoutError, OSError, AssertionError, RuntimeError, ValueError) as error:
            raise _failed(error) from error
        except asyncio.CancelledError as error:
            raise Failed("cancelled") from error

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)


class _Writer:
    def __init__(self, loop: _Loop, bootstrap: str, settings: WriterSettings) -> None:
        self._loop = loop
        self._pending: set[asyncio.Future[Any]] = set()
        loop.run(self._make(bootstrap, settings), 15)

    async def _make(self, bootstrap: str, settings: WriterSettings) -> None:
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            acks="all",
            enable_idempotence=settings.idempotent,
            compression_type=None if settings.compression == "none" else settings.compression,
            linger_ms=settings.linger_ms,
            transactional_id=settings.transactional_id,
            transaction_timeout_ms=settings.transaction_timeout_ms,
            request_timeout_ms=7_000,
            retry_backoff_ms=50,
        )
        try:
            await self._producer.start()
        except BaseException:
            await self._stop()
            raise

    async def _stop(self) -> None:
        with contextlib.suppress(BaseException):
            await asyncio.wait_for(self._producer.stop(), 1)

    def send(self, place: Place, value: bytes, done: Done) -> None:
        try:
            self._loop.run(self._send(place, value, done))
        except Failed as error:
            done(None, error)

    async def _send(self, place: Place, value: bytes, done: Done) -> None:
        future = await self._producer.send(place.topic, value, partition=place.partition)
        self._pending.add(future)

        def answered(ended: asyncio.Future[Any]) -> None:
            self._pending.discard(ended)
            if ended.cancelled():
                done(None, Failed("cancelled"))
            elif (error := ended.exception()) is not None:
                done(None, _failed(error))
            else:
                answer = ended.result()
                done(answer.offset if answer.offset >= 0 else None, None)

        future.add_done_callback(answered)

    def flush(self, timeout_s: float) -> bool:
        try:
            self._loop.run(self._producer.flush(), timeout_s)
        except Failed:
            return False
        return not self._pending

    def close(self) -> None:
        with contextlib.suppress(Failed):
            self._loop.run(self._stop())

    def begin(self) -> None:
        self._loop.run(self._producer.begin_transaction())

    def commit(self) -> None:
        self._loop.run(self._producer.commit_transaction())

    def abort(self) -> None:
        self._loop.run(self._producer.abort_transaction())

    def send_offsets(self, offsets: Mapping[Place, int], group: str, reader: Reader) -> None:
        positions = {TopicPartition(*place): offset for place, offset in offsets.items()}
        self._loop.run(self._producer.send_offsets_to_transaction(positions, group))


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, reader: _Reader) -> None:
        self._reader = reader

    def on_partitions_revoked(self, revoked: object) -> None:
        self._reader.moved()

    def on_partitions_assigned(self, assigned: object) -> None:
        self._reader.moved()


class _Reader:
    def __init__(self, loop: _Loop, bootstrap: str, group: str | None, committed: bool) -> None:
        self._loop = loop
        self._generation = 0
        self._settings: dict[str, object] = {
            "bootstrap_servers": bootstrap,
            "group_id": group,
            "isolation_level": "read_committed" if committed else "read_uncommitted",
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "session_timeout_ms": 6_000,
            "heartbeat_interval_ms": 500,
            "fetch_max_wait_ms": 100,
            "request_timeout_ms": 7_000,
            "retry_backoff_ms": 50,
        }

    def start(self, topics: Sequence[str], starts: Mapping[Place, int]) -> None:
        self._loop.run(self._start(topics, starts), 15)

    async def _start(self, topics: Sequence[str], starts: Mapping[Place, int]) -> None:
        self._consumer = AIOKafkaConsumer(**self._settings)
        if topics:
            self._consumer.subscribe(list(topics), listener=_Listener(self))
        else:
            self._consumer.assign([TopicPartition(*place) for place in starts])
        try:
            await self._consumer.start()
            for place, offset in starts.items():
                self._consumer.seek(TopicPartition(*place), offset)
        except BaseException:
            await self._stop()
            raise

    async def _stop(self) -> None:
        with contextlib.suppress(BaseException):
            await asyncio.wait_for(self._consumer.stop(), 3)

    def moved(self) -> None:
        self._generation += 1

    def poll(self, timeout_s: float) -> Sequence[Seen]:
        found = self._loop.run(self._consumer.getmany(timeout_ms=int(timeout_s * 1_000), max_records=200))
        return [
            Seen(Place(at.topic, at.partition), record.offset, record.value)
            for at, records in found.items()
            for record in records
        ]

    def generation(self) -> int:
        return self._generation

    def commit(self, offsets: Mapping[Place, int]) -> None:
        self._loop.run(self._consumer.commit({TopicPartition(*place): offset for place, offset in offsets.items()}))

    def committed(self, places: Sequence[Place]) -> dict[Place, int]:
        found = {}
        for place in places:
            offset = self._loop.run(self._consumer.committed(TopicPartition(*place)))
            found[place] = -1 if offset is None else offset
        return found

    def close(self) -> None:
        with contextlib.suppress(Failed):
            self._loop.run(self._stop())


class AioFamily:
    """Clients of aiokafka."""

    name = "aiokafka"
    compressions = ("none", "gzip", "snappy", "lz4", "zstd")
    has_transactions = True
    has_groups = True

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._loop = _Loop()
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)

    def writer(self, settings: WriterSettings) -> Writer:
        return _Writer(self._loop, self._bootstrap, settings)

    def assigned(self, starts: Mapping[Place, int], *, committed: bool, group: str | None = None) -> Reader:
        reader = _Reader(self._loop, self._bootstrap, group, committed)
        reader.start((), starts)
        return reader

    def member(self, group: str, topics: Sequence[str], *, committed: bool) -> Reader:
        reader = _Reader(self._loop, self._bootstrap, group, committed)
        reader.start(topics, {})
        return reader

    def close(self) -> None:
        self._loop.close()
