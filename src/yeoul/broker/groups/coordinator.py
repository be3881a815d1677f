"""The group coordinator: all groups of one broker and their offsets, as a pure event-sourced state machine.

The seam with the broker:

    coordinator = Coordinator(GroupConfig())
    # at start, every record of `__consumer_offsets`, in the order of its offsets, per partition:
    coordinator.replay(key, value)
    coordinator.finish_replay(now_ms)
    # then, whenever a topic is made, grown or deleted:
    coordinator.use_topics(catalog)
    # for each request (`messages`):
    effects = coordinator.handle(request, now_ms)
    # and whenever the clock passes `coordinator.next_deadline_ms()`:
    effects = coordinator.tick(now_ms)

Each effect is either a `Reply` (answer the request with that `request_id`; if its connection is gone, drop it) or a
`Store` (append its records to the group's partition of `__consumer_offsets`, then, once the high watermark has passed
them, call `coordinator.stored(token, ErrorCode.NONE, now_ms)`; when the append failed, the same with its error code).
`stored` returns effects as well. Effects are to be carried out in order, and stores reported in the order they were
asked for. `now_ms` is any clock that never runs backwards, wall time included: offsets are stamped with it.

Offsets that a transaction commits (`CommitRequest.producer_id`) are held back until `end_transaction` says how it
ended. Queries change nothing: `fetch_offsets`, `list_groups`, `describe_group`, `describe_consumer_group`.

A group is of the classic protocol (`classic.group`) or of the consumer protocol (`consumer.group`); an empty one
becomes what the next member asks for, one with members refuses those of the other protocol.

Invariants: a member has at most one join or one sync waiting; a committed offset is visible only once its record is
stored, and a heartbeat of the consumer protocol is answered only once what it rests on is; whatever replay does not
bring back (who was joining) is brought back by the clients' own retries. A group that was stable before a restart is
stable after it: its members keep generation or epochs, assignment and a full session time-out.

`__consumer_offsets` grows with each commit; `snapshot_records` returns what a fresh log would have to hold, so that
the broker can write that and trim what lies before it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import cast

from yeoul.broker.groups.classic.group import ClassicGroup, GroupState, Outbox
from yeoul.broker.groups.classic.messages import (
    GroupDescription,
    HeartbeatReply,
    HeartbeatRequest,
    JoinReply,
    JoinRequest,
    LeaveReply,
    LeaveRequest,
    LeftMember,
    SyncReply,
    SyncRequest,
)
from yeoul.broker.groups.config import GroupConfig
from yeoul.broker.groups.consumer.group import ConsumerGroup, ConsumerGroupDescription, Step
from yeoul.broker.groups.consumer.messages import JOIN_EPOCH, ConsumerHeartbeatReply, ConsumerHeartbeatRequest
from yeoul.broker.groups.consumer.records import decode_consumer_record, encode_consumer_record
from yeoul.broker.groups.consumer.refusal import Refused, check_request
from yeoul.broker.groups.consumer.topics import TopicCatalog
from yeoul.broker.groups.messages import (
    CommitReply,
    CommitRequest,
    CommittedOffset,
    DeleteGroupReply,
    DeleteGroupRequest,
    DeleteOffsetsRequest,
    Effect,
    GroupListing,
    KeyValue,
    Reply,
    Request,
    Store,
    TopicPartition,
)
from yeoul.broker.groups.offsets import OffsetStore, offset_record
from yeoul.broker.groups.pending import Pending, PendingAssignment, PendingCommit, PendingDeletion, PendingStep
from yeoul.broker.groups.records import (
    GroupKey,
    OffsetKey,
    decode_key,
    decode_offset_value,
    encode_group_key,
)
from yeoul.broker.groups.table import Group, GroupTable, group_record, is_unused
from yeoul.wire.errors import ErrorCode

__all__ = ["Coordinator", "GroupConfig"]


class Coordinator:
    """All groups; see the module for how to drive it."""

    def __init__(self, config: GroupConfig | None = None) -> None:
        self._config = config or GroupConfig()
        self._groups = GroupTable(self._config)
        self._offsets = OffsetStore()
        self._catalog = TopicCatalog({}, 0)
        self._pending: dict[int, Pending] = {}
        self._next_token = 1
        self._deadlines: list[tuple[int, str]] = []
        self._cleanup_ms: int | None = None

    def use_topics(self, catalog: TopicCatalog) -> None:
        """Takes the topics as they are from now on; consumer groups look at them with their next heartbeat."""
        self._catalog = catalog

    # -- requests -----------------------------------------------------------------------------------------------

    def handle(self, request: Request, now_ms: int) -> list[Effect]:
        """Takes one request; returns what to do now. Its own reply may be among the effects of a later call."""
        effects: list[Effect] = []
        serve = cast("Callable[[Coordinator, Request, int, list[Effect]], None]", _SERVERS[type(request)])
        serve(self, request, now_ms, effects)
        return effects

    def _join(self, request: JoinRequest, now_ms: int, effects: list[Effect]) -> None:
        error = self._join_error(request)
        if error:
            effects.append(Reply(request.request_id, JoinReply(error, request.member_id)))
            return
        group = self._groups.get(request.group_id)
        if isinstance(group, ConsumerGroup):
            tombstones = tuple(encode_consumer_record(record) for record in group.state.tombstones())
            self._store(PendingStep(group, (), []), tombstones, now_ms, effects)
            group = None
        if group is None:
            group = ClassicGroup(request.group_id, self._config)
            self._groups.put(group)
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
        group = self._groups.get(request.group_id)
        if isinstance(group, ConsumerGroup) and not group.is_empty:
            return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
        if request.member_id and not isinstance(group, ClassicGroup):
            return ErrorCode.UNKNOWN_MEMBER_ID
        return ErrorCode.NONE

    def _sync(self, request: SyncRequest, now_ms: int, effects: list[Effect]) -> None:
        group = self._groups.classic(request.group_id)
        if group is None:
            effects.append(Reply(request.request_id, SyncReply(self._unknown_member(request.group_id))))
            return
        outbox = Outbox()
        group.sync(request, now_ms, outbox)
        self._settle(group, outbox, now_ms, effects)

    def _heartbeat(self, request: HeartbeatRequest, now_ms: int, effects: list[Effect]) -> None:
        group = self._groups.classic(request.group_id)
        error = self._unknown_member(request.group_id) if group is None else group.heartbeat(request, now_ms)
        effects.append(Reply(request.request_id, HeartbeatReply(error)))

    def _leave(self, request: LeaveRequest, now_ms: int, effects: list[Effect]) -> None:
        group = self._groups.classic(request.group_id)
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

    # -- consumer groups ----------------------------------------------------------------------------------------

    def _consumer_heartbeat(self, request: ConsumerHeartbeatRequest, now_ms: int, effects: list[Effect]) -> None:
        records: tuple[KeyValue, ...] = ()
        step = Step()
        try:
            check_request(request, self._config.consumer.assignors)
            group, records = self._consumer_group(request)
            body = group.heartbeat(request, self._catalog, now_ms, step)
        except Refused as refused:
            effects.append(Reply(request.request_id, ConsumerHeartbeatReply(refused.error, refused.message)))
            return
        self._groups.put(group)
        self._settle_step(group, step, records, [Reply(request.request_id, body)], now_ms, effects)

    def _consumer_group(self, request: ConsumerHeartbeatRequest) -> tuple[ConsumerGroup, tuple[KeyValue, ...]]:
        """Returns the group of a heartbeat, and what ends the classic group whose place it takes."""
        group = self._groups.get(request.group_id)
        if isinstance(group, ConsumerGroup):
            return group, ()
        if group is not None and not group.is_empty:
            raise Refused(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {request.group_id} is not a consumer group")
        if request.member_epoch != JOIN_EPOCH:
            raise Refused(ErrorCode.GROUP_ID_NOT_FOUND, f"Consumer group {request.group_id} not found")
        ended = group is not None and bool(group.protocol_type)
        tombstones = (KeyValue(encode_group_key(GroupKey(request.group_id)), None),) if ended else ()
        return ConsumerGroup(request.group_id, self._config.consumer), tombstones

    def _settle_step(
        self,
        group: ConsumerGroup,
        step: Step,
        before: tuple[KeyValue, ...],
        replies: list[Reply],
        now_ms: int,
        effects: list[Effect],
    ) -> None:
        """Stores what a step decided; who rests on what is being stored is answered after it."""
        records = group.with_unsaved(step.records)
        waits_for = self._pending.get(group.last_token)
        if records or before:
            pending = PendingStep(group, tuple(records), replies)
            group.last_token = self._next_token
            self._store(pending, (*before, *map(encode_consumer_record, records)), now_ms, effects)
        elif isinstance(waits_for, PendingStep):
            waits_for.replies.extend(replies)
        else:
            effects.extend(replies)
        self._schedule(group)

    def _step_stored(self, pending: PendingStep, error: ErrorCode, effects: list[Effect]) -> None:
        if not error:
            effects.extend(pending.replies)
            return
        pending.group.not_saved(pending.records)
        effects.extend(
            Reply(each.request_id, ConsumerHeartbeatReply(ErrorCode.COORDINATOR_NOT_AVAILABLE))
            for each in pending.replies
        )

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
        offsets = {
            partition: replace(taken, commit_timestamp_ms=now_ms)
            for partition, taken in request.offsets.items()
            if partition not in refused
        }
        if not offsets:
            effects.append(Reply(request.request_id, CommitReply(refused)))
            return
        records = tuple(offset_record(request.group_id, partition, taken) for partition, taken in offsets.items())
        replaced: Mapping[TopicPartition, CommittedOffset] = {}
        if request.producer_id >= 0:
            replaced = self._offsets.hold_back(request.producer_id, request.producer_epoch, request.group_id, offsets)
        pending = PendingCommit(request.request_id, request.group_id, offsets, refused, request.producer_id, replaced)
        self._store(pending, records, now_ms, effects, request.producer_id, request.producer_epoch)

    def _commit_error(self, request: CommitRequest, now_ms: int) -> ErrorCode:
        if not request.group_id:
            return ErrorCode.INVALID_GROUP_ID
        group = self._groups.get(request.group_id)
        transactional = request.producer_id >= 0
        if group is None:
            if request.generation_id < 0:
                return ErrorCode.NONE
            told = request.knows_epochs and not transactional
            return ErrorCode.GROUP_ID_NOT_FOUND if told else ErrorCode.ILLEGAL_GENERATION
        if isinstance(group, ClassicGroup):
            return group.commit_error(request, now_ms)
        error = group.commit_error(request)
        stale = error is ErrorCode.STALE_MEMBER_EPOCH and transactional
        # TxnOffsetCommit is older than epochs.
        return ErrorCode.ILLEGAL_GENERATION if stale else error

    def end_transaction(self, producer_id: int, *, commit: bool) -> None:
        """The marker of a producer's transaction is durable: the offsets it held back are visible, or gone."""
        for group_id in self._offsets.end_transaction(producer_id, commit=commit):
            self._groups.keep_offsets_of(group_id)

    def unstable_partitions(self, group_id: str) -> set[TopicPartition]:
        """Returns the partitions of a group whose committed offset hangs on an open transaction."""
        return self._offsets.unstable_partitions(group_id)

    def fetch_offsets(
        self, group_id: str, partitions: Iterable[TopicPartition] | None = None
    ) -> dict[TopicPartition, CommittedOffset]:
        """Returns the stored offsets of a group: of the partitions asked for, or of all; what it has none for is left
        out (the protocol answers with offset -1).
        """
        held = self._offsets.of_group(group_id)
        if partitions is None:
            return dict(held)
        return {partition: held[partition] for partition in partitions if partition in held}

    def fetch_error(self, group_id: str, member_id: str | None, member_epoch: int) -> ErrorCode:
        """Returns whether a member of a consumer group may be told offsets: not with an epoch of before."""
        group = self._groups.get(group_id)
        if not isinstance(group, ConsumerGroup) or (not member_id and member_epoch < 0):
            return ErrorCode.NONE
        return group.epoch_error(member_id or "", member_epoch)

    def _delete_offsets(self, request: DeleteOffsetsRequest, now_ms: int, effects: list[Effect]) -> None:
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

    def forget_topic(self, topic: str, now_ms: int = 0) -> list[Effect]:
        """Drops all groups' offsets of a topic that was deleted."""
        effects: list[Effect] = []
        for group_id in self._offsets.groups():
            doomed = tuple(partition for partition in self._offsets.of_group(group_id) if partition[0] == topic)
            if doomed:
                self._delete(PendingDeletion(None, group_id, doomed), now_ms, effects)
        return effects

    def _delete_group(self, request: DeleteGroupRequest, now_ms: int, effects: list[Effect]) -> None:
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

    # -- what was stored ----------------------------------------------------------------------------------------

    def _store(
        self,
        pending: Pending,
        records: tuple[KeyValue, ...],
        now_ms: int,
        effects: list[Effect],
        producer_id: int = -1,
        producer_epoch: int = -1,
    ) -> None:
        token = self._next_token
        self._next_token += 1
        self._pending[token] = pending
        if self._cleanup_ms is None:
            self._cleanup_ms = now_ms + self._config.offsets_check_interval_ms
        effects.append(Store(token, records, producer_id, producer_epoch))

    def stored(self, token: int, error: ErrorCode, now_ms: int) -> list[Effect]:
        """Takes the outcome of a `Store`; each token once."""
        pending = self._pending.pop(token)
        effects: list[Effect] = []
        if isinstance(pending, PendingAssignment):
            group = self._groups.classic(pending.group_id)
            if group is not None:
                outbox = Outbox()
                group.stored(pending.generation_id, error, now_ms, outbox)
                self._settle(group, outbox, now_ms, effects)
        elif isinstance(pending, PendingStep):
            self._step_stored(pending, error, effects)
        elif isinstance(pending, PendingCommit):
            self._commit_stored(pending, error, effects)
        else:
            self._deletion_stored(pending, error, effects)
        return effects

    def _commit_stored(self, pending: PendingCommit, error: ErrorCode, effects: list[Effect]) -> None:
        if pending.producer_id >= 0:
            if error:
                self._offsets.let_go(pending.producer_id, pending.group_id, pending.offsets, pending.replaced)
        elif not error:
            self._offsets.put(pending.group_id, pending.offsets)
            self._groups.keep_offsets_of(pending.group_id)
        errors = {**dict.fromkeys(pending.offsets, error), **pending.refused}
        effects.append(Reply(pending.request_id, CommitReply(errors)))

    def _deletion_stored(self, pending: PendingDeletion, error: ErrorCode, effects: list[Effect]) -> None:
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

    # -- time ---------------------------------------------------------------------------------------------------

    def next_deadline_ms(self) -> int | None:
        """Returns when `tick` is due next at the latest; None when nothing is waiting for time to pass."""
        first_ms = self._deadlines[0][0] if self._deadlines else None
        if first_ms is None or self._cleanup_ms is None:
            return self._cleanup_ms if first_ms is None else first_ms
        return min(first_ms, self._cleanup_ms)

    def tick(self, now_ms: int) -> list[Effect]:
        """Does what is due: sessions and rebalances that have run out, offsets that nobody wants any more."""
        effects: list[Effect] = []
        while self._deadlines and self._deadlines[0][0] <= now_ms:
            deadline_ms, group_id = heapq.heappop(self._deadlines)
            group = self._groups.get(group_id)
            if group is None or group.scheduled_ms != deadline_ms:
                continue
            group.scheduled_ms = None
            if isinstance(group, ClassicGroup):
                outbox = Outbox()
                group.expire(now_ms, outbox)
                self._settle(group, outbox, now_ms, effects)
            else:
                step = Step()
                group.expire(self._catalog, now_ms, step)
                self._settle_step(group, step, (), [], now_ms, effects)
        if self._cleanup_ms is not None and self._cleanup_ms <= now_ms:
            self._cleanup_ms = now_ms + self._config.offsets_check_interval_ms if self._groups else None
            self._clean_up(now_ms, effects)
        return effects

    def _clean_up(self, now_ms: int, effects: list[Effect]) -> None:
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
        oldest_ms = now_ms - self._config.offsets_retention_ms
        return self._offsets.expired(group_id, begins_ms, group.subscribes_to, oldest_ms)

    def _settle(self, group: ClassicGroup, outbox: Outbox, now_ms: int, effects: list[Effect]) -> None:
        """Turns what a step wants into effects, and sees to the group's next deadline."""
        effects.extend(outbox.replies)
        if outbox.store_group:
            pending = PendingAssignment(group.group_id, group.generation_id)
            self._store(pending, (group_record(group, now_ms, outbox.assignments),), now_ms, effects)
        if group.is_fresh and group.group_id not in self._offsets:
            # Somebody asked for a member id and never came back: no trace is kept.
            self._groups.remove(group.group_id)
        self._schedule(group)

    def _schedule(self, group: Group) -> None:
        deadline_ms = group.next_deadline_ms()
        if deadline_ms is not None and (group.scheduled_ms is None or deadline_ms < group.scheduled_ms):
            group.scheduled_ms = deadline_ms
            heapq.heappush(self._deadlines, (deadline_ms, group.group_id))

    # -- start --------------------------------------------------------------------------------------------------

    def replay(self, key: bytes, value: bytes | None, producer_id: int = -1, producer_epoch: int = -1) -> None:
        """Takes one record of `__consumer_offsets`; the producer is that of its batch, if that is transactional.

        The markers between them are handed to `end_transaction`.

        Raises:
            yeoul.errors.PeerError: It is damaged, or of a version that is not known.
        """
        about = decode_key(key)
        if isinstance(about, OffsetKey):
            partition = (about.topic, about.partition)
            if value is None:
                if producer_id < 0:
                    self._offsets.remove(about.group_id, (partition,))
            elif producer_id >= 0:
                taken = {partition: decode_offset_value(value)}
                self._offsets.hold_back(producer_id, producer_epoch, about.group_id, taken)
            else:
                self._offsets.put(about.group_id, {partition: decode_offset_value(value)})
        elif isinstance(about, GroupKey):
            self._groups.replay_classic(about.group_id, value)
        else:
            record = decode_consumer_record(key, value)
            if record is not None:
                self._groups.replay_consumer(record)

    def finish_replay(self, now_ms: int) -> None:
        """Ends replay: sessions of the members that were found begin now."""
        for group_id in self._offsets.groups():
            self._groups.keep_offsets_of(group_id)
        self._offsets.stamp(now_ms)
        for _, group in self._groups.by_name():
            group.begin_sessions(now_ms)
            self._schedule(group)
        if self._groups:
            self._cleanup_ms = now_ms + self._config.offsets_check_interval_ms

    def snapshot_records(self, now_ms: int) -> Iterator[KeyValue]:
        """Yields the records from which `replay` would rebuild all that is stored now, but for open transactions."""
        yield from self._offsets.snapshot()
        yield from self._groups.snapshot(now_ms)

    def snapshot_transactions(self) -> Iterator[tuple[int, int, tuple[KeyValue, ...]]]:
        """Yields producer id, producer epoch and records of each open transaction with offsets."""
        yield from self._offsets.snapshot_transactions()

    # -- queries ------------------------------------------------------------------------------------------------

    def list_groups(self, states: Iterable[str] = (), types: Iterable[str] = ()) -> list[GroupListing]:
        """Returns all groups, or those in the states (`Stable`, `Empty`...) and of the types named; case is ignored."""
        return self._groups.listings(states, types)

    def describe_group(self, group_id: str) -> GroupDescription:
        """Returns a classic group with its members; any other name is `Dead`."""
        group = self._groups.classic(group_id)
        if group is None:
            return GroupDescription(group_id, GroupState.DEAD.value, "", "", ())
        return group.describe()

    def describe_consumer_group(self, group_id: str) -> ConsumerGroupDescription | None:
        """Returns a consumer group with its members; None for any other name."""
        group = self._groups.get(group_id)
        return group.describe() if isinstance(group, ConsumerGroup) else None


_SERVERS: Mapping[type[object], object] = {
    HeartbeatRequest: Coordinator._heartbeat,
    ConsumerHeartbeatRequest: Coordinator._consumer_heartbeat,
    CommitRequest: Coordinator._commit_offsets,
    JoinRequest: Coordinator._join,
    SyncRequest: Coordinator._sync,
    LeaveRequest: Coordinator._leave,
    DeleteGroupRequest: Coordinator._delete_group,
    DeleteOffsetsRequest: Coordinator._delete_offsets,
}
