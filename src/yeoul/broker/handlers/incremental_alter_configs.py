"""IncrementalAlterConfigs 0-1: sets, deletes, appends to or subtracts from single settings of topics.

Deviations: a broker's settings are fixed at its start.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.handlers.describe_configs import config_refusal
from yeoul.broker.node import Node
from yeoul.broker.security.operations import Operation
from yeoul.errors import YeoulError
from yeoul.log.config import TOPIC_DEFAULTS, check_entries
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.incremental_alter_configs import (
    INCREMENTAL_ALTER_CONFIGS,
    AlterConfigsResource,
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)

__all__ = ["HANDLER"]

_TOPIC = 2


def _answer(node: Node, request: IncrementalAlterConfigsRequest, call: Call) -> IncrementalAlterConfigsResponse:
    return IncrementalAlterConfigsResponse(
        responses=[_alter(node, each, request.validate_only, call) for each in request.resources]
    )


def _alter(node: Node, wanted: AlterConfigsResource, validate_only: bool, call: Call) -> AlterConfigsResourceResponse:
    result = AlterConfigsResourceResponse(
        resource_type=wanted.resource_type, resource_name=wanted.resource_name, error_message=None
    )
    refused = config_refusal(node, call, Operation.ALTER_CONFIGS, wanted.resource_type, wanted.resource_name)
    if refused:
        result.error_code, result.error_message = refused, "Authorization failed."
        return result
    topic = node.log.topics.get(wanted.resource_name)
    if wanted.resource_type != _TOPIC:
        result.error_code = ErrorCode.INVALID_REQUEST
        result.error_message = "Only the settings of topics can be changed while the broker runs"
    elif topic is None:
        result.error_code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        result.error_message = f"There is no topic {wanted.resource_name!r}"
    else:
        try:
            entries = _changed(dict(topic.entries), wanted)
            check_entries(entries)
            if not validate_only:
                node.log.set_config(topic.name, entries)
        except YeoulError as error:
            result.error_code = ErrorCode.INVALID_CONFIG
            result.error_message = str(error)
    return result


def _changed(entries: dict[str, str], wanted: AlterConfigsResource) -> dict[str, str]:
    for change in wanted.configs:
        held = entries.get(change.name, TOPIC_DEFAULTS.get(change.name, ""))
        items = [item for item in held.split(",") if item]
        value = change.value or ""
        match change.config_operation:
            case 0:
                entries[change.name] = value
            case 1:
                entries.pop(change.name, None)
            case 2:
                entries[change.name] = ",".join([*items, *(new for new in value.split(",") if new not in items)])
            case _:
                entries[change.name] = ",".join(item for item in items if item not in value.split(","))
    return entries


HANDLER = MessageHandler(INCREMENTAL_ALTER_CONFIGS, 0, 1, _answer)
