"""The access control lists of a stopped broker's directory, and those of a running broker."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from yeoul.broker.security.acl_store import AclStore
from yeoul.broker.security.acls import ANY_HOST, ANY_NAME, Acl, AclFilter, Pattern, Permission
from yeoul.broker.security.operations import CLUSTER_NAME, Operation, ResourceType
from yeoul.broker.security.stopped import stopped_broker
from yeoul.cli.access.remote import RemoteBroker
from yeoul.errors import UserError
from yeoul.wire.messages.create_acls import CREATE_ACLS, AclCreation, CreateAclsRequest
from yeoul.wire.messages.delete_acls import DELETE_ACLS, DeleteAclsFilter, DeleteAclsMatchingAcl, DeleteAclsRequest
from yeoul.wire.messages.describe_acls import DESCRIBE_ACLS, AclDescription, DescribeAclsRequest

__all__ = ["AclPlace", "LocalAcls", "RemoteAcls", "Resources", "add", "principal_of", "remove", "rules_of", "show"]

_KIND_AND_NAME = re.compile(r"[A-Z]\w*:.+")
_Kind = TypeVar("_Kind")
_PRODUCER = (Operation.WRITE, Operation.DESCRIBE, Operation.CREATE)
_PRODUCER_TRANSACTION = (Operation.WRITE, Operation.DESCRIBE)
_CONSUMER = (Operation.READ, Operation.DESCRIBE)
_CONSUMER_GROUP = (Operation.READ,)


class AclPlace(Protocol):
    """Where rules are kept."""

    def add(self, acls: Sequence[Acl]) -> None: ...
    def remove(self, wanted: Sequence[AclFilter]) -> list[Acl]: ...
    def find(self, wanted: AclFilter) -> list[Acl]: ...


class LocalAcls:
    """The rules in a data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    def add(self, acls: Sequence[Acl]) -> None:
        with stopped_broker(self._data_dir):
            AclStore(self._data_dir).add(acls)

    def remove(self, wanted: Sequence[AclFilter]) -> list[Acl]:
        with stopped_broker(self._data_dir):
            store = AclStore(self._data_dir)
            found = [acl for acl in store.acls if any(each.finds(acl) for each in wanted)]
            store.remove(found)
        return found

    def find(self, wanted: AclFilter) -> list[Acl]:
        return AclStore(self._data_dir).find(wanted)


class RemoteAcls:
    """The rules of a running broker, through Kafka's admin API."""

    def __init__(self, bootstrap: str, properties: Mapping[str, str]) -> None:
        self._broker = RemoteBroker(bootstrap, properties)

    def add(self, acls: Sequence[Acl]) -> None:
        request = CreateAclsRequest(
            creations=[
                AclCreation(
                    resource_type=acl.resource_type,
                    resource_name=acl.name,
                    resource_pattern_type=acl.pattern,
                    principal=acl.principal,
                    host=acl.host,
                    operation=acl.operation,
                    permission_type=acl.permission,
                )
                for acl in acls
            ]
        )
        for result in self._broker.ask(CREATE_ACLS, request).results:
            self._broker.check("Adding rules", result.error_code, result.error_message)

    def remove(self, wanted: Sequence[AclFilter]) -> list[Acl]:
        request = DeleteAclsRequest(
            filters=[
                DeleteAclsFilter(
                    resource_type_filter=each.resource_type,
                    resource_name_filter=each.name,
                    pattern_type_filter=each.pattern,
                    principal_filter=each.principal,
                    host_filter=each.host,
                    operation=each.operation,
                    permission_type=each.permission,
                )
                for each in wanted
            ]
        )
        found: dict[Acl, None] = {}
        for result in self._broker.ask(DELETE_ACLS, request).filter_results:
            self._broker.check("Removing rules", result.error_code, result.error_message)
            for one in result.matching_acls:
                self._broker.check("Removing a rule", one.error_code, one.error_message)
                place = (ResourceType(one.resource_type), one.resource_name, Pattern(one.pattern_type))
                found[_acl(place, one)] = None
        return list(found)

    def find(self, wanted: AclFilter) -> list[Acl]:
        request = DescribeAclsRequest(
            resource_type_filter=wanted.resource_type,
            resource_name_filter=wanted.name,
            pattern_type_filter=wanted.pattern,
            principal_filter=wanted.principal,
            host_filter=wanted.host,
            operation=wanted.operation,
            permission_type=wanted.permission,
        )
        answer = self._broker.ask(DESCRIBE_ACLS, request)
        self._broker.check("Listing rules", answer.error_code, answer.error_message)
        return [
            _acl((ResourceType(one.resource_type), one.resource_name, Pattern(one.pattern_type)), rule)
            for one in answer.resources
            for rule in one.acls
        ]


def _acl(place: tuple[ResourceType, str, Pattern], told: AclDescription | DeleteAclsMatchingAcl) -> Acl:
    return Acl(*place, told.principal, told.host, Operation(told.operation), Permission(told.permission_type))


