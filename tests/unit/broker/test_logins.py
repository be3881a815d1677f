"""The gate of a connection, byte by byte: what passes before a login, what a login is answered, how one ends."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from tests.unit.broker.conftest import Bench, correlation_ids, responses
from tests.unit.security.test_scram import login as scram_login

from yeoul.broker.listeners import Listener
from yeoul.broker.security import gate
from yeoul.broker.security.scram import ScramExchange, ScramMechanism, ServerFirst
from yeoul.broker.security.users import User, Users
from yeoul.wire import frames
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.api_versions import API_VERSIONS, ApiVersionsRequest
from yeoul.wire.messages.metadata import METADATA, MetadataRequest
from yeoul.wire.messages.sasl_authenticate import (
    SASL_AUTHENTICATE,
    SaslAuthenticateRequest,
    SaslAuthenticateResponse,
)
from yeoul.wire.messages.sasl_handshake import SASL_HANDSHAKE, SaslHandshakeRequest, SaslHandshakeResponse
from yeoul.wire.schema import Api, Message

SHA_256, SHA_512 = ScramMechanism.SHA_256, ScramMechanism.SHA_512
RIGHT, WRONG = b"\0alice\0secret", b"\0alice\0wrong"
SASL = (Listener("IN", "127.0.0.1", 0, "SASL_PLAINTEXT"),)


class Peer:
    """One client on the other end."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.connection, self.transport = bench.connect()
        self.number = 0
        self.seen = 0

    def send(self, api: Api[Message, Message], version: int, message: Message) -> None:
        self.number += 1
        self.bench.feed(self.connection, frames.encode_request(api, version, self.number, "peer", message))

    def read(self) -> bytes:
        self.bench.until(lambda: len(responses(self.transport)) > self.seen or self.transport.ended)
        self.seen += 1
        return responses(self.transport)[self.seen - 1]

    def ask(self, api: Api[Message, Message], version: int, message: Message) -> Message:
        self.send(api, version, message)
        return frames.read_response(api, version, self.read())[1]

    def shake_hands(self, mechanism: str = "PLAIN", version: int = 1) -> SaslHandshakeResponse:
        answer = self.ask(SASL_HANDSHAKE, version, SaslHandshakeRequest(mechanism=mechanism))
        return cast(SaslHandshakeResponse, answer)

    def step(self, token: bytes, version: int = 2) -> SaslAuthenticateResponse:
        answer = self.ask(SASL_AUTHENTICATE, version, SaslAuthenticateRequest(auth_bytes=token))
        return cast(SaslAuthenticateResponse, answer)

    def log_in(self, token: bytes = RIGHT) -> SaslAuthenticateResponse:
        assert self.shake_hands().error_code == 0
        return self.step(token)

    def has_been_closed(self) -> bool:
        self.bench.until(lambda: self.transport.ended)
        return True


@pytest.fixture
def sasl_bench(make_bench: Callable[..., Bench], tmp_path: Path) -> Callable[..., Bench]:
    def make(**settings: object) -> Bench:
        users = Users(tmp_path / "data")
        users.change(
            [User(name, name == "alice").with_password("secret", ScramMechanism, 4096) for name in ("alice", "bob")]
        )
        return make_bench("data", **{"listeners": SASL, "failed_authentication_delay_ms": 1, **settings})

    return make


@pytest.fixture
def peer(sasl_bench: Callable[..., Bench]) -> Peer:
    return Peer(sasl_bench())


def test_versions_may_be_asked_for_before_and_all_else_ends_the_connection(peer: Peer) -> None:
    assert peer.ask(API_VERSIONS, 3, ApiVersionsRequest()).error_code == 0  # type: ignore[attr-defined]
    peer.send(METADATA, 9, MetadataRequest())
    assert peer.has_been_closed()


def test_a_mechanism_that_is_not_offered_is_refused_with_those_that_are(peer: Peer) -> None:
    answer = peer.shake_hands("GSSAPI")
    assert answer.error_code == ErrorCode.UNSUPPORTED_SASL_MECHANISM
    assert answer.mechanisms == ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
    assert peer.has_been_closed()


