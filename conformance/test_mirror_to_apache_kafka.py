"""A mirror to a real Apache Kafka, and from one: what Kafka's own rules about batches and transactions make of it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from bench.apache_kafka import ApacheKafka, missing_tools
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from yeoul.broker import Broker
from yeoul.connectors.kafka.settings import client_settings
from yeoul.mirror.mirror import Mirror
from yeoul.mirror.progress import Snapshot
from yeoul.mirror.settings import MirrorSettings, Selection

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.skipif(missing_tools() is not None, reason=f"no real Kafka here: {missing_tools()}"),
]

Cluster = Broker | ApacheKafka
Row = tuple[bytes | None, bytes | None, object, int]


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    # The log is cleaned as soon as there is something to clean, so that compaction leaves gaps between offsets.
    eager = "log.cleaner.backoff.ms=100\nlog.segment.delete.delay.ms=100\n"
    with ApacheKafka(tmp_path_factory.mktemp("kafka"), properties=eager) as running:
        yield running


@pytest.fixture
def yeoul(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "yeoul", num_partitions=2) as running:
        yield running


def client(cluster: Cluster, **more: str | int | bool) -> dict[str, str | int | float | bool]:
    settings: dict[str, str | int | float | bool] = {"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0}
    return settings | {name.replace("_", "."): value for name, value in more.items()}


def copy(source: Cluster, target: Cluster, **more: object) -> Snapshot:
    clients = [client_settings({"properties.bootstrap.servers": one.bootstrap_servers}) for one in (source, target)]
    return Mirror(MirrorSettings(*clients, once=True, **more)).run()  # type: ignore[arg-type]


def create(cluster: Cluster, *topics: NewTopic) -> None:
    admin = AdminClient(client(cluster))
    for future in admin.create_topics(list(topics)).values():
        future.result(30)


def rows(cluster: Cluster, topic: str, starts: Mapping[int, int] | None = None) -> dict[int, list[Row]]:
    """Returns a topic's committed records, by partition."""
    consumer = Consumer(client(cluster, group_id="unused", isolation_level="read_committed", enable_partition_eof=True))
    try:
        partitions = sorted(consumer.list_topics(topic, timeout=30).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, one, (starts or {}).get(one, 0)) for one in partitions])
        found: dict[int, list[Row]] = {one: [] for one in partitions}
        ended: set[int] = set()
        deadline_s = time.monotonic() + 60
        while ended != set(partitions):
            assert time.monotonic() < deadline_s, f"{topic} has no end"
            for message in consumer.consume(5_000, 0.2):
                partition = message.partition()
                assert partition is not None
                if message.error():
                    ended.add(partition)
                else:
                    row = message.key(), message.value(), message.headers(), message.timestamp()[1]
                    found[partition].append(row)
        return found
    finally:
        consumer.close()


def offsets_of(cluster: Cluster, topic: str) -> list[int]:
    """Returns the offsets of a topic's committed records, of its one partition."""
    consumer = Consumer(client(cluster, group_id="unused", isolation_level="read_committed", enable_partition_eof=True))
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        found: list[int] = []
        for message in iter(lambda: consumer.poll(30), None):
            if message.error():
                return found
            found.append(message.offset() or 0)
        raise AssertionError(f"{topic} has no end")
    finally:
        consumer.close()


def commit(cluster: Cluster, group: str, offsets: Sequence[TopicPartition]) -> None:
    consumer = Consumer(client(cluster, group_id=group, enable_auto_commit=False))
    consumer.commit(offsets=list(offsets), asynchronous=False)
    consumer.close()


def committed(cluster: Cluster, group: str, topic: str, partition: int) -> int:
    consumer = Consumer(client(cluster, group_id=group, enable_auto_commit=False))
    try:
        offset: int = consumer.committed([TopicPartition(topic, partition)], timeout=30)[0].offset
        return offset
    finally:
        consumer.close()


def transact(cluster: Cluster, topic: str, counts: Sequence[int]) -> int:
    """Writes transactions of so many records, those of a negative count aborted; returns the end offset."""
    producer = Producer(client(cluster, transactional_id="writer"))
    producer.init_transactions(60)
    for number, count in enumerate(counts):
        producer.begin_transaction()
        for index in range(abs(count)):
            producer.produce(topic, b"%d-%d" % (number, index), partition=0)
        producer.flush(30)
        if count < 0:
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(30)
    return sum(map(abs, counts)) + len(counts)


def test_records_settings_and_stamps_arrive_at_kafka(yeoul: Broker, kafka: ApacheKafka) -> None:
    own = {"retention.ms": "-1", "max.message.bytes": "2500000", "cleanup.policy": "compact"}
    codecs = ["none", "gzip", "snappy", "lz4", "zstd"]
    create(yeoul, NewTopic("settings", 3, config=own), *(NewTopic(f"c-{codec}", 2) for codec in codecs))
    create(yeoul, NewTopic("stamped", 1, config={"message.timestamp.type": "LogAppendTime"}))
    in_a_year_ms = int(time.time() * 1_000) + 365 * 86_400_000
    for codec in codecs:
        producer = Producer(client(yeoul, compression_type=codec, message_max_bytes=2_400_000))
        for index in range(5_000):
            producer.produce(
                f"c-{codec}",
                None if index % 10 == 0 else b"v%d" % index * (index % 50),
                None if index % 4 == 0 else b"k%d" % index,
                partition=index % 2,
                timestamp=in_a_year_ms if index == 7 else 1_700_000_000_000 + index,
                headers=[("a", b"1"), ("a", None)] if index % 5 == 0 else None,
            )
        producer.produce("settings", b"x" * 2_000_000 if codec == "none" else b"y", b"key", partition=0)
        producer.produce("stamped", codec.encode(), timestamp=5)
        assert producer.flush(60) == 0
    copy(yeoul, kafka)
    for topic in [f"c-{codec}" for codec in codecs] + ["settings", "stamped"]:
        assert rows(kafka, topic) == rows(yeoul, topic), topic
    admin = AdminClient(client(kafka))
    (future,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, "settings")]).values()
    found = future.result(30)
    assert {name: found[name].value for name in own} == own


