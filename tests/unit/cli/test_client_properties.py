"""`--command-config`: what Kafka's own clients write is what librdkafka gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from yeoul.cli.kafka.properties import parse_properties_text, translated
from yeoul.cli.options import client_properties
from yeoul.errors import EnvironmentFailure, UserError

PEM = b"-----BEGIN CERTIFICATE-----\n"
SCRAM = 'org.apache.kafka.common.security.scram.ScramLoginModule required \\\n  username="ann" password="s;\\"1";\n'


def test_a_file_of_properties_is_read_as_java_reads_it() -> None:
    text = f"! note\n\nacks : all\n  linger.ms\t5\nempty=\nuni=\\u00e4\nsasl.jaas.config={SCRAM}"
    assert parse_properties_text(text) == {
        "acks": "all",
        "linger.ms": "5",
        "empty": "",
        "uni": "ä",
        "sasl.jaas.config": 'org.apache.kafka.common.security.scram.ScramLoginModule required username="ann" '
        'password="s;"1";',
    }


def test_pem_stores_become_certificates() -> None:
    stores = {"ssl.truststore.location": "/ca.pem", "ssl.truststore.type": "PEM", "ssl.keystore.location": "/me.pem"}
    assert translated(stores, read=lambda path: PEM) == {
        "ssl.ca.location": "/ca.pem",
        "ssl.certificate.location": "/me.pem",
        "ssl.key.location": "/me.pem",
    }


def test_a_pkcs12_key_store_keeps_its_password() -> None:
    stores = {"ssl.keystore.location": "/me.p12", "ssl.keystore.password": "x"}
    assert translated(stores, read=lambda path: b"\x30\x82") == stores


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"ssl.truststore.location": "/t.jks"}, "no PEM file"),
        ({"ssl.keystore.location": "/t.jks"}, "of the kind JKS"),
        ({"sasl.jaas.config": "com.sun.security.auth.module.Krb5LoginModule required;"}, "'Krb5LoginModule'"),
        ({"sasl.jaas.config": "a.PlainLoginModule required username=x;"}, "no username and password"),
    ],
)
def test_what_cannot_be_used_is_refused(properties: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        translated(properties, read=lambda path: b"\xfe\xed\xfe\xed")


def test_names_that_differ_are_renamed_and_those_of_java_alone_passed_over() -> None:
    given = {
        "key.serializer": "org.apache.kafka.common.serialization.StringSerializer",
        "fetch.max.wait.ms": "5",
        "max.poll.records": "1",
        "ssl.endpoint.identification.algorithm": "",
        "partition.assignment.strategy": "org.apache.kafka.clients.consumer.RangeAssignor",
        "debug": "cgrp",
    }
    assert translated(given) == {
        "fetch.wait.max.ms": "5",
        "ssl.endpoint.identification.algorithm": "none",
        "partition.assignment.strategy": "range",
        "debug": "cgrp",
    }


def test_an_option_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "client.properties"
    file.write_text("bootstrap.servers=elsewhere:9092\nclient.id=file\nacks=1\n")
    assert client_properties(file, ["client.id=option"]) == {"client.id": "option", "acks": "1"}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure, match=r"Cannot read '.*none\.properties': No such file"):
        client_properties(tmp_path / "none.properties", None)
