"""Offsets that a transaction commits: unstable while it is open, visible when it commits, gone when it aborts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from yeoul.broker.groups.coordinator import Coordinator
from yeoul.broker.groups.messages import CommitReply, CommitRequest, CommittedOffset, TopicPartition
from yeoul.wire.errors import ErrorCode

if TYPE_CHECKING:
    from conftest import Desk

P0, P1 = ("t", 0), ("t", 1)


def commit(
    desk: Desk,
    offsets: Mapping[TopicPartition, int],
    *,
    producer_id: int = 7,
    member_id: str = "",
    generation: int = -1,
) -> set[ErrorCode]:
    number = desk.next()
    taken = {partition: CommittedOffset(offset) for partition, offset in offsets.items()}
    request = CommitRequest(number, "g", generation, member_id, None, taken, producer_id, 0)
    desk.take(desk.coordinator.handle(request, desk.now_ms))
    reply = desk.replies[number]
    assert isinstance(reply, CommitReply)
    return set(reply.errors.values())


def offsets(desk: Desk) -> dict[TopicPartition, int]:
    return {partition: taken.offset for partition, taken in desk.coordinator.fetch_offsets("g").items()}


@pytest.mark.parametrize("committed", [True, False])
def test_they_are_held_back_until_the_transaction_has_ended(desk: Desk, committed: bool) -> None:
    desk.commit({P0: 1})
    assert commit(desk, {P0: 5}) == {ErrorCode.NONE}
    assert commit(desk, {P1: 6}) == {ErrorCode.NONE}
    assert offsets(desk) == {P0: 1}
    assert desk.coordinator.unstable_partitions("g") == {P0, P1}
    assert desk.coordinator.unstable_partitions("other") == set()
    desk.coordinator.end_transaction(7, commit=committed)
    assert offsets(desk) == ({P0: 5, P1: 6} if committed else {P0: 1})
    assert desk.coordinator.unstable_partitions("g") == set()


def test_each_producers_transaction_stands_for_itself(desk: Desk) -> None:
    commit(desk, {P0: 5}, producer_id=7)
    commit(desk, {P1: 6}, producer_id=8)
    desk.coordinator.end_transaction(8, commit=True)
    assert (offsets(desk), desk.coordinator.unstable_partitions("g")) == ({P1: 6}, {P0})


def test_a_commit_that_could_not_be_stored_leaves_the_one_before(desk: Desk) -> None:
    commit(desk, {P0: 5})
    desk.store_error = ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert commit(desk, {P0: 6, P1: 6}) == {ErrorCode.COORDINATOR_NOT_AVAILABLE}
    assert commit(desk, {P1: 6}, producer_id=8) == {ErrorCode.COORDINATOR_NOT_AVAILABLE}
    assert desk.coordinator.unstable_partitions("g") == {P0}
    desk.coordinator.end_transaction(7, commit=True)
    assert offsets(desk) == {P0: 5}


def test_a_member_is_held_to_its_generation_and_a_mere_producer_is_not(desk: Desk) -> None:
    leader, _, generation = desk.stable_pair()
    assert commit(desk, {P0: 1}, member_id=leader, generation=generation) == {ErrorCode.NONE}
    assert commit(desk, {P0: 1}, member_id=leader, generation=generation - 1) == {ErrorCode.ILLEGAL_GENERATION}
    assert commit(desk, {P0: 1}, member_id="stranger", generation=generation) == {ErrorCode.UNKNOWN_MEMBER_ID}
    assert commit(desk, {P0: 1}) == {ErrorCode.NONE}


def test_a_snapshot_with_open_transactions_replays_to_the_same(desk: Desk) -> None:
    desk.commit({P0: 1})
    commit(desk, {P0: 5, P1: 6})
    copy = Coordinator(desk.config)
    for record in desk.coordinator.snapshot_records(desk.now_ms):
        copy.replay(record.key, record.value)
    for producer_id, producer_epoch, records in desk.coordinator.snapshot_transactions():
        for record in records:
            copy.replay(record.key, record.value, producer_id, producer_epoch)
    copy.finish_replay(desk.now_ms)
    for coordinator in (copy, desk.coordinator):
        assert coordinator.unstable_partitions("g") == {P0, P1}
        coordinator.end_transaction(7, commit=True)
    assert copy.fetch_offsets("g") == desk.coordinator.fetch_offsets("g")
    assert offsets(desk) == {P0: 5, P1: 6}
