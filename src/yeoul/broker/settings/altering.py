"""Carries out changes of a resource's settings, whichever request asked for them.

Called by the handlers of AlterConfigs and IncrementalAlterConfigs, on the loop. Invariants: a resource changes wholly
or not at all; what is answered as done is durable (levels of loggers, which end with the process, apart).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from yeoul.broker.call import Call
from yeoul.broker.node import NODE_ID, Node
from yeoul.broker.refusals import error_code_of
from yeoul.broker.security.operations import CLUSTER_NAME, ResourceType
from yeoul.broker.security.operations import Operation as AclOperation
from yeoul.broker.settings.broker_keys import check_broker_entries
from yeoul.broker.settings.broker_keys import key_of as broker_key
from yeoul.broker.settings.changing import Change, Operation, changed
from yeoul.broker.settings.group_keys import GROUP_DEFAULTS, GROUP_KEYS, check_group_entries
from yeoul.broker.settings.keys import find
from yeoul.broker.settings.loggers import set_level
from yeoul.broker.settings.topic_keys import BROKER_NAMES, TOPIC_KEYS, check_topic_entries
from yeoul.errors import UserError, YeoulError
from yeoul.log.config import TOPIC_DEFAULTS
from yeoul.wire.errors import ErrorCode, ProtocolError

__all__ = ["Alteration", "ConfigResourceType", "alter", "authorization_error", "check_broker_name"]


class ConfigResourceType(IntEnum):
    """What has settings, as the config requests number it."""

    TOPIC = 2
    BROKER = 4
    BROKER_LOGGER = 8
    CLIENT_METRICS = 16
    GROUP = 32


@dataclass(frozen=True, slots=True)
class Alteration:
    """What is to become of one resource.

    Attributes:
        resource_type: Which kind; possibly one that there is not.
        name: Which one.
        changes: What to do.
        replacing: What is not named goes back to its default (AlterConfigs).
    """

    resource_type: int
    name: str
    changes: Sequence[Change]
    replacing: bool = False


_ACL_TYPES = {
    ConfigResourceType.TOPIC: (ResourceType.TOPIC, ErrorCode.TOPIC_AUTHORIZATION_FAILED),
    ConfigResourceType.GROUP: (ResourceType.GROUP, ErrorCode.GROUP_AUTHORIZATION_FAILED),
}


def authorization_error(node: Node, call: Call, operation: AclOperation, resource_type: int, name: str) -> ErrorCode:
    """Returns NONE if a call may do this to a resource's settings, else how that is refused."""
    kind, code = ResourceType.CLUSTER, ErrorCode.CLUSTER_AUTHORIZATION_FAILED
    if resource_type in (ConfigResourceType.TOPIC, ConfigResourceType.GROUP):
        kind, code = _ACL_TYPES[ConfigResourceType(resource_type)]
    acl_name = CLUSTER_NAME if kind is ResourceType.CLUSTER else name
    return ErrorCode.NONE if node.allows(call, operation, kind, acl_name) else code


def check_broker_name(name: str, *, may_be_empty: bool = True) -> None:
    """Raises ProtocolError (`INVALID_REQUEST`) unless a name is this broker's, or empty: that of all."""
    if name != str(NODE_ID) and (name or not may_be_empty):
        message = f"Unknown broker {name!r}: expected {str(NODE_ID)!r}, the only one" + (
            ", or '' for all" if may_be_empty else ""
        )
        raise ProtocolError(ErrorCode.INVALID_REQUEST, message)


def alter(
    node: Node, call: Call, alterations: Sequence[Alteration], *, validate_only: bool
) -> list[tuple[ErrorCode, str | None]]:
    """Carries out alterations; returns for each how it went: a code, and what was wrong."""
    places = [(one.resource_type, one.name) for one in alterations]
    outcomes: list[tuple[ErrorCode, str | None]] = []
    for one in alterations:
        try:
            if places.count((one.resource_type, one.name)) > 1:
                raise ProtocolError(ErrorCode.INVALID_REQUEST, f"Resource {one.name!r} is named twice")
            refusal = authorization_error(node, call, AclOperation.ALTER_CONFIGS, one.resource_type, one.name)
            if refusal:
                raise ProtocolError(refusal, "Not authorised to change these settings")
            _alter_one(node, one, validate_only)
        except YeoulError as error:
            outcomes.append((error_code_of(error), str(error)))
        else:
            outcomes.append((ErrorCode.NONE, None))
    return outcomes


