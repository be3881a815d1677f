"""Fetch: how long it waits, what wakes it, and what it says of partitions that are not there."""

from __future__ import annotations

import pytest

from yeoul.log.partition import ColdRead, Fetched
from yeoul.wire import frames
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.create_topics import CREATE_TOPICS, CreatableTopic, CreateTopicsRequest
from yeoul.wire.messages.delete_topics import DELETE_TOPICS, DeleteTopicsRequest
from yeoul.wire.messages.fetch import FETCH, FetchPartition, FetchRequest, FetchResponse, FetchTopic
from yeoul.wire.messages.produce import PRODUCE, PartitionProduceData, ProduceRequest, TopicProduceData
from yeoul.wire.records import Record, decode_records, encode_batch

from .conftest import Bench, FakeTransport, responses

HOUR_MS = 3_600_000


def create(bench: Bench, name: str = "t", partitions: int = 1) -> bytes:
    [created] = bench.ask(
        CREATE_TOPICS,
        7,
        CreateTopicsRequest(topics=[CreatableTopic(name=name, num_partitions=partitions, replication_factor=1)]),
    ).topics
    assert created.error_code == 0
    return bytes(created.topic_id)


def produce(bench: Bench, value: bytes, partition: int = 0) -> None:
    batch = encode_batch([Record(0, 0, None, value)])
    data = [TopicProduceData(name="t", partition_data=[PartitionProduceData(index=partition, records=batch)])]
    response = bench.ask(PRODUCE, 9, ProduceRequest(acks=-1, topic_data=data))
    assert response.responses[0].partition_responses[0].error_code == 0


def begin(
    bench: Bench, version: int = 12, *, topic_id: bytes = bytes(16), partitions: int = 1, **fields: object
) -> FakeTransport:
    offset = fields.pop("offset", 0)
    max_bytes = fields.pop("partition_max_bytes", 1 << 20)
    epoch = fields.pop("leader_epoch", -1)
    wanted = [
        FetchPartition(partition=i, fetch_offset=offset, partition_max_bytes=max_bytes, current_leader_epoch=epoch)  # type: ignore[arg-type]
        for i in range(partitions)
    ]
    request = FetchRequest(
        **{"max_wait_ms": HOUR_MS, "min_bytes": 1, **fields},  # type: ignore[arg-type]
        topics=[FetchTopic(topic="t", topic_id=topic_id, partitions=wanted)],
    )
    connection, transport = bench.connect()
    bench.feed(connection, frames.encode_request(FETCH, version, 1, "c", request))
    return transport


def finish(bench: Bench, transport: FakeTransport, version: int = 12) -> FetchResponse:
    bench.until(lambda: bool(responses(transport)))
    [frame] = responses(transport)
    return frames.read_response(FETCH, version, frame)[1]


def test_an_append_to_any_partition_wakes_it(bench: Bench) -> None:
    create(bench, partitions=3)
    transport = begin(bench, partitions=3)
    assert responses(transport) == []
    produce(bench, b"hello", partition=2)
    partitions = finish(bench, transport).responses[0].partitions
    assert [len(each.records or b"") > 0 for each in partitions] == [False, False, True]
    assert [record.value for record in decode_records(partitions[2].records or b"")] == [b"hello"]


def test_it_waits_until_there_is_enough(bench: Bench) -> None:
    create(bench)
    transport = begin(bench, min_bytes=600)
    for _ in range(3):
        produce(bench, bytes(100))
        assert responses(transport) == []
    produce(bench, bytes(100))
    assert len(finish(bench, transport).responses[0].partitions[0].records or b"") >= 600


def test_it_answers_with_what_there_is_when_time_is_up(bench: Bench) -> None:
    create(bench)
    produce(bench, b"little")
    transport = begin(bench, min_bytes=10_000, max_wait_ms=20)
    [partition] = finish(bench, transport).responses[0].partitions
    assert [record.value for record in decode_records(partition.records or b"")] == [b"little"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"offset": 5}, ErrorCode.OFFSET_OUT_OF_RANGE),
        ({"offset": -1}, ErrorCode.OFFSET_OUT_OF_RANGE),
        ({"partitions": 2}, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ({"leader_epoch": 99}, ErrorCode.UNKNOWN_LEADER_EPOCH),
    ],
)
def test_an_error_is_answered_at_once(bench: Bench, fields: dict[str, int], code: ErrorCode) -> None:
    create(bench)
    response = finish(bench, begin(bench, **fields))  # type: ignore[arg-type]
    assert response.responses[0].partitions[-1].error_code == code


def test_topics_are_found_by_id_from_version_13_on(bench: Bench) -> None:
    topic_id = create(bench)
    produce(bench, b"x")
    [topic] = finish(bench, begin(bench, 13, topic_id=topic_id), 13).responses
    assert (topic.topic_id, topic.partitions[0].error_code, topic.partitions[0].high_watermark) == (topic_id, 0, 1)
    [unknown] = finish(bench, begin(bench, 13, topic_id=b"?" * 16), 13).responses
    assert unknown.partitions[0].error_code == ErrorCode.UNKNOWN_TOPIC_ID


def test_a_topic_deleted_while_it_waits_is_unknown_in_the_end(bench: Bench) -> None:
    create(bench)
    transport = begin(bench, max_wait_ms=50)
    bench.ask(DELETE_TOPICS, 4, DeleteTopicsRequest(topic_names=["t"]))
    [partition] = finish(bench, transport).responses[0].partitions
    assert partition.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_the_first_batch_comes_whole_even_if_it_is_too_large(bench: Bench) -> None:
    create(bench, partitions=2)
    produce(bench, bytes(5_000), 0)
    produce(bench, bytes(5_000), 1)
    partitions = finish(bench, begin(bench, partitions=2, max_bytes=100)).responses[0].partitions
    assert [len(each.records or b"") > 5_000 for each in partitions] == [True, False]


def test_what_is_not_in_the_page_cache_is_read_in_a_thread(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    create(bench)
    produce(bench, b"cold")
    partition = bench.node.log.partition("t", 0)
    assert partition is not None
    read = partition.read

    class Cold(ColdRead):
        def __init__(self) -> None:
            pass

        def load(self) -> Fetched:
            found = read(0, 1 << 20)
            assert isinstance(found, Fetched)
            return found

    monkeypatch.setattr(type(partition), "read", lambda *arguments, **settings: Cold())
    [answer] = finish(bench, begin(bench)).responses[0].partitions
    assert [record.value for record in decode_records(answer.records or b"")] == [b"cold"]


def test_a_disk_that_fails_on_a_cold_read_is_an_error_of_the_partition(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(bench)
    produce(bench, b"cold")
    partition = bench.node.log.partition("t", 0)
    assert partition is not None

    class Broken(ColdRead):
        def __init__(self) -> None:
            pass

        def load(self) -> Fetched:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(type(partition), "read", lambda *arguments, **settings: Broken())
    [answer] = finish(bench, begin(bench)).responses[0].partitions
    assert answer.error_code == ErrorCode.KAFKA_STORAGE_ERROR


def test_fetch_sessions_are_declined(bench: Bench) -> None:
    create(bench)
    produce(bench, b"x")
    assert finish(bench, begin(bench, session_epoch=0)).session_id == 0
    assert finish(bench, begin(bench, session_id=-1, session_epoch=-1)).responses, (
        "a full fetch, as kafka-go asks for it"
    )
    refused = finish(bench, begin(bench, session_id=5, session_epoch=1))
    assert refused.error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND
