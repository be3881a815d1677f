"""Kafka's command line tools where peers have to log in: SCRAM, PLAIN, TLS, and what access control lists allow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.apache_kafka import KAFKA_VERSION
from tests.conformance.certificates import Authority

from conformance.kafka_tools import Tools
from conformance.places import need
from yeoul.broker import Broker
from yeoul.broker.security.scram import ScramMechanism
from yeoul.broker.security.users import User, Users

need("java", "mvn")

pytestmark = pytest.mark.client("Apache Kafka's command line tools", KAFKA_VERSION)

_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}


class Guarded:
    """A broker with a listener in the clear and one inside TLS, both with logins; `root` may do everything."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority(folder)
        root = User("root", True).with_password("root's secret", ScramMechanism, 4096)
        alice = User("alice", False).with_password("alice's secret", ScramMechanism, 4096)
        Users(folder / "data").change([root, alice])
        settings = {
            "listeners": "IN://127.0.0.1:0,OUT://localhost:0",
            "listener.security.protocol.map": "IN:SASL_PLAINTEXT,OUT:SASL_SSL",
            "sasl.enabled.mechanisms": ",".join(_MODULES),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.authority.issue("server").both),
        }
        self.broker = Broker(folder / "data", settings=settings, log_level="error")

    def tools(self, user: str, mechanism: str = "SCRAM-SHA-256", *, tls: bool = False, password: str = "") -> Tools:
        """Returns the tools, logged in."""
        secret = password or f"{user}'s secret"
        login = f'username="{user}" password="{secret}";'
        lines = [
            f"security.protocol={'SASL_SSL' if tls else 'SASL_PLAINTEXT'}",
            f"sasl.mechanism={mechanism}",
            f"sasl.jaas.config={_MODULES[mechanism]} required {login}",
        ]
        if tls:
            lines += ["ssl.truststore.type=PEM", f"ssl.truststore.location={self.authority.file}"]
        file = self.folder / f"{user}-{mechanism}-{tls}-{bool(password)}.properties"
        file.write_text("\n".join(lines))
        return Tools(self.broker, self.broker.addresses["OUT" if tls else "IN"], file)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    made = Guarded(tmp_path_factory.mktemp("guarded"))
    yield made
    made.broker.close()


@pytest.mark.parametrize("mechanism", _MODULES)
@pytest.mark.parametrize("tls", [False, True], ids=["in the clear", "tls"])
def test_log_in(guarded: Guarded, mechanism: str, tls: bool) -> None:
    guarded.tools("root", mechanism, tls=tls).run("TopicCommand", "--list")


def test_log_in_with_a_wrong_password_is_refused(guarded: Guarded) -> None:
    code, said = guarded.tools("root", password="wrong").attempt("TopicCommand", "--list")
    assert code != 0
    assert "SaslAuthenticationException" in said


def test_kafka_acls_allow_list_and_remove(guarded: Guarded) -> None:
    root, alice = guarded.tools("root"), guarded.tools("alice")
    topic = root.topic("acls")
    _, said = alice.attempt("ConsoleProducer", "--topic", topic, stdin="no\n")
    assert "TopicAuthorizationException" in said
    root.run("AclCommand", "--add", "--allow-principal", "User:alice", "--producer", "--topic", topic)
    reading = ("--add", "--allow-principal", "User:alice", "--consumer", "--topic", topic, "--group", "readers")
    root.run("AclCommand", *reading)
    listed = root.run("AclCommand", "--list", "--topic", topic)
    for operation in ("READ", "WRITE", "DESCRIBE", "CREATE"):
        assert f"(principal=User:alice, host=*, operation={operation}, permissionType=ALLOW)" in listed
    alice.produce(topic, ["yes"])
    assert alice.consume(topic, 1, "--from-beginning", "--group", "readers") == ["yes"]
    root.run("AclCommand", "--remove", "--force", "--topic", topic)
    assert "User:alice" not in root.run("AclCommand", "--list", "--topic", topic)


def test_kafka_configs_makes_a_user_who_can_log_in(guarded: Guarded) -> None:
    entity = ("--entity-type", "users", "--entity-name", "dave")
    secret = "SCRAM-SHA-512=[password=dave's secret]"
    guarded.tools("root").run("kafka.admin.ConfigCommand", "--alter", *entity, "--add-config", secret)
    guarded.tools("dave", "SCRAM-SHA-512").run("TopicCommand", "--list")
