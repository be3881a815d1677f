from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from yeoul.broker.groups.classic.messages import LeavingMember
from yeoul.wire.errors import ErrorCode

if TYPE_CHECKING:
    from conftest import Desk


def test_one_member_joins_leads_and_gets_its_own_assignment(desk: Desk) -> None:
    joined = desk.joined(desk.join())
    assert (joined.error, joined.generation_id, joined.protocol_name) == (ErrorCode.NONE, 1, "range")
    assert joined.leader == joined.member_id
    assert [(member.member_id, member.metadata) for member in joined.members] == [(joined.member_id, b"meta")]
    synced = desk.synced(desk.sync(joined.member_id, 1, {joined.member_id: b"all"}))
    assert (synced.error, synced.assignment, synced.protocol_type) == (ErrorCode.NONE, b"all", "consumer")
    assert desk.heartbeat(joined.member_id, 1) is ErrorCode.NONE


def test_a_new_dynamic_member_is_told_its_id_first(desk: Desk) -> None:
    first = desk.joined(desk.join(require_member_id=True))
    assert first.error is ErrorCode.MEMBER_ID_REQUIRED
    assert desk.state() == "Empty"
    again = desk.joined(desk.join(first.member_id, require_member_id=True))
    assert (again.error, again.member_id) == (ErrorCode.NONE, first.member_id)


def test_a_promised_member_id_that_is_not_used_expires_without_a_trace(desk: Desk) -> None:
    promised = desk.joined(desk.join(require_member_id=True)).member_id
    desk.advance(10_000)
    assert desk.coordinator.list_groups() == []
    assert desk.coordinator.next_deadline_ms() is None
    assert desk.joined(desk.join(promised)).error is ErrorCode.UNKNOWN_MEMBER_ID


def test_a_second_member_makes_the_first_rejoin_and_both_get_their_parts(desk: Desk) -> None:
    first = desk.joined(desk.join())
    desk.sync(first.member_id, 1, {first.member_id: b"all"})
    second_join = desk.join()
    assert not desk.answered(second_join)
    assert desk.heartbeat(first.member_id, 1) is ErrorCode.REBALANCE_IN_PROGRESS
    again = desk.joined(desk.join(first.member_id))
    second = desk.joined(second_join)
    assert again.generation_id == second.generation_id == 2
    assert (again.leader, second.leader) == (first.member_id, first.member_id)
    assert {member.member_id for member in again.members} == {first.member_id, second.member_id}
    assert second.members == ()
    waiting = desk.sync(second.member_id, 2)
    assert not desk.answered(waiting)
    leading = desk.sync(first.member_id, 2, {first.member_id: b"A", second.member_id: b"B"})
    assert (desk.synced(leading).assignment, desk.synced(waiting).assignment) == (b"A", b"B")


def test_syncs_are_answered_only_once_the_assignment_is_stored(desk: Desk) -> None:
    first = desk.joined(desk.join())
    desk.store_at_once = False
    sync = desk.sync(first.member_id, 1, {first.member_id: b"A"})
    assert not desk.answered(sync)
    assert desk.state() == "CompletingRebalance"
    desk.finish_stores()
    assert desk.synced(sync).assignment == b"A"


def test_a_failed_store_of_the_assignment_sends_the_members_back_to_join(desk: Desk) -> None:
    first = desk.joined(desk.join())
    desk.store_error = ErrorCode.KAFKA_STORAGE_ERROR
    sync = desk.sync(first.member_id, 1, {first.member_id: b"A"})
    assert desk.synced(sync).error is ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert desk.state() == "PreparingRebalance"
    desk.store_error = ErrorCode.NONE
    assert desk.joined(desk.join(first.member_id)).generation_id == 2


def test_members_of_a_starting_group_are_gathered_for_the_initial_delay(patient_desk: Desk) -> None:
    desk = patient_desk
    joins = [desk.join() for _ in range(3)]
    assert not any(desk.answered(join) for join in joins)
    desk.advance(50)
    assert {desk.joined(join).generation_id for join in joins} == {1}
    assert len(desk.joined(joins[0]).members) == 3


