"""kafka-python, unmodified: idempotent by default, so it asks for a producer id first."""

from __future__ import annotations

import threading
import uuid

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from yeoul.broker import Broker

pytestmark = pytest.mark.conformance

# What was sent: (key, value, headers).
Sent = tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]


def a_name(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def read_all(consumer: KafkaConsumer, count: int, timeout_ms: int = 15_000) -> list[object]:
    """Polls until `count` records have come."""
    records: list[object] = []
    while len(records) < count:
        polled = consumer.poll(timeout_ms=timeout_ms)
        assert polled, f"{len(records)} of {count} records came within {timeout_ms} ms"
        records += [record for batch in polled.values() for record in batch]
    return records


@pytest.mark.parametrize("compression", [None, "gzip", "snappy", "lz4", "zstd"])
def test_records_come_back_with_keys_headers_and_nulls(broker: Broker, compression: str | None) -> None:
    if compression in ("snappy", "lz4", "zstd"):
        pytest.importorskip({"snappy": "snappy", "lz4": "lz4", "zstd": "zstandard"}[compression])
    topic = a_name("kp")
    sent: list[Sent] = [(b"k%d" % i, b"v" * i, [("h", b"%d" % i)]) for i in range(200)] + [
        (b"tombstone", None, []),
        (None, b"", []),
    ]
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers, compression_type=compression)
    for key, value, headers in sent:
        producer.send(topic, key=key, value=value, headers=headers, partition=0)
    producer.flush()
    producer.close()
    consumer = KafkaConsumer(bootstrap_servers=broker.bootstrap_servers, auto_offset_reset="earliest")
    consumer.assign([TopicPartition(topic, 0)])
    records = read_all(consumer, len(sent))
    consumer.close()
    assert [(r.key, r.value, list(r.headers)) for r in records] == sent  # type: ignore[attr-defined]
    assert [r.offset for r in records] == list(range(len(sent)))  # type: ignore[attr-defined]


def test_two_members_share_a_group_and_one_takes_over(broker: Broker) -> None:
    topic, group = a_name("kp-group"), a_name("group")
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    admin.create_topics([NewTopic(topic, num_partitions=4, replication_factor=1)])

    def member() -> KafkaConsumer:
        return KafkaConsumer(
            topic,
            bootstrap_servers=broker.bootstrap_servers,
            group_id=group,
            auto_offset_reset="earliest",
            heartbeat_interval_ms=100,
        )

    first, second = member(), member()
    assigned: dict[str, set[int]] = {}
    both = threading.Event()

    def follow(name: str, consumer: KafkaConsumer, until: threading.Event) -> None:
        while not until.is_set():
            consumer.poll(timeout_ms=50)
            assigned[name] = {each.partition for each in consumer.assignment()}
            if all(assigned.get(each) for each in ("first", "second")) and not both.is_set():
                both.set()

    ended = threading.Event()
    threads = [
        threading.Thread(target=follow, args=("first", first, ended)),
        threading.Thread(target=follow, args=("second", second, both)),
    ]
    for thread in threads:
        thread.start()
    try:
        assert both.wait(30), assigned
        threads[1].join(10)
        assert assigned["first"] | assigned["second"] == {0, 1, 2, 3}
        second.close()
        alone = threading.Event()
        for _ in range(300):
            if assigned["first"] == {0, 1, 2, 3}:
                alone.set()
                break
            alone.wait(0.05)
        assert alone.is_set(), assigned
    finally:
        ended.set()
        threads[0].join(10)
        first.close()
        admin.close()


def test_committed_offsets_survive_a_restart(own_broker: Broker) -> None:
    topic, group = "kp-restart", "kp-restart-group"

    def consumer() -> KafkaConsumer:
        return KafkaConsumer(
            topic,
            bootstrap_servers=own_broker.bootstrap_servers,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )

    producer = KafkaProducer(bootstrap_servers=own_broker.bootstrap_servers)
    for i in range(10):
        producer.send(topic, b"%d" % i, partition=0).get(10)
    reader = consumer()
    read_all(reader, 10)
    reader.commit()
    reader.close()
    own_broker.restart()
    for i in range(10, 15):
        producer.send(topic, b"%d" % i, partition=0).get(30)
    producer.close()
    reader = consumer()
    assert [record.value for record in read_all(reader, 5)] == [b"%d" % i for i in range(10, 15)]  # type: ignore[attr-defined]
    reader.close()


def test_the_admin_client_manages_topics_and_groups(broker: Broker) -> None:
    topic = a_name("kp-admin")
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    try:
        admin.create_topics([NewTopic(topic, num_partitions=3, replication_factor=1)])
        assert topic in admin.list_topics()
        [described] = admin.describe_topics([topic])
        assert len(described["partitions"]) == 3
        admin.delete_topics([topic])
        assert topic not in admin.list_topics()
    finally:
        admin.close()
