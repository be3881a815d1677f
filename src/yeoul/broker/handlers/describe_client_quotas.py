"""DescribeClientQuotas 0-1: none are set, for none can be.

Deviations: quotas by user, client or address are not enforced; the broker's own bounds are its settings.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.describe_client_quotas import (
    DESCRIBE_CLIENT_QUOTAS,
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
)

__all__ = ["HANDLER"]


def _answer(node: Node, request: DescribeClientQuotasRequest, call: Call) -> DescribeClientQuotasResponse:
    if not node.allows(call, Operation.DESCRIBE_CONFIGS, ResourceType.CLUSTER):
        return DescribeClientQuotasResponse(
            error_code=ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
            error_message="Not authorised to describe quotas",
            entries=None,
        )
    return DescribeClientQuotasResponse()


HANDLER = MessageHandler(DESCRIBE_CLIENT_QUOTAS, 0, 1, _answer)
