"""What clients see of storage: compaction under load and kill -9, times, limits, a full disk, retention."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import (
    TIMESTAMP_CREATE_TIME,
    TIMESTAMP_LOG_APPEND_TIME,
    Consumer,
    KafkaError,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec
from kafka import KafkaConsumer

from yeoul.broker import Broker
from yeoul.wire.compression import Codec
from yeoul.wire.records import iter_batches

pytestmark = pytest.mark.conformance

FAST = {"log.cleaner.backoff.ms": "50", "log.retention.check.interval.ms": "50"}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker"), settings=FAST) as running:
        yield running


def create(broker: Broker, topic: str, **entries: object) -> None:
    config = {name.replace("_", "."): str(value) for name, value in entries.items()}
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    admin.create_topics([NewTopic(topic, 1, config=config)])[topic].result(10)


def producer_of(broker: Broker, **settings: object) -> Producer:
    return Producer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "linger.ms": 1,
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 100,
            "retry.backoff.ms": 20,
            "log_level": 0,
            **{name.replace("_", "."): value for name, value in settings.items()},
        }
    )


def consumer_of(broker: Broker, **settings: object) -> Consumer:
    return Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "unused", "log_level": 0, **settings})


def until(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.01)  # between two looks


def read_to_end(broker: Broker, topic: str, **settings: object) -> list[Message]:
    consumer = consumer_of(broker, **{"enable.partition.eof": True, **settings})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[Message] = []
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        for message in consumer.consume(1_000, 0.5):
            error = message.error()
            if error is None:
                found.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                consumer.close()
                return found
    raise AssertionError(f"no end of {topic} after {len(found)} records")


def last_values(records: list[tuple[bytes | None, bytes | None]]) -> dict[bytes | None, bytes]:
    values = dict(records)
    return {key: value for key, value in values.items() if value is not None}


def deliver(
    producer: Producer, topic: str, *pairs: tuple[bytes | None, bytes | None], timestamp_ms: int = 0
) -> list[Message]:
    """Produces and returns the delivery reports."""
    reports: list[Message] = []
    failures: list[KafkaError] = []

    def report(error: KafkaError | None, message: Message) -> None:
        reports.append(message)
        if error is not None:
            failures.append(error)

    for key, value in pairs:
        producer.produce(topic, value, key, timestamp=timestamp_ms, on_delivery=report)
    assert producer.flush(20) == 0
    if failures:
        raise DeliveryFailed(failures)
    return reports


class DeliveryFailed(Exception):
    def __init__(self, failures: list[KafkaError]) -> None:
        super().__init__(str(failures[0]))
        self.code = failures[0].code()


def test_the_last_value_of_each_key_survives_compaction_under_load_and_kills(tmp_path: Path) -> None:
    settings = {**FAST, "log.cleaner.backoff.ms": "20"}
    chance = random.Random(5)
    with Broker(tmp_path / "data", settings=settings) as broker:
        create(broker, "t", cleanup_policy="compact", segment_bytes=16_384, min_cleanable_dirty_ratio=0.01)
        producer = producer_of(broker, enable_idempotence=True, batch_num_messages=40)
        written: list[tuple[bytes | None, bytes | None]] = []
        for kill in range(3):
            for number in range(6_000):
                key = b"k%d" % chance.randrange(300)
                value = None if chance.random() < 0.05 else b"%d-%d" % (kill, number)
                written.append((key, value))
                producer.produce("t", value, key, partition=0)
                producer.poll(0)
            broker.kill()
            broker.start()
        assert producer.flush(30) == 0
        until(lambda: len(read_to_end(broker, "t")) < len(written) // 3)
        found = read_to_end(broker, "t")
        assert last_values([(message.key(), message.value()) for message in found]) == last_values(written)
        offsets = [message.offset() for message in found]
        assert offsets == sorted(set(offsets))
        assert offsets[-1] == len(written) - 1
        other = KafkaConsumer(bootstrap_servers=broker.bootstrap_servers, auto_offset_reset="earliest")
        other.assign([part := _partition("t")])
        seen: list[tuple[bytes | None, bytes | None]] = []
        while other.position(part) < len(written):
            for records in other.poll(500).values():
                seen += [(record.key, record.value) for record in records]
        other.close()
        assert last_values(seen) == last_values(written)


def _partition(topic: str) -> object:
    from kafka import TopicPartition as KafkaPythonPartition

    return KafkaPythonPartition(topic, 0)


def test_transactions_in_a_compacted_topic(broker: Broker) -> None:
    create(broker, "txn", cleanup_policy="compact", segment_bytes=8_192, min_cleanable_dirty_ratio=0.01)
    producer = producer_of(broker, transactional_id="compacted")
    producer.init_transactions(20)
    expected: dict[bytes, bytes] = {}
    for number in range(150):
        producer.begin_transaction()
        written = {b"k%d" % (number * at % 11): b"%d-%d" % (number, at) + b"v" * 90 for at in range(1, 4)}
        for key, value in written.items():
            producer.produce("txn", value, key)
        if number % 3:
            producer.commit_transaction(20)
            expected |= written
        else:
            producer.abort_transaction(20)
    until(lambda: len(read_to_end(broker, "txn", **{"isolation.level": "read_uncommitted"})) < 200)
    found = read_to_end(broker, "txn", **{"isolation.level": "read_committed"})
    assert {message.key(): message.value() for message in found} == expected


def test_the_log_stamps_records_where_the_topic_says_so(broker: Broker) -> None:
    create(broker, "stamped", message_timestamp_type="LogAppendTime")
    create(broker, "given", retention_ms=-1)
    before_ms = int(time.time() * 1_000)
    producer = producer_of(broker)
    [report] = deliver(producer, "stamped", (b"k", b"v"), timestamp_ms=5_000)
    kind, stamped_ms = report.timestamp()
    assert kind == TIMESTAMP_LOG_APPEND_TIME
    assert before_ms <= stamped_ms <= time.time() * 1_000
    [message] = read_to_end(broker, "stamped")
    assert message.timestamp() == (TIMESTAMP_LOG_APPEND_TIME, stamped_ms)
    deliver(producer, "given", (b"k", b"v"), timestamp_ms=5_000)
    [message] = read_to_end(broker, "given")
    assert message.timestamp() == (TIMESTAMP_CREATE_TIME, 5_000)
    consumer = consumer_of(broker)
    for topic, at_ms, offset in (("stamped", before_ms, 0), ("stamped", stamped_ms + 1, -1), ("given", 5_000, 0)):
        [found] = consumer.offsets_for_times([TopicPartition(topic, 0, at_ms)], 10)
        assert found.offset == offset
    consumer.close()
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    wanted = TopicPartition("stamped", 0)
    newest = admin.list_offsets({wanted: OffsetSpec.max_timestamp()})[wanted].result(10)
    assert (newest.offset, newest.timestamp) == (0, stamped_ms)


@pytest.mark.parametrize("skew_ms", [-120_000, 120_000])
def test_timestamps_out_of_bounds_are_refused(broker: Broker, skew_ms: int) -> None:
    topic = f"bounds{skew_ms}"
    create(broker, topic, message_timestamp_before_max_ms=60_000, message_timestamp_after_max_ms=60_000)
    producer, now_ms = producer_of(broker), int(time.time() * 1_000)
    deliver(producer, topic, (b"k", b"v"), timestamp_ms=now_ms)
    with pytest.raises(DeliveryFailed) as failed:
        deliver(producer, topic, (b"k", b"v"), timestamp_ms=now_ms + skew_ms)
    assert failed.value.code == KafkaError.INVALID_TIMESTAMP
    assert len(read_to_end(broker, topic)) == 1


def test_a_compacted_topic_refuses_records_without_a_key_and_a_topic_what_is_too_large(broker: Broker) -> None:
    create(broker, "keyed", cleanup_policy="compact", max_message_bytes=2_000)
    producer = producer_of(broker)
    with pytest.raises(DeliveryFailed) as failed:
        deliver(producer, "keyed", (None, b"v"))
    assert failed.value.code == KafkaError.INVALID_RECORD
    with pytest.raises(DeliveryFailed) as failed:
        deliver(producer, "keyed", (b"k", b"v" * 3_000))
    assert failed.value.code == KafkaError.MSG_SIZE_TOO_LARGE


@pytest.mark.parametrize("codec", ["zstd", "gzip", "lz4", "snappy", "uncompressed"])
def test_a_topic_may_choose_how_its_batches_are_compressed(broker: Broker, codec: str) -> None:
    topic = f"codec-{codec}"
    create(broker, topic, compression_type=codec)
    for sent in ("none", "lz4"):
        deliver(producer_of(broker, compression_type=sent), topic, *[(b"k", b"v" * 200)] * 20)
    assert [message.value() for message in read_to_end(broker, topic)] == [b"v" * 200] * 40
    [segment] = (broker.data_dir / "topics" / topic / "0").glob("*.log")
    wanted = Codec.NONE if codec == "uncompressed" else Codec[codec.upper()]
    assert {header.codec for _, header in iter_batches(segment.read_bytes())} == {wanted}


def test_an_idle_topic_is_emptied_by_its_retention(broker: Broker) -> None:
    create(broker, "short", retention_ms=500)
    deliver(producer_of(broker), "short", *[(b"k", b"v")] * 10)
    consumer = consumer_of(broker)
    until(lambda: consumer.get_watermark_offsets(TopicPartition("short", 0), timeout=5) == (10, 10))
    consumer.close()
    deliver(producer_of(broker), "short", (b"k", b"next"))
    assert [message.offset() for message in read_to_end(broker, "short", **{"auto.offset.reset": "earliest"})] == [10]


def test_deleted_records_stay_deleted(own_broker: Broker) -> None:
    create(own_broker, "cut")
    deliver(producer_of(own_broker), "cut", *[(b"k", b"%d" % number) for number in range(20)])
    admin = AdminClient({"bootstrap.servers": own_broker.bootstrap_servers})
    wanted = TopicPartition("cut", 0, 13)
    assert admin.delete_records([wanted])[wanted].result(10).low_watermark == 13
    own_broker.restart()
    found = read_to_end(own_broker, "cut", **{"auto.offset.reset": "earliest"})
    assert [message.offset() for message in found] == list(range(13, 20))
    assert own_broker.bootstrap_servers


def test_a_topic_may_go_and_come_back_while_clients_read_it(broker: Broker) -> None:
    create(broker, "fleeting")
    deliver(producer_of(broker), "fleeting", *[(b"k", b"old")] * 50)
    consumer = consumer_of(broker, **{"auto.offset.reset": "earliest", "topic.metadata.refresh.interval.ms": 50})
    consumer.assign([TopicPartition("fleeting", 0, 0)])
    assert len(consumer.consume(50, 10)) == 50
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    admin.delete_topics(["fleeting"])["fleeting"].result(10)
    assert not [message for message in consumer.consume(10, 0.5) if message.error() is None]
    consumer.close()
    create(broker, "fleeting")
    deliver(producer_of(broker), "fleeting", (b"k", b"new"))
    assert [message.value() for message in read_to_end(broker, "fleeting")] == [b"new"]


def deliver_until_refused(producer: Producer, topic: str) -> int:
    """Returns how many records of 10 kB were acknowledged."""
    for sent in range(0, 4_000, 20):
        try:
            deliver(producer, topic, *[(b"k", b"v" * 10_000)] * 20)
        except DeliveryFailed:
            return sent
    raise AssertionError("nothing was refused")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB."""
    at = tmp_path / "small"
    at.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "yeoul-test", str(at)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("file systems can only be mounted by root")
    yield at
    subprocess.run(["umount", str(at)], check=True)


