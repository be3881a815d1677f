"""Access control lists: what one says, what a filter finds, and what a set of them decides.

Owns the matching rules of Kafka's StandardAuthorizer. Invariants: a rule that denies wins over every rule that allows;
READ, WRITE, DELETE and ALTER allow DESCRIBE as well, and ALTER_CONFIGS allows DESCRIBE_CONFIGS, but denying them denies
nothing else; a name of `*` in a literal rule means every resource. Pure. Callers: `authorizer`, `acl_store`, the
handlers of the three ACL APIs, the command line.
Source: https://kafka.apache.org/documentation/#security_authz, KIP-290 (prefixed patterns).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from yeoul.broker.security.operations import CLUSTER_NAME, Operation, ResourceType
from yeoul.errors import UserError

__all__ = ["ANY_HOST", "ANY_NAME", "ANY_USER", "Acl", "AclFilter", "AclIndex", "Pattern", "Permission"]

ANY_NAME = "*"
ANY_HOST = "*"
ANY_USER = "User:*"
_LONGEST_TEXT = 1_024

_IMPLYING = {
    Operation.DESCRIBE: frozenset(
        {Operation.DESCRIBE, Operation.READ, Operation.WRITE, Operation.DELETE, Operation.ALTER}
    ),
    Operation.DESCRIBE_CONFIGS: frozenset({Operation.DESCRIBE_CONFIGS, Operation.ALTER_CONFIGS}),
}


class Pattern(IntEnum):
    """How a rule, or a filter, names resources; the numbers are the protocol's."""

    UNKNOWN = 0
    ANY = 1
    MATCH = 2
    LITERAL = 3
    PREFIXED = 4


class Permission(IntEnum):
    """What a rule does; the numbers are the protocol's."""

    UNKNOWN = 0
    ANY = 1
    DENY = 2
    ALLOW = 3


@dataclass(frozen=True, slots=True)
class Acl:
    """One rule.

    Attributes:
        resource_type: The kind of resource.
        name: The resource's name, or the start of it for a prefixed pattern; `*` for all in a literal one.
        pattern: `LITERAL` or `PREFIXED`.
        principal: Whom it is about: `User:alice`, or `User:*` for everybody.
        host: The address that they come from, or `*`.
        operation: What they do, or `ALL`.
        permission: `ALLOW` or `DENY`.

    Example:
        >>> str(Acl(ResourceType.TOPIC, "t", Pattern.LITERAL, "User:a", "*", Operation.READ, Permission.ALLOW))
        'ALLOW User:a READ on TOPIC t from *'
    """

    resource_type: ResourceType
    name: str
    pattern: Pattern
    principal: str
    host: str
    operation: Operation
    permission: Permission

    def __str__(self) -> str:
        star = ANY_NAME if self.pattern is Pattern.PREFIXED else ""
        what = f"{self.resource_type.name} {self.name}{star}"
        return f"{self.permission.name} {self.principal} {self.operation.name} on {what} from {self.host}"

    def check(self) -> None:
        """Raises UserError unless it is a rule that can be kept."""
        if self.resource_type in (ResourceType.UNKNOWN, ResourceType.ANY):
            raise UserError(f"Expected a resource type that a rule can be about, got {self.resource_type.name}")
        if self.pattern not in (Pattern.LITERAL, Pattern.PREFIXED):
            raise UserError(f"Expected a pattern of LITERAL or PREFIXED, got {self.pattern.name}")
        if self.operation in (Operation.UNKNOWN, Operation.ANY):
            raise UserError(f"Expected an operation, or ALL, got {self.operation.name}")
        if self.permission not in (Permission.ALLOW, Permission.DENY):
            raise UserError(f"Expected a permission of ALLOW or DENY, got {self.permission.name}")
        if not self.name:
            raise UserError("The name of a rule's resource is empty", hint="'*' stands for every resource")
        if self.resource_type is ResourceType.CLUSTER and self.name != CLUSTER_NAME:
            raise UserError(f"The only name of a CLUSTER resource is {CLUSTER_NAME!r}, got {self.name!r}")
        kind, colon, name = self.principal.partition(":")
        if not (kind and colon and name):
            raise UserError(f"Expected a principal such as 'User:alice', got {self.principal!r}")
        if not self.host:
            raise UserError("The host of a rule is empty", hint="'*' stands for every host")
        if max(map(len, (self.name, self.principal, self.host))) > _LONGEST_TEXT:
            raise UserError(f"A name, principal or host of a rule is longer than {_LONGEST_TEXT} characters")

    def applies_to(self, principal: str, host: str) -> bool:
        """Whether it is about this peer."""
        return self.principal in (principal, ANY_USER) and self.host in (host, ANY_HOST)

    def concerns(self, operation: Operation) -> bool:
        """Whether it says something about this operation."""
        if self.operation is Operation.ALL or self.operation is operation:
            return True
        return self.permission is Permission.ALLOW and self.operation in _IMPLYING.get(operation, ())

    def covers(self, name: str) -> bool:
        """Whether a resource of its type is among those that it names."""
        if self.pattern is Pattern.PREFIXED:
            return name.startswith(self.name)
        return self.name in (name, ANY_NAME)


