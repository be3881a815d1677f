"""Produce: when it is acknowledged, and what a topic's settings make of it."""

from __future__ import annotations

import pytest

from yeoul.clock import SYSTEM_CLOCK
from yeoul.wire import frames
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.create_topics import CREATE_TOPICS, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from yeoul.wire.messages.fetch import FETCH, FetchPartition, FetchRequest, FetchTopic
from yeoul.wire.messages.produce import (
    PRODUCE,
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    TopicProduceData,
)
from yeoul.wire.records import Record, decode_records, encode_batch

from .conftest import Bench, FakeTransport, responses


def create(bench: Bench, **entries: str) -> int:
    configs = [CreatableTopicConfig(name=name.replace("_", "."), value=value) for name, value in entries.items()]
    wanted = CreatableTopic(name="t", num_partitions=2, replication_factor=1, configs=configs)
    return int(bench.ask(CREATE_TOPICS, 7, CreateTopicsRequest(topics=[wanted])).topics[0].error_code)


def request(*partitions: tuple[int, list[Record]], acks: int = -1) -> bytes:
    data = [PartitionProduceData(index=number, records=encode_batch(records)) for number, records in partitions]
    message = ProduceRequest(acks=acks, topic_data=[TopicProduceData(name="t", partition_data=data)])
    return bytes(frames.encode_request(PRODUCE, 9, 1, "c", message))


def results(transport: FakeTransport) -> list[PartitionProduceResponse]:
    [frame] = responses(transport)
    return frames.read_response(PRODUCE, 9, frame)[1].responses[0].partition_responses


def test_nothing_is_acknowledged_or_readable_before_it_is_durable(bench: Bench) -> None:
    create(bench)
    partition = bench.node.log.partition("t", 0)
    assert partition is not None
    connection, transport = bench.connect()
    bench.feed(connection, request((0, [Record(0, 0, None, b"v")])))
    assert (partition.end_offset, partition.high_watermark) == (1, 0)
    assert responses(transport) == []
    bench.until(lambda: bool(responses(transport)))
    assert (results(transport)[0].error_code, partition.high_watermark) == (0, 1)


def test_one_refused_partition_does_not_keep_the_others_from_being_stored(bench: Bench) -> None:
    create(bench)
    connection, transport = bench.connect()
    bench.feed(connection, request((0, [Record(0, 0, None, b"v")]), (7, [Record(0, 0, None, b"v")])))
    bench.until(lambda: bool(responses(transport)))
    assert [(each.error_code, each.base_offset) for each in results(transport)] == [
        (0, 0),
        (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1),
    ]


def test_a_topic_deleted_before_the_bytes_are_durable_fails_its_producers(bench: Bench) -> None:
    create(bench)
    connection, transport = bench.connect()
    bench.feed(connection, request((0, [Record(0, 0, None, b"v")])))
    bench.node.delete_topic(bench.node.log.topic("t"))
    bench.until(lambda: bool(responses(transport)))
    assert results(transport)[0].error_code == ErrorCode.KAFKA_STORAGE_ERROR


def test_an_orderly_end_acknowledges_what_was_appended(bench: Bench) -> None:
    create(bench)
    connection, transport = bench.connect()
    bench.feed(connection, request((0, [Record(0, 0, None, b"v")])))
    bench.close()
    assert results(transport)[0].error_code == 0


def test_log_append_time_replaces_the_producers_time(bench: Bench) -> None:
    assert create(bench, message_timestamp_type="LogAppendTime") == 0
    before_ms = SYSTEM_CLOCK.now_ms()
    connection, transport = bench.connect()
    bench.feed(connection, request((0, [Record(0, 5, None, b"a"), Record(1, 6, None, b"b")])))
    bench.until(lambda: bool(responses(transport)))
    assert results(transport)[0].log_append_time_ms >= before_ms
    wanted = [FetchTopic(topic="t", partitions=[FetchPartition(partition_max_bytes=1 << 20)])]
    [partition] = bench.ask(FETCH, 12, FetchRequest(topics=wanted)).responses[0].partitions
    assert [record.timestamp_ms >= before_ms for record in decode_records(partition.records or b"")] == [True, True]


def test_a_compacted_topic_takes_no_records_without_a_key(bench: Bench) -> None:
    assert create(bench, cleanup_policy="compact") == 0
    connection, transport = bench.connect()
    bench.feed(connection, request((0, [Record(0, 0, b"k", b"v"), Record(1, 0, None, b"v")])))
    bench.until(lambda: bool(responses(transport)))
    assert results(transport)[0].error_code == ErrorCode.INVALID_RECORD


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"name": "bad name"}, ErrorCode.INVALID_TOPIC_EXCEPTION),
        ({"name": "__consumer_offsets"}, ErrorCode.INVALID_TOPIC_EXCEPTION),
        ({"num_partitions": 0}, ErrorCode.INVALID_PARTITIONS),
        ({"num_partitions": 1_000_000}, ErrorCode.INVALID_PARTITIONS),
        ({"replication_factor": 0}, ErrorCode.INVALID_REPLICATION_FACTOR),
        ({"configs": [CreatableTopicConfig(name="retention.mss", value="1")]}, ErrorCode.INVALID_CONFIG),
    ],
)
@pytest.mark.parametrize("validate_only", [False, True])
def test_a_topic_that_cannot_be_is_refused_with_kafkas_code(
    bench: Bench, fields: dict[str, object], code: ErrorCode, validate_only: bool
) -> None:
    wanted = CreatableTopic(**{"name": "n", "num_partitions": 1, "replication_factor": 1, **fields})  # type: ignore[arg-type]
    [refused] = bench.ask(CREATE_TOPICS, 7, CreateTopicsRequest(topics=[wanted], validate_only=validate_only)).topics
    assert refused.error_code == code
    assert refused.error_message
    assert dict(bench.node.log.topics) == {}
