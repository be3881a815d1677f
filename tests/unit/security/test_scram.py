"""SCRAM on the server's side: the examples of the RFCs, a whole login, and everything that has to be refused."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.broker.security.plain import read_plain
from yeoul.broker.security.scram import SaslFailure, ScramCredential, ScramExchange, ScramMechanism

SHA_256, SHA_512 = ScramMechanism.SHA_256, ScramMechanism.SHA_512


def kept(password: str = "pencil", mechanism: ScramMechanism = SHA_256) -> ScramCredential:
    return ScramCredential.of_password(mechanism, b"some salt", 4096, password)


def login(exchange: ScramExchange, user: str, password: str, mechanism: ScramMechanism, header: str = "n,,") -> bytes:
    """The client's side, written from the RFC alone."""
    bare = f"n={user.replace('=', '=3D').replace(',', '=2C')},r=fyko"
    challenge = exchange.first((header + bare).encode()).reply.decode()
    parts = dict(part.split("=", 1) for part in challenge.split(","))
    salted = hashlib.pbkdf2_hmac(mechanism.digest, password.encode(), base64.b64decode(parts["s"]), int(parts["i"]))
    last = f"c={base64.b64encode(header.encode()).decode()},r={parts['r']}"
    signed = f"{bare},{challenge},{last}".encode()
    key = hmac.digest(salted, b"Client Key", mechanism.digest)
    signature = hmac.digest(hashlib.new(mechanism.digest, key).digest(), signed, mechanism.digest)
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True))).decode()
    return exchange.final(f"{last},p={proof}".encode())


def test_the_example_of_rfc_7677_is_answered_word_for_word() -> None:
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    credential = ScramCredential.of_password(SHA_256, salt, 4096, "pencil")
    exchange = ScramExchange(SHA_256, lambda user: credential, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
    user, challenge = exchange.first(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
    assert user == "user"
    assert challenge == b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    final = exchange.final(
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    assert final == b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


@pytest.mark.parametrize("mechanism", list(ScramMechanism))
@pytest.mark.parametrize("header", ["n,,", "y,,", "n,a=j=3Do=2Ce,"])
def test_a_user_with_the_right_password_gets_in(mechanism: ScramMechanism, header: str) -> None:
    credential = kept("s\u00e9cret", mechanism)
    final = login(ScramExchange(mechanism, lambda user: credential, "srv"), "j=o,e", "s\u00e9cret", mechanism, header)
    assert final.startswith(b"v=")


def test_a_wrong_password_is_refused() -> None:
    with pytest.raises(SaslFailure, match="Wrong user or password"):
        login(ScramExchange(SHA_256, lambda user: kept(), "srv"), "user", "pencils", SHA_256)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (b"", "binds the channel, or is none"),
        (b"p=tls-unique,,n=a,r=b", "binds the channel"),
        (b"n,,n=,r=b", "user name is empty"),
        (b"n,,n=a=b,r=b", "badly escaped"),
        (b"n,,n=a", "no user or no nonce"),
        (b"n,,r=b,n=a", "no user or no nonce"),
        (b"n,,m=x,n=a,r=b", "no user or no nonce"),
        (b"n,,n=a,r=", "nonce is empty"),
        (b"n,,n=a,r=" + b"x" * 300, "too long"),
        (b"n,,n=a,r=\x01", "not printable"),
        (b"n,a=other,n=a,r=b", "act as another user"),
        (b"n,,n=a,r=b,tokenauth=true", "delegation token"),
        (b"\xff,,n=a,r=b", "not UTF-8"),
    ],
)
def test_a_first_message_that_is_not_right_is_refused(token: bytes, reason: str) -> None:
    with pytest.raises(SaslFailure, match=reason):
        ScramExchange(SHA_256, lambda user: kept(), "srv").first(token)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (b"", "lacks a part"),
        (b"c=biws,r=fykosrv", "lacks a part"),
        (b"c=biws,r=fykosrX,p=aaaa", "another login"),
        (b"c=eSws,r=fykosrv,p=aaaa", "another login"),
        (b"c=biws,r=fykosrv,p=aaaa", "wrong length"),
        (b"c=biws,r=fykosrv,p=?", "not base64"),
        (b"c=?,r=fykosrv,p=aaaa", "not base64"),
        (b"c=biws,r=fykosrv,p=" + base64.b64encode(bytes(32)), "Wrong user or password"),
    ],
)
def test_a_last_message_that_is_not_right_is_refused(token: bytes, reason: str) -> None:
    exchange = ScramExchange(SHA_256, lambda user: kept(), "srv")
    exchange.first(b"n,,n=user,r=fyko")
    with pytest.raises(SaslFailure, match=reason):
        exchange.final(token)


@settings(max_examples=300, deadline=None)
@given(first=st.binary(max_size=60), last=st.binary(max_size=60))
def test_no_bytes_do_anything_but_be_refused(first: bytes, last: bytes) -> None:
    credential = ScramCredential(SHA_256, b"salt", 4096, bytes(32), bytes(32))
    exchange = ScramExchange(SHA_256, lambda user: credential, "srv")

    def log_in() -> None:
        exchange.first(b"n,," + first if first[:1] < b"\x80" else first)
        exchange.final(last)

    with pytest.raises(SaslFailure):
        log_in()


def test_a_credential_shows_no_secret() -> None:
    assert repr(kept()) == "ScramCredential(mechanism=<ScramMechanism.SHA_256: 1>, iterations=4096)"


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (b"\0alice", "3 parts"),
        (b"\0alice\0", "no user or no password"),
        (b"\0\0secret", "no user or no password"),
        (b"bob\0alice\0secret", "act as another"),
        (b"\0\xff\0x", "not UTF-8"),
    ],
)
def test_a_plain_message_that_is_not_right_is_refused(token: bytes, reason: str) -> None:
    with pytest.raises(SaslFailure, match=reason):
        read_plain(token)


def test_a_plain_login_shows_no_password() -> None:
    assert "secret" not in repr(read_plain(b"alice\0alice\0secret"))
