"""The errors that a newcomer makes, word for word: one clear message, a hint, a non-zero exit, no traceback.

Each `*.golden` file is one command and all that it says on stderr. `events.ndjson` is there, `missing.ndjson` is not;
`{taken}` is a port that somebody else has, `{closed}` one that nobody has. `YEOUL_UPDATE_GOLDEN=1` writes them anew.
"""

from __future__ import annotations

import os
import shlex
import socket
from pathlib import Path

import pytest
from tests.unit.cli.processes import listening_port, yeoul, yeoul_here

CASES = sorted(Path(__file__).parent.glob("*.golden"))
EVENT = '{"user": "ann", "latency": 12, "ts": "2024-01-01 10:00:00"}\n'


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_error(case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "events.ndjson").write_text(EVENT)
    with listening_port() as taken:
        places = {
            "taken": str(taken),
            "closed": str(unused_port()),
        }
        written = case.read_text()
        call = written.split("\n\n", 1)[0]
        arguments = [part.format_map(places) for part in shlex.split(call.removeprefix("$ yeoul "))]
        done = yeoul(*arguments) if arguments[0] in ("up", "broker") else yeoul_here(*arguments)
    said = "\n".join(line for line in done.err.splitlines() if not line.startswith("yeoul: compiling"))
    for name, value in places.items():
        said = said.replace(value, f"{{{name}}}")
    found = f"{call}\n\nexit {done.code}\n{said}\n"
    if os.environ.get("YEOUL_UPDATE_GOLDEN"):
        case.write_text(found)
    assert found == case.read_text()
    assert done.code == 1
    assert done.out == ""
    assert "\nerror: " in f"\n{said}"
    assert "\nhint: " in said


def test_there_are_cases() -> None:
    assert len(CASES) >= 6
