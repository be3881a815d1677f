"""AlterClientQuotas 0-1: refused in words, for a quota that is taken and not enforced would be a lie.

Deviations: taking away what is not there is refused as well.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.alter_client_quotas import (
    ALTER_CLIENT_QUOTAS,
    AlterClientQuotasRequest,
    AlterClientQuotasResponse,
    QuotaResult,
)

__all__ = ["HANDLER"]


def _answer(node: Node, request: AlterClientQuotasRequest, call: Call) -> AlterClientQuotasResponse:
    code, message = ErrorCode.INVALID_REQUEST, "Quotas by user, client or address are not enforced here"
    if not node.allows(call, Operation.ALTER_CONFIGS, ResourceType.CLUSTER):
        code, message = ErrorCode.CLUSTER_AUTHORIZATION_FAILED, "Not authorised to change quotas"
    results = [QuotaResult(error_code=code, error_message=message, entity=entry.entity) for entry in request.entries]
    return AlterClientQuotasResponse(entries=results)


HANDLER = MessageHandler(ALTER_CLIENT_QUOTAS, 0, 1, _answer)
