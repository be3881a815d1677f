"""confluent-kafka (librdkafka), unmodified: compressions, headers, groups, admin, and what it asks of the protocol."""

from __future__ import annotations

import time
import uuid

import pytest
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicCollection, TopicPartition
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
from yeoul.wire.messages.create_topics import CREATE_TOPICS, CreatableTopic, CreateTopicsRequest

from .raw_client import RawClient

pytestmark = pytest.mark.conformance


def a_name(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def produce(broker: Broker, topic: str, values: list[bytes], partition: int = 0, **settings: object) -> list[int]:
    """Returns the offsets, in the order of the values."""
    offsets: list[int] = []
    failures: list[object] = []

    def delivered(error: object, message: Message) -> None:
        if error is not None:
            failures.append(error)
        offsets.append(message.offset() or 0)

    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, **settings})
    for value in values:
        producer.produce(topic, value, b"key", partition, delivered, headers=[("h", b"x"), ("none", None)])
    assert producer.flush(20) == 0
    assert failures == []
    return offsets


def read(broker: Broker, topic: str, count: int, start: int = 0, partition: int = 0) -> list[Message]:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "unused"})
    consumer.assign([TopicPartition(topic, partition, start)])
    messages: list[Message] = []
    deadline_s = time.monotonic() + 20
    while len(messages) < count and time.monotonic() < deadline_s:
        messages += consumer.consume(count - len(messages), 0.5)
    consumer.close()
    assert [message.error() for message in messages] == [None] * count
    return messages


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
@pytest.mark.parametrize("idempotent", [False, True])
def test_records_come_back_whole(broker: Broker, compression: str, idempotent: bool) -> None:
    topic = a_name("ck")
    values = [b"value-%d-" % i * 20 for i in range(500)]
    settings = {"compression.type": compression, "enable.idempotence": idempotent, "linger.ms": 20}
    assert produce(broker, topic, values, **settings) == list(range(500))
    messages = read(broker, topic, 500)
    assert [message.value() for message in messages] == values
    assert messages[3].headers() == [("h", b"x"), ("none", None)]
    assert messages[3].key() == b"key"


def test_compression_is_kept_on_the_way_to_the_disk(own_broker: Broker) -> None:
    produce(own_broker, "squeezed", [b"a" * 1_000] * 2_000, **{"compression.type": "zstd", "linger.ms": 50})
    stored = sum(path.stat().st_size for path in own_broker.data_dir.glob("topics/squeezed/*/*.log"))
    assert 0 < stored < 200_000


@pytest.mark.parametrize("acks", ["0", "1", "all"])
def test_every_kind_of_acknowledgement(broker: Broker, acks: str) -> None:
    topic = a_name("acks")
    produce(broker, topic, [b"first"])
    produce(broker, topic, [b"one", b"two"], acks=acks)
    assert [message.value() for message in read(broker, topic, 3)] == [b"first", b"one", b"two"]


def test_a_group_rebalances_between_two_members(broker: Broker) -> None:
    topic, group = a_name("ck-group"), a_name("group")
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    admin.create_topics([NewTopic(topic, 4)])[topic].result(10)

    def member(strategy: str) -> Consumer:
        settings = {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "partition.assignment.strategy": strategy,
            "heartbeat.interval.ms": 100,
            "session.timeout.ms": 6_000,
        }
        consumer = Consumer(settings)
        consumer.subscribe([topic])
        return consumer

    def numbers(consumer: Consumer) -> set[int]:
        return {each.partition for each in consumer.assignment()}

    first, second = member("cooperative-sticky"), member("cooperative-sticky")
    deadline_s = time.monotonic() + 30
    while not (len(numbers(first)) == 2 and len(numbers(second)) == 2) and time.monotonic() < deadline_s:
        first.poll(0.05)
        second.poll(0.05)
    assert numbers(first) | numbers(second) == {0, 1, 2, 3}
    assert not numbers(first) & numbers(second)
    described = admin.describe_consumer_groups([group])[group].result(10)
    assert len(described.members) == 2
    second.close()
    while len(numbers(first)) < 4 and time.monotonic() < deadline_s:
        first.poll(0.05)
    assert numbers(first) == {0, 1, 2, 3}
    first.close()


