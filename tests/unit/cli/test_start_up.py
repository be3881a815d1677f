"""What a start costs: importing yeoul, or asking for help, loads nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tests.unit.cli.processes import environment, yeoul

from yeoul import __version__

HEAVY = {"polars", "pyarrow", "numpy", "numba", "sqlglot", "pandas", "confluent_kafka", "nicegui", "duckdb", "psutil"}


def loaded(code: str) -> set[str]:
    script = f"import contextlib, io, json, sys\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment(), check=True)
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_import_yeoul_loads_nothing_heavy() -> None:
    found = loaded("import yeoul; yeoul.UserError; yeoul.sql")
    assert not found & (HEAVY | {"typer", "rich", "asyncio"})


@pytest.mark.parametrize("arguments", [["--help"], ["sql", "--help"], ["topics", "create", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    found = loaded(
        "from yeoul.cli.main import main\n"
        f"with contextlib.redirect_stdout(io.StringIO()):\n    assert main({arguments!r}) == 0"
    )
    assert "typer" in found
    assert not found & HEAVY


def test_version() -> None:
    assert yeoul("--version").out == f"yeoul {__version__}\n"


def test_help_names_every_command() -> None:
    text = yeoul("--help").out
    for name in ("up", "sql", "demo", "broker", "topics", "produce", "consume", "groups"):
        assert f" {name} " in text


def test_without_arguments_it_helps() -> None:
    done = yeoul()
    assert "Usage: yeoul" in done.out + done.err


def test_a_wrong_option_is_the_command_lines_own_error() -> None:
    done = yeoul("sql", "--formt", "json")
    assert done.code == 2
    assert "No such option: --formt" in " ".join(done.err.split())
    assert "--format" in done.err


def test_the_shell_completes_commands() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "yeoul"],
        capture_output=True,
        text=True,
        env=environment(_YEOUL_COMPLETE="complete_bash", COMP_WORDS="yeoul to", COMP_CWORD="1"),
        check=False,
    )
    assert done.stdout.split() == ["topics"]
