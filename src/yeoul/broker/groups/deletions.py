"""What goes: offsets and groups that are deleted, offsets of deleted topics, and what has outlived its time.

Caller: the coordinator.
"""

from __future__ import annotations

from yeoul.broker.groups.classic.group import ClassicGroup, GroupState
from yeoul.broker.groups.consumer.group import ConsumerGroup
from yeoul.broker.groups.consumer.records import encode_consumer_record
from yeoul.broker.groups.messages import (
    CommitReply,
    CommittedOffset,
    DeleteGroupReply,
    DeleteGroupRequest,
    DeleteOffsetsRequest,
    Effect,
    KeyValue,
    Reply,
    TopicPartition,
)
from yeoul.broker.groups.offsets import OffsetStore, offset_record
from yeoul.broker.groups.pending import PendingDeletion, StoreRecords
from yeoul.broker.groups.records import GroupKey, encode_group_key
from yeoul.broker.groups.table import Group, GroupTable, is_unused
from yeoul.wire.errors import ErrorCode

__all__ = ["Deletions"]


class Deletions:
    """Args:
    retention_ms: How long offsets are kept that nobody needs.
    groups: All groups.
    offsets: All offsets.
    store: Asks for records to be stored.
    """

    def __init__(self, retention_ms: int, groups: GroupTable, offsets: OffsetStore, store: StoreRecords) -> None:
        self._retention_ms = retention_ms
        self._groups = groups
        self._offsets = offsets
        self._store = store

    def delete_offsets(self, request: DeleteOffsetsRequest, now_ms: int, effects: list[Effect]) -> None:
        """Deletes offsets of a group, but for those that its members live by."""
        group = self._groups.get(request.group_id)
        if group is None:
            errors = dict.fromkeys(request.partitions, ErrorCode.GROUP_ID_NOT_FOUND)
            effects.append(Reply(request.request_id, CommitReply(errors)))
            return
        held = self._offsets.of_group(request.group_id)
        if isinstance(group, ClassicGroup) and not (group.is_empty or group.is_of_consumers):
            # What its members' metadata means is theirs alone, so it keeps all of its offsets.
            refused = dict.fromkeys(request.partitions, ErrorCode.NON_EMPTY_GROUP)
        else:
            read = {topic for topic, _ in request.partitions if group.subscribes_to(topic)}
            refused = {p: ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC for p in request.partitions if p[0] in read}
        doomed = tuple(p for p in request.partitions if p in held and p not in refused)
        kept = {p: refused.get(p, ErrorCode.NONE) for p in request.partitions if p not in doomed}
        if not doomed:
            effects.append(Reply(request.request_id, CommitReply(kept)))
            return
        self._delete(PendingDeletion(request.request_id, request.group_id, doomed, kept), now_ms, effects)

    def delete_group(self, request: DeleteGroupRequest, now_ms: int, effects: list[Effect]) -> None:
        """Deletes a group that nobody is in, with its offsets."""
        group = self._groups.get(request.group_id)
        error = ErrorCode.NONE
        if not request.group_id:
            error = ErrorCode.INVALID_GROUP_ID
        elif group is None:
            error = ErrorCode.GROUP_ID_NOT_FOUND
        elif not is_unused(group):
            error = ErrorCode.NON_EMPTY_GROUP
        if error:
            effects.append(Reply(request.request_id, DeleteGroupReply(error)))
            return
        doomed = tuple(self._offsets.of_group(request.group_id))
        pending = PendingDeletion(request.request_id, request.group_id, doomed, whole_group=True)
        self._delete(pending, now_ms, effects)

    def forget_topic(self, topic: str, now_ms: int, effects: list[Effect]) -> None:
        """Drops all groups' offsets of a topic that was deleted."""
        for group_id in self._offsets.groups():
            doomed = tuple(partition for partition in self._offsets.of_group(group_id) if partition[0] == topic)
            if doomed:
                self._delete(PendingDeletion(None, group_id, doomed), now_ms, effects)

    def clean_up(self, now_ms: int, effects: list[Effect]) -> None:
        """Drops offsets that have outlived their time, and groups that have neither members nor offsets."""
        for group_id, group in self._groups.by_name():
            doomed = self._expired(group_id, group, now_ms)
            unstable = self._offsets.unstable_partitions(group_id)
            vanishes = is_unused(group) and not unstable and len(doomed) == len(self._offsets.of_group(group_id))
            if doomed or vanishes:
                self._delete(PendingDeletion(None, group_id, doomed, whole_group=vanishes), now_ms, effects)

    def _expired(self, group_id: str, group: Group, now_ms: int) -> tuple[TopicPartition, ...]:
        """As Kafka: the time of a classic group's offsets begins when it loses its last member, that of all others, and
        of those that nobody reads any more, when they were committed.
        """

        def committed_ms(committed: CommittedOffset) -> int:
            return committed.commit_timestamp_ms

        begins_ms = committed_ms
        if isinstance(group, ClassicGroup) and group.protocol_type:
            since_ms = group.empty_since_ms
            if group.is_empty and since_ms is not None:
                begins_ms = lambda committed: since_ms  # noqa: E731
            elif not group.is_empty and not (group.is_of_consumers and group.state is GroupState.STABLE):
                return ()
        oldest_ms = now_ms - self._retention_ms
        return self._offsets.expired(group_id, begins_ms, group.subscribes_to, oldest_ms)

    def _delete(self, pending: PendingDeletion, now_ms: int, effects: list[Effect]) -> None:
        records = [offset_record(pending.group_id, partition, None) for partition in pending.partitions]
        if pending.whole_group:
            records += self._tombstones(pending.group_id)
        self._store(pending, tuple(records), now_ms, effects)

    def _tombstones(self, group_id: str) -> list[KeyValue]:
        group = self._groups.get(group_id)
        if isinstance(group, ConsumerGroup):
            return [encode_consumer_record(record) for record in group.state.tombstones()]
        return [KeyValue(encode_group_key(GroupKey(group_id)), None)]

    def stored(self, pending: PendingDeletion, error: ErrorCode, effects: list[Effect]) -> None:
        """Takes the outcome of storing a deletion."""
        if not error:
            self._offsets.remove(pending.group_id, pending.partitions)
            if pending.whole_group:
                self._remove_if_unused(pending.group_id)
        if pending.request_id is None:
            return
        if pending.whole_group:
            effects.append(Reply(pending.request_id, DeleteGroupReply(error)))
        else:
            errors = {**dict.fromkeys(pending.partitions, error), **pending.refused}
            effects.append(Reply(pending.request_id, CommitReply(errors)))

    def _remove_if_unused(self, group_id: str) -> None:
        group = self._groups.get(group_id)
        if group is not None and is_unused(group):
            self._groups.remove(group_id)
