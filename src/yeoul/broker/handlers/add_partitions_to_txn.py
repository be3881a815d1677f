"""AddPartitionsToTxn 0-3: partitions that a transaction is about to write to.

Deviations: versions 4 and 5 are between Kafka's brokers and not advertised.
"""

from __future__ import annotations

from collections.abc import Sequence

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import INTERNAL_TOPICS, Node
from yeoul.broker.refusals import epoch_error
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.add_partitions_to_txn import (
    ADD_PARTITIONS_TO_TXN,
    AddPartitionsToTxnPartitionResult,
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopicResult,
)

__all__ = ["HANDLER"]

_FENCED_FROM = 2


def _answer(node: Node, request: AddPartitionsToTxnRequest, call: Call) -> AddPartitionsToTxnResponse | None:
    wanted = [(topic.name, number) for topic in request.v3_and_below_topics for number in topic.partitions]
    transactional_id = request.v3_and_below_transactional_id
    if not node.allows(call, Operation.WRITE, ResourceType.TRANSACTIONAL_ID, transactional_id):
        return _response(request, dict.fromkeys(wanted, ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED))
    impossible = _impossible(node, wanted, call)
    if impossible:
        # All or nothing: what could have been added is told that it was not tried.
        return _response(request, impossible)

    def answer(error: ErrorCode) -> None:
        told = epoch_error(error, known=call.version >= _FENCED_FROM)
        call.answer(ADD_PARTITIONS_TO_TXN, _response(request, dict.fromkeys(wanted, told)))

    node.transactions.enlist(
        transactional_id,
        request.v3_and_below_producer_id,
        request.v3_and_below_producer_epoch,
        wanted,
        answer,
        epoch_bumping=False,
    )
    return None


def _impossible(node: Node, wanted: Sequence[tuple[str, int]], call: Call) -> dict[tuple[str, int], ErrorCode]:
    errors = {}
    for topic, number in wanted:
        # As for Produce, the broker's own topics are nobody's to write to.
        if topic not in INTERNAL_TOPICS and not node.allows(call, Operation.WRITE, ResourceType.TOPIC, topic):
            errors[topic, number] = ErrorCode.TOPIC_AUTHORIZATION_FAILED
        elif topic in INTERNAL_TOPICS or node.log.partition(topic, number) is None:
            errors[topic, number] = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    return errors


def _response(
    request: AddPartitionsToTxnRequest, errors: dict[tuple[str, int], ErrorCode]
) -> AddPartitionsToTxnResponse:
    return AddPartitionsToTxnResponse(
        results_by_topic_v3_and_below=[
            AddPartitionsToTxnTopicResult(
                name=topic.name,
                results_by_partition=[
                    AddPartitionsToTxnPartitionResult(
                        partition_index=number,
                        partition_error_code=errors.get((topic.name, number), ErrorCode.OPERATION_NOT_ATTEMPTED),
                    )
                    for number in topic.partitions
                ],
            )
            for topic in request.v3_and_below_topics
        ]
    )


HANDLER = MessageHandler(ADD_PARTITIONS_TO_TXN, 0, 3, _answer)
