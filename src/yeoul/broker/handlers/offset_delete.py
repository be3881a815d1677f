"""OffsetDelete 0: forgets a group's offsets of chosen partitions.

Deviations: none.
"""

from __future__ import annotations

from collections.abc import Collection

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.groups import messages as groups
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.offset_delete import (
    OFFSET_DELETE,
    OffsetDeleteRequest,
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)

__all__ = ["HANDLER"]

_OF_THE_WHOLE = frozenset({ErrorCode.GROUP_ID_NOT_FOUND, ErrorCode.NON_EMPTY_GROUP})


def _answer(node: Node, request: OffsetDeleteRequest, call: Call) -> OffsetDeleteResponse | None:
    if not node.allows(call, Operation.DELETE, ResourceType.GROUP, request.group_id):
        return OffsetDeleteResponse(error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED)
    refused = frozenset(
        topic.name for topic in request.topics if not node.allows(call, Operation.READ, ResourceType.TOPIC, topic.name)
    )
    partitions = tuple(
        (topic.name, each.partition_index)
        for topic in request.topics
        for each in topic.partitions
        if topic.name not in refused
    )
    node.groups.ask(
        lambda request_id: groups.DeleteOffsetsRequest(request_id, request.group_id, partitions),
        groups.CommitReply,
        lambda reply: call.answer(OFFSET_DELETE, _response(request, reply, refused)),
    )
    return None


def _response(
    request: OffsetDeleteRequest, reply: groups.CommitReply, refused: Collection[str]
) -> OffsetDeleteResponse:
    of_the_whole = next((error for error in reply.errors.values() if error in _OF_THE_WHOLE), None)
    if of_the_whole is not None:
        return OffsetDeleteResponse(error_code=of_the_whole)
    return OffsetDeleteResponse(
        topics=[
            OffsetDeleteResponseTopic(
                name=topic.name,
                partitions=[
                    OffsetDeleteResponsePartition(
                        partition_index=each.partition_index,
                        error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED
                        if topic.name in refused
                        else reply.errors.get((topic.name, each.partition_index), ErrorCode.NONE),
                    )
                    for each in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )


HANDLER = MessageHandler(OFFSET_DELETE, 0, 0, _answer)
