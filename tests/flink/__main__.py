"""`make flink-oracle`: asks Flink for the answers to the table's expressions and writes them into it.

Needs Java 17 and, the first time, the package registry: PyFlink gets an environment of its own, the one that the bench
uses. A line of the table that is only an expression is new; run it, read the answer, and see with the quick tests
whether this project gives the same.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

from tests.flink.answers import TABLE, ZONE

_ROOT = Path(__file__).parents[2]
_ENVIRONMENT = _ROOT / "bench" / "peers-venvs" / "flink"
_MARK = "@@answer@@"
_TIMEOUT_S = 3600


def _python() -> Path:
    python = _ENVIRONMENT / "bin" / "python"
    if not python.exists():
        venv.create(_ENVIRONMENT, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "apache-flink"], check=True)
    return python


def _asked(expressions: list[str]) -> tuple[str, list[tuple[str, str | None]]]:
    program = Path(__file__).with_name("flink_answers.py")
    text = "\n".join(expressions) + "\n"
    done = subprocess.run(
        [_python(), program, ZONE], input=text, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
    )
    if _MARK not in done.stdout:
        sys.exit(done.stderr)
    version, answers = json.loads(done.stdout.rpartition(_MARK)[2])
    return version, answers


def main() -> None:
    """Rewrites the table and prints what changed."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    expressions = [line.partition("\t")[0] for line in lines if line and not line.startswith("#")]
    version, answers = _asked(expressions)
    found = dict(zip(expressions, answers, strict=True))
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
    print(f"{len(expressions)} expressions, Flink {version}")


if __name__ == "__main__":
    main()
