from __future__ import annotations

import contextlib
import struct
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yeoul.broker.groups.classic.messages import LeavingMember
from yeoul.broker.groups.coordinator import Coordinator
from yeoul.broker.groups.messages import CommitReply, CommittedOffset, DeleteOffsetsRequest
from yeoul.broker.groups.records import (
    GroupValue,
    MemberValue,
    decode_group_value,
    decode_key,
    decode_offset_value,
    encode_group_value,
)
from yeoul.errors import PeerError
from yeoul.wire.errors import ErrorCode

if TYPE_CHECKING:
    from conftest import Desk


def test_a_commit_is_visible_and_answered_once_it_is_stored(desk: Desk) -> None:
    desk.store_at_once = False
    number = desk.send_commit({("t", 0): 7, ("t", 1): 9})
    assert not desk.answered(number)
    assert desk.coordinator.fetch_offsets("g") == {}
    desk.finish_stores()
    assert desk.replies[number] == CommitReply({("t", 0): ErrorCode.NONE, ("t", 1): ErrorCode.NONE})
    assert desk.coordinator.fetch_offsets("g", [("t", 1), ("t", 2)]) == {("t", 1): CommittedOffset(9, 0, "", 1_000)}


def test_a_commit_that_could_not_be_stored_changes_nothing(desk: Desk) -> None:
    desk.commit({("t", 0): 7})
    desk.store_error = ErrorCode.KAFKA_STORAGE_ERROR
    assert desk.commit({("t", 0): 8}) == {ErrorCode.KAFKA_STORAGE_ERROR}
    assert desk.coordinator.fetch_offsets("g")["t", 0].offset == 7


def test_who_may_commit(desk: Desk) -> None:
    assert desk.commit({("t", 0): 1}, group="") == {ErrorCode.INVALID_GROUP_ID}
    assert desk.commit({("t", 0): 1}, generation=3, member_id="x") == {ErrorCode.GROUP_ID_NOT_FOUND}
    assert desk.commit({("t", 0): 1}, generation=3, member_id="x", knows_epochs=False) == {ErrorCode.ILLEGAL_GENERATION}
    assert desk.commit({("t", 0): 1}) == {ErrorCode.NONE}
    leader, _, generation = desk.stable_pair()
    assert desk.commit({("t", 0): 2}) == {ErrorCode.UNKNOWN_MEMBER_ID}
    assert desk.commit({("t", 0): 2}, member_id="x", generation=generation) == {ErrorCode.UNKNOWN_MEMBER_ID}
    assert desk.commit({("t", 0): 2}, member_id=leader, generation=1) == {ErrorCode.ILLEGAL_GENERATION}
    assert desk.commit({("t", 0): 2}, member_id=leader, generation=generation) == {ErrorCode.NONE}
    desk.join()
    assert desk.commit({("t", 0): 3}, member_id=leader, generation=generation) == {ErrorCode.NONE}
    assert desk.coordinator.fetch_offsets("g")["t", 0].offset == 3


def test_commits_between_join_and_sync_are_put_off(desk: Desk) -> None:
    joined = desk.joined(desk.join())
    errors = desk.commit({("t", 0): 1}, member_id=joined.member_id, generation=1)
    assert errors == {ErrorCode.REBALANCE_IN_PROGRESS}


def test_a_commit_keeps_the_session_alive(desk: Desk) -> None:
    joined = desk.joined(desk.join())
    desk.sync(joined.member_id, 1, {})
    for _ in range(4):
        desk.advance(6_000)
        assert desk.commit({("t", 0): 1}, member_id=joined.member_id, generation=1) == {ErrorCode.NONE}


def test_metadata_that_is_too_large_is_refused_alone(desk: Desk) -> None:
    assert desk.commit({("t", 0): 1}, metadata="é" * 2_048) == {ErrorCode.NONE}
    assert desk.commit({("t", 0): 2}, metadata="é" * 2_049) == {ErrorCode.OFFSET_METADATA_TOO_LARGE}
    assert desk.coordinator.fetch_offsets("g")["t", 0].offset == 1


def test_only_an_empty_group_can_be_deleted_and_stays_deleted(desk: Desk) -> None:
    leader, follower, generation = desk.stable_pair()
    desk.commit({("t", 0): 2}, member_id=leader, generation=generation)
    assert desk.delete() is ErrorCode.NON_EMPTY_GROUP
    desk.leave(LeavingMember(leader), LeavingMember(follower))
    assert desk.delete() is ErrorCode.NONE
    assert desk.delete() is ErrorCode.GROUP_ID_NOT_FOUND
    assert desk.coordinator.list_groups() == desk.replayed().list_groups() == []
    assert desk.replayed().fetch_offsets("g") == {}


def test_offsets_of_a_deleted_topic_are_forgotten(desk: Desk) -> None:
    desk.commit({("gone", 0): 2, ("kept", 0): 3})
    desk.take(desk.coordinator.forget_topic("gone"))
    assert set(desk.coordinator.fetch_offsets("g")) == set(desk.replayed().fetch_offsets("g")) == {("kept", 0)}


