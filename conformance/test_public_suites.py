"""What clients' authors test their own work with, run against this broker.

Each failure that is known is named with its reason; any other fails the run, and so does a known one that passes.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from conformance.conftest import AUTHORIZER
from conformance.places import need
from conformance.report import SuiteResult
from conformance.suites import GoSuite, Outcomes, python_suite, run_pytest_suite
from conformance.test_go_clients import module_version
from yeoul.broker import Broker

SETTINGS = {"authorizer.class.name": AUTHORIZER, "super.users": "User:ANONYMOUS"}
KAFKA_PYTHON = "3.0.12"


def judge(
    report: list[SuiteResult],
    name: str,
    version: str,
    outcomes: Outcomes,
    known: Mapping[str, str],
    left_out: Mapping[str, str] | None = None,
) -> None:
    """Puts a suite's results into the report, and fails when they are not what is known."""
    failed = {test for test, outcome in outcomes.items() if outcome == "failed"}
    counts = {each: sum(outcome == each for outcome in outcomes.values()) for each in ("passed", "skipped")}
    failures = {test: known.get(test, "not explained yet") for test in sorted(failed)}
    report.append(SuiteResult(name, version, counts["passed"], failures, counts["skipped"], dict(left_out or {})))
    assert failed == set(known), f"New: {sorted(failed - set(known))}. No longer: {sorted(set(known) - failed)}"


@pytest.mark.timeout(400)
def test_franz_go_kgo(broker: Broker, suite_report: list[SuiteResult]) -> None:
    need("go")
    suite = GoSuite(f"github.com/twmb/franz-go@v{module_version('github.com/twmb/franz-go')}", "pkg/kgo")
    environment = {
        "KGO_SEEDS": broker.bootstrap_servers,
        "KGO_TEST_RF": "1",
        "KGO_TEST_RECORDS": "50000",
        "KGO_LOG_LEVEL": "none",
    }
    judge(suite_report, "franz-go, pkg/kgo", suite.version, suite.run(300, environment), {})


@pytest.mark.timeout(700)
def test_segmentio_kafka_go(tmp_path: Path, suite_report: list[SuiteResult]) -> None:
    """Its tests connect to localhost:9092, whatever one says."""
    need("go")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if probe.connect_ex(("localhost", 9092)) == 0:
            pytest.skip("the suite needs port 9092, which is taken")
    suite = GoSuite(f"github.com/segmentio/kafka-go@v{module_version('github.com/segmentio/kafka-go')}", tidy=True)
    environment = {"KAFKA_VERSION": "4.0.0", "KAFKA_SKIP_NETTEST": "1"}
    left_out = {"TestReaderConsumerGroup": "panics in its own helper getOffsets, against Apache Kafka 4.3.1 too"}
    with Broker(tmp_path / "data", host="localhost", port=9092, settings=SETTINGS):
        # Under load a test of it may panic: its connection pool asks for a broker before it has kept what it learned.
        outcomes = suite.run(300, environment, list(left_out), attempts=2)
    judge(suite_report, "segmentio/kafka-go", suite.version, outcomes, _KAFKA_GO, left_out)


@pytest.mark.timeout(400)
def test_kafka_python(tmp_path: Path, suite_report: list[SuiteResult]) -> None:
    service = (
        "class ExternalService:\n    def __init__(self, host, port):\n        self.host, self.port = host, port\n\n"
    )
    service += "    def open(self):\n        pass\n\n    close = open\n\n\nclass SpawnedService:\n    pass\n"
    stand_ins = {"test/__init__.py": "", "test/service.py": service}
    folder = python_suite("kafka-python", KAFKA_PYTHON, ["py"], stand_ins)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {**SETTINGS, "group.min.session.timeout.ms": "1000"}
    with Broker(tmp_path / "data", port=port, num_partitions=4, settings=settings) as broker:
        environment = {
            "KAFKA_URI": f"PLAINTEXT://{broker.bootstrap_servers}",
            "KAFKA_VERSION": "4.0.0",
            "KAFKA_ROOT": str(tmp_path),
        }
        outcomes = run_pytest_suite(folder, "test/integration", 300, environment)
    judge(suite_report, "kafka-python, test/integration", KAFKA_PYTHON, outcomes, _KAFKA_PYTHON)


_SASL_PORT = "the test's assumption: a second listener with SASL PLAIN and SCRAM on port 9093"
_KAFKA_GO = {
    "TestConn/test_delete_topics": (
        "a stated difference: asking for a topic that was just deleted creates it, and it is led at once"
    ),
    "TestConn/test_delete_topics_with_an_invalid_topic": (
        "the same; fails against Apache Kafka 4.3.1 too, for another reason"
    ),
    "TestReaderReadCompactedMessage": "the test's assumption: segments of 200 bytes; Kafka 4 wants 1 MiB at least",
    "TestUnsupportedSASLMechanism": _SASL_PORT,
    "TestWriter/writing_a_message_with_SASL_Plain_authentication": _SASL_PORT,
}
_OWN_SERVER = "the test's assumption: it starts a server of its own, from files that the package leaves out"
_ADMIN = "test/integration/test_admin_integration.py"
_CONSUMER = "test/integration/test_consumer_integration.py"
_KAFKA_PYTHON = {
    f"{_ADMIN}::test_create_partitions": "the test's assumption: the broker's id is 0; here it is 1",
    f"{_CONSUMER}::test_kafka_version_infer": (
        "the test's assumption: the broker serves what Kafka 4.0 did; this one serves more, and 4.3 is inferred"
    ),
    "test/integration/test_ssl_integration.py::TestSSLConnection::test_ssl_handshake": _OWN_SERVER,
    "test/integration/test_ssl_integration.py::TestSSLConnection::test_legacy_kafka_client_ssl": _OWN_SERVER,
}
