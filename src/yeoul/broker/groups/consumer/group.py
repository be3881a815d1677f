"""One group of the consumer protocol: heartbeats in, changes of its state and answers out.

    epoch             moves when a member comes, goes or subscribes anew, or when a topic that it reads changes
    assignment epoch  the epoch that the members' targets were computed for: at the next heartbeat of anybody
    member epoch      the assignment that a member has reached, on its own way (`reconciliation`)

Every decision is a record that is applied to the state at once and stored; what is here besides is deadlines, which
begin anew at a start. Pure: the time and the topics are handed in. Caller: the coordinator.

Source: KIP-848.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from yeoul.broker.groups.consumer.assignors import ASSIGNORS, Subscriber
from yeoul.broker.groups.consumer.messages import (
    JOIN_EPOCH,
    STATIC_LEAVE_EPOCH,
    ConsumerHeartbeatReply,
    ConsumerHeartbeatRequest,
)
from yeoul.broker.groups.consumer.reconciliation import reconcile
from yeoul.broker.groups.consumer.records import (
    ConsumerRecord,
    CurrentAssignment,
    GroupEpoch,
    MemberState,
    MemberSubscription,
    Standing,
    SubscribedTopics,
    Subscription,
    TargetAssignment,
    TargetEpoch,
)
from yeoul.broker.groups.consumer.refusal import Refused
from yeoul.broker.groups.consumer.state import ConsumerGroupState
from yeoul.broker.groups.consumer.topics import Partitions, TopicCatalog, TopicFacts
from yeoul.broker.groups.messages import CommitRequest
from yeoul.wire.errors import ErrorCode

__all__ = ["ConsumerGroup", "ConsumerGroupConfig", "ConsumerGroupDescription", "ConsumerMemberDescription", "Step"]

_LIVELY_MS = 3_000
_LIVELY_INTERVAL_MS = 50


@dataclass(frozen=True, slots=True)
class ConsumerGroupConfig:
    """The broker's settings for consumer groups; Kafka's defaults but for the heartbeats.

    Attributes:
        session_timeout_ms: `group.consumer.session.timeout.ms`.
        heartbeat_interval_ms: `group.consumer.heartbeat.interval.ms`. A member learns of a rebalance with its next
            heartbeat, so Kafka's 5 s would be the time that a group takes to form; here a heartbeat costs next to
            nothing. While a group is finding its assignment its members are told to come even sooner.
        max_size: `group.consumer.max.size`.
        assignors: `group.consumer.assignors`, the group's own choice first.
    """

    session_timeout_ms: int = 45_000
    heartbeat_interval_ms: int = 500
    max_size: int = (1 << 31) - 1
    assignors: tuple[str, ...] = tuple(ASSIGNORS)


@dataclass(frozen=True, slots=True)
class ConsumerMemberDescription:
    member_id: str
    subscription: Subscription
    standing: Standing
    target: Partitions


@dataclass(frozen=True, slots=True)
class ConsumerGroupDescription:
    """A group for ConsumerGroupDescribe."""

    group_id: str
    state: str
    epoch: int
    assignment_epoch: int
    assignor: str
    members: tuple[ConsumerMemberDescription, ...]


@dataclass(slots=True)
class Step:
    """The records that one step decided, in the order they count."""

    records: list[ConsumerRecord] = field(default_factory=list)


class ConsumerGroup:
    """A group around its state; a fresh one has no members.

    Attributes:
        scheduled_ms: For the coordinator: when it will look at the group's deadlines.
        last_token: For the coordinator: the last store of the group's records.
    """

    def __init__(self, group_id: str, config: ConsumerGroupConfig) -> None:
        self.group_id = group_id
        self.state = ConsumerGroupState(group_id)
        self.scheduled_ms: int | None = None
        self.last_token = 0
        self._unsaved: dict[tuple[type[ConsumerRecord], str], ConsumerRecord] = {}
        self._config = config
        self._catalog_version = -1
        self._sessions_ms: dict[str, int] = {}
        self._revocations_ms: dict[str, int] = {}
        self._lively_until_ms = 0

    @property
    def is_empty(self) -> bool:
        return not self.state.subscriptions

    @property
    def state_name(self) -> str:
        """As DescribeGroups and ListGroups call it."""
        state = self.state
        if self.is_empty:
            return "Empty"
        if state.epoch > state.assignment_epoch:
            return "Assigning"
        standings = (state.standing(member_id) for member_id in state.subscriptions)
        arrived = all(
            each.state is MemberState.STABLE and each.member_epoch == state.assignment_epoch for each in standings
        )
        return "Stable" if arrived else "Reconciling"

    # -- heartbeats ---------------------------------------------------------------------------------------------

    def heartbeat(
        self, request: ConsumerHeartbeatRequest, catalog: TopicCatalog, now_ms: int, step: Step
    ) -> ConsumerHeartbeatReply:
        """Takes what a member says and returns what it is told.

        Raises:
            Refused: It may not be in the group, or not with that epoch; nothing has changed.
        """
        if request.member_epoch < JOIN_EPOCH:
            return self._leave(request, catalog, now_ms, step)
        member_id = request.member_id or request.new_member_id
        self._admit(request, member_id, step)
        bumped = self._subscribe(request, member_id, step)
        self._refresh(catalog, now_ms, step, bumped=bumped)
        self._retarget(catalog, step)
        before = self.state.standing(member_id)
        after = self._advance(member_id, request.owned, now_ms, step)
        self._sessions_ms[member_id] = now_ms + (request.session_timeout_ms or self._config.session_timeout_ms)
        lags = request.member_epoch != before.member_epoch or request.owned not in (None, after.assigned)
        tell = request.is_complete or lags or before.assigned != after.assigned
        return ConsumerHeartbeatReply(
            ErrorCode.NONE,
            None,
            member_id,
            after.member_epoch,
            self._interval_ms(request, after, now_ms),
            after.assigned if tell else None,
        )

    def _interval_ms(self, request: ConsumerHeartbeatRequest, standing: Standing, now_ms: int) -> int:
        """A member that waits, or whose group is being formed, is to come soon."""
        regular_ms = request.heartbeat_interval_ms or self._config.heartbeat_interval_ms
        lively = standing.state is MemberState.UNRELEASED_PARTITIONS or now_ms < self._lively_until_ms
        return min(regular_ms, _LIVELY_INTERVAL_MS) if lively else regular_ms

    def _admit(self, request: ConsumerHeartbeatRequest, member_id: str, step: Step) -> None:
        """Lets a member in, under its own id or in the place of the static member that it was."""
        state = self.state
        known = None if request.instance_id is None else state.static.get(request.instance_id)
        if request.member_epoch == JOIN_EPOCH:
            if known is not None and known != member_id:
                if state.standing(known).member_epoch != STATIC_LEAVE_EPOCH:
                    raise Refused(
                        ErrorCode.UNRELEASED_INSTANCE_ID,
                        f"Instance {request.instance_id!r} is in the group as member {known!r}",
                    )
                self._replace(known, member_id, step)
            elif member_id not in state.subscriptions and len(state.subscriptions) >= self._config.max_size:
                raise Refused(ErrorCode.GROUP_MAX_SIZE_REACHED, f"The group has its {self._config.max_size} members")
            return
        self._check_identity(request, member_id, known)
        self._check_epoch(request, state.standing(member_id))

    def _check_identity(self, request: ConsumerHeartbeatRequest, member_id: str, known: str | None) -> None:
        if request.instance_id is not None and known is None and member_id not in self.state.subscriptions:
            raise Refused(ErrorCode.UNKNOWN_MEMBER_ID, f"Instance {request.instance_id!r} is not in the group")
        if known is not None and known != member_id:
            raise Refused(ErrorCode.FENCED_INSTANCE_ID, f"Instance {request.instance_id!r} is member {known!r} now")
        if member_id not in self.state.subscriptions:
            raise Refused(ErrorCode.UNKNOWN_MEMBER_ID, f"Member {member_id!r} is not in the group")

    @staticmethod
    def _check_epoch(request: ConsumerHeartbeatRequest, standing: Standing) -> None:
        epoch = request.member_epoch
        if epoch == standing.member_epoch:
            return
        # The answer that told the new epoch may have been lost.
        repeats = epoch == standing.previous_epoch and epoch < standing.member_epoch
        if not repeats or request.owned is None or not request.owned <= standing.assigned:
            raise Refused(
                ErrorCode.FENCED_MEMBER_EPOCH,
                f"Expected member epoch {standing.member_epoch}, got {epoch}: give up all partitions and join again",
            )

    def _replace(self, old_id: str, member_id: str, step: Step) -> None:
        """A static member that was away is back: what it had is waiting for it."""
        state = self.state
        subscription, target, standing = state.subscriptions[old_id], state.target(old_id), state.standing(old_id)
        self._forget(old_id, step)
        self._emit(MemberSubscription(self.group_id, member_id, subscription), step)
        self._emit(TargetAssignment(self.group_id, member_id, target), step)
        self._emit(
            CurrentAssignment(self.group_id, member_id, replace(standing, member_epoch=0, previous_epoch=0)), step
        )

    def _subscribe(self, request: ConsumerHeartbeatRequest, member_id: str, step: Step) -> bool:
        """Takes what the member says of itself; returns whether that moves the group's epoch."""
        old = self.state.subscriptions.get(member_id)
        new = _merged(old, request)
        if new == old:
            return False
        self._emit(MemberSubscription(self.group_id, member_id, new), step)
        return old is None or _wishes(new) != _wishes(old)

    # -- epochs and targets -------------------------------------------------------------------------------------

    def _refresh(self, catalog: TopicCatalog, now_ms: int, step: Step, *, bumped: bool) -> None:
        """Moves the epoch if members or subscriptions changed, or the topics have since the last look."""
        if not bumped and catalog.version == self._catalog_version:
            return
        self._catalog_version = catalog.version
        topics = self._topics_of(catalog)
        if topics != self.state.topics:
            self._emit(SubscribedTopics(self.group_id, topics), step)
            bumped = True
        if bumped:
            self._emit(GroupEpoch(self.group_id, self.state.epoch + 1), step)
            self._lively_until_ms = now_ms + _LIVELY_MS

    def _topics_of(self, catalog: TopicCatalog) -> dict[str, TopicFacts]:
        wanted: set[str] = set()
        for subscription in self.state.subscriptions.values():
            wanted |= _wanted(subscription, catalog)
        return {name: catalog.topics[name] for name in sorted(wanted) if name in catalog.topics}

    def _retarget(self, catalog: TopicCatalog, step: Step) -> None:
        """Computes who is to have what, if the epoch has moved since that was done last."""
        state = self.state
        if state.epoch == state.assignment_epoch:
            return
        members = [
            Subscriber(
                member_id,
                each.instance_id,
                frozenset(state.topics[name].topic_id for name in _wanted(each, catalog) if name in state.topics),
                state.target(member_id),
            )
            for member_id, each in state.subscriptions.items()
        ]
        counts = {facts.topic_id: facts.partition_count for facts in state.topics.values()}
        for member_id, target in ASSIGNORS[self.assignor](members, counts).items():
            if target != state.target(member_id):
                self._emit(TargetAssignment(self.group_id, member_id, target), step)
        self._emit(TargetEpoch(self.group_id, state.epoch), step)

    @property
    def assignor(self) -> str:
        """What most of the members ask for; the broker's first one when nobody does."""
        offered = self._config.assignors
        votes = Counter(
            each.server_assignor for each in self.state.subscriptions.values() if each.server_assignor in offered
        )
        return max(votes, key=lambda name: (votes[name], -offered.index(name)), default=offered[0]) or offered[0]

    def _advance(self, member_id: str, owned: Partitions | None, now_ms: int, step: Step) -> Standing:
        """Brings a member nearer to its target."""
        state = self.state
        before = state.standing(member_id)
        after = reconcile(
            before,
            state.target(member_id),
            state.assignment_epoch,
            owned,
            lambda partition: state.holder(partition) in (None, member_id),
        )
        if after != before:
            self._emit(CurrentAssignment(self.group_id, member_id, after), step)
            self._revocations_ms.pop(member_id, None)
            if after.state is MemberState.UNREVOKED_PARTITIONS:
                self._revocations_ms[member_id] = now_ms + state.subscriptions[member_id].rebalance_timeout_ms
        return after

    # -- leaving ------------------------------------------------------------------------------------------------

    def _leave(
        self, request: ConsumerHeartbeatRequest, catalog: TopicCatalog, now_ms: int, step: Step
    ) -> ConsumerHeartbeatReply:
        known = None if request.instance_id is None else self.state.static.get(request.instance_id)
        self._check_identity(request, request.member_id, known)
        if request.member_epoch == STATIC_LEAVE_EPOCH:
            standing = self.state.standing(request.member_id)
            away = replace(standing, member_epoch=STATIC_LEAVE_EPOCH, pending_revocation=frozenset())
            self._emit(CurrentAssignment(self.group_id, request.member_id, away), step)
            self._revocations_ms.pop(request.member_id, None)
        else:
            self._remove(request.member_id, catalog, now_ms, step)
        return ConsumerHeartbeatReply(ErrorCode.NONE, None, request.member_id, request.member_epoch)

    def _remove(self, member_id: str, catalog: TopicCatalog, now_ms: int, step: Step) -> None:
        self._forget(member_id, step)
        self._refresh(catalog, now_ms, step, bumped=True)

    def _forget(self, member_id: str, step: Step) -> None:
        self._emit(CurrentAssignment(self.group_id, member_id, None), step)
        self._emit(TargetAssignment(self.group_id, member_id, None), step)
        self._emit(MemberSubscription(self.group_id, member_id, None), step)
        self._sessions_ms.pop(member_id, None)
        self._revocations_ms.pop(member_id, None)

    def _emit(self, record: ConsumerRecord, step: Step) -> None:
        self.state.apply(record)
        step.records.append(record)

    # -- storing ------------------------------------------------------------------------------------------------

    def with_unsaved(self, records: list[ConsumerRecord]) -> list[ConsumerRecord]:
        """Returns what is to be stored now: what an earlier, failed store was about too, as it is by now.

        Nobody is told anything that rests on what is not on the disk, so that is stored even if nothing has changed.
        """
        if not self._unsaved:
            return records
        repeated = [self.state.current(record) for record in self._unsaved.values()]
        self._unsaved.clear()
        return repeated + records

    def not_saved(self, records: Iterable[ConsumerRecord]) -> None:
        """These were decided and are not on the disk: they go with the next ones."""
        for record in records:
            self._unsaved[type(record), getattr(record, "member_id", "")] = record

    # -- offsets ------------------------------------------------------------------------------------------------

    def commit_error(self, request: CommitRequest) -> ErrorCode:
        """Returns whether offsets may be committed."""
        anonymous = request.generation_id < 0 and not request.member_id and request.group_instance_id is None
        if request.generation_id < 0 and self.is_empty:
            return ErrorCode.NONE
        if request.producer_id >= 0 and anonymous:
            # A transactional producer need not know the group: its transactional id fences it.
            return ErrorCode.NONE
        if request.member_id not in self.state.subscriptions:
            return ErrorCode.UNKNOWN_MEMBER_ID
        if request.producer_id < 0 and not request.knows_epochs:
            return ErrorCode.UNSUPPORTED_VERSION
        return self.epoch_error(request.member_id, request.generation_id)

    def epoch_error(self, member_id: str, member_epoch: int) -> ErrorCode:
        """Returns whether a member may do something with the epoch that it names."""
        if member_id not in self.state.subscriptions:
            return ErrorCode.UNKNOWN_MEMBER_ID
        current = self.state.standing(member_id).member_epoch
        return ErrorCode.NONE if member_epoch == current else ErrorCode.STALE_MEMBER_EPOCH

    def subscribes_to(self, topic: str) -> bool:
        """Whether a member reads a topic."""
        return topic in self.state.topics

    # -- time ---------------------------------------------------------------------------------------------------

    def next_deadline_ms(self) -> int | None:
        """Returns when `expire` has something to do at the earliest."""
        return min(self._deadlines(), default=None)

    def _deadlines(self) -> Iterator[int]:
        yield from self._sessions_ms.values()
        yield from self._revocations_ms.values()

    def expire(self, catalog: TopicCatalog, now_ms: int, step: Step) -> None:
        """Removes members that were silent, or did not give up their partitions, for too long."""
        late = {**self._sessions_ms}
        for member_id, deadline_ms in self._revocations_ms.items():
            late[member_id] = min(deadline_ms, late.get(member_id, deadline_ms))
        for member_id, deadline_ms in late.items():
            if deadline_ms <= now_ms:
                self._remove(member_id, catalog, now_ms, step)

    def begin_sessions(self, now_ms: int) -> None:
        """Gives every member that was read back a full session, and time to give up what it has to."""
        for member_id, subscription in self.state.subscriptions.items():
            self._sessions_ms[member_id] = now_ms + self._config.session_timeout_ms
            if self.state.standing(member_id).state is MemberState.UNREVOKED_PARTITIONS:
                self._revocations_ms[member_id] = now_ms + subscription.rebalance_timeout_ms

    def describe(self) -> ConsumerGroupDescription:
        state = self.state
        members = tuple(
            ConsumerMemberDescription(member_id, subscription, state.standing(member_id), state.target(member_id))
            for member_id, subscription in state.subscriptions.items()
        )
        return ConsumerGroupDescription(
            self.group_id, self.state_name, state.epoch, state.assignment_epoch, self.assignor, members
        )


