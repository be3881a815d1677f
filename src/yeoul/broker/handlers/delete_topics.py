"""DeleteTopics 1-6: by name, or from version 6 by id. Deviations: none."""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import INTERNAL_TOPICS, Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.delete_topics import (
    DELETE_TOPICS,
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)
from yeoul.wire.schema import ZERO_UUID

__all__ = ["HANDLER"]


def _answer(node: Node, request: DeleteTopicsRequest, call: Call) -> DeleteTopicsResponse:
    wanted = request.topics or [DeleteTopicState(name=name) for name in request.topic_names]
    return DeleteTopicsResponse(responses=[_delete(node, each, call) for each in wanted])


def _delete(node: Node, wanted: DeleteTopicState, call: Call) -> DeletableTopicResult:
    if bool(wanted.name) == (wanted.topic_id != ZERO_UUID):
        return DeletableTopicResult(
            name=wanted.name,
            topic_id=wanted.topic_id,
            error_code=ErrorCode.INVALID_REQUEST,
            error_message="Expected a topic's name or its id, one of the two",
        )
    topic = node.find_topic(wanted.name or "", wanted.topic_id)
    name = wanted.name if topic is None else topic.name
    if name and not _may_delete(node, name, call):
        may_see = wanted.name or node.allows(call, Operation.DESCRIBE, ResourceType.TOPIC, name)
        return DeletableTopicResult(
            name=name if may_see else None,
            topic_id=wanted.topic_id,
            error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED,
            error_message="Topic authorization failed.",
        )
    if topic is None:
        unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION if wanted.name else ErrorCode.UNKNOWN_TOPIC_ID
        return DeletableTopicResult(
            name=wanted.name, topic_id=wanted.topic_id, error_code=unknown, error_message="There is no such topic"
        )
    result = DeletableTopicResult(name=topic.name, topic_id=topic.topic_id.bytes, error_message=None)
    if topic.name in INTERNAL_TOPICS:
        result.error_code = ErrorCode.INVALID_TOPIC_EXCEPTION
        result.error_message = f"Topic {topic.name!r} is the broker's own"
    else:
        node.delete_topic(topic)
    return result


def _may_delete(node: Node, name: str, call: Call) -> bool:
    return node.allows(call, Operation.DELETE, ResourceType.CLUSTER) or node.allows(
        call, Operation.DELETE, ResourceType.TOPIC, name
    )


HANDLER = MessageHandler(DELETE_TOPICS, 1, 6, _answer)
