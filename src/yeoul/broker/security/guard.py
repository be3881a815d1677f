"""What guards a broker: its users, its access control lists, and the authorizer that works by them.

Owns putting changes of users and rules into force. Invariants: without an authorizer everybody may do everything, and
rules cannot be changed; with one, a change is in force on all open connections when its request is answered.
Callers: `server` makes it, `node` and the handlers of the security APIs use it, `gate` asks it about logins.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from yeoul.broker.security.acl_store import AclStore
from yeoul.broker.security.acls import Acl, AclFilter
from yeoul.broker.security.authorizer import Authorizer
from yeoul.broker.security.users import User, Users

__all__ = ["AccessSettings", "Guard"]


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """How strict a broker is; Kafka's settings.

    Attributes:
        enforced: Whether rules are asked at all (`authorizer.class.name`).
        super_users: Principals that may do everything (`super.users`).
        allow_without_acl: Whether everybody may use what no rule is about (`allow.everyone.if.no.acl.found`).
        session_lifetime_ms: How long a login counts; 0 for as long as the connection (`connections.max.reauth.ms`).
        refusal_delay_ms: How long a refused login waits for its answer
            (`connection.failed.authentication.delay.ms`).
    """

    enforced: bool = False
    super_users: frozenset[str] = frozenset()
    allow_without_acl: bool = False
    session_lifetime_ms: int = 0
    refusal_delay_ms: int = 100


class Guard:
    """One broker's users and rules.

    Args:
        data_dir: Where they are kept.
        settings: How strict it is.

    Raises:
        EnvironmentFailure: A file cannot be read.
    """

    def __init__(self, data_dir: Path, settings: AccessSettings) -> None:
        self.settings = settings
        self.users = Users(data_dir)
        self._acls = AclStore(data_dir)
        self.authorizer: Authorizer | None = None
        if settings.enforced:
            self.authorizer = Authorizer(
                self._acls.acls, self._super_users(), allow_without_acl=settings.allow_without_acl
            )

    def change_users(self, changed: Iterable[User], removed: Iterable[str]) -> None:
        """Puts users in place; raises as `Users.change`."""
        self.users.change(changed, removed)
        self._enforce()

    def add_acls(self, acls: Iterable[Acl]) -> None:
        """Adds rules; raises as `AclStore.add`."""
        self._acls.add(acls)
        self._enforce()

    def remove_acls(self, acls: Iterable[Acl]) -> None:
        """Removes rules; raises as `AclStore.remove`."""
        self._acls.remove(acls)
        self._enforce()

    def find_acls(self, wanted: AclFilter) -> list[Acl]:
        """Returns the rules that a filter finds."""
        return self._acls.find(wanted)

    def _enforce(self) -> None:
        if self.authorizer is not None:
            self.authorizer.use(self._acls.acls, self._super_users())

    def _super_users(self) -> frozenset[str]:
        return self.settings.super_users | self.users.super_users
