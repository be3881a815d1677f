"""Whatever members do and however often the broker is killed: no partition is read by two, in the end each is read by
one, and epochs never go backwards.

`YEOUL_FUZZ` sets how many histories are tried.
"""

from __future__ import annotations

import os
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from yeoul.broker.groups.consumer.group import ConsumerGroupDescription
from yeoul.broker.groups.coordinator import Coordinator
from yeoul.wire.errors import ErrorCode

from .consumer_desk import TOPIC_IDS, ConsumerDesk, Member

NAMES = ["a", "b", "c", "d"]
TOPICS = st.sampled_from([["t"], ["t", "u"], ["u"], ["t", "v"]])
HISTORIES = max(50, int(os.environ.get("YEOUL_FUZZ", "0")) // 50)


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.desk = ConsumerDesk({"t": 4, "u": 3})
        self.members: dict[str, Member] = {}
        self.epoch = 0
        self.made = 0

    @rule(name=st.sampled_from(NAMES), topics=TOPICS, static=st.booleans(), ranged=st.booleans())
    def starts(self, name: str, topics: list[str], static: bool, ranged: bool) -> None:
        if name in self.members:
            return
        self.made += 1
        self.members[name] = self.desk.member(
            f"{name}{self.made}",
            topics,
            instance=name if static else None,
            assignor="range" if ranged else None,
            rebalance_timeout_ms=5_000,
        )
        self.members[name].send()

    @staticmethod
    def sends(member: Member, *, epoch: int | None = None, complete: bool = False) -> int:
        """A client has one heartbeat under way: with the next it gives up waiting for the last."""
        member.gives_up_waiting()
        return member.send(epoch=epoch, complete=complete)

    @rule(name=st.sampled_from(NAMES), complete=st.booleans())
    def beats(self, name: str, complete: bool) -> None:
        if name in self.members:
            self.sends(self.members[name], complete=complete)

    @rule(name=st.sampled_from(NAMES))
    def beats_and_hears_nothing(self, name: str) -> None:
        member = self.members.get(name)
        if member is None or member.epoch == 0:
            return
        number = self.sends(member)
        if self.desk.askers.pop(number, None) is not None:
            member.was_cut_off = True

    @rule(name=st.sampled_from(NAMES), topics=TOPICS)
    def subscribes_anew(self, name: str, topics: list[str]) -> None:
        if name in self.members:
            self.members[name].topics = topics
            self.sends(self.members[name], complete=True)

    @rule(name=st.sampled_from(NAMES), for_good=st.booleans())
    def leaves(self, name: str, for_good: bool) -> None:
        member = self.members.pop(name, None)
        if member is not None and member.epoch > 0:
            member.owned = member.assigned = frozenset()
            self.sends(member, epoch=-1 if for_good or member.instance is None else -2)

    @rule(name=st.sampled_from(NAMES))
    def crashes(self, name: str) -> None:
        self.members.pop(name, None)

    @rule(duration_ms=st.sampled_from([10, 6_000, 20_000, 50_000]))
    def time_passes(self, duration_ms: int) -> None:
        """A client that has heard nothing for a session's length stops to read, as clients do."""
        for member in self.members.values():
            if duration_ms >= 6_000:
                member.gives_up_waiting()
                member.owned = frozenset()
                member.epoch = 0
        self.desk.advance(duration_ms)

    @precondition(lambda self: self.desk.topics.get("t", 0) < 7)
    @rule(topic=st.sampled_from(["t", "u", "v"]))
    def topic_grows(self, topic: str) -> None:
        self.desk.topics[topic] = self.desk.topics.get(topic, 0) + 1
        self.desk.publish_topics()

    @rule()
    def stores_are_slow(self) -> None:
        self.desk.store_at_once = False

    @rule()
    def stores_are_done(self) -> None:
        self.desk.store_at_once = True
        self.desk.finish_stores()

    @rule()
    def a_store_fails(self) -> None:
        self.desk.store_error = ErrorCode.COORDINATOR_NOT_AVAILABLE
        self.desk.finish_stores()
        self.desk.store_error = ErrorCode.NONE

    @rule()
    def broker_is_killed(self) -> None:
        stored = self.stored_epoch()
        self.desk.restart()
        assert self.stored_epoch() == stored
        self.epoch = min(self.epoch, stored)

    def stored_epoch(self) -> int:
        found = self.desk.replayed().describe_consumer_group("g")
        return 0 if found is None else found.epoch

    @invariant()
    def no_partition_is_read_by_two(self) -> None:
        owned = [partition for member in self.members.values() for partition in member.owned]
        assert len(owned) == len(set(owned))

    @invariant()
    def the_epoch_never_goes_backwards(self) -> None:
        found = self.desk.coordinator.describe_consumer_group("g")
        if found is not None:
            assert found.epoch >= self.epoch
            self.epoch = found.epoch

    def teardown(self) -> None:
        """Everybody goes on without trouble: what is subscribed to is read by exactly one who subscribes to it."""
        self.stores_are_done()
        for _ in range(4):
            self.desk.advance(15_000)
            for member in self.members.values():
                member.settle()
        self.desk.quiet(*self.members.values())
        self.no_partition_is_read_by_two()
        alive = [member for member in self.members.values() if not member.answers[-1].error]
        assert len(alive) == len(self.members)
        wanted = {
            (TOPIC_IDS[topic], number)
            for member in alive
            for topic in member.topics
            for number in range(self.desk.topics.get(topic, 0))
        }
        assert {partition for member in alive for partition in member.owned} == wanted
        for member in alive:
            assert {topic for topic, _ in member.owned} <= {TOPIC_IDS[name] for name in member.topics}
        if alive:
            assert self.desk.described().state == "Stable"
            self.a_restart_or_a_trimmed_log_changes_nothing()

    def a_restart_or_a_trimmed_log_changes_nothing(self) -> None:
        expected = in_order(self.desk.described())
        assert in_order(self.desk.replayed().describe_consumer_group("g")) == expected
        trimmed = Coordinator(self.desk.config)
        for record in self.desk.coordinator.snapshot_records(self.desk.now_ms):
            trimmed.replay(record.key, record.value)
        assert in_order(trimmed.describe_consumer_group("g")) == expected


def in_order(group: ConsumerGroupDescription | None) -> ConsumerGroupDescription:
    assert group is not None
    return replace(group, members=tuple(sorted(group.members, key=lambda member: member.member_id)))


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=HISTORIES, stateful_step_count=40, deadline=None)
