"""Settings that are described and changed through the protocol: types, sources, durability, refusals."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.unit.broker.conftest import Bench

from yeoul.broker.listeners import Listener
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages import alter_configs as replacing
from yeoul.wire.messages import incremental_alter_configs as incremental
from yeoul.wire.messages.create_topics import (
    CREATE_TOPICS,
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from yeoul.wire.messages.describe_configs import (
    DESCRIBE_CONFIGS,
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
)
from yeoul.wire.messages.list_config_resources import LIST_CONFIG_RESOURCES, ListConfigResourcesRequest

TOPIC, BROKER, LOGGER, METRICS, GROUP = 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = range(4)


def create(bench: Bench, name: str, **given: object) -> tuple[int, str | None]:
    topic = CreatableTopic(name=name, **({"num_partitions": 1, "replication_factor": 1} | given))  # type: ignore[arg-type]
    [answer] = bench.ask(CREATE_TOPICS, 7, CreateTopicsRequest(topics=[topic])).topics
    return answer.error_code, answer.error_message


def described(bench: Bench, kind: int, name: str) -> dict[str, DescribeConfigsResourceResult]:
    resource = DescribeConfigsResource(resource_type=kind, resource_name=name, configuration_keys=None)
    request = DescribeConfigsRequest(resources=[resource], include_synonyms=True, include_documentation=True)
    [answer] = bench.ask(DESCRIBE_CONFIGS, 4, request).results
    assert not answer.error_code, answer.error_message
    return {one.name: one for one in answer.configs}


def change(
    bench: Bench, kind: int, name: str, *changes: tuple[str, int, str | None], validate_only: bool = False
) -> tuple[int, str | None]:
    configs = [incremental.AlterableConfig(name=key, config_operation=how, value=value) for key, how, value in changes]
    resource = incremental.AlterConfigsResource(resource_type=kind, resource_name=name, configs=configs)
    request = incremental.IncrementalAlterConfigsRequest(resources=[resource], validate_only=validate_only)
    [answer] = bench.ask(incremental.INCREMENTAL_ALTER_CONFIGS, 1, request).responses
    return answer.error_code, answer.error_message


def replace_all(bench: Bench, kind: int, name: str, **entries: str) -> int:
    configs = [replacing.AlterableConfig(name=key.replace("_", "."), value=value) for key, value in entries.items()]
    resource = replacing.AlterConfigsResource(resource_type=kind, resource_name=name, configs=configs)
    [answer] = bench.ask(replacing.ALTER_CONFIGS, 2, replacing.AlterConfigsRequest(resources=[resource])).responses
    return int(answer.error_code)


def test_a_topics_setting_tells_its_type_source_and_what_lies_beneath(bench: Bench) -> None:
    create(bench, "t", configs=[CreatableTopicConfig(name="retention.ms", value="5000")])
    assert change(bench, BROKER, "1", ("log.retention.hours", SET, "2"))[0] == 0
    assert change(bench, BROKER, "", ("log.retention.ms", SET, "3000"))[0] == 0
    one = described(bench, TOPIC, "t")["retention.ms"]
    assert (one.value, one.config_source, one.config_type, one.read_only) == ("5000", 1, 5, False)
    assert one.documentation
    assert [(each.name, each.value, each.source) for each in one.synonyms] == [
        ("retention.ms", "5000", 1),
        ("log.retention.hours", "7200000", 2),
        ("log.retention.ms", "3000", 3),
        ("log.retention.ms", "604800000", 5),
    ]


def test_a_broker_setting_is_in_effect_at_once_and_after_a_restart(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    create(bench, "t")
    assert change(bench, BROKER, "1", ("num.partitions", SET, "3"), ("message.max.bytes", SET, "2000"))[0] == 0
    assert bench.node.config.num_partitions == 3
    assert bench.node.log.topics["t"].config.max_message_bytes == 2_000
    bench.close()
    again = make_bench()
    assert again.node.config.num_partitions == 3
    assert again.node.log.topics["t"].config.max_message_bytes == 2_000
    own = described(again, BROKER, "1")["num.partitions"]
    assert (own.value, own.config_source, own.config_type) == ("3", 2, 3)
    assert change(again, BROKER, "1", ("num.partitions", DELETE, None))[0] == 0
    assert again.node.config.num_partitions == 1


def test_the_broker_tells_where_it_listens_and_what_clients_are_told(make_bench: Callable[..., Bench]) -> None:
    listener = Listener("INSIDE", "127.0.0.1", 9_999, advertised_host="kafka.local")
    found = described(make_bench("data", listeners=(listener,)), BROKER, "1")
    assert found["listeners"].value == "INSIDE://127.0.0.1:9999"
    assert found["advertised.listeners"].value == "INSIDE://kafka.local:9999"


def test_what_only_a_start_can_change_is_read_only_and_refused(bench: Bench) -> None:
    assert described(bench, BROKER, "1")["log.dirs"].read_only
    code, message = change(bench, BROKER, "1", ("log.dirs", SET, "/elsewhere"))
    assert (code, message) == (
        ErrorCode.INVALID_CONFIG,
        "Configuration 'log.dirs' is fixed when the broker starts",
    )


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "retention.ms",
            "soon",
            "Invalid value 'soon' for configuration 'retention.ms': expected a number of type LONG",
        ),
        ("retention.ms", "-2", "Invalid value '-2' for configuration 'retention.ms': expected at least -1"),
        ("preallocate", "maybe", "Invalid value 'maybe' for configuration 'preallocate': expected true or false"),
        ("min.cleanable.dirty.ratio", "1.5", "'min.cleanable.dirty.ratio': expected at most 1"),
        ("cleanup.policy", "shred", "'cleanup.policy': expected some of compact, delete"),
        ("retention.sm", "1", "Unknown topic configuration 'retention.sm'. Did you mean 'retention.ms'?"),
    ],
)
def test_a_wrong_value_is_refused_wherever_it_is_given(bench: Bench, key: str, value: str, message: str) -> None:
    create(bench, "t")
    code, said = change(bench, TOPIC, "t", (key, SET, value))
    assert code == ErrorCode.INVALID_CONFIG
    assert message in str(said)
    code, said = create(bench, "u", configs=[CreatableTopicConfig(name=key, value=value)])
    assert code == ErrorCode.INVALID_CONFIG
    assert message in str(said)
    assert "u" not in bench.node.log.topics


def test_lists_are_added_to_and_taken_from(bench: Bench) -> None:
    create(bench, "t")
    assert change(bench, TOPIC, "t", ("cleanup.policy", APPEND, "compact"))[0] == 0
    assert described(bench, TOPIC, "t")["cleanup.policy"].value == "delete,compact"
    assert change(bench, TOPIC, "t", ("cleanup.policy", SUBTRACT, "delete"))[0] == 0
    assert described(bench, TOPIC, "t")["cleanup.policy"].value == "compact"
    assert change(bench, TOPIC, "t", ("retention.ms", APPEND, "1"))[0] == ErrorCode.INVALID_CONFIG
    assert change(bench, TOPIC, "t", ("retention.ms", SET, "1"), ("retention.ms", DELETE, None)) == (
        ErrorCode.INVALID_REQUEST,
        "Configuration 'retention.ms' is named twice",
    )


def test_the_older_request_replaces_all_that_was_set(bench: Bench) -> None:
    create(bench, "t", configs=[CreatableTopicConfig(name="retention.ms", value="5000")])
    assert replace_all(bench, TOPIC, "t", segment_bytes="4096") == 0
    assert dict(bench.node.log.topics["t"].entries) == {"segment.bytes": "4096"}
    assert replace_all(bench, TOPIC, "none", segment_bytes="4096") == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_what_is_only_validated_changes_nothing(bench: Bench) -> None:
    create(bench, "t")
    assert change(bench, TOPIC, "t", ("retention.ms", SET, "1"), validate_only=True)[0] == 0
    assert change(bench, BROKER, "1", ("num.partitions", SET, "9"), validate_only=True)[0] == 0
    assert not bench.node.log.topics["t"].entries
    assert bench.node.config.num_partitions == 1


def test_loggers_have_levels_and_metrics_have_none(bench: Bench) -> None:
    before = described(bench, LOGGER, "1")["yeoul.broker"].value
    assert change(bench, LOGGER, "1", ("yeoul.broker", SET, "ERROR"))[0] == 0
    assert described(bench, LOGGER, "1")["yeoul.broker"].value == "ERROR"
    assert change(bench, LOGGER, "1", ("yeoul.broker", SET, "LOUD"))[0] == ErrorCode.INVALID_CONFIG
    assert change(bench, LOGGER, "1", ("yeoul.broker", DELETE, None))[0] == 0
    assert described(bench, LOGGER, "1")["yeoul.broker"].value == before
    assert described(bench, METRICS, "any") == {}
    assert change(bench, METRICS, "any", ("interval.ms", SET, "1"))[0] == ErrorCode.INVALID_REQUEST


def test_resources_are_listed_by_kind(bench: Bench) -> None:
    create(bench, "t")
    found = bench.ask(LIST_CONFIG_RESOURCES, 1, ListConfigResourcesRequest(resource_types=[TOPIC, BROKER, METRICS]))
    assert [(one.resource_type, one.resource_name) for one in found.config_resources] == [(TOPIC, "t"), (BROKER, "1")]


def test_topics_are_created_as_kafka_would(bench: Bench) -> None:
    assert create(bench, "a.b")[0] == 0
    assert create(bench, "a_b")[0] == ErrorCode.INVALID_TOPIC_EXCEPTION
    assert create(bench, "c", configs=[CreatableTopicConfig(name="retention.ms", value=None)])[0] == 40
    here = [CreatableReplicaAssignment(partition_index=number, broker_ids=[1]) for number in range(2)]
    assert create(bench, "d", assignments=here)[0] == ErrorCode.INVALID_REQUEST
    assert create(bench, "d", assignments=here, num_partitions=-1, replication_factor=-1)[0] == 0
    assert len(bench.node.log.topics["d"].partitions) == 2