def test_a_member_that_leaves_makes_the_rest_rebalance_at_once(desk: Desk) -> None:
    leader, follower, generation = desk.stable_pair()
    left = desk.leave(LeavingMember(leader))
    assert [member.error for member in left.members] == [ErrorCode.NONE]
    assert desk.heartbeat(follower, generation) is ErrorCode.REBALANCE_IN_PROGRESS
    alone = desk.joined(desk.join(follower))
    assert (alone.leader, alone.generation_id, len(alone.members)) == (follower, generation + 1, 1)
    assert desk.heartbeat(leader, generation) is ErrorCode.UNKNOWN_MEMBER_ID


def test_a_silent_member_is_removed_after_its_session_and_not_before(desk: Desk) -> None:
    leader, follower, generation = desk.stable_pair()
    for _ in range(3):
        desk.advance(3_333)
        assert desk.heartbeat(leader, generation) is ErrorCode.NONE
    desk.advance(1)
    assert desk.heartbeat(leader, generation) is ErrorCode.REBALANCE_IN_PROGRESS
    assert desk.joined(desk.join(leader)).members[0].member_id == leader
    assert desk.heartbeat(follower, generation) is ErrorCode.UNKNOWN_MEMBER_ID


def test_who_does_not_rejoin_in_time_is_left_behind(desk: Desk) -> None:
    leader, follower, generation = desk.stable_pair()
    join = desk.join()
    desk.join(leader)
    for _ in range(9):
        # The follower's heartbeats keep its session, but it never rejoins.
        desk.advance(6_000)
        assert desk.heartbeat(follower, generation) is ErrorCode.REBALANCE_IN_PROGRESS
    assert not desk.answered(join)
    desk.advance(6_000)
    assert desk.joined(join).generation_id == generation + 1
    assert desk.heartbeat(follower, generation) is ErrorCode.UNKNOWN_MEMBER_ID


def test_a_leader_that_never_brings_the_assignment_is_replaced(desk: Desk) -> None:
    first = desk.joined(desk.join(rebalance_timeout_ms=20_000))
    second_join = desk.join(rebalance_timeout_ms=20_000)
    desk.join(first.member_id, rebalance_timeout_ms=20_000)
    second = desk.joined(second_join)
    waiting = desk.sync(second.member_id, 2)
    for _ in range(3):
        desk.advance(6_000)
        desk.heartbeat(first.member_id, 2)
    desk.advance(2_000)
    assert desk.synced(waiting).error is ErrorCode.REBALANCE_IN_PROGRESS
    assert desk.joined(desk.join(second.member_id)).leader == second.member_id
    assert desk.heartbeat(first.member_id, 2) is ErrorCode.UNKNOWN_MEMBER_ID


def test_a_group_whose_members_are_gone_is_empty_and_keeps_its_offsets(desk: Desk) -> None:
    leader, follower, generation = desk.stable_pair()
    desk.commit({("t", 0): 5}, member_id=leader, generation=generation)
    desk.leave(LeavingMember(leader), LeavingMember(follower))
    assert desk.state() == "Empty"
    desk.advance(100_000)
    assert desk.coordinator.fetch_offsets("g")["t", 0].offset == 5
    again = desk.joined(desk.join())
    assert again.generation_id > generation


def test_a_new_rebalance_during_sync_sends_everybody_back(desk: Desk) -> None:
    first = desk.joined(desk.join())
    second_join = desk.join()
    desk.join(first.member_id)
    second = desk.joined(second_join)
    waiting = desk.sync(second.member_id, 2)
    third = desk.join()
    assert desk.synced(waiting).error is ErrorCode.REBALANCE_IN_PROGRESS
    late = desk.sync(first.member_id, 2, {first.member_id: b"A"})
    assert desk.synced(late).error is ErrorCode.REBALANCE_IN_PROGRESS
    for member in (first.member_id, second.member_id):
        desk.join(member)
    assert desk.joined(third).generation_id == 3


