"""A connection: frames however they are cut, answers in order, and limits that hold one peer back."""

from __future__ import annotations

import struct

import pytest

from yeoul.broker.buffers import BufferStore
from yeoul.wire import frames
from yeoul.wire.errors import ProtocolError
from yeoul.wire.messages.api_versions import API_VERSIONS, ApiVersionsRequest
from yeoul.wire.messages.fetch import FETCH, FetchPartition, FetchRequest, FetchTopic
from yeoul.wire.messages.metadata import METADATA, MetadataRequest, MetadataRequestTopic
from yeoul.wire.messages.produce import PRODUCE, PartitionProduceData, ProduceRequest, TopicProduceData
from yeoul.wire.records import Record, encode_batch

from .conftest import Bench, correlation_ids, responses


def versions_request(number: int) -> bytes:
    return bytes(frames.encode_request(API_VERSIONS, 3, number, "c", ApiVersionsRequest()))


def fetch_request(number: int, max_wait_ms: int, offset: int = 0) -> bytes:
    partition = FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=1 << 20)
    request = FetchRequest(max_wait_ms=max_wait_ms, min_bytes=1, topics=[FetchTopic(topic="t", partitions=[partition])])
    return bytes(frames.encode_request(FETCH, 12, number, "c", request))


def produce_request(number: int, size_bytes: int = 10, acks: int = -1) -> bytes:
    batch = encode_batch([Record(0, 0, None, bytes(size_bytes))])
    data = [TopicProduceData(name="t", partition_data=[PartitionProduceData(index=0, records=batch)])]
    return bytes(frames.encode_request(PRODUCE, 9, number, "c", ProduceRequest(acks=acks, topic_data=data)))


def make_topic(bench: Bench) -> None:
    bench.ask(METADATA, 4, MetadataRequest(topics=[MetadataRequestTopic(name="t")]))


@pytest.mark.parametrize("piece_bytes", [1, 3, 7, 64, 1 << 20])
def test_frames_are_found_however_the_bytes_are_cut(bench: Bench, piece_bytes: int) -> None:
    connection, transport = bench.connect()
    bench.feed(connection, b"".join(versions_request(i) for i in range(20)), piece_bytes)
    bench.until(lambda: len(responses(transport)) == 20)
    assert correlation_ids(transport) == list(range(20))


@pytest.mark.parametrize("piece_bytes", [1_000, 65_536, 1 << 30])
def test_a_frame_larger_than_the_small_buffer_arrives_whole(bench: Bench, piece_bytes: int) -> None:
    make_topic(bench)
    connection, transport = bench.connect()
    stream = b"".join(produce_request(i, 300_000) + versions_request(100 + i) for i in range(4))
    bench.feed(connection, stream, piece_bytes)
    bench.until(lambda: len(responses(transport)) == 8)
    assert correlation_ids(transport) == [0, 100, 1, 101, 2, 102, 3, 103]
    partition = bench.node.log.partition("t", 0)
    assert partition is not None
    assert partition.high_watermark == 4


def test_a_later_answer_waits_for_an_earlier_one(bench: Bench) -> None:
    make_topic(bench)
    connection, transport = bench.connect()
    bench.feed(connection, fetch_request(1, 60_000) + versions_request(2))
    assert responses(transport) == []
    other, others = bench.connect()
    bench.feed(other, produce_request(7))
    bench.until(lambda: len(responses(transport)) == 2)
    assert correlation_ids(transport) == [1, 2]
    assert correlation_ids(others) == [7]


def test_answers_of_one_tick_leave_in_one_write(bench: Bench) -> None:
    connection, transport = bench.connect()
    bench.feed(connection, b"".join(versions_request(i) for i in range(5)))
    assert transport.writes == 1


