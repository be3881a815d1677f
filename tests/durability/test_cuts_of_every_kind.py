"""The log cut at every byte where batches are of every kind: compressed, idempotent, transactional, markers; over
segment rolls; index files and the brokers' own topics cut and damaged. What is whole is kept, with all that follows
from it: sequences of producers, open and aborted transactions, groups' offsets, transactions' decisions.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.unit.broker.conftest import Bench

from yeoul.broker.internal_topics import OFFSETS_TOPIC, TRANSACTIONS_TOPIC
from yeoul.clock import SYSTEM_CLOCK
from yeoul.log.errors import LogCorrupt, OutOfOrderSequence
from yeoul.log.partition import Fetched, PartitionLog
from yeoul.log.segment_names import index_path, segment_path
from yeoul.wire.compression import Codec
from yeoul.wire.messages.add_offsets_to_txn import ADD_OFFSETS_TO_TXN, AddOffsetsToTxnRequest
from yeoul.wire.messages.create_topics import CREATE_TOPICS, CreatableTopic, CreateTopicsRequest
from yeoul.wire.messages.describe_transactions import DESCRIBE_TRANSACTIONS, DescribeTransactionsRequest
from yeoul.wire.messages.end_txn import END_TXN, EndTxnRequest
from yeoul.wire.messages.init_producer_id import INIT_PRODUCER_ID, InitProducerIdRequest
from yeoul.wire.messages.offset_commit import (
    OFFSET_COMMIT,
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from yeoul.wire.messages.offset_fetch import (
    OFFSET_FETCH,
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
)
from yeoul.wire.messages.txn_offset_commit import (
    TXN_OFFSET_COMMIT,
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from yeoul.wire.records import Record, encode_batch, read_header

from .test_recovery_from_damaged_files import open_log, values_of

TOPIC = "t"
NOW_MS = SYSTEM_CLOCK.now_ms()


@dataclass(frozen=True)
class Step:
    """One batch, or a marker (`commit` is not None)."""

    count: int = 2
    codec: Codec = Codec.NONE
    producer_id: int = -1
    sequence: int = -1
    transactional: bool = False
    commit: bool | None = None


STEPS = (
    Step(3, Codec.GZIP),
    Step(3, Codec.SNAPPY),
    Step(3, Codec.LZ4),
    Step(3, Codec.ZSTD),
    Step(2, producer_id=7, sequence=0),
    Step(2, Codec.ZSTD, 8, 0, transactional=True),
    Step(2, Codec.LZ4, 7, 2),
    Step(1, producer_id=9, sequence=0, transactional=True),
    Step(producer_id=8, commit=False),
    Step(producer_id=9, commit=True),
    Step(2, Codec.GZIP, 8, 2, transactional=True),
    Step(1, producer_id=7, sequence=4),
)


def batch_of(step: Step, number: int) -> bytearray:
    return encode_batch(
        [Record(at, NOW_MS, b"k", b"%d-%d" % (number, at) * 20) for at in range(step.count)],
        codec=step.codec,
        producer_id=step.producer_id,
        producer_epoch=0 if step.producer_id >= 0 else -1,
        base_sequence=step.sequence,
        transactional=step.transactional,
    )


def write_steps(data_dir: Path, entries: dict[str, str]) -> list[int]:
    """Leaves a log behind as kill -9 would; returns the log's size after each step, over all segments."""
    log = open_log(data_dir)
    partition = log.create_topic(TOPIC, 1, entries).partitions[0]
    sizes = []
    for number, step in enumerate(STEPS):
        if step.commit is not None:
            partition.append_marker(producer_id=step.producer_id, producer_epoch=0, commit=step.commit)
        else:
            batch = batch_of(step, number)
            partition.append(batch, [read_header(batch)])
        log.settle()  # type: ignore[attr-defined]
        sizes.append(partition.size_bytes)
    log._lock.release()
    return sizes


