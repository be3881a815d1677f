"""Go's clients: franz-go, segmentio/kafka-go, IBM/sarama. Their checks are in programs/go."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.driver import Driver
from conformance.places import PROGRAMS, build_folder, need, run
from yeoul.broker import Broker

need("go")

_GO = PROGRAMS / "go"
_COMPRESSIONS = "compression_none compression_gzip compression_snappy compression_lz4 compression_zstd"
_CHECKS = {
    "franz": f"""{_COMPRESSIONS} headers_keys_timestamps
        classic_range classic_roundrobin classic_sticky classic_cooperative_sticky classic_static_membership
        consumer_protocol
        transactions_commit_and_abort transactions_consume_transform_produce transactions_zombie_is_fenced
        admin_topics admin_configs admin_groups admin_offsets_and_records admin_log_dirs admin_acls admin_scram
        admin_elections_and_reassignments""".split(),
    "segmentio": f"{_COMPRESSIONS} headers_keys_timestamps groups admin".split(),
    "sarama": f"""{_COMPRESSIONS} headers_keys_timestamps idempotent_order
        classic_range classic_roundrobin classic_sticky transactions_commit_and_abort admin""".split(),
}
_MODULES = {
    "franz": ("franz-go", "github.com/twmb/franz-go"),
    "segmentio": ("segmentio/kafka-go", "github.com/segmentio/kafka-go"),
    "sarama": ("IBM/sarama", "github.com/IBM/sarama"),
}


def module_version(module: str) -> str:
    """Returns the version of a Go module that the programs are built with."""
    found = re.search(rf"^\s*{re.escape(module)} v(\S+)", (_GO / "go.mod").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def _build(folder: Path) -> None:
    run(["go", "build", "-o", folder, "./franz", "./segmentio", "./sarama"], _GO)


@pytest.fixture(scope="module")
def drivers(broker: Broker) -> Iterator[dict[str, Driver]]:
    """The programs, by their names."""
    folder = build_folder("go-programs", [_GO / "go.mod", *sorted(_GO.glob("*/*.go"))], _build)
    running = {name: Driver([folder / name, broker.bootstrap_servers]) for name in _CHECKS}
    yield running
    for each in running.values():
        each.close()


@pytest.mark.parametrize("program", _CHECKS)
def test_the_program_has_these_checks(drivers: dict[str, Driver], program: str) -> None:
    assert drivers[program].names() == set(_CHECKS[program])


@pytest.mark.parametrize(
    ("program", "check"),
    [
        pytest.param(program, check, marks=pytest.mark.client(name, module_version(module)))
        for program, (name, module) in _MODULES.items()
        for check in _CHECKS[program]
    ],
)
def test_go_client(
    drivers: dict[str, Driver], program: str, check: str, record_property: pytest.RecordProperty
) -> None:
    record_property("what", check.replace("_", " "))
    drivers[program].check(check)