def test_too_many_unanswered_requests_pause_their_connection(bench: Bench) -> None:
    make_topic(bench)
    connection, transport = bench.connect()
    count = 2_000
    left = bench.feed(connection, b"".join(fetch_request(i, 60_000) for i in range(count)))
    assert left
    assert not transport.reading
    assert len(connection._calls) == 8
    other, _ = bench.connect()
    bench.feed(other, produce_request(0))
    bench.until(lambda: transport.reading)
    while left:
        left = bench.feed(connection, left)
        bench.until(lambda: transport.reading)
    bench.until(lambda: len(responses(transport)) == count)
    assert correlation_ids(transport) == list(range(count))


def test_a_peer_that_takes_nothing_is_not_served_until_it_does(bench: Bench) -> None:
    connection, transport = bench.connect()
    transport.accepts_bytes = 2_000
    bench.feed(connection, b"".join(versions_request(i) for i in range(1_000)))
    held_back = len(responses(transport))
    assert held_back < 100
    transport.accepts_bytes = 1 << 62
    connection.resume_writing()
    bench.until(lambda: len(responses(transport)) == 1_000)
    assert correlation_ids(transport) == list(range(1_000))


def test_a_lost_connection_forgets_its_waiting_requests(bench: Bench) -> None:
    make_topic(bench)
    connection, transport = bench.connect()
    bench.feed(connection, fetch_request(1, 60_000))
    connection.connection_lost(None)
    other, others = bench.connect()
    bench.feed(other, produce_request(2))
    bench.until(lambda: correlation_ids(others) == [2])
    assert responses(transport) == []
    assert bench.server.connection_count == 1


def test_unacknowledged_produce_gets_no_answer_and_a_failure_closes(bench: Bench) -> None:
    make_topic(bench)
    connection, transport = bench.connect()
    bench.feed(connection, produce_request(1, acks=0) + versions_request(2))
    bench.until(lambda: bool(responses(transport)))
    assert correlation_ids(transport) == [2]
    broken = bytearray(produce_request(3, acks=0))
    broken[-20] ^= 0xFF
    bench.feed(connection, bytes(broken))
    assert transport.ended


def test_large_buffers_are_given_back_and_used_again() -> None:
    store = BufferStore(limit_bytes=10 << 20)
    first = store.larger(64 << 10, 200_000)
    assert len(first) == 256 << 10
    store.give_back(first)
    assert store.larger(64 << 10, 150_000) is first


def test_a_buffer_grows_with_what_has_arrived_not_with_what_is_claimed() -> None:
    store = BufferStore(limit_bytes=1 << 30)
    assert len(store.larger(64 << 10, 100 << 20)) == 256 << 10


def test_all_large_buffers_together_are_bounded() -> None:
    store = BufferStore(limit_bytes=1 << 20)
    held = [store.larger(64 << 10, 200_000) for _ in range(4)]
    with pytest.raises(ProtocolError, match="being received"):
        store.larger(64 << 10, 200_000)
    store.give_back(held.pop())
    assert len(store.larger(64 << 10, 200_000)) == 256 << 10


def test_an_impossible_length_closes_the_connection(bench: Bench) -> None:
    connection, transport = bench.connect()
    bench.feed(connection, struct.pack(">i", -7))
    assert transport.ended


def test_nothing_is_served_after_a_broken_request(bench: Bench) -> None:
    connection, transport = bench.connect()
    broken = struct.pack(">ihhih", 10, 9_999, 0, 2, -1)
    bench.feed(connection, versions_request(1) + broken + versions_request(3))
    assert transport.ended
    assert correlation_ids(transport) == [1]


def test_a_broker_that_ends_takes_no_more_requests_but_answers_those_it_took(bench: Bench) -> None:
    make_topic(bench)
    connection, transport = bench.connect()
    bench.feed(connection, produce_request(1))
    connection.stop_reading()
    assert bench.feed(connection, versions_request(2))
    bench.until(lambda: bool(responses(transport)))
    assert correlation_ids(transport) == [1]
    assert not transport.reading
