"""DescribeTransactions 0: the state of transactional ids. Deviations: none."""

from __future__ import annotations

from itertools import groupby

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.describe_transactions import (
    DESCRIBE_TRANSACTIONS,
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
    TopicData,
    TransactionState,
)

__all__ = ["HANDLER"]


def _answer(node: Node, request: DescribeTransactionsRequest, call: Call) -> DescribeTransactionsResponse:
    states = [_describe(node, transactional_id, call) for transactional_id in request.transactional_ids]
    return DescribeTransactionsResponse(transaction_states=states)


def _describe(node: Node, transactional_id: str, call: Call) -> TransactionState:
    if not node.allows(call, Operation.DESCRIBE, ResourceType.TRANSACTIONAL_ID, transactional_id):
        refused = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        return TransactionState(error_code=refused, transactional_id=transactional_id)
    found = node.transactions.coordinator.describe(transactional_id)
    if found is None:
        unknown = ErrorCode.TRANSACTIONAL_ID_NOT_FOUND
        return TransactionState(error_code=unknown, transactional_id=transactional_id)
    by_topic = groupby(found.partitions, key=lambda partition: partition[0])
    return TransactionState(
        transactional_id=transactional_id,
        transaction_state=found.state,
        transaction_timeout_ms=found.timeout_ms,
        transaction_start_time_ms=found.start_ms,
        producer_id=found.producer_id,
        producer_epoch=found.producer_epoch,
        topics=[
            TopicData(topic=topic, partitions=[number for _, number in group])
            for topic, group in by_topic
            if node.allows(call, Operation.DESCRIBE, ResourceType.TOPIC, topic)
        ],
    )


HANDLER = MessageHandler(DESCRIBE_TRANSACTIONS, 0, 0, _answer)
