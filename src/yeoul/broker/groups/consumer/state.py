"""All that is stored of one consumer group: the sum of its records.

Owns the group's epochs, members, targets and standings, and who holds each partition. Invariant: it changes only
through `apply`, whether the record was just decided or is read back at a start, so a restart rebuilds just what was.
Caller: `group`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

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
from yeoul.broker.groups.consumer.topics import Partitions, TopicFacts, TopicPartitionId

__all__ = ["NEW_STANDING", "ConsumerGroupState"]

NEW_STANDING = Standing(0, -1, MemberState.STABLE, frozenset())
_EMPTY: Partitions = frozenset()


class ConsumerGroupState:
    """A group of that name, without members at first.

    Attributes:
        epoch: Moves with each change of members, subscriptions or topics.
        assignment_epoch: The epoch that the targets were computed for.
        topics: What they were computed from.
        subscriptions: The members, by id.
    """

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        self.epoch = 0
        self.assignment_epoch = 0
        self.topics: Mapping[str, TopicFacts] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.static: dict[str, str] = {}
        self._targets: dict[str, Partitions] = {}
        self._standings: dict[str, Standing] = {}
        self._holders: dict[TopicPartitionId, str] = {}

    def target(self, member_id: str) -> Partitions:
        return self._targets.get(member_id, _EMPTY)

    def standing(self, member_id: str) -> Standing:
        return self._standings.get(member_id, NEW_STANDING)

    def holder(self, partition: TopicPartitionId) -> str | None:
        """Returns who may be reading a partition: it was assigned to it, or is still to be given back by it."""
        return self._holders.get(partition)

    def apply(self, record: ConsumerRecord) -> None:
        """Takes one change."""
        if isinstance(record, CurrentAssignment):
            self._stand(record.member_id, record.content)
        elif isinstance(record, TargetAssignment):
            if record.content is None:
                self._targets.pop(record.member_id, None)
            else:
                self._targets[record.member_id] = record.content
        elif isinstance(record, MemberSubscription):
            self._subscribe(record.member_id, record.content)
        elif isinstance(record, GroupEpoch):
            self.epoch = record.content or 0
        elif isinstance(record, TargetEpoch):
            self.assignment_epoch = record.content or 0
        else:
            self.topics = record.content or {}

    def _subscribe(self, member_id: str, subscription: Subscription | None) -> None:
        old = self.subscriptions.pop(member_id, None) if subscription is None else self.subscriptions.get(member_id)
        if old is not None and old.instance_id is not None and self.static.get(old.instance_id) == member_id:
            del self.static[old.instance_id]
        if subscription is not None:
            self.subscriptions[member_id] = subscription
            if subscription.instance_id is not None:
                self.static[subscription.instance_id] = member_id

    def _stand(self, member_id: str, standing: Standing | None) -> None:
        old = self._standings.pop(member_id, None)
        if old is not None:
            for partition in old.assigned | old.pending_revocation:
                if self._holders.get(partition) == member_id:
                    del self._holders[partition]
        if standing is not None:
            self._standings[member_id] = standing
            self._holders.update(dict.fromkeys(standing.assigned | standing.pending_revocation, member_id))

    def current(self, record: ConsumerRecord) -> ConsumerRecord:
        """Returns the record of the same key as it is now."""
        if isinstance(record, CurrentAssignment):
            return replace(record, content=self._standings.get(record.member_id))
        if isinstance(record, TargetAssignment):
            return replace(record, content=self._targets.get(record.member_id))
        if isinstance(record, MemberSubscription):
            return replace(record, content=self.subscriptions.get(record.member_id))
        if isinstance(record, SubscribedTopics):
            return replace(record, content=self.topics)
        return replace(record, content=self.epoch if isinstance(record, GroupEpoch) else self.assignment_epoch)

    def records(self) -> Iterator[ConsumerRecord]:
        """Yields the records whose sum this is."""
        for member_id, subscription in self.subscriptions.items():
            yield MemberSubscription(self.group_id, member_id, subscription)
        yield SubscribedTopics(self.group_id, self.topics)
        yield GroupEpoch(self.group_id, self.epoch)
        for member_id, target in self._targets.items():
            yield TargetAssignment(self.group_id, member_id, target)
        yield TargetEpoch(self.group_id, self.assignment_epoch)
        for member_id, standing in self._standings.items():
            yield CurrentAssignment(self.group_id, member_id, standing)

    def tombstones(self) -> Iterator[ConsumerRecord]:
        """Yields what makes a group without members vanish."""
        yield TargetEpoch(self.group_id, None)
        yield SubscribedTopics(self.group_id, None)
        yield GroupEpoch(self.group_id, None)
