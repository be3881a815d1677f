"""Writing to the target: one transaction after the other, several requests under way for each leader.

Owns the producer's identity, the sequences, and what is not yet acknowledged. Invariants: a partition's batches are
stored in the order given; nothing is ever sent twice: whatever goes wrong ends the session, and the next one takes over
the transactional id, which settles the open transaction one way or the other; a batch's body is never copied on its
way to the socket. Transactions are spoken in the form that every Kafka since 0.11 takes (partitions are added before
they are written to, the epoch changes between sessions only).

Used by one thread. Callers: `session`. Source: KIP-98, https://kafka.apache.org/protocol.html
"""

from __future__ import annotations

import struct
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from yeoul.connectors.kafka.cluster import TopicPartition, Unavailable
from yeoul.connectors.kafka.connection import Connection
from yeoul.connectors.kafka.settings import Address
from yeoul.errors import PeerError
from yeoul.mirror.batches import Outgoing, framed
from yeoul.mirror.client import Client, refusal
from yeoul.wire.compression import Buffer
from yeoul.wire.errors import ErrorCode, error_name
from yeoul.wire.messages.add_partitions_to_txn import (
    ADD_PARTITIONS_TO_TXN,
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnTopic,
)
from yeoul.wire.messages.end_txn import END_TXN, EndTxnRequest
from yeoul.wire.messages.init_producer_id import INIT_PRODUCER_ID, InitProducerIdRequest
from yeoul.wire.messages.produce import PRODUCE, ProduceResponse

__all__ = ["Fenced", "Interrupted", "Stored", "Writer"]

_INIT_VERSION, _ADD_VERSION, _END_VERSION = 4, 3, 3
_PRODUCE_VERSION = 8
"""The newest version without compact lengths; zstd needs 7."""
_REQUESTS_UNDER_WAY = 5
"""How many batches of a producer a broker remembers for each partition."""
_REQUEST_BYTES = 8 << 20
_FENCED = (ErrorCode.INVALID_PRODUCER_EPOCH, ErrorCode.PRODUCER_FENCED, ErrorCode.TRANSACTION_COORDINATOR_FENCED)
_PASSING = (
    ErrorCode.UNKNOWN_PRODUCER_ID,
    ErrorCode.INVALID_PRODUCER_ID_MAPPING,
    ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
    ErrorCode.INVALID_TXN_STATE,
    ErrorCode.TRANSACTION_ABORTABLE,
)
"""What a new session mends: the transaction timed out, or a broker has forgotten the producer."""


class Fenced(PeerError):
    """The transactional id was taken over: by another mirror, or by the target itself after a time-out."""


class Interrupted(Unavailable):
    """The target ended the transaction by itself; another session starts where the last one was committed."""


class Stored(NamedTuple):
    """A batch that the target has taken; it counts once its transaction is committed."""

    partition: TopicPartition
    batch: Outgoing
    base_offset: int


@dataclass(slots=True)
class _Link:
    connection: Connection
    under_way: deque[dict[TopicPartition, Outgoing]] = field(default_factory=deque)