def test_every_offset_is_translated_to_kafka(yeoul: Broker, kafka: ApacheKafka) -> None:
    create(yeoul, NewTopic("tx", 1))
    end = transact(yeoul, "tx", [3, -2, 1, 4, -5, 2])
    copy(yeoul, kafka)
    end += transact(yeoul, "tx", [1, -1, 2])
    for offset in range(end + 1):
        commit(yeoul, f"tx-{offset}", [TopicPartition("tx", 0, offset)])
    copy(yeoul, kafka)
    here, there = offsets_of(yeoul, "tx"), offsets_of(kafka, "tx")
    assert len(here) == len(there)
    for offset in range(end + 1):
        translated = committed(kafka, f"tx-{offset}", "tx", 0)
        assert sum(one >= translated for one in there) == sum(one >= offset for one in here), offset


def test_gaps_of_a_compacted_topic_are_closed(yeoul: Broker, kafka: ApacheKafka) -> None:
    """From Kafka: its cleaner leaves batches with gaps, which no log would take as they are."""
    eager = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01", "segment.ms": "200"}
    create(kafka, NewTopic("gaps", 1, config=eager))
    producer = Producer(client(kafka, compression_type="zstd"))
    deadline_s = time.monotonic() + 60
    written = 0
    while True:
        for _ in range(2_000):
            key = b"k%d" % (written % 700 if written % 3 else written)
            producer.produce("gaps", b"%d" % written, key, headers=[("n", b"%d" % written)])
            written += 1
        assert producer.flush(30) == 0
        kept = rows(kafka, "gaps")[0]
        if len(kept) < written * 0.8:
            break
        assert time.monotonic() < deadline_s, "Kafka does not compact"
    for offset in range(0, written, written // 10):
        commit(kafka, f"gaps-{offset}", [TopicPartition("gaps", 0, offset)])
    copy(kafka, yeoul, topics=Selection.of(["gaps"]))
    there = rows(yeoul, "gaps")[0]
    # The cleaner may have gone on since: what is there now was there then.
    left = rows(kafka, "gaps")[0]
    assert [row for row in there if row in left] == left
    # The number in a record is the offset that it had in Kafka.
    numbers = [int(row[1] or b"") for row in there]
    assert numbers == sorted(set(numbers))
    assert len(numbers) < written
    for offset in range(0, written, written // 10):
        translated = committed(yeoul, f"gaps-{offset}", "gaps", 0)
        behind = [int(row[1] or b"") for row in rows(yeoul, "gaps", {0: translated})[0]]
        assert behind == [number for number in numbers if number >= offset]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_kills_of_the_mirror_and_of_kafka_lose_and_double_nothing(
    yeoul: Broker, kafka: ApacheKafka, tmp_path: Path
) -> None:
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    chance = random.Random(seed)
    create(yeoul, NewTopic("killed", 3))
    where = ["--from", yeoul.bootstrap_servers, "--to", kafka.bootstrap_servers, "--topics", "killed", "--no-groups"]
    often = ["--json", "--commit-interval", "20 ms", "--rate", "3 MB"]
    command = [sys.executable, "-m", "yeoul.cli", "mirror", *where, *often]
    producer = Producer(client(yeoul, enable_idempotence=True, compression_type="lz4"))
    sent = 0

    def send() -> None:
        nonlocal sent
        for _ in range(60_000):
            producer.produce("killed", b"%d" % sent * 8, partition=sent % 3)
            sent += 1
            producer.poll(0)
        assert producer.flush(60) == 0

    for victim in ("mirror", "mirror", "kafka", "mirror"):
        send()
        with (
            (tmp_path / "stderr").open("ab") as errors,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as mirror,
        ):
            try:
                _wait_for_records(mirror)
                threading.Event().wait(chance.uniform(0, 0.4))
                if victim == "kafka":
                    kafka.kill()
                    kafka.start()
                    send()
                    _wait_for_records(mirror)
            finally:
                mirror.kill()
    copy(yeoul, kafka, topics=Selection.of(["killed"]))
    found = rows(kafka, "killed")
    assert {one: len(some) for one, some in found.items()} == dict.fromkeys(range(3), sent // 3)
    assert found == rows(yeoul, "killed")


def _wait_for_records(mirror: subprocess.Popen[str]) -> None:
    assert mirror.stdout is not None
    seen: int | None = None
    for line in mirror.stdout:
        progress = json.loads(line)
        if seen is None:
            seen = progress["records"]
        if progress["connected"] and progress["records"] > (seen or 0):
            return
    raise AssertionError(f"the mirror ended with code {mirror.wait()}")
