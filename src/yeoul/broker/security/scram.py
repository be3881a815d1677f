"""SCRAM as the server speaks it: what is kept of a password, and the two steps of a login (RFC 5802, RFC 7677).

Owns `ScramCredential` and `ScramExchange`. Invariants: the password is never kept, only what proves that a peer knows
it; every comparison of secrets takes the same time whether they agree or not; a user that does not exist is answered
like one whose password was wrong. Pure: salts and nonces are handed in. Callers: `users`, `gate`, the command line.
Deviations: as in Kafka, names and passwords are taken as UTF-8 without SASLprep, and channel binding is not offered.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from yeoul.errors import PeerError, UserError

__all__ = [
    "FEWEST_ITERATIONS",
    "MOST_ITERATIONS",
    "SaslFailure",
    "ScramCredential",
    "ScramExchange",
    "ScramMechanism",
    "ServerFirst",
]

FEWEST_ITERATIONS = 4_096
MOST_ITERATIONS = 16_384
"""Kafka's own bounds on what its admin API takes."""

_LONGEST_NAME = 1_024
_LONGEST_NONCE = 256
_NONCE = re.compile(r"[\x21-\x2b\x2d-\x7e]+")
_ESCAPE = re.compile(r"=(2C|3D)?")


class SaslFailure(PeerError):
    """A login that is refused; the message is for the log, never for the peer."""


class ScramMechanism(IntEnum):
    """The mechanisms; the numbers are those of Kafka's admin API."""

    SHA_256 = 1
    SHA_512 = 2

    @property
    def label(self) -> str:
        """As SASL names it.

        Example:
            >>> ScramMechanism.SHA_256.label
            'SCRAM-SHA-256'
        """
        return f"SCRAM-{self.name.replace('_', '-')}"

    @property
    def digest(self) -> str:
        """As hashlib names its hash."""
        return self.name.replace("_", "").lower()

    @classmethod
    def of(cls, label: str) -> ScramMechanism:
        """Raises UserError when there is no such mechanism."""
        for mechanism in cls:
            if mechanism.label == label.upper():
                return mechanism
        known = ", ".join(mechanism.label for mechanism in cls)
        raise UserError(f"Unknown SCRAM mechanism {label!r}", hint=f"Known: {known}")


@dataclass(frozen=True, slots=True)
class ScramCredential:
    """What is kept of a password.

    Attributes:
        mechanism: Which hash.
        salt: Mixed into the password.
        iterations: How often it was hashed.
        stored_key: Checks what a peer proves.
        server_key: Proves to the peer that the server knows the password as well.
    """

    mechanism: ScramMechanism
    salt: bytes = field(repr=False)
    iterations: int
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    @classmethod
    def of_salted(
        cls, mechanism: ScramMechanism, salt: bytes, iterations: int, salted_password: bytes
    ) -> ScramCredential:
        """Returns what is kept of a password that was salted and hashed already."""
        client_key = hmac.digest(salted_password, b"Client Key", mechanism.digest)
        return cls(
            mechanism,
            salt,
            iterations,
            hashlib.new(mechanism.digest, client_key).digest(),
            hmac.digest(salted_password, b"Server Key", mechanism.digest),
        )

    @classmethod
    def of_password(cls, mechanism: ScramMechanism, salt: bytes, iterations: int, password: str) -> ScramCredential:
        """Returns what is kept of a password; takes milliseconds, on purpose."""
        salted = hashlib.pbkdf2_hmac(mechanism.digest, password.encode(), salt, iterations)
        return cls.of_salted(mechanism, salt, iterations, salted)

    def is_of(self, password: str) -> bool:
        """Whether this is the password; takes milliseconds."""
        again = ScramCredential.of_password(self.mechanism, self.salt, self.iterations, password)
        return hmac.compare_digest(again.stored_key, self.stored_key)


class ServerFirst(NamedTuple):
    """The server's first answer, and the user that it is for."""

    user: str
    reply: bytes


