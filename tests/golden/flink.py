"""Asks Flink: the golden SQL cases on PyFlink, its final rows beside the expected ones. `make flink-golden`.

Needs Java 17 and the environment with `apache-flink` that the bench has; what runs there is `flink_answers.py`. Words
as arguments narrow it to the cases whose names hold one; `--show` prints Flink's rows for every case, in the form of
the files. A case with `flink: <reason>` under its title has another answer there, or none: it is asked, too, and one
that agrees is told. `--page` asks nobody: it writes the list of these cases into `docs/flink-differences.md`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.golden.cases import Batch, Case, Grid, read_all
from tests.golden.flink_answers import MARK

__all__ = ["LIGHT_JVM", "main"]

PAGE = Path(__file__).parents[2] / "docs" / "flink-differences.md"
PYTHON = Path(__file__).parents[2] / "bench" / "peers-venvs" / "flink" / "bin" / "python"
LIGHT_JVM = {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
"""For many small jobs: what the compiler for long runs would do costs more than it gains."""
_UNASKED = ("the clock there", "which rows come is open")
_TIMEOUT_S = 3_600


def main(arguments: Sequence[str]) -> int:
    """Prints what Flink says otherwise than the files; returns how many cases that are."""
    if "--page" in arguments:
        text = PAGE.read_text()
        head = text[: text.index("| case |")]
        rows = (f"| `{one}` | {one.about['flink']} |" for one in read_all() if "flink" in one.about)
        PAGE.write_text("\n".join((f"{head}| case | Flink |", "| --- | --- |", *rows)) + "\n")
        return 0
    shows, words = "--show" in arguments, [one for one in arguments if not one.startswith("-")]
    cases = {str(case): case for case in read_all() if case.grids("rows") or case.grids("changes")}
    cases = {name: one for name, one in cases.items() if not words or any(word in name for word in words)}
    cases = {name: one for name, one in cases.items() if not one.about.get("flink", "").startswith(_UNASKED)}
    differing, agreeing = 0, 0
    for told in _answers(list(cases.values())):
        case = cases[told["case"]]
        same = "refused" not in told and _agrees(told, case)
        agreeing += same
        answer = told["refused"] if "refused" in told else "\n".join(map(str, _of_flink(told, case).values()))
        if shows:
            print(f"=== {case}\n{answer}\n")
        elif same and "flink" in case.about:
            differing += 1
            print(f"=== {case}\nis the same there: 'flink: {case.about['flink']}' can go\n")
        elif not same and "flink" not in case.about:
            differing += 1
            print(f"=== {case}\nFlink:\n{answer}\n")
    print(f"{agreeing} of {len(cases)} cases are the same on Flink, {differing} are not as their files say")
    return differing


def _answers(cases: Sequence[Case]) -> Iterator[dict]:
    sent = [
        {
            "case": str(case),
            "mode": "batch" if case.modes == ["automatic"] else "streaming",
            "tables": case.sections.get("tables", ""),
            "query": case.sections["query"],
            "rows": _rows(case),
            "sinks": [table for table in {**case.grids("rows"), **case.grids("changes")} if table],
        }
        for case in cases
    ]
    program = Path(__file__).with_name("flink_answers.py")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    apart = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | LIGHT_JVM
    with subprocess.Popen([PYTHON, program], **pipes, text=True, env=apart) as asked:
        assert asked.stdin is not None
        assert asked.stdout is not None
        asked.stdin.write(json.dumps(sent))
        asked.stdin.close()
        for line in asked.stdout:
            if line.startswith(MARK):
                yield json.loads(line.removeprefix(MARK))
        if asked.wait(_TIMEOUT_S):
            sys.exit(f"Flink's Python ended with {asked.returncode}")


def _of_flink(told: dict, case: Case) -> dict[str, Grid]:
    """Returns Flink's rows by the table that is written, an empty text for what a query gives."""
    rows = told["sinks"] if "sinks" in told else {"": told["rows"]}
    return {table: Grid(grid.names, tuple(map(tuple, rows.get(table, [])))) for table, grid in _expected(case).items()}


def _agrees(told: dict, case: Case) -> bool:
    """Whether Flink's rows are the expected ones, and its changes where they are said to be Flink's, too."""
    rows = _comparable(_of_flink(told, case)) == _comparable(_expected(case))
    if "changes" not in case.sections or "changes" in case.about or not case.about["from"].startswith("Flink"):
        return rows
    given, right = ([tuple(map(_plain, row)) for row in some] for some in (told["changes"], case.grid("changes").rows))
    return rows and given == right


def _expected(case: Case) -> dict[str, Grid]:
    """Returns the rows that a case comes to, in the same form."""
    return case.grids("rows") or {table: _left(changes) for table, changes in case.grids("changes").items()}


def _left(changes: Grid) -> Grid:
    left: list[tuple[str | None, ...]] = []
    for mark, *row in changes.rows:
        if mark in ("-U", "-D"):
            left.remove(tuple(row))
        else:
            left.append(tuple(row))
    return Grid(changes.names[1:], tuple(left))


def _rows(case: Case) -> dict[str, list[dict[str, object]]]:
    """Returns what the file of each table holds: its rows or changes, batches one behind the other."""
    rows: dict[str, list[dict[str, object]]] = {}
    for step in case.steps:
        if isinstance(step, Batch):
            given = [
                {key: _json(cell) for key, cell in zip(step.rows.names, row, strict=True)} for row in step.rows.rows
            ]
            rows.setdefault(step.table, []).extend(given)
    return {table: _changes(case, table, some) if "op" in some[0] else some for table, some in rows.items()}


def _changes(case: Case, table: str, marked: list[dict[str, object]]) -> list[dict[str, object]]:
    """Returns marked rows as Debezium writes them; of an upsert table with the row that each record's key had."""
    declared = case.sections["tables"].partition(f"CREATE TABLE {table} ")[2].partition(";")[0]
    keys = re.search(r"PRIMARY KEY \((.+?)\)", declared) if "upsert-kafka" in declared else None
    stands: dict[tuple[object, ...], dict[str, object]] = {}
    changes = []
    for row in marked:
        goes = row.pop("op") in ("-U", "-D")
        before, after = (row, None) if goes else (None, row)
        if keys is not None:
            key = tuple(row[name.strip()] for name in keys[1].split(","))
            before = stands.pop(key, None)
            stands |= {} if goes else {key: row}
        if before is not None or after is not None:
            op = "d" if after is None else "c" if before is None else "u"
            changes.append({"before": before, "after": after, "op": op})
    return changes


def _json(cell: str | None) -> object:
    return json.loads(cell) if cell is not None and cell[:1] in ("{", "[") else cell


def _comparable(grids: dict[str, Grid]) -> dict[str, list[tuple[str | None, ...]]]:
    rows = {table: [tuple(map(_plain, row)) for row in grid.rows] for table, grid in grids.items()}
    return {table: sorted(some, key=str) for table, some in rows.items()}


def _plain(cell: str | None) -> str | None:
    """One spelling of numbers, times and maps."""
    if cell is None:
        return None
    if cell.startswith('[{"key":'):
        return json.dumps({str(entry["key"]): entry["value"] for entry in json.loads(cell)}, ensure_ascii=False)
    cell = cell.removesuffix("Z") if cell[:1].isdigit() else cell
    if "." in cell and cell.translate(str.maketrans("", "", ".-: ")).isdigit():
        return cell.rstrip("0").rstrip(".")
    return cell


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