def test_the_right_password_opens_the_gate_and_a_second_login_is_out_of_place(peer: Peer) -> None:
    answer = peer.log_in()
    assert (answer.error_code, answer.auth_bytes, answer.session_lifetime_ms) == (0, b"", 0)
    assert peer.connection.session.principal == "User:alice"
    assert peer.connection.gate is None
    assert peer.ask(METADATA, 9, MetadataRequest()).topics == []  # type: ignore[attr-defined]
    assert peer.shake_hands().error_code == ErrorCode.ILLEGAL_SASL_STATE
    assert peer.step(RIGHT).error_code == ErrorCode.ILLEGAL_SASL_STATE


@pytest.mark.parametrize("token", [WRONG, b"\0nobody\0secret", b"no message at all"])
def test_a_refused_login_is_told_no_reason_and_ends(peer: Peer, token: bytes, caplog: pytest.LogCaptureFixture) -> None:
    answer = peer.log_in(token)
    assert answer.error_code == ErrorCode.SASL_AUTHENTICATION_FAILED
    assert answer.error_message == "Authentication failed during authentication due to invalid credentials with PLAIN"
    assert peer.has_been_closed()
    assert "Refused a login from 127.0.0.1" in caplog.text
    assert "secret" not in caplog.text
    assert "wrong" not in caplog.text.replace("Wrong", "")


def scram(peer: Peer, mechanism: ScramMechanism, user: str, password: str, *, raw: bool = False) -> bytes:
    """A whole SCRAM login, the client's side written from the RFC."""

    class Through:
        def first(self, token: bytes) -> ServerFirst:
            return ServerFirst(user, self.final(token))

        def final(self, token: bytes) -> bytes:
            if not raw:
                return peer.step(token).auth_bytes
            peer.bench.feed(peer.connection, struct.pack(">i", len(token)) + token)
            return peer.read()

    assert peer.shake_hands(mechanism.label, 0 if raw else 1).error_code == 0
    return scram_login(cast(ScramExchange, Through()), user, password, mechanism)


@pytest.mark.parametrize("mechanism", list(ScramMechanism))
@pytest.mark.parametrize("raw", [False, True])
def test_scram_opens_the_gate_with_framed_and_with_bare_tokens(
    peer: Peer, mechanism: ScramMechanism, raw: bool
) -> None:
    assert scram(peer, mechanism, "bob", "secret", raw=raw).startswith(b"v=")
    assert peer.connection.session.principal == "User:bob"
    assert peer.ask(API_VERSIONS, 0, ApiVersionsRequest()).error_code == 0  # type: ignore[attr-defined]


def test_an_unknown_user_is_challenged_like_a_known_one(peer: Peer) -> None:
    def challenge(user: str) -> dict[str, str]:
        one = Peer(peer.bench)
        assert one.shake_hands(SHA_256.label).error_code == 0
        reply = one.step(f"n,,n={user},r=x".encode()).auth_bytes.decode()
        return dict(part.split("=", 1) for part in reply.split(","))

    known, unknown = challenge("alice"), challenge("nobody")
    assert known["i"] == unknown["i"] == "4096"
    assert len(known["s"]) == len(unknown["s"])
    assert unknown["s"] == challenge("nobody")["s"]
    assert unknown["r"] != challenge("nobody")["r"]


def test_bare_plain_tokens_are_answered_with_an_empty_one_or_with_silence(peer: Peer) -> None:
    assert peer.shake_hands(version=0).error_code == 0
    peer.bench.feed(peer.connection, struct.pack(">i", len(RIGHT)) + RIGHT)
    assert peer.read() == b""
    assert peer.connection.session.principal == "User:alice"
    other = Peer(peer.bench)
    assert other.shake_hands(version=0).error_code == 0
    other.bench.feed(other.connection, struct.pack(">i", len(WRONG)) + WRONG)
    assert other.has_been_closed()
    assert len(responses(other.transport)) == 1


def test_requests_behind_a_login_wait_for_it(peer: Peer) -> None:
    """A client that does not wait for its answers is served all the same, in order, and only once it is in."""
    peer.send(SASL_HANDSHAKE, 1, SaslHandshakeRequest(mechanism="PLAIN"))
    peer.send(SASL_AUTHENTICATE, 2, SaslAuthenticateRequest(auth_bytes=RIGHT))
    peer.send(METADATA, 9, MetadataRequest())
    peer.bench.until(lambda: len(responses(peer.transport)) == 3)
    assert correlation_ids(peer.transport) == [1, 2, 3]


