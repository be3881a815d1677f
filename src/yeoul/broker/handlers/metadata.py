"""Metadata 0-13: the one broker, and the topics that were asked for, made on the way if they may be.

Deviations: a topic that is created here is led at once, so the answer names it without LEADER_NOT_AVAILABLE first; the
replication factor is always 1; all operations are authorised, for there is no authorisation yet.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import INTERNAL_TOPICS, NODE_ID, Node
from yeoul.broker.refusals import error_code_of
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

__all__ = ["CLUSTER_OPERATIONS", "HANDLER", "TOPIC_OPERATIONS"]

# Bits of Kafka's AclOperation: create, alter, describe, cluster action, describe configs, alter configs, idempotent
# write; and read, write, create, delete, alter, describe, describe configs, alter configs.
CLUSTER_OPERATIONS = sum(1 << operation for operation in (5, 7, 8, 9, 10, 11, 12))
TOPIC_OPERATIONS = sum(1 << operation for operation in (3, 4, 5, 6, 7, 8, 10, 11))

_NULL_NAMES_FROM = 12


def _answer(node: Node, request: MetadataRequest, call: Call) -> MetadataResponse:
    if request.topics is None or (call.version == 0 and not request.topics):
        topics = [_describe(topic) for topic in node.log.topics.values()]
    else:
        topics = [_find(node, wanted, request.allow_auto_topic_creation) for wanted in request.topics]
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
            topic.topic_authorized_operations = TOPIC_OPERATIONS
    if request.include_cluster_authorized_operations:
        response.cluster_authorized_operations = CLUSTER_OPERATIONS
    return response


def _find(node: Node, wanted: MetadataRequestTopic, may_create: bool) -> MetadataResponseTopic:
    name = wanted.name or ""
    topic = node.find_topic(name, wanted.topic_id)
    if topic is not None:
        return _describe(topic)
    if not name:
        return MetadataResponseTopic(error_code=ErrorCode.UNKNOWN_TOPIC_ID, name=None, topic_id=wanted.topic_id)
    if not (may_create and node.config.auto_create_topics) or name in INTERNAL_TOPICS:
        return MetadataResponseTopic(error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, name=name)
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
