"""What readers of committed records see: the last stable offset, aborted transactions, both after a crash anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yeoul.log.errors import InvalidProducerEpoch, InvalidTransactionState, OutOfOrderSequence
from yeoul.log.partition import Appended, ColdRead, Fetched
from yeoul.log.transactions import PartitionTransactions
from yeoul.wire.markers import marker_commits
from yeoul.wire.records import Record, decode_records, encode_batch, iter_batches, read_header

if TYPE_CHECKING:
    from conftest import Bench


def write(
    bench: Bench, producer_id: int, sequence: int, *values: bytes, epoch: int = 0, transactional: bool = True
) -> Appended:
    records = [Record(at, 5, None, value) for at, value in enumerate(values)]
    batch = encode_batch(
        records, producer_id=producer_id, producer_epoch=epoch, base_sequence=sequence, transactional=transactional
    )
    return bench.partition.append(batch, [read_header(batch)])


def end(bench: Bench, producer_id: int, *, commit: bool, epoch: int = 0) -> int:
    return bench.partition.append_marker(producer_id=producer_id, producer_epoch=epoch, commit=commit).base_offset


def read_stable(bench: Bench, offset: int, max_bytes: int = 1 << 20) -> Fetched:
    fetched = bench.partition.read(offset, max_bytes, stable_only=True)
    return fetched.load() if isinstance(fetched, ColdRead) else fetched


def committed_values(bench: Bench, max_bytes: int = 1 << 20) -> list[bytes | None]:
    """Reads as a read_committed client does, one fetch after the other, leaving out what it is told was aborted."""
    offset, values = bench.partition.start_offset, []
    while data := (fetched := read_stable(bench, offset, max_bytes)).data:
        waiting = sorted(fetched.aborted, key=lambda aborted: aborted[1])
        skipped: set[int] = set()
        for position, header in iter_batches(data):
            while waiting and waiting[0][1] <= header.last_offset:
                skipped.add(waiting.pop(0)[0])
            if header.is_control:
                if marker_commits(memoryview(data)[position : position + header.size_bytes]) is False:
                    skipped.discard(header.producer_id)
            elif not (header.is_transactional and header.producer_id in skipped):
                values += [record.value for record in decode_records(data, position) if record.offset >= offset]
            offset = header.next_offset
    return values


def test_the_first_open_transaction_bounds_what_is_stable(bench: Bench) -> None:
    bench.topic()
    bench.append(b"plain")
    write(bench, 1, 0, b"a")
    write(bench, 2, 0, b"b")
    bench.append(b"later")
    bench.settle()
    assert (bench.partition.last_stable_offset, bench.partition.high_watermark) == (1, 4)
    assert committed_values(bench) == [b"plain"]
    end(bench, 1, commit=True)
    bench.settle()
    assert bench.partition.last_stable_offset == 2
    assert committed_values(bench) == [b"plain", b"a"]
    end(bench, 2, commit=False)
    bench.settle()
    assert bench.partition.last_stable_offset == bench.partition.high_watermark == 6
    assert committed_values(bench) == [b"plain", b"a", b"later"]
    assert bench.values()[:4] == [b"plain", b"a", b"b", b"later"]


def test_a_marker_counts_once_it_is_durable(bench: Bench) -> None:
    bench.topic()
    write(bench, 1, 0, b"a")
    bench.settle()
    end(bench, 1, commit=True)
    assert bench.partition.last_stable_offset == 0
    bench.settle()
    assert bench.partition.last_stable_offset == 2


@pytest.mark.parametrize("max_bytes", [1, 150, 400, 1 << 20])
def test_aborted_transactions_are_told_to_whom_they_concern(bench: Bench, max_bytes: int) -> None:
    bench.topic(index_interval_bytes=100, segment_bytes=1_024)
    expected = []
    for number in range(40):
        write(bench, number % 3, number // 3, b"%d" % number)
        end(bench, number % 3, commit=number % 2 == 0)
        expected += [b"%d" % number] if number % 2 == 0 else []
    bench.settle()
    assert bench.partition.segment_count > 3
    assert committed_values(bench, max_bytes) == expected
    bench.restart(orderly=True)
    assert committed_values(bench, max_bytes) == expected
    assert committed_values(bench, max_bytes) == expected


def test_a_read_tells_of_its_own_range_only(bench: Bench) -> None:
    bench.topic()
    for number in range(10):
        write(bench, number, 0, b"x" * 100)
        end(bench, number, commit=False)
    bench.settle()
    assert read_stable(bench, 0, max_bytes=1).aborted == [(0, 0)]
    assert read_stable(bench, 7).aborted == [(producer_id, 2 * producer_id) for producer_id in range(3, 10)]


def test_a_marker_of_a_later_epoch_fences_and_begins_sequences_anew(bench: Bench) -> None:
    bench.topic()
    write(bench, 1, 0, b"a", b"b")
    end(bench, 1, commit=False, epoch=1)
    with pytest.raises(InvalidProducerEpoch):
        write(bench, 1, 2, b"zombie")
    with pytest.raises(OutOfOrderSequence):
        write(bench, 1, 2, b"gap", epoch=1)
    with pytest.raises(InvalidProducerEpoch):
        end(bench, 1, commit=True)
    write(bench, 1, 0, b"c", epoch=1)
    end(bench, 1, commit=True, epoch=1)
    bench.settle()
    assert committed_values(bench) == [b"c"]


def test_a_marker_of_the_same_epoch_lets_sequences_go_on(bench: Bench) -> None:
    bench.topic()
    write(bench, 1, 0, b"a")
    end(bench, 1, commit=True)
    write(bench, 1, 1, b"b")
    with pytest.raises(InvalidTransactionState):
        write(bench, 1, 2, b"outside", transactional=False)


def test_a_producer_with_an_open_transaction_is_not_forgotten(bench: Bench) -> None:
    bench.topic()
    write(bench, 1, 0, b"a")
    write(bench, 2, 0, b"b")
    end(bench, 2, commit=True)
    bench.clock.advance_ms(100)
    assert bench.log.expire_producers(idle_ms=99) == 1
    assert [each.producer_id for each in bench.partition.producers.describe()] == [1]


def test_what_lies_below_the_start_is_forgotten(bench: Bench) -> None:
    bench.topic()
    for number in range(4):
        write(bench, number, 0, b"x")
        end(bench, number, commit=False)
    write(bench, 9, 0, b"open")
    bench.settle()
    bench.partition.advance_start_offset(5)
    assert [row[0] for row in bench.partition.transactions.dump()[1]] == [2, 3]
    bench.partition.advance_start_offset(9)
    assert bench.partition.last_stable_offset == 9


script = st.lists(
    st.tuples(st.integers(1, 3), st.sampled_from(["write", "plain", "commit", "abort"])), min_size=1, max_size=25
)


def perform(bench: Bench, actions: list[tuple[int, str]], sequences: dict[int, int], first: int = 0) -> list[int]:
    """Does what the script says; returns the log's size after each action."""
    sizes_bytes: list[int] = []
    for number, (producer_id, what) in enumerate(actions, first):
        if what == "write":
            write(bench, producer_id, sequences.get(producer_id, 0), b"%d" % number)
            sequences[producer_id] = sequences.get(producer_id, 0) + 1
        elif what == "plain":
            bench.append(b"%d" % number)
        else:
            end(bench, producer_id, commit=what == "commit")
        sizes_bytes.append(bench.partition.size_bytes)
    return sizes_bytes