def test_requests_behind_a_refused_login_are_never_served(peer: Peer) -> None:
    peer.send(SASL_HANDSHAKE, 1, SaslHandshakeRequest(mechanism="PLAIN"))
    peer.send(SASL_AUTHENTICATE, 2, SaslAuthenticateRequest(auth_bytes=WRONG))
    peer.send(METADATA, 9, MetadataRequest())
    assert peer.has_been_closed()
    assert correlation_ids(peer.transport) == [1, 2]


@pytest.mark.parametrize("size_bytes", [gate.LARGEST_LOGIN_FRAME_BYTES + 1, 1 << 30, -1, 0, 7])
def test_whoever_has_not_logged_in_gets_no_memory(peer: Peer, size_bytes: int) -> None:
    peer.bench.feed(peer.connection, struct.pack(">ihhi", size_bytes, 36, 2, 1))
    assert peer.has_been_closed()


def test_steps_out_of_order_end_the_connection(peer: Peer) -> None:
    peer.send(SASL_AUTHENTICATE, 2, SaslAuthenticateRequest(auth_bytes=RIGHT))
    assert peer.has_been_closed()
    other = Peer(peer.bench)
    assert other.shake_hands().error_code == 0
    other.send(SASL_HANDSHAKE, 1, SaslHandshakeRequest(mechanism="PLAIN"))
    assert other.has_been_closed()


def test_who_does_not_log_in_is_sent_away(
    sasl_bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gate, "_LOGIN_TIMEOUT_S", 0.01)
    peer = Peer(sasl_bench())
    assert peer.has_been_closed()
    assert "no login within" in caplog.text


def test_a_refusal_waits_without_holding_up_others(sasl_bench: Callable[..., Bench]) -> None:
    bench = sasl_bench(failed_authentication_delay_ms=10_000)
    guessing, honest = Peer(bench), Peer(bench)
    assert guessing.shake_hands().error_code == 0
    guessing.send(SASL_AUTHENTICATE, 2, SaslAuthenticateRequest(auth_bytes=WRONG))
    assert honest.log_in().error_code == 0
    assert len(responses(guessing.transport)) == 1
    assert not guessing.transport.ended


def test_a_login_that_expires_has_to_be_renewed(sasl_bench: Callable[..., Bench]) -> None:
    bench = sasl_bench(max_reauth_ms=60_000)
    peer = Peer(bench)
    assert peer.log_in().session_lifetime_ms == 60_000
    assert peer.log_in().error_code == 0
    assert peer.ask(METADATA, 9, MetadataRequest()).topics == []  # type: ignore[attr-defined]
    assert peer.connection.gate is not None
    peer.connection.gate._expires_s = bench.loop.time() - 1
    assert peer.ask(API_VERSIONS, 0, ApiVersionsRequest()).error_code == 0  # type: ignore[attr-defined]
    assert peer.log_in().error_code == 0
    assert peer.ask(METADATA, 9, MetadataRequest()).topics == []  # type: ignore[attr-defined]
    peer.connection.gate._expires_s = bench.loop.time() - 1
    peer.send(METADATA, 9, MetadataRequest())
    assert peer.has_been_closed()


def test_a_login_is_renewed_by_nobody_else(sasl_bench: Callable[..., Bench]) -> None:
    bench = sasl_bench(max_reauth_ms=60_000)
    peer = Peer(bench)
    assert peer.log_in().error_code == 0
    assert peer.log_in(b"\0bob\0secret").error_code == ErrorCode.SASL_AUTHENTICATION_FAILED
    assert peer.has_been_closed()
    assert peer.connection.session.principal == "User:alice"


def test_a_peer_that_leaves_while_it_is_checked_leaves_nothing(peer: Peer) -> None:
    peer.send(SASL_HANDSHAKE, 1, SaslHandshakeRequest(mechanism="PLAIN"))
    peer.send(SASL_AUTHENTICATE, 2, SaslAuthenticateRequest(auth_bytes=RIGHT))
    peer.transport.close()
    peer.bench.until(lambda: peer.connection._transport is None)
    assert Peer(peer.bench).log_in().error_code == 0
    assert peer.connection.session.principal == "User:ANONYMOUS"


def test_a_listener_without_logins_says_so(bench: Bench) -> None:
    answer = bench.ask(SASL_HANDSHAKE, 1, SaslHandshakeRequest(mechanism="PLAIN"))
    assert answer.error_code == ErrorCode.ILLEGAL_SASL_STATE  # type: ignore[attr-defined]
