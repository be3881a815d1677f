"""The command line against a broker that wants TLS and a login, told of it as Kafka's own tools are: in a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from tests.unit.cli.processes import yeoul_here as yeoul

from yeoul.broker import Broker

from .certificates import Authority

pytestmark = pytest.mark.conformance


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a SASL_SSL listener, and a file of Java's properties for `ann`, who may do everything."""
    directory = tmp_path_factory.mktemp("secured")
    authority = Authority(directory)
    settings = {
        "listeners": "PLAIN://127.0.0.1:0,SECURE://127.0.0.1:0",
        "listener.security.protocol.map": "PLAIN:PLAINTEXT,SECURE:SASL_SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(authority.issue("server").both),
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "super.users": "User:ann;User:ANONYMOUS",
    }
    with Broker(directory / "data", settings=settings) as broker:
        admin = AdminClient({"bootstrap.servers": broker.addresses["PLAIN"]})
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        upsert = UserScramCredentialUpsertion("ann", info, b"se;cret")
        for future in admin.alter_user_scram_credentials([upsert]).values():
            future.result(10)
        file = directory / "client.properties"
        file.write_text(
            "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\n"
            f"ssl.truststore.type=PEM\nssl.truststore.location={authority.file}\n"
            "sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\\n"
            '  username="ann" password="se;cret";\n'
        )
        yield broker.addresses["SECURE"], file


def test_every_kind_of_command_logs_in(secured: tuple[str, Path]) -> None:
    address, file = secured
    server = ("-b", address, "--command-config", str(file))
    assert yeoul("topics", "create", "t", "-p", "2", *server).code == 0
    assert yeoul("produce", "t", *server, stdin="a\nb\n").code == 0
    assert yeoul("configs", "alter", "topic", "t", "--set", "retention.ms=-1", *server).code == 0
    listed = json.loads(yeoul("topics", "list", "--json", *server).out)
    assert (listed["records"], listed["size_bytes"] > 0) == (2, True)
    assert sorted(yeoul("consume", "t", "--from-beginning", "--until-end", *server).out.split()) == ["a", "b"]
    assert yeoul("transactions", "list", *server).out == "No transactions.\n"


def test_a_wrong_password_is_said_so_by_every_kind_of_command(secured: tuple[str, Path], tmp_path: Path) -> None:
    address, file = secured
    wrong = tmp_path / "wrong.properties"
    wrong.write_text(file.read_text().replace("se;cret", "guess"))
    for command in (("topics", "list"), ("configs", "describe", "broker", "1")):
        done = yeoul(*command, "-b", address, "--command-config", str(wrong))
        assert done.code == 1
        assert "uthentication" in done.err or "refused the login" in done.err
        assert "guess" not in done.err
