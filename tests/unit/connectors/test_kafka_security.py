"""Logging in to a broker: SASL as the RFCs say, against the other side written anew here; TLS against a real one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import shutil
import socket
import ssl
import struct
import subprocess
import threading
from pathlib import Path

import pytest

from yeoul.connectors.kafka.connection import Connection, ConnectionLost
from yeoul.connectors.kafka.security import authenticate
from yeoul.connectors.kafka.settings import Address, ClientSettings, client_settings
from yeoul.errors import PeerError, UserError
from yeoul.wire.frames import encode_response
from yeoul.wire.messages.api_versions import API_VERSIONS, ApiVersion, ApiVersionsResponse

HANDSHAKE, AUTHENTICATE = 17, 36


def settings(protocol: str, **properties: str) -> ClientSettings:
    options = {"properties.bootstrap.servers": "localhost:1", "properties.security.protocol": protocol}
    named = {f"properties.{name.replace('_', '.')}": value for name, value in properties.items()}
    return client_settings({**options, **named})


class SaslServer:
    """The broker's side of a login."""

    def __init__(self, mechanism: str, user: str, password: str, proves_itself: bool = True) -> None:
        self.mechanism, self.user, self.password, self.proves_itself = mechanism, user, password, proves_itself
        self.digest = mechanism.removeprefix("SCRAM-").replace("-", "").lower()
        self.first: tuple[str, str] | None = None

    def exchange(self, key: int, version: int, body: bytes) -> bytes:
        if key == HANDSHAKE:
            asked = body[2:].decode()
            return struct.pack(">hi", 0 if asked == self.mechanism else 33, 0)
        token = body[4:]
        answer = self._plain(token) if self.mechanism == "PLAIN" else self._scram(token.decode())
        if answer is None:
            text = b"wrong password"
            return struct.pack(">hh", 58, len(text)) + text + struct.pack(">i", 0)
        return struct.pack(">hhi", 0, -1, len(answer)) + answer

    def _plain(self, token: bytes) -> bytes | None:
        return b"" if token == f"\0{self.user}\0{self.password}".encode() else None

    def _scram(self, token: str) -> bytes | None:
        if self.first is None:
            bare = token.removeprefix("n,,")
            nonce = bare.split("r=")[1] + "server"
            self.first = (bare, f"r={nonce},s={base64.b64encode(b'salt').decode()},i=4096")
            return self.first[1].encode()
        without_proof, proof = token.rsplit(",p=", 1)
        signed = ",".join([*self.first, without_proof]).encode()
        salted = hashlib.pbkdf2_hmac(self.digest, self.password.encode(), b"salt", 4096)
        client_key = hmac.digest(salted, b"Client Key", self.digest)
        signature = hmac.digest(hashlib.new(self.digest, client_key).digest(), signed, self.digest)
        if bytes(a ^ b for a, b in zip(client_key, signature, strict=True)) != base64.b64decode(proof):
            return None
        key = hmac.digest(salted, b"Server Key" if self.proves_itself else b"?", self.digest)
        return b"v=" + base64.b64encode(hmac.digest(key, signed, self.digest))


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_the_right_password_logs_in_and_a_wrong_one_does_not(mechanism: str) -> None:
    given = settings("SASL_PLAINTEXT", sasl_mechanism=mechanism, sasl_username="u,=x", sasl_password="p\u00e4ss")
    name = "u,=x"
    authenticate(SaslServer(mechanism, name, "p\u00e4ss").exchange, given)
    with pytest.raises(PeerError, match=r"refused the login: wrong password. Check user and password."):
        authenticate(SaslServer(mechanism, name, "other").exchange, given)


def test_a_jaas_line_gives_user_and_password() -> None:
    line = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"u\" password='p';"
    authenticate(SaslServer("PLAIN", "u", "p").exchange, settings("SASL_SSL", sasl_jaas_config=line))


def test_a_server_that_does_not_know_the_password_is_refused() -> None:
    given = settings("SASL_PLAINTEXT", sasl_mechanism="SCRAM-SHA-256", sasl_username="u", sasl_password="p")
    with pytest.raises(PeerError, match=r"could not prove that it knows the password"):
        authenticate(SaslServer("SCRAM-SHA-256", "u", "p", proves_itself=False).exchange, given)


@pytest.mark.parametrize(
    ("properties", "error", "message"),
    [
        ({"sasl_mechanism": "GSSAPI"}, UserError, "Option 'properties.sasl.mechanism': 'GSSAPI' is not supported"),
        ({}, UserError, "SASL needs a user and a password"),
        (
            {"sasl_mechanism": "SCRAM-SHA-512", "sasl_username": "u", "sasl_password": "p"},
            PeerError,
            "The broker does not offer SASL mechanism SCRAM-SHA-512",
        ),
    ],
)
def test_what_cannot_log_in_is_said(properties: dict[str, str], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        authenticate(SaslServer("PLAIN", "u", "p").exchange, settings("SASL_PLAINTEXT", **properties))


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    path = tmp_path / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(path), "-out", str(tmp_path / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + (tmp_path / "cert.pem").read_bytes())
    return path


def test_tls_is_spoken_and_an_unknown_certificate_refused(certificate: Path) -> None:
    server = socket.create_server(("localhost", 0))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    versions = ApiVersionsResponse(api_keys=[ApiVersion(api_key=18, min_version=0, max_version=3)])

    def serve() -> None:
        for _ in range(2):
            plain, _ = server.accept()
            try:
                with context.wrap_socket(plain, server_side=True) as wrapped:
                    wrapped.recv(1_000)
                    wrapped.sendall(encode_response(API_VERSIONS, 0, 1, versions))
            except OSError:
                continue

    thread = threading.Thread(target=serve)
    thread.start()
    address = Address("localhost", server.getsockname()[1])
    with pytest.raises(ConnectionLost, match=r"Cannot connect to localhost:.*certificate"):
        Connection(address, settings("SSL"), 5.0)
    known = Connection(address, settings("SSL", ssl_ca_location=str(certificate.with_name("cert.pem"))), 5.0)
    assert known.version_of(API_VERSIONS) == 3
    known.close()
    thread.join(10)
    server.close()


def test_tls_files_that_are_not_there_are_the_users_mistake(tmp_path: Path) -> None:
    server = socket.create_server(("localhost", 0))
    given = settings("SSL", ssl_ca_location=str(tmp_path / "none.pem"))
    with pytest.raises(UserError, match=r"Cannot load the TLS files of 'properties.ssl.\*'"):
        Connection(Address("localhost", server.getsockname()[1]), given, 5.0)
    server.close()
