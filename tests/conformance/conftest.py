"""Brokers for the conformance tests: real processes, free ports, data under the test's own directory."""

from __future__ import annotations

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