def test_a_member_that_missed_the_answer_to_its_join_gets_it_again(desk: Desk) -> None:
    first = desk.joined(desk.join())
    again = desk.joined(desk.join(first.member_id))
    assert again == first
    assert desk.synced(desk.sync(first.member_id, 1, {first.member_id: b"A"})).assignment == b"A"


def test_a_follower_rejoining_unchanged_disturbs_nobody_but_a_leader_starts_a_rebalance(desk: Desk) -> None:
    leader, follower, generation = desk.stable_pair()
    assert desk.joined(desk.join(follower)).generation_id == generation
    assert desk.state() == "Stable"
    assert desk.synced(desk.sync(follower, generation)).assignment == b"B"
    desk.join(leader)
    assert desk.state() == "PreparingRebalance"


def test_changed_metadata_of_a_follower_starts_a_rebalance(desk: Desk) -> None:
    _, follower, _ = desk.stable_pair()
    join = desk.join(follower, protocols=(("range", b"other topics"),))
    assert not desk.answered(join)
    assert desk.state() == "PreparingRebalance"


def test_a_cooperative_rebalance_takes_two_generations(desk: Desk) -> None:
    def cooperative(owned: bytes) -> tuple[tuple[str, bytes], ...]:
        return (("cooperative-sticky", owned),)

    first = desk.joined(desk.join(protocols=cooperative(b"")))
    desk.sync(first.member_id, 1, {first.member_id: b"0,1"})
    second_join = desk.join(protocols=cooperative(b""))
    leading = desk.joined(desk.join(first.member_id, protocols=cooperative(b"0,1")))
    second = desk.joined(second_join)
    assert {member.metadata for member in leading.members} == {b"0,1", b""}
    # The first round only takes partition 1 away; it is handed over in the second one.
    desk.sync(second.member_id, 2)
    desk.sync(first.member_id, 2, {first.member_id: b"0", second.member_id: b""})
    again = desk.join(first.member_id, protocols=cooperative(b"0"))
    assert desk.heartbeat(second.member_id, 2) is ErrorCode.REBALANCE_IN_PROGRESS
    desk.join(second.member_id, protocols=cooperative(b""))
    assert desk.joined(again).generation_id == 3
    desk.sync(first.member_id, 3, {first.member_id: b"0", second.member_id: b"1"})
    assert desk.synced(desk.sync(second.member_id, 3)).assignment == b"1"


def test_the_protocol_is_the_one_that_most_members_like_best_among_those_all_speak(desk: Desk) -> None:
    first = desk.joined(desk.join(protocols=(("range", b"r"), ("sticky", b"s"))))
    assert first.protocol_name == "range"
    second = desk.join(protocols=(("sticky", b"s"), ("range", b"r")))
    third = desk.join(protocols=(("sticky", b"s"), ("range", b"r")))
    desk.join(first.member_id, protocols=(("range", b"r"), ("sticky", b"s")))
    assert desk.joined(second).protocol_name == desk.joined(third).protocol_name == "sticky"
    foreign = desk.join(protocols=(("other", b""),))
    assert desk.joined(foreign).error is ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    connect = desk.join(protocol_type="connect")
    assert desk.joined(connect).error is ErrorCode.INCONSISTENT_GROUP_PROTOCOL


@pytest.mark.parametrize(
    ("about", "error"),
    [
        ({"group": ""}, ErrorCode.INVALID_GROUP_ID),
        ({"session_timeout_ms": 5_999}, ErrorCode.INVALID_SESSION_TIMEOUT),
        ({"session_timeout_ms": 1_800_001}, ErrorCode.INVALID_SESSION_TIMEOUT),
        ({"protocols": ()}, ErrorCode.INCONSISTENT_GROUP_PROTOCOL),
        ({"member_id": "nobody"}, ErrorCode.UNKNOWN_MEMBER_ID),
    ],
)
def test_joins_that_cannot_be_are_refused_and_leave_no_group(
    desk: Desk, about: dict[str, str], error: ErrorCode
) -> None:
    assert desk.joined(desk.join(**about)).error is error  # type: ignore[arg-type]
    assert desk.coordinator.list_groups() == []


