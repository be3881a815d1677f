"""CreatePartitions 0-3: more partitions for a topic. Deviations: a manual assignment may name broker 1 only."""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import INTERNAL_TOPICS, NODE_ID, Node
from yeoul.broker.refusals import error_code_of
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.errors import YeoulError
from yeoul.wire.errors import ErrorCode, ProtocolError
from yeoul.wire.messages.create_partitions import (
    CREATE_PARTITIONS,
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
    CreatePartitionsTopicResult,
)

__all__ = ["HANDLER"]


def _answer(node: Node, request: CreatePartitionsRequest, call: Call) -> CreatePartitionsResponse:
    names = [topic.name for topic in request.topics]
    return CreatePartitionsResponse(
        results=[_grow(node, each, names.count(each.name) > 1, request.validate_only, call) for each in request.topics]
    )


def _grow(
    node: Node, wanted: CreatePartitionsTopic, repeated: bool, validate_only: bool, call: Call
) -> CreatePartitionsTopicResult:
    try:
        if repeated:
            raise ProtocolError(ErrorCode.INVALID_REQUEST, f"Topic {wanted.name!r} is named twice")
        if not node.allows(call, Operation.ALTER, ResourceType.TOPIC, wanted.name):
            raise ProtocolError(ErrorCode.TOPIC_AUTHORIZATION_FAILED, "Topic authorization failed.")
        if wanted.name in INTERNAL_TOPICS:
            raise ProtocolError(ErrorCode.INVALID_TOPIC_EXCEPTION, f"Topic {wanted.name!r} is the broker's own")
        held = len(node.log.topic(wanted.name).partitions)
        if wanted.count <= held:
            message = f"Topic {wanted.name!r} has {held} partitions, expected a larger number, got {wanted.count}"
            raise ProtocolError(ErrorCode.INVALID_PARTITIONS, message)
        if wanted.assignments is not None and len(wanted.assignments) != wanted.count - held:
            message = f"Expected assignments for {wanted.count - held} new partitions, got {len(wanted.assignments)}"
            raise ProtocolError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, message)
        if any(each.broker_ids != [NODE_ID] for each in wanted.assignments or []):
            message = f"Expected every partition to be assigned to broker {NODE_ID} alone"
            raise ProtocolError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, message)
        node.check_partition_room(wanted.count - held)
        if not validate_only:
            node.log.add_partitions(wanted.name, wanted.count)
            node.groups.topics_changed()
    except YeoulError as error:
        return CreatePartitionsTopicResult(name=wanted.name, error_code=error_code_of(error), error_message=str(error))
    return CreatePartitionsTopicResult(name=wanted.name, error_message=None)


HANDLER = MessageHandler(CREATE_PARTITIONS, 0, 3, _answer)
