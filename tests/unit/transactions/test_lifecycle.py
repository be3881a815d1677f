"""What becomes of a transaction: opened, ended, fenced, out of time; with both versions of the protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from yeoul.broker.transactions.coordinator import Coordinator, TransactionConfig
from yeoul.broker.transactions.messages import EndReply, InitReply
from yeoul.broker.transactions.records import State, TransactionValue, encode_key, encode_value
from yeoul.wire.errors import ErrorCode

if TYPE_CHECKING:
    from conftest import Desk

T0, T1 = ("t", 0), ("t", 1)


def test_a_commit_marks_each_partition_once_and_only_then_answers(desk: Desk) -> None:
    producer = desk.init()
    assert desk.add(producer, T1, T0) is ErrorCode.NONE
    desk.at_once = False
    number = desk.send_end(producer, commit=True)
    desk.step()
    assert (desk.state(), number in desk.replies) == ("PrepareCommit", False)
    desk.step()
    assert (desk.state(), desk.error(number)) == ("CompleteCommit", ErrorCode.NONE)
    [marker] = desk.markers
    assert (marker.producer_id, marker.producer_epoch, marker.commit) == (*producer, True)
    assert marker.partitions == (T0, T1)


def test_an_abort_marks_an_abort(desk: Desk) -> None:
    producer = desk.init()
    desk.add(producer, T0)
    assert desk.end(producer, commit=False).error is ErrorCode.NONE
    assert (desk.state(), desk.markers[0].commit) == ("CompleteAbort", False)


def test_the_same_end_again_is_answered_and_the_other_one_refused(desk: Desk) -> None:
    producer = desk.init()
    desk.add(producer, T0)
    desk.end(producer, commit=True)
    assert desk.end(producer, commit=True).error is ErrorCode.NONE
    assert desk.end(producer, commit=False).error is ErrorCode.INVALID_TXN_STATE
    assert len(desk.markers) == 1


def test_there_is_nothing_to_end_before_anything_was_added(desk: Desk) -> None:
    producer = desk.init()
    assert desk.end(producer, commit=True).error is ErrorCode.INVALID_TXN_STATE


def test_requests_wait_for_the_one_under_way_in_their_order(desk: Desk) -> None:
    producer = desk.init()
    desk.at_once = False
    numbers = [
        desk.send_add(producer, T0),
        desk.send_add(producer, T1),
        desk.send_end(producer, commit=True),
        desk.send_add(producer, T1),
    ]
    while desk.waiting:
        desk.step()
    assert [desk.error(number) for number in numbers] == [ErrorCode.NONE] * 4
    assert desk.markers[0].partitions == (T0, T1)
    assert desk.state() == "Ongoing"
    assert list(desk.replies) == [1, *numbers]


def test_only_so_many_requests_wait(new_desk: type[Desk]) -> None:
    desk = new_desk(TransactionConfig(waiting_requests=1))
    desk.at_once = False
    desk.send_init()
    desk.send_init()
    assert desk.error(desk.send_init()) is ErrorCode.CONCURRENT_TRANSACTIONS


def test_a_new_instance_aborts_what_is_open_and_fences_the_old_one(desk: Desk) -> None:
    producer_id, epoch = old = desk.init()
    desk.add(old, T0)
    new = desk.init()
    assert new == (producer_id, epoch + 2)
    assert [(m.producer_epoch, m.commit) for m in desk.markers] == [(epoch + 1, False)]
    assert desk.add(old, T0) is ErrorCode.PRODUCER_FENCED
    assert desk.end(old, commit=True).error is ErrorCode.PRODUCER_FENCED
    assert desk.add(new, T0) is ErrorCode.NONE


def test_an_unknown_name_or_producer_is_no_mapping(desk: Desk) -> None:
    assert desk.add((5, 0), T0) is ErrorCode.INVALID_PRODUCER_ID_MAPPING
    producer_id, epoch = desk.init()
    assert desk.add((producer_id + 1, epoch), T0) is ErrorCode.INVALID_PRODUCER_ID_MAPPING
    assert desk.end((producer_id + 1, epoch), commit=True).error is ErrorCode.INVALID_PRODUCER_ID_MAPPING


@pytest.mark.parametrize("timeout_ms", [0, -1, 900_001])
def test_a_time_out_out_of_bounds_is_refused(desk: Desk, timeout_ms: int) -> None:
    number = desk.send_init(timeout_ms=timeout_ms)
    assert desk.replies[number] == InitReply(ErrorCode.INVALID_TRANSACTION_TIMEOUT)
    assert desk.error(desk.send_init("")) is ErrorCode.INVALID_REQUEST


def test_a_producer_may_ask_for_its_next_epoch_and_ask_again(desk: Desk) -> None:
    producer_id, epoch = first = desk.init()
    assert desk.init(producer=first) == (producer_id, epoch + 1)
    assert desk.init(producer=first) == (producer_id, epoch + 1)
    desk.add((producer_id, epoch + 1), T0)
    assert desk.error(desk.send_init(producer=first)) is ErrorCode.PRODUCER_FENCED
    assert desk.error(desk.send_init(producer=(7, 0))) is ErrorCode.PRODUCER_FENCED


def test_an_open_transaction_is_aborted_when_its_time_is_up(desk: Desk) -> None:
    producer_id, epoch = producer = desk.init(timeout_ms=5_000)
    desk.add(producer, T0)
    desk.advance(2_000)
    desk.add(producer, T1)
    desk.advance(2_999)
    assert desk.state() == "Ongoing"
    desk.advance(1)
    assert desk.state() == "CompleteAbort"
    assert [(m.producer_epoch, m.partitions) for m in desk.markers] == [(epoch + 1, (T0, T1))]
    assert desk.end(producer, commit=True).error is ErrorCode.PRODUCER_FENCED
    assert desk.init() == (producer_id, epoch + 2)


def test_an_unused_name_is_forgotten_after_a_week(desk: Desk) -> None:
    producer = desk.init()
    desk.add(producer, T0)
    desk.end(producer, commit=True)
    desk.advance(7 * 86_400_000 - 1)
    assert desk.state() == "CompleteCommit"
    desk.advance(1)
    assert desk.state() == ""
    assert desk.replayed().values() == {}
    assert desk.init()[0] != producer[0]


def test_a_full_disk_refuses_and_changes_nothing(desk: Desk) -> None:
    producer = desk.init()
    desk.store_error = ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert desk.add(producer, T0) is ErrorCode.COORDINATOR_NOT_AVAILABLE
    desk.store_error = ErrorCode.NONE
    assert desk.state() == "Empty"
    assert desk.add(producer, T0) is ErrorCode.NONE
    desk.store_error = ErrorCode.COORDINATOR_NOT_AVAILABLE
    desk.advance(59_999)
    assert desk.end(producer, commit=True).error is ErrorCode.COORDINATOR_NOT_AVAILABLE
    desk.advance(5_000)
    assert desk.state() == "Ongoing"
    desk.store_error = ErrorCode.NONE
    desk.advance(2_000)
    assert desk.state() == "CompleteAbort"


def test_a_name_that_could_not_be_stored_leaves_no_trace(desk: Desk) -> None:
    desk.store_error = ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert desk.error(desk.send_init()) is ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert desk.coordinator.list_transactions() == []


def test_markers_that_the_disk_refused_are_written_later(desk: Desk) -> None:
    producer = desk.init()
    desk.add(producer, T0)
    desk.marker_error = ErrorCode.KAFKA_STORAGE_ERROR
    number = desk.send_end(producer, commit=True)
    waiting = desk.send_add(producer, T1)
    desk.advance(3_500)
    assert not desk.replies.keys() & {number, waiting}
    desk.marker_error = ErrorCode.NONE
    desk.advance(1_000)
    assert len(desk.markers) == 1
    assert (desk.error(number), desk.error(waiting)) == (ErrorCode.NONE, ErrorCode.NONE)


# -- transactions v2 (KIP-890) ---------------------------------------------------------------------------------------


def test_each_end_brings_the_next_epoch(desk: Desk) -> None:
    producer_id, epoch = producer = desk.init()
    desk.add(producer, T0, bumping=True)
    reply = desk.end(producer, commit=True, bumping=True)
    assert reply == EndReply(ErrorCode.NONE, producer_id, epoch + 1)
    assert desk.markers[0].producer_epoch == epoch + 1
    assert desk.add(producer, T0, bumping=True) is ErrorCode.PRODUCER_FENCED
    assert desk.add((producer_id, epoch + 1), T0, bumping=True) is ErrorCode.NONE


def test_an_end_whose_answer_was_lost_is_answered_again(desk: Desk) -> None:
    producer_id, epoch = producer = desk.init()
    desk.add(producer, T0, bumping=True)
    desk.end(producer, commit=True, bumping=True)
    again = desk.end(producer, commit=True, bumping=True)
    assert again == EndReply(ErrorCode.NONE, producer_id, epoch + 1)
    assert desk.end(producer, commit=False, bumping=True).error is ErrorCode.INVALID_TXN_STATE
    desk.restart()
    assert desk.end(producer, commit=True, bumping=True) == again


def test_an_abort_of_nothing_bumps_the_epoch_too(desk: Desk) -> None:
    producer_id, epoch = producer = desk.init()
    assert desk.end(producer, commit=True, bumping=True).error is ErrorCode.INVALID_TXN_STATE
    assert desk.end(producer, commit=False, bumping=True) == EndReply(ErrorCode.NONE, producer_id, epoch + 1)
    assert desk.end((producer_id, epoch + 1), commit=False, bumping=True).producer_epoch == epoch + 2


def with_epoch(desk: Desk, epoch: int, state: State = State.EMPTY) -> tuple[int, int]:
    """A desk that knows producer 50 at an epoch."""
    partitions = frozenset({T0}) if state is State.ONGOING else frozenset()
    value = TransactionValue(50, epoch, 60_000, state, partitions, desk.now_ms, desk.now_ms, client_version=2)
    desk.coordinator = Coordinator(desk.allocate, desk.config)
    desk.coordinator.replay(encode_key("a"), encode_value(value))
    desk.take(desk.coordinator.finish_replay(desk.now_ms))
    return 50, epoch


def test_a_producer_id_whose_epochs_run_out_is_followed_by_a_new_one(desk: Desk) -> None:
    producer = with_epoch(desk, 32_766, State.ONGOING)
    reply = desk.end(producer, commit=True, bumping=True)
    assert (reply.producer_id, reply.producer_epoch) == (100, 0)
    assert (desk.markers[0].producer_id, desk.markers[0].producer_epoch) == (50, 32_767)
    assert desk.end(producer, commit=True, bumping=True) == reply
    assert desk.init(producer=producer) == (100, 0)


def test_a_producer_that_begins_at_the_last_epoch_gets_a_new_id(desk: Desk) -> None:
    with_epoch(desk, 32_766)
    assert desk.init() == (100, 0)
    with_epoch(desk, 32_766, State.ONGOING)
    assert desk.init() == (101, 0)
    assert desk.markers[0].producer_epoch == 32_767


# -- queries ---------------------------------------------------------------------------------------------------------


def test_records_may_be_written_to_what_was_added_only(desk: Desk) -> None:
    verify = desk.coordinator.verify
    assert verify("a", 1, 0, T0) is ErrorCode.INVALID_PRODUCER_ID_MAPPING
    producer_id, epoch = producer = desk.init()
    assert verify("a", *producer, T0) is ErrorCode.TRANSACTION_ABORTABLE
    desk.add(producer, T0)
    assert verify("a", *producer, T0) is ErrorCode.NONE
    assert verify("a", *producer, T1) is ErrorCode.TRANSACTION_ABORTABLE
    assert verify("a", producer_id, epoch - 1, T0) is ErrorCode.PRODUCER_FENCED
    desk.at_once = False
    desk.send_end(producer, commit=True)
    desk.step()
    assert verify("a", *producer, T0) is ErrorCode.CONCURRENT_TRANSACTIONS


def test_transactions_are_listed_and_described(desk: Desk) -> None:
    first, second = desk.init("a"), desk.init("b")
    desk.add(first, T1, T0)
    desk.advance(500)
    listed = desk.coordinator.list_transactions
    assert [each.transactional_id for each in listed()] == ["a", "b"]
    assert [each.transactional_id for each in listed(["Ongoing"])] == ["a"]
    assert [each.transactional_id for each in listed((), [second[0]])] == ["b"]
    assert [each.transactional_id for each in listed((), (), 1_000)] == ["a"]
    assert listed((), (), 999) == []
    described = desk.coordinator.describe("a")
    assert described is not None
    assert (described.start_ms, described.partitions) == (1_000, (T0, T1))
