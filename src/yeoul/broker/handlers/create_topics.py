"""CreateTopics 2-7: topics with partitions and configuration, durable before the answer.

Deviations: a replication factor above 1 is accepted, one copy is kept, and the response says so: its replication
factor is 1 and its configuration carries the entry `yeoul.warning`. A manual assignment may name broker 1 only.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import INTERNAL_TOPICS, NODE_ID, Node
from yeoul.broker.refusals import error_code_of
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.broker.settings.describing import topic_settings
from yeoul.broker.settings.keys import Source
from yeoul.broker.settings.topic_keys import check_topic_entries
from yeoul.errors import YeoulError
from yeoul.log.errors import TopicExists
from yeoul.log.topics import check_topic_name
from yeoul.wire.errors import ErrorCode, ProtocolError
from yeoul.wire.messages.create_topics import (
    CREATE_TOPICS,
    CreatableTopic,
    CreatableTopicConfigs,
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)

__all__ = ["HANDLER"]


def _answer(node: Node, request: CreateTopicsRequest, call: Call) -> CreateTopicsResponse:
    names = [topic.name for topic in request.topics]
    return CreateTopicsResponse(
        topics=[
            _create(node, topic, names.count(topic.name) > 1, request.validate_only, call)
            if _may_create(node, topic.name, call)
            else _refusal(topic.name)
            for topic in request.topics
        ]
    )


def _may_create(node: Node, name: str, call: Call) -> bool:
    return node.allows(call, Operation.CREATE, ResourceType.CLUSTER) or node.allows(
        call, Operation.CREATE, ResourceType.TOPIC, name
    )


def _refusal(name: str) -> CreatableTopicResult:
    return CreatableTopicResult(
        name=name, error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED, error_message="Authorization failed."
    )


def _create(
    node: Node, wanted: CreatableTopic, repeated: bool, validate_only: bool, call: Call
) -> CreatableTopicResult:
    try:
        if repeated:
            raise ProtocolError(ErrorCode.INVALID_REQUEST, f"Topic {wanted.name!r} is named twice")
        partition_count = _partition_count(node, wanted)
        entries = _entries(wanted)
        _check_collision(node, wanted.name)
        topic_id = bytes(16)
        if validate_only:
            _validate(node, wanted.name, partition_count)
        else:
            topic_id = node.create_topic(wanted.name, partition_count, entries).topic_id.bytes
    except YeoulError as error:
        return CreatableTopicResult(name=wanted.name, error_code=error_code_of(error), error_message=str(error))
    if not node.allows(call, Operation.DESCRIBE_CONFIGS, ResourceType.TOPIC, wanted.name):
        hidden = ErrorCode.TOPIC_AUTHORIZATION_FAILED
        return CreatableTopicResult(
            name=wanted.name, topic_id=topic_id, error_message=None, topic_config_error_code=hidden
        )
    return CreatableTopicResult(
        name=wanted.name,
        topic_id=topic_id,
        error_message=None,
        num_partitions=partition_count,
        replication_factor=1,
        configs=_shown_configs(node, wanted, entries),
    )


def _validate(node: Node, name: str, partition_count: int) -> None:
    check_topic_name(name)
    node.check_partition_room(partition_count)
    if name in node.log.topics:
        raise TopicExists(f"Topic {name!r} exists already")


def _entries(wanted: CreatableTopic) -> dict[str, str]:
    """Raises ProtocolError or UserError (`INVALID_CONFIG`) unless all of a topic's own settings are valid."""
    entries: dict[str, str] = {}
    for entry in wanted.configs:
        if entry.value is None:
            raise ProtocolError(ErrorCode.INVALID_CONFIG, f"Configuration {entry.name!r}: expected a value, got null")
        entries[entry.name] = entry.value
    check_topic_entries(entries)
    return entries


def _check_collision(node: Node, name: str) -> None:
    """Raises ProtocolError where another topic's metrics would have the same name: '.' and '_' are one there."""
    if name in node.log.topics or not ("." in name or "_" in name):
        return
    plain = name.replace(".", "_")
    for other in node.log.topics:
        if other.replace(".", "_") == plain:
            message = f"Topic {name!r} collides with topic {other!r}: '.' and '_' are one in names of metrics"
            raise ProtocolError(ErrorCode.INVALID_TOPIC_EXCEPTION, message)


def _partition_count(node: Node, wanted: CreatableTopic) -> int:
    """Raises ProtocolError when counts and assignment disagree."""
    if wanted.name in INTERNAL_TOPICS:
        raise ProtocolError(ErrorCode.INVALID_TOPIC_EXCEPTION, f"Topic {wanted.name!r} is the broker's own")
    if wanted.replication_factor < -1 or wanted.replication_factor == 0:
        message = f"Expected a replication factor of 1 or more, got {wanted.replication_factor}"
        raise ProtocolError(ErrorCode.INVALID_REPLICATION_FACTOR, message)
    if not wanted.assignments:
        if wanted.num_partitions == -1:
            return node.config.num_partitions
        if wanted.num_partitions < 1:
            message = f"Expected 1 partition or more, got {wanted.num_partitions}"
            raise ProtocolError(ErrorCode.INVALID_PARTITIONS, message)
        return wanted.num_partitions
    if wanted.num_partitions != -1 or wanted.replication_factor != -1:
        message = "Expected either an assignment, or a number of partitions and a replication factor, got both"
        raise ProtocolError(ErrorCode.INVALID_REQUEST, message)
    numbers = sorted(each.partition_index for each in wanted.assignments)
    if numbers != list(range(len(numbers))) or any(each.broker_ids != [NODE_ID] for each in wanted.assignments):
        message = f"Expected partitions 0 to {len(numbers) - 1}, each assigned to broker {NODE_ID} alone"
        raise ProtocolError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, message)
    return len(numbers)


def _shown_configs(node: Node, wanted: CreatableTopic, entries: dict[str, str]) -> list[CreatableTopicConfigs]:
    shown = [
        CreatableTopicConfigs(name=one.key.name, value=one.value, config_source=one.source)
        for one in topic_settings(entries, node.settings.overrides, node.settings.static.topic_defaults)
    ]
    if wanted.replication_factor > 1:
        warning = f"replication.factor={wanted.replication_factor} was asked for; a single node keeps one copy"
        shown.append(
            CreatableTopicConfigs(name="yeoul.warning", value=warning, read_only=True, config_source=Source.TOPIC)
        )
    return shown


HANDLER = MessageHandler(CREATE_TOPICS, 2, 7, _answer)
