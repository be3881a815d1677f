"""ListTransactions 0-1: all transactional ids, or those in certain states, or open for long.

Deviations: version 2, with patterns, is not advertised: a pattern is another's code, and this broker has no matcher
whose time is bounded.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.broker.transactions.records import State
from yeoul.wire.messages.list_transactions import (
    LIST_TRANSACTIONS,
    ListTransactionsRequest,
    ListTransactionsResponse,
    TransactionState,
)

__all__ = ["HANDLER"]

_STATES = frozenset(state.label for state in State)


def _answer(node: Node, request: ListTransactionsRequest, call: Call) -> ListTransactionsResponse:
    unknown = [state for state in request.state_filters if state not in _STATES]
    if unknown and len(unknown) == len(request.state_filters):
        return ListTransactionsResponse(unknown_state_filters=unknown)
    open_for_ms = request.duration_filter
    found = node.transactions.coordinator.list_transactions(
        request.state_filters,
        request.producer_id_filters,
        node.clock.now_ms() - open_for_ms if open_for_ms >= 0 else None,
    )
    return ListTransactionsResponse(
        unknown_state_filters=unknown,
        transaction_states=[
            TransactionState(
                transactional_id=each.transactional_id, producer_id=each.producer_id, transaction_state=each.state
            )
            for each in found
            if node.allows(call, Operation.DESCRIBE, ResourceType.TRANSACTIONAL_ID, each.transactional_id)
        ],
    )


HANDLER = MessageHandler(LIST_TRANSACTIONS, 0, 1, _answer)
