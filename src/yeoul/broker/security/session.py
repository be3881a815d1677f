"""Who is at the other end of a connection, and what was found out already about what they may do.

Invariant: the principal changes only by making another session. Callers: `connection` makes one, `authorizer` keeps its
answers in it.
"""

from __future__ import annotations

from yeoul.broker.security.operations import Operation, ResourceType

__all__ = ["ANONYMOUS", "Session", "user_principal"]

ANONYMOUS = "User:ANONYMOUS"


def user_principal(name: str) -> str:
    """Returns the principal of a user.

    Example:
        >>> user_principal("alice")
        'User:alice'
    """
    return f"User:{name}"


class Session:
    """One peer.

    Attributes:
        principal: `User:` and the name that the peer proved, or `User:ANONYMOUS`.
        host: The address that it came from.
        verdicts: The authorizer's answers by operation, resource type and name, as of `verdicts_version`.
    """

    __slots__ = ("host", "principal", "verdicts", "verdicts_version")

    def __init__(self, principal: str, host: str) -> None:
        self.principal = principal
        self.host = host
        self.verdicts: dict[tuple[Operation, ResourceType, str], bool] = {}
        self.verdicts_version = 0
