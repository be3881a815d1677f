"""A mirror between two brokers: everything arrives, in order and once, whoever is killed and when."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from yeoul.broker import Broker
from yeoul.broker.security.scram import ScramMechanism
from yeoul.broker.security.users import User, Users
from yeoul.connectors.kafka.settings import client_settings
from yeoul.errors import PeerError
from yeoul.mirror.mirror import Mirror
from yeoul.mirror.progress import Snapshot
from yeoul.mirror.settings import MirrorSettings, Selection

pytestmark = pytest.mark.conformance

QUIET: dict[str, str | int | float | bool] = {
    "log_level": 0,
    "reconnect.backoff.ms": 20,
    "reconnect.backoff.max.ms": 100,
}
Row = tuple[bytes | None, bytes | None, object, tuple[int, int]]


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "source", num_partitions=2) as running:
        yield running


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "target", num_partitions=1) as running:
        yield running


def settings(source: Broker, target: Broker, **more: object) -> MirrorSettings:
    clients = [client_settings({"properties.bootstrap.servers": one.bootstrap_servers}) for one in (source, target)]
    return MirrorSettings(*clients, **more)  # type: ignore[arg-type]


def copy(source: Broker, target: Broker, **more: object) -> Snapshot:
    return Mirror(settings(source, target, once=True, **more)).run()


def client(broker: Broker, **more: str | int | bool) -> dict[str, str | int | float | bool]:
    return QUIET | {"bootstrap.servers": broker.bootstrap_servers} | {k.replace("_", "."): v for k, v in more.items()}


def rows(broker: Broker, topic: str, starts: Mapping[int, int] | None = None) -> dict[int, list[Row]]:
    """Returns a topic's committed records, by partition."""
    consumer = Consumer(client(broker, group_id="unused", isolation_level="read_committed", enable_partition_eof=True))
    try:
        partitions = sorted(consumer.list_topics(topic, timeout=20).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, one, (starts or {}).get(one, 0)) for one in partitions])
        found: dict[int, list[Row]] = {one: [] for one in partitions}
        ended: set[int] = set()
        deadline_s = time.monotonic() + 30
        while ended != set(partitions):
            assert time.monotonic() < deadline_s, f"{topic} has no end"
            for message in consumer.consume(5_000, 0.2):
                partition = message.partition()
                assert partition is not None
                if message.error():
                    ended.add(partition)
                else:
                    row = message.key(), message.value(), message.headers(), message.timestamp()
                    found[partition].append(row)
        return found
    finally:
        consumer.close()


def offsets_of(broker: Broker, topic: str, partition: int = 0) -> list[int]:
    """Returns the offsets of a partition's committed records."""
    consumer = Consumer(client(broker, group_id="unused", isolation_level="read_committed", enable_partition_eof=True))
    try:
        consumer.assign([TopicPartition(topic, partition, 0)])
        found: list[int] = []
        for message in iter(lambda: consumer.poll(20), None):
            if message.error():
                return found
            found.append(message.offset() or 0)
        raise AssertionError(f"{topic} has no end")
    finally:
        consumer.close()


def commit(broker: Broker, group: str, offsets: Sequence[TopicPartition]) -> None:
    consumer = Consumer(client(broker, group_id=group, enable_auto_commit=False))
    consumer.commit(offsets=list(offsets), asynchronous=False)
    consumer.close()


def committed(broker: Broker, group: str, topic: str, partition: int = 0) -> int:
    consumer = Consumer(client(broker, group_id=group, enable_auto_commit=False))
    try:
        offset: int = consumer.committed([TopicPartition(topic, partition)], timeout=20)[0].offset
        return offset
    finally:
        consumer.close()


def create(broker: Broker, *topics: NewTopic) -> None:
    admin = AdminClient(client(broker))
    for future in admin.create_topics(list(topics)).values():
        future.result(20)


def delete(broker: Broker, topic: str) -> None:
    admin = AdminClient(client(broker))
    admin.delete_topics([topic])[topic].result(20)


def config_of(broker: Broker, topic: str, name: str) -> str | None:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    admin = AdminClient(client(broker))
    (future,) = admin.describe_configs([resource]).values()
    value: str | None = future.result(20)[name].value
    return value


