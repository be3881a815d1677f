"""Each place that refuses a statement has a golden error, or a reason why it has none."""

from __future__ import annotations

from pathlib import Path

from tests.golden.refusals import ROOT, places, reached
from tests.golden.test_sessions import CASES, WAYS, answers
from tests.unit.planner.conftest import GOLDEN, Catalog, read_cases

from yeoul.errors import UserError

EXEMPT: dict[str, str] = {
    "planner/binding/expressions/binder.py: '*' stands alone in a SELECT, not in {}": "a guard: the grammar makes nothing that gets there",
    "planner/binding/expressions/binder.py: {} is not supported in an expression": "a guard: the grammar makes nothing that gets there",
    "planner/binding/queries.py: {} is no query": "a guard: the grammar makes nothing that gets there",
    "planner/binding/queries.py: {} is not supported in FROM": "a guard: the grammar makes nothing that gets there",
    "planner/binding/expressions/calls.py: {} is a table function: it stands in FROM": "golden/sql/python_functions.txt",
    "plan/functions/python.py: {} does not take ({}); expected {}({})": "golden/sql/python_functions.txt",
    "planner/dialects/flink/cursor.py: The expression is too deep: more than {} operations within each other": "unit/planner/test_bounds.py",
    "planner/sql.py: The statement is nested too deep": "unit/planner/test_bounds.py",
    "planner/dialects/flink/lexer.py: The SQL text has {} characters, at most {} are read": "unit/planner/test_bounds.py",
    "planner/dialects/flink/dialect.py: Expected a type, got nothing": "types of @udf: unit/jobs/test_python_functions.py",
    "planner/dialects/flink/dialect.py: the end of the type": "types of @udf: unit/jobs/test_python_functions.py",
    "planner/sql.py: {} is no SQL type: {}": "types of @udf: unit/jobs/test_python_functions.py",
    "catalog/memory.py: Unknown table or view {}": "a guard: the planner has found what is altered",
    "catalog/memory.py: Table {} of the stored catalog cannot be read: {}": "unit/catalog/test_stored.py",
    "catalog/stored.py: Catalog {} has version {}, this yeoul knows {}": "unit/catalog/test_stored.py",
    "catalog/stored.py: Catalog {}: {}": "unit/catalog/test_stored.py",
    "catalog/stored.py: Catalog {} is no catalog: {}": "unit/catalog/test_stored.py",
    "connectors/kafka/settings.py: Option 'properties.acks': expected 'all', got {}": "needs a broker: conformance/connectors/test_topics_as_sinks.py",
    "formats/csv.py: Column {} is not among the fields of a record": "a guard: no type that a column can have gets there",
    "formats/json/encoder.py: Column {}: the json format cannot write the type {}": "a guard: no type that a column can have gets there",
    "formats/json/encoder.py: Column {}: the json format cannot write an INTERVAL": "a guard: no type that a column can have gets there",
    "formats/json/fields.py: Column {}: the json format cannot read the type {}": "a guard: no type that a column can have gets there",
    "formats/registry.py: Unknown format {}": "a guard: the option's check names the formats",
    "jobs/functions.py: {} is a built-in function": "Python's register: unit/jobs/test_python_functions.py",
    "jobs/functions.py: {} is no declared function": "Python's register: unit/jobs/test_python_functions.py",
    "jobs/functions.py: {}": "a stored function whose module is gone: unit/jobs/test_python_functions.py",
    "jobs/options.py: Expected a time zone such as 'UTC' or 'Asia/Seoul', got {}": "a guard: the planner has read the zone",
    "jobs/session.py: This session is closed": "not a statement's: unit/jobs/test_session.py",
}
"""Places, as `file: message`, with the reason, or the test that is of it."""


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
    for number, (_, title, _, steps) in enumerate(CASES):
        statements = [statement for statement, _ in steps]
        if any("> error" in line for _, said in steps for line in (f"> {one}" for one in said)):
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
    assert sorted(missing - EXEMPT.keys()) == [], "no golden error"
    assert sorted(EXEMPT.keys() - missing) == [], "these have a golden error, or are gone"
