"""Topic of two partitions, broker in its own process -> 1-minute tumble; against librdkafka only taking messages."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from bench import events, tumble
from bench.measure import CONSUMER_TUNING, Row, faster, seconds
from yeoul.broker import Broker

PARTITIONS = 2


def run(count: int, repeats: int, seed: int) -> Iterator[Row]:
    """Yields the one row; each repeat fills a new topic."""
    ours_s, theirs_s = [], []
    with Broker() as broker, tempfile.TemporaryDirectory() as folder:
        for repeat in range(repeats + 1):
            topic = f"events-{repeat}"
            path = Path(folder) / f"{topic}.ndjson"
            events.write(path, count, seed + repeat, "compact")
            fill(broker.bootstrap_servers, topic, path)
            consumed_s, taken = seconds(lambda topic=topic: consume(broker.bootstrap_servers, topic, count))
            assert taken == count, f"librdkafka took {taken} of {count}"
            options = {
                "connector": "kafka",
                "topic": topic,
                "properties.bootstrap.servers": broker.bootstrap_servers,
                "scan.startup.mode": "earliest-offset",
                "scan.bounded.mode": "latest-offset",
                "format": "json",
            }
            answered_s, answer = seconds(lambda options=options: tumble.yeoul(options))
            tumble.check(answer, tumble.expected(path))
            path.unlink()
            if repeat:
                ours_s.append(answered_s)
                theirs_s.append(consumed_s)
    yield faster("topic -> tumble", count, ours_s, theirs_s, 2.5, "librdkafka consume() alone")


def fill(bootstrap: str, topic: str, path: Path) -> None:
    """Produces a file's lines to a new topic, round robin over its partitions."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result()
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "linger.ms": 20,
            "queue.buffering.max.messages": 2_000_000,
            "batch.size": 1 << 20,
        }
    )
    lines = pl.Series(path.read_bytes().splitlines())
    for first in range(0, len(lines), 10_000):
        partition = first // 10_000 % PARTITIONS
        producer.produce_batch(topic, [{"value": line} for line in lines[first : first + 10_000]], partition=partition)
        producer.poll(0)
    assert producer.flush(60) == 0


def consume(bootstrap: str, topic: str, count: int) -> int:
    """Takes every message of the topic and looks at none; returns how many came."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench", **CONSUMER_TUNING})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    taken = 0
    while taken < count:
        messages = consumer.consume(10_000, timeout=5)
        if not messages:
            break
        taken += sum(message.value() is not None for message in messages)
    consumer.close()
    return taken