def expected(steps: int) -> tuple[int, list[bytes], int, set[tuple[int, int]]]:
    """End offset, values, last stable offset and aborted transactions after that many steps."""
    offset, values, open_at, aborted = 0, [], dict[int, int](), set[tuple[int, int]]()
    for number, step in enumerate(STEPS[:steps]):
        if step.commit is not None:
            first = open_at.pop(step.producer_id)
            if not step.commit:
                aborted.add((step.producer_id, first))
            offset += 1
            continue
        if step.transactional:
            open_at.setdefault(step.producer_id, offset)
        values += [b"%d-%d" % (number, at) * 20 for at in range(step.count)]
        offset += step.count
    return offset, values, min(open_at.values(), default=offset), aborted


def assert_holds(partition: PartitionLog, steps: int) -> None:
    end_offset, values, stable, aborted = expected(steps)
    assert (partition.end_offset, partition.high_watermark, partition.last_stable_offset) == (
        end_offset,
        end_offset,
        stable,
    )
    assert [value for value in values_of(partition) if value is not None and b"-" in value] == values
    found = set()
    offset = 0
    while offset < stable:
        fetched = partition.read(offset, 1 << 20, stable_only=True)
        fetched = fetched if isinstance(fetched, Fetched) else fetched.load()
        found |= set(fetched.aborted)
        offset = read_end(fetched)
    assert found == {each for each in aborted if each[1] < stable}


def read_end(fetched: Fetched) -> int:
    position, end = 0, 0
    data = bytes(fetched.data)
    while position < len(data):
        header = read_header(data, position)
        position, end = position + header.size_bytes, header.next_offset
    return end


def assert_producers_remember(partition: PartitionLog, steps: int) -> None:
    """The newest surviving batch of producer 7 is known when it is sent again; one that is gone can be sent again."""
    numbers = [at for at, step in enumerate(STEPS) if step.producer_id == 7]
    survived = [at for at in numbers if at < steps]
    if survived:
        again = batch_of(STEPS[survived[-1]], survived[-1])
        before = partition.end_offset
        assert partition.append(again, [read_header(again)]).duplicate
        assert partition.end_offset == before
    lost = [at for at in numbers if at >= steps]
    if len(lost) > 1 and survived:
        later = batch_of(STEPS[lost[1]], lost[1])
        with pytest.raises(OutOfOrderSequence):
            partition.append(later, [read_header(later)])
    if lost:
        again = batch_of(STEPS[lost[0]], lost[0])
        assert not partition.append(again, [read_header(again)]).duplicate


@pytest.mark.parametrize("segment_bytes", [1 << 20, 1024])
def test_batches_of_every_kind_cut_at_every_byte_of_the_last_ones(tmp_path: Path, segment_bytes: int) -> None:
    entries = {"segment.bytes": str(segment_bytes), "index.interval.bytes": "200"}
    sizes = write_steps(tmp_path / "origin", entries)
    directory = tmp_path / "origin" / "topics" / TOPIC / "0"
    last = sorted(directory.glob("*.log"))[-1]
    below = sizes[-1] - last.stat().st_size
    assert (below > 0) == (segment_bytes == 1024)
    ends = {0, *(size - below for size in sizes)}
    for cut in range(last.stat().st_size + 1):
        if cut < last.stat().st_size - 220 and cut % 29 and cut not in ends:
            continue
        shutil.rmtree(tmp_path / "cut", ignore_errors=True)
        shutil.copytree(tmp_path / "origin", tmp_path / "cut")
        with (tmp_path / "cut" / "topics" / TOPIC / "0" / last.name).open("r+b") as file:
            file.truncate(cut)
        log = open_log(tmp_path / "cut")
        whole = sum(size <= below + cut for size in sizes)
        partition = log.topic(TOPIC).partitions[0]
        assert_holds(partition, whole)
        if cut in ends or cut % 37 == 0:
            assert_producers_remember(partition, whole)
            log.close()
            log = open_log(tmp_path / "cut")
            log.close()
        log._lock.release()


