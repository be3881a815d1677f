from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.log.errors import DuplicateSequence, InvalidBatch, InvalidProducerEpoch, OutOfOrderSequence
from yeoul.log.producers import ProducerStates
from yeoul.wire.records import BatchHeader, Record, encode_batch, read_header

if TYPE_CHECKING:
    from conftest import Bench

LAST = 2**31 - 1


def batch(sequence: int, count: int = 1, *, producer_epoch: int = 0, producer_id: int = 7) -> BatchHeader:
    return BatchHeader(0, 61, 0, 2, 0, 0, count - 1, 5, 5, producer_id, producer_epoch, sequence, count)


def states(*batches: BatchHeader) -> ProducerStates:
    made, offset = ProducerStates(), 0
    for header in batches:
        assert made.check(header) is None
        made.record(header, base_offset=offset, now_ms=1)
        offset += header.record_count
    return made


def test_any_of_the_last_five_batches_is_answered_with_its_offset() -> None:
    made = states(*[batch(sequence, 2) for sequence in range(0, 14, 2)])
    for sequence in range(4, 14, 2):
        known = made.check(batch(sequence, 2))
        assert known is not None
        assert (known.base_offset, known.last_offset) == (sequence, sequence + 1)
    with pytest.raises(DuplicateSequence, match="older than the 5 batches kept"):
        made.check(batch(2, 2))


def test_a_gap_is_out_of_order() -> None:
    with pytest.raises(OutOfOrderSequence, match="Producer 7 at epoch 0: expected sequence 3, got 5"):
        states(batch(0, 3)).check(batch(5))


def test_a_batch_that_overlaps_a_known_one_is_no_duplicate() -> None:
    with pytest.raises(OutOfOrderSequence):
        states(batch(0, 3)).check(batch(0, 2))


def test_an_older_producer_epoch_is_fenced_and_a_newer_one_begins_at_zero() -> None:
    made = states(batch(0, producer_epoch=1))
    with pytest.raises(InvalidProducerEpoch, match="Producer 7 is at epoch 1, got 0"):
        made.check(batch(1, producer_epoch=0))
    with pytest.raises(OutOfOrderSequence, match="begins epoch 2: expected sequence 0, got 1"):
        made.check(batch(1, producer_epoch=2))
    assert made.check(batch(0, producer_epoch=2)) is None


def test_sequences_wrap_around() -> None:
    made = states(batch(LAST - 1, 2))
    assert made.check(batch(0)) is None
    made = states(batch(LAST, 3))
    assert made.check(batch(2)) is None
    with pytest.raises(OutOfOrderSequence):
        made.check(batch(1))


def test_an_unknown_producer_may_begin_anywhere_but_not_below_zero() -> None:
    assert ProducerStates().check(batch(99)) is None
    with pytest.raises(InvalidBatch, match="Expected a sequence of 0 or more from producer 7, got -1"):
        ProducerStates().check(batch(-1))


def test_silent_producers_are_forgotten() -> None:
    made = states(batch(0))
    assert made.expire(now_ms=100, idle_ms=99) == 0
    assert made.expire(now_ms=101, idle_ms=99) == 1
    assert len(made) == 0


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5), st.booleans()), max_size=40))
def test_a_dump_and_load_at_any_point_changes_no_decision(sent: list[tuple[int, int, bool]]) -> None:
    made, offset, following = ProducerStates(), 0, {}
    for producer_id, count, reload in sent:
        header = batch(following.get(producer_id, 0), count, producer_id=producer_id)
        assert made.check(header) is None
        made.record(header, base_offset=offset, now_ms=offset)
        following[producer_id] = header.base_sequence + count
        offset += count
        if reload:
            again = ProducerStates.load(made.dump())
            assert again == made
            made = again
        known = made.check(header)
        assert known is not None
        assert known.last_offset == offset - 1


def send(bench: Bench, sequence: int, value: bytes, producer_epoch: int = 0) -> tuple[int, bool]:
    records = [Record(0, 5, None, value)]
    made = encode_batch(records, producer_id=3, producer_epoch=producer_epoch, base_sequence=sequence)
    appended = bench.partition.append(made, [read_header(made)])
    return appended.base_offset, appended.duplicate


@pytest.mark.parametrize("orderly", [True, False])
def test_producers_are_known_after_a_restart(bench: Bench, orderly: bool) -> None:
    bench.topic(segment_bytes=1024)
    for sequence in range(7):
        send(bench, sequence, b"%d" % sequence * 400)
        bench.settle()
    before = bench.partition.producers.dump()
    bench.restart(orderly=orderly)
    assert [row[:2] + row[3:] for row in bench.partition.producers.dump()] == [row[:2] + row[3:] for row in before]
    assert send(bench, 6, b"6" * 400) == (6, True)
    with pytest.raises(OutOfOrderSequence):
        send(bench, 8, b"8")
    assert send(bench, 7, b"7") == (7, False)
    with pytest.raises(InvalidProducerEpoch):
        send(bench, 0, b"0", producer_epoch=-1)


def test_a_retry_whose_batch_is_not_durable_yet_waits_like_the_first(bench: Bench) -> None:
    partition = bench.topic()
    send(bench, 0, b"v")
    assert send(bench, 0, b"v") == (0, True)
    assert not partition.when_committed(1, lambda failure: None)


def test_a_refused_batch_leaves_no_trace(bench: Bench) -> None:
    partition = bench.topic()
    bench.disk.space_left_bytes = 10
    with pytest.raises(Exception, match="No space"):
        send(bench, 0, b"v" * 100)
    bench.disk.space_left_bytes = None
    assert len(partition.producers) == 0
    assert send(bench, 0, b"v" * 100) == (0, False)
