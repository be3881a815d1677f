"""OffsetDelete 0: forgets a group's offsets of chosen partitions.

Deviations: none.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.groups import messages as groups
from yeoul.broker.node import Node
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


def _answer(node: Node, request: OffsetDeleteRequest, call: Call) -> None:
    partitions = tuple((topic.name, each.partition_index) for topic in request.topics for each in topic.partitions)
    node.groups.ask(
        lambda request_id: groups.DeleteOffsetsRequest(request_id, request.group_id, partitions),
        groups.CommitReply,
        lambda reply: call.answer(OFFSET_DELETE, _response(request, reply)),
    )


def _response(request: OffsetDeleteRequest, reply: groups.CommitReply) -> OffsetDeleteResponse:
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
                        error_code=reply.errors.get((topic.name, each.partition_index), ErrorCode.NONE),
                    )
                    for each in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )


HANDLER = MessageHandler(OFFSET_DELETE, 0, 0, _answer)