def test_a_segment_that_ends_before_the_next_one_begins_is_refused(tmp_path: Path) -> None:
    write_steps(tmp_path / "origin", {"segment.bytes": "1024"})
    directory = tmp_path / "origin" / "topics" / TOPIC / "0"
    first, second = sorted(directory.glob("*.log"))[:2]
    assert second.stat().st_size
    (directory / "checkpoint").unlink()
    for cut in range(1, first.stat().st_size, 41):
        shutil.rmtree(tmp_path / "cut", ignore_errors=True)
        shutil.copytree(tmp_path / "origin", tmp_path / "cut")
        with segment_path(tmp_path / "cut" / "topics" / TOPIC / "0", 0).open("r+b") as file:
            file.truncate(cut)
        with pytest.raises(LogCorrupt, match=r"begins at offset|damaged at position .* were durable"):
            open_log(tmp_path / "cut")


def test_an_index_cut_at_any_byte_or_zero_from_there_never_misplaces_a_read(tmp_path: Path) -> None:
    log = open_log(tmp_path / "origin")
    partition = log.create_topic(TOPIC, 1, {"segment.bytes": "4000", "index.interval.bytes": "300"}).partitions[0]
    count = 60
    for number in range(count):
        batch = encode_batch([Record(0, 1_000 + number, None, b"%03d" % number * 40)])
        partition.append(batch, [read_header(batch)])
    log.settle()  # type: ignore[attr-defined]
    log.close()
    index = index_path(tmp_path / "origin" / "topics" / TOPIC / "0", 0)
    content = index.read_bytes()
    assert len(content) > 100
    damaged = [content[:cut] for cut in range(0, len(content), 3)]
    damaged += [content[:at] + bytes(len(content) - at) for at in range(1, len(content), 5)]
    for data in damaged:
        index.write_bytes(data)
        log = open_log(tmp_path / "origin")
        partition = log.topic(TOPIC).partitions[0]
        assert values_of(partition) == [b"%03d" % number * 40 for number in range(count)]
        for offset in range(0, count, 7):
            fetched = partition.read(offset, 1)
            fetched = fetched if isinstance(fetched, Fetched) else fetched.load()
            assert read_header(bytes(fetched.data)).base_offset == offset
            found = partition.find_timestamp(1_000 + offset)
            assert found is not None
            assert found.offset == offset
        log.close()


def offsets_and_transactions(bench: Bench) -> tuple[int, str]:
    """The committed offset of a group, and the state of a transactional id."""
    topics = [OffsetFetchRequestTopics(name=TOPIC, partition_indexes=[0])]
    group = OffsetFetchRequestGroup(group_id="g", topics=topics)
    answer = bench.ask(OFFSET_FETCH, 8, OffsetFetchRequest(groups=[group]))
    found = [each.committed_offset for topic in answer.groups[0].topics for each in topic.partitions]
    [state] = bench.ask(
        DESCRIBE_TRANSACTIONS, 0, DescribeTransactionsRequest(transactional_ids=["x"])
    ).transaction_states
    return (found[0] if found else -1), state.transaction_state if state.error_code == 0 else "none"


def begin(bench: Bench) -> tuple[int, int]:
    made = bench.ask(INIT_PRODUCER_ID, 4, InitProducerIdRequest(transactional_id="x", transaction_timeout_ms=60_000))
    assert made.error_code == 0
    return made.producer_id, made.producer_epoch


def commit(bench: Bench, offset: int) -> None:
    partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=offset)
    topic = OffsetCommitRequestTopic(name=TOPIC, partitions=[partition])
    answer = bench.ask(OFFSET_COMMIT, 7, OffsetCommitRequest(group_id="g", topics=[topic]))
    assert answer.topics[0].partitions[0].error_code == 0


