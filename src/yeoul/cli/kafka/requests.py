"""Requests of Kafka's protocol that librdkafka does not offer, over connections of our own.

Owns a connection to each broker that was asked. Invariants: what a broker refuses is an error in the house's form; an
answer is read in the newest version that both sides speak. Callers: the commands about settings, directories,
transactions, and completion.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self, TypeVar

from yeoul.connectors.kafka.connection import Connection, ConnectionLost
from yeoul.connectors.kafka.settings import Address, client_settings
from yeoul.errors import PeerError, YeoulError
from yeoul.wire.errors import ErrorCode, error_name
from yeoul.wire.messages.find_coordinator import FIND_COORDINATOR, FindCoordinatorRequest
from yeoul.wire.messages.metadata import METADATA, MetadataRequest, MetadataRequestTopic, MetadataResponse
from yeoul.wire.schema import Api, Message

__all__ = ["GROUP", "TRANSACTION", "Requests", "refusal"]

GROUP, TRANSACTION = 0, 1
_FIND_ONE = 3
_METADATA_BY_NAME = 11

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)

_HINTS = {
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION: "`yeoul topics list` shows what there is.",
    ErrorCode.GROUP_ID_NOT_FOUND: "`yeoul groups list` shows what there is.",
    ErrorCode.NON_EMPTY_GROUP: "Stop the group's members first.",
    ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC: "Stop the group's members first.",
    ErrorCode.TRANSACTIONAL_ID_NOT_FOUND: "`yeoul transactions list` shows what there is.",
}


def refusal(code: int, doing: str, message: str | None = None) -> YeoulError:
    """Returns what a broker's error code means, in the house's form.

    Example:
        >>> refusal(69, "Deleting group 'g'").message
        "Deleting group 'g' failed: GROUP_ID_NOT_FOUND"
    """
    known = ErrorCode(code) if code in ErrorCode._value2member_map_ else ErrorCode.UNKNOWN_SERVER_ERROR
    name = error_name(code)
    hint = "This user has no permission for it." if "AUTHORIZATION" in name else _HINTS.get(known, "")
    return PeerError(f"{doing} failed: {message.rstrip('.') if message else name}", hint=hint)


class Requests:
    """Connections to a cluster's brokers, made when they are needed; close them, or use it as a context.

    Args:
        bootstrap: `HOST:PORT[,HOST:PORT...]`.
        properties: Client properties, in librdkafka's terms.
        timeout_s: How long one connection or one answer may take.

    Raises:
        PeerError: No broker answers.
        UserError: A property is wrong.
    """

    def __init__(self, bootstrap: str, properties: Mapping[str, str], timeout_s: float = 15.0) -> None:
        named = {f"properties.{name}": value for name, value in properties.items()}
        named |= {"properties.bootstrap.servers": bootstrap, "properties.client.id": "yeoul-cli"}
        named["properties.request.timeout.ms"] = str(int(timeout_s * 1_000))
        self._settings = client_settings(named)
        self._timeout_s = timeout_s
        self._connections: dict[Address, Connection] = {}
        self._brokers: dict[int, Address] = {}
        self._first = self._reach()

    def _reach(self) -> Connection:
        failure: ConnectionLost | None = None
        for address in self._settings.bootstrap:
            try:
                return self._to(address)
            except ConnectionLost as error:
                failure = failure or error
        shown = ", ".join(str(address) for address in self._settings.bootstrap)
        reason = failure.message.removeprefix(f"Cannot connect to {shown}: ") if failure else "none is named"
        raise PeerError(
            f"No Kafka broker answers at {shown!r}: {reason}",
            hint="Is it running? `yeoul up` starts one; --bootstrap-server says where to look.",
        )

    def _to(self, address: Address) -> Connection:
        held = self._connections.get(address)
        if held is None or not held.is_open:
            held = self._connections[address] = Connection(address, self._settings, self._timeout_s)
        return held

    def ask(self, api: Api[Request, Response], message: Request, highest: int | None = None) -> Response:
        """Asks any broker."""
        return self._first.call(api, message, highest)

    def ask_broker(
        self, broker: int, api: Api[Request, Response], message: Request, highest: int | None = None
    ) -> Response:
        """Asks the broker of a number.

        Raises:
            PeerError: There is none.
        """
        address = self.brokers().get(broker)
        if address is None:
            raise PeerError(f"There is no broker {broker}", hint=f"There are: {', '.join(map(str, self.brokers()))}.")
        return self._to(address).call(api, message, highest)

    def ask_coordinator(
        self, kind: int, key: str, api: Api[Request, Response], message: Request, highest: int | None = None
    ) -> Response:
        """Asks the coordinator of a group or a transactional id."""
        found = self.ask(FIND_COORDINATOR, FindCoordinatorRequest(key=key, key_type=kind), _FIND_ONE)
        if found.error_code:
            raise refusal(found.error_code, f"Finding the coordinator of {key!r}", found.error_message)
        return self._to(Address(found.host, found.port)).call(api, message, highest)

    def brokers(self) -> dict[int, Address]:
        """Returns where each broker listens, by number."""
        if not self._brokers:
            self.metadata([])
        return self._brokers

    def metadata(self, topics: list[str] | None) -> MetadataResponse:
        """Returns what is known of some topics, none of which is made by it; None for all."""
        asked = None if topics is None else [MetadataRequestTopic(name=name) for name in topics]
        request = MetadataRequest(topics=asked, allow_auto_topic_creation=False)
        response = self.ask(METADATA, request, _METADATA_BY_NAME)
        self._brokers = {one.node_id: Address(one.host, one.port) for one in response.brokers}
        return response

    def leaders(self, topics: list[str] | None) -> dict[tuple[str, int], int]:
        """Returns the leading broker of each partition.

        Raises:
            PeerError: A topic is not there.
        """
        found = {}
        for topic in self.metadata(topics).topics:
            if topic.error_code:
                raise refusal(topic.error_code, f"Looking at topic {topic.name!r}")
            for one in topic.partitions:
                found[topic.name or "", one.partition_index] = one.leader_id
        return found

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
