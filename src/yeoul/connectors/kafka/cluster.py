"""What a cluster knows: topics, leaders, offsets by time, offsets of a group.

Owns the control connection and the trying again. Invariants: every question is answered or refused within
`api_timeout_ms`; waiting ends at once when the job stops; a wrong address gives one clear error.
Callers: `source`, `reader`. Source of the codes: https://kafka.apache.org/protocol.html
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from yeoul.connectors.kafka.connection import Connection, ConnectionLost
from yeoul.connectors.kafka.settings import Address, ClientSettings
from yeoul.connectors.spec import ConnectorContext
from yeoul.errors import PeerError, UserError, did_you_mean
from yeoul.wire.errors import ErrorCode, error_name
from yeoul.wire.messages.find_coordinator import FIND_COORDINATOR, FindCoordinatorRequest
from yeoul.wire.messages.init_producer_id import INIT_PRODUCER_ID, InitProducerIdRequest
from yeoul.wire.messages.list_offsets import (
    LIST_OFFSETS,
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from yeoul.wire.messages.metadata import METADATA, MetadataRequest, MetadataRequestTopic, MetadataResponse
from yeoul.wire.messages.offset_fetch import OFFSET_FETCH, OffsetFetchRequest, OffsetFetchRequestTopic

__all__ = ["EARLIEST", "LATEST", "Cluster", "TopicPartition", "Unavailable"]

EARLIEST = -2
LATEST = -1

_METADATA_BY_NAME = 12
_OFFSET_FETCH_ONE_GROUP = 7
_FIND_ONE_COORDINATOR = 3
_FIRST_BACKOFF_S = 0.05
_LONGEST_BACKOFF_S = 1.0
_UNKNOWN_TOPIC_PATIENCE_S = 1.0

T = TypeVar("T")


class TopicPartition(NamedTuple):
    """One partition of one topic: a split of a source."""

    topic: str
    partition: int

    @property
    def split(self) -> str:
        return f"{self.topic}-{self.partition}"


class Unavailable(PeerError):
    """The cluster answered that it cannot answer yet; another attempt may succeed."""


class Cluster:
    """A cluster that can be asked.

    Args:
        settings: Addresses and time-outs.
        context: Clock, warnings, and the sign to stop.
    """

    def __init__(self, settings: ClientSettings, context: ConnectorContext) -> None:
        self.settings = settings
        self._context = context
        self._brokers: dict[int, Address] = {}
        self._connections: dict[Address, Connection] = {}

    def connect(self, address: Address) -> Connection:
        """Returns a new connection to a broker.

        Raises:
            ConnectionLost: It cannot be made now.
        """
        return Connection(address, self.settings, self.settings.api_timeout_ms / 1_000)

    def close(self) -> None:
        """Closes what is open; idempotent, callable from any thread."""
        for connection in list(self._connections.values()):
            connection.close()

    def leaders(self, topics: Sequence[str], creating: bool = False) -> dict[TopicPartition, Address]:
        """Returns every partition of some topics, and who leads it.

        Args:
            topics: Which.
            creating: Whether a topic that is not there may be created, if the cluster does that by itself.

        Raises:
            UserError: A topic does not exist.
            PeerError: The cluster cannot be reached, or has no leader for a partition.
        """
        started_s = self._context.clock.monotonic_s()

        def ask() -> dict[TopicPartition, Address]:
            response = self._metadata(topics, creating)
            missing = _missing(response)
            if missing and self._context.clock.monotonic_s() - started_s > _UNKNOWN_TOPIC_PATIENCE_S:
                raise self._unknown_topic(missing[0])
            if missing:
                raise Unavailable(f"Topic {missing[0]!r} does not exist")
            return self._leaders_of(response)

        return self._patiently(ask)

    def leaders_now(self, topics: Sequence[str]) -> dict[TopicPartition, Address]:
        """Asks once; partitions without a leader and unknown topics are left out.

        Raises:
            ConnectionLost: No broker can be reached.
        """
        return self._leaders_of(self._metadata(topics), partial=True)

    def topics(self, pattern: re.Pattern[str]) -> list[str]:
        """Returns the topics whose whole name matches, internal ones left out.

        Raises:
            PeerError: The cluster cannot be reached.
        """
        return [name for name in self._patiently(self._topic_names) if pattern.fullmatch(name)]

    def list_offsets(self, leaders: Mapping[TopicPartition, Address], timestamp: int) -> dict[TopicPartition, int]:
        """Returns an offset for each partition: its first (`EARLIEST`), its end (`LATEST`), or that of the first record
        of `timestamp` ms or later, -1 if there is none.

        Raises:
            PeerError: The cluster cannot be reached or refuses.
        """
        wanted = dict(leaders)

        def ask() -> dict[TopicPartition, int]:
            found: dict[TopicPartition, int] = {}
            by_leader: dict[Address, list[TopicPartition]] = defaultdict(list)
            for partition, address in wanted.items():
                by_leader[address].append(partition)
            try:
                for address, partitions in by_leader.items():
                    found |= self._list_offsets_of(address, partitions, timestamp)
            except (Unavailable, ConnectionLost):
                wanted.update(self.leaders_now(sorted({one.topic for one in wanted})))
                raise
            return found

        return self._patiently(ask)

    def committed_offsets(self, group: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Returns the offsets that a consumer group committed; partitions without one are left out.

        Raises:
            PeerError: The cluster cannot be reached or refuses.
        """
        return self._patiently(lambda: self._committed_offsets(group, partitions))

    def producer_id(self) -> tuple[int, int]:
        """Returns a new producer id and its epoch, for idempotent producing.

        Raises:
            PeerError: The cluster cannot be reached or refuses.
        """

        def ask() -> tuple[int, int]:
            request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=0)
            response = self._control().call(INIT_PRODUCER_ID, request)
            _refuse(response.error_code, "a producer id")
            return response.producer_id, response.producer_epoch

        return self._patiently(ask)

    def _patiently(self, ask: Callable[[], T]) -> T:
        """Asks until there is an answer or the time is up."""
        clock, stopping = self._context.clock, self._context.stopping
        deadline_s = clock.monotonic_s() + self.settings.api_timeout_ms / 1_000
        backoff_s = _FIRST_BACKOFF_S
        while True:
            try:
                return ask()
            except (Unavailable, ConnectionLost) as error:
                left_s = deadline_s - clock.monotonic_s()
                if left_s <= 0 or stopping.wait(min(backoff_s, left_s)):
                    raise self._unreachable(error) from error
                backoff_s = min(2 * backoff_s, _LONGEST_BACKOFF_S)

    def _unreachable(self, error: PeerError) -> PeerError:
        shown = ", ".join(str(address) for address in self.settings.bootstrap)
        if isinstance(error, Unavailable):
            return PeerError(f"Kafka at {shown} is not ready: {error.message}", hint=error.hint)
        return PeerError(
            f"Cannot reach Kafka at {shown} ('properties.bootstrap.servers'): {error.message}",
            hint=error.hint or "Is a broker running there? 'yeoul up' starts one.",
        )

    def _control(self) -> Connection:
        """Returns a connection to any broker."""
        for connection in self._connections.values():
            if connection.is_open:
                return connection
        known = [*self.settings.bootstrap, *(one for one in self._brokers.values())]
        failure: ConnectionLost | None = None
        for address in dict.fromkeys(known):
            try:
                return self._connection(address)
            except ConnectionLost as error:
                failure = failure or error
        assert failure is not None
        raise failure

    def _connection(self, address: Address) -> Connection:
        held = self._connections.get(address)
        if held is None or not held.is_open:
            held = self._connections[address] = self.connect(address)
        return held

    def _metadata(self, topics: Sequence[str] | None, creating: bool = False) -> MetadataResponse:
        asked = None if topics is None else [MetadataRequestTopic(name=name) for name in topics]
        request = MetadataRequest(topics=asked, allow_auto_topic_creation=creating)
        response = self._control().call(METADATA, request, _METADATA_BY_NAME)
        self._brokers = {one.node_id: Address(one.host, one.port) for one in response.brokers}
        return response

    def _topic_names(self) -> list[str]:
        return sorted(topic.name for topic in self._metadata(None).topics if topic.name and not topic.is_internal)

    def _unknown_topic(self, name: str) -> UserError:
        known = self._topic_names()
        shown = ", ".join(str(address) for address in self.settings.bootstrap)
        hint = did_you_mean(name, known) or "It has no topics yet."
        return UserError(f"Topic {name!r} does not exist on {shown}", hint=hint)

    def _leaders_of(self, response: MetadataResponse, partial: bool = False) -> dict[TopicPartition, Address]:
        leaders: dict[TopicPartition, Address] = {}
        for topic in response.topics:
            _refuse(topic.error_code, f"topic {topic.name!r}", retriable=not partial, ignored=partial)
            for one in topic.partitions:
                address = self._brokers.get(one.leader_id)
                if address is not None:
                    leaders[TopicPartition(topic.name or "", one.partition_index)] = address
                elif not partial:
                    raise Unavailable(f"Partition {one.partition_index} of topic {topic.name!r} has no leader")
        return leaders

    def _list_offsets_of(
        self, address: Address, partitions: Iterable[TopicPartition], timestamp: int
    ) -> dict[TopicPartition, int]:
        by_topic: dict[str, list[ListOffsetsPartition]] = defaultdict(list)
        for topic, partition in partitions:
            by_topic[topic].append(ListOffsetsPartition(partition_index=partition, timestamp=timestamp))
        request = ListOffsetsRequest(
            replica_id=-1,
            isolation_level=int(self.settings.read_committed),
            topics=[ListOffsetsTopic(name=name, partitions=parts) for name, parts in by_topic.items()],
            timeout_ms=self.settings.request_timeout_ms,
        )
        found: dict[TopicPartition, int] = {}
        for answer in self._connection(address).call(LIST_OFFSETS, request).topics:
            for one in answer.partitions:
                _refuse(one.error_code, f"the offsets of partition {one.partition_index} of topic {answer.name!r}")
                found[TopicPartition(answer.name, one.partition_index)] = one.offset
        return found

    def _committed_offsets(self, group: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        request = FindCoordinatorRequest(key=group)
        answer = self._control().call(FIND_COORDINATOR, request, _FIND_ONE_COORDINATOR)
        _refuse(answer.error_code, f"the coordinator of group {group!r}")
        by_topic: dict[str, list[int]] = defaultdict(list)
        for topic, partition in partitions:
            by_topic[topic].append(partition)
        topics = [OffsetFetchRequestTopic(name=name, partition_indexes=indexes) for name, indexes in by_topic.items()]
        connection = self._connection(Address(answer.host, answer.port))
        request_offsets = OffsetFetchRequest(group_id=group, topics=topics)
        response = connection.call(OFFSET_FETCH, request_offsets, _OFFSET_FETCH_ONE_GROUP)
        _refuse(response.error_code, f"the offsets of group {group!r}")
        found: dict[TopicPartition, int] = {}
        for one in response.topics:
            for part in one.partitions:
                _refuse(part.error_code, f"the offsets of group {group!r}")
                if part.committed_offset >= 0:
                    found[TopicPartition(one.name, part.partition_index)] = part.committed_offset
        return found


def _missing(response: MetadataResponse) -> list[str]:
    return [one.name or "" for one in response.topics if one.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]


def _refuse(code: int, what: str, retriable: bool = True, ignored: bool = False) -> None:
    """Raises what an error code means, if it is one."""
    if code == ErrorCode.NONE or ignored:
        return
    message = f"The broker refused {what}: {error_name(code)}"
    try:
        again = ErrorCode(code).retriable
    except ValueError:
        again = False
    if again and retriable:
        raise Unavailable(message)
    hint = "Check the permissions of this user." if "AUTHORIZATION" in error_name(code) else ""
    raise PeerError(message, hint=hint)
