"""Brokers for the conformance tests: real processes, free ports, data under the test's own directory."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from yeoul.broker import Broker


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One broker for all tests of a module that do not stop it."""
    with Broker(tmp_path_factory.mktemp("broker"), num_partitions=2) as running:
        yield running


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker that the test may stop, kill and start again."""
    with Broker(tmp_path / "data", num_partitions=2) as running:
        yield running


@pytest.fixture(autouse=True)
def left_behind_futures_are_told_of_here(request: pytest.FixtureRequest) -> Iterator[None]:
    """Collects what aiokafka leaves behind before the next test begins.

    A failed future that nobody asked is logged when it is collected. In CPython 3.11 the traceback's formatting parses
    source, and if the collector runs while another test parses some too, that test ends with a SystemError.
    """
    yield
    if hasattr(request.module, "AIOKafkaProducer"):
        gc.collect()
