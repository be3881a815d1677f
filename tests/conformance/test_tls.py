"""TLS and mutual TLS with real clients; and what is told of those who get it wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from kafka import KafkaConsumer, KafkaProducer

from yeoul.broker import Broker
from yeoul.broker.certificate_names import subject_name

from .certificates import Authority, Certificate

pytestmark = pytest.mark.conformance

_REQUEST = b"\0\0\0\x0e\0\x12\0\0\0\0\0\1\0\4test"
"""ApiVersions, version 0."""


class Secured:
    """A broker with a plain, a TLS and a mutual TLS listener, and those who may connect."""

    def __init__(self, directory: Path, log: Path) -> None:
        self.directory = directory
        self.authority = Authority(directory)
        self.server = self.authority.issue("server")
        self.alice = self.authority.issue("alice")
        self.stranger = Authority(directory, "Stranger").issue("mallory")
        self.log = log
        self.broker = Broker(
            directory / "data",
            settings={
                "listeners": "PLAIN://127.0.0.1:0,TLS://127.0.0.1:0,MUTUAL://localhost:0",
                "listener.security.protocol.map": "PLAIN:PLAINTEXT,TLS:SSL,MUTUAL:SSL",
                "advertised.listeners": "TLS://localhost:1",
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": str(self.server.both),
                "ssl.truststore.location": str(self.authority.file),
                "listener.name.mutual.ssl.client.auth": "required",
                "super.users": "User:CN=alice,O=Example\\, Inc.;User:ANONYMOUS",
                "yeoul.log.format": "json",
                "yeoul.log.file": str(log),
            },
            log_level="info",
        )

    def address(self, listener: str) -> tuple[str, int]:
        host, _, port = self.broker.addresses[listener].rpartition(":")
        return host, int(port)

    def context(self, certificate: Certificate | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.authority.file)
        if certificate is not None:
            context.load_cert_chain(certificate.certificate, certificate.key)
        return context

    def confluent(self, listener: str, certificate: Certificate | None = None) -> dict[str, str]:
        settings = {
            "bootstrap.servers": self.broker.addresses[listener],
            "security.protocol": "SSL",
            "ssl.ca.location": str(self.authority.file),
        }
        if certificate is not None:
            settings |= {
                "ssl.certificate.location": str(certificate.certificate),
                "ssl.key.location": str(certificate.key),
            }
        return settings

    def told(self, text: str) -> dict[str, str]:
        """Waits for a line of the log."""
        deadline_s = time.monotonic() + 10
        while time.monotonic() < deadline_s:
            for line in self.log.read_text().splitlines():
                if text in line:
                    return dict(json.loads(line))
            time.sleep(0.01)
        raise AssertionError(f"{text!r} is not in {self.log.read_text()}")


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    made = Secured(tmp_path_factory.mktemp("tls"), tmp_path_factory.mktemp("log") / "broker.log")
    with made.broker:
        yield made


def test_confluent_kafka_with_a_certificate_of_its_own(secured: Secured) -> None:
    settings = secured.confluent("MUTUAL", secured.alice)
    producer = Producer(settings)
    for number in range(2_000):
        producer.produce("confluent", b"%d" % number * 100)
    assert producer.flush(20) == 0
    consumer = Consumer({**settings, "group.id": "g", "auto.offset.reset": "earliest"})
    consumer.subscribe(["confluent"])
    found: list[bytes] = []
    deadline_s = time.monotonic() + 20
    while len(found) < 2_000 and time.monotonic() < deadline_s:
        found += [message.value() or b"" for message in consumer.consume(500, 0.2)]
    consumer.close()
    assert found == [b"%d" % number * 100 for number in range(2_000)]


def test_kafka_python_with_a_certificate_of_its_own(secured: Secured) -> None:
    files = {
        "ssl_cafile": str(secured.authority.file),
        "ssl_certfile": str(secured.alice.certificate),
        "ssl_keyfile": str(secured.alice.key),
    }
    settings = {"bootstrap_servers": secured.broker.addresses["MUTUAL"], "security_protocol": "SSL", **files}
    with contextlib.closing(KafkaProducer(**settings)) as producer:
        producer.send("kafka-python", b"kept").get(20)
    options = {"auto_offset_reset": "earliest", "consumer_timeout_ms": 20_000}
    with contextlib.closing(KafkaConsumer("kafka-python", **options, **settings)) as consumer:
        assert next(consumer).value == b"kept"


def test_aiokafka_with_a_certificate_of_its_own(secured: Secured) -> None:
    async def run() -> bytes:
        settings = {
            "bootstrap_servers": secured.broker.addresses["MUTUAL"],
            "security_protocol": "SSL",
            "ssl_context": secured.context(secured.alice),
        }
        async with AIOKafkaProducer(**settings) as producer:
            await producer.send_and_wait("aiokafka", b"kept")
        async with AIOKafkaConsumer("aiokafka", auto_offset_reset="earliest", **settings) as consumer:
            return bytes((await asyncio.wait_for(consumer.getone(), 20)).value)

    assert asyncio.run(run()) == b"kept"


def test_a_record_of_several_megabytes_comes_back_whole(secured: Secured) -> None:
    value = bytes(range(256)) * 4_000
    settings = secured.confluent("MUTUAL", secured.alice)
    producer = Producer({**settings, "message.max.bytes": 2_000_000})
    for _ in range(5):
        producer.produce("large", value)
    assert producer.flush(20) == 0
    consumer = Consumer({**settings, "group.id": "g", "fetch.max.bytes": 20_000_000})
    consumer.assign([TopicPartition("large", 0, 0)])
    found = consumer.consume(5, 20)
    consumer.close()
    assert [message.value() for message in found] == [value] * 5


def test_each_listener_tells_its_own_address(secured: Secured) -> None:
    def nodes(settings: dict[str, str]) -> list[tuple[str, int]]:
        cluster = AdminClient(settings).list_topics(timeout=10)
        return [(node.host, node.port) for node in cluster.brokers.values()]

    assert nodes({"bootstrap.servers": secured.broker.addresses["PLAIN"]}) == [secured.address("PLAIN")]
    assert nodes(secured.confluent("MUTUAL", secured.alice)) == [secured.address("MUTUAL")]
    assert nodes(secured.confluent("TLS")) == [("localhost", 1)]


def test_what_is_wrong_is_told_and_nobody_is_left_hanging(secured: Secured) -> None:
    refused: list[tuple[Callable[[], object], str]] = [
        (
            lambda: _shake_hands(secured, secured.context(secured.stranger)),
            "on listener MUTUAL failed: its certificate is not accepted",
        ),
        (
            lambda: _shake_hands(secured, secured.context()),
            "failed: it has no certificate, and ssl.client.auth",
        ),
        (
            lambda: _shake_hands(secured, secured.context(secured.authority.issue("late", expired=True))),
            "its certificate is not accepted: certificate has expired",
        ),
        (
            lambda: _shake_hands(secured, ssl.create_default_context()),
            "failed: it does not trust the authority that signed our certificate",
        ),
        (lambda: _say(secured, "TLS", _REQUEST), "failed: it does not speak TLS"),
        (lambda: _say(secured, "PLAIN", b"\x16\x03\x01\x02\0\1\0\1"), "It speaks TLS, but listener PLAIN"),
        (
            lambda: _say(secured, "PLAIN", b"GET / HTTP/1.1\r\n\r\n"),
            "It speaks HTTP, but listener PLAIN",
        ),
    ]
    for attempt, line in refused:
        attempt()
        event = secured.told(line)
        assert (event["level"], event["logger"]) == ("warning", "yeoul.broker")
        assert "127.0.0.1" in event["message"]


def _shake_hands(secured: Secured, context: ssl.SSLContext) -> None:
    """Fails, at the latest when the first answer is waited for: TLS 1.3 clients are done before they are judged."""
    host, port = secured.address("MUTUAL")
    answer = b""
    with (
        contextlib.suppress(OSError),
        socket.create_connection((host, port), 10) as plain,
        context.wrap_socket(plain, server_hostname=host) as peer,
    ):
        peer.sendall(_REQUEST)
        answer = peer.recv(1)
    assert answer == b""


def _say(secured: Secured, listener: str, data: bytes) -> None:
    """Says something that the listener does not understand, and is hung up on."""
    with socket.create_connection(secured.address(listener), 10) as peer:
        peer.sendall(data)
        with contextlib.suppress(ConnectionResetError):
            while peer.recv(1_024):
                pass


def test_a_client_that_speaks_plainly_to_a_tls_listener_is_refused(secured: Secured) -> None:
    with pytest.raises(KafkaException):
        AdminClient({"bootstrap.servers": secured.broker.addresses["TLS"], "log_level": 0}).list_topics(timeout=1)


def test_a_new_certificate_is_taken_up_while_the_broker_runs(secured: Secured) -> None:
    host, port = secured.address("TLS")

    def served() -> str:
        with (
            socket.create_connection((host, port), 10) as plain,
            secured.context().wrap_socket(plain, server_hostname="localhost") as peer,
        ):
            return subject_name(peer.getpeercert(True) or b"")

    def replace(content: bytes) -> None:
        made = secured.directory / "made.pem"
        made.write_bytes(content)
        made.replace(secured.server.both)

    before = secured.server.both.read_bytes()
    assert served() == "CN=server,O=Example\\, Inc."
    replace(secured.authority.issue("renewed").both.read_bytes())
    assert served() == "CN=renewed,O=Example\\, Inc."
    replace(b"not a certificate")
    assert served() == "CN=renewed,O=Example\\, Inc."
    assert "keeps its certificate" in secured.told("the new one cannot be used")["message"]
    replace(before)
    assert served() == "CN=server,O=Example\\, Inc."
