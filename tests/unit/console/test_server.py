"""Ports of the page."""

from __future__ import annotations

import socket

import pytest

from yeoul.console.server import free_port
from yeoul.errors import EnvironmentFailure


def test_port_zero_gives_a_free_port() -> None:
    assert 1024 < free_port("127.0.0.1", 0) < 65536


def test_a_taken_port_is_named_with_a_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EnvironmentFailure, match=f"127.0.0.1:{port}.*--http-port"):
            free_port("127.0.0.1", port)
