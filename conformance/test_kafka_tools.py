"""Apache Kafka's own command line tools, as a user types them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest
from bench.apache_kafka import KAFKA_VERSION
from confluent_kafka import Consumer, Producer

from conformance.kafka_tools import Tools
from conformance.places import need
from yeoul.broker import Broker

need("java", "mvn")

pytestmark = pytest.mark.client("Apache Kafka's command line tools", KAFKA_VERSION)

GROUPS = "consumer.group.ConsumerGroupCommand"
CONFIGS = "kafka.admin.ConfigCommand"
BEGINNING = "--from-beginning"


@pytest.fixture(scope="module")
def tools(broker: Broker) -> Tools:
    return Tools(broker)


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    return request.node.name.removeprefix("test_")


def lines(count: int, prefix: str = "line") -> list[str]:
    return [f"{prefix} {i}" for i in range(count)]


def fill(broker: Broker, topic: str, count: int, partitions: int = 1) -> None:
    """Produces without a JVM, where the tool that is looked at is another."""
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    for i in range(count):
        producer.produce(topic, f"line {i}", key=f"k{i}", partition=i % partitions)
    assert producer.flush(20) == 0


def commit_group(broker: Broker, group: str, topic: str, count: int) -> None:
    """Reads so many records of a topic in a group, commits and leaves."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    read = 0
    while read < count:
        read += len(consumer.consume(count - read, timeout=10))
    consumer.commit(asynchronous=False)
    consumer.close()


def test_kafka_topics_create_describe_alter_delete(tools: Tools, topic: str) -> None:
    tools.topic(topic, "--partitions", "3", "--replication-factor", "1", "--config", "retention.ms=3600000")
    assert topic in tools.run("TopicCommand", "--list").split()
    described = tools.run("TopicCommand", "--describe", "--topic", topic)
    assert "PartitionCount: 3" in described
    assert "retention.ms=3600000" in described
    assert len(re.findall(r"Leader: 1\s+Replicas: 1\s+Isr: 1", described)) == 3
    tools.run("TopicCommand", "--alter", "--topic", topic, "--partitions", "5")
    assert "PartitionCount: 5" in tools.run("TopicCommand", "--describe", "--topic", topic)
    code, said = tools.attempt("TopicCommand", "--create", "--topic", topic)
    assert code == 1
    assert "TopicExistsException" in said
    tools.run("TopicCommand", "--delete", "--topic", topic)
    assert topic not in tools.run("TopicCommand", "--list").split()


def test_kafka_topics_without_in_sync_replicas(tools: Tools, topic: str) -> None:
    tools.topic(topic)
    for wanted in ("--under-replicated-partitions", "--unavailable-partitions", "--under-min-isr-partitions"):
        assert topic not in tools.run("TopicCommand", "--describe", wanted)


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_console_producer_and_consumer(tools: Tools, codec: str) -> None:
    topic = tools.topic(f"console-{codec}")
    tools.produce(topic, lines(200), "--compression-codec", codec)
    assert tools.consume(topic, 200, BEGINNING) == lines(200)


def test_console_keys_headers_timestamps(tools: Tools, topic: str) -> None:
    tools.topic(topic)
    parsing = ("--reader-property", "parse.key=true", "--reader-property", "parse.headers=true")
    tools.produce(topic, ["a:1,b:2\tkey\tvalue"], *parsing)
    shown = [
        f"--formatter-property=print.{each}=true" for each in ("key", "headers", "timestamp", "offset", "partition")
    ]
    (line,) = tools.consume(topic, 1, BEGINNING, *shown)
    assert re.fullmatch(r"CreateTime:\d+\tPartition:0\tOffset:0\ta:1,b:2\tkey\tvalue", line)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_console_consumer_in_a_group(tools: Tools, protocol: str) -> None:
    topic = tools.topic(f"console-group-{protocol}", "--partitions", "2")
    tools.produce(topic, lines(100))
    member = ("--group", topic, "--command-property", f"group.protocol={protocol}", BEGINNING)
    assert sorted(tools.consume(topic, 100, *member)) == sorted(lines(100))
    tools.produce(topic, ["the next"])
    assert tools.consume(topic, 1, *member) == ["the next"]


