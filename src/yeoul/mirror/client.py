"""Asking one cluster: any broker, the controller, a coordinator, a partition's leader.

Owns connections, and the trying again for as long as a cluster that is there may need to get ready (`api_timeout_ms`).
Invariants: every failure that another session may not meet again is a `ConnectionLost` or an `Unavailable`; anything
else is final. Used by one thread. Callers: `session`, `topics`, `groups`, `state`, `writer`.
Source: https://kafka.apache.org/protocol.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from yeoul.connectors.kafka.cluster import TopicPartition, Unavailable
from yeoul.connectors.kafka.connection import Connection, ConnectionLost
from yeoul.connectors.kafka.settings import Address, ClientSettings
from yeoul.connectors.spec import ConnectorContext
from yeoul.errors import PeerError
from yeoul.mirror.planning import TopicView
from yeoul.wire.errors import RETRIABLE, error_name
from yeoul.wire.messages.find_coordinator import FIND_COORDINATOR, FindCoordinatorRequest
from yeoul.wire.messages.list_offsets import LIST_OFFSETS, ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from yeoul.wire.messages.metadata import METADATA, MetadataRequest, MetadataRequestTopic
from yeoul.wire.schema import Api, Message

__all__ = ["EARLIEST", "LATEST", "Client", "ClusterView", "refusal"]

EARLIEST, LATEST = -2, -1
_GROUP, _TRANSACTION = 0, 1
_METADATA_BY_NAME = 12
_FIND_ONE_COORDINATOR = 3
_FIRST_BACKOFF_S = 0.02
_LONGEST_BACKOFF_S = 0.5

T = TypeVar("T")
Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


@dataclass(frozen=True, slots=True)
class ClusterView:
    """What a cluster is now."""

    cluster_id: str
    brokers: Mapping[int, Address]
    controller: Address | None
    topics: Mapping[str, TopicView] = field(default_factory=dict)

    def leaders(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, Address]:
        """Returns who leads some partitions.

        Raises:
            Unavailable: One is not there, or has no leader.
        """
        found: dict[TopicPartition, Address] = {}
        for one in partitions:
            topic = self.topics.get(one.topic)
            leader = None if topic is None else topic.leaders.get(one.partition)
            if leader is None:
                raise Unavailable(f"Partition {one.split} has no leader")
            found[one] = leader
        return found


def refusal(code: int, what: str, message: str | None = None) -> PeerError:
    """Returns what an error code means: `Unavailable` if it may pass."""
    text = f"The broker refused {what}: {message or error_name(code)}"
    if code in RETRIABLE:
        return Unavailable(text)
    hint = "Check the permissions of this user." if "AUTHORIZATION" in error_name(code) else ""
    return PeerError(text, hint=hint)


class Client:
    """One cluster; connects when it is asked something.

    Args:
        settings: Addresses, time-outs, security.
        context: Clock and the sign to stop.
        role: `source` or `target`, for messages.
    """

    def __init__(self, settings: ClientSettings, context: ConnectorContext, role: str) -> None:
        self.settings = settings
        self._context = context
        self._role = role
        self._connections: dict[Address, Connection] = {}
        self._view = ClusterView("", {}, None)

    def close(self) -> None:
        """Closes every connection; idempotent, callable from any thread."""
        for connection in list(self._connections.values()):
            connection.close()

    def connection(self, address: Address) -> Connection:
        """Returns the connection to a broker.

        Raises:
            ConnectionLost: It cannot be made now.
        """
        held = self._connections.get(address)
        if held is None or not held.is_open:
            held = Connection(address, self.settings, self.settings.api_timeout_ms / 1_000)
            self._connections[address] = held
        return held

    def patiently(self, ask: Callable[[], T], timeout_ms: int | None = None) -> T:
        """Asks until there is an answer or the time is up; passes on the last failure then."""
        clock = self._context.clock
        deadline_s = clock.monotonic_s() + (timeout_ms or self.settings.api_timeout_ms) / 1_000
        backoff_s = _FIRST_BACKOFF_S
        while True:
            try:
                return ask()
            except (Unavailable, ConnectionLost):
                left_s = deadline_s - clock.monotonic_s()
                if left_s <= 0 or self._context.stopping.wait(min(backoff_s, left_s)):
                    raise
                backoff_s = min(2 * backoff_s, _LONGEST_BACKOFF_S)

    def view(self, topics: Sequence[str] | None = ()) -> ClusterView:
        """Returns the brokers and some topics (None: all of them); topics that do not exist are left out.

        Raises:
            ConnectionLost: No broker can be reached.
        """
        asked = None if topics is None else [MetadataRequestTopic(name=name) for name in topics]
        request = MetadataRequest(topics=asked, allow_auto_topic_creation=False)
        response = self.anyone().call(METADATA, request, _METADATA_BY_NAME)
        brokers = {one.node_id: Address(one.host, one.port) for one in response.brokers}
        self._view = ClusterView(
            response.cluster_id or "",
            brokers,
            brokers.get(response.controller_id),
            {
                one.name: TopicView(
                    one.name,
                    one.topic_id,
                    {part.partition_index: brokers.get(part.leader_id) for part in one.partitions},
                    one.is_internal,
                )
                for one in response.topics
                if one.name and not one.error_code
            },
        )
        return self._view

    def anyone(self) -> Connection:
        """Returns a connection to any broker.

        Raises:
            ConnectionLost: None can be reached.
        """
        for connection in self._connections.values():
            if connection.is_open:
                return connection
        failure: ConnectionLost | None = None
        for address in dict.fromkeys((*self.settings.bootstrap, *self._view.brokers.values())):
            try:
                return self.connection(address)
            except ConnectionLost as error:
                failure = failure or error
        assert failure is not None
        raise ConnectionLost(f"The {self._role} cannot be reached: {failure.message}", hint=failure.hint) from failure

    def ask_controller(self, api: Api[Request, Response], message: Request) -> Response:
        """Asks the controller; brokers of newer clusters pass on what it has to answer."""
        controller = self._view.controller
        held = self.anyone() if controller is None else self.connection(controller)
        return held.call(api, message)

    def everyone(self) -> list[Connection]:
        """Returns a connection to each broker."""
        return [self.connection(address) for address in self._view.brokers.values()]

    def group_coordinator(self, group: str) -> Connection:
        """Returns a connection to the coordinator of a group."""
        return self._coordinator(group, _GROUP)

    def transaction_coordinator(self, transactional_id: str) -> Connection:
        """Returns a connection to the coordinator of a transactional id."""
        return self._coordinator(transactional_id, _TRANSACTION)

    def _coordinator(self, key: str, kind: int) -> Connection:
        request = FindCoordinatorRequest(key=key, key_type=kind)
        answer = self.anyone().call(FIND_COORDINATOR, request, _FIND_ONE_COORDINATOR)
        if answer.error_code:
            raise refusal(answer.error_code, f"the coordinator of {key!r}", answer.error_message)
        return self.connection(Address(answer.host, answer.port))

    def list_offsets(
        self, leaders: Mapping[TopicPartition, Address], timestamp: int, read_committed: bool = True
    ) -> dict[TopicPartition, int]:
        """Returns an offset for each partition, `EARLIEST` or `LATEST`."""
        found: dict[TopicPartition, int] = {}
        for address in sorted(set(leaders.values())):
            by_topic: dict[str, list[ListOffsetsPartition]] = {}
            for (topic, partition), leader in leaders.items():
                if leader == address:
                    wanted = ListOffsetsPartition(partition_index=partition, timestamp=timestamp)
                    by_topic.setdefault(topic, []).append(wanted)
            request = ListOffsetsRequest(
                replica_id=-1,
                isolation_level=int(read_committed),
                topics=[ListOffsetsTopic(name=name, partitions=parts) for name, parts in by_topic.items()],
                timeout_ms=self.settings.request_timeout_ms,
            )
            for answer in self.connection(address).call(LIST_OFFSETS, request).topics:
                for one in answer.partitions:
                    if one.error_code:
                        what = f"the offsets of partition {one.partition_index} of topic {answer.name!r}"
                        raise refusal(one.error_code, what)
                    found[TopicPartition(answer.name, one.partition_index)] = one.offset
        return found