def test_committed_offsets_are_kept_over_a_restart(own_broker: Broker) -> None:
    produce(own_broker, "kept", [b"%d" % i for i in range(10)])

    def member() -> Consumer:
        settings = {
            "bootstrap.servers": own_broker.bootstrap_servers,
            "group.id": "kept-group",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
        consumer = Consumer(settings)
        consumer.subscribe(["kept"])
        return consumer

    consumer = member()
    assert len(consumer.consume(6, 15)) == 6
    consumer.commit(asynchronous=False)
    consumer.close()
    own_broker.kill()
    own_broker.start()
    consumer = member()
    assert [message.value() for message in consumer.consume(4, 15)] == [b"6", b"7", b"8", b"9"]
    consumer.close()


def test_clients_that_stay_connected_go_on_after_a_restart(own_broker: Broker) -> None:
    producer = Producer({"bootstrap.servers": own_broker.bootstrap_servers, "reconnect.backoff.max.ms": 200})
    consumer = Consumer(
        {"bootstrap.servers": own_broker.bootstrap_servers, "group.id": "g", "reconnect.backoff.max.ms": 200}
    )
    producer.produce("going-on", b"before")
    producer.flush(10)
    consumer.assign([TopicPartition("going-on", 0, 0), TopicPartition("going-on", 1, 0)])
    first = consumer.poll(10)
    assert first is not None
    assert first.value() == b"before"
    own_broker.restart()
    producer.produce("going-on", b"after")
    assert producer.flush(20) == 0
    deadline_s = time.monotonic() + 20
    values = []
    while values != [b"after"] and time.monotonic() < deadline_s:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            values.append(message.value())
    consumer.close()
    assert values == [b"after"]


def test_the_admin_client_creates_grows_configures_and_deletes(broker: Broker) -> None:
    topic = a_name("admin")
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    admin.create_topics([NewTopic(topic, 2, config={"retention.ms": "60000"})])[topic].result(10)
    with pytest.raises(KafkaException, match="TOPIC_ALREADY_EXISTS"):
        admin.create_topics([NewTopic(topic, 2)])[topic].result(10)
    with pytest.raises(KafkaException, match="INVALID_CONFIG"):
        admin.create_topics([NewTopic(topic + "x", 1, config={"retention.mss": "1"})])[topic + "x"].result(10)
    admin.create_partitions([NewPartitions(topic, 5)])[topic].result(10)
    assert len(admin.list_topics(topic, 10).topics[topic].partitions) == 5
    resource = ConfigResource(ResourceType.TOPIC, topic)
    assert admin.describe_configs([resource])[resource].result(10)["retention.ms"].value == "60000"
    entry = ConfigEntry("retention.ms", "70000", incremental_operation=AlterConfigOpType.SET)
    change = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin.incremental_alter_configs([change])[change].result(10)
    assert admin.describe_configs([resource])[resource].result(10)["retention.ms"].value == "70000"
    cluster = admin.describe_cluster().result(10)
    assert [(node.host, node.port) for node in cluster.nodes] == [(broker.host, broker.port)]
    admin.delete_topics([topic])[topic].result(10)
    assert topic not in admin.list_topics(timeout=10).topics


def test_topics_keep_their_ids_over_a_restart(own_broker: Broker) -> None:
    def topic_id() -> str:
        admin = AdminClient({"bootstrap.servers": own_broker.bootstrap_servers})
        return str(admin.describe_topics(TopicCollection(["ids"]))["ids"].result(10).topic_id)

    produce(own_broker, "ids", [b"x"])
    before = topic_id()
    own_broker.restart()
    assert topic_id() == before


def test_a_replication_factor_above_one_is_accepted_aloud(broker: Broker) -> None:
    with RawClient(broker.host, broker.port) as client:
        request = CreateTopicsRequest(
            topics=[CreatableTopic(name=a_name("rf"), num_partitions=1, replication_factor=3)]
        )
        [created] = client.ask(CREATE_TOPICS, 7, request).topics
    assert (created.error_code, created.replication_factor) == (0, 1)
    [warning] = [config.value for config in created.configs or [] if config.name == "yeoul.warning"]
    assert warning == "replication.factor=3 was asked for; a single node keeps one copy"
