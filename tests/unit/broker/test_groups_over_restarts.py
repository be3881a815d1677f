"""The group driver: commits that outlive the broker, a trimmed internal topic, stores that fail."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from yeoul.broker.group_driver import OFFSETS_TOPIC, GroupDriver
from yeoul.broker.groups.coordinator import Coordinator
from yeoul.clock import SYSTEM_CLOCK
from yeoul.log.errors import LogFull
from yeoul.log.partition import PartitionLog
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.create_topics import CREATE_TOPICS, CreatableTopic, CreateTopicsRequest
from yeoul.wire.messages.delete_topics import DELETE_TOPICS, DeleteTopicsRequest
from yeoul.wire.messages.offset_commit import (
    OFFSET_COMMIT,
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from yeoul.wire.messages.offset_fetch import OFFSET_FETCH, OffsetFetchRequest
from yeoul.wire.messages.produce import PRODUCE, PartitionProduceData, ProduceRequest, TopicProduceData
from yeoul.wire.records import Record, encode_batch

from .conftest import Bench


def create(bench: Bench, name: str = "t") -> None:
    bench.ask(
        CREATE_TOPICS,
        7,
        CreateTopicsRequest(topics=[CreatableTopic(name=name, num_partitions=2, replication_factor=1)]),
    )


def commit(bench: Bench, group: str, offset: int, topic: str = "t", partition: int = 0) -> int:
    wanted = OffsetCommitRequestPartition(partition_index=partition, committed_offset=offset, committed_metadata="m")
    request = OffsetCommitRequest(group_id=group, topics=[OffsetCommitRequestTopic(name=topic, partitions=[wanted])])
    return int(bench.ask(OFFSET_COMMIT, 8, request).topics[0].partitions[0].error_code)


def committed(bench: Bench, group: str) -> dict[tuple[str, int], int]:
    response = bench.ask(OFFSET_FETCH, 5, OffsetFetchRequest(group_id=group, topics=None))
    return {(t.name, p.partition_index): p.committed_offset for t in response.topics for p in t.partitions}


def test_commits_outlive_the_broker(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    create(bench)
    assert commit(bench, "g", 5) == 0
    assert commit(bench, "g", 7, partition=1) == 0
    assert commit(bench, "g", 6) == 0
    bench.close()
    assert committed(make_bench(), "g") == {("t", 0): 6, ("t", 1): 7}


def test_the_internal_topic_is_trimmed_and_nothing_is_forgotten(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    create(bench)
    driver = GroupDriver(Coordinator(), bench.node.log, SYSTEM_CLOCK, bench.loop, trim_bytes=20_000)
    driver.replay()
    bench.node.groups = driver
    for i in range(400):
        assert commit(bench, f"g{i % 3}", i) == 0
    partition = bench.node.log.partition(OFFSETS_TOPIC, 0)
    assert partition is not None
    assert partition.start_offset > 0
    bench.close()
    bench = make_bench()
    assert [committed(bench, f"g{i}") for i in range(3)] == [{("t", 0): 399}, {("t", 0): 397}, {("t", 0): 398}]


def test_offsets_of_a_deleted_topic_are_forgotten(bench: Bench) -> None:
    create(bench)
    create(bench, "other")
    commit(bench, "g", 5)
    commit(bench, "g", 6, "other")
    bench.ask(DELETE_TOPICS, 4, DeleteTopicsRequest(topic_names=["t"]))
    driver = bench.node.groups
    bench.until(lambda: not driver._stores_pending)
    assert committed(bench, "g") == {("other", 0): 6}


def test_a_commit_that_cannot_be_stored_is_refused_and_not_visible(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(bench)
    assert commit(bench, "g", 1) == 0

    def full(*arguments: object) -> None:
        raise LogFull("No space")

    monkeypatch.setattr(PartitionLog, "append", full)
    assert commit(bench, "g", 2) == ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert committed(bench, "g") == {("t", 0): 1}


def test_a_commit_for_an_unknown_partition_is_refused_alone(bench: Bench) -> None:
    create(bench)
    assert commit(bench, "g", 1, "nowhere") == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert committed(bench, "g") == {}


def test_clients_may_not_write_to_the_internal_topic(bench: Bench) -> None:
    create(bench)
    commit(bench, "g", 1)
    batch = encode_batch([Record(0, 0, b"k", b"v")])
    data = [TopicProduceData(name=OFFSETS_TOPIC, partition_data=[PartitionProduceData(records=batch)])]
    response = bench.ask(PRODUCE, 9, ProduceRequest(acks=-1, topic_data=data))
    assert response.responses[0].partition_responses[0].error_code == ErrorCode.INVALID_TOPIC_EXCEPTION
