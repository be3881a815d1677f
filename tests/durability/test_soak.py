"""The soak, short: sound under every fault, and a planted defect is found.

Each runs in a process of its own, as clients' libraries leave threads behind. The long one is `make soak`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.conformance, pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]


def soak(*arguments: str) -> subprocess.CompletedProcess[str]:
    paths = [str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "COLUMNS": "200"}
    command = [sys.executable, "-m", "soak", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)


def test_nothing_is_found_under_every_fault(tmp_path: Path) -> None:
    seed = os.environ.get("YEOUL_SOAK_SEED", "20")
    ran = soak(
        *("--minutes", "0.15", "--pause", "1.5", "--seed", seed, "--keep", str(tmp_path / "soak")),
        *("--clients", "confluent,aiokafka,yeoul"),
    )
    assert ran.returncode == 0, ran.stdout[-6_000:] + ran.stderr[-2_000:]
    assert "faults: none" not in ran.stdout


def test_a_broker_that_acknowledges_what_is_not_durable_is_found_out(tmp_path: Path) -> None:
    ran = soak(
        *("--minutes", "0.1", "--pause", "1.5", "--seed", "21", "--keep", str(tmp_path / "soak"), "--flush", "os"),
        *("--faults", "power", "--clients", "confluent"),
    )
    assert ran.returncode == 1, ran.stdout[-6_000:] + ran.stderr[-2_000:]
    assert "lost writes:" in ran.stdout
    assert "was acknowledged at offset" in ran.stdout
