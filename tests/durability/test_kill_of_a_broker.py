"""kill -9 of a real broker, again and again: many partitions, small segments, groups committing while it dies."""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from yeoul.broker import Broker

pytestmark = pytest.mark.conformance

KILLS = 4
PARTITIONS = 6
PER_ROUND = 3_000


def until_committed(producer: Producer, consumer: Consumer, committed: dict[int, int]) -> None:
    """Goes on until the group has formed and a first commit is acknowledged."""
    deadline_s = time.monotonic() + 60
    while not committed:
        assert time.monotonic() < deadline_s, "no commit was ever acknowledged"
        producer.poll(0.005)
        consumer.consume(200, 0.005)


def until_gone(broker: Broker, producer: Producer, consumer: Consumer, done: list[int], goal: int) -> None:
    """Goes on producing and consuming until `goal` records are acknowledged, then kills the broker in full flight."""
    deadline_s = time.monotonic() + 60
    while len(done) < goal:
        assert time.monotonic() < deadline_s, f"{len(done)} of {goal} acknowledged"
        producer.poll(0.005)
        consumer.consume(200, 0.005)
    broker.kill()


def test_nothing_acknowledged_is_lost_over_rolls_and_commits_never_go_back(tmp_path: Path) -> None:
    with Broker(tmp_path / "data") as broker:
        settings = {
            "bootstrap.servers": broker.bootstrap_servers,
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 100,
            "log_level": 0,
        }
        config = {"segment.bytes": "20000", "index.interval.bytes": "500"}
        admin = AdminClient(settings)
        admin.create_topics([NewTopic("load", PARTITIONS, 1, config=config)])["load"].result(10)
        acknowledged: list[int] = []
        offsets: dict[int, dict[int, int]] = defaultdict(dict)
        committed: dict[int, int] = {}

        def delivered(error: object, message: Message) -> None:
            assert error is None
            number, partition, offset = int(message.value() or b""), message.partition(), message.offset()
            assert partition is not None
            assert offset is not None
            acknowledged.append(number)
            assert offsets[partition].setdefault(offset, number) == number, "one offset was given out twice"

        def on_commit(error: object, partitions: list[TopicPartition]) -> None:
            if error is None:
                for each in partitions:
                    if each.error is None and each.offset >= 0:
                        committed[each.partition] = each.offset

        producer = Producer({**settings, "enable.idempotence": True, "linger.ms": 1, "batch.num.messages": 20})
        consumer = Consumer(
            {
                **settings,
                "group.id": "readers",
                "auto.offset.reset": "earliest",
                "auto.commit.interval.ms": 20,
                "on_commit": on_commit,
            }
        )
        consumer.subscribe(["load"])
        sent = 1
        producer.produce("load", b"0", partition=0, on_delivery=delivered)
        until_committed(producer, consumer, committed)
        for _ in range(KILLS):
            goal = len(acknowledged) + PER_ROUND // 3
            for _ in range(PER_ROUND):
                producer.produce("load", b"%d" % sent, partition=sent % PARTITIONS, on_delivery=delivered)
                sent += 1
            until_gone(broker, producer, consumer, acknowledged, goal)
            broker.start()
        assert producer.flush(60) == 0
        consumer.close()
        assert sorted(acknowledged) == list(range(sent))
        assert stored_records(settings, sent) == {number: offsets[number] for number in range(PARTITIONS)}
        assert_commits_survived(settings, committed)
    assert len(list((tmp_path / "data" / "topics" / "load" / "0").glob("*.log"))) > 1


def stored_records(settings: dict[str, object], count: int) -> dict[int, dict[int, int]]:
    """Everything in the topic: the number at each offset of each partition."""
    reader = Consumer({**settings, "group.id": "unused", "enable.auto.commit": False})
    reader.assign([TopicPartition("load", number, 0) for number in range(PARTITIONS)])
    stored: dict[int, dict[int, int]] = defaultdict(dict)
    deadline_s = time.monotonic() + 30
    while sum(map(len, stored.values())) < count and time.monotonic() < deadline_s:
        for message in reader.consume(2_000, 0.2):
            assert message.error() is None
            partition, offset = message.partition(), message.offset()
            assert partition is not None
            assert offset is not None
            stored[partition][offset] = int(message.value() or b"")
    reader.close()
    return dict(stored)


def assert_commits_survived(settings: dict[str, object], committed: dict[int, int]) -> None:
    asking = Consumer({**settings, "group.id": "readers"})
    found = asking.committed([TopicPartition("load", number) for number in range(PARTITIONS)], timeout=10)
    asking.close()
    for each in found:
        assert each.offset >= committed.get(each.partition, -1_001), "an acknowledged commit went back"
