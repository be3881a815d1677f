"""The one message of SASL PLAIN (RFC 4616). Pure. Caller: `gate`."""

from __future__ import annotations

from typing import NamedTuple

from yeoul.broker.security.scram import SaslFailure

__all__ = ["PLAIN", "PlainLogin", "read_plain"]

PLAIN = "PLAIN"


class PlainLogin(NamedTuple):
    """A user's name and what they say is their password."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"PlainLogin(user={self.user!r})"


def read_plain(token: bytes) -> PlainLogin:
    r"""Returns who wants to log in.

    Raises:
        SaslFailure: It is no such message, or it names another user to act as.

    Example:
        >>> read_plain(b"\0alice\0secret").user
        'alice'
    """
    try:
        parts = token.decode().split("\0")
    except UnicodeDecodeError:
        raise SaslFailure("A PLAIN message is not UTF-8") from None
    if len(parts) != 3:
        raise SaslFailure(f"Expected 3 parts in a PLAIN message, got {len(parts)}")
    acts_as, user, password = parts
    if not user or not password:
        raise SaslFailure("A PLAIN message has no user or no password")
    if acts_as not in ("", user):
        raise SaslFailure("The client wants to act as another user than the one that it logs in as")
    return PlainLogin(user, password)
