"""The records of `__transaction_state`, and that a coordinator rebuilt from them goes on as if nothing had happened."""

from __future__ import annotations

import contextlib
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yeoul.broker.transactions.records import (
    State,
    TransactionValue,
    decode_key,
    decode_value,
    encode_key,
    encode_value,
)
from yeoul.errors import PeerError
from yeoul.wire.errors import ErrorCode

if TYPE_CHECKING:
    from conftest import Desk

T0, T1 = ("t", 0), ("t", 1)
int64s = st.integers(-(2**63), 2**63 - 1)
ids = st.just(-1) | st.integers(0, 2**63 - 1)
values = st.builds(
    TransactionValue,
    producer_id=int64s,
    producer_epoch=st.integers(-1, 2**15 - 1),
    timeout_ms=st.integers(0, 2**31 - 1),
    state=st.sampled_from([state for state in State if state is not State.EMPTY]),
    partitions=st.frozensets(st.tuples(st.text(max_size=8), st.integers(0, 2**31 - 1)), max_size=5),
    update_ms=int64s,
    start_ms=int64s,
    previous_producer_id=ids,
    next_producer_id=ids,
    client_version=st.integers(0, 2),
)


@given(values)
def test_values_come_back_whole(value: TransactionValue) -> None:
    assert decode_value(encode_value(value)) == value


@given(values, st.data())
def test_a_damaged_value_is_an_error_and_nothing_else(value: TransactionValue, drawn: st.DataObject) -> None:
    encoded = bytearray(encode_value(value))
    encoded[drawn.draw(st.integers(0, len(encoded) - 1))] ^= drawn.draw(st.integers(1, 255))
    with contextlib.suppress(PeerError):
        decode_value(bytes(encoded))
    with pytest.raises(PeerError):
        decode_value(encode_value(value)[: drawn.draw(st.integers(0, 20))])


def test_values_of_version_0_are_read() -> None:
    head = struct.pack(">hqhib", 0, 7, 3, 60_000, State.ONGOING)
    topics = struct.pack(">ih1siii", 1, 1, b"t", 2, 0, 1)
    read = decode_value(head + topics + struct.pack(">qq", 9, 5))
    assert read == TransactionValue(7, 3, 60_000, State.ONGOING, frozenset({T0, T1}), 9, 5)
    empty = struct.pack(">hqhib", 0, 7, 3, 60_000, State.EMPTY) + struct.pack(">iqq", -1, 9, -1)
    assert decode_value(empty) == TransactionValue(7, 3, 60_000, State.EMPTY, frozenset(), 9, -1)


def test_keys_of_other_kinds_are_skipped(desk: Desk) -> None:
    assert decode_key(encode_key("é")) == "é"
    desk.coordinator.replay(struct.pack(">hh", 1, 0), b"anything")
    assert desk.coordinator.values() == {}


actions = st.lists(
    st.one_of(
        st.tuples(st.just("init"), st.integers(0, 1)),
        st.tuples(st.just("add"), st.integers(0, 1), st.integers(0, 2), st.booleans()),
        st.tuples(st.just("end"), st.integers(0, 1), st.booleans(), st.booleans()),
        st.tuples(st.just("advance"), st.integers(0, 50_000)),
        st.tuples(st.just("step"), st.integers(1, 3)),
        st.tuples(st.just("fail"), st.booleans(), st.booleans()),
        st.tuples(st.just("restart")),
    ),
    max_size=40,
)


