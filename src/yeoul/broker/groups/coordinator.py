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
becomes what the next member asks for, one with members refuses those of the other protocol. Offsets come by `commits`;
what goes, offsets and groups, goes by `deletions`.

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
from yeoul.broker.groups.classic.views import describe
from yeoul.broker.groups.commits import OffsetCommits
from yeoul.broker.groups.config import GroupConfig
from yeoul.broker.groups.consumer.group import ConsumerGroup, ConsumerGroupDescription, Step
from yeoul.broker.groups.consumer.messages import JOIN_EPOCH, ConsumerHeartbeatReply, ConsumerHeartbeatRequest
from yeoul.broker.groups.consumer.records import decode_consumer_record, encode_consumer_record
from yeoul.broker.groups.consumer.refusal import Refused, check_request
from yeoul.broker.groups.consumer.topics import TopicCatalog
from yeoul.broker.groups.deletions import Deletions
from yeoul.broker.groups.messages import (
    CommitRequest,
    CommittedOffset,
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
from yeoul.broker.groups.offsets import OffsetStore
from yeoul.broker.groups.pending import Pending, PendingAssignment, PendingCommit, PendingStep
from yeoul.broker.groups.records import (
    GroupKey,
    OffsetKey,
    decode_key,
    decode_offset_value,
    encode_group_key,
)
from yeoul.broker.groups.table import Group, GroupTable, group_record
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
        limit = self._config.max_offset_metadata_bytes
        self._commits = OffsetCommits(limit, self._groups, self._offsets, self._store)
        self._deletions = Deletions(self._config.offsets_retention_ms, self._groups, self._offsets, self._store)
        self._servers: Mapping[type[object], object] = {
            HeartbeatRequest: self._heartbeat,
            ConsumerHeartbeatRequest: self._consumer_heartbeat,
            CommitRequest: self._commits.commit,
            JoinRequest: self._join,
            SyncRequest: self._sync,
            LeaveRequest: self._leave,
            DeleteGroupRequest: self._deletions.delete_group,
            DeleteOffsetsRequest: self._deletions.delete_offsets,
        }

    def use_topics(self, catalog: TopicCatalog) -> None:
        """Takes the topics as they are from now on; consumer groups look at them with their next heartbeat."""
        self._catalog = catalog

    # -- requests -----------------------------------------------------------------------------------------------

    def handle(self, request: Request, now_ms: int) -> list[Effect]:
        """Takes one request; returns what to do now. Its own reply may be among the effects of a later call."""
        effects: list[Effect] = []
        serve = cast("Callable[[Request, int, list[Effect]], None]", self._servers[type(request)])
        serve(request, now_ms, effects)
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

    def forget_topic(self, topic: str, now_ms: int = 0) -> list[Effect]:
        """Drops all groups' offsets of a topic that was deleted."""
        effects: list[Effect] = []
        self._deletions.forget_topic(topic, now_ms, effects)
        return effects

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
            self._commits.stored(pending, error, effects)
        else:
            self._deletions.stored(pending, error, effects)
        return effects

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
            self._deletions.clean_up(now_ms, effects)
        return effects

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
        return describe(group)

    def describe_consumer_group(self, group_id: str) -> ConsumerGroupDescription | None:
        """Returns a consumer group with its members; None for any other name."""
        group = self._groups.get(group_id)
        return group.describe() if isinstance(group, ConsumerGroup) else None
