"""Logins and access control lists with real clients: who gets in, who may do what, and how the others are told."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import GroupAuthorizationFailedError as AioGroupRefused
from aiokafka.errors import SaslAuthenticationFailed as AioLoginRefused
from aiokafka.errors import TopicAuthorizationFailedError as AioTopicRefused
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka import admin as confluent
from confluent_kafka.admin import AdminClient, NewTopic
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka import errors as python_errors
from tests.unit.cli.processes import yeoul_here as yeoul

from yeoul.broker import Broker
from yeoul.broker.security.scram import ScramMechanism
from yeoul.broker.security.users import User, Users
from yeoul.connectors.kafka.connection import Connection
from yeoul.connectors.kafka.settings import Address, client_settings
from yeoul.errors import EnvironmentFailure, PeerError
from yeoul.wire.messages.metadata import METADATA, MetadataRequest

from .certificates import Authority

pytestmark = pytest.mark.conformance

MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
_numbers = itertools.count(1)

ALLOW, DENY = confluent.AclPermissionType.ALLOW, confluent.AclPermissionType.DENY
TOPIC, GROUP = confluent.ResourceType.TOPIC, confluent.ResourceType.GROUP
CLUSTER, TRANSACTION = confluent.ResourceType.BROKER, confluent.ResourceType.TRANSACTIONAL_ID
READ, WRITE, DESCRIBE = (
    confluent.AclOperation.READ,
    confluent.AclOperation.WRITE,
    confluent.AclOperation.DESCRIBE,
)


def a_name(prefix: str) -> str:
    return f"{prefix}-{next(_numbers)}"


class Guarded:
    """A broker with a SASL listener, one inside TLS, and one for certificates; `root` may do everything."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = Authority(directory)
        self.certificate = self.authority.issue("carol")
        users = Users(directory / "data")
        users.change(
            [
                User(name, name == "root").with_password(f"{name}'s secret", ScramMechanism, 4096)
                for name in ("root", "alice", "bob")
            ]
        )
        self.broker = Broker(
            directory / "data",
            num_partitions=1,
            settings={
                "listeners": "IN://127.0.0.1:0,OUT://localhost:0,CERT://localhost:0",
                "listener.security.protocol.map": "IN:SASL_PLAINTEXT,OUT:SASL_SSL,CERT:SSL",
                "sasl.enabled.mechanisms": ",".join(MECHANISMS),
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": str(self.authority.issue("server").both),
                "ssl.truststore.type": "PEM",
                "ssl.truststore.location": str(self.authority.file),
                "listener.name.cert.ssl.client.auth": "required",
                "connection.failed.authentication.delay.ms": "10",
            },
            log_level="error",
        )

    def settings(self, user: str, mechanism: str = "SCRAM-SHA-256", password: str = "") -> dict[str, Any]:
        """For librdkafka."""
        return {
            "bootstrap.servers": self.broker.addresses["IN"],
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": mechanism,
            "sasl.username": user,
            "sasl.password": password or f"{user}'s secret",
            "log_level": 0,
        }

    def python_settings(self, user: str, mechanism: str = "SCRAM-SHA-256", password: str = "") -> dict[str, Any]:
        """For kafka-python and aiokafka."""
        return {
            "bootstrap_servers": self.broker.addresses["IN"],
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": mechanism,
            "sasl_plain_username": user,
            "sasl_plain_password": password or f"{user}'s secret",
        }

    @functools.cached_property
    def admin(self) -> AdminClient:
        return AdminClient(self.settings("root"))

    def create(self, topic: str) -> str:
        for future in self.admin.create_topics([NewTopic(topic, 1, 1)]).values():
            future.result(10)
        return topic

    def allow(
        self,
        user: str,
        kind: confluent.ResourceType,
        name: str,
        *operations: confluent.AclOperation,
        permission: confluent.AclPermissionType = ALLOW,
        pattern: confluent.ResourcePatternType = confluent.ResourcePatternType.LITERAL,
    ) -> list[confluent.AclBinding]:
        made = [
            confluent.AclBinding(kind, name, pattern, f"User:{user}", "*", operation, permission)
            for operation in operations
        ]
        for future in self.admin.create_acls(made).values():
            future.result(10)
        return made

    def forget(self, rules: list[confluent.AclBinding]) -> int:
        filters = [
            confluent.AclBindingFilter(
                one.restype,
                one.name,
                one.resource_pattern_type,
                one.principal,
                one.host,
                one.operation,
                one.permission_type,
            )
            for one in rules
        ]
        return sum(len(future.result(10)) for future in self.admin.delete_acls(filters).values())


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    made = Guarded(tmp_path_factory.mktemp("guarded"))
    with made.broker:
        yield made


