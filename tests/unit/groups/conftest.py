"""A coordinator with a clock and a store that are moved by hand."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from yeoul.broker.groups.classic.messages import (
    HeartbeatRequest,
    JoinReply,
    JoinRequest,
    LeaveReply,
    LeaveRequest,
    LeavingMember,
    SyncReply,
    SyncRequest,
)
from yeoul.broker.groups.coordinator import Coordinator, GroupConfig
from yeoul.broker.groups.messages import (
    CommitReply,
    CommitRequest,
    CommittedOffset,
    DeleteGroupReply,
    DeleteGroupRequest,
    Effect,
    KeyValue,
    Reply,
    ReplyBody,
    Store,
    TopicPartition,
)
from yeoul.wire.errors import ErrorCode

PROTOCOLS = (("range", b"meta"),)


class Desk:
    """Sends requests and keeps replies by request number; stores succeed at once unless told otherwise."""

    def __init__(self, *, initial_delay_ms: int = 0) -> None:
        self.config = GroupConfig(initial_rebalance_delay_ms=initial_delay_ms, offsets_check_interval_ms=7_200_000)
        self.coordinator = Coordinator(self.config)
        self.now_ms = 1_000
        self.replies: dict[int, ReplyBody] = {}
        self.stored: list[KeyValue] = []
        self.waiting: list[Store] = []
        self.store_at_once = True
        self.store_error = ErrorCode.NONE
        self._number = 0

    def next(self) -> int:
        self._number += 1
        return self._number

    def take(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Reply):
                assert effect.request_id not in self.replies, "a request was answered twice"
                self.replies[effect.request_id] = effect.body
            else:
                self.waiting.append(effect)
        if self.store_at_once:
            self.finish_stores()

    def finish_stores(self) -> None:
        while self.waiting:
            store = self.waiting.pop(0)
            if not self.store_error:
                self.stored += store.records
            self.take(self.coordinator.stored(store.token, self.store_error, self.now_ms))

    def advance(self, duration_ms: int) -> None:
        """Lets time pass; ticks exactly when the coordinator asked for it."""
        end_ms = self.now_ms + duration_ms
        while (deadline_ms := self.coordinator.next_deadline_ms()) is not None and deadline_ms <= end_ms:
            self.now_ms = max(self.now_ms, deadline_ms)
            self.take(self.coordinator.tick(self.now_ms))
        self.now_ms = end_ms

    def join(
        self,
        member_id: str = "",
        *,
        group: str = "g",
        instance: str | None = None,
        protocols: tuple[tuple[str, bytes], ...] = PROTOCOLS,
        require_member_id: bool = False,
        session_timeout_ms: int = 10_000,
        rebalance_timeout_ms: int = 60_000,
        protocol_type: str = "consumer",
        skip_assignment_allowed: bool = False,
    ) -> int:
        number = self.next()
        request = JoinRequest(
            number,
            group,
            member_id,
            f"m{number}",
            instance,
            "client",
            "/127.0.0.1",
            protocol_type,
            protocols,
            session_timeout_ms,
            rebalance_timeout_ms,
            require_member_id,
            skip_assignment_allowed,
        )
        self.take(self.coordinator.handle(request, self.now_ms))
        return number

    def sync(
        self,
        member_id: str,
        generation: int,
        assignments: Mapping[str, bytes] | None = None,
        instance: str | None = None,
    ) -> int:
        number = self.next()
        request = SyncRequest(number, "g", generation, member_id, instance, assignments or {})
        self.take(self.coordinator.handle(request, self.now_ms))
        return number

    def heartbeat(self, member_id: str, generation: int, instance: str | None = None) -> ErrorCode:
        number = self.next()
        self.take(self.coordinator.handle(HeartbeatRequest(number, "g", generation, member_id, instance), self.now_ms))
        return self.replies[number].error  # type: ignore[union-attr, return-value]

    def leave(self, *members: LeavingMember) -> LeaveReply:
        number = self.next()
        self.take(self.coordinator.handle(LeaveRequest(number, "g", members), self.now_ms))
        reply = self.replies[number]
        assert isinstance(reply, LeaveReply)
        return reply

    def send_commit(
        self,
        offsets: Mapping[TopicPartition, int],
        *,
        member_id: str = "",
        generation: int = -1,
        group: str = "g",
        metadata: str = "",
        knows_epochs: bool = True,
    ) -> int:
        number = self.next()
        taken = {partition: CommittedOffset(offset, 0, metadata, self.now_ms) for partition, offset in offsets.items()}
        request = CommitRequest(number, group, generation, member_id, None, taken, knows_epochs=knows_epochs)
        self.take(self.coordinator.handle(request, self.now_ms))
        return number

    def commit(self, offsets: Mapping[TopicPartition, int], **about: object) -> set[ErrorCode]:
        reply = self.replies[self.send_commit(offsets, **about)]  # type: ignore[arg-type]
        assert isinstance(reply, CommitReply)
        return set(reply.errors.values())

    def delete(self, group: str = "g") -> ErrorCode:
        number = self.next()
        self.take(self.coordinator.handle(DeleteGroupRequest(number, group), self.now_ms))
        reply = self.replies[number]
        assert isinstance(reply, DeleteGroupReply)
        return reply.error

    def joined(self, number: int) -> JoinReply:
        reply = self.replies[number]
        assert isinstance(reply, JoinReply)
        return reply

    def synced(self, number: int) -> SyncReply:
        reply = self.replies[number]
        assert isinstance(reply, SyncReply)
        return reply

    def answered(self, number: int) -> bool:
        return number in self.replies

    def state(self, group: str = "g") -> str:
        return self.coordinator.describe_group(group).state

    def stable_pair(self) -> tuple[str, str, int]:
        """Makes a stable group of two; returns leader, follower, generation."""
        first = self.joined(self.join())
        second_join = self.join()
        again = self.join(first.member_id)
        leader, follower = self.joined(again), self.joined(second_join)
        assignments = {leader.member_id: b"A", follower.member_id: b"B"}
        self.sync(follower.member_id, leader.generation_id)
        self.sync(leader.member_id, leader.generation_id, assignments)
        assert self.state() == "Stable"
        return leader.member_id, follower.member_id, leader.generation_id

    def replayed(self) -> Coordinator:
        """A coordinator that was rebuilt from what was stored."""
        fresh = Coordinator(self.config)
        for record in self.stored:
            fresh.replay(record.key, record.value)
        fresh.finish_replay(self.now_ms)
        return fresh

    def restart(self) -> None:
        self.coordinator = self.replayed()
        self.waiting.clear()


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def patient_desk() -> Desk:
    return Desk(initial_delay_ms=50)
