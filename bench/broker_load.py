"""The broker under librdkafka: 1 M messages of 100 bytes in and out, flush=commit; CPU-seconds of broker and client."""

from __future__ import annotations

import os
import resource
import statistics
from collections.abc import Iterator

import psutil
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from bench.measure import CONSUMER_TUNING, Row, seconds
from yeoul.broker import Broker

MESSAGE_BYTES = 100
PARTITIONS = 2


def run(count: int, repeats: int) -> Iterator[Row]:
    """Yields a row for each direction: rates, and how much less CPU the broker needs than the client."""
    produced, consumed = [], []
    with Broker() as broker:
        process = psutil.Process(broker.pid)
        for repeat in range(repeats + 1):
            topic = f"load-{repeat}"
            admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
            admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result()
            produced.append(_measure(process, lambda topic=topic: _produce(broker.bootstrap_servers, topic, count)))
            consumed.append(_measure(process, lambda topic=topic: _consume(broker.bootstrap_servers, topic, count)))
    yield _row("broker, librdkafka produces", count, produced[1:])
    yield _row("broker, librdkafka consumes", count, consumed[1:])


def _measure(process: psutil.Process, work: object) -> tuple[float, float, float]:
    """Returns seconds of wall time, of the client's processor and of the broker's."""
    client_before, broker_before = _own_cpu_s(), process.cpu_times()
    wall_s, _ = seconds(work)  # type: ignore[arg-type]
    broker_after = process.cpu_times()
    broker_s = broker_after.user + broker_after.system - broker_before.user - broker_before.system
    return wall_s, _own_cpu_s() - client_before, broker_s


def _own_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _row(name: str, count: int, runs: list[tuple[float, float, float]]) -> Row:
    wall_s, client_s, broker_s = (statistics.median(run[place] for run in runs) for place in range(3))
    ratio = client_s / max(broker_s, 0.01)
    note = f"client's CPU-seconds; {count / wall_s / 1e6:.2f} M messages/s"
    return Row(name, broker_s, client_s, "CPU-seconds", ratio, "1x", ratio >= 1, note)


def _produce(bootstrap: str, topic: str, count: int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "queue.buffering.max.messages": 1_000_000})
    payload = os.urandom(MESSAGE_BYTES)
    for _ in range(0, count, 10_000):
        while True:
            try:
                producer.produce_batch(topic, [{"value": payload} for _ in range(10_000)])
                break
            except BufferError:
                producer.poll(0.05)
        producer.poll(0)
    assert producer.flush(60) == 0


def _consume(bootstrap: str, topic: str, count: int) -> None:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "load", **CONSUMER_TUNING})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    taken = 0
    while taken < count:
        messages = consumer.consume(10_000, timeout=10)
        assert messages, f"only {taken} of {count} messages came back"
        taken += len(messages)
    consumer.close()