def sent(producer: Producer, topic: str, value: bytes = b"v") -> KafkaError | None:
    """Sends one record; returns how it was refused."""
    told: list[KafkaError | None] = []
    producer.produce(topic, value, on_delivery=lambda error, message: told.append(error))
    assert producer.flush(20) == 0
    return told[0]


def error_of(doing: Callable[[], object]) -> KafkaError:
    with pytest.raises(KafkaException) as failed:
        doing()
    error = failed.value.args[0]
    assert isinstance(error, KafkaError)
    return error


def first_error(consumer: Consumer) -> KafkaError:
    for _ in range(40):
        message = consumer.poll(0.5)
        if message is not None and message.error():
            return message.error()
    raise AssertionError("No error came")


# -- logins -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_librdkafka_logs_in_and_is_told_of_wrong_passwords(guarded: Guarded, mechanism: str) -> None:
    topic = guarded.create(a_name("rd"))
    guarded.allow("alice", TOPIC, topic, READ, WRITE)
    guarded.allow("alice", GROUP, topic, READ)
    assert sent(Producer(guarded.settings("alice", mechanism)), topic, b"hello") is None
    consumer = Consumer({**guarded.settings("alice", mechanism), "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    message = consumer.poll(15)
    assert message is not None
    assert message.value() == b"hello"
    consumer.close()
    for user, password in (("alice", "wrong"), ("nobody", "")):
        errors: list[KafkaError] = []
        client = AdminClient({**guarded.settings(user, mechanism, password), "error_cb": errors.append})
        with pytest.raises(KafkaException):
            client.list_topics(timeout=1)
        client.poll(0)
        assert errors[0].code() == KafkaError._AUTHENTICATION
        assert "invalid credentials" in errors[0].str()


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_kafka_python_logs_in_and_is_told_of_wrong_passwords(
    guarded: Guarded, mechanism: str, caplog: pytest.LogCaptureFixture
) -> None:
    topic = guarded.create(a_name("kp"))
    guarded.allow("alice", TOPIC, topic, READ, WRITE)
    settings = guarded.python_settings("alice", mechanism)
    with contextlib.closing(KafkaProducer(**settings)) as producer:
        producer.send(topic, b"hello").get(15)
    with contextlib.closing(
        KafkaConsumer(topic, **settings, auto_offset_reset="earliest", consumer_timeout_ms=15_000, group_id=None)
    ) as consumer:
        assert next(consumer).value == b"hello"
    with pytest.raises(python_errors.KafkaTimeoutError):
        KafkaAdminClient(**guarded.python_settings("alice", mechanism, "wrong"), bootstrap_timeout_ms=500)
    assert "SaslAuthenticationFailedError" in caplog.text


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_aiokafka_logs_in_and_is_told_of_wrong_passwords(guarded: Guarded, mechanism: str) -> None:
    topic = guarded.create(a_name("aio"))
    guarded.allow("alice", TOPIC, topic, READ, WRITE)

    async def go() -> None:
        settings = guarded.python_settings("alice", mechanism)
        async with AIOKafkaProducer(**settings) as producer:
            await producer.send_and_wait(topic, b"hello")
        async with AIOKafkaConsumer(topic, **settings, auto_offset_reset="earliest") as consumer:
            assert (await asyncio.wait_for(consumer.getone(), 15)).value == b"hello"
        refused = AIOKafkaProducer(**guarded.python_settings("alice", mechanism, "wrong"))
        with pytest.raises((AioLoginRefused, Exception), match=r"(?i)invalid credentials|Unable to bootstrap"):
            await refused.start()
        await refused.stop()

    asyncio.run(go())


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_logins_inside_tls(guarded: Guarded, mechanism: str) -> None:
    topic = guarded.create(a_name("tls"))
    guarded.allow("alice", TOPIC, topic, WRITE)
    settings = {
        **guarded.settings("alice", mechanism),
        "bootstrap.servers": guarded.broker.addresses["OUT"],
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(guarded.authority.file),
    }
    assert sent(Producer(settings), topic) is None


def test_a_certificates_name_is_who_the_rules_are_about(guarded: Guarded) -> None:
    topic = guarded.create(a_name("cert"))
    settings = {
        "bootstrap.servers": guarded.broker.addresses["CERT"],
        "security.protocol": "SSL",
        "ssl.ca.location": str(guarded.authority.file),
        "ssl.certificate.location": str(guarded.certificate.certificate),
        "ssl.key.location": str(guarded.certificate.key),
        "log_level": 0,
    }
    refused = sent(Producer(settings), topic)
    assert refused is not None
    assert refused.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    guarded.allow("CN=carol,O=Example\\, Inc.", TOPIC, topic, WRITE)
    assert sent(Producer(settings), topic) is None


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
def test_our_own_connector_logs_in(guarded: Guarded, mechanism: str, protocol: str) -> None:
    listener = "IN" if protocol == "SASL_PLAINTEXT" else "OUT"
    host, _, port = guarded.broker.addresses[listener].rpartition(":")

    def connect(password: str) -> Connection:
        settings = client_settings(
            {
                "properties.bootstrap.servers": guarded.broker.addresses[listener],
                "properties.security.protocol": protocol,
                "properties.sasl.mechanism": mechanism,
                "properties.sasl.username": "root",
                "properties.sasl.password": password,
                "properties.ssl.ca.location": str(guarded.authority.file),
            }
        )
        return Connection(Address(host, int(port)), settings, 5.0)

    connection = connect("root's secret")
    assert connection.call(METADATA, MetadataRequest(topics=None)).cluster_id
    connection.close()
    with pytest.raises(PeerError, match="The broker refused the login"):
        connect("wrong")


def test_a_login_is_renewed_while_records_flow(tmp_path: Path) -> None:
    """KIP-368: librdkafka logs in again before its time is over; a broker that does not agree closes the connection."""
    Users(tmp_path).change([User("root", True).with_password("secret", ScramMechanism, 4096)])
    settings = {"listeners": "SASL_PLAINTEXT://127.0.0.1:0", "connections.max.reauth.ms": "500"}
    with Broker(tmp_path, settings=settings) as broker:
        disconnected: list[KafkaError] = []
        producer = Producer(
            {
                "bootstrap.servers": broker.bootstrap_servers,
                "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": "root",
                "sasl.password": "secret",
                "error_cb": disconnected.append,
                "log_level": 0,
            }
        )
        deadline = asyncio.new_event_loop()
        end_s = deadline.time() + 1.5
        while deadline.time() < end_s:
            assert sent(producer, "flow") is None
        deadline.close()
        assert not disconnected


# -- rules ------------------------------------------------------------------------------------------------------------


def test_librdkafka_is_told_what_it_may_not_do(guarded: Guarded) -> None:
    topic, group = guarded.create(a_name("closed")), a_name("group")
    bob = guarded.settings("bob")
    refused = sent(Producer(bob), topic)
    assert refused is not None
    assert refused.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    admin = AdminClient(bob)
    assert topic not in admin.list_topics(timeout=10).topics
    created = admin.create_topics([NewTopic(a_name("new"), 1, 1)])
    assert error_of(next(iter(created.values())).result).code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    deleted = admin.delete_topics([topic])
    assert error_of(next(iter(deleted.values())).result).code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    guarded.allow("bob", TOPIC, topic, DESCRIBE)
    idempotent = Producer({**bob, "enable.idempotence": True, "error_cb": lambda error: None})
    idempotent.produce(topic, b"v")
    fatal = error_of(lambda: idempotent.flush(10))
    assert fatal.code() == KafkaError.CLUSTER_AUTHORIZATION_FAILED
    transactional = Producer({**bob, "transactional.id": a_name("x")})
    failure = error_of(lambda: transactional.init_transactions(10))
    assert failure.code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    consumer = Consumer({**bob, "group.id": group})
    consumer.subscribe([topic])
    assert first_error(consumer).code() == KafkaError.GROUP_AUTHORIZATION_FAILED
    consumer.close()
    guarded.allow("bob", GROUP, group, READ)
    reader = Consumer({**bob, "group.id": group})
    reader.assign([TopicPartition(topic, 0, 0)])
    assert first_error(reader).code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    reader.close()


def test_kafka_python_and_aiokafka_are_told_what_they_may_not_do(guarded: Guarded) -> None:
    topic, group = guarded.create(a_name("closed")), a_name("group")
    guarded.allow("bob", TOPIC, topic, DESCRIBE)
    settings = guarded.python_settings("bob")
    with contextlib.closing(KafkaProducer(**settings, enable_idempotence=False)) as producer:
        refused = producer.send(topic, b"v")
        with pytest.raises(python_errors.TopicAuthorizationFailedError):
            refused.get(15)
    refused_group = pytest.raises(python_errors.GroupAuthorizationFailedError)
    with contextlib.closing(KafkaConsumer(topic, **settings, group_id=group)) as consumer, refused_group:
        consumer.poll(timeout_ms=15_000)

    async def go() -> None:
        async with AIOKafkaProducer(**settings) as producer:
            with pytest.raises(AioTopicRefused):
                await asyncio.wait_for(producer.send_and_wait(topic, b"v"), 15)
        consumer = AIOKafkaConsumer(topic, **settings, group_id=group)
        with pytest.raises(AioGroupRefused):
            await asyncio.wait_for(consumer.start(), 15)
        await consumer.stop()

    asyncio.run(go())


def test_a_change_of_rules_counts_at_once_on_open_connections(guarded: Guarded) -> None:
    topic = guarded.create(a_name("open"))
    writer, reader = Producer(guarded.settings("alice")), Consumer({**guarded.settings("alice"), "group.id": "none"})
    guarded.allow("alice", GROUP, "none", READ)
    rules = guarded.allow("alice", TOPIC, topic, READ, WRITE)
    assert sent(writer, topic) is None
    reader.assign([TopicPartition(topic, 0, 0)])
    assert (message := reader.poll(15)) is not None
    assert message.value() == b"v"
    denial = guarded.allow("alice", TOPIC, topic, READ, WRITE, permission=DENY)
    refused = sent(writer, topic)
    assert refused is not None
    assert refused.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert first_error(reader).code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert guarded.forget(denial) == 2
    # a client goes on once it has asked again what it may see
    again = Producer(guarded.settings("alice"))
    assert sent(again, topic) is None
    assert guarded.forget(rules) == 2
    refused = sent(again, topic)
    assert refused is not None
    assert refused.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    reader.close()


def test_rules_are_described_as_they_were_made(guarded: Guarded) -> None:
    made = guarded.allow(
        "dora", TOPIC, "dora-", READ, WRITE, pattern=confluent.ResourcePatternType.PREFIXED
    ) + guarded.allow("dora", TRANSACTION, "t", DESCRIBE)
    found = guarded.admin.describe_acls(
        confluent.AclBindingFilter(
            confluent.ResourceType.ANY,
            None,
            confluent.ResourcePatternType.ANY,
            "User:dora",
            None,
            confluent.AclOperation.ANY,
            confluent.AclPermissionType.ANY,
        )
    )
    assert set(found.result(10)) == set(made)
    assert guarded.forget(made) == 3
    bad = confluent.AclBinding(CLUSTER, "other", confluent.ResourcePatternType.LITERAL, "User:x", "*", READ, ALLOW)
    [future] = guarded.admin.create_acls([bad]).values()
    assert error_of(future.result).code() == KafkaError.INVALID_REQUEST


def test_transactions_with_just_the_rights_they_need(guarded: Guarded) -> None:
    topic, name = guarded.create(a_name("tx")), a_name("x")
    guarded.allow("alice", TRANSACTION, name, WRITE, DESCRIBE)
    guarded.allow("alice", TOPIC, topic, WRITE, READ)
    guarded.allow("alice", GROUP, name, READ)
    producer = Producer({**guarded.settings("alice"), "transactional.id": name})
    producer.init_transactions(15)
    producer.begin_transaction()
    assert sent(producer, topic) is None
    group = Consumer({**guarded.settings("alice"), "group.id": name})
    producer.send_offsets_to_transaction([TopicPartition(topic, 0, 1)], group.consumer_group_metadata(), 15)
    producer.commit_transaction(15)
    assert group.committed([TopicPartition(topic, 0)], 15)[0].offset == 1
    group.close()


# -- users ------------------------------------------------------------------------------------------------------------


def test_users_are_made_and_unmade_through_the_admin_api(guarded: Guarded) -> None:
    topic, name = guarded.create(a_name("made")), a_name("erin")
    guarded.allow(name, TOPIC, topic, WRITE)
    info = confluent.ScramCredentialInfo(confluent.ScramMechanism.SCRAM_SHA_512, 8192)

    def alter(change: confluent.UserScramCredentialAlteration) -> None:
        guarded.admin.alter_user_scram_credentials([change])[name].result(10)

    alter(confluent.UserScramCredentialUpsertion(name, info, b"first"))
    described = guarded.admin.describe_user_scram_credentials([name])[name].result(10)
    assert [(one.mechanism, one.iterations) for one in described.scram_credential_infos] == [
        (confluent.ScramMechanism.SCRAM_SHA_512, 8192)
    ]
    for mechanism in ("SCRAM-SHA-512", "PLAIN"):
        assert sent(Producer(guarded.settings(name, mechanism, "first")), topic) is None
    alter(confluent.UserScramCredentialUpsertion(name, info, b"second"))
    with pytest.raises(KafkaException):
        AdminClient(guarded.settings(name, "SCRAM-SHA-512", "first")).list_topics(timeout=1)
    assert AdminClient(guarded.settings(name, "SCRAM-SHA-512", "second")).list_topics(timeout=10)
    alter(confluent.UserScramCredentialDeletion(name, confluent.ScramMechanism.SCRAM_SHA_512))
    gone = guarded.admin.describe_user_scram_credentials([name])[name]
    assert error_of(gone.result).code() == KafkaError.RESOURCE_NOT_FOUND
    with pytest.raises(KafkaException):
        AdminClient(guarded.settings(name, "SCRAM-SHA-512", "second")).list_topics(timeout=1)
    weak = confluent.ScramCredentialInfo(confluent.ScramMechanism.SCRAM_SHA_256, 10)
    change = confluent.UserScramCredentialUpsertion(name, weak, b"x")
    refused = guarded.admin.alter_user_scram_credentials([change])[name]
    assert error_of(refused.result).code() == KafkaError.UNACCEPTABLE_CREDENTIAL


def test_users_and_rules_outlive_a_kill(guarded: Guarded) -> None:
    topic, name = guarded.create(a_name("kept")), a_name("frank")
    guarded.allow(name, TOPIC, topic, WRITE)
    info = confluent.ScramCredentialInfo(confluent.ScramMechanism.SCRAM_SHA_256, 4096)
    change = confluent.UserScramCredentialUpsertion(name, info, b"pw")
    guarded.admin.alter_user_scram_credentials([change])[name].result(10)
    guarded.broker.kill()
    guarded.broker.start()
    assert sent(Producer(guarded.settings(name, "SCRAM-SHA-256", "pw")), topic) is None
    refused = sent(Producer(guarded.settings("bob")), topic)
    assert refused is not None
    assert refused.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


# -- the command line --------------------------------------------------------------------------------------------------


def test_the_command_line_manages_a_running_broker(guarded: Guarded, tmp_path: Path) -> None:
    def login(user: str, password: str) -> str:
        file = tmp_path / f"{user}.properties"
        module = "org.apache.kafka.common.security.scram.ScramLoginModule"
        file.write_text(
            "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-256\n"
            f'sasl.jaas.config={module} required username="{user}" password="{password}";\n'
        )
        return str(file)

    name, topic, address = a_name("gina"), a_name("cli"), guarded.broker.addresses["IN"]
    root = ("-b", address, "--command-config", login("root", "root's secret"))
    added = yeoul("users", "add", name, *root, stdin="pw\n")
    assert (added.code, added.out) == (0, f"Added user '{name}' for PLAIN, SCRAM-SHA-256, SCRAM-SHA-512.\n")
    assert f"error: There is a user '{name}' already" in yeoul("users", "add", name, *root, stdin="pw\n").err
    refused = yeoul("users", "add", "heidi", "--super", *root, stdin="pw\n")
    assert "error: A running broker makes nobody a super user" in refused.err
    assert name in yeoul("users", "list", *root).out
    user = ("-b", address, "--command-config", login(name, "pw"))
    denied = yeoul("produce", topic, *user, stdin="hello\n")
    assert denied.code == 1
    assert "authorization failed" in denied.err.lower()
    for forbidden in (("users", "list"), ("acls", "list"), ("acls", "remove", "--all")):
        told = yeoul(*forbidden, *user)
        assert told.code == 1
        assert "CLUSTER_AUTHORIZATION_FAILED: Cluster authorization failed.\nhint: It takes a super user" in told.err
    made = yeoul("acls", "add", name, "--topic", topic, "--producer", *root)
    assert f"Added: ALLOW User:{name} WRITE on TOPIC {topic} from *\n" in made.out
    assert yeoul("produce", topic, *user, stdin="hello\n").code == 0
    assert yeoul("consume", topic, "--from-beginning", "--until-end", *root).out == "hello\n"
    listed = yeoul("acls", "list", name, "--topic", topic, "--match", *root).out
    assert [line.split()[5] for line in listed.splitlines()[2:]] == ["write", "create", "describe"]
    removed = yeoul("acls", "remove", name, *root).out
    assert removed.count("Removed: ") == 3
    assert yeoul("produce", topic, *user, stdin="hello\n").code == 1
    changed = yeoul("users", "password", name, *root, stdin="other\n")
    assert changed.out == f"Changed the password of user '{name}'.\n"
    assert "refused" in yeoul("topics", "list", *user).err or yeoul("topics", "list", *user).code == 1
    assert yeoul("users", "delete", name, *root).out == f"Deleted user '{name}'.\n"
    offline = yeoul("users", "list", "--data-dir", str(guarded.directory / "data"))
    assert name not in offline.out
    assert "root" in offline.out
    in_use = yeoul("users", "add", "ivan", "--data-dir", str(guarded.directory / "data"), stdin="pw\n")
    assert "error: A broker runs on" in in_use.err
    assert "hint: Ask it instead: --bootstrap-server" in in_use.err


# -- what is refused at the start --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"listeners": "SASL_PLAINTEXT://0.0.0.0:0", "sasl.enabled.mechanisms": "PLAIN"}, "Refused to offer PLAIN"),
        ({"listeners": "PLAINTEXT://0.0.0.0:0,SASL_PLAINTEXT://127.0.0.1:0"}, "Refused to listen on '0.0.0.0'"),
        ({"listeners": "SASL_PLAINTEXT://127.0.0.1:0", "sasl.enabled.mechanisms": "GSSAPI"}, "Unknown mechanism"),
        ({"super.users": "alice"}, "Expected a principal such as 'User:alice', got 'alice'"),
    ],
)
def test_unsafe_settings_are_refused(tmp_path: Path, settings: dict[str, str], reason: str) -> None:
    with pytest.raises(Exception, match=reason):
        Broker(tmp_path, settings=settings)


def test_another_address_may_be_bound_when_its_peers_log_in(tmp_path: Path) -> None:
    Users(tmp_path).change([User("root", True).with_password("secret", ScramMechanism, 4096)])
    with Broker(tmp_path, settings={"listeners": "SASL_PLAINTEXT://0.0.0.0:0"}) as broker:
        settings = {
            "bootstrap.servers": f"127.0.0.1:{broker.port}",
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.username": "root",
            "sasl.password": "secret",
            "log_level": 0,
        }
        assert AdminClient({**settings, "sasl.mechanism": "SCRAM-SHA-256"}).list_topics(timeout=10).cluster_id
        with pytest.raises(KafkaException):
            AdminClient({**settings, "sasl.mechanism": "PLAIN"}).list_topics(timeout=1)


def test_a_damaged_file_of_users_keeps_the_broker_from_starting(tmp_path: Path) -> None:
    (tmp_path / "security").mkdir()
    (tmp_path / "security" / "users.json").write_text("{")
    with pytest.raises(EnvironmentFailure, match="is no file of users"):
        Broker(tmp_path)
