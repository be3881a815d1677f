"""The group coordinator: all classic consumer groups of one broker, as a pure event-sourced state machine.

The seam with the broker:

    coordinator = Coordinator(GroupConfig())
    # at start, every record of `__consumer_offsets`, in the order of its offsets, per partition:
    coordinator.replay(key, value)
    coordinator.finish_replay(now_ms)
    # then, for each request (`messages`):
    effects = coordinator.handle(request, now_ms)
    # and whenever the clock passes `coordinator.next_deadline_ms()`:
    effects = coordinator.tick(now_ms)

Each effect is either a `Reply` (answer the request with that `request_id`; if its connection is gone, drop it) or a
`Store` (append its records to the group's partition of `__consumer_offsets`, then, once the high watermark has passed
them, call `coordinator.stored(token, ErrorCode.NONE, now_ms)`; when the append failed, the same with its error code).
`stored` returns effects as well. Effects are to be carried out in order, and stores reported in the order they were
asked for. `now_ms` is any clock that never runs backwards, wall time included: offsets are stamped with it.

Offsets that a transaction commits (`CommitRequest.producer_id`) are held back until `end_transaction` says how it
ended.

Queries change nothing: `fetch_offsets`, `list_groups`, `describe_group`.

Invariants: a member has at most one join or one sync waiting; a committed offset is visible only once its record is
stored; whatever replay does not bring back (who was joining) is brought back by the clients' own retries. A group that
was stable before a restart is stable after it: its members keep generation, assignment and a full session time-out.

`__consumer_offsets` grows with each commit; `snapshot_records` returns what a fresh log would have to hold, so that
the broker can write that and trim what lies before it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from yeoul.broker.groups.group import Group, GroupConfig, GroupState, Outbox
from yeoul.broker.groups.messages import (
    CommitReply,
    CommitRequest,
    CommittedOffset,
    DeleteGroupReply,
    DeleteGroupRequest,
    DeleteOffsetsRequest,
    Effect,
    GroupDescription,
    GroupListing,
    HeartbeatReply,
    HeartbeatRequest,
    JoinReply,
    JoinRequest,
    KeyValue,
    LeaveReply,
    LeaveRequest,
    LeftMember,
    Reply,
    Request,
    Store,
    SyncReply,
    SyncRequest,
    TopicPartition,
)
from yeoul.broker.groups.records import (
    GroupKey,
    OffsetKey,
    decode_group_value,
    decode_key,
    decode_offset_value,
    encode_group_key,
    encode_group_value,
    encode_offset_key,
    encode_offset_value,
)
from yeoul.wire.errors import ErrorCode

__all__ = ["Coordinator", "GroupConfig"]


@dataclass(frozen=True, slots=True)
class _PendingAssignment:
    group_id: str
    generation_id: int


@dataclass(frozen=True, slots=True)
class _PendingCommit:
    request_id: int
    group_id: str
    offsets: Mapping[TopicPartition, CommittedOffset]
    refused: Mapping[TopicPartition, ErrorCode]
    producer_id: int = -1
    replaced: Mapping[TopicPartition, CommittedOffset] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _PendingDeletion:
    """Offsets, or a whole group, on their way out; `request_id` is None when nobody asked (a deleted topic)."""

    request_id: int | None
    group_id: str
    partitions: tuple[TopicPartition, ...]
    refused: Mapping[TopicPartition, ErrorCode] = field(default_factory=dict)
    whole_group: bool = False


@dataclass(slots=True)
class _HeldBack:
    """The offsets of a producer's open transaction, by group."""

    producer_epoch: int
    groups: dict[str, dict[TopicPartition, CommittedOffset]] = field(default_factory=dict)


_Pending = _PendingAssignment | _PendingCommit | _PendingDeletion


