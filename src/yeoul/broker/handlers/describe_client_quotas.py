"""DescribeClientQuotas 0-1: the quotas of users and client ids that fit a filter.

Deviations: quotas of addresses (`ip`) do not exist here; `max.connections.per.ip` and `max.connection.creation.rate`
hold for all.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.broker.quotas import CLIENT_ID, USER, Entity
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.describe_client_quotas import (
    DESCRIBE_CLIENT_QUOTAS,
    ComponentData,
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
    EntityData,
    EntryData,
    ValueData,
)

__all__ = ["HANDLER"]

_EXACT, _DEFAULT, _ANY = 0, 1, 2
_TYPES = (USER, CLIENT_ID, "ip")


def _answer(node: Node, request: DescribeClientQuotasRequest, call: Call) -> DescribeClientQuotasResponse:
    if not node.allows(call, Operation.DESCRIBE_CONFIGS, ResourceType.CLUSTER):
        return _refusal(ErrorCode.CLUSTER_AUTHORIZATION_FAILED, "Cluster authorization failed.")
    wanted: dict[str, ComponentData] = {}
    for component in request.components:
        if component.entity_type not in _TYPES or component.match_type not in (_EXACT, _DEFAULT, _ANY):
            return _refusal(ErrorCode.INVALID_REQUEST, f"Unknown type of entity or match: {component!r}")
        if component.entity_type in wanted or (component.match_type == _EXACT) is (component.match is None):
            return _refusal(ErrorCode.INVALID_REQUEST, f"Twice, or a name too many or too few: {component!r}")
        wanted[component.entity_type] = component
    return DescribeClientQuotasResponse(
        error_message=None,
        entries=[
            EntryData(
                entity=[EntityData(entity_type=word, entity_name=name) for word, name in entity],
                values=[ValueData(key=kind, value=value) for kind, value in values.items()],
            )
            for entity, values in node.quotas.held.items()
            if _fits(entity, wanted, request.strict)
        ],
    )


def _fits(entity: Entity, wanted: dict[str, ComponentData], strict: bool) -> bool:
    names = dict(entity)
    if strict and names.keys() != wanted.keys():
        return False
    for word, component in wanted.items():
        if word not in names:
            return False
        name = names[word]
        if component.match_type == _EXACT and name != component.match:
            return False
        if component.match_type == _DEFAULT and name is not None:
            return False
    return True


def _refusal(code: ErrorCode, message: str) -> DescribeClientQuotasResponse:
    return DescribeClientQuotasResponse(error_code=code, error_message=message, entries=None)


HANDLER = MessageHandler(DESCRIBE_CLIENT_QUOTAS, 0, 1, _answer)