def expected_of(actions: list[tuple[int, str]]) -> list[bytes]:
    """What a reader of committed records may see, by looking at each record's fate."""
    values: list[bytes] = []
    for number, (producer_id, what) in enumerate(actions):
        if what == "plain":
            values.append(b"%d" % number)
        if what == "write":
            fates = [done for who, done in actions[number:] if who == producer_id and done in ("commit", "abort")]
            if not fates:
                return values
            if fates[0] == "commit":
                values.append(b"%d" % number)
    return values


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=script, max_bytes=st.sampled_from([1, 200, 1 << 20]))
def test_readers_see_what_was_committed_before_the_first_open_record(
    bench: Bench, actions: list[tuple[int, str]], max_bytes: int
) -> None:
    bench = type(bench)()
    bench.topic(index_interval_bytes=64, segment_bytes=1_024)
    perform(bench, actions, {})
    bench.settle()
    assert committed_values(bench, max_bytes) == expected_of(actions)
    for orderly in (False, True):
        bench.restart(orderly=orderly)
        assert committed_values(bench, max_bytes) == expected_of(actions)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=script, checkpointed=st.integers(0, 25))
def test_recovery_at_every_cut_is_as_if_the_rest_had_never_been(
    bench: Bench, actions: list[tuple[int, str]], checkpointed: int
) -> None:
    """A checkpoint stands somewhere; what follows it was never synced, and a crash keeps any number of its bytes."""
    bench, sequences = type(bench)(), {}
    bench.topic()
    perform(bench, actions[:checkpointed], sequences)
    bench.settle()
    bench.restart(orderly=True)
    kept_bytes = bench.partition.size_bytes
    ends_bytes = perform(bench, actions[checkpointed:], sequences, first=checkpointed)
    disk = bench.disk
    for cut in {0, 1, *(end - kept_bytes + nudge for end in ends_bytes for nudge in (-1, 0, 1, 40))}:
        bench.disk = disk
        bench.restart(kept=lambda unsynced_bytes, cut=cut: max(0, min(unsynced_bytes, cut)))
        whole = checkpointed + sum(end - kept_bytes <= cut for end in ends_bytes)
        assert committed_values(bench) == expected_of(actions[:whole])
        fresh = PartitionTransactions()
        replay(fresh, actions[:whole])
        assert bench.partition.transactions == fresh


def replay(state: PartitionTransactions, actions: list[tuple[int, str]]) -> None:
    for offset, (producer_id, what) in enumerate(actions):
        if what == "write":
            state.wrote(producer_id, offset)
        elif what != "plain":
            state.ended(producer_id, offset, commit=what == "commit")


def test_the_state_is_what_its_dump_says() -> None:
    made = PartitionTransactions()
    made.wrote(1, 0)
    made.wrote(2, 1)
    made.ended(1, 2, commit=False)
    made.settle()
    assert PartitionTransactions.load(*made.dump()) == made
    assert made.first_unstable_offset(3) == 1
