"""The children of `yeoul up`: how each is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from yeoul.supervise.supervisor import ChildSpec

__all__ = ["broker_child", "web_child"]


def broker_child(data_dir: Path, host: str, port: int, *, insecure: bool) -> ChildSpec:
    """Returns the broker."""

    def command(addresses: Mapping[str, str], ready_file: Path) -> Sequence[str]:
        call = ["yeoul.broker", "--data-dir", str(data_dir), "--host", host]
        call += ["--port", str(_port(addresses.get("kafka"), port)), "--ready-file", str(ready_file)]
        return [*call, "--insecure"] if insecure else call

    return ChildSpec("broker", "kafka", command)


def web_child(host: str, port: int) -> ChildSpec:
    """Returns the web page over the broker."""

    def command(addresses: Mapping[str, str], ready_file: Path) -> Sequence[str]:
        call = ["yeoul.console", "--bootstrap", addresses["kafka"], "--host", host]
        return [*call, "--port", str(_port(addresses.get("http"), port)), "--ready-file", str(ready_file)]

    return ChildSpec("web", "http", command)


def _port(address: str | None, otherwise: int) -> int:
    """The port a child had before it was restarted, else the one asked for."""
    return int(address.rpartition(":")[2]) if address else otherwise
