"""A running broker, asked about its users and rules over our own connection.

librdkafka's admin client tells nothing of a request that was refused as a whole (it returns an empty list, or ends the
process), and for who may do what that is not good enough. Callers: `users`, `acls`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from yeoul.connectors.kafka.connection import Connection, ConnectionLost
from yeoul.connectors.kafka.settings import client_settings
from yeoul.errors import PeerError
from yeoul.wire.errors import ErrorCode
from yeoul.wire.schema import Api, Message

__all__ = ["RemoteBroker"]

_CONNECT_TIMEOUT_S = 5.0
_HINTS = {
    ErrorCode.CLUSTER_AUTHORIZATION_FAILED: "It takes a super user, or one with a rule: `yeoul acls add NAME --cluster"
    " --operation alter`.",
    ErrorCode.SECURITY_DISABLED: "None of its listeners makes peers log in: everybody may do everything.",
    ErrorCode.RESOURCE_NOT_FOUND: "`yeoul users list` shows who there is.",
}
_Request = TypeVar("_Request", bound=Message)
_Response = TypeVar("_Response", bound=Message)


class RemoteBroker:
    """A connection to the first broker that answers.

    Args:
        bootstrap: `HOST:PORT[,HOST:PORT...]`.
        properties: Client properties, in librdkafka's terms.

    Raises:
        UserError: A property is wrong.
        PeerError: No broker answers there, or the login is refused.
    """

    def __init__(self, bootstrap: str, properties: Mapping[str, str]) -> None:
        given = {f"properties.{name}": value for name, value in properties.items()}
        settings = client_settings({**given, "properties.bootstrap.servers": bootstrap})
        lost: ConnectionLost | None = None
        for address in settings.bootstrap:
            try:
                self._connection = Connection(address, settings, _CONNECT_TIMEOUT_S)
                return
            except ConnectionLost as error:
                lost = error
        raise PeerError(
            f"No Kafka broker answers at {bootstrap!r}: {lost.message if lost else ''}",
            hint="Is it running? --bootstrap-server says where to look.",
        )

    def ask(self, api: Api[_Request, _Response], request: _Request) -> _Response:
        """Returns the answer; raises PeerError when there is none."""
        return self._connection.call(api, request)

    @staticmethod
    def check(doing: str, code: int, message: str | None) -> None:
        """Raises PeerError when an answer is a refusal."""
        if code:
            error = ErrorCode(code)
            told = f"{error.name}: {message}" if message else error.name
            raise PeerError(f"{doing} failed: {told}", hint=_HINTS.get(error, ""))
