"""DescribeConfigs 1-4: the settings of topics, of the broker, of groups, and the levels of its loggers.

Deviations: client metrics (16) cannot be configured, so none are described.
"""

from __future__ import annotations

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import Node
from yeoul.broker.refusals import error_code_of
from yeoul.broker.security.operations import Operation
from yeoul.broker.settings.altering import ConfigResourceType, authorization_error, check_broker_name
from yeoul.broker.settings.describing import (
    Described,
    broker_settings,
    group_settings,
    logger_settings,
    topic_settings,
)
from yeoul.errors import YeoulError
from yeoul.wire.errors import ErrorCode, ProtocolError
from yeoul.wire.messages.describe_configs import (
    DESCRIBE_CONFIGS,
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
    DescribeConfigsSynonym,
)

__all__ = ["HANDLER"]


def _answer(node: Node, request: DescribeConfigsRequest, call: Call) -> DescribeConfigsResponse:
    return DescribeConfigsResponse(results=[_describe(node, call, request, each) for each in request.resources])


def _describe(
    node: Node, call: Call, request: DescribeConfigsRequest, wanted: DescribeConfigsResource
) -> DescribeConfigsResult:
    result = DescribeConfigsResult(
        resource_type=wanted.resource_type, resource_name=wanted.resource_name, error_message=None
    )
    try:
        refusal = authorization_error(
            node, call, Operation.DESCRIBE_CONFIGS, wanted.resource_type, wanted.resource_name
        )
        if refusal:
            raise ProtocolError(refusal, "Not authorised to see these settings")
        found = _settings_of(node, wanted)
    except YeoulError as error:
        result.error_code, result.error_message = error_code_of(error), str(error)
        return result
    if wanted.configuration_keys is not None:
        keys = frozenset(wanted.configuration_keys)
        found = [one for one in found if one.key.name in keys]
    result.configs = [_shown(one, request) for one in found]
    return result


def _settings_of(node: Node, wanted: DescribeConfigsResource) -> list[Described]:
    overrides = node.settings.overrides
    match wanted.resource_type:
        case ConfigResourceType.TOPIC:
            return topic_settings(
                node.log.topic(wanted.resource_name).entries, overrides, node.settings.static.topic_defaults
            )
        case ConfigResourceType.BROKER:
            check_broker_name(wanted.resource_name)
            return broker_settings(node.settings.static, overrides, cluster_wide=not wanted.resource_name)
        case ConfigResourceType.BROKER_LOGGER:
            check_broker_name(wanted.resource_name, may_be_empty=False)
            return logger_settings()
        case ConfigResourceType.GROUP:
            return group_settings(overrides.groups.get(wanted.resource_name, {}))
        case ConfigResourceType.CLIENT_METRICS:
            return []
    message = f"Nothing is known of resource type {wanted.resource_type} {wanted.resource_name!r}"
    raise ProtocolError(ErrorCode.INVALID_REQUEST, message)


def _shown(one: Described, request: DescribeConfigsRequest) -> DescribeConfigsResourceResult:
    hidden = one.key.is_sensitive
    synonyms = one.synonyms if request.include_synonyms else ()
    return DescribeConfigsResourceResult(
        name=one.key.name,
        value=one.value,
        read_only=one.read_only,
        config_source=one.source,
        is_sensitive=hidden,
        synonyms=[
            DescribeConfigsSynonym(name=each.name, value=None if hidden else each.value, source=each.source)
            for each in synonyms
        ],
        config_type=one.key.type,
        documentation=one.key.text if request.include_documentation else None,
    )


HANDLER = MessageHandler(DESCRIBE_CONFIGS, 1, 4, _answer)
