"""AlterClientQuotas 0-1: sets and removes quotas of users and client ids, durable before the answer.

Deviations: `controller_mutation_rate` and quotas of addresses (`ip`) are refused with INVALID_REQUEST.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.broker.quotas import Entity, entity_of
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.errors import UserError, YeoulError
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.alter_client_quotas import (
    ALTER_CLIENT_QUOTAS,
    AlterClientQuotasRequest,
    AlterClientQuotasResponse,
    AlteredEntry,
    AlteredEntryResult,
)

__all__ = ["HANDLER"]


def _answer(node: Node, request: AlterClientQuotasRequest, call: Call) -> AlterClientQuotasResponse:
    allowed = node.allows(call, Operation.ALTER_CONFIGS, ResourceType.CLUSTER)
    changes: dict[Entity, dict[str, float | None]] = {}
    results = []
    for entry in request.entries:
        result = AlteredEntryResult(error_message=None, entity=entry.entity)
        results.append(result)
        if not allowed:
            result.error_code = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
            result.error_message = "Cluster authorization failed."
            continue
        try:
            entity, values = _read(node, entry)
            changes.setdefault(entity, {}).update(values)
        except UserError as error:
            result.error_code, result.error_message = ErrorCode.INVALID_REQUEST, str(error)
    if changes and not request.validate_only:
        try:
            node.quotas.alter(changes)
        except YeoulError as error:
            for result in results:
                result.error_code = result.error_code or ErrorCode.KAFKA_STORAGE_ERROR
                result.error_message = result.error_message or error.message
    return AlterClientQuotasResponse(entries=results)


def _read(node: Node, entry: AlteredEntry) -> tuple[Entity, dict[str, float | None]]:
    """Returns whose quotas an entry changes, and how.

    Raises:
        UserError: It names somebody or something that there is no quota for, or one of them twice.
    """
    parts = {each.entity_type: each.entity_name for each in entry.entity}
    values: dict[str, float | None] = {each.key: None if each.remove else each.value for each in entry.ops}
    if len(parts) < len(entry.entity) or len(values) < len(entry.ops):
        raise UserError("Expected each type of entity and each quota once")
    node.quotas.check(values)
    return entity_of(parts), values


HANDLER = MessageHandler(ALTER_CLIENT_QUOTAS, 0, 1, _answer)