def _wishes(subscription: Subscription) -> tuple[tuple[str, ...], str, str | None]:
    return subscription.topic_names, subscription.topic_regex or "", subscription.server_assignor


def _wanted(subscription: Subscription, catalog: TopicCatalog) -> set[str]:
    wanted = set(subscription.topic_names)
    if subscription.topic_regex:
        wanted |= catalog.matching(subscription.topic_regex)
    return wanted


def _merged(old: Subscription | None, request: ConsumerHeartbeatRequest) -> Subscription:
    """What a member says now, and what it said before where it says nothing."""
    names, regex, timeout_ms = request.topic_names, request.topic_regex, request.rebalance_timeout_ms
    instance_id, rack_id, assignor = request.instance_id, request.rack_id, request.server_assignor
    if old is not None:
        names = old.topic_names if names is None else names
        regex = old.topic_regex if regex is None else regex
        timeout_ms = old.rebalance_timeout_ms if timeout_ms is None else timeout_ms
        instance_id, rack_id = instance_id or old.instance_id, rack_id or old.rack_id
        assignor = assignor or old.server_assignor
    return Subscription(
        instance_id,
        rack_id,
        request.client_id,
        request.client_host,
        tuple(sorted(set(names or ()))),
        regex,
        0 if timeout_ms is None else timeout_ms,
        assignor,
    )
