"""Brokers for the clients, and the report that a whole run leaves behind."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from conformance.report import Report, Row, SuiteResult
from yeoul.broker import Broker

AUTHORIZER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
_REPORT = pytest.StashKey[Report]()
# Modules whose tests do not name their client themselves: the client, and the package that it comes from.
_PYTHON_CLIENTS = {
    "test_aiokafka": ("aiokafka", "aiokafka"),
    "test_confluent_kafka": ("confluent-kafka (librdkafka)", "confluent-kafka"),
    "test_kafka_python": ("kafka-python", "kafka-python"),
    "test_kcat": ("kcat", ""),
    "test_mirror_to_apache_kafka": ("yeoul mirror, to Apache Kafka", ""),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--report", type=Path, default=None, help="where to write what the clients did, as Markdown")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "client(name, version): whose behaviour a test shows")
    config.stash[_REPORT] = Report()
    config.pluginmanager.register(_Recorder())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        marker = item.get_closest_marker("client")
        if marker is not None:
            item.user_properties.append(("client", marker.args))
        elif item.path.stem in _PYTHON_CLIENTS:
            name, package = _PYTHON_CLIENTS[item.path.stem]
            item.user_properties.append(("client", (name, importlib.metadata.version(package) if package else "")))


class _Recorder:
    """Hears of the tests in every folder; a hook of this file by itself hears only of those beside it."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Keeps a row for each test: its own outcome, or that of a fixture that failed or skipped it."""
        result = yield
        said = dict(item.user_properties)
        if "client" in said and (result.when == "call" or result.outcome != "passed"):
            why = result.longrepr[2].removeprefix("Skipped: ") if result.skipped else ""
            what = said.get("what") or _words(item)
            item.config.stash[_REPORT].rows.append(Row(*said["client"], what, result.outcome, why))
        return result


def _words(item: pytest.Item) -> str:
    parameters = getattr(item, "callspec", None)
    name = getattr(item, "originalname", item.name).removeprefix("test_").replace("_", " ")
    return f"{name} ({parameters.id})" if parameters else name


def pytest_sessionfinish(session: pytest.Session) -> None:
    path = session.config.getoption("--report")
    if path is not None:
        session.config.stash[_REPORT].write(path)


@pytest.fixture
def suite_report(pytestconfig: pytest.Config) -> list[SuiteResult]:
    """Where the tests of public suites leave their results."""
    return pytestconfig.stash[_REPORT].suites


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One broker for all tests of a module; it keeps access control lists, and the nameless clients may do all."""
    settings = {"authorizer.class.name": AUTHORIZER, "super.users": "User:ANONYMOUS"}
    with Broker(tmp_path_factory.mktemp("broker"), settings=settings) as running:
        yield running
