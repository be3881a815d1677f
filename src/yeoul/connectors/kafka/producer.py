"""Producing whole record batches: idempotent, in order, several requests under way for each leader.

Owns sequence numbers, what is not yet acknowledged, and a thread that sends it and takes in the answers; little is
sent by whoever brings it, if the thread is not at it, because changing threads would cost more. Invariants: a
partition's batches are stored in the order of `send`, each once (the broker recognises a batch that is sent again by
its producer id and sequence); a batch is forgotten only when it is acknowledged; what waits is bounded in bytes, and
`send` blocks beyond that; the first failure that cannot be mended is raised by the next `send` or `flush`.
Callers: `sink`. Source: https://kafka.apache.org/documentation/#producerconfigs, KIP-98, KIP-360.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import crc32c
import numpy as np
from numpy.typing import NDArray

from yeoul.connectors.kafka.cluster import Cluster, TopicPartition
from yeoul.connectors.kafka.connection import Connection, ConnectionLost
from yeoul.connectors.kafka.settings import Address, ProducerSettings
from yeoul.connectors.spec import ConnectorContext
from yeoul.errors import PeerError, YeoulError
from yeoul.wire.compression import Buffer, Codec, compress
from yeoul.wire.errors import RETRIABLE, ErrorCode, error_name
from yeoul.wire.messages.produce import (
    PRODUCE,
    PartitionProduceData,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)

__all__ = ["BatchProducer", "Section"]

_PRODUCE_BY_NAME = 12
_REQUESTS_UNDER_WAY = 5
"""How many batches of a producer a broker remembers for each partition; more could not be recognised."""
_FIRST_BACKOFF_S = 0.05
_LONGEST_BACKOFF_S = 1.0
_IDLE_S = 0.5
_LITTLE_BYTES = 64 << 10
"""Up to how much is sent by whoever brings it."""
_HEADER = struct.Struct(">qiibIhiqqqhii")
_HEADER_BYTES = 61
_LOG_OVERHEAD_BYTES = 12
_CRC_START = 21
_ALL_REPLICAS = -1


@dataclass(frozen=True, slots=True)
class Section:
    """The records of one batch to be.

    Attributes:
        body: The records, encoded, offset deltas from 0.
        count: How many.
        base_timestamp_ms: What their timestamp deltas count from.
        max_timestamp_ms: The latest of them.
    """

    body: NDArray[np.uint8]
    count: int
    base_timestamp_ms: int
    max_timestamp_ms: int


@dataclass(slots=True)
class _Batch:
    partition: TopicPartition
    records: bytes
    sent_by_s: float


@dataclass(slots=True)
class _Queue:
    """One partition: what is to be sent, in order, and the next sequence."""

    waiting: deque[_Batch] = field(default_factory=deque)
    sequence: int = 0


@dataclass(slots=True)
class _Link:
    connection: Connection
    under_way: deque[list[_Batch]] = field(default_factory=deque)
    heard_at_s: float = 0.0


class BatchProducer:
    """Sends batches to the leaders of some partitions.

    Args:
        cluster: Where to; closed with the producer.
        leaders: Every partition, and who leads it.
        settings: See there.
        context: Clock and warnings.

    Raises:
        PeerError: The cluster gives no producer id.
    """

    def __init__(
        self,
        cluster: Cluster,
        leaders: Mapping[TopicPartition, Address],
        settings: ProducerSettings,
        context: ConnectorContext,
    ) -> None:
        self._cluster = cluster
        self._settings = settings
        self._context = context
        self._leaders: dict[TopicPartition, Address | None] = dict(leaders)
        self._producer_id, self._producer_epoch = cluster.producer_id()
        self._queues = {partition: _Queue() for partition in leaders}
        self._links: dict[Address, _Link] = {}
        self._changed = threading.Condition()
        self._sending = threading.Lock()
        self._held_bytes = 0
        self._failure: YeoulError | None = None
        self._closed = False
        self._retry_at_s = 0.0
        self._backoff_s = _FIRST_BACKOFF_S
        self._is_warned = False
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="yeoul-kafka-producer", daemon=True)
        self._thread.start()

    def send(self, sections: Iterable[tuple[TopicPartition, Section]]) -> None:
        """Puts records in line; blocks while too much waits.

        Raises:
            PeerError: Something that was sent before could not be delivered.
        """
        size_bytes = 0
        for partition, section in sections:
            size_bytes += self._put_in_line(partition, section)
            if size_bytes > _LITTLE_BYTES:
                self._wake()
        if size_bytes <= _LITTLE_BYTES and not self._sent_at_once():
            self._wake()

    def _put_in_line(self, partition: TopicPartition, section: Section) -> int:
        """Makes records a batch; returns its bytes."""
        body = (
            section.body.tobytes()
            if self._settings.codec is Codec.NONE
            else compress(self._settings.codec, section.body.data)
        )
        with self._changed:
            if not self._has_room():
                self._wake()
                self._changed.wait_for(self._has_room)
            self._raise_failure()
            queue = self._queues[partition]
            records = self._framed(section, body, queue.sequence)
            queue.sequence = (queue.sequence + section.count) & 0x7FFFFFFF
            deadline_s = self._now_s() + self._settings.delivery_timeout_ms / 1_000
            queue.waiting.append(_Batch(partition, records, deadline_s))
            self._held_bytes += len(records)
        return len(records)

    def _sent_at_once(self) -> bool:
        """Sends what waits from the caller's thread; False if the producer's own has to see to something."""
        if not self._links or not self._sending.acquire(blocking=False):
            return False
        try:
            self._send_waiting()
        finally:
            self._sending.release()
        return not any(queue.waiting for queue in self._queues.values())

    def flush(self) -> None:
        """Waits until everything is acknowledged.

        Raises:
            PeerError: Something could not be delivered.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._held_bytes == 0 or self._failure is not None)
            self._raise_failure()

    def close(self) -> None:
        """Drops what is not acknowledged and closes every connection; idempotent."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        self._wake()
        self._thread.join()
        for link in self._links.values():
            link.connection.close()
        self._cluster.close()
        self._woken.close()
        self._waker.close()

    def _has_room(self) -> bool:
        return self._held_bytes < self._settings.buffer_bytes or self._failure is not None or self._closed

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _now_s(self) -> float:
        return self._context.clock.monotonic_s()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._waker.send(b"\0")

    def _framed(self, section: Section, body: Buffer, sequence: int) -> bytes:
        """Returns a whole record batch."""
        batch = bytearray(_HEADER_BYTES)
        batch += body
        _HEADER.pack_into(
            batch,
            0,
            0,
            len(batch) - _LOG_OVERHEAD_BYTES,
            -1,
            2,
            0,
            int(self._settings.codec),
            section.count - 1,
            section.base_timestamp_ms,
            section.max_timestamp_ms,
            self._producer_id,
            self._producer_epoch,
            sequence,
            section.count,
        )
        struct.pack_into(">I", batch, 17, crc32c.crc32c(memoryview(batch)[_CRC_START:]))
        return bytes(batch)

    # The sending thread.

    def _run(self) -> None:
        try:
            while not self._closed:
                with self._sending:
                    self._find_leaders()
                    self._send_waiting()
                self._take_answers()
                with self._sending:
                    self._check_deadlines()
        except YeoulError as error:
            self._fail(error)
        except Exception as error:  # whoever waits must learn of it, whatever it is
            self._fail(PeerError(f"Producing failed: {error!r}"))

    def _fail(self, error: YeoulError) -> None:
        with self._changed:
            if not self._closed:
                self._failure = error
            self._changed.notify_all()

    def _send_waiting(self) -> None:
        """Sends one request to each leader that has room for it, with one batch of each of its partitions."""
        for address, batches in self._next_batches().items():
            try:
                link = self._links.get(address)
                if link is None:
                    link = self._links[address] = _Link(self._cluster.connect(address))
                if not link.under_way:
                    link.heard_at_s = self._now_s()
                link.under_way.append(batches)
                link.connection.send(PRODUCE, self._request(batches), _PRODUCE_BY_NAME)
            except ConnectionLost as error:
                if address not in self._links:
                    self._put_back([batches])
                self._lose(address, error)

    def _next_batches(self) -> dict[Address, list[_Batch]]:
        chosen: dict[Address, list[_Batch]] = defaultdict(list)
        with self._changed:
            for partition, queue in self._queues.items():
                address = self._leaders[partition]
                if not queue.waiting or address is None:
                    continue
                link = self._links.get(address)
                if link is None or len(link.under_way) < _REQUESTS_UNDER_WAY:
                    chosen[address].append(queue.waiting.popleft())
        return chosen

    def _request(self, batches: list[_Batch]) -> ProduceRequest:
        by_topic: dict[str, list[PartitionProduceData]] = defaultdict(list)
        for batch in batches:
            topic, partition = batch.partition
            by_topic[topic].append(PartitionProduceData(index=partition, records=batch.records))
        return ProduceRequest(
            acks=_ALL_REPLICAS,
            timeout_ms=self._settings.request_timeout_ms,
            topic_data=[TopicProduceData(name=name, partition_data=data) for name, data in by_topic.items()],
        )

    def _take_answers(self) -> None:
        poller = select.poll()
        poller.register(self._woken, select.POLLIN)
        by_descriptor: dict[int, tuple[Address, _Link]] = {}
        with self._sending:
            for address, link in self._links.items():
                descriptor = link.connection.fileno()
                if descriptor >= 0:
                    by_descriptor[descriptor] = address, link
                    poller.register(descriptor, select.POLLIN)
            pause_s = self._pause_s()
        for descriptor, _ in poller.poll(int(pause_s * 1_000 + 0.999)):
            if descriptor in by_descriptor:
                with self._sending:
                    self._take_answer(*by_descriptor[descriptor])
            else:
                with contextlib.suppress(BlockingIOError):
                    self._woken.recv(4_096)

    def _pause_s(self) -> float:
        """Returns how long there is nothing to do but listen."""
        with self._changed:
            is_stuck = any(queue.waiting and self._leaders[one] is None for one, queue in self._queues.items())
            could_send = any(
                queue.waiting and (address := self._leaders[one]) is not None and self._has_slot(address)
                for one, queue in self._queues.items()
            )
        if could_send:
            return 0.0
        return max(0.0, min(_IDLE_S, self._retry_at_s - self._now_s())) if is_stuck else _IDLE_S

    def _has_slot(self, address: Address) -> bool:
        link = self._links.get(address)
        return link is None or len(link.under_way) < _REQUESTS_UNDER_WAY

    def _take_answer(self, address: Address, link: _Link) -> None:
        if self._links.get(address) is not link:
            return  # lost while it was listened to
        if not link.under_way:
            # Nothing is owed: the broker has closed a connection that was idle. The next batch opens another one.
            self._links.pop(address).connection.close()
            return
        try:
            response: ProduceResponse = link.connection.receive()
        except ConnectionLost as error:
            self._lose(address, error)
            return
        link.heard_at_s = self._now_s()
        batches = {batch.partition: batch for batch in link.under_way[0]}
        for topic in response.responses:
            for one in topic.partition_responses:
                self._judge(one.error_code, one.error_message, batches.get(TopicPartition(topic.name, one.index)))
                if one.error_code in RETRIABLE:
                    # Batches behind this one would be out of order: send all of them again.
                    self._lose(address, ConnectionLost(f"Broker {address} answered {error_name(one.error_code)}"))
                    return
        link.under_way.popleft()
        self._backoff_s, self._is_warned = _FIRST_BACKOFF_S, False
        with self._changed:
            self._held_bytes -= sum(len(batch.records) for batch in batches.values())
            self._changed.notify_all()

    def _judge(self, code: int, message: str | None, batch: _Batch | None) -> None:
        """Raises what cannot be mended by sending again."""
        if code in (ErrorCode.NONE, ErrorCode.DUPLICATE_SEQUENCE_NUMBER) or code in RETRIABLE:
            return
        where = "" if batch is None else f"Topic {batch.partition.topic!r}, partition {batch.partition.partition}: "
        hint = ""
        if code in (ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.RECORD_LIST_TOO_LARGE):
            hint = "Raise the topic's max.message.bytes, or write smaller rows."
        elif "AUTHORIZATION" in error_name(code):
            hint = "Check the permissions of this user."
        raise PeerError(f"{where}the broker refused records: {message or error_name(code)}", hint=hint)

    def _lose(self, address: Address, error: ConnectionLost) -> None:
        """Puts everything not acknowledged back in line, in order, and looks for the leaders again after a pause."""
        link = self._links.pop(address, None)
        if link is not None:
            link.connection.close()
            self._put_back(link.under_way)
        for partition, leader in self._leaders.items():
            if leader == address:
                self._leaders[partition] = None
        if not self._is_warned and not self._closed:
            self._is_warned = True
            self._context.warn(f"{error.message}; trying again")
        self._retry_at_s = self._now_s() + self._backoff_s
        self._backoff_s = min(2 * self._backoff_s, _LONGEST_BACKOFF_S)

    def _put_back(self, requests: deque[list[_Batch]] | list[list[_Batch]]) -> None:
        with self._changed:
            for batches in reversed(requests):
                for batch in batches:
                    self._queues[batch.partition].waiting.appendleft(batch)

    def _find_leaders(self) -> None:
        lost = [partition for partition, leader in self._leaders.items() if leader is None]
        if not lost or self._now_s() < self._retry_at_s:
            return
        try:
            leaders = self._cluster.leaders_now(sorted({partition.topic for partition in lost}))
        except ConnectionLost:
            leaders = {}
        for partition in lost:
            self._leaders[partition] = leaders.get(partition)
        if any(self._leaders[partition] is None for partition in lost):
            self._retry_at_s = self._now_s() + self._backoff_s
            self._backoff_s = min(2 * self._backoff_s, _LONGEST_BACKOFF_S)

    def _check_deadlines(self) -> None:
        now_s = self._now_s()
        for address, link in list(self._links.items()):
            if link.under_way and now_s - link.heard_at_s > self._settings.request_timeout_ms / 1_000:
                self._lose(address, ConnectionLost(f"Broker {address} does not answer"))
        with self._changed:
            oldest = [queue.waiting[0] for queue in self._queues.values() if queue.waiting]
        for batch in oldest:
            if now_s > batch.sent_by_s:
                topic, partition = batch.partition
                seconds = self._settings.delivery_timeout_ms // 1_000
                raise PeerError(
                    f"Topic {topic!r}, partition {partition}: records were not acknowledged within {seconds} s",
                    hint="Is the broker reachable? 'properties.delivery.timeout.ms' says how long to try.",
                )
