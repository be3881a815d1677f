"""`make flink-oracle`: asks Flink for the answers to the table's expressions and writes them into it.

Needs Java 17 and, the first time, the package registry: PyFlink gets an environment of its own, the one that the bench
uses. A line of the table that is only an expression is new; run it, read the answer, and see with the quick tests
whether this project gives the same.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

from tests.flink.answers import FAILS, REFUSED, TABLE, ZONE
from tests.golden.flink import LIGHT_JVM

_ROOT = Path(__file__).parents[2]
_ENVIRONMENT = _ROOT / "bench" / "peers-venvs" / "flink"
_MARK = "@@answer@@"
_TIMEOUT_S = 3600
_TOGETHER = 32


def _python() -> Path:
    python = _ENVIRONMENT / "bin" / "python"
    if not python.exists():
        venv.create(_ENVIRONMENT, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "apache-flink"], check=True)
    return python


def _asked(groups: list[list[str]]) -> tuple[str, dict[str, tuple[str, str | None]]]:
    program = Path(__file__).with_name("flink_answers.py")
    done = subprocess.run(
        [_python(), program, ZONE],
        input=json.dumps(groups),
        stdout=subprocess.PIPE,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
        env=os.environ | LIGHT_JVM,
    )
    if _MARK not in done.stdout:
        sys.exit(done.returncode or 1)
    version, answers = json.loads(done.stdout.rpartition(_MARK)[2])
    return version, answers


def _groups(lines: list[str]) -> list[list[str]]:
    """Returns what is asked in one job each: a row of values comes together, whatever may spoil a row alone."""
    sound, alone = [], []
    for line in lines:
        expression, type, value = [*line.split("\t"), "", ""][:3]
        spoils = value in ("", REFUSED, FAILS) or (value == "NULL" and "NOT NULL" in type)
        (alone if spoils else sound).append(expression)
    together = [sound[start : start + _TOGETHER] for start in range(0, len(sound), _TOGETHER)]
    return together + [[one] for one in alone]


def main() -> None:
    """Rewrites the table and prints what changed."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    version, found = _asked(_groups([line for line in lines if line and not line.startswith("#")]))
    written: list[str] = []
    for line in lines:
        expression = line.partition("\t")[0]
        if expression not in found or line.startswith("#"):
            written.append(line.replace(line.split("Flink ")[1].split()[0], version) if "What Flink " in line else line)
            continue
        type, value = found[expression]
        written.append("\t".join((expression, "" if value is None else type, value or "refused")))
        if written[-1] != line:
            print(f"- {line}\n+ {written[-1]}")
    TABLE.write_text("\n".join(written) + "\n", encoding="utf-8")
    print(f"{len(found)} expressions, Flink {version}")


if __name__ == "__main__":
    main()