def test_consumer_groups_list_describe_reset_delete(tools: Tools, broker: Broker, topic: str) -> None:
    tools.topic(topic, "--partitions", "2")
    fill(broker, topic, 100, 2)
    commit_group(broker, topic, topic, 100)
    assert topic in tools.run(GROUPS, "--list").split()
    group = ("--group", topic)
    described = tools.run(GROUPS, "--describe", *group)
    assert len(re.findall(rf"{topic} +{topic} +\d +50 +50 +0 +", described)) == 2, described
    assert re.search(rf"{topic} .*Empty +0", tools.run(GROUPS, "--describe", *group, "--state"))
    tools.run(GROUPS, "--describe", *group, "--offsets", "--verbose")
    reset = (GROUPS, "--reset-offsets", *group, "--topic", topic)
    assert re.search(rf"{topic} +\d +10", tools.run(*reset, "--to-offset", "10", "--dry-run"))
    tools.run(*reset, "--to-offset", "10", "--execute")
    assert len(re.findall(r" 10 +50 +40 ", tools.run(GROUPS, "--describe", *group))) == 2
    for how in (
        ("--to-earliest",),
        ("--shift-by", "3"),
        ("--to-datetime", "2020-01-01T00:00:00.000"),
        ("--to-latest",),
    ):
        tools.run(*reset, *how, "--execute")
    tools.run(GROUPS, "--delete-offsets", *group, "--topic", topic)
    tools.run(GROUPS, "--delete", *group)
    assert topic not in tools.run(GROUPS, "--list").split()


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_consumer_groups_with_members(tools: Tools, broker: Broker, protocol: str) -> None:
    topic = tools.topic(f"group-members-{protocol}")
    fill(broker, topic, 10)
    arguments = ("--topic", topic, "--group", topic, "--command-property", f"group.protocol={protocol}", BEGINNING)
    command = tools.command("consumer.ConsoleConsumer", *arguments)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as consumer:
        try:
            assert consumer.stdout is not None
            assert consumer.stdout.readline() == "line 0\n"
            said = tools.run(GROUPS, "--describe", "--group", topic, "--members", "--verbose")
            assert re.search(rf"{topic} +\S+ +/127.0.0.1 +console-consumer +.*{topic}[(:]0", said), said
            assert "Stable" in tools.run(GROUPS, "--describe", "--group", topic, "--state")
            assert "Stable" in tools.run(GROUPS, "--list", "--state", "--type", protocol)
            assert "is not empty" in tools.attempt(GROUPS, "--delete", "--group", topic)[1].lower().replace("_", " ")
        finally:
            consumer.send_signal(signal.SIGINT)
            consumer.communicate(timeout=30)
    listed = tools.run("GroupsCommand", "--list")
    assert re.search(rf"{topic} +{protocol.capitalize()} +consumer", listed), listed


def test_configs_of_a_topic(tools: Tools, topic: str) -> None:
    tools.topic(topic)
    entity = ("--entity-type", "topics", "--entity-name", topic)
    tools.run(CONFIGS, "--alter", *entity, "--add-config", "retention.ms=1000,cleanup.policy=[compact,delete]")
    described = tools.run(CONFIGS, "--describe", *entity)
    assert "retention.ms=1000" in described
    assert "cleanup.policy=compact,delete" in described
    tools.run(CONFIGS, "--alter", *entity, "--delete-config", "retention.ms")
    described = tools.run(CONFIGS, "--describe", *entity, "--all")
    assert "retention.ms=604800000" in described
    code, said = tools.attempt(CONFIGS, "--alter", *entity, "--add-config", "no.such.setting=1")
    assert code != 0
    assert "no.such.setting" in said


def test_configs_of_the_broker(tools: Tools) -> None:
    described = tools.run(CONFIGS, "--describe", "--entity-type", "brokers", "--entity-name", "1", "--all")
    for name in ("num.partitions", "log.segment.bytes", "message.max.bytes", "auto.create.topics.enable"):
        assert f" {name}=" in described
    default = ("--entity-type", "brokers", "--entity-default")
    tools.run(CONFIGS, "--alter", *default, "--add-config", "log.retention.ms=7200000")
    assert "log.retention.ms=7200000" in tools.run(CONFIGS, "--describe", *default)
    tools.run(CONFIGS, "--alter", *default, "--delete-config", "log.retention.ms")
    assert "log.retention.ms" not in tools.run(CONFIGS, "--describe", *default)


