"""TLS and SASL for our own connections: what `properties.security.protocol` asks for.

Owns the handshakes for PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802). Invariants: a password never appears in a
message; a server that cannot prove that it knows the password (SCRAM) is refused. Callers: `connection`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import socket
import ssl
import struct
from collections.abc import Callable, Mapping

from yeoul.connectors.kafka.settings import ClientSettings
from yeoul.errors import PeerError, UserError

__all__ = ["authenticate", "wrap"]

Exchange = Callable[[int, int, bytes], bytes]

_SASL_HANDSHAKE = 17
_SASL_AUTHENTICATE = 36
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_JAAS_PART = re.compile(r"(\w+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)')")
_FEWEST_ITERATIONS = 4_096
_MOST_ITERATIONS = 10_000_000


def wrap(plain: socket.socket, host: str, settings: ClientSettings) -> socket.socket:
    """Returns the socket, inside TLS where the settings ask for it."""
    if "ssl" not in settings.security_protocol:
        return plain
    context = _tls_context(settings.properties)
    return context.wrap_socket(plain, server_hostname=host)


def _tls_context(properties: Mapping[str, str]) -> ssl.SSLContext:
    if "ssl.keystore.location" in properties:
        raise UserError(
            "'ssl.keystore.location' names a PKCS12 file, which cannot be used here",
            hint="Give the client's certificate as PEM: ssl.certificate.location and ssl.key.location.",
        )
    try:
        context = ssl.create_default_context(
            cafile=properties.get("ssl.ca.location"), cadata=properties.get("ssl.ca.pem")
        )
        if "ssl.certificate.location" in properties:
            context.load_cert_chain(
                properties["ssl.certificate.location"],
                properties.get("ssl.key.location"),
                properties.get("ssl.key.password"),
            )
    except (OSError, ssl.SSLError) as error:
        raise UserError(f"Cannot load the TLS files of 'properties.ssl.*': {error}") from error
    if properties.get("ssl.endpoint.identification.algorithm", "https") in ("", "none"):
        context.check_hostname = False
    return context


def authenticate(exchange: Exchange, settings: ClientSettings) -> None:
    """Logs in, where the settings ask for it.

    Raises:
        UserError: Mechanism or credentials are missing or not known here.
        PeerError: The broker refuses.
    """
    if not settings.security_protocol.startswith("sasl"):
        return
    mechanism = settings.properties.get("sasl.mechanism", settings.properties.get("sasl.mechanisms", "PLAIN")).upper()
    if mechanism not in _MECHANISMS:
        raise UserError(
            f"Option 'properties.sasl.mechanism': {mechanism!r} is not supported",
            hint=f"Known: {', '.join(_MECHANISMS)}",
        )
    user, password = _credentials(settings.properties)
    name = mechanism.encode()
    answer = exchange(_SASL_HANDSHAKE, 1, struct.pack(">h", len(name)) + name)
    (code,) = struct.unpack_from(">h", answer)
    if code:
        raise PeerError(
            f"The broker does not offer SASL mechanism {mechanism}", hint="See 'properties.sasl.mechanism'."
        )
    if mechanism == "PLAIN":
        _step(exchange, b"\0" + user.encode() + b"\0" + password.encode())
    else:
        _scram(exchange, mechanism.removeprefix("SCRAM-").replace("-", "").lower(), user, password)


def _credentials(properties: Mapping[str, str]) -> tuple[str, str]:
    """Takes librdkafka's names, or a JAAS line as Java's clients do."""
    jaas = {
        match[1]: match[2] or match[3] or "" for match in _JAAS_PART.finditer(properties.get("sasl.jaas.config", ""))
    }
    user = properties.get("sasl.username", jaas.get("username"))
    password = properties.get("sasl.password", jaas.get("password"))
    if user is None or password is None:
        raise UserError(
            "SASL needs a user and a password",
            hint="Set 'properties.sasl.username' and 'properties.sasl.password', or 'properties.sasl.jaas.config'.",
        )
    return user, password


def _step(exchange: Exchange, token: bytes) -> bytes:
    answer = exchange(_SASL_AUTHENTICATE, 0, struct.pack(">i", len(token)) + token)
    try:
        code, length = struct.unpack_from(">hh", answer)
        at = 4 + max(0, length)
        message = answer[4:at].decode("utf-8", "replace")
        (size_bytes,) = struct.unpack_from(">i", answer, at)
    except struct.error as error:
        raise PeerError("The broker sent a broken SaslAuthenticate response") from error
    if code:
        raise PeerError(f"The broker refused the login: {message or f'error {code}'}", hint="Check user and password.")
    return answer[at + 4 : at + 4 + size_bytes]


def _scram(exchange: Exchange, digest: str, user: str, password: str) -> None:
    nonce = secrets.token_urlsafe(24)
    name = user.replace("=", "=3D").replace(",", "=2C")
    first_bare = f"n={name},r={nonce}"
    first_server = _step(exchange, f"n,,{first_bare}".encode()).decode()
    parts = dict(part.split("=", 1) for part in first_server.split(",") if "=" in part)
    iterations = int(parts.get("i", "0")) if parts.get("i", "0").isdecimal() else 0
    server_nonce = parts.get("r", "")
    if not server_nonce.startswith(nonce) or not _FEWEST_ITERATIONS <= iterations <= _MOST_ITERATIONS:
        raise PeerError("The broker sent an unsafe SCRAM challenge")
    salted = hashlib.pbkdf2_hmac(digest, password.encode(), base64.b64decode(parts.get("s", "")), iterations)
    last_bare = f"c=biws,r={server_nonce}"
    signed = f"{first_bare},{first_server},{last_bare}".encode()
    client_key = hmac.digest(salted, b"Client Key", digest)
    signature = hmac.digest(hashlib.new(digest, client_key).digest(), signed, digest)
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    answer = _step(exchange, f"{last_bare},p={base64.b64encode(proof).decode()}".encode())
    expected = hmac.digest(hmac.digest(salted, b"Server Key", digest), signed, digest)
    if not hmac.compare_digest(answer.decode("utf-8", "replace"), f"v={base64.b64encode(expected).decode()}"):
        raise PeerError("The broker could not prove that it knows the password", hint="Is it the right broker?")