def send(broker: Broker, topic: str, values: Sequence[bytes | None], **more: str | int | bool) -> None:
    producer = Producer(client(broker, **more))
    for index, value in enumerate(values):
        producer.produce(topic, value, partition=0, key=None if index % 3 == 0 else b"k%d" % (index % 7))
    assert producer.flush(30) == 0


def test_records_are_the_same_on_the_other_side(source: Broker, target: Broker) -> None:
    codecs = ["none", "gzip", "snappy", "lz4", "zstd"]
    create(source, *(NewTopic(codec, 2) for codec in codecs))
    for codec in codecs:
        producer = Producer(client(source, compression_type=codec, linger_ms=5))
        for index in range(3_000):
            producer.produce(
                codec,
                None if index % 10 == 0 else b"v%d" % index * (index % 50),
                None if index % 4 == 0 else b"k%d" % index,
                partition=index % 2,
                timestamp=1_700_000_000_000 + index * 7 % 1_000,
                headers=[("a", b"1"), ("a", None), ("", b"")] if index % 5 == 0 else None,
            )
        producer.produce(codec, b"x" * 900_000, partition=0)
        assert producer.flush(30) == 0
    assert copy(source, target).records == 5 * 3_001
    assert copy(source, target).records == 0
    for codec in codecs:
        assert rows(target, codec) == rows(source, codec)


def transact(broker: Broker, topic: str, counts: Sequence[int]) -> None:
    """Writes transactions of so many records; those of a negative count are aborted."""
    producer = Producer(client(broker, transactional_id="writer"))
    producer.init_transactions(20)
    for number, count in enumerate(counts):
        producer.begin_transaction()
        for index in range(abs(count)):
            producer.produce(topic, b"%d-%d" % (number, index), partition=0)
        producer.flush(20)
        if count < 0:
            producer.abort_transaction(20)
        else:
            producer.commit_transaction(20)


def test_aborted_records_stay_behind_and_every_offset_is_translated(source: Broker, target: Broker) -> None:
    create(source, NewTopic("tx", 1))
    transact(source, "tx", [3, -2, 1, 4, -5, 2])
    copy(source, target)
    transact(source, "tx", [1, -1, 2])
    end = 3 + 2 + 1 + 4 + 5 + 2 + 1 + 1 + 2 + 9
    # A group at each offset, those of markers and of aborted records too.
    for offset in range(end + 1):
        commit(source, f"g{offset}", [TopicPartition("tx", 0, offset)])
    copy(source, target)
    assert rows(target, "tx") == rows(source, "tx")
    here, there = offsets_of(source, "tx"), offsets_of(target, "tx")
    for offset in range(end + 1):
        translated = committed(target, f"g{offset}", "tx")
        assert sum(one >= translated for one in there) == sum(one >= offset for one in here), offset


def test_offsets_move_forward_only_and_groups_at_work_are_left_alone(source: Broker, target: Broker) -> None:
    create(source, NewTopic("moved", 1))
    send(source, "moved", [b"%d" % index for index in range(50)])
    commit(source, "g", [TopicPartition("moved", 0, 20)])
    commit(source, "busy", [TopicPartition("moved", 0, 20)])
    copy(source, target)
    assert committed(target, "g", "moved") == 20
    commit(source, "g", [TopicPartition("moved", 0, 10)])
    commit(source, "busy", [TopicPartition("moved", 0, 30)])
    member = Consumer(client(target, group_id="busy", enable_auto_commit=False, auto_offset_reset="earliest"))
    try:
        member.subscribe(["moved"])
        deadline_s = time.monotonic() + 20
        while member.poll(0.1) is None:
            assert time.monotonic() < deadline_s
        copy(source, target)
    finally:
        member.close()
    assert committed(target, "g", "moved") == 20
    assert committed(target, "busy", "moved") == 20


