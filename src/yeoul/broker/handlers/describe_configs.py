"""DescribeConfigs 1-4: a topic's settings, and the broker's few.

Deviations: only topics (2) and brokers (4) are described; documentation texts are left out.
"""

from __future__ import annotations

from collections.abc import Mapping

from yeoul.broker.call import Call, MessageHandler
from yeoul.broker.node import NODE_ID, Node
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.log.config import TOPIC_DEFAULTS
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.describe_configs import (
    DESCRIBE_CONFIGS,
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
    DescribeConfigsSynonym,
)

__all__ = ["HANDLER", "config_refusal"]

_TOPIC, _BROKER, _GROUP = 2, 4, 32
_FROM_TOPIC, _FROM_START, _FROM_DEFAULT = 1, 4, 5
_STRING = 2


def _answer(node: Node, request: DescribeConfigsRequest, call: Call) -> DescribeConfigsResponse:
    return DescribeConfigsResponse(
        results=[_describe(node, each, request.include_synonyms, call) for each in request.resources]
    )


def _describe(node: Node, wanted: DescribeConfigsResource, synonyms: bool, call: Call) -> DescribeConfigsResult:
    result = DescribeConfigsResult(
        resource_type=wanted.resource_type, resource_name=wanted.resource_name, error_message=None
    )
    refused = config_refusal(node, call, Operation.DESCRIBE_CONFIGS, wanted.resource_type, wanted.resource_name)
    if refused:
        result.error_code, result.error_message = refused, "Authorization failed."
        return result
    if wanted.resource_type == _TOPIC:
        topic = node.log.topics.get(wanted.resource_name)
        if topic is None:
            result.error_code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            result.error_message = f"There is no topic {wanted.resource_name!r}"
            return result
        result.configs = _topic_configs(topic.entries, synonyms)
    elif wanted.resource_type == _BROKER and wanted.resource_name in ("", str(NODE_ID)):
        result.configs = _broker_configs(node)
    else:
        result.error_code = ErrorCode.INVALID_REQUEST
        result.error_message = f"Nothing is known of resource type {wanted.resource_type} {wanted.resource_name!r}"
    if wanted.configuration_keys is not None:
        keys = frozenset(wanted.configuration_keys)
        result.configs = [config for config in result.configs if config.name in keys]
    return result


def config_refusal(
    node: Node, call: Call, operation: Operation, resource_type: int, resource_name: str
) -> ErrorCode | None:
    """Returns the error for a peer that may not look at, or change, the settings of a resource."""
    if resource_type == _TOPIC:
        allowed, error = (
            node.allows(call, operation, ResourceType.TOPIC, resource_name),
            ErrorCode.TOPIC_AUTHORIZATION_FAILED,
        )
    elif resource_type == _GROUP:
        allowed, error = (
            node.allows(call, operation, ResourceType.GROUP, resource_name),
            ErrorCode.GROUP_AUTHORIZATION_FAILED,
        )
    else:
        allowed, error = node.allows(call, operation, ResourceType.CLUSTER), ErrorCode.CLUSTER_AUTHORIZATION_FAILED
    return None if allowed else error


def _topic_configs(entries: Mapping[str, str], synonyms: bool) -> list[DescribeConfigsResourceResult]:
    shown = []
    for name, default in TOPIC_DEFAULTS.items():
        own = entries.get(name)
        sources = [] if own is None else [DescribeConfigsSynonym(name=name, value=own, source=_FROM_TOPIC)]
        sources.append(DescribeConfigsSynonym(name=name, value=default, source=_FROM_DEFAULT))
        shown.append(
            DescribeConfigsResourceResult(
                name=name,
                value=sources[0].value,
                config_source=sources[0].source,
                synonyms=sources if synonyms else [],
                config_type=_STRING,
                documentation=None,
            )
        )
    return shown


def _broker_configs(node: Node) -> list[DescribeConfigsResourceResult]:
    config = node.config
    values = {
        "auto.create.topics.enable": str(config.auto_create_topics).lower(),
        "broker.id": str(NODE_ID),
        "default.replication.factor": "1",
        "fetch.max.bytes": str(config.limits.fetch_bytes),
        "listeners": ",".join(listener.url for listener in node.config.bound_listeners),
        "log.dirs": str(config.data_dir),
        "max.connections": str(config.limits.connections),
        "num.partitions": str(config.num_partitions),
        "socket.request.max.bytes": str(config.limits.request_bytes),
        "yeoul.flush": config.flush,
    }
    return [
        DescribeConfigsResourceResult(
            name=name, value=value, read_only=True, config_source=_FROM_START, config_type=_STRING, documentation=None
        )
        for name, value in values.items()
    ]


HANDLER = MessageHandler(DESCRIBE_CONFIGS, 1, 4, _answer)
