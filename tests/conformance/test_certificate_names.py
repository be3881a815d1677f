"""Subjects as Kafka writes them, held against `cryptography`, and the rules that make names of them."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from yeoul.broker.certificate_names import name_by_rules, subject_name
from yeoul.errors import UserError

from .certificates import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("names"))


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(NameOID.COUNTRY_NAME, "NL"), (NameOID.COMMON_NAME, "alice")], "CN=alice,C=NL"),
        ([(NameOID.ORGANIZATION_NAME, 'a,b+c"d\\e<f>g;h=i')], 'O=a\\,b\\+c\\"d\\\\e\\<f\\>g\\;h\\=i'),
        ([(NameOID.COMMON_NAME, "#x "), (NameOID.USER_ID, "여울")], "UID=여울,CN=\\#x\\ "),
        ([(NameOID.EMAIL_ADDRESS, "a@b.c")], "1.2.840.113549.1.9.1=#1605614062" + "2e63"),
        ([(NameOID.DOMAIN_COMPONENT, "org"), (NameOID.DOMAIN_COMPONENT, "example")], "DC=example,DC=org"),
        ([(NameOID.ORGANIZATIONAL_UNIT_NAME, "x" * 60)] * 4, ",".join(["OU=" + "x" * 60] * 4)),
    ],
)
def test_a_subject_is_written_as_java_writes_it(authority: Authority, parts: list, expected: str) -> None:
    subject = x509.Name([x509.NameAttribute(*part) for part in parts])
    made = x509.load_pem_x509_certificate(authority.issue("x", subject=subject).certificate.read_bytes())
    assert subject_name(made.public_bytes(Encoding.DER)) == expected


@pytest.mark.parametrize("size", [0, 1, 2, 10, 100, 200])
def test_a_certificate_that_was_cut_short_is_refused(authority: Authority, size: int) -> None:
    whole = x509.load_pem_x509_certificate(authority.issue("cut").certificate.read_bytes()).public_bytes(Encoding.DER)
    with pytest.raises((ValueError, IndexError)):
        subject_name(whole[:size])


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("DEFAULT", "CN=Alice,OU=Data,O=Example"),
        ("RULE:^CN=(.*?),OU=(.*?),.*$/$1@$2/,DEFAULT", "Alice@Data"),
        ("RULE:^CN=Bob.*$/bob/,RULE:^.*[Oo][Uu]=([a-zA-Z0-9.]*).*$/$1/U", "DATA"),
        ("RULE:^CN=(.*?),.*$/$1/L", "alice"),
        ("RULE:^CN=Bob$/x/", "CN=Alice,OU=Data,O=Example"),
    ],
)
def test_the_first_rule_that_fits_makes_the_name(rules: str, expected: str) -> None:
    assert name_by_rules(rules, "CN=Alice,OU=Data,O=Example") == expected


@pytest.mark.parametrize("rules", ["RULE:", "RULE:a", "rule:a/b/", "RULE:(/b/", "DEFAULT,x"])
def test_rules_that_are_none_are_refused(rules: str) -> None:
    with pytest.raises(UserError, match=r"ssl\.principal\.mapping\.rules"):
        name_by_rules(rules, "CN=x")
