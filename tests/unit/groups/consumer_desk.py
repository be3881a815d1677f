"""Members of consumer groups that do as clients do, a clock and a store that are moved by hand."""

from __future__ import annotations

from collections.abc import Mapping

from yeoul.broker.groups.classic.messages import JoinReply, JoinRequest, LeaveRequest, LeavingMember
from yeoul.broker.groups.config import GroupConfig
from yeoul.broker.groups.consumer.group import ConsumerGroupDescription
from yeoul.broker.groups.consumer.messages import ConsumerHeartbeatReply, ConsumerHeartbeatRequest
from yeoul.broker.groups.consumer.topics import Partitions, TopicCatalog, TopicFacts
from yeoul.broker.groups.coordinator import Coordinator
from yeoul.broker.groups.messages import (
    CommitReply,
    CommitRequest,
    CommittedOffset,
    Effect,
    KeyValue,
    Reply,
    ReplyBody,
    Store,
)
from yeoul.wire.errors import ErrorCode

TOPIC_IDS = {name: name.encode().ljust(16, b"\0") for name in ("t", "u", "tt", "v")}


class ConsumerDesk:
    """Stores succeed at once unless told otherwise."""

    def __init__(self, topics: Mapping[str, int], config: GroupConfig | None = None) -> None:
        self.topics = dict(topics)
        self.config = config or GroupConfig(initial_rebalance_delay_ms=0)
        self.coordinator = Coordinator(self.config)
        self.now_ms = 1_000
        self.stored: list[KeyValue] = []
        self.waiting: list[Store] = []
        self.store_at_once = True
        self.store_error = ErrorCode.NONE
        self.askers: dict[int, Member] = {}
        self.replies: dict[int, ReplyBody] = {}
        self._number = 0
        self._version = 0
        self.publish_topics()

    def publish_topics(self) -> None:
        self._version += 1
        facts = {name: TopicFacts(TOPIC_IDS[name], count) for name, count in self.topics.items()}
        self.coordinator.use_topics(TopicCatalog(facts, self._version))

    def member(self, member_id: str, topics: list[str], **about: object) -> Member:
        return Member(self, member_id, topics, **about)  # type: ignore[arg-type]

    def settled(self, *names: str) -> list[Member]:
        members = [self.member(name, ["t"]) for name in names]
        self.quiet(*members)
        return members

    def quiet(self, *members: Member) -> None:
        """Lets members come until nothing changes."""
        for _ in range(2 * len(members) + 2):
            for member in members:
                member.beat()

    def number(self) -> int:
        self._number += 1
        return self._number

    def ask(self, request: ConsumerHeartbeatRequest | CommitRequest | JoinRequest | LeaveRequest) -> None:
        self.take(self.coordinator.handle(request, self.now_ms))

    def take(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Store):
                self.waiting.append(effect)
                continue
            assert isinstance(effect, Reply)
            assert effect.request_id not in self.replies, "a request was answered twice"
            self.replies[effect.request_id] = effect.body
            asker = self.askers.pop(effect.request_id, None)
            if asker is not None:
                assert isinstance(effect.body, ConsumerHeartbeatReply)
                asker.told(effect.body)
        if self.store_at_once:
            self.finish_stores()

    def finish_stores(self) -> None:
        while self.waiting:
            store = self.waiting.pop(0)
            if not self.store_error:
                self.stored += store.records
            self.take(self.coordinator.stored(store.token, self.store_error, self.now_ms))

    def advance(self, duration_ms: int) -> None:
        end_ms = self.now_ms + duration_ms
        while (deadline_ms := self.coordinator.next_deadline_ms()) is not None and deadline_ms <= end_ms:
            self.now_ms = max(self.now_ms, deadline_ms)
            self.take(self.coordinator.tick(self.now_ms))
        self.now_ms = end_ms

    def replayed(self) -> Coordinator:
        fresh = Coordinator(self.config)
        for record in self.stored:
            fresh.replay(record.key, record.value)
        fresh.finish_replay(self.now_ms)
        return fresh

    def restart(self) -> None:
        """Kills the broker: what was not stored never happened, and who waited hears nothing."""
        self.coordinator = self.replayed()
        self.waiting.clear()
        for member in self.askers.values():
            member.was_cut_off = True
        self.askers.clear()
        self.publish_topics()

    def described(self) -> ConsumerGroupDescription:
        found = self.coordinator.describe_consumer_group("g")
        assert found is not None
        return found

    def commit(
        self, member_id: str, epoch: int, *, topic: str = "t", producer_id: int = -1, knows_epochs: bool = True
    ) -> ErrorCode:
        number = self.number()
        offsets = {(topic, 0): CommittedOffset(5)}
        self.ask(
            CommitRequest(
                number, "g", epoch, member_id, None, offsets, producer_id=producer_id, knows_epochs=knows_epochs
            )
        )
        reply = self.replies[number]
        assert isinstance(reply, CommitReply)
        return reply.errors[topic, 0]

    def classic_join(self) -> JoinReply:
        number = self.number()
        protocols = (("range", b""),)
        self.ask(JoinRequest(number, "g", "", f"m{number}", None, "", "", "consumer", protocols, 10_000, 10_000, False))
        reply = self.replies[number]
        assert isinstance(reply, JoinReply)
        return reply

    def classic_leave(self, member_id: str) -> None:
        self.ask(LeaveRequest(self.number(), "g", (LeavingMember(member_id),)))