@dataclass(frozen=True, slots=True)
class AclFilter:
    """What to look for among rules; what is None or ANY finds everything.

    Attributes:
        pattern: `ANY` finds both kinds with just this name; `MATCH` finds the rules that decide about a resource of
            this name.
    """

    resource_type: ResourceType = ResourceType.ANY
    name: str | None = None
    pattern: Pattern = Pattern.ANY
    principal: str | None = None
    host: str | None = None
    operation: Operation = Operation.ANY
    permission: Permission = Permission.ANY

    def check(self) -> None:
        """Raises UserError when something in it is not known."""
        for value in (self.resource_type, self.pattern, self.operation, self.permission):
            if not value:
                raise UserError(f"The filter holds an unknown {type(value).__name__}")

    def finds(self, acl: Acl) -> bool:
        return (
            self.resource_type in (ResourceType.ANY, acl.resource_type)
            and self._finds_name(acl)
            and self.principal in (None, acl.principal)
            and self.host in (None, acl.host)
            and self.operation in (Operation.ANY, acl.operation)
            and self.permission in (Permission.ANY, acl.permission)
        )

    def _finds_name(self, acl: Acl) -> bool:
        if self.pattern not in (Pattern.ANY, Pattern.MATCH, acl.pattern):
            return False
        if self.name is None or self.name == acl.name:
            return True
        return self.pattern is Pattern.MATCH and acl.covers(self.name)


class AclIndex:
    """A set of rules, arranged to decide about one resource without looking at those about others.

    Args:
        acls: The rules.
    """

    def __init__(self, acls: Iterable[Acl]) -> None:
        self._literal: dict[tuple[ResourceType, str], list[Acl]] = {}
        self._prefixed: dict[tuple[ResourceType, str], list[Acl]] = {}
        self._by_type: dict[ResourceType, list[Acl]] = {}
        lengths: dict[ResourceType, set[int]] = {}
        for acl in acls:
            self._by_type.setdefault(acl.resource_type, []).append(acl)
            if acl.pattern is Pattern.PREFIXED:
                self._prefixed.setdefault((acl.resource_type, acl.name), []).append(acl)
                lengths.setdefault(acl.resource_type, set()).add(len(acl.name))
            else:
                self._literal.setdefault((acl.resource_type, acl.name), []).append(acl)
        self._prefix_lengths = {kind: sorted(found) for kind, found in lengths.items()}

    def decide(
        self, principal: str, host: str, operation: Operation, resource_type: ResourceType, name: str
    ) -> Permission | None:
        """Returns what the rules say, or None when there is none about this resource at all.

        A resource that has rules, of which none allows this, is denied.
        """
        found = allowed = False
        for acl in self._about(resource_type, name):
            found = True
            if acl.applies_to(principal, host) and acl.concerns(operation):
                if acl.permission is Permission.DENY:
                    return Permission.DENY
                allowed = True
        if not found:
            return None
        return Permission.ALLOW if allowed else Permission.DENY

    def allows_some(self, principal: str, host: str, operation: Operation, resource_type: ResourceType) -> bool:
        """Whether there is a resource of this type that the rules allow to do this to.

        A rule that allows counts unless a rule that denies takes back all that it allows.
        """
        mine = [
            acl
            for acl in self._by_type.get(resource_type, ())
            if acl.applies_to(principal, host) and acl.operation in (operation, Operation.ALL)
        ]
        denied = [acl for acl in mine if acl.permission is Permission.DENY]
        return any(
            acl.permission is Permission.ALLOW and not any(_takes_back(other, acl) for other in denied) for acl in mine
        )

    def _about(self, resource_type: ResourceType, name: str) -> Iterator[Acl]:
        yield from self._literal.get((resource_type, name), ())
        if name != ANY_NAME:
            yield from self._literal.get((resource_type, ANY_NAME), ())
        for length in self._prefix_lengths.get(resource_type, ()):
            if length > len(name):
                break
            yield from self._prefixed.get((resource_type, name[:length]), ())


def _takes_back(denying: Acl, allowing: Acl) -> bool:
    if denying.pattern is Pattern.LITERAL:
        if denying.name == ANY_NAME:
            return True
        return allowing.pattern is Pattern.LITERAL and allowing.name == denying.name
    if allowing.pattern is Pattern.LITERAL and allowing.name == ANY_NAME:
        return False
    return allowing.name.startswith(denying.name)