class Writer:
    """A transactional producer of whole batches.

    Args:
        client: The target.
        transactional_id: Whose earlier transaction is settled, and whose earlier owner is shut out, by `open`.
        timeout_ms: When the target aborts a transaction that is not ended.
    """

    def __init__(self, client: Client, transactional_id: str, timeout_ms: int) -> None:
        self._client = client
        self._transactional_id = transactional_id
        self._timeout_ms = timeout_ms
        self._identity = (-1, -1)
        self._leaders: dict[TopicPartition, Address] = {}
        self._sequences: dict[TopicPartition, int] = defaultdict(int)
        self._added: set[TopicPartition] = set()
        self._links: dict[Address, _Link] = {}
        self._stored: list[Stored] = []

    def open(self) -> None:
        """Takes over the transactional id; what hung is committed or aborted when this returns."""
        self._identity = self._client.patiently(self._take_over, self._timeout_ms)

    def lead(self, leaders: Mapping[TopicPartition, Address]) -> None:
        """Says who leads partitions that are going to be written to."""
        self._leaders.update(leaders)

    @property
    def is_open(self) -> bool:
        """Whether something was written that is neither committed nor lost."""
        return bool(self._added)

    def write(self, batches: Mapping[TopicPartition, Sequence[Outgoing]]) -> None:
        """Sends batches; returns when all are sent, not yet acknowledged.

        Raises:
            Fenced: Somebody else has taken over.
            PeerError: The target refuses; `ConnectionLost` and `Unavailable` if another session may succeed.
        """
        self._add([partition for partition in batches if partition not in self._added])
        by_leader: dict[Address, dict[TopicPartition, deque[Outgoing]]] = defaultdict(dict)
        for partition, waiting in batches.items():
            if waiting:
                by_leader[self._leaders[partition]][partition] = deque(waiting)
        while by_leader:
            for address, queues in list(by_leader.items()):
                self._send(address, _next_request(queues))
                if not queues:
                    del by_leader[address]

    def settle(self) -> list[Stored]:
        """Waits until all that was sent is acknowledged; returns it, in the order of each partition."""
        for link in self._links.values():
            while link.under_way:
                self._take_answer(link)
        stored, self._stored = self._stored, []
        return stored

    def commit(self) -> None:
        """Ends the transaction; all of it counts when this returns. If it raises, the next session finds out."""
        assert not any(link.under_way for link in self._links.values())
        producer_id, epoch = self._identity

        def end() -> None:
            request = EndTxnRequest(
                transactional_id=self._transactional_id,
                producer_id=producer_id,
                producer_epoch=epoch,
                committed=True,
            )
            coordinator = self._client.transaction_coordinator(self._transactional_id)
            answer = coordinator.call(END_TXN, request, _END_VERSION)
            self._judge(answer.error_code, "the end of a transaction")

        # asked again, a coordinator that has committed says so again: the answer may get lost, not the decision
        self._client.patiently(end, self._timeout_ms)
        self._added.clear()

    def close(self) -> None:
        """Drops what is not committed and closes every connection; idempotent, callable from any thread."""
        for link in list(self._links.values()):
            link.connection.close()

    def _take_over(self) -> tuple[int, int]:
        request = InitProducerIdRequest(
            transactional_id=self._transactional_id, transaction_timeout_ms=self._timeout_ms
        )
        coordinator = self._client.transaction_coordinator(self._transactional_id)
        answer = coordinator.call(INIT_PRODUCER_ID, request, _INIT_VERSION)
        if answer.error_code:
            raise refusal(answer.error_code, f"transactional id {self._transactional_id!r}")
        return answer.producer_id, answer.producer_epoch

    def _add(self, partitions: list[TopicPartition]) -> None:
        if not partitions:
            return
        by_topic: dict[str, list[int]] = defaultdict(list)
        for topic, partition in partitions:
            by_topic[topic].append(partition)
        producer_id, epoch = self._identity
        request = AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=self._transactional_id,
            v3_and_below_producer_id=producer_id,
            v3_and_below_producer_epoch=epoch,
            v3_and_below_topics=[
                AddPartitionsToTxnTopic(name=name, partitions=some) for name, some in by_topic.items()
            ],
        )

        def ask() -> None:
            coordinator = self._client.transaction_coordinator(self._transactional_id)
            answer = coordinator.call(ADD_PARTITIONS_TO_TXN, request, _ADD_VERSION)
            for topic in answer.results_by_topic_v3_and_below:
                for one in topic.results_by_partition:
                    self._judge(one.partition_error_code, f"topic {topic.name!r} in a transaction")

        self._client.patiently(ask, self._timeout_ms)
        self._added.update(partitions)

    def _judge(self, code: int, what: str, message: str | None = None) -> None:
        """Raises what an error code means."""
        if code == ErrorCode.NONE:
            return
        if code in _FENCED:
            raise Fenced(f"Transactional id {self._transactional_id!r} was taken over by another mirror")
        if code in _PASSING:
            raise Interrupted(f"The target gave up a transaction: {error_name(code)}")
        raise refusal(code, what, message)

    def _send(self, address: Address, batches: dict[TopicPartition, Outgoing]) -> None:
        link = self._links.get(address)
        if link is None:
            settings = self._client.settings
            connection = Connection(address, settings, settings.api_timeout_ms / 1_000)
            connection.version_of(PRODUCE, _PRODUCE_VERSION)
            link = self._links[address] = _Link(connection)
        while len(link.under_way) >= _REQUESTS_UNDER_WAY:
            self._take_answer(link)
        link.connection.send_buffers(PRODUCE, _PRODUCE_VERSION, self._encoded(batches))
        link.under_way.append(batches)

    def _encoded(self, batches: Mapping[TopicPartition, Outgoing]) -> list[Buffer]:
        """Returns the body of a Produce request."""
        by_topic: dict[str, list[int]] = defaultdict(list)
        for topic, index in batches:
            by_topic[topic].append(index)
        transactional_id = self._transactional_id.encode()
        small = bytearray(struct.pack(">h", len(transactional_id)) + transactional_id)
        small += struct.pack(">hii", -1, self._client.settings.request_timeout_ms, len(by_topic))
        parts: list[Buffer] = []
        for topic, indexes in by_topic.items():
            name = topic.encode()
            small += struct.pack(">h", len(name)) + name + struct.pack(">i", len(indexes))
            for index in indexes:
                partition = TopicPartition(topic, index)
                batch = batches[partition]
                sequence = self._sequences[partition]
                self._sequences[partition] = (sequence + batch.count) & 0x7FFFFFFF
                small += struct.pack(">ii", index, batch.size_bytes) + framed(batch, *self._identity, sequence)
                parts += (small, batch.body)
                small = bytearray()
        return parts

    def _take_answer(self, link: _Link) -> None:
        response: ProduceResponse = link.connection.receive()
        batches = link.under_way.popleft()
        for topic in response.responses:
            for one in topic.partition_responses:
                partition = TopicPartition(topic.name, one.index)
                if one.error_code:
                    self._judge(one.error_code, f"records for {partition.split}", one.error_message)
                self._stored.append(Stored(partition, batches.pop(partition), one.base_offset))
        if batches:
            raise Unavailable(f"The target did not answer for {next(iter(batches)).split}")


def _next_request(queues: dict[TopicPartition, deque[Outgoing]]) -> dict[TopicPartition, Outgoing]:
    """Takes the first batch of each partition, up to a bound; partitions that are through are removed."""
    chosen: dict[TopicPartition, Outgoing] = {}
    size_bytes = 0
    for partition in list(queues):
        batch = queues[partition][0]
        if chosen and size_bytes + batch.size_bytes > _REQUEST_BYTES:
            break
        chosen[partition] = queues[partition].popleft()
        size_bytes += batch.size_bytes
        if not queues[partition]:
            del queues[partition]
    return chosen