def test_configs_client_quotas(tools: Tools) -> None:
    entity = ("--entity-type", "clients", "--entity-name", "slow")
    tools.run(CONFIGS, "--alter", *entity, "--add-config", "producer_byte_rate=1000000,consumer_byte_rate=2000000")
    described = tools.run(CONFIGS, "--describe", *entity)
    assert "producer_byte_rate=1000000" in described
    tools.run(CONFIGS, "--alter", *entity, "--delete-config", "producer_byte_rate")
    described = tools.run(CONFIGS, "--describe", *entity)
    assert "producer_byte_rate" not in described
    assert "consumer_byte_rate=2000000" in described


def test_configs_scram_users(tools: Tools) -> None:
    entity = ("--entity-type", "users", "--entity-name", "alice")
    tools.run(CONFIGS, "--alter", *entity, "--add-config", "SCRAM-SHA-256=[iterations=8192,password=secret]")
    tools.run(CONFIGS, "--alter", *entity, "--add-config", "SCRAM-SHA-512=[password=secret]")
    described = tools.run(CONFIGS, "--describe", *entity)
    assert "SCRAM-SHA-256=iterations=8192" in described
    assert "SCRAM-SHA-512=iterations=4096" in described
    tools.run(CONFIGS, "--alter", *entity, "--delete-config", "SCRAM-SHA-256")
    assert "SCRAM-SHA-256" not in tools.run(CONFIGS, "--describe", *entity)


def test_log_dirs(tools: Tools, broker: Broker, topic: str) -> None:
    tools.topic(topic)
    fill(broker, topic, 100)
    said = tools.run("LogDirsCommand", "--describe", "--topic-list", topic)
    described = json.loads(next(line for line in said.splitlines() if line.startswith("{")))
    (folder,) = described["brokers"][0]["logDirs"]
    (partition,) = folder["partitions"]
    assert partition["partition"] == f"{topic}-0"
    assert partition["size"] > 0


def test_delete_records(tools: Tools, broker: Broker, topic: str, tmp_path: Path) -> None:
    tools.topic(topic)
    fill(broker, topic, 100)
    wanted = tmp_path / "offsets.json"
    place = {"topic": topic, "partition": 0, "offset": 60}
    wanted.write_text(json.dumps({"partitions": [place], "version": 1}))
    assert "low_watermark: 60" in tools.run("DeleteRecordsCommand", "--offset-json-file", str(wanted))
    assert tools.consume(topic, 40, BEGINNING)[0] == "line 60"


def test_get_offsets(tools: Tools, broker: Broker, topic: str) -> None:
    tools.topic(topic, "--partitions", "2")
    fill(broker, topic, 100, 2)
    assert tools.run("GetOffsetShell", "--topic", topic).split() == [f"{topic}:0:50", f"{topic}:1:50"]
    for time, offset in (("earliest", "0"), ("latest", "50"), ("max-timestamp", "49"), ("0", "0")):
        said = tools.run("GetOffsetShell", "--topic-partitions", f"{topic}:1", "--time", time).split()
        assert said == [f"{topic}:1:{offset}"] or time == "max-timestamp"


def test_transactions(tools: Tools, broker: Broker, topic: str) -> None:
    tools.topic(topic)
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "transactional.id": topic, "log_level": 0})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce(topic, "never seen")
    producer.flush()
    assert re.search(rf"{topic}\s+1\s+\d+\s+Ongoing", tools.run("TransactionsCommand", "list"))
    described = tools.run("TransactionsCommand", "describe", "--transactional-id", topic)
    assert f"{topic}-0" in described
    partition = ("--topic", topic, "--partition", "0")
    assert re.search(
        r"\d+\s+\d+\s+\d+\s+0\s+\d+\s+0", tools.run("TransactionsCommand", "describe-producers", *partition)
    )
    tools.run("TransactionsCommand", "find-hanging", "--broker-id", "1", "--max-transaction-timeout", "15")
    tools.run("TransactionsCommand", "abort", *partition, "--start-offset", "0")
    tools.produce(topic, ["seen"])
    assert tools.consume(topic, 1, BEGINNING, "--isolation-level", "read_committed") == ["seen"]


