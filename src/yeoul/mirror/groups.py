"""Committed offsets of the source's groups, translated and committed for the groups of the same names at the target.

Invariants: an offset at the target only ever moves forward; a group that has members at the target is not touched, it
has moved over; no offset names a record that is not there. A group that is ahead of what has been copied is given the
end of what has been copied, and the rest later. Callers: `session`, between transactions, with maps that are committed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from yeoul.connectors.kafka.cluster import TopicPartition
from yeoul.connectors.spec import ConnectorContext
from yeoul.mirror.client import Client, refusal
from yeoul.mirror.offset_map import OffsetMap
from yeoul.mirror.settings import Selection
from yeoul.wire.errors import RETRIABLE, ErrorCode, error_name
from yeoul.wire.messages.list_groups import LIST_GROUPS, ListGroupsRequest
from yeoul.wire.messages.offset_commit import (
    OFFSET_COMMIT,
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from yeoul.wire.messages.offset_fetch import OFFSET_FETCH, OffsetFetchRequest

__all__ = ["Committed", "GroupKeeper", "forward_offsets"]

_ONE_GROUP = 7
_COMMIT_BY_NAME = 9
_WITHOUT_MEMBERS = ("", "empty", "dead")
_ACTIVE = (
    ErrorCode.UNKNOWN_MEMBER_ID,
    ErrorCode.ILLEGAL_GENERATION,
    ErrorCode.REBALANCE_IN_PROGRESS,
    ErrorCode.STALE_MEMBER_EPOCH,
    ErrorCode.FENCED_MEMBER_EPOCH,
)


class Committed(NamedTuple):
    """A group's offset in one partition, and what the consumer wrote beside it."""

    offset: int
    metadata: str | None


def forward_offsets(
    source: Mapping[TopicPartition, Committed],
    target: Mapping[TopicPartition, Committed],
    maps: Mapping[TopicPartition, OffsetMap],
    rename: str,
) -> dict[TopicPartition, Committed]:
    """Returns the offsets to commit at the target: translated, and only those that are further than what is there.

    Example:
        >>> maps = {TopicPartition("a", 0): OffsetMap(100, 0)}
        >>> held = {TopicPartition("a", 0): Committed(100, None), TopicPartition("b", 0): Committed(5, None)}
        >>> forward_offsets(held, {}, maps, "copy.")
        {TopicPartition(topic='copy.a', partition=0): Committed(offset=0, metadata=None)}
    """
    wanted: dict[TopicPartition, Committed] = {}
    for partition, committed in source.items():
        if partition not in maps:
            continue
        named = TopicPartition(rename + partition.topic, partition.partition)
        offset = maps[partition].translate(committed.offset)
        if named not in target or target[named].offset < offset:
            wanted[named] = Committed(offset, committed.metadata)
    return wanted


class GroupKeeper:
    """Keeps groups at the target where they are at the source.

    Args:
        source: Where groups are read.
        target: Where offsets are committed.
        groups: Which ones.
        rename: What topics' names begin with at the target.
        context: For what has to be said.
        told: What was said already; outlives a session.
    """

    def __init__(
        self,
        source: Client,
        target: Client,
        groups: Selection,
        rename: str,
        context: ConnectorContext,
        told: set[str],
    ) -> None:
        self._source = source
        self._target = target
        self._groups = groups
        self._rename = rename
        self._context = context
        self._told = told
        self._seen: dict[str, dict[TopicPartition, Committed]] = {}

    def translate(self, maps: Mapping[TopicPartition, OffsetMap]) -> int:
        """Translates all groups' offsets; returns how many offsets were committed.

        Raises:
            PeerError: A cluster cannot be reached or refuses.
        """
        names = sorted(name for name in self._states(self._source) if name in self._groups)
        if not names:
            return 0
        states = self._states(self._target)
        return sum(self._translate_group(name, maps) for name in names if self._is_free(name, states))

    def _is_free(self, group: str, states: Mapping[str, str]) -> bool:
        if states.get(group, "").lower() in _WITHOUT_MEMBERS:
            return True
        self._tell(f"group {group!r} has members at the target: its offsets are left alone")
        return False

    def _translate_group(self, group: str, maps: Mapping[TopicPartition, OffsetMap]) -> int:
        held = self._offsets(self._source, group)
        if not any(partition in maps for partition in held):
            return 0
        wanted = forward_offsets(held, self._offsets(self._target, group), maps, self._rename)
        return self._commit(group, wanted) if wanted else 0

    def _states(self, client: Client) -> dict[str, str]:
        """Returns every group and its state; empty where a broker does not tell."""
        found: dict[str, str] = {}
        for connection in client.everyone():
            answer = connection.call(LIST_GROUPS, ListGroupsRequest())
            if answer.error_code:
                raise refusal(answer.error_code, "a list of groups")
            found |= {one.group_id: one.group_state for one in answer.groups}
        return found

    def _offsets(self, client: Client, group: str) -> dict[TopicPartition, Committed]:
        request = OffsetFetchRequest(group_id=group, topics=None)
        answer = client.patiently(lambda: client.group_coordinator(group)).call(OFFSET_FETCH, request, _ONE_GROUP)
        if answer.error_code:
            raise refusal(answer.error_code, f"the offsets of group {group!r}")
        return {
            TopicPartition(topic.name, one.partition_index): Committed(one.committed_offset, one.metadata)
            for topic in answer.topics
            for one in topic.partitions
            if one.committed_offset >= 0 and not one.error_code
        }

    def _commit(self, group: str, offsets: Mapping[TopicPartition, Committed]) -> int:
        by_topic: dict[str, list[OffsetCommitRequestPartition]] = defaultdict(list)
        for (topic, partition), committed in offsets.items():
            by_topic[topic].append(
                OffsetCommitRequestPartition(
                    partition_index=partition,
                    committed_offset=committed.offset,
                    committed_metadata=committed.metadata,
                )
            )
        request = OffsetCommitRequest(
            group_id=group,
            generation_id_or_member_epoch=-1,
            member_id="",
            topics=[OffsetCommitRequestTopic(name=name, partitions=some) for name, some in by_topic.items()],
        )
        coordinator = self._target.patiently(lambda: self._target.group_coordinator(group))
        answer = coordinator.call(OFFSET_COMMIT, request, _COMMIT_BY_NAME)
        codes = {one.error_code for topic in answer.topics for one in topic.partitions}
        if codes & set(_ACTIVE):
            self._tell(f"group {group!r} has members at the target: its offsets are left alone")
            return 0
        for code in codes - {ErrorCode.NONE}:
            if code not in RETRIABLE:
                self._tell(f"the target does not take the offsets of group {group!r}: {error_name(code)}")
        return sum(not one.error_code for topic in answer.topics for one in topic.partitions)

    def _tell(self, message: str) -> None:
        if message not in self._told:
            self._told.add(message)
            self._context.warn(message)
