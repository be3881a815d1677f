"""OffsetCommit 2-9: committed offsets of a group, durable before the answer.

Deviations: `retention_time_ms` is ignored, as Kafka does from version 5 on.
"""

from __future__ import annotations

from collections.abc import Mapping

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.groups import messages as groups
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
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


def _answer(node: Node, request: OffsetCommitRequest, call: Call) -> OffsetCommitResponse | None:
    if not node.allows(call, Operation.READ, ResourceType.GROUP, request.group_id):
        wanted = [(topic.name, each.partition_index) for topic in request.topics for each in topic.partitions]
        return _response(request, dict.fromkeys(wanted, ErrorCode.GROUP_AUTHORIZATION_FAILED))
    refused = {
        (topic.name, each.partition_index): ErrorCode.TOPIC_AUTHORIZATION_FAILED
        for topic in request.topics
        if not node.allows(call, Operation.READ, ResourceType.TOPIC, topic.name)
        for each in topic.partitions
    }
    offsets = {
        (topic.name, each.partition_index): groups.CommittedOffset(
            each.committed_offset, each.committed_leader_epoch, each.committed_metadata or ""
        )
        for topic in request.topics
        for each in topic.partitions
        if (topic.name, each.partition_index) not in refused
        and node.log.partition(topic.name, each.partition_index) is not None
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

    def answer(reply: groups.CommitReply) -> None:
        call.answer(OFFSET_COMMIT, _response(request, {**reply.errors, **refused}))

    node.groups.ask(make, groups.CommitReply, answer)
    return None


def _response(request: OffsetCommitRequest, errors: Mapping[groups.TopicPartition, ErrorCode]) -> OffsetCommitResponse:
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    return OffsetCommitResponse(
        topics=[
            OffsetCommitResponseTopic(
                name=topic.name,
                partitions=[
                    OffsetCommitResponsePartition(
                        partition_index=each.partition_index,
                        error_code=errors.get((topic.name, each.partition_index), unknown),
                    )
                    for each in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )


HANDLER = MessageHandler(OFFSET_COMMIT, 2, 9, _answer)
