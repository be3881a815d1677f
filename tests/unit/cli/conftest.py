"""A broker of the tests' own, in a child process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from yeoul.broker import Broker


@pytest.fixture(scope="module")
def bootstrap() -> Iterator[str]:
    """The address of a running broker, one for each module."""
    with Broker() as broker:
        yield broker.bootstrap_servers
