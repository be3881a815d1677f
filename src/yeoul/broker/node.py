"""What the handlers work on: the log, the groups, this broker's place in its cluster of one.

Owns nothing on disk itself; it holds what `server` put together at the start and the few decisions that several
handlers share (how a topic is made or deleted, what address clients are told). Callers: `handlers`, `server`.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Mapping
from typing import TypeVar

from yeoul.broker.call import Call
from yeoul.broker.config import BrokerConfig
from yeoul.broker.group_driver import GroupDriver
from yeoul.broker.internal_topics import OFFSETS_TOPIC, TRANSACTIONS_TOPIC
from yeoul.broker.metrics.traffic import Traffic
from yeoul.broker.quotas import Quotas
from yeoul.broker.security.guard import Guard
from yeoul.broker.security.operations import CLUSTER_NAME, OPERATIONS_OF, Operation, ResourceType
from yeoul.broker.settings.overrides import Settings
from yeoul.broker.transaction_driver import TransactionDriver
from yeoul.clock import Clock
from yeoul.log.directory import Log, Topic
from yeoul.log.errors import LogStopped
from yeoul.log.partition import PartitionLog
from yeoul.log.topics import MAX_PARTITIONS
from yeoul.wire.errors import ErrorCode, ProtocolError

__all__ = ["INTERNAL_TOPICS", "NODE_ID", "Node"]

NODE_ID = 1
INTERNAL_TOPICS = frozenset({OFFSETS_TOPIC, TRANSACTIONS_TOPIC})

_log = logging.getLogger("yeoul.broker")
_Found = TypeVar("_Found")


class Node:
    """One running broker, as its handlers see it.

    Attributes:
        config: Its settings as they are now: what it was started with, and what was set since.
        settings: Where each of them comes from, and how it is changed.
        log: Where records are kept.
        groups: The group coordinator.
        transactions: The transaction coordinator.
        guard: The users, and the rules by which they may do things.
        clock: The time.
        loop: Where all of this runs.
        quotas: What users and client ids may send, take and ask for.
        traffic: What is counted for metrics; None where none are served.
        unacknowledged: Produce requests whose bytes are not durable yet.
        host: The address that clients of the first listener are told.
        port: The port that they are told; known once the server listens.
    """

    config: BrokerConfig

    def __init__(
        self,
        config: BrokerConfig,
        log: Log,
        groups: GroupDriver,
        transactions: TransactionDriver,
        guard: Guard,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.log = log
        self.settings = Settings(config, log, self._put_in_effect)
        self.quotas = Quotas(log)
        self.groups = groups
        self.transactions = transactions
        self.guard = guard
        self.clock = clock
        self.loop = loop
        self.unacknowledged = 0
        self.traffic = Traffic() if config.metrics_port >= 0 else None
        self.host = config.host
        self.port = config.port

    def _put_in_effect(self, config: BrokerConfig, topic_defaults: Mapping[str, str]) -> None:
        self.config = config
        self.log.set_topic_defaults(topic_defaults)

    @property
    def cluster_id(self) -> str:
        return self.log.cluster_id

    def allows(self, call: Call, operation: Operation, resource: ResourceType, name: str = CLUSTER_NAME) -> bool:
        """Whether whoever made a call may do this; everybody may while no authorizer is configured."""
        authorizer = self.guard.authorizer
        return authorizer is None or authorizer.allows(call.origin.session, operation, resource, name)

    def allows_some(self, call: Call, operation: Operation, resource: ResourceType) -> bool:
        """Whether there may be a resource of this type that whoever made a call may do this to."""
        authorizer = self.guard.authorizer
        return authorizer is None or authorizer.allows_some(call.origin.session, operation, resource)

    def authorized_operations(self, call: Call, resource: ResourceType, name: str = CLUSTER_NAME) -> int:
        """Returns what whoever made a call may do to a resource, as the bits that KIP-430 gives the operations."""
        return sum(
            1 << operation for operation in OPERATIONS_OF[resource] if self.allows(call, operation, resource, name)
        )

    def acl_refusal(self, call: Call, operation: Operation) -> tuple[ErrorCode, str] | None:
        """Returns why whoever made a call may not look at, or change, access control lists; None if they may."""
        if self.guard.authorizer is None:
            return ErrorCode.SECURITY_DISABLED, "No authorizer is configured."
        if not self.allows(call, operation, ResourceType.CLUSTER):
            return ErrorCode.CLUSTER_AUTHORIZATION_FAILED, "Cluster authorization failed."
        return None

    def charge(self, call: Call, kind: str, amount: float) -> None:
        """Notes what a call took of its client's quota; the answer tells how long the client has to wait."""
        user = call.origin.session.principal.removeprefix("User:")
        throttle_ms = self.quotas.charge(user, call.client_id or "", kind, amount, self.loop.time())
        call.throttle_ms = max(call.throttle_ms, throttle_ms)

    def find_topic(self, name: str, topic_id: bytes) -> Topic | None:
        """Returns a topic by its name, or by its id where the name is empty."""
        if name:
            return self.log.topics.get(name)
        return self.log.topic_by_id(uuid.UUID(bytes=topic_id))

    def find_partition(self, name: str, topic_id: bytes, number: int) -> PartitionLog | None:
        topic = self.find_topic(name, topic_id)
        return None if topic is None else self.log.partition(topic.name, number)

    def create_topic(self, name: str, partition_count: int, entries: Mapping[str, str] | None = None) -> Topic:
        """Makes a topic within the broker's limit on partitions.

        Raises:
            ProtocolError: There would be more partitions than there may be.
            InvalidTopic, TopicExists, UserError: As `Log.create_topic`.
            LogFull: There is too little space to begin something new.
        """
        self.log.space.claim(0)
        self.check_partition_room(partition_count)
        topic = self.log.create_topic(name, partition_count, entries)
        self.groups.topics_changed()
        _log.info("Created topic %s with %d partitions", name, partition_count)
        return topic

    def check_partition_room(self, partition_count: int) -> None:
        """Raises ProtocolError (`INVALID_PARTITIONS`) when that many more partitions are beyond a limit."""
        limit = self.config.limits.partitions
        held = sum(len(topic.partitions) for topic in self.log.topics.values())
        if not 1 <= partition_count <= MAX_PARTITIONS or held + partition_count > limit:
            message = f"Expected at most {MAX_PARTITIONS} partitions a topic and {limit} in all, {held} exist"
            raise ProtocolError(ErrorCode.INVALID_PARTITIONS, f"{message}, got {partition_count}")

    def delete_topic(self, topic: Topic) -> None:
        """Deletes a topic; whoever waits for an acknowledgement from it is told that it failed."""
        for partition in topic.partitions:
            partition.stop(LogStopped(f"Topic {topic.name!r} was deleted"))
        self.log.delete_topic(topic.name)
        self.groups.forget_topic(topic.name)
        _log.info("Deleted topic %s", topic.name)

    def in_thread(self, work: Callable[[], _Found], done: Callable[[_Found | BaseException], None]) -> None:
        """Runs what may wait for the disk in a thread; `done` gets its result, or what it raised, on the loop."""

        def finished(future: asyncio.Future[_Found]) -> None:
            if not future.cancelled():
                error = future.exception()
                done(future.result() if error is None else error)

        self.loop.run_in_executor(None, work).add_done_callback(finished)