def test_a_full_disk_makes_the_broker_read_only_until_there_is_space(small_disk: Path, tmp_path: Path) -> None:
    log = tmp_path / "broker.log"
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(16 << 20))
    with Broker(small_disk / "data", settings={**FAST, "yeoul.log.file": str(log)}) as broker:
        create(broker, "t")
        create(broker, "small")
        fails_fast = producer_of(broker, message_timeout_ms=2_000, compression_type="none")
        sent = deliver_until_refused(fails_fast, "t")
        assert "is full" in log.read_text()
        assert "MiB free" in log.read_text()
        assert len(read_to_end(broker, "t")) >= sent > 100
        consumer = consumer_of(broker, **{"group.id": "commits"})
        [committed] = consumer.commit(offsets=[TopicPartition("t", 0, 7)], asynchronous=False) or []
        assert (committed.error, committed.offset) == (None, 7)
        consumer.close()
        patient = producer_of(broker, compression_type="none")
        patient.produce("small", b"later")
        assert patient.flush(0.5) == 1
        ballast.unlink()
        assert patient.flush(20) == 0
        until(lambda: "There is space again" in log.read_text())
        assert [message.value() for message in read_to_end(broker, "small")] == [b"later"]
        broker.restart()
        assert len(read_to_end(broker, "t")) >= sent
