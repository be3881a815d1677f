"""Metadata 0-13: the one broker, and the topics that were asked for, made on the way if they may be.

Deviations: a topic that is created here is led at once, so the answer names it without LEADER_NOT_AVAILABLE first; the
replication factor is always 1; all operations are authorised, for there is no authorisation yet.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import INTERNAL_TOPICS, NODE_ID, Node
from yeoul.broker.refusals import error_code_of
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.errors import YeoulError
from yeoul.log.directory import Topic
from yeoul.log.recovery import LEADER_EPOCH
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.metadata import (
    METADATA,
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)

__all__ = ["HANDLER"]

_NULL_NAMES_FROM = 12


def _answer(node: Node, request: MetadataRequest, call: Call) -> MetadataResponse:
    if request.topics is None or (call.version == 0 and not request.topics):
        topics = [
            _describe(topic)
            for topic in node.log.topics.values()
            if node.allows(call, Operation.DESCRIBE, ResourceType.TOPIC, topic.name)
        ]
    else:
        topics = [_find(node, wanted, request.allow_auto_topic_creation, call) for wanted in request.topics]
        if call.version < _NULL_NAMES_FROM:
            for topic in topics:
                topic.name = topic.name or ""
    host, port = call.origin.endpoint
    response = MetadataResponse(
        brokers=[MetadataResponseBroker(node_id=NODE_ID, host=host, port=port)],
        cluster_id=node.cluster_id,
        controller_id=NODE_ID,
        topics=topics,
    )
    if request.include_topic_authorized_operations:
        for topic in topics:
            if not topic.error_code:
                topic.topic_authorized_operations = node.authorized_operations(
                    call, ResourceType.TOPIC, topic.name or ""
                )
    if request.include_cluster_authorized_operations:
        may_see = node.allows(call, Operation.DESCRIBE, ResourceType.CLUSTER)
        response.cluster_authorized_operations = (
            node.authorized_operations(call, ResourceType.CLUSTER) if may_see else 0
        )
    return response


def _find(node: Node, wanted: MetadataRequestTopic, may_create: bool, call: Call) -> MetadataResponseTopic:
    name = wanted.name or ""
    topic = node.find_topic(name, wanted.topic_id)
    known_name = name if topic is None else topic.name
    if known_name and not node.allows(call, Operation.DESCRIBE, ResourceType.TOPIC, known_name):
        # Asked by name, its id stays unknown; asked by id, its name does.
        refused = ErrorCode.TOPIC_AUTHORIZATION_FAILED
        return MetadataResponseTopic(error_code=refused, name=wanted.name, topic_id=wanted.topic_id)
    if topic is not None:
        return _describe(topic)
    if not name:
        return MetadataResponseTopic(error_code=ErrorCode.UNKNOWN_TOPIC_ID, name=None, topic_id=wanted.topic_id)
    if not (may_create and node.config.auto_create_topics) or name in INTERNAL_TOPICS:
        return MetadataResponseTopic(error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, name=name)
    if not (
        node.allows(call, Operation.CREATE, ResourceType.CLUSTER)
        or node.allows(call, Operation.CREATE, ResourceType.TOPIC, name)
    ):
        return MetadataResponseTopic(error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED, name=name)
    try:
        return _describe(node.create_topic(name, node.config.num_partitions))
    except YeoulError as error:
        return MetadataResponseTopic(error_code=error_code_of(error), name=name)


def _describe(topic: Topic) -> MetadataResponseTopic:
    return MetadataResponseTopic(
        name=topic.name,
        topic_id=topic.topic_id.bytes,
        is_internal=topic.name in INTERNAL_TOPICS,
        partitions=[
            MetadataResponsePartition(
                partition_index=number,
                leader_id=NODE_ID,
                leader_epoch=LEADER_EPOCH,
                replica_nodes=[NODE_ID],
                isr_nodes=[NODE_ID],
            )
            for number in range(len(topic.partitions))
        ],
    )


HANDLER = MessageHandler(METADATA, 0, 13, _answer)
