"""Idempotent produce, said by hand: retries, gaps, fenced producers, and all of it over a kill."""

from __future__ import annotations

import pytest

from yeoul.broker import Broker
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.init_producer_id import INIT_PRODUCER_ID, InitProducerIdRequest
from yeoul.wire.messages.metadata import METADATA, MetadataRequest, MetadataRequestTopic
from yeoul.wire.messages.produce import PRODUCE, PartitionProduceData, ProduceRequest, TopicProduceData
from yeoul.wire.records import Record, encode_batch

from .raw_client import RawClient

pytestmark = pytest.mark.conformance


def send(peer: RawClient, producer_id: int, epoch: int, sequence: int, count: int = 2) -> tuple[int, int]:
    """Returns (error code, base offset)."""
    records = [Record(i, 0, None, b"%d" % (sequence + i)) for i in range(count)]
    batch = encode_batch(records, producer_id=producer_id, producer_epoch=epoch, base_sequence=sequence)
    data = [TopicProduceData(name="t", partition_data=[PartitionProduceData(index=0, records=batch)])]
    response = peer.ask(PRODUCE, 9, ProduceRequest(acks=-1, timeout_ms=1_000, topic_data=data))
    result = response.responses[0].partition_responses[0]
    return result.error_code, result.base_offset


def test_retries_are_answered_with_their_first_offset_even_after_a_kill(own_broker: Broker) -> None:
    with RawClient(own_broker.host, own_broker.port) as peer:
        peer.ask(METADATA, 4, MetadataRequest(topics=[MetadataRequestTopic(name="t")]))
        producer_id = peer.ask(INIT_PRODUCER_ID, 4, InitProducerIdRequest(transactional_id=None)).producer_id
        assert [send(peer, producer_id, 0, sequence) for sequence in (0, 2, 4)] == [(0, 0), (0, 2), (0, 4)]
        assert send(peer, producer_id, 0, 2) == (0, 2)
        assert send(peer, producer_id, 0, 40)[0] == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    own_broker.kill()
    own_broker.start()
    with RawClient(own_broker.host, own_broker.port) as peer:
        assert send(peer, producer_id, 0, 4) == (0, 4)
        assert send(peer, producer_id, 0, 6) == (0, 6)
        assert send(peer, producer_id, 0, 90)[0] == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
        assert send(peer, producer_id, 1, 0) == (0, 8)
        assert send(peer, producer_id, 0, 8)[0] == ErrorCode.INVALID_PRODUCER_EPOCH


def test_producer_ids_are_never_given_twice(own_broker: Broker) -> None:
    given: list[int] = []
    for _ in range(3):
        with RawClient(own_broker.host, own_broker.port) as peer:
            for _ in range(5):
                given.append(peer.ask(INIT_PRODUCER_ID, 4, InitProducerIdRequest(transactional_id=None)).producer_id)
        own_broker.kill()
        own_broker.start()
    assert len(set(given)) == len(given)