def commit_in_transaction(bench: Bench, who: tuple[int, int], offset: int, *, ends: bool | None) -> None:
    """One transaction that commits an offset; `ends` says how it ends, None leaves it open."""
    names = {"transactional_id": "x", "producer_id": who[0], "producer_epoch": who[1]}
    bench.ask(ADD_OFFSETS_TO_TXN, 3, AddOffsetsToTxnRequest(group_id="g", **names))
    partition = TxnOffsetCommitRequestPartition(partition_index=0, committed_offset=offset)
    topic = TxnOffsetCommitRequestTopic(name=TOPIC, partitions=[partition])
    answer = bench.ask(TXN_OFFSET_COMMIT, 3, TxnOffsetCommitRequest(group_id="g", topics=[topic], **names))
    assert answer.topics[0].partitions[0].error_code == 0
    if ends is not None:
        assert bench.ask(END_TXN, 3, EndTxnRequest(committed=ends, **names)).error_code == 0


def internal_segments(data_dir: Path) -> dict[str, Path]:
    return {
        name: sorted((data_dir / "topics" / name / "0").glob("*.log"))[-1]
        for name in (OFFSETS_TOPIC, TRANSACTIONS_TOPIC)
    }


def busy_broker(data_dir: Path) -> dict[str, list[tuple[int, tuple[int, str]]]]:
    """Leaves a broker's directory behind as kill -9 would; returns each internal log's size after each step, and what
    the broker answered then."""
    bench = Bench(data_dir)
    bench.ask(
        CREATE_TOPICS,
        7,
        CreateTopicsRequest(topics=[CreatableTopic(name=TOPIC, num_partitions=1, replication_factor=1)]),
    )
    seen: dict[str, list[tuple[int, tuple[int, str]]]] = {OFFSETS_TOPIC: [], TRANSACTIONS_TOPIC: []}
    who = begin(bench)
    steps = [
        lambda: commit(bench, 3),
        lambda: commit_in_transaction(bench, who, 5, ends=True),
        lambda: commit_in_transaction(bench, who, 7, ends=False),
        lambda: commit(bench, 9),
        lambda: commit_in_transaction(bench, who, 11, ends=None),
    ]
    for step in steps:
        step()
        state = offsets_and_transactions(bench)
        for name, path in internal_segments(data_dir).items():
            seen[name].append((path.stat().st_size, state))
    bench.server._log._lock.release()
    bench.loop.close()
    return seen


@pytest.mark.parametrize("name", [OFFSETS_TOPIC, TRANSACTIONS_TOPIC])
def test_the_brokers_own_topics_cut_at_any_byte_are_replayed_as_far_as_they_are_whole(
    tmp_path: Path, name: str
) -> None:
    seen = busy_broker(tmp_path / "origin")[name]
    size = internal_segments(tmp_path / "origin")[name].stat().st_size
    offsets = [-1, *(state[0] for _, state in seen)]
    for cut in range(size, -1, -19):
        shutil.rmtree(tmp_path / "cut", ignore_errors=True)
        shutil.copytree(tmp_path / "origin", tmp_path / "cut")
        path = internal_segments(tmp_path / "cut")[name]
        checkpoint = path.parent / "checkpoint"
        checkpoint.unlink(missing_ok=True)
        with path.open("r+b") as file:
            file.truncate(cut)
        bench = Bench(tmp_path / "cut")
        offset, transaction = offsets_and_transactions(bench)
        whole = sum(end <= cut for end, _ in seen)
        if name == OFFSETS_TOPIC:
            # Within a step lie several batches: the offset of the step before, or already that of the one begun.
            assert offset in offsets[whole : whole + 2], (cut, offset)
        else:
            assert offset == offsets[-1]
            # What was decided and not completed is being completed while the question is asked.
            states = {"none", "Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort"}
            assert transaction in states, (cut, transaction)
        made = bench.ask(
            INIT_PRODUCER_ID, 4, InitProducerIdRequest(transactional_id="x", transaction_timeout_ms=60_000)
        )
        assert made.error_code == 0
        commit_in_transaction(bench, (made.producer_id, made.producer_epoch), 20, ends=True)
        assert offsets_and_transactions(bench) == (20, "CompleteCommit")
        bench.close()
