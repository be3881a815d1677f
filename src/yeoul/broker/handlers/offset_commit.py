"""OffsetCommit 2-9: committed offsets of a group, durable before the answer.

Deviations: `retention_time_ms` is ignored, as Kafka does from version 5 on.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.groups import messages as groups
from yeoul.broker.node import Node
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.offset_commit import (
    OFFSET_COMMIT,
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)

__all__ = ["HANDLER"]

_MEMBER_EPOCHS_FROM = 9


def _answer(node: Node, request: OffsetCommitRequest, call: Call) -> None:
    offsets = {
        (topic.name, each.partition_index): groups.CommittedOffset(
            each.committed_offset, each.committed_leader_epoch, each.committed_metadata or ""
        )
        for topic in request.topics
        for each in topic.partitions
        if node.log.partition(topic.name, each.partition_index) is not None
    }

    def make(request_id: int) -> groups.CommitRequest:
        return groups.CommitRequest(
            request_id=request_id,
            group_id=request.group_id,
            generation_id=request.generation_id_or_member_epoch,
            member_id=request.member_id,
            group_instance_id=request.group_instance_id,
            offsets=offsets,
            knows_epochs=call.version >= _MEMBER_EPOCHS_FROM,
        )

    node.groups.ask(make, groups.CommitReply, lambda reply: call.answer(OFFSET_COMMIT, _response(request, reply)))


def _response(request: OffsetCommitRequest, reply: groups.CommitReply) -> OffsetCommitResponse:
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    return OffsetCommitResponse(
        topics=[
            OffsetCommitResponseTopic(
                name=topic.name,
                partitions=[
                    OffsetCommitResponsePartition(
                        partition_index=each.partition_index,
                        error_code=reply.errors.get((topic.name, each.partition_index), unknown),
                    )
                    for each in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )


HANDLER = MessageHandler(OFFSET_COMMIT, 2, 9, _answer)
