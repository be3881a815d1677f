"""Decides whether a peer may do something, and remembers it in the peer's session.

Owns the rules in force and the super users. Invariants: a change counts from the next question on, on open connections
too, because it raises the version that every session's answers are marked with; a super user may do everything; where
no rule is about a resource nobody may touch it, unless `allow.everyone.if.no.acl.found` says otherwise. A denial is
logged when it is decided, not each time it is remembered. Callers: `guard`, and through `Node.allows` every handler.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable

from yeoul.broker.security.acls import Acl, AclIndex, Permission
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.broker.security.session import Session

__all__ = ["Authorizer"]

_log = logging.getLogger("yeoul.broker.authorizer")
_MOST_VERDICTS = 4_096
_ANY_RESOURCE = "hardcode"
"""A name that Kafka asks about to learn whether the rules are needed at all; ours gives the same answers."""


class Authorizer:
    """The rules in force.

    Args:
        acls: The rules.
        super_users: Principals that may do everything.
        allow_without_acl: Whether everybody may do everything to a resource that no rule is about.
    """

    def __init__(self, acls: Iterable[Acl], super_users: Collection[str], *, allow_without_acl: bool = False) -> None:
        self._index = AclIndex(acls)
        self._super_users = frozenset(super_users)
        self._allow_without_acl = allow_without_acl
        self._version = 1

    def use(self, acls: Iterable[Acl], super_users: Collection[str]) -> None:
        """Takes other rules and super users from now on."""
        self._index = AclIndex(acls)
        self._super_users = frozenset(super_users)
        self._version += 1

    def allows(self, session: Session, operation: Operation, resource_type: ResourceType, name: str) -> bool:
        """Whether a peer may do this to a resource; a denial is logged once a session."""
        if session.verdicts_version != self._version or len(session.verdicts) >= _MOST_VERDICTS:
            session.verdicts.clear()
            session.verdicts_version = self._version
        key = (operation, resource_type, name)
        verdict = session.verdicts.get(key)
        if verdict is None:
            verdict = session.verdicts[key] = self._decide(session, operation, resource_type, name)
            if not verdict:
                _log.info(
                    "Denied %s from %s: %s on %s %r",
                    session.principal,
                    session.host,
                    operation.name,
                    resource_type.name,
                    name,
                )
        return verdict

    def allows_some(self, session: Session, operation: Operation, resource_type: ResourceType) -> bool:
        """Whether there may be a resource of this type that a peer may do this to."""
        if self._decide(session, operation, resource_type, _ANY_RESOURCE):
            return True
        return self._index.allows_some(session.principal, session.host, operation, resource_type)

    def _decide(self, session: Session, operation: Operation, resource_type: ResourceType, name: str) -> bool:
        if session.principal in self._super_users:
            return True
        said = self._index.decide(session.principal, session.host, operation, resource_type, name)
        return self._allow_without_acl if said is None else said is Permission.ALLOW
