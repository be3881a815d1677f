"""TxnOffsetCommit 0-5: committed offsets that become visible when their transaction commits.

The transaction must have the group's offsets in it: through AddOffsetsToTxn before, or from version 5 on with this
request (KIP-890). Deviations: none.
"""

from __future__ import annotations

from collections.abc import Mapping

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.groups import messages as groups
from yeoul.broker.internal_topics import OFFSETS_TOPIC
from yeoul.broker.node import Node
from yeoul.broker.refusals import epoch_error
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.errors import YeoulError
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.txn_offset_commit import (
    TXN_OFFSET_COMMIT,
    TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
    TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
)

__all__ = ["HANDLER"]

_ABORTABLE_ERRORS_FROM = 4
_ENLISTED_FROM = 5
_OFFSETS = (OFFSETS_TOPIC, 0)


def _answer(node: Node, request: TxnOffsetCommitRequest, call: Call) -> TxnOffsetCommitResponse | None:
    who = (request.transactional_id, request.producer_id, request.producer_epoch)

    if not node.allows(call, Operation.WRITE, ResourceType.TRANSACTIONAL_ID, request.transactional_id):
        return _refusal(request, ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, call.version)
    if not node.allows(call, Operation.READ, ResourceType.GROUP, request.group_id):
        return _refusal(request, ErrorCode.GROUP_AUTHORIZATION_FAILED, call.version)

    def enlisted(error: ErrorCode) -> None:
        if error:
            call.answer(TXN_OFFSET_COMMIT, _refusal(request, error, call.version))
        else:
            _commit(node, request, call)

    try:
        node.groups.offsets_partition()
    except YeoulError:
        return _refusal(request, ErrorCode.COORDINATOR_NOT_AVAILABLE, call.version)
    if call.version >= _ENLISTED_FROM:
        node.transactions.enlist(*who, (_OFFSETS,), enlisted, epoch_bumping=True)
    else:
        enlisted(node.transactions.coordinator.verify(*who, _OFFSETS))
    return None


def _commit(node: Node, request: TxnOffsetCommitRequest, call: Call) -> None:
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
            generation_id=request.generation_id,
            member_id=request.member_id,
            group_instance_id=request.group_instance_id,
            offsets=offsets,
            producer_id=request.producer_id,
            producer_epoch=request.producer_epoch,
        )

    def answer(reply: groups.CommitReply) -> None:
        call.answer(TXN_OFFSET_COMMIT, _response(request, {**reply.errors, **refused}))

    node.groups.ask(make, groups.CommitReply, answer)


def _refusal(request: TxnOffsetCommitRequest, error: ErrorCode, version: int) -> TxnOffsetCommitResponse:
    if error is ErrorCode.TRANSACTION_ABORTABLE and version < _ABORTABLE_ERRORS_FROM:
        error = ErrorCode.INVALID_TXN_STATE
    if error is ErrorCode.CONCURRENT_TRANSACTIONS:
        error = ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
    told = epoch_error(error, known=False)
    wanted = [(topic.name, each.partition_index) for topic in request.topics for each in topic.partitions]
    return _response(request, dict.fromkeys(wanted, told))


def _response(
    request: TxnOffsetCommitRequest, errors: Mapping[groups.TopicPartition, ErrorCode]
) -> TxnOffsetCommitResponse:
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    return TxnOffsetCommitResponse(
        topics=[
            TxnOffsetCommitResponseTopic(
                name=topic.name,
                partitions=[
                    TxnOffsetCommitResponsePartition(
                        partition_index=each.partition_index,
                        error_code=errors.get((topic.name, each.partition_index), unknown),
                    )
                    for each in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )


HANDLER = MessageHandler(TXN_OFFSET_COMMIT, 0, 5, _answer)