def test_topics_partitions_and_settings_follow(source: Broker, target: Broker) -> None:
    create(source, NewTopic("kept", 1, config={"retention.ms": "3600000", "max.message.bytes": "3000000"}))
    create(source, NewTopic("stamped", 1, config={"message.timestamp.type": "LogAppendTime"}))
    create(source, NewTopic("left-out", 1))
    send(source, "kept", [b"1"])
    send(source, "stamped", [b"1", b"2"])
    chosen = Selection.of([], ["left-.*"])
    copy(source, target, topics=chosen, rename="copy.")
    admin = AdminClient(client(source))
    admin.create_partitions([NewPartitions("kept", 3)])["kept"].result(20)
    change = ConfigEntry("retention.ms", "7200000", incremental_operation=AlterConfigOpType.SET)
    for future in admin.incremental_alter_configs(
        [ConfigResource(ResourceType.TOPIC, "kept", incremental_configs=[change])]
    ).values():
        future.result(20)
    producer = Producer(client(source))
    producer.produce("kept", b"2", partition=2)
    assert producer.flush(20) == 0
    copy(source, target, topics=chosen, rename="copy.")
    assert config_of(target, "copy.kept", "retention.ms") == "7200000"
    assert config_of(target, "copy.kept", "max.message.bytes") == "3000000"
    assert rows(target, "copy.kept") == rows(source, "kept")
    assert list(rows(target, "copy.kept")) == [0, 1, 2]
    stamps = [row[3][1] for row in rows(source, "stamped")[0]]
    assert [row[3][1] for row in rows(target, "copy.stamped")[0]] == stamps
    assert {name for name in AdminClient(client(target)).list_topics(timeout=20).topics if "left" in name} == set()


def test_a_topic_with_records_of_others_is_left_alone(
    source: Broker, target: Broker, capfd: pytest.CaptureFixture[str]
) -> None:
    create(source, NewTopic("shared", 1))
    create(target, NewTopic("shared", 1))
    send(source, "shared", [b"from the source"])
    send(target, "shared", [b"was there"])
    assert copy(source, target).records == 0
    assert "holds records that this mirror has not put there" in capfd.readouterr().err
    assert copy(source, target, append=True).records == 1
    assert [row[1] for row in rows(target, "shared")[0]] == [b"was there", b"from the source"]


def test_what_is_deleted_stays_and_what_is_created_anew_is_not_mixed_in(
    source: Broker, target: Broker, capfd: pytest.CaptureFixture[str]
) -> None:
    create(source, NewTopic("gone", 1))
    send(source, "gone", [b"old"])
    copy(source, target)
    delete(source, "gone")
    assert copy(source, target).records == 0
    create(source, NewTopic("gone", 1))
    send(source, "gone", [b"new"])
    assert copy(source, target).records == 0
    assert "created anew at the source" in capfd.readouterr().err
    assert [row[1] for row in rows(target, "gone")[0]] == [b"old"]
    delete(target, "gone")
    assert copy(source, target).records == 1
    assert [row[1] for row in rows(target, "gone")[0]] == [b"new"]


def test_of_two_mirrors_with_one_id_one_ends(source: Broker, target: Broker) -> None:
    create(source, NewTopic("t", 1))
    first = Mirror(settings(source, target, mirror_id="same", commit_ms=20))
    failures: list[Exception] = []

    def run() -> None:
        try:
            first.run()
        except PeerError as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        # Records arrive, so that the first mirror has something to be refused.
        send(source, "t", [b"1"])
        wait_for(lambda: first_arrived(target))
        assert copy(source, target, mirror_id="same").records == 0
        send(source, "t", [b"2"])
        thread.join(20)
        assert not thread.is_alive()
    finally:
        first.stop()
        thread.join(20)
    assert "Another mirror has taken over" in str(failures[0])
    assert copy(source, target, mirror_id="same").records == 1
    assert rows(target, "t") == rows(source, "t")


def first_arrived(broker: Broker) -> bool:
    try:
        return bool(rows(broker, "t")[0])
    except (KafkaException, KeyError, AssertionError):
        return False


