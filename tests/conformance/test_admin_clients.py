"""The admin clients of kafka-python and librdkafka, unmodified: what they ask of a cluster beyond topics and groups."""

from __future__ import annotations

import uuid

import pytest
from confluent_kafka import ElectionType, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    ResourceType,
)
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ConfigResource as PythonResource
from kafka.admin import ConfigResourceType, NewTopic

from yeoul.broker import Broker

pytestmark = pytest.mark.conformance


@pytest.fixture
def topic(broker: Broker) -> str:
    name = f"admin-{uuid.uuid4().hex[:8]}"
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    admin.create_topics([NewTopic(name, num_partitions=2, replication_factor=1)])
    admin.close()
    return name


def test_kafka_python_describes_directories_partitions_quorum_and_features(broker: Broker, topic: str) -> None:
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers)
    producer.send(topic, b"x" * 1_000, partition=1).get(10)
    producer.close()
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    try:
        text = str(admin.describe_log_dirs())
        assert topic in text
        assert str(broker.data_dir) in text
        assert "admin" in str(admin.describe_topic_partitions([topic]))
        assert "transaction.version" in str(admin.describe_features())
        assert admin.describe_metadata_quorum()
        assert not admin.list_partition_reassignments()
        assert admin.list_transactions() is not None
    finally:
        admin.close()


def test_kafka_python_changes_settings_of_a_broker_and_takes_them_back(broker: Broker) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    resource = PythonResource(ConfigResourceType.BROKER, "1", {"max.connections": "700"})
    admin.alter_configs([resource])
    described = str(admin.describe_configs([PythonResource(ConfigResourceType.BROKER, "1", {"max.connections": None})]))
    assert "700" in described
    admin.reset_configs([PythonResource(ConfigResourceType.BROKER, "1", {"max.connections": None})])
    admin.close()


def test_librdkafka_appends_to_lists_and_sees_synonyms(broker: Broker, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    entry = ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.APPEND)
    change = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin.incremental_alter_configs([change])[change].result(10)
    found = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)])
    [configs] = [future.result(10) for future in found.values()]
    policy = configs["cleanup.policy"]
    assert (policy.value, policy.source) == ("delete,compact", ConfigSource.DYNAMIC_TOPIC_CONFIG.value)
    assert [one.value for one in policy.synonyms.values()][-1] == "delete"
    wrong = ConfigResource(
        ResourceType.BROKER,
        "1",
        incremental_configs=[ConfigEntry("log.dirs", "/x", incremental_operation=AlterConfigOpType.SET)],
    )
    with pytest.raises(KafkaException, match="fixed when the broker starts"):
        admin.incremental_alter_configs([wrong])[wrong].result(10)


def test_librdkafka_elects_and_trims(broker: Broker, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    place = TopicPartition(topic, 0)
    elected = admin.elect_leaders(ElectionType.PREFERRED, [place]).result(10)
    assert "ELECTION_NOT_NEEDED" in str(elected[place])
    trimmed = admin.delete_records([TopicPartition(topic, 0, 0)])
    assert [future.result(10).low_watermark for future in trimmed.values()] == [0]