class ScramExchange:
    """One login on the server's side: `first`, then `final`.

    Args:
        mechanism: Which hash.
        find: Returns a user's credential; for an unknown user one that no password fits.
        nonce: The server's part of the nonce: printable, without comma, new for every login.

    Example:
        >>> kept = ScramCredential.of_password(ScramMechanism.SHA_256, b"salt", 4096, "secret")
        >>> exchange = ScramExchange(ScramMechanism.SHA_256, lambda user: kept, "theirs")
        >>> exchange.first(b"n,,n=alice,r=ours").reply
        b'r=ourstheirs,s=c2FsdA==,i=4096'
    """

    def __init__(self, mechanism: ScramMechanism, find: Callable[[str], ScramCredential], nonce: str) -> None:
        self._mechanism = mechanism
        self._find = find
        self._server_nonce = nonce
        self._credential: ScramCredential | None = None
        self._header = ""
        self._nonce = ""
        self._signed = ""

    def first(self, token: bytes) -> ServerFirst:
        """Reads a client's first message and returns the challenge.

        Raises:
            SaslFailure: It is no such message, or it asks for what is not offered.
        """
        header, bare = _split_header(_text(token))
        parts = bare.split(",")
        if len(parts) < 2 or not parts[0].startswith("n=") or not parts[1].startswith("r="):
            raise SaslFailure("The client's first SCRAM message has no user or no nonce")
        user, nonce = _read_name(parts[0][2:]), parts[1][2:]
        if len(nonce) > _LONGEST_NONCE or not _NONCE.fullmatch(nonce):
            raise SaslFailure("The client's SCRAM nonce is empty, too long or not printable")
        if any(part.startswith("tokenauth=") for part in parts[2:]):
            raise SaslFailure("The client wants to log in with a delegation token")
        _check_authorization(header, user)
        credential = self._find(user)
        self._credential, self._header, self._nonce = credential, header, nonce + self._server_nonce
        reply = f"r={self._nonce},s={_base64(credential.salt)},i={credential.iterations}"
        self._signed = f"{bare},{reply}"
        return ServerFirst(user, reply.encode())

    def final(self, token: bytes) -> bytes:
        """Checks what the client proves and returns the server's own proof.

        Raises:
            SaslFailure: The password is wrong, or the message is none.
        """
        credential, digest = self._credential, self._mechanism.digest
        assert credential is not None
        without_proof, comma, proof_text = _text(token).rpartition(",p=")
        parts = without_proof.split(",")
        if not comma or len(parts) < 2 or not parts[0].startswith("c=") or not parts[1].startswith("r="):
            raise SaslFailure("The client's last SCRAM message lacks a part")
        same_header = hmac.compare_digest(_decoded(parts[0][2:]), self._header.encode())
        if not (same_header and hmac.compare_digest(parts[1][2:].encode(), self._nonce.encode())):
            raise SaslFailure("The client's last SCRAM message belongs to another login")
        signed = f"{self._signed},{without_proof}".encode()
        signature = hmac.digest(credential.stored_key, signed, digest)
        proof = _decoded(proof_text)
        if len(proof) != len(signature):
            raise SaslFailure("The client's SCRAM proof has the wrong length")
        client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        if not hmac.compare_digest(hashlib.new(digest, client_key).digest(), credential.stored_key):
            raise SaslFailure("Wrong user or password")
        return f"v={_base64(hmac.digest(credential.server_key, signed, digest))}".encode()


def _text(token: bytes) -> str:
    try:
        return token.decode()
    except UnicodeDecodeError:
        raise SaslFailure("A SCRAM message is not UTF-8") from None


def _split_header(message: str) -> tuple[str, str]:
    """Returns the header, which says whether the channel is bound, and the rest."""
    binding, first_comma, rest = message.partition(",")
    authorization, second_comma, bare = rest.partition(",")
    if not (first_comma and second_comma) or binding not in ("n", "y"):
        raise SaslFailure("The client's first SCRAM message binds the channel, or is none")
    return f"{binding},{authorization},", bare


def _check_authorization(header: str, user: str) -> None:
    authorization = header.split(",")[1]
    if authorization and (not authorization.startswith("a=") or _read_name(authorization[2:]) != user):
        raise SaslFailure("The client wants to act as another user than the one that it logs in as")


def _read_name(text: str) -> str:
    if not text or len(text) > _LONGEST_NAME or any(match[1] is None for match in _ESCAPE.finditer(text)):
        raise SaslFailure("The client's SCRAM user name is empty, too long or badly escaped")
    return text.replace("=2C", ",").replace("=3D", "=")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SaslFailure("A part of a SCRAM message is not base64") from None
