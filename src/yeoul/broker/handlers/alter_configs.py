"""AlterConfigs 0-2: replaces all settings of a resource; what is not named goes back to its default.

Deviations: as IncrementalAlterConfigs, which Kafka wants used instead.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.broker.settings.altering import Alteration, alter
from yeoul.broker.settings.changing import Change, Operation
from yeoul.wire.messages.alter_configs import (
    ALTER_CONFIGS,
    AlterConfigsRequest,
    AlterConfigsResourceResponse,
    AlterConfigsResponse,
)

__all__ = ["HANDLER"]


def _answer(node: Node, request: AlterConfigsRequest, call: Call) -> AlterConfigsResponse:
    alterations = [
        Alteration(
            resource.resource_type,
            resource.resource_name,
            # A null value is no value: as if the setting were not named.
            [Change(one.name, Operation.SET, one.value) for one in resource.configs if one.value is not None],
            replacing=True,
        )
        for resource in request.resources
    ]
    outcomes = alter(node, call, alterations, validate_only=request.validate_only)
    return AlterConfigsResponse(
        responses=[
            AlterConfigsResourceResponse(
                error_code=code, error_message=message, resource_type=one.resource_type, resource_name=one.name
            )
            for one, (code, message) in zip(alterations, outcomes, strict=True)
        ]
    )


HANDLER = MessageHandler(ALTER_CONFIGS, 0, 2, _answer)
