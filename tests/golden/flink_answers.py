"""What Flink says to golden cases; run by a Python that has PyFlink, see `flink.py`.

It stands alone: nothing of yeoul or of the other test modules is imported here, since PyFlink has an environment of its
own. Cases come as JSON on standard input, answers go to standard output as JSON lines behind a mark. One JVM serves all
of them; a case has a table environment of its own. Watermarks come after each row (an interval of 0), so that a case
says itself which rows are late.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

MARK = "@@answer@@"
_SETTINGS = {
    "parallelism.default": "1",
    "table.local-time-zone": "UTC",
    "pipeline.auto-watermark-interval": "0 ms",
    "execution.runtime-mode": "streaming",
}


def asked(case: dict[str, Any], folder: Path) -> dict[str, object]:
    """Returns the rows that a case comes to and the changes on the way, or why Flink refuses it."""
    from pyflink.table import EnvironmentSettings, TableEnvironment

    mode = EnvironmentSettings.in_batch_mode if case["mode"] == "batch" else EnvironmentSettings.in_streaming_mode
    environment = TableEnvironment.create(mode())
    for key, value in _SETTINGS.items():
        if key != "execution.runtime-mode" or case["mode"] != "batch":
            environment.get_config().set(key, value)
    for statement in filter(str.strip, case["tables"].split(";")):
        setting = re.match(r"\s*SET\s+'([^']+)'\s*=\s*'([^']*)'", statement)
        if setting is not None:
            environment.get_config().set(setting[1], setting[2])
        else:
            if "LANGUAGE PYTHON" in statement:
                _let_python_run(environment, folder)
            environment.execute_sql(_with_rows(statement, case, folder))
    if case["sinks"]:
        return {"sinks": _written(environment, case)}
    left, changes = _carried_out(environment.execute_sql(case["query"]))
    return {"rows": left, "changes": changes}


def _carried_out(result: Any) -> tuple[list[list[str | None]], list[list[str | None]]]:
    """Returns the rows that a result comes to, and its changes."""
    left: list[list[str | None]] = []
    changes = []
    with result.collect() as rows:
        for row in rows:
            texts = [_cell(one) for one in row]
            mark = str(row.get_row_kind())
            changes.append([mark, *texts])
            if mark in ("-U", "-D"):
                left.remove(texts)
            else:
                left.append(texts)
    return left, changes


def _with_rows(statement: str, case: dict[str, Any], folder: Path) -> str:
    """Lets a table read a file and be written to one: a JSON object a line, one of Debezium if rows change."""
    name = re.match(r"\s*CREATE\s+TABLE\s+(\w+)", statement)
    given = re.search(r"\)\s*WITH\s*\(", statement)
    if name is None or (given is not None and name[1] not in case["rows"] and name[1] not in case["sinks"]):
        return statement
    path = Path(tempfile.mkdtemp(dir=folder)) / "rows.json"
    if name[1] in case["rows"]:
        path.write_text("".join(json.dumps(row) + "\n" for row in case["rows"][name[1]]))
    else:
        path.mkdir()
    columns = statement if given is None else statement[: given.start() + 1]
    form = "json" if given is None else "debezium-json"
    return f"{columns} WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = '{form}')"


def _let_python_run(environment: Any, folder: Path) -> None:
    """Lets Flink's workers import the functions of the golden cases, as the module that the cases name."""
    package = folder / "functions" / "tests" / "golden"
    if not package.exists():
        package.mkdir(parents=True)
        for each in (package, package.parent):
            (each / "__init__.py").touch()
        functions = Path(__file__).with_name("python_functions.py")
        (package / functions.name).write_text(functions.read_text())
        sys.path.insert(0, str(folder / "functions"))
    for key, value in {
        "python.files": str(folder / "functions"),
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
    }.items():
        environment.get_config().set(key, value)


def _written(environment: Any, case: dict[str, Any]) -> dict[str, list[list[str | None]]]:
    """Runs INSERTs and returns what each table was given."""
    inserts = re.sub(r"^\s*EXECUTE STATEMENT SET BEGIN|END\s*$", "", case["query"])
    together = environment.create_statement_set()
    for insert in filter(str.strip, inserts.split(";")):
        together.add_insert_sql(insert)
    together.execute().wait()
    return {table: _carried_out(environment.execute_sql(f"SELECT * FROM {table}"))[0] for table in case["sinks"]}


def _cell(value: Any) -> str | None:
    """Writes a value as golden cases do."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case float():
            return repr(float(f"{value:.9g}"))
        case dt.datetime() | dt.time():
            text = str(value)
            return text.rstrip("0").rstrip(".") if "." in text else text
        case Decimal():
            return f"{value:f}"
        case bytes() | bytearray():
            return bytes(value).decode(errors="backslashreplace")
        case list() | tuple() | dict():
            return json.dumps(_plain(value), ensure_ascii=False)
        case _:
            return str(value)


def _plain(value: Any) -> Any:
    if hasattr(value, "as_dict") and getattr(value, "_fields", None):
        value = value.as_dict()
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float | str) else _cell(value)


def _reason(error: Exception) -> str:
    text = str(error).replace("\n", " ")
    found = re.findall(r"(?:Exception|Error): (.*?)(?=\s+at [a-z]+\.|\s*$|; Caused|Caused by)", text)
    return (found[-1] if found else text).partition(" Was expecting")[0][:300]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        for one in json.load(sys.stdin):
            try:
                answer = asked(one, Path(made))
            except Exception as refused:  # whatever Flink throws
                answer = {"refused": _reason(refused)}
            print(MARK + json.dumps({"case": one["case"], **answer}), flush=True)
