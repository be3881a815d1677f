"""Peers that lie, stall, flood or talk nonsense: their connection suffers, the broker does not."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import time

import crc32c
import psutil
import pytest

from yeoul.broker import Broker
from yeoul.wire import frames
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.api_versions import API_VERSIONS, ApiVersionsRequest
from yeoul.wire.messages.fetch import FETCH, FetchPartition, FetchRequest, FetchTopic
from yeoul.wire.messages.metadata import METADATA, MetadataRequest, MetadataRequestTopic
from yeoul.wire.messages.produce import PRODUCE, PartitionProduceData, ProduceRequest, TopicProduceData
from yeoul.wire.records import Record, encode_batch

from .raw_client import RawClient

pytestmark = pytest.mark.conformance


def rss_bytes(broker: Broker) -> int:
    return int(psutil.Process(broker.pid).memory_info().rss)


def client(broker: Broker) -> RawClient:
    return RawClient(broker.host, broker.port)


def make_topic(broker: Broker, name: str) -> None:
    with client(broker) as peer:
        peer.ask(METADATA, 4, MetadataRequest(topics=[MetadataRequestTopic(name=name)]))


def produce(peer: RawClient, topic: str, records: bytes | bytearray | None, version: int = 9, acks: int = -1) -> int:
    data = [TopicProduceData(name=topic, partition_data=[PartitionProduceData(index=0, records=records)])]
    response = peer.ask(PRODUCE, version, ProduceRequest(acks=acks, timeout_ms=1_000, topic_data=data))
    return response.responses[0].partition_responses[0].error_code


def is_serving(broker: Broker) -> bool:
    with client(broker) as peer:
        return peer.ask(API_VERSIONS, 3, ApiVersionsRequest()).error_code == 0


@pytest.mark.parametrize(
    "opening",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300),
        struct.pack(">i", -1),
        struct.pack(">i", 0),
        struct.pack(">i", 3) + b"abc",
        struct.pack(">i", 2**31 - 1),
        struct.pack(">ihhi", 8, 9_999, 0, 1),
        struct.pack(">ihhih", 10, 3, 99, 1, -1),
        struct.pack(">ihhih", 10, 3, 1, 1, 30_000),
        struct.pack(">ihhihi", 14, 3, 1, 1, -1, 2**31 - 1),
        struct.pack(">ihhih", 50 << 20, 3, 1, 1, -1),
        struct.pack(">ihhih", 10, 0, 1, 1, -1),
    ],
)
def test_nonsense_closes_its_own_connection_only(broker: Broker, opening: bytes) -> None:
    with client(broker) as peer:
        peer.send(opening)
        assert peer.is_closed()
    assert is_serving(broker)


def test_what_came_before_the_nonsense_is_answered(broker: Broker) -> None:
    with client(broker) as peer:
        good = bytes(frames.encode_request(API_VERSIONS, 3, 9, "c", ApiVersionsRequest()))
        peer.send(good + struct.pack(">ihhi", 8, 9_999, 0, 1) + good)
        assert peer.read_frame()[:4] == struct.pack(">i", 9)
        assert peer.is_closed()


def test_a_version_of_api_versions_from_the_future_is_answered_in_the_oldest_form(broker: Broker) -> None:
    with client(broker) as peer:
        peer.send(struct.pack(">ihhih", 10, 18, 99, 77, -1))
        correlation_id, response = frames.read_response(API_VERSIONS, 0, peer.read_frame())
    assert (correlation_id, response.error_code) == (77, ErrorCode.UNSUPPORTED_VERSION)
    assert {each.api_key: (each.min_version, each.max_version) for each in response.api_keys}[18] == (0, 4)


def test_advertised_versions_are_those_that_clients_need(broker: Broker) -> None:
    with client(broker) as peer:
        served = {
            each.api_key: (each.min_version, each.max_version)
            for each in peer.ask(API_VERSIONS, 3, ApiVersionsRequest()).api_keys
        }
    wanted = {0: (0, 12), 1: (4, 17), 2: (1, 10), 3: (0, 13), 8: (2, 9), 9: (1, 9), 10: (0, 6), 11: (0, 9), 12: (0, 4)}
    wanted |= {13: (0, 5), 14: (0, 5), 15: (0, 6), 16: (0, 5), 18: (0, 4), 19: (2, 7), 20: (1, 6), 22: (0, 5)}
    assert wanted.items() <= served.items()


def lying(position: int, layout: str, value: int) -> bytearray:
    batch = encode_batch([Record(0, 0, b"k", b"v"), Record(1, 0, b"k", b"v")])
    struct.pack_into(layout, batch, position, value)
    if position != 17:
        struct.pack_into(">I", batch, 17, crc32c.crc32c(bytes(batch[21:])))
    return batch


@pytest.mark.parametrize(
    ("batch", "code"),
    [
        (lying(17, ">I", 5), ErrorCode.CORRUPT_MESSAGE),
        (lying(8, ">i", 1 << 30), ErrorCode.CORRUPT_MESSAGE),
        (lying(8, ">i", -1), ErrorCode.CORRUPT_MESSAGE),
        (lying(16, ">b", 0), ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT),
        (lying(21, ">h", 0x20), ErrorCode.INVALID_RECORD),
        (lying(21, ">h", 0x10), ErrorCode.INVALID_RECORD),
        (lying(23, ">i", 100), ErrorCode.INVALID_RECORD),
        (lying(57, ">i", 2**31 - 1), ErrorCode.INVALID_RECORD),
        (bytearray(b"junk"), ErrorCode.CORRUPT_MESSAGE),
        (bytearray(), ErrorCode.INVALID_RECORD),
        (None, ErrorCode.INVALID_RECORD),
        (encode_batch([Record(0, 0, None, bytes(2 << 20))]), ErrorCode.MESSAGE_TOO_LARGE),
    ],
)
def test_a_batch_that_lies_is_refused_and_nothing_is_stored(
    broker: Broker, batch: bytearray | None, code: ErrorCode
) -> None:
    make_topic(broker, "lies")
    with client(broker) as peer:
        assert produce(peer, "lies", batch) == code
        assert produce(peer, "nowhere", lying(21, ">h", 0)) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        assert produce(peer, "lies", lying(21, ">h", 0), acks=5) == ErrorCode.INVALID_REQUIRED_ACKS
        fetch = FetchRequest(
            topics=[FetchTopic(topic="lies", partitions=[FetchPartition(partition_max_bytes=1 << 20)])]
        )
        [partition] = peer.ask(FETCH, 12, fetch).responses[0].partitions
    assert (partition.error_code, partition.high_watermark, bytes(partition.records or b"")) == (0, 0, b"")


def test_a_claimed_length_takes_no_memory_until_the_bytes_come(broker: Broker) -> None:
    before = rss_bytes(broker)
    peers = [client(broker) for _ in range(50)]
    for peer in peers:
        peer.send(struct.pack(">ihh", 99 << 20, 0, 9) + bytes(70_000))
    assert is_serving(broker)
    assert rss_bytes(broker) - before < 60 << 20
    for peer in peers:
        peer.close()


def test_a_peer_that_never_reads_stops_being_served(own_broker: Broker) -> None:
    make_topic(own_broker, "big")
    with client(own_broker) as peer:
        for _ in range(20):
            assert produce(peer, "big", encode_batch([Record(0, 0, None, random.randbytes(1_000_000))])) == 0
    before = rss_bytes(own_broker)
    partition = FetchPartition(partition_max_bytes=50 << 20)
    request = FetchRequest(max_bytes=50 << 20, topics=[FetchTopic(topic="big", partitions=[partition])])
    with client(own_broker) as deaf:
        deaf.socket.setblocking(False)
        whole = b"".join(frames.encode_request(FETCH, 12, i, "deaf", request) for i in range(5_000))
        sent = 0
        deadline_s = time.monotonic() + 5
        while sent < len(whole) and time.monotonic() < deadline_s:
            try:
                sent += deaf.socket.send(whole[sent:])
            except BlockingIOError:
                if is_serving(own_broker) and rss_bytes(own_broker) - before > 150 << 20:
                    break
        assert is_serving(own_broker)
        assert rss_bytes(own_broker) - before < 150 << 20


def test_a_flood_of_small_requests_is_answered_in_order(broker: Broker) -> None:
    with client(broker) as peer:
        count = 20_000
        request = API_VERSIONS.encode_request(ApiVersionsRequest(), 0)
        head = struct.Struct(">ihhih")
        flood = b"".join(head.pack(10 + len(request), 18, 0, i, -1) + request for i in range(count))
        sending = memoryview(flood)
        received = bytearray()
        peer.socket.setblocking(False)
        answered = 0
        deadline_s = time.monotonic() + 30
        while answered < count and time.monotonic() < deadline_s:
            if sending:
                with contextlib.suppress(BlockingIOError):
                    sending = sending[peer.socket.send(sending[: 1 << 16]) :]
            try:
                received += peer.socket.recv(1 << 20)
            except BlockingIOError:
                continue
            position = 0
            while len(received) - position >= 8:
                size, correlation_id = struct.unpack_from(">ii", received, position)
                if len(received) - position - 4 < size:
                    break
                assert correlation_id == answered
                answered += 1
                position += 4 + size
            del received[:position]
        assert answered == count


def test_connections_beyond_the_limit_are_closed(tmp_path_factory: pytest.TempPathFactory, broker: Broker) -> None:
    peers = [client(broker) for _ in range(1_000)]
    with client(broker) as late:
        assert late.is_closed()
    for peer in peers:
        peer.close()
    deadline_s = time.monotonic() + 10
    while time.monotonic() < deadline_s:
        try:
            if is_serving(broker):
                return
        except (OSError, AssertionError, ValueError):
            continue
    pytest.fail("The broker takes no connections after the crowd has left")


def test_random_bytes_never_stop_the_broker(broker: Broker) -> None:
    chance = random.Random(11)
    for _ in range(300):
        with socket.create_connection((broker.host, broker.port), timeout=10) as peer:
            api_key, version = (
                chance.choice([0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 18, 19, 20, 22]),
                chance.randrange(14),
            )
            body = struct.pack(">hhih", api_key, version, 1, -1) + chance.randbytes(chance.randrange(60))
            peer.sendall(struct.pack(">i", len(body)) + body)
    assert is_serving(broker)