def test_single_offsets_of_an_empty_group_can_be_deleted(desk: Desk) -> None:
    desk.commit({("t", 0): 2, ("t", 1): 3})
    desk.take(desk.coordinator.handle(DeleteOffsetsRequest(900, "g", (("t", 0), ("u", 0))), desk.now_ms))
    assert desk.replies[900] == CommitReply({("t", 0): ErrorCode.NONE, ("u", 0): ErrorCode.NONE})
    assert set(desk.coordinator.fetch_offsets("g")) == {("t", 1)}


def test_a_stable_group_goes_on_after_a_restart(desk: Desk) -> None:
    leader, follower, generation = desk.stable_pair()
    before = desk.coordinator.describe_group("g")
    desk.restart()
    assert desk.coordinator.describe_group("g") == before
    assert desk.heartbeat(leader, generation) is ErrorCode.NONE
    assert desk.synced(desk.sync(follower, generation)).assignment == b"B"
    desk.advance(9_999)
    assert desk.heartbeat(leader, generation) is ErrorCode.NONE
    desk.advance(1)
    assert desk.heartbeat(leader, generation) is ErrorCode.REBALANCE_IN_PROGRESS


def test_an_emptied_group_is_empty_after_a_restart_and_its_generations_go_on(desk: Desk) -> None:
    leader, follower, generation = desk.stable_pair()
    desk.leave(LeavingMember(leader), LeavingMember(follower))
    desk.restart()
    assert desk.state() == "Empty"
    assert desk.joined(desk.join()).generation_id > generation


def test_a_static_member_that_returned_is_known_by_its_new_id_after_a_restart(desk: Desk) -> None:
    first = desk.joined(desk.join(instance="a"))
    desk.sync(first.member_id, 1, {first.member_id: b"A"}, instance="a")
    back = desk.joined(desk.join(instance="a")).member_id
    desk.restart()
    assert desk.heartbeat(back, 1, "a") is ErrorCode.NONE
    assert desk.heartbeat(first.member_id, 1, "a") is ErrorCode.FENCED_INSTANCE_ID


names = st.text(st.characters(codec="utf-8"), max_size=20)
members = st.builds(
    MemberValue,
    names,
    st.none() | names,
    names,
    names,
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**31 - 1),
    st.binary(max_size=50),
    st.binary(max_size=50),
)


@given(
    st.builds(
        GroupValue,
        names,
        st.integers(0, 2**31 - 1),
        st.none() | names,
        st.none() | names,
        st.integers(-1, 2**62),
        st.lists(members, max_size=4).map(tuple),
    )
)
def test_group_records_survive_a_round_trip(value: GroupValue) -> None:
    assert decode_group_value(encode_group_value(value)) == value


@given(st.binary(max_size=80), st.integers(0, 5))
def test_damaged_records_raise_one_kind_of_error(data: bytes, version: int) -> None:
    for decode in (decode_key, decode_offset_value, decode_group_value):
        with contextlib.suppress(PeerError):
            decode(struct.pack(">h", version) + data)


def test_older_and_flexible_offset_values_are_read() -> None:
    old = struct.pack(">hqh", 1, 7, 1) + b"m" + struct.pack(">qq", 9, 99)
    assert decode_offset_value(old) == CommittedOffset(7, -1, "m", 9)
    flexible = struct.pack(">hqi", 4, 7, 2) + b"\x02m" + struct.pack(">q", 9) + b"\x01\x00\x10" + bytes(16)
    assert decode_offset_value(flexible) == CommittedOffset(7, 2, "m", 9)


def test_keys_of_newer_kinds_of_groups_are_skipped() -> None:
    coordinator = Coordinator()
    coordinator.replay(struct.pack(">h", 9) + b"\x00\x01g", b"whatever")
    coordinator.finish_replay(0)
    assert coordinator.list_groups() == []
    with pytest.raises(PeerError, match="damaged at byte 2 of 3"):
        coordinator.replay(b"\x00\x01\x00", b"")


DAY_MS = 86_400_000

actions = st.one_of(
    st.tuples(st.just("join"), st.sampled_from(["", "0", "1", "2"]), st.sampled_from([None, "a", "b"])),
    st.tuples(st.just("sync"), st.integers(0, 5), st.none()),
    st.tuples(st.just("beat"), st.integers(0, 5), st.none()),
    st.tuples(st.just("leave"), st.integers(0, 5), st.none()),
    st.tuples(st.just("commit"), st.integers(0, 5), st.integers(0, 9)),
    st.tuples(st.just("store"), st.none(), st.none()),
    st.tuples(st.just("time"), st.integers(1, 70_000), st.none()),
)


