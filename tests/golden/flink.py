"""Asks Flink: the golden SQL cases on PyFlink, its final rows beside the expected ones. `make flink-golden`.

Runs in an environment with `apache-flink` (Java 17), started with that environment's Python for the part that needs
PyFlink: `ask` reads cases as JSON on standard input and answers as JSON lines. Each table is a file of JSON lines, its
batches one behind the other; a case with `flink: <reason>` under its title is left out.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

__all__ = ["main"]

PYTHON = Path(__file__).parents[2] / "bench" / "peers-venvs" / "flink" / "bin" / "python"
_ASK = """
import json, os, re, sys, tempfile
from pyflink.table import EnvironmentSettings, TableEnvironment
for case in json.load(sys.stdin):
    try:
        environment = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
        environment.get_config().set("parallelism.default", "1")
        environment.get_config().set("table.local-time-zone", "UTC")
        for statement in filter(str.strip, case["tables"].split(";")):
            name = re.match(r"\\s*CREATE\\s+TABLE\\s+(\\w+)", statement)
            if name:
                path = os.path.join(tempfile.mkdtemp(), "rows.json")
                with open(path, "w") as file:
                    file.writelines(json.dumps(row) + "\\n" for row in case["rows"].get(name[1], []))
                statement += f" WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'json')"
            environment.execute_sql(statement)
        left = []
        for row in environment.execute_sql(case["query"]).collect():
            texts = [None if one is None else str(one) for one in row]
            if row.get_row_kind().name in ("UPDATE_BEFORE", "DELETE"):
                left.remove(texts)
            else:
                left.append(texts)
        print(json.dumps({"case": case["case"], "rows": left}), flush=True)
    except Exception as refused:
        why = [line for line in str(refused).splitlines() if "Exception" in line] or [str(refused)]
        print(json.dumps({"case": case["case"], "refused": why[-1][:200]}), flush=True)
"""


def main() -> int:
    """Prints each case that Flink answers otherwise; returns how many there are."""
    from tests.golden.cases import Batch, read_all

    wanted = sys.argv[1:]
    asked = {
        str(case): case
        for case in read_all()
        if "rows" in case.sections and "flink" not in case.about and (not wanted or case.file in wanted)
    }
    sent = []
    for name, case in asked.items():
        rows: dict[str, list[dict[str, object]]] = {}
        for step in case.steps:
            if isinstance(step, Batch):
                given = [
                    {key: _json(cell) for key, cell in zip(step.rows.names, row, strict=True)} for row in step.rows.rows
                ]
                rows.setdefault(step.table, []).extend(given)
        sent.append(
            {"case": name, "tables": case.sections.get("tables", ""), "query": case.sections["query"], "rows": rows}
        )
    done = subprocess.run(
        [PYTHON, "-c", _ASK], input=json.dumps(sent), capture_output=True, text=True, check=False, timeout=1_800
    )
    differing = 0
    for line in done.stdout.splitlines():
        if not line.startswith("{"):
            continue
        told = json.loads(line)
        right = [[_plain(cell) for cell in row] for row in asked[told["case"]].grid("rows").rows]
        theirs = [[_plain(cell) for cell in row] for row in told.get("rows", [])]
        if "refused" in told or sorted(theirs, key=str) != sorted(right, key=str):
            differing += 1
            print(f"{told['case']}\n  Flink: {told.get('refused') or told['rows']}\n  here:  {right}")
        else:
            print(f"{told['case']}: the same")
    return differing


def _json(cell: str | None) -> object:
    return json.loads(cell) if cell is not None and cell[:1] in ("{", "[") else cell


def _plain(cell: str | None) -> str | None:
    """One spelling of numbers, truths and times."""
    if cell is None:
        return None
    if cell in ("True", "False"):
        return cell.lower()
    if "." in cell and cell.replace(".", "").replace("-", "").replace(":", "").replace(" ", "").isdigit():
        return cell.rstrip("0").rstrip(".")
    return cell


if __name__ == "__main__":
    sys.exit(min(main(), 1))
