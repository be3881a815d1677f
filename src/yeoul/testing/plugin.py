"""The pytest plug-in: a running broker for a test, by naming the fixture `yeoul`.

    def test_orders(yeoul):
        producer = Producer({"bootstrap.servers": yeoul.bootstrap_servers})

Owns the fixtures, the ini options `yeoul_partitions` and `yeoul_flush`, and the marker `yeoul`. pytest imports this
module in every run wherever the package is installed. Invariant: importing it loads pytest and nothing else; the
broker's code comes with the first test that asks for one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from yeoul.broker import Broker

__all__ = ["pytest_addoption", "pytest_configure", "yeoul", "yeoul_session"]

_MARKER = "yeoul(partitions=..., flush=..., data_dir=...): the broker of the `yeoul` fixture, for this test"
_SETTINGS = ("partitions", "flush", "data_dir")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declares the settings that hold for every test."""
    parser.addini("yeoul_partitions", "partitions of topics that are created without a number", default="1")
    parser.addini("yeoul_flush", "when an append counts as done: os, interval or commit", default="os")


def pytest_configure(config: pytest.Config) -> None:
    """Declares the marker, for runs with `--strict-markers`."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def yeoul(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """A broker of this test's own: empty, on a free loopback port, gone with its data after the test."""
    marked: dict[str, object] = {}
    for marker in reversed(list(request.node.iter_markers("yeoul"))):  # the nearest has the last word
        if marker.args:
            raise pytest.UsageError(f"The marker 'yeoul' takes keywords only, got {marker.args!r}")
        marked |= marker.kwargs
    with _broker(request.config, marked) as broker:
        yield broker


@pytest.fixture(scope="session")
def yeoul_session(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """One broker that the tests of a run share (each pytest-xdist worker has its own); nothing is reset in between."""
    with _broker(request.config, {}) as broker:
        yield broker


def _broker(config: pytest.Config, marked: dict[str, object]) -> Broker:
    """Returns a started broker; settings come from the marker, then from the ini file."""
    from yeoul.broker import Broker

    for name in marked:
        if name not in _SETTINGS:
            raise pytest.UsageError(f"The marker 'yeoul' has no setting {name!r}; it has {', '.join(_SETTINGS)}")
    data_dir = marked.get("data_dir")
    if data_dir is not None and not isinstance(data_dir, (str, Path)):
        raise pytest.UsageError(f"Expected a path as the marker's data_dir, got {data_dir!r}")
    return Broker(
        None if data_dir is None else config.rootpath / data_dir,
        flush=marked.get("flush", config.getini("yeoul_flush")),  # type: ignore[arg-type]  # checked by BrokerConfig
        num_partitions=_partitions(marked.get("partitions", config.getini("yeoul_partitions"))),
    )


def _partitions(given: object) -> int:
    try:
        return int(str(given))
    except ValueError:
        raise pytest.UsageError(f"Expected a number of partitions for yeoul, got {given!r}") from None