@dataclass(frozen=True, slots=True)
class Resources:
    """What rules are about, as the command line names it."""

    topics: Sequence[str] = ()
    groups: Sequence[str] = ()
    transactional_ids: Sequence[str] = ()
    cluster: bool = False
    prefixed: bool = False

    @property
    def named(self) -> list[tuple[ResourceType, str, Pattern]]:
        """Type, name and pattern of each.

        Raises:
            UserError: A prefix is `*`.
        """
        pattern = Pattern.PREFIXED if self.prefixed else Pattern.LITERAL
        found = [
            (kind, name, pattern)
            for kind, names in (
                (ResourceType.TOPIC, self.topics),
                (ResourceType.GROUP, self.groups),
                (ResourceType.TRANSACTIONAL_ID, self.transactional_ids),
            )
            for name in names
        ]
        if self.prefixed and any(name == ANY_NAME for _, name, _ in found):
            raise UserError("'*' is no prefix", hint="Leave out --prefixed: '*' stands for all of them.")
        if self.cluster:
            found.append((ResourceType.CLUSTER, CLUSTER_NAME, Pattern.LITERAL))
        return found


def principal_of(text: str) -> str:
    """Returns a principal; a bare name is a user's.

    Example:
        >>> principal_of("alice"), principal_of("User:CN=alice,O=Example"), principal_of("CN=bob")
        ('User:alice', 'User:CN=alice,O=Example', 'User:CN=bob')
    """
    return text if _KIND_AND_NAME.fullmatch(text) else f"User:{text}"


def rules_of(
    principals: Sequence[str],
    resources: Resources,
    operations: Sequence[Operation],
    *,
    hosts: Sequence[str] = (),
    deny: bool = False,
    producer: bool = False,
    consumer: bool = False,
) -> list[Acl]:
    """Returns the rules that the options ask for.

    Args:
        producer: Besides `operations`, what a producer needs of these topics and transactional ids.
        consumer: Besides `operations`, what a consumer needs of these topics and groups.

    Raises:
        UserError: There is nothing that they would be about, or nothing that they would say.
    """
    named = resources.named
    if not named:
        raise UserError(
            "Expected at least one resource", hint="Name it with --topic, --group, --transactional-id or --cluster."
        )
    permission = Permission.DENY if deny else Permission.ALLOW
    rules: dict[Acl, None] = {}
    for (kind, name, pattern), who, host in itertools.product(named, map(principal_of, principals), hosts or ANY_HOST):
        wanted = dict.fromkeys(operations)
        if producer:
            wanted |= dict.fromkeys(
                {ResourceType.TOPIC: _PRODUCER, ResourceType.TRANSACTIONAL_ID: _PRODUCER_TRANSACTION}.get(kind, ())
            )
        if consumer:
            wanted |= dict.fromkeys({ResourceType.TOPIC: _CONSUMER, ResourceType.GROUP: _CONSUMER_GROUP}.get(kind, ()))
        rules |= dict.fromkeys(Acl(kind, name, pattern, who, host, each, permission) for each in wanted)
    if not rules:
        raise UserError("Expected at least one operation", hint="Name it with --operation, --producer or --consumer.")
    for rule in rules:
        rule.check()
    return list(rules)


def filters_of(
    principal: str | None,
    resources: Resources,
    operations: Sequence[Operation],
    *,
    host: str | None = None,
    deny: bool | None = None,
    matching: bool = False,
) -> list[AclFilter]:
    """Returns what to look for; what is not said finds everything.

    Args:
        matching: Also find prefixes and `*` that decide about the names.
    """
    permission = {None: Permission.ANY, True: Permission.DENY, False: Permission.ALLOW}[deny]
    who = None if principal is None else principal_of(principal)
    places: list[tuple[ResourceType, str | None, Pattern]] = [
        (kind, name, Pattern.MATCH if matching else pattern) for kind, name, pattern in resources.named
    ]
    return [
        AclFilter(kind, name, pattern, who, host, operation, permission)
        for kind, name, pattern in places or [(ResourceType.ANY, None, Pattern.ANY)]
        for operation in operations or [Operation.ANY]
    ]


def add(place: AclPlace, rules: Sequence[Acl]) -> None:
    """Adds rules, saying each."""
    place.add(rules)
    for rule in rules:
        print(f"Added: {rule}")


def remove(place: AclPlace, wanted: Sequence[AclFilter]) -> None:
    """Removes the rules that are found, saying each."""
    found = place.remove(wanted)
    for rule in sorted(found, key=_order):
        print(f"Removed: {rule}")
    if not found:
        print("No rule is like that; nothing was removed.")


def show(place: AclPlace, wanted: Sequence[AclFilter]) -> None:
    """Prints one line a rule."""
    from yeoul.cli.rendering.listing import print_table

    found = sorted({acl for each in wanted for acl in place.find(each)}, key=_order)
    if not found:
        print("No rules. `yeoul acls add` makes one.")
        return
    print_table(
        ("resource", "name", "pattern", "principal", "host", "operation", "permission"),
        [
            (
                acl.resource_type.name.lower(),
                acl.name,
                acl.pattern.name.lower(),
                acl.principal,
                acl.host,
                acl.operation.name.lower(),
                acl.permission.name.lower(),
            )
            for acl in found
        ],
    )


def _order(acl: Acl) -> tuple[str, ...]:
    names = (acl.resource_type.name, acl.name, acl.pattern.name, acl.principal, acl.host, acl.permission.name)
    return (*names, f"{acl.operation:02}")