class Member:
    """A client's half of the protocol; `owned` is what it reads, which it gives up as soon as it is told to.

    Attributes:
        assigned: What it was told last.
        answers: All that it was told.
        was_cut_off: An answer was lost: like clients, it says everything with its next heartbeat.
    """

    def __init__(
        self,
        desk: ConsumerDesk,
        member_id: str,
        topics: list[str],
        *,
        group: str = "g",
        instance: str | None = None,
        regex: str | None = None,
        assignor: str | None = None,
        rebalance_timeout_ms: int | None = 60_000,
        own_member_id: bool = True,
    ) -> None:
        self.desk = desk
        self.member_id = member_id
        self.topics = topics
        self.group = group
        self.instance = instance
        self.regex = regex
        self.assignor = assignor
        self.rebalance_timeout_ms = rebalance_timeout_ms
        self.own_member_id = own_member_id
        self.epoch = 0
        self.assigned: Partitions = frozenset()
        self.owned: Partitions = frozenset()
        self.answers: list[ConsumerHeartbeatReply] = []
        self.was_cut_off = False

    def send(self, *, epoch: int | None = None, complete: bool = False, confirm: bool = True) -> int:
        number = self.desk.number()
        epoch = self.epoch if epoch is None else epoch
        if epoch == 0:
            self.owned = self.assigned = frozenset()
        full = complete or epoch == 0 or self.was_cut_off
        self.was_cut_off = False
        request = ConsumerHeartbeatRequest(
            number,
            self.group,
            self.member_id,
            f"made-{number}",
            epoch,
            self.instance,
            None,
            "client",
            "/127.0.0.1",
            self.rebalance_timeout_ms if full else None,
            tuple(self.topics) if full else None,
            self.regex if full else None,
            self.assignor if full else None,
            self.owned if full or confirm else None,
            self.own_member_id,
        )
        self.desk.askers[number] = self
        self.desk.ask(request)
        return number

    def gives_up_waiting(self) -> None:
        """Hears no answer any more that is still to come: a client has one heartbeat under way."""
        numbers = [number for number, asker in self.desk.askers.items() if asker is self]
        for number in numbers:
            del self.desk.askers[number]
            self.was_cut_off = True

    def beat(self, **about: object) -> ConsumerHeartbeatReply:
        self.send(**about)  # type: ignore[arg-type]
        return self.answers[-1]

    def told(self, reply: ConsumerHeartbeatReply) -> None:
        self.answers.append(reply)
        if reply.error in (ErrorCode.FENCED_MEMBER_EPOCH, ErrorCode.UNKNOWN_MEMBER_ID):
            self.epoch, self.owned, self.assigned = 0, frozenset(), frozenset()
        elif reply.error:
            self.was_cut_off = True
        elif reply.member_epoch >= 0:
            self.epoch = reply.member_epoch
            if reply.assignment is not None:
                self.assigned = self.owned = reply.assignment

    def settle(self) -> None:
        for _ in range(3):
            self.beat()

    def leave(self, epoch: int = -1) -> ConsumerHeartbeatReply:
        self.owned = self.assigned = frozenset()
        return self.beat(epoch=epoch)