def wait_for(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come to pass"
        pause.wait(0.05)


class MirrorProcess:
    """`yeoul mirror` in a process of its own, killed and started again."""

    def __init__(self, source: Broker, target: Broker) -> None:
        where = ["--from", source.bootstrap_servers, "--to", target.bootstrap_servers]
        often = ["--refresh", "300 ms", "--commit-interval", "20 ms", "--json", "--rate", "2 MB"]
        self._command = [sys.executable, "-m", "yeoul.cli", "mirror", *where, *often]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
        )

    def wait_until_it_copies(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if json.loads(line)["records"]:
                return
        raise AssertionError(f"the mirror ended with code {self._process.wait()}")

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def load(source: Broker, topic: str) -> Iterator[None]:
    """Writes to a topic meanwhile: plain records, and transactions of which every third is aborted."""
    ending = threading.Event()

    def write_plainly() -> None:
        producer = Producer(client(source, linger_ms=2, enable_idempotence=True, compression_type="lz4"))
        number = 0
        while not ending.wait(0.005):
            for _ in range(8):
                producer.produce(topic, b"%d" % number * 5, b"k", partition=number % 2, headers=[("n", b"%d" % number)])
                number += 1
            producer.poll(0)
        assert producer.flush(30) == 0

    def write_transactions() -> None:
        number = 0
        while not ending.is_set():
            try:
                producer = Producer(client(source, transactional_id="load", transaction_timeout_ms=5_000))
                producer.init_transactions(10)
                while not ending.wait(0.02):
                    producer.begin_transaction()
                    for index in range(7):
                        producer.produce(topic, b"t%d-%d" % (number, index), partition=index % 2)
                    number += 1
                    if number % 3:
                        producer.commit_transaction(10)
                    else:
                        producer.flush(10)
                        producer.abort_transaction(10)
            except KafkaException:
                continue

    threads = [threading.Thread(target=one) for one in (write_plainly, write_transactions)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ending.set()
        for thread in threads:
            thread.join(60)


@pytest.mark.slow
def test_whoever_is_killed_nothing_is_lost_and_nothing_doubled(source: Broker, target: Broker) -> None:
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    chance = random.Random(seed)
    create(source, NewTopic("load", 2))
    mirror = MirrorProcess(source, target)
    pause = threading.Event()
    try:
        with load(source, "load"):
            for victim in chance.sample(["mirror", "source", "target"] * 2, 6):
                mirror.wait_until_it_copies()
                pause.wait(chance.uniform(0, 0.3))
                if victim == "mirror":
                    mirror.kill()
                    mirror.start()
                else:
                    broker = source if victim == "source" else target
                    broker.kill()
                    broker.start()
    finally:
        mirror.kill()
    offsets = {one: chance.sample(range(500), 4) for one in (0, 1)}
    for partition, some in offsets.items():
        for offset in some:
            commit(source, f"g{partition}-{offset}", [TopicPartition("load", partition, offset)])
    copy(source, target)
    expected = rows(source, "load")
    found = rows(target, "load")
    assert all(len(expected[one]) > 500 for one in expected)
    assert {one: len(some) for one, some in found.items()} == {one: len(some) for one, some in expected.items()}
    assert found == expected
    for partition, some in offsets.items():
        here, there = offsets_of(source, "load", partition), offsets_of(target, "load", partition)
        for offset in some:
            translated = committed(target, f"g{partition}-{offset}", "load", partition)
            assert sum(one >= translated for one in there) == sum(one >= offset for one in here), offset


def test_a_target_with_logins_is_written_to_with_a_password(source: Broker, tmp_path: Path) -> None:
    Users(tmp_path / "secured").change([User("root", True).with_password("secret", ScramMechanism, 4096)])
    config = tmp_path / "to.properties"
    config.write_text(
        "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-512\nsasl.jaas.config="
        'org.apache.kafka.common.security.scram.ScramLoginModule required username="root" password="secret";\n'
    )
    login = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-512"}
    who = login | {"sasl_username": "root", "sasl_password": "secret"}
    create(source, NewTopic("t", 1))
    send(source, "t", [b"1", b"2"])
    with Broker(tmp_path / "secured", settings={"listeners": "SASL_PLAINTEXT://127.0.0.1:0"}) as target:
        command = ["--from", source.bootstrap_servers, "--to", target.bootstrap_servers, "--once"]
        run = [sys.executable, "-m", "yeoul.cli", "mirror", *command]
        done = subprocess.run(
            [*run, "--to-config", str(config)], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        consumer = Consumer(client(target, group_id="unused", auto_offset_reset="earliest", **who))
        consumer.assign([TopicPartition("t", 0, 0)])
        found = [message.value() for message in consumer.consume(2, 20)]
        consumer.close()
        assert found == [b"1", b"2"]
