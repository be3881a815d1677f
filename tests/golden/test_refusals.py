"""Each place that refuses a statement has a golden error, or a reason why it has none."""

from __future__ import annotations

from pathlib import Path

from tests.golden.refusals import ROOT, places, reached
from tests.golden.test_sessions import CASES, WAYS, answers
from tests.unit.planner.conftest import GOLDEN, Catalog, read_cases

from yeoul.errors import UserError

EXEMPT: dict[str, tuple[str, ...]] = {
    "a guard: the grammar makes nothing that gets there": (
        "planner/binding/expressions/binder.py: '*' stands alone in a SELECT, not in {}",
        "planner/binding/expressions/binder.py: {} is not supported in an expression",
        "planner/binding/queries.py: {} is no query",
        "planner/binding/queries.py: {} is not supported in FROM",
    ),
    "golden/sql/python_functions.txt": (
        "planner/binding/expressions/calls.py: {} is a table function: it stands in FROM",
        "plan/functions/python.py: {} does not take ({}); expected {}({})",
    ),
    "unit/planner/test_bounds.py": (
        "planner/dialects/flink/cursor.py: The expression is too deep: more than {} operations within each other",
        "planner/sql.py: The statement is nested too deep",
        "planner/dialects/flink/lexer.py: The SQL text has {} characters, at most {} are read",
    ),
    "types of @udf: unit/jobs/test_python_functions.py": (
        "planner/dialects/flink/dialect.py: Expected a type, got nothing",
        "planner/dialects/flink/dialect.py: the end of the type",
        "planner/sql.py: {} is no SQL type: {}",
    ),
    "a guard: the planner has found what is altered": ("catalog/memory.py: Unknown table or view {}",),
    "unit/catalog/test_stored.py": (
        "catalog/memory.py: Table {} of the stored catalog cannot be read: {}",
        "catalog/stored.py: Catalog {} has version {}, this yeoul knows {}",
        "catalog/stored.py: Catalog {}: {}",
        "catalog/stored.py: Catalog {} is no catalog: {}",
    ),
    "needs a broker: conformance/connectors/test_topics_as_sinks.py": (
        "connectors/kafka/settings.py: Option 'properties.acks': expected 'all', got {}",
    ),
    "a guard: no type that a column can have gets there": (
        "formats/csv/decoder.py: Column {} is not among the fields of a record",
        "formats/json/encoder.py: Column {}: the json format cannot write the type {}",
        "formats/json/encoder.py: Column {}: the json format cannot write an INTERVAL",
        "formats/json/fields.py: Column {}: the json format cannot read the type {}",
    ),
    "a guard: the option's check names the formats": ("formats/registry.py: Unknown format {}",),
    "Python's register: unit/jobs/test_python_functions.py": (
        "jobs/functions.py: {} is a built-in function",
        "jobs/functions.py: {} is no declared function",
    ),
    "a stored function whose module is gone: unit/jobs/test_python_functions.py": ("jobs/functions.py: {}",),
    "a guard: the planner has read the zone": (
        "jobs/options.py: Expected a time zone such as 'UTC' or 'Asia/Seoul', got {}",
    ),
    "not a statement's: unit/jobs/test_session.py": ("jobs/session.py: This session is closed",),
}
"""Why a place has none, or which test is of it instead, and the places, as `file: message`."""


def run_the_golden_errors() -> None:
    tables = Catalog()
    tables.run((GOLDEN / "plans" / "tables.sql").read_text())
    for path in sorted((GOLDEN / "errors").glob("*.txt")):
        for case in read_cases(path):
            try:
                tables.copy().run(case.text)
            except UserError:
                continue


def run_the_sessions(folder: Path) -> None:
    for number, (_, _, _, steps) in enumerate(CASES):
        statements = [statement for statement, _ in steps]
        if any(line.startswith("error: ") for _, said in steps for line in said):
            own = folder / str(number)
            own.mkdir()
            list(answers(statements, WAYS[0], own))


def test_each_place_that_refuses_has_a_golden_error_or_a_reason(tmp_path):
    with reached() as seen:
        run_the_golden_errors()
        run_the_sessions(tmp_path)
    lines: dict[str, set[int]] = {}
    for file, line in seen:
        lines.setdefault(file, set()).add(line)
    missing = {
        str(place)
        for place in places()
        if not lines.get(str(ROOT / place.file), set()) & set(range(place.first, place.last + 1))
    }
    exempt = {place for several in EXEMPT.values() for place in several}
    assert sorted(missing - exempt) == [], "no golden error"
    assert sorted(exempt - missing) == [], "these have a golden error, or are gone"