def perform(desk: Desk, known: dict[int, tuple[int, int]], action: tuple[object, ...]) -> None:
    match action:
        case ("init", who):
            desk.send_init(f"p{who}", timeout_ms=30_000)
        case ("add", int(who), int(partition), bool(bumping)):
            desk.send_add(known[who], ("t", partition), name=f"p{who}", bumping=bumping)
        case ("end", int(who), bool(commit), bool(bumping)):
            desk.send_end(known[who], commit=commit, name=f"p{who}", bumping=bumping)
        case ("advance", int(duration_ms)):
            desk.advance(duration_ms)
        case ("step", int(count)):
            for _ in range(min(count, len(desk.waiting))):
                desk.step()
        case ("fail", stores, markers):
            desk.store_error = ErrorCode.COORDINATOR_NOT_AVAILABLE if stores else ErrorCode.NONE
            desk.marker_error = ErrorCode.KAFKA_STORAGE_ERROR if markers else ErrorCode.NONE
        case ("restart",):
            desk.restart()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=actions)
def test_whatever_happens_requests_are_answered_and_decisions_kept(
    new_desk: type[Desk], script: list[tuple[object, ...]]
) -> None:
    """Stores and markers are done late, fail, and are lost in restarts; then everything settles."""
    desk = new_desk()
    known = {0: desk.init("p0", timeout_ms=30_000), 1: desk.init("p1", timeout_ms=30_000)}
    desk.at_once = False
    asked_before = desk.asked
    for action in script:
        if action[0] == "restart":
            asked_before = desk.asked
        perform(desk, known, action)
        for who in known:
            value = desk.coordinator.values().get(f"p{who}")
            if value is not None:
                known[who] = (value.producer_id, value.producer_epoch)
    desk.store_error = desk.marker_error = ErrorCode.NONE
    desk.at_once = True
    desk.take(())
    desk.advance(40_000)
    settled = desk.coordinator.values()
    unsettled = (State.ONGOING, State.PREPARE_COMMIT, State.PREPARE_ABORT)
    assert not [value for value in settled.values() if value.state in unsettled]
    assert set(range(asked_before + 1, desk.asked + 1)) <= set(desk.replies)
    assert desk.replayed().values() == settled
    check_markers_follow_decisions(desk)
    copy = new_desk().coordinator
    for record in desk.coordinator.snapshot_records():
        copy.replay(record.key, record.value)
    assert copy.values() == settled


def check_markers_follow_decisions(desk: Desk) -> None:
    """Each marker says what was durably decided; where each end has an epoch of its own, that never changes."""
    decided: dict[tuple[int, int], set[bool]] = {}
    for record in desk.stored:
        value = decode_value(record.value) if record.value is not None else None
        if value is not None and value.state.is_prepared:
            outcomes = decided.setdefault((value.producer_id, value.producer_epoch), set())
            outcomes.add(value.state is State.PREPARE_COMMIT)
            assert value.client_version != 2 or len(outcomes) == 1
    for marker in desk.markers:
        assert marker.commit in decided[marker.producer_id, marker.producer_epoch]


@pytest.mark.parametrize("commit", [True, False])
@pytest.mark.parametrize("done", [1, 2])
def test_what_was_decided_is_completed_after_a_crash(desk: Desk, commit: bool, done: int) -> None:
    """The crash comes before the markers are durable, or before the outcome is."""
    producer = desk.init()
    desk.add(producer, T0, T1)
    desk.at_once = False
    desk.send_end(producer, commit=commit)
    for _ in range(done):
        desk.step()
    desk.markers.clear()
    desk.at_once = True
    desk.restart()
    assert [(m.commit, m.producer_epoch, m.partitions) for m in desk.markers] == [(commit, producer[1], (T0, T1))]
    assert desk.state() == ("CompleteCommit" if commit else "CompleteAbort")
    assert desk.end(producer, commit=commit).error is ErrorCode.NONE


def test_an_undecided_transaction_goes_on_and_keeps_its_deadline(desk: Desk) -> None:
    producer = desk.init(timeout_ms=10_000)
    desk.add(producer, T0)
    desk.advance(9_000)
    desk.restart()
    assert desk.add(producer, T1) is ErrorCode.NONE
    desk.advance(1_000)
    assert desk.state() == "CompleteAbort"
    assert desk.markers[0].partitions == (T0, T1)
