"""IncrementalAlterConfigs 0-1: sets, deletes, appends to or subtracts from single settings.

Of topics, of the broker (durable, in effect at once), of groups, and the levels of its loggers. Deviations:
`num.partitions` and `auto.create.topics.enable` can be changed as well; there are no client metrics to configure.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.broker.refusals import error_code_of
from yeoul.broker.settings.altering import Alteration, alter
from yeoul.broker.settings.changing import Change
from yeoul.wire.errors import ErrorCode, ProtocolError
from yeoul.wire.messages.incremental_alter_configs import (
    INCREMENTAL_ALTER_CONFIGS,
    AlterConfigsResource,
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)

__all__ = ["HANDLER"]


def _answer(node: Node, request: IncrementalAlterConfigsRequest, call: Call) -> IncrementalAlterConfigsResponse:
    readable: dict[int, Alteration] = {}
    outcomes: dict[int, tuple[ErrorCode, str | None]] = {}
    for index, resource in enumerate(request.resources):
        try:
            readable[index] = _read(resource)
        except ProtocolError as error:
            outcomes[index] = (error_code_of(error), str(error))
    done = alter(node, call, list(readable.values()), validate_only=request.validate_only)
    outcomes.update(zip(readable, done, strict=True))
    return IncrementalAlterConfigsResponse(
        responses=[
            AlterConfigsResourceResponse(
                error_code=outcomes[index][0],
                error_message=outcomes[index][1],
                resource_type=resource.resource_type,
                resource_name=resource.resource_name,
            )
            for index, resource in enumerate(request.resources)
        ]
    )


def _read(resource: AlterConfigsResource) -> Alteration:
    changes = [Change.of(one.name, one.config_operation, one.value) for one in resource.configs]
    return Alteration(resource.resource_type, resource.resource_name, changes)


HANDLER = MessageHandler(INCREMENTAL_ALTER_CONFIGS, 0, 1, _answer)
