"""ListConfigResources 0-1: the names of what has settings (KIP-1142); version 0 asks for client metrics alone.

Deviations: client metrics cannot be configured, so there are never any.
"""

from __future__ import annotations

from collections.abc import Iterable

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import NODE_ID, Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.broker.settings.altering import ConfigResourceType
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.list_config_resources import (
    LIST_CONFIG_RESOURCES,
    ConfigResource,
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
)

__all__ = ["HANDLER"]


def _answer(node: Node, request: ListConfigResourcesRequest, call: Call) -> ListConfigResourcesResponse:
    if not node.allows(call, Operation.DESCRIBE_CONFIGS, ResourceType.CLUSTER):
        return ListConfigResourcesResponse(error_code=ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
    if call.version == 0:
        return ListConfigResourcesResponse()
    wanted = request.resource_types or list(ConfigResourceType)
    if any(one not in ConfigResourceType._value2member_map_ for one in wanted):
        return ListConfigResourcesResponse(error_code=ErrorCode.UNSUPPORTED_VERSION)
    return ListConfigResourcesResponse(
        config_resources=[
            ConfigResource(resource_name=name, resource_type=one) for one in wanted for name in _names(node, one)
        ]
    )


def _names(node: Node, resource_type: int) -> Iterable[str]:
    match resource_type:
        case ConfigResourceType.TOPIC:
            return node.log.topics
        case ConfigResourceType.BROKER | ConfigResourceType.BROKER_LOGGER:
            return (str(NODE_ID),)
        case ConfigResourceType.GROUP:
            return node.settings.overrides.groups
    return ()


HANDLER = MessageHandler(LIST_CONFIG_RESOURCES, 0, 1, _answer)