def test_transactions_forced_to_end(tools: Tools, broker: Broker, topic: str) -> None:
    tools.topic(topic)
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "transactional.id": topic, "log_level": 0})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce(topic, "never seen")
    producer.flush()
    tools.run("TransactionsCommand", "forceTerminateTransaction", "--transactionalId", topic)
    tools.produce(topic, ["seen"])
    assert tools.consume(topic, 1, BEGINNING, "--isolation-level", "read_committed") == ["seen"]


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_verifiable_producer_and_consumer(tools: Tools, protocol: str) -> None:
    topic = tools.topic(f"verifiable-{protocol}", "--partitions", "2")
    said = tools.run("VerifiableProducer", "--topic", topic, "--max-messages", "500", "--acks", "-1")
    counts = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert counts[-1]["name"] == "tool_data"
    assert (counts[-1]["sent"], counts[-1]["acked"]) == (500, 500)
    member = ("--topic", topic, "--group-id", topic, "--group-protocol", protocol, "--reset-policy", "earliest")
    said = tools.run("VerifiableConsumer", *member, "--max-messages", "500", "--verbose")
    events = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    values = [each["value"] for each in events if each["name"] == "record_data"]
    assert sorted(map(int, values)) == list(range(500))
    assert all(each["success"] for each in events if each["name"] == "offsets_committed")


def test_producer_and_consumer_performance(tools: Tools, topic: str) -> None:
    tools.topic(topic, "--partitions", "2")
    count = "20000"
    sizes = ("--num-records", count, "--record-size", "100", "--throughput", "-1")
    assert f"{count} records sent" in tools.run("ProducerPerformance", "--topic", topic, *sizes)
    said = tools.run("ConsumerPerformance", "--topic", topic, "--num-records", count)
    assert said.splitlines()[-1].split(", ")[4] == count, said


def test_producer_performance_in_transactions(tools: Tools, topic: str) -> None:
    tools.topic(topic)
    sizes = ("--num-records", "5000", "--record-size", "100", "--throughput", "-1")
    transactions = ("--transactional-id", topic, "--transaction-duration-ms", "50")
    assert "5000 records sent" in tools.run("ProducerPerformance", "--topic", topic, *sizes, *transactions)


def test_end_to_end_latency(tools: Tools, topic: str) -> None:
    tools.topic(topic)
    counts = ("--topic", topic, "--num-records", "200", "--producer-acks", "all", "--record-size", "100")
    assert "Percentiles" in tools.run("EndToEndLatency", *counts)


def test_broker_api_versions(tools: Tools, broker: Broker) -> None:
    said = tools.run("BrokerApiVersionsCommand")
    assert f"{broker.bootstrap_servers} (id: 1" in said
    assert "Produce(0): 0 to " in said


def test_reassign_partitions(tools: Tools, topic: str, tmp_path: Path) -> None:
    tools.topic(topic)
    plan = tmp_path / "plan.json"
    partition = {"topic": topic, "partition": 0, "replicas": [1]}
    plan.write_text(json.dumps({"version": 1, "partitions": [partition]}))
    tools.run("reassign.ReassignPartitionsCommand", "--execute", "--reassignment-json-file", str(plan))
    said = tools.run("reassign.ReassignPartitionsCommand", "--verify", "--reassignment-json-file", str(plan))
    assert f"Reassignment of partition {topic}-0 is completed." in said
    assert "No partition reassignments found." in tools.run("reassign.ReassignPartitionsCommand", "--list")


def test_leader_election(tools: Tools, topic: str) -> None:
    tools.topic(topic)
    arguments = ("--election-type", "preferred", "--topic", topic, "--partition", "0")
    assert "Valid replica already elected" in tools.run("LeaderElectionCommand", *arguments)


def test_features(tools: Tools) -> None:
    said = tools.run("FeatureCommand", "describe")
    assert re.search(r"Feature: transaction.version.*FinalizedVersionLevel: 2", said), said
    assert re.search(r"Feature: group.version.*FinalizedVersionLevel: 1", said), said


def test_cluster(tools: Tools, broker: Broker) -> None:
    command = tools.command("ClusterTool")
    at = command.index("--bootstrap-server")
    server = command[at : at + 2]
    said = subprocess.run(
        [*command[:at], "cluster-id", *server], capture_output=True, text=True, timeout=60, check=True
    )
    assert re.search(r"Cluster ID: \S{22}\s", said.stdout)
    said = subprocess.run(
        [*command[:at], "list-endpoints", *server], capture_output=True, text=True, timeout=60, check=True
    )
    assert f"{broker.port}" in said.stdout
