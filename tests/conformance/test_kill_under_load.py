"""kill -9 while producers write: what was acknowledged is there, and once."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from yeoul.broker import Broker

pytestmark = pytest.mark.conformance

KILLS = 3
PER_ROUND = 4_000


def read_everything(broker: Broker, topic: str) -> list[int]:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "unused"})
    _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)
    consumer.assign([TopicPartition(topic, 0, 0)])
    values: list[int] = []
    deadline_s = time.monotonic() + 30
    while len(values) < end and time.monotonic() < deadline_s:
        values += [int(message.value() or b"") for message in consumer.consume(5_000, 0.5) if message.error() is None]
    consumer.close()
    assert len(values) == end
    return values


@pytest.mark.parametrize("idempotent", [True, False])
def test_no_acknowledged_record_is_lost(own_broker: Broker, idempotent: bool) -> None:
    acknowledged: list[int] = []

    def delivered(error: object, message: Message) -> None:
        assert error is None
        acknowledged.append(int(message.value() or b""))

    producer = Producer(
        {
            "bootstrap.servers": own_broker.bootstrap_servers,
            "enable.idempotence": idempotent,
            "acks": "all",
            "linger.ms": 1,
            "batch.num.messages": 50,
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 100,
            "retry.backoff.ms": 20,
            "log_level": 0,
        }
    )
    sent = 0
    for _ in range(KILLS):
        goal = len(acknowledged) + PER_ROUND // 4
        for _ in range(PER_ROUND):
            producer.produce("load", b"%d" % sent, partition=0, on_delivery=delivered)
            sent += 1
        while len(acknowledged) < goal:
            producer.poll(0.01)
        own_broker.kill()
        own_broker.start()
    assert producer.flush(60) == 0
    stored = read_everything(own_broker, "load")
    assert set(acknowledged) == set(range(sent))
    assert set(stored) >= set(acknowledged)
    if idempotent:
        assert [value for value, count in Counter(stored).items() if count > 1] == []
        assert stored == sorted(stored)
