"""Groups of the consumer protocol: who is in, who is told what, who is refused; all of it without a broker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from yeoul.broker.groups.classic.messages import JoinReply
from yeoul.broker.groups.config import GroupConfig
from yeoul.broker.groups.consumer.group import ConsumerGroupConfig
from yeoul.wire.errors import ErrorCode

from .consumer_desk import TOPIC_IDS, ConsumerDesk, Member


@pytest.fixture
def desk() -> ConsumerDesk:
    return ConsumerDesk({"t": 4, "u": 2})


def parts(member: Member) -> list[int]:
    return sorted(number for topic, number in member.assigned if topic == TOPIC_IDS["t"])


def test_a_lone_member_has_all_partitions_with_its_first_heartbeat(desk: ConsumerDesk) -> None:
    member = desk.member("a", ["t"])
    reply = member.beat()
    assert (reply.error, reply.member_epoch, parts(member)) == (ErrorCode.NONE, 1, [0, 1, 2, 3])
    assert desk.described().state == "Stable"
    assert member.beat().assignment is None


def test_a_newcomer_gets_a_partition_only_once_its_owner_has_confirmed_that_it_gave_it_up(desk: ConsumerDesk) -> None:
    first = desk.member("a", ["t"])
    first.beat()
    second = desk.member("b", ["t"])
    assert (second.beat().member_epoch, parts(second)) == (2, [])
    told = first.beat()
    assert (told.member_epoch, parts(first)) == (1, [0, 1])
    second.beat()
    assert parts(second) == []
    assert desk.described().state == "Reconciling"
    assert first.beat().member_epoch == 2
    second.beat()
    assert parts(second) == [2, 3]
    assert desk.described().state == "Stable"


def test_who_does_not_confirm_in_time_is_put_out(desk: ConsumerDesk) -> None:
    first = desk.member("a", ["t"], rebalance_timeout_ms=1_000)
    first.beat()
    second = desk.member("b", ["t"])
    second.beat()
    first.beat(confirm=False)
    desk.advance(1_001)
    second.beat()
    assert parts(second) == [0, 1, 2, 3]
    assert first.beat().error is ErrorCode.UNKNOWN_MEMBER_ID


def test_a_silent_member_loses_its_partitions_when_its_session_ends(desk: ConsumerDesk) -> None:
    first, second = desk.settled("a", "b")
    desk.advance(30_000)
    second.beat()
    desk.advance(15_001)
    second.settle()
    assert parts(second) == [0, 1, 2, 3]
    assert first.beat().error is ErrorCode.UNKNOWN_MEMBER_ID


def test_a_member_that_leaves_frees_its_partitions_at_once(desk: ConsumerDesk) -> None:
    first, second = desk.settled("a", "b")
    assert first.leave().error is ErrorCode.NONE
    second.settle()
    assert parts(second) == [0, 1, 2, 3]


def test_an_epoch_that_is_not_the_members_own_is_fenced_but_a_lost_answer_is_not(desk: ConsumerDesk) -> None:
    member = desk.member("a", ["t"])
    member.beat()
    member.topics = ["t", "u"]
    lost = member.beat(complete=True)
    assert lost.member_epoch == 2
    assert member.beat(epoch=1, complete=True).member_epoch == 2
    assert member.beat(epoch=1, confirm=False).error is ErrorCode.FENCED_MEMBER_EPOCH
    assert member.beat(epoch=7).error is ErrorCode.FENCED_MEMBER_EPOCH
    assert member.beat(epoch=0).member_epoch == 2


def test_a_static_member_that_comes_back_has_its_partitions_and_nobody_else_moves(desk: ConsumerDesk) -> None:
    first = desk.member("a", ["t"], instance="one")
    second = desk.member("b", ["t"], instance="two")
    desk.quiet(first, second)
    held, epoch = parts(first), desk.described().epoch
    assert first.leave(epoch=-2).member_epoch == -2
    second.beat()
    again = desk.member("a2", ["t"], instance="one")
    assert again.beat().error is ErrorCode.NONE
    assert (parts(again), desk.described().epoch) == (held, epoch)
    assert first.beat().error is ErrorCode.FENCED_INSTANCE_ID


def test_an_instance_id_that_is_in_use_is_not_given_away(desk: ConsumerDesk) -> None:
    desk.member("a", ["t"], instance="one").beat()
    assert desk.member("b", ["t"], instance="one").beat().error is ErrorCode.UNRELEASED_INSTANCE_ID


def test_topics_that_grow_and_expressions_that_find_more_reach_the_members(desk: ConsumerDesk) -> None:
    member = desk.member("a", [], regex="t.*")
    member.beat()
    assert parts(member) == [0, 1, 2, 3]
    desk.topics["t"] = 5
    desk.topics["tt"] = 1
    desk.publish_topics()
    member.settle()
    assert (len(parts(member)), len(member.assigned)) == (5, 6)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"regex": "(a"}, ErrorCode.INVALID_REGULAR_EXPRESSION),
        ({"assignor": "mine"}, ErrorCode.UNSUPPORTED_ASSIGNOR),
        ({"instance": ""}, ErrorCode.INVALID_REQUEST),
        ({"rebalance_timeout_ms": None}, ErrorCode.INVALID_REQUEST),
        ({"group": ""}, ErrorCode.INVALID_REQUEST),
    ],
)
def test_heartbeats_that_cannot_be_right_are_refused(
    desk: ConsumerDesk, change: dict[str, object], error: ErrorCode
) -> None:
    reply = desk.member("a", ["t"], **change).beat()  # type: ignore[arg-type]
    assert (reply.error, bool(reply.message)) == (error, True)
    assert desk.coordinator.list_groups() == []


def test_a_member_id_is_made_for_members_of_version_0_only(desk: ConsumerDesk) -> None:
    assert desk.member("", ["t"]).beat().error is ErrorCode.INVALID_REQUEST
    reply = desk.member("", ["t"], own_member_id=False).beat()
    assert (reply.error, bool(reply.member_id)) == (ErrorCode.NONE, True)


def test_a_full_group_takes_nobody(desk: ConsumerDesk) -> None:
    desk = ConsumerDesk({"t": 4}, GroupConfig(consumer=ConsumerGroupConfig(max_size=1)))
    assert desk.member("a", ["t"]).beat().error is ErrorCode.NONE
    assert desk.member("b", ["t"]).beat().error is ErrorCode.GROUP_MAX_SIZE_REACHED


def test_the_assignor_that_most_members_ask_for_assigns(desk: ConsumerDesk) -> None:
    first = desk.member("a", ["t", "u"], assignor="range")
    second = desk.member("b", ["t", "u"])
    desk.quiet(first, second)
    assert desk.described().assignor == "range"
    t, u = TOPIC_IDS["t"], TOPIC_IDS["u"]
    assert (first.assigned, second.assigned) == ({(t, 0), (t, 1), (u, 0)}, {(t, 2), (t, 3), (u, 1)})


def test_offsets_need_the_members_epoch(desk: ConsumerDesk) -> None:
    member = desk.member("a", ["t"])
    member.beat()
    assert desk.commit("a", 1) is ErrorCode.NONE
    assert desk.commit("a", 0) is ErrorCode.STALE_MEMBER_EPOCH
    assert desk.commit("x", 1) is ErrorCode.UNKNOWN_MEMBER_ID
    assert desk.commit("", -1) is ErrorCode.UNKNOWN_MEMBER_ID
    assert desk.commit("a", 1, knows_epochs=False) is ErrorCode.UNSUPPORTED_VERSION
    assert desk.commit("a", 0, producer_id=5) is ErrorCode.ILLEGAL_GENERATION
    assert desk.commit("", -1, producer_id=5) is ErrorCode.NONE
    assert desk.coordinator.fetch_error("g", "a", 0) is ErrorCode.STALE_MEMBER_EPOCH
    assert desk.coordinator.fetch_error("g", "x", 1) is ErrorCode.UNKNOWN_MEMBER_ID
    assert desk.coordinator.fetch_error("g", None, -1) is ErrorCode.NONE


def test_a_heartbeat_is_answered_only_once_what_it_rests_on_is_stored(desk: ConsumerDesk) -> None:
    desk.store_at_once = False
    member = desk.member("a", ["t"])
    member.send()
    member.send()
    assert member.answers == []
    desk.finish_stores()
    assert [reply.error for reply in member.answers] == [ErrorCode.NONE, ErrorCode.NONE]


def test_what_could_not_be_stored_is_stored_with_the_next_change(desk: ConsumerDesk) -> None:
    desk.store_error = ErrorCode.COORDINATOR_NOT_AVAILABLE
    member = desk.member("a", ["t"])
    assert member.beat().error is ErrorCode.COORDINATOR_NOT_AVAILABLE
    desk.store_error = ErrorCode.NONE
    other = desk.member("b", ["t"])
    desk.quiet(member, other)
    assert desk.replayed().describe_consumer_group("g") == desk.coordinator.describe_consumer_group("g")


def test_groups_of_both_protocols_take_each_others_place_only_when_they_are_empty(desk: ConsumerDesk) -> None:
    classic = desk.classic_join()
    assert isinstance(classic, JoinReply)
    member = desk.member("a", ["t"])
    assert member.beat().error is ErrorCode.GROUP_ID_NOT_FOUND
    desk.classic_leave(classic.member_id)
    assert member.beat().error is ErrorCode.NONE
    assert [each.group_type for each in desk.coordinator.list_groups()] == ["consumer"]
    assert desk.classic_join().error is ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    desk.restart()
    assert member.beat().error is ErrorCode.NONE
    member.leave()
    assert desk.classic_join().error is ErrorCode.NONE
    assert [each.group_type for each in desk.replayed().list_groups()] == []
    assert [each.group_type for each in desk.coordinator.list_groups(types=["CLASSIC"])] == ["classic"]


def test_offsets_nobody_reads_expire_and_a_group_without_any_vanishes(desk: ConsumerDesk) -> None:
    member = desk.member("a", ["t"])
    member.beat()
    assert desk.commit("a", 1, topic="t") is desk.commit("a", 1, topic="gone") is ErrorCode.NONE

    def days(count: int) -> Iterator[None]:
        for _ in range(count * 86_400 // 40):
            desk.advance(40_000)
            yield None

    for _ in days(8):
        member.beat()
    assert set(desk.coordinator.fetch_offsets("g")) == {("t", 0)}
    member.leave()
    desk.advance(8 * 86_400_000)
    assert desk.coordinator.list_groups() == desk.replayed().list_groups() == []
