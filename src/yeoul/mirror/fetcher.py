"""Reading the source: one request to each leader always on its way.

Owns the positions and one connection for each leader. As soon as an answer is in, the next request goes out, so that
the source works while the answer is copied. Invariants: a partition's ranges come in the order of their offsets, with
no gap and none twice; what is held is at most one answer of each leader; only what is committed at the source counts
(`read_committed`). There is no mending here: whatever goes wrong is raised, and the next session begins from what is
stored. Used by one thread, `wake` and `close` by any. Callers: `session`, `state`.
"""

from __future__ import annotations

import contextlib
import select
import socket
from collections import defaultdict

from yeoul.connectors.kafka.cluster import TopicPartition
from yeoul.connectors.kafka.connection import Connection, ConnectionLost
from yeoul.connectors.kafka.pieces import Aborted, FetchedRange, scan_batches
from yeoul.connectors.kafka.settings import Address, ClientSettings
from yeoul.connectors.spec import ConnectorContext
from yeoul.errors import PeerError
from yeoul.mirror.client import refusal
from yeoul.wire.errors import ErrorCode, ProtocolError, error_name
from yeoul.wire.messages.fetch import FETCH, FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData

__all__ = ["Fetcher", "OffsetGone"]

_FETCH_BY_NAME = 12
_READ_COMMITTED = 1
_SESSIONLESS = -1
_MISSING = (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_TOPIC_ID)


class OffsetGone(PeerError):
    """The source has no records at the offset that is to be read next."""


class Fetcher:
    """Reads partitions from where each one is set.

    Args:
        settings: Addresses, time-outs, sizes.
        context: Clock.
    """

    def __init__(self, settings: ClientSettings, context: ConnectorContext) -> None:
        self._settings = settings
        self._context = context
        self.positions: dict[TopicPartition, int] = {}
        self.ends: dict[TopicPartition, int] = {}
        self.starts: dict[TopicPartition, int] = {}
        self._leaders: dict[TopicPartition, Address] = {}
        self._connections: dict[Address, Connection] = {}
        self._asked: dict[Address, float] = {}
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)

    def read(self, partition: TopicPartition, leader: Address, position: int) -> None:
        """Reads a partition from a position on; one that is being read already goes on where it is."""
        self._leaders[partition] = leader
        self.positions.setdefault(partition, position)

    def drop(self, partition: TopicPartition) -> None:
        """Reads a partition no more."""
        for held in (self.positions, self.ends, self.starts, self._leaders):
            held.pop(partition, None)

    def lag(self, partition: TopicPartition) -> int | None:
        """Returns how many offsets a partition is behind; None until the source has told."""
        end = self.ends.get(partition)
        return None if end is None else max(0, end - self.positions[partition])

    def poll(self, timeout_s: float) -> list[FetchedRange]:
        """Returns what has come; empty when nothing came within the time.

        Raises:
            ConnectionLost: A broker has gone, or does not answer.
            OffsetGone: Records that were to be read are not there any more.
            PeerError: A broker refuses.
        """
        for address in set(self._leaders.values()) - set(self._asked):
            self._ask(address)
        poller = select.poll()
        poller.register(self._woken, select.POLLIN)
        by_descriptor = {}
        for address in self._asked:
            descriptor = self._connections[address].fileno()
            by_descriptor[descriptor] = address
            poller.register(descriptor, select.POLLIN)
        found: list[FetchedRange] = []
        for descriptor, _ in poller.poll(max(0, int(timeout_s * 1_000))):
            if descriptor in by_descriptor:
                found += self._take_in(by_descriptor[descriptor])
            else:
                with contextlib.suppress(BlockingIOError):
                    self._woken.recv(4_096)
        self._check_silence()
        return found

    def wake(self) -> None:
        """Makes a waiting poll return."""
        with contextlib.suppress(OSError):
            self._waker.send(b"\0")

    def close(self) -> None:
        """Closes every connection; idempotent."""
        for connection in list(self._connections.values()):
            connection.close()
        self._woken.close()
        self._waker.close()

    def _ask(self, address: Address) -> None:
        held = self._connections.get(address)
        if held is None:
            held = Connection(address, self._settings, self._settings.api_timeout_ms / 1_000)
            self._connections[address] = held
        by_topic: dict[str, list[FetchPartition]] = defaultdict(list)
        mine = [partition for partition, leader in self._leaders.items() if leader == address]
        # A broker fills its answer in this order: whoever is furthest behind comes first.
        for partition in sorted(mine, key=lambda one: -(self.lag(one) or 0)):
            by_topic[partition.topic].append(
                FetchPartition(
                    partition=partition.partition,
                    fetch_offset=self.positions[partition],
                    partition_max_bytes=self._settings.partition_max_bytes,
                )
            )
        request = FetchRequest(
            max_wait_ms=self._settings.fetch_max_wait_ms,
            min_bytes=self._settings.fetch_min_bytes,
            max_bytes=self._settings.fetch_max_bytes,
            isolation_level=_READ_COMMITTED,
            session_epoch=_SESSIONLESS,
            topics=[FetchTopic(topic=topic, partitions=some) for topic, some in by_topic.items()],
        )
        held.send(FETCH, request, _FETCH_BY_NAME)
        self._asked[address] = self._context.clock.monotonic_s()

    def _take_in(self, address: Address) -> list[FetchedRange]:
        response: FetchResponse = self._connections[address].receive()
        del self._asked[address]
        if response.error_code:
            raise ConnectionLost(f"Broker {address} refused a fetch: {error_name(response.error_code)}")
        found: list[FetchedRange] = []
        for topic in response.responses:
            for data in topic.partitions:
                partition = TopicPartition(topic.topic, data.partition_index)
                if partition in self.positions:
                    found += self._take_in_partition(partition, data)
        if any(leader == address for leader in self._leaders.values()):
            self._ask(address)
        return found

    def _take_in_partition(self, partition: TopicPartition, data: PartitionData) -> list[FetchedRange]:
        start = self.positions[partition]
        if data.error_code == ErrorCode.OFFSET_OUT_OF_RANGE:
            raise OffsetGone(f"Topic {partition.topic!r}, partition {partition.partition}: offset {start} is gone")
        if data.error_code in _MISSING:
            # Deleted, or not known yet: whoever looks at the topics next decides.
            self.drop(partition)
            return []
        if data.error_code:
            raise refusal(data.error_code, f"a fetch from {partition.split}")
        self.ends[partition] = data.last_stable_offset if data.last_stable_offset >= 0 else data.high_watermark
        self.starts[partition] = data.log_start_offset
        if not data.records:
            return []
        records = memoryview(data.records)
        try:
            spans, next_offset, _ = scan_batches(records, start)
        except ProtocolError as error:
            raise PeerError(
                f"Topic {partition.topic!r}, partition {partition.partition}, offset {start}: {error.message}",
                hint="`yeoul doctor` looks at a yeoul broker's data.",
            ) from error
        if not spans:
            return []
        self.positions[partition] = next_offset
        aborted = tuple(Aborted(one.producer_id, one.first_offset) for one in data.aborted_transactions or ())
        return [FetchedRange(partition, records, spans, start, None, next_offset, aborted)]

    def _check_silence(self) -> None:
        patience_s = (self._settings.request_timeout_ms + self._settings.fetch_max_wait_ms) / 1_000
        for address, asked_at_s in self._asked.items():
            if self._context.clock.monotonic_s() > asked_at_s + patience_s:
                raise ConnectionLost(f"Broker {address} does not answer")