def test_wrong_generations_and_strangers_are_told_so(desk: Desk) -> None:
    leader, _, generation = desk.stable_pair()
    assert desk.heartbeat(leader, generation + 1) is ErrorCode.ILLEGAL_GENERATION
    assert desk.heartbeat("nobody", generation) is ErrorCode.UNKNOWN_MEMBER_ID
    assert desk.synced(desk.sync(leader, generation - 1)).error is ErrorCode.ILLEGAL_GENERATION
    assert desk.synced(desk.sync("nobody", generation)).error is ErrorCode.UNKNOWN_MEMBER_ID
    assert [m.error for m in desk.leave(LeavingMember("nobody")).members] == [ErrorCode.UNKNOWN_MEMBER_ID]
    assert desk.state() == "Stable"


def test_a_static_member_returns_without_a_rebalance_and_fences_its_former_self(desk: Desk) -> None:
    first = desk.joined(desk.join(instance="a"))
    second_join = desk.join(instance="b")
    desk.join(first.member_id, instance="a")
    second = desk.joined(second_join)
    desk.sync(second.member_id, 2, instance="b")
    desk.sync(first.member_id, 2, {first.member_id: b"A", second.member_id: b"B"}, instance="a")
    back = desk.joined(desk.join(instance="b"))
    assert (back.error, back.generation_id) == (ErrorCode.NONE, 2)
    assert back.member_id != second.member_id
    assert desk.state() == "Stable"
    assert desk.synced(desk.sync(back.member_id, 2, instance="b")).assignment == b"B"
    assert desk.heartbeat(second.member_id, 2, "b") is ErrorCode.FENCED_INSTANCE_ID
    assert desk.heartbeat(first.member_id, 2, "a") is ErrorCode.NONE


@pytest.mark.parametrize("skip", [True, False])
def test_a_returning_static_leader_does_not_assign_again(desk: Desk, skip: bool) -> None:
    first = desk.joined(desk.join(instance="a"))
    desk.sync(first.member_id, 1, {first.member_id: b"A"}, instance="a")
    back = desk.joined(desk.join(instance="a", skip_assignment_allowed=skip))
    assert back.skip_assignment is skip
    assert (back.leader == back.member_id) is skip
    assert len(back.members) == skip
    assert desk.synced(desk.sync(back.member_id, 1, instance="a")).assignment == b"A"


def test_a_static_member_may_be_away_for_its_session_time_out(desk: Desk) -> None:
    first = desk.joined(desk.join(instance="a"))
    desk.sync(first.member_id, 1, {first.member_id: b"A"}, instance="a")
    desk.advance(9_999)
    assert desk.state() == "Stable"
    desk.advance(1)
    assert desk.state() == "Empty"


def test_a_static_member_leaves_by_its_instance_id(desk: Desk) -> None:
    joined = desk.joined(desk.join(instance="a"))
    desk.sync(joined.member_id, 1, {joined.member_id: b"A"}, instance="a")
    left = desk.leave(LeavingMember("", "nobody"), LeavingMember("x", "a"), LeavingMember("", "a"))
    assert [member.error for member in left.members] == [
        ErrorCode.UNKNOWN_MEMBER_ID,
        ErrorCode.FENCED_INSTANCE_ID,
        ErrorCode.NONE,
    ]
    assert desk.state() == "Empty"


def test_descriptions_show_members_and_what_they_agreed_on(desk: Desk) -> None:
    leader, follower, _ = desk.stable_pair()
    described = desk.coordinator.describe_group("g")
    assert (described.state, described.protocol_type, described.protocol_name) == ("Stable", "consumer", "range")
    parts = {(member.member_id, member.assignment, member.metadata) for member in described.members}
    assert parts == {(leader, b"A", b"meta"), (follower, b"B", b"meta")}
    assert [(g.group_id, g.state) for g in desk.coordinator.list_groups(["stable"])] == [("g", "Stable")]
    assert desk.coordinator.list_groups(["Empty"]) == []
    assert desk.coordinator.describe_group("none").state == "Dead"