class Coordinator:
    """All groups; see the module for how to drive it."""

    def __init__(self, config: GroupConfig | None = None) -> None:
        self._config = config or GroupConfig()
        self._groups: dict[str, Group] = {}
        self._offsets: dict[str, dict[TopicPartition, CommittedOffset]] = {}
        self._held_back: dict[int, _HeldBack] = {}
        self._pending: dict[int, _Pending] = {}
        self._next_token = 1
        self._deadlines: list[tuple[int, str]] = []

    # -- requests -----------------------------------------------------------------------------------------------

    def handle(self, request: Request, now_ms: int) -> list[Effect]:
        """Takes one request; returns what to do now. Its own reply may be among the effects of a later call."""
        effects: list[Effect] = []
        if isinstance(request, HeartbeatRequest):
            self._heartbeat(request, now_ms, effects)
        elif isinstance(request, CommitRequest):
            self._commit_offsets(request, now_ms, effects)
        elif isinstance(request, JoinRequest):
            self._join(request, now_ms, effects)
        elif isinstance(request, SyncRequest):
            self._sync(request, now_ms, effects)
        elif isinstance(request, LeaveRequest):
            self._leave(request, now_ms, effects)
        elif isinstance(request, DeleteGroupRequest):
            self._delete_group(request, effects)
        else:
            self._delete_offsets(request, effects)
        return effects

    def _join(self, request: JoinRequest, now_ms: int, effects: list[Effect]) -> None:
        error = self._join_error(request)
        if error:
            effects.append(Reply(request.request_id, JoinReply(error, request.member_id)))
            return
        group = self._groups.get(request.group_id)
        if group is None:
            group = self._groups[request.group_id] = Group(request.group_id, self._config)
        outbox = Outbox()
        group.join(request, now_ms, outbox)
        self._settle(group, outbox, now_ms, effects)

    def _join_error(self, request: JoinRequest) -> ErrorCode:
        if not request.group_id:
            return ErrorCode.INVALID_GROUP_ID
        low, high = self._config.min_session_timeout_ms, self._config.max_session_timeout_ms
        if not low <= request.session_timeout_ms <= high:
            return ErrorCode.INVALID_SESSION_TIMEOUT
        if not request.protocols or not request.protocol_type:
            return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
        if request.member_id and request.group_id not in self._groups:
            return ErrorCode.UNKNOWN_MEMBER_ID
        return ErrorCode.NONE

    def _sync(self, request: SyncRequest, now_ms: int, effects: list[Effect]) -> None:
        group = self._groups.get(request.group_id)
        if group is None:
            effects.append(Reply(request.request_id, SyncReply(self._unknown_member(request.group_id))))
            return
        outbox = Outbox()
        group.sync(request, now_ms, outbox)
        self._settle(group, outbox, now_ms, effects)

    def _heartbeat(self, request: HeartbeatRequest, now_ms: int, effects: list[Effect]) -> None:
        group = self._groups.get(request.group_id)
        error = self._unknown_member(request.group_id) if group is None else group.heartbeat(request, now_ms)
        effects.append(Reply(request.request_id, HeartbeatReply(error)))

    def _leave(self, request: LeaveRequest, now_ms: int, effects: list[Effect]) -> None:
        group = self._groups.get(request.group_id)
        if group is None:
            error = self._unknown_member(request.group_id)
            left = tuple(LeftMember(m.member_id, m.group_instance_id, error) for m in request.members)
            whole = error if error is ErrorCode.INVALID_GROUP_ID else ErrorCode.NONE
            effects.append(Reply(request.request_id, LeaveReply(whole, left)))
            return
        outbox = Outbox()
        group.leave(request, now_ms, outbox)
        self._settle(group, outbox, now_ms, effects)

    @staticmethod
    def _unknown_member(group_id: str) -> ErrorCode:
        return ErrorCode.UNKNOWN_MEMBER_ID if group_id else ErrorCode.INVALID_GROUP_ID

    # -- offsets ------------------------------------------------------------------------------------------------

    def _commit_offsets(self, request: CommitRequest, now_ms: int, effects: list[Effect]) -> None:
        error = self._commit_error(request, now_ms)
        if error:
            reply = CommitReply(dict.fromkeys(request.offsets, error))
            effects.append(Reply(request.request_id, reply))
            return
        limit = self._config.max_offset_metadata_bytes
        refused = {
            partition: ErrorCode.OFFSET_METADATA_TOO_LARGE
            for partition, committed in request.offsets.items()
            if len(committed.metadata.encode()) > limit
        }
        offsets = {partition: taken for partition, taken in request.offsets.items() if partition not in refused}
        if not offsets:
            effects.append(Reply(request.request_id, CommitReply(refused)))
            return
        records = tuple(_offset_record(request.group_id, partition, taken) for partition, taken in offsets.items())
        replaced: Mapping[TopicPartition, CommittedOffset] = {}
        if request.producer_id >= 0:
            replaced = self._hold_back(request.producer_id, request.producer_epoch, request.group_id, offsets)
        pending = _PendingCommit(request.request_id, request.group_id, offsets, refused, request.producer_id, replaced)
        self._store(pending, records, effects, request.producer_id, request.producer_epoch)

    def _hold_back(
        self, producer_id: int, producer_epoch: int, group_id: str, offsets: Mapping[TopicPartition, CommittedOffset]
    ) -> Mapping[TopicPartition, CommittedOffset]:
        """Takes a transaction's offsets, unstable from now on; returns those of the same transaction they replace."""
        transaction = self._held_back.setdefault(producer_id, _HeldBack(producer_epoch))
        held = transaction.groups.setdefault(group_id, {})
        replaced = {partition: held[partition] for partition in offsets if partition in held}
        held.update(offsets)
        return replaced

    def end_transaction(self, producer_id: int, *, commit: bool) -> None:
        """The marker of a producer's transaction is durable: the offsets it held back are visible, or gone."""
        transaction = self._held_back.pop(producer_id, None)
        if transaction is not None and commit:
            for group_id, offsets in transaction.groups.items():
                if offsets:
                    self._make_visible(group_id, offsets)

    def _make_visible(self, group_id: str, offsets: Mapping[TopicPartition, CommittedOffset]) -> None:
        self._offsets.setdefault(group_id, {}).update(offsets)
        if group_id not in self._groups:
            self._groups[group_id] = Group(group_id, self._config)

    def unstable_partitions(self, group_id: str) -> set[TopicPartition]:
        """Returns the partitions of a group whose committed offset hangs on an open transaction."""
        return {
            partition for transaction in self._held_back.values() for partition in transaction.groups.get(group_id, ())
        }

    def _commit_error(self, request: CommitRequest, now_ms: int) -> ErrorCode:
        if not request.group_id:
            return ErrorCode.INVALID_GROUP_ID
        group = self._groups.get(request.group_id)
        if group is None:
            return ErrorCode.NONE if request.generation_id < 0 else ErrorCode.ILLEGAL_GENERATION
        return group.commit_error(request, now_ms)

    def fetch_offsets(
        self, group_id: str, partitions: Iterable[TopicPartition] | None = None
    ) -> dict[TopicPartition, CommittedOffset]:
        """Returns the stored offsets of a group: of the partitions asked for, or of all; what it has none for is left
        out (the protocol answers with offset -1).
        """
        held = self._offsets.get(group_id, {})
        if partitions is None:
            return dict(held)
        return {partition: held[partition] for partition in partitions if partition in held}

    def _delete_offsets(self, request: DeleteOffsetsRequest, effects: list[Effect]) -> None:
        group = self._groups.get(request.group_id)
        if group is None:
            errors = dict.fromkeys(request.partitions, ErrorCode.GROUP_ID_NOT_FOUND)
            effects.append(Reply(request.request_id, CommitReply(errors)))
            return
        held = self._offsets.get(request.group_id, {})
        # Which topics a live group reads is the clients' secret (its metadata is opaque), so it keeps all of them.
        refused = (
            {} if group.state is GroupState.EMPTY else dict.fromkeys(request.partitions, ErrorCode.NON_EMPTY_GROUP)
        )
        doomed = tuple(p for p in request.partitions if p in held and p not in refused)
        kept = {p: refused.get(p, ErrorCode.NONE) for p in request.partitions if p not in doomed}
        if not doomed:
            effects.append(Reply(request.request_id, CommitReply(kept)))
            return
        self._delete(_PendingDeletion(request.request_id, request.group_id, doomed, kept), effects)

    def forget_topic(self, topic: str) -> list[Effect]:
        """Drops all groups' offsets of a topic that was deleted."""
        effects: list[Effect] = []
        for group_id, held in self._offsets.items():
            doomed = tuple(partition for partition in held if partition[0] == topic)
            if doomed:
                self._delete(_PendingDeletion(None, group_id, doomed), effects)
        return effects

    def _delete_group(self, request: DeleteGroupRequest, effects: list[Effect]) -> None:
        group = self._groups.get(request.group_id)
        error = ErrorCode.NONE
        if not request.group_id:
            error = ErrorCode.INVALID_GROUP_ID
        elif group is None:
            error = ErrorCode.GROUP_ID_NOT_FOUND
        elif group.state is not GroupState.EMPTY or group.is_joining:
            error = ErrorCode.NON_EMPTY_GROUP
        if error:
            effects.append(Reply(request.request_id, DeleteGroupReply(error)))
            return
        doomed = tuple(self._offsets.get(request.group_id, {}))
        pending = _PendingDeletion(request.request_id, request.group_id, doomed, whole_group=True)
        self._delete(pending, effects)

    def _delete(self, pending: _PendingDeletion, effects: list[Effect]) -> None:
        records = [_offset_record(pending.group_id, partition, None) for partition in pending.partitions]
        if pending.whole_group:
            records.append(KeyValue(encode_group_key(GroupKey(pending.group_id)), None))
        self._store(pending, tuple(records), effects)

    # -- what was stored ----------------------------------------------------------------------------------------

    def _store(
        self,
        pending: _Pending,
        records: tuple[KeyValue, ...],
        effects: list[Effect],
        producer_id: int = -1,
        producer_epoch: int = -1,
    ) -> None:
        token = self._next_token
        self._next_token += 1
        self._pending[token] = pending
        effects.append(Store(token, records, producer_id, producer_epoch))

    def stored(self, token: int, error: ErrorCode, now_ms: int) -> list[Effect]:
        """Takes the outcome of a `Store`; each token once."""
        pending = self._pending.pop(token)
        effects: list[Effect] = []
        if isinstance(pending, _PendingAssignment):
            group = self._groups.get(pending.group_id)
            if group is not None:
                outbox = Outbox()
                group.stored(pending.generation_id, error, now_ms, outbox)
                self._settle(group, outbox, now_ms, effects)
        elif isinstance(pending, _PendingCommit):
            self._commit_stored(pending, error, effects)
        else:
            self._deletion_stored(pending, error, effects)
        return effects

    def _commit_stored(self, pending: _PendingCommit, error: ErrorCode, effects: list[Effect]) -> None:
        if pending.producer_id >= 0:
            if error:
                self._let_go(pending)
        elif not error:
            self._make_visible(pending.group_id, pending.offsets)
        errors = {**dict.fromkeys(pending.offsets, error), **pending.refused}
        effects.append(Reply(pending.request_id, CommitReply(errors)))

    def _let_go(self, pending: _PendingCommit) -> None:
        """A transaction's offsets were not stored: what it had committed before them counts."""
        transaction = self._held_back.get(pending.producer_id)
        if transaction is None:
            return
        held = transaction.groups.get(pending.group_id, {})
        for partition, offset in pending.offsets.items():
            if held.get(partition) is offset:
                del held[partition]
        held.update(pending.replaced)
        if not any(transaction.groups.values()):
            del self._held_back[pending.producer_id]

    def _deletion_stored(self, pending: _PendingDeletion, error: ErrorCode, effects: list[Effect]) -> None:
        if not error:
            held = self._offsets.get(pending.group_id, {})
            for partition in pending.partitions:
                held.pop(partition, None)
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
        if group is not None and group.state is GroupState.EMPTY and not group.is_joining:
            del self._groups[group_id]
            if not self._offsets.get(group_id):
                self._offsets.pop(group_id, None)

    # -- time ---------------------------------------------------------------------------------------------------

    def next_deadline_ms(self) -> int | None:
        """Returns when `tick` is due next at the latest; None when nothing is waiting for time to pass."""
        return self._deadlines[0][0] if self._deadlines else None

    def tick(self, now_ms: int) -> list[Effect]:
        """Does what is due: sessions and rebalances that have run out."""
        effects: list[Effect] = []
        while self._deadlines and self._deadlines[0][0] <= now_ms:
            deadline_ms, group_id = heapq.heappop(self._deadlines)
            group = self._groups.get(group_id)
            if group is None or group.scheduled_ms != deadline_ms:
                continue
            group.scheduled_ms = None
            outbox = Outbox()
            group.expire(now_ms, outbox)
            self._settle(group, outbox, now_ms, effects)
        return effects

    def _settle(self, group: Group, outbox: Outbox, now_ms: int, effects: list[Effect]) -> None:
        """Turns what a step wants into effects, and sees to the group's next deadline."""
        effects.extend(outbox.replies)
        if outbox.store_group:
            pending = _PendingAssignment(group.group_id, group.generation_id)
            self._store(pending, (self._group_record(group, now_ms, outbox.assignments),), effects)
        if group.is_fresh and not self._offsets.get(group.group_id):
            # Somebody asked for a member id and never came back: no trace is kept.
            self._groups.pop(group.group_id, None)
        self._schedule(group)

    def _schedule(self, group: Group) -> None:
        deadline_ms = group.next_deadline_ms()
        if deadline_ms is not None and (group.scheduled_ms is None or deadline_ms < group.scheduled_ms):
            group.scheduled_ms = deadline_ms
            heapq.heappush(self._deadlines, (deadline_ms, group.group_id))

    @staticmethod
    def _group_record(group: Group, now_ms: int, assignments: Mapping[str, bytes] | None) -> KeyValue:
        value = group.value(now_ms, assignments)
        return KeyValue(encode_group_key(GroupKey(group.group_id)), encode_group_value(value))

    # -- start --------------------------------------------------------------------------------------------------

    def replay(self, key: bytes, value: bytes | None, producer_id: int = -1, producer_epoch: int = -1) -> None:
        """Takes one record of `__consumer_offsets`; the producer is that of its batch, if that is transactional.

        The markers between them are handed to `end_transaction`.

        Raises:
            yeoul.errors.PeerError: It is damaged, or of a version that is not known.
        """
        about = decode_key(key)
        if isinstance(about, OffsetKey) and producer_id >= 0:
            if value is not None:
                offsets = {(about.topic, about.partition): decode_offset_value(value)}
                self._hold_back(producer_id, producer_epoch, about.group_id, offsets)
        elif isinstance(about, OffsetKey):
            held = self._offsets.setdefault(about.group_id, {})
            if value is None:
                held.pop((about.topic, about.partition), None)
            else:
                held[about.topic, about.partition] = decode_offset_value(value)
        elif about is not None and value is None:
            self._groups.pop(about.group_id, None)
        elif about is not None and value is not None:
            self._groups[about.group_id] = Group.from_value(about.group_id, decode_group_value(value), self._config)

    def finish_replay(self, now_ms: int) -> None:
        """Ends replay: sessions of the members that were found begin now."""
        self._offsets = {group_id: held for group_id, held in self._offsets.items() if held}
        for group_id in self._offsets:
            if group_id not in self._groups:
                self._groups[group_id] = Group(group_id, self._config)
        for group in self._groups.values():
            group.begin_sessions(now_ms)
            self._schedule(group)

    def snapshot_records(self, now_ms: int) -> Iterator[KeyValue]:
        """Yields the records from which `replay` would rebuild all that is stored now, but for open transactions."""
        for group_id, held in self._offsets.items():
            for partition, committed in held.items():
                yield _offset_record(group_id, partition, committed)
        for group in self._groups.values():
            if group.protocol_type:
                yield self._group_record(group, now_ms, None)

    def snapshot_transactions(self) -> Iterator[tuple[int, int, tuple[KeyValue, ...]]]:
        """Yields producer id, producer epoch and records of each open transaction with offsets."""
        for producer_id, transaction in self._held_back.items():
            records = tuple(
                _offset_record(group_id, partition, taken)
                for group_id, offsets in transaction.groups.items()
                for partition, taken in offsets.items()
            )
            if records:
                yield producer_id, transaction.producer_epoch, records

    # -- queries ------------------------------------------------------------------------------------------------

    def list_groups(self, states: Iterable[str] = ()) -> list[GroupListing]:
        """Returns all groups, or those in the states named (`Stable`, `Empty`...; case does not matter)."""
        wanted = {state.lower() for state in states}
        return [
            GroupListing(group.group_id, group.protocol_type, group.state.value)
            for group in self._groups.values()
            if not wanted or group.state.value.lower() in wanted
        ]

    def describe_group(self, group_id: str) -> GroupDescription:
        """Returns a group with its members; an unknown one is `Dead`."""
        group = self._groups.get(group_id)
        if group is None:
            return GroupDescription(group_id, GroupState.DEAD.value, "", "", ())
        return group.describe()


def _offset_record(group_id: str, partition: TopicPartition, committed: CommittedOffset | None) -> KeyValue:
    key = encode_offset_key(OffsetKey(group_id, *partition))
    return KeyValue(key, None if committed is None else encode_offset_value(committed))