def play(desk: Desk, course: list[tuple[str, object, object]]) -> list[int]:
    """Plays events of clients that know only what they were told; returns their join and sync requests."""
    asked: list[int] = []
    for kind, what, more in course:
        known = [reply for reply in desk.replies.values() if getattr(reply, "member_id", "")]
        if kind == "join":
            member = known[int(str(what)) % len(known)].member_id if known and what else ""
            asked.append(desk.join(member, instance=more, require_member_id=more is None and not what))
        elif kind == "store":
            desk.finish_stores()
        elif kind == "time":
            desk.advance(int(str(what)))
        elif known:
            told = known[int(str(what)) % len(known)]
            if kind == "sync":
                assignments = {member.member_id: member.member_id.encode() for member in told.members}
                asked.append(desk.sync(told.member_id, told.generation_id, assignments))
            elif kind == "beat":
                desk.heartbeat(told.member_id, told.generation_id)
            elif kind == "leave":
                desk.leave(LeavingMember(told.member_id))
            else:
                desk.send_commit(
                    {("t", int(str(what))): int(str(more))}, member_id=told.member_id, generation=told.generation_id
                )
    return asked


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(course=st.lists(actions, max_size=60), at_once=st.booleans())
def test_any_course_of_events_answers_everybody_and_replays_to_what_was_stored(
    request: pytest.FixtureRequest, course: list[tuple[str, object, object]], at_once: bool
) -> None:
    desk: Desk = type(request.getfixturevalue("desk"))()
    desk.store_at_once = at_once
    asked = play(desk, course)
    desk.store_at_once = True
    desk.finish_stores()
    replayed = desk.replayed()
    assert replayed.fetch_offsets("g") == desk.coordinator.fetch_offsets("g")
    if desk.state() == "Stable":
        assert replayed.describe_group("g") == desk.coordinator.describe_group("g")
    snapshot = Coordinator(desk.config)
    for record in desk.coordinator.snapshot_records(desk.now_ms):
        snapshot.replay(record.key, record.value)
    snapshot.finish_replay(desk.now_ms)
    assert snapshot.fetch_offsets("g") == desk.coordinator.fetch_offsets("g")
    if desk.state() == "Stable":
        assert snapshot.describe_group("g") == desk.coordinator.describe_group("g")
    # Nobody sends anything any more: every session ends, every request is answered.
    desk.advance(10_000_000)
    assert all(desk.answered(number) for number in asked)
    assert desk.state() in ("Empty", "Dead")
    assert desk.replayed().list_groups() == desk.coordinator.list_groups()
    # In the end nobody remembers the group, and no timer is left.
    desk.advance(8 * 86_400_000)
    assert desk.coordinator.list_groups() == desk.replayed().list_groups() == []
    assert desk.coordinator.next_deadline_ms() is None


def test_offsets_of_a_group_without_members_expire_a_retention_after_the_last_one_left(desk: Desk) -> None:
    leader, follower, generation = desk.stable_pair()
    desk.commit({("t", 0): 5}, member_id=leader, generation=generation)
    desk.leave(LeavingMember(leader), LeavingMember(follower))
    desk.advance(6 * DAY_MS)
    desk.restart()
    assert desk.coordinator.fetch_offsets("g")["t", 0].offset == 5
    desk.advance(DAY_MS + 8_000_000)
    assert desk.coordinator.list_groups() == desk.replayed().list_groups() == []
    assert desk.replayed().fetch_offsets("g") == {}


def test_offsets_that_were_committed_without_a_group_expire_by_their_own_age(desk: Desk) -> None:
    desk.commit({("t", 0): 1})
    desk.advance(4 * DAY_MS)
    desk.commit({("t", 1): 2})
    desk.advance(4 * DAY_MS)
    assert set(desk.coordinator.fetch_offsets("g")) == {("t", 1)}
    desk.advance(4 * DAY_MS)
    assert desk.coordinator.list_groups() == []


def test_a_full_classic_group_refuses_newcomers_and_keeps_its_members(desk: Desk) -> None:
    desk.config = replace(desk.config, max_size=2)
    desk.coordinator = Coordinator(desk.config)
    leader, _, _ = desk.stable_pair()
    assert desk.joined(desk.join()).error is ErrorCode.GROUP_MAX_SIZE_REACHED
    assert not desk.answered(desk.join(leader, protocols=(("range", b"other"),)))


def test_a_deletion_of_offsets_spares_topics_that_a_consumer_reads(desk: Desk) -> None:
    metadata = b"\x00\x01" + struct.pack(">i", 1) + b"\x00\x01t" + struct.pack(">i", -1) + struct.pack(">i", 0)
    member = desk.joined(desk.join(protocols=(("range", metadata),)))
    desk.sync(member.member_id, 1, {member.member_id: b""})
    desk.commit({("t", 0): 1, ("u", 0): 2}, member_id=member.member_id, generation=1)
    number = desk.next()
    desk.take(desk.coordinator.handle(DeleteOffsetsRequest(number, "g", (("t", 0), ("u", 0))), desk.now_ms))
    reply = desk.replies[number]
    assert isinstance(reply, CommitReply)
    assert reply.errors == {("t", 0): ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC, ("u", 0): ErrorCode.NONE}
    assert set(desk.coordinator.fetch_offsets("g")) == {("t", 0)}
