"""The children of `yeoul up`: how each is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from yeoul.supervise.supervisor import ChildSpec

__all__ = ["broker_child", "web_child"]


def broker_child(
    settings: Mapping[str, str],
    config: Path | None = None,
    *,
    default_data_dir: Path | None = None,
    default_port: int = 0,
    environment: bool = False,
) -> ChildSpec:
    """Returns the broker.

    Args:
        settings: What was asked for on the command line, under Kafka's names.
        config: A file with more.
        default_data_dir: Where its data is if nothing says so.
        default_port: Its port, likewise.
        environment: Whether the environment's variables count.
    """

    def command(addresses: Mapping[str, str], ready_file: Path) -> Sequence[str]:
        had = addresses.get("kafka")
        call = ["yeoul.broker", "--ready-file", str(ready_file), "--default-port", str(_port(had, default_port))]
        if environment:
            call.append("--environment")
        if default_data_dir is not None:
            call += ["--default-data-dir", str(default_data_dir)]
        if config is not None:
            call += ["--config", str(config)]
        asked = dict(settings)
        if "yeoul.port" in asked:
            asked["yeoul.port"] = str(_port(had, int(asked["yeoul.port"])))
        return [*call, *(f"--override={name}={text}" for name, text in asked.items())]

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