def _alter_one(node: Node, wanted: Alteration, validate_only: bool) -> None:
    handler = _HANDLERS.get(wanted.resource_type)
    if handler is None:
        raise ProtocolError(
            ErrorCode.INVALID_REQUEST, f"Resources of type {wanted.resource_type} have no settings that can be changed"
        )
    handler(node, wanted, validate_only)


def _alter_topic(node: Node, wanted: Alteration, validate_only: bool) -> None:
    topic = node.log.topic(wanted.name)

    def in_effect(name: str) -> str:
        return node.log.topic_defaults.get(name, TOPIC_DEFAULTS[name])

    held = {} if wanted.replacing else topic.entries
    entries = changed(held, wanted.changes, lambda name: find(name, TOPIC_KEYS, "topic"), in_effect)
    check_topic_entries(entries)
    if not validate_only:
        node.log.set_config(topic.name, entries)


def _alter_broker(node: Node, wanted: Alteration, validate_only: bool) -> None:
    check_broker_name(wanted.name)
    overrides = node.settings.overrides
    for_all = not wanted.name
    held = overrides.defaults if for_all else overrides.broker

    def in_effect(name: str) -> str:
        beneath = {} if for_all else overrides.defaults
        return beneath.get(name, TOPIC_DEFAULTS[BROKER_NAMES[name]])

    entries = changed({} if wanted.replacing else held, wanted.changes, broker_key, in_effect)
    made = overrides.with_defaults(entries) if for_all else overrides.with_broker(entries)
    check_broker_entries(node.settings.static, entries)
    made.over(node.settings.static)
    if not validate_only:
        node.settings.change(made)


def _alter_group(node: Node, wanted: Alteration, validate_only: bool) -> None:
    if not wanted.name:
        raise ProtocolError(ErrorCode.INVALID_REQUEST, "Expected the name of a group, got ''")
    overrides = node.settings.overrides
    held = {} if wanted.replacing else overrides.groups.get(wanted.name, {})
    entries = changed(
        held, wanted.changes, lambda name: find(name, GROUP_KEYS, "group"), lambda name: GROUP_DEFAULTS[name]
    )
    check_group_entries(entries)
    if not validate_only:
        node.settings.change(overrides.with_group(wanted.name, entries))


def _alter_logger(node: Node, wanted: Alteration, validate_only: bool) -> None:
    check_broker_name(wanted.name, may_be_empty=False)
    if wanted.replacing:
        raise ProtocolError(
            ErrorCode.INVALID_REQUEST, "Levels of loggers are changed one by one, with IncrementalAlterConfigs"
        )
    for change in wanted.changes:
        if change.operation not in (Operation.SET, Operation.DELETE):
            raise UserError(f"A logger's level is set or deleted, got {change.operation.name} for {change.name!r}")
    if not validate_only:
        for change in wanted.changes:
            set_level(change.name, change.value if change.operation is Operation.SET else None)


def _refuse_metrics(node: Node, wanted: Alteration, validate_only: bool) -> None:
    raise ProtocolError(ErrorCode.INVALID_REQUEST, "Clients' metrics are not collected here (KIP-714)")


_HANDLERS: dict[int, Callable[[Node, Alteration, bool], None]] = {
    ConfigResourceType.TOPIC: _alter_topic,
    ConfigResourceType.BROKER: _alter_broker,
    ConfigResourceType.BROKER_LOGGER: _alter_logger,
    ConfigResourceType.CLIENT_METRICS: _refuse_metrics,
    ConfigResourceType.GROUP: _alter_group,
}
