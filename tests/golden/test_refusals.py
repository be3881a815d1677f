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
        "planner/binding/sources.py: {} is not supported in FROM",
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
        "catalog/stored.py: Catalog {} is no catalog: it is another program's database, with {}",
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
    "files that change or break while they are read: unit/connectors/test_files_as_sources.py": (
        "connectors/filesystem/compressed.py: Cannot decompress {} as {}: {}",
        "connectors/filesystem/listing.py: Cannot {} {}: {}",
        "connectors/filesystem/listing.py: {}: there is no directory {}",
        "connectors/filesystem/parquet.py: Cannot read row group {} of {}: {}",
        "connectors/filesystem/parquet.py: {}, column {}: {} values do not fit {}: {}",
        "connectors/filesystem/sink.py: {} holds other columns than the table: {}",
        "connectors/filesystem/text.py: {}: the line at byte {} is longer than {}",
    ),
    "frames are handed in by Python: unit/connectors/test_frames_and_printing.py": (
        "connectors/frame/source.py: Table {}: no frame named {} was given",
        "connectors/frame/source.py: {}: the frame has no such column",
        "connectors/frame/source.py: {}: {} values do not fit {}: {}",
        "connectors/frame/tables.py: Table {}, column {}: no SQL type for {}",
        "connectors/frame/tables.py: Table {}: cannot take a {}: {}",
        "connectors/frame/tables.py: Table {}: expected a frame, got a {}",
    ),
    "a database's own words, or a package that is not there: unit/jobs/test_lookup_joins.py": (
        "connectors/jdbc/duckdb.py: DuckDB cannot open {}: {}",
        "connectors/jdbc/duckdb.py: DuckDB files need the package 'duckdb'",
        "connectors/jdbc/lookup.py: Table {} cannot be looked up: {}",
        "connectors/jdbc/lookup.py: Table {}: {}",
        "connectors/jdbc/postgresql.py: Column {}: PostgreSQL cannot be asked by {}",
        "connectors/jdbc/postgresql.py: PostgreSQL needs the package 'adbc-driver-postgresql'",
        "connectors/jdbc/sqlite.py: SQLite cannot open {}: {}",
    ),
    "needs a broker: conformance/connectors/test_topics_as_sources.py, test_topics_as_sinks.py": (
        "connectors/kafka/cluster.py: Kafka at {} is not ready: {}",
        "connectors/kafka/cluster.py: Topic {} does not exist on {}",
        "connectors/kafka/cluster.py: {}",
        "connectors/kafka/offsets.py: 'scan.bounded.mode' = 'group-offsets' needs 'properties.group.id'",
        "connectors/kafka/offsets.py: Option {}: there is no partition {}",
        "connectors/kafka/offsets.py: There is no offset to start from for partition {} of topic {}: "
        "group {} has committed none",
        "connectors/kafka/producer.py: Producing failed: {}",
        "connectors/kafka/producer.py: Topic {}, partition {}: records were not acknowledged within {} s",
        "connectors/kafka/producer.py: {}the broker refused records: {}",
        "connectors/kafka/reader.py: Topic {}, partition {}, offset {}: {}",
        "connectors/kafka/reader.py: {}",
        "connectors/kafka/reader.py: {}: the broker refused a fetch: {}",
        "connectors/kafka/reader.py: {}; gave up after {} s",
        "connectors/kafka/source.py: Option 'topic-pattern': no topic on {} matches {}",
    ),
    "needs a broker that sends nonsense: conformance/connectors/test_hostile_brokers.py": (
        "connectors/kafka/connection.py: Broker {} offers {} versions {} to {}, expected one of {} to {}",
        "connectors/kafka/pieces.py: One answer decompresses to {} bytes, expected at most {}",
        "connectors/kafka/pieces.py: Topic {}, partition {}: the record batch at offset {} is damaged: {}",
    ),
    "needs a broker with logins: unit/connectors/test_kafka_security.py": (
        "connectors/kafka/security.py: 'ssl.keystore.location' names a PKCS12 file, which cannot be used here",
        "connectors/kafka/security.py: Cannot load the TLS files of 'properties.ssl.*': {}",
        "connectors/kafka/security.py: Option 'properties.sasl.mechanism': {} is not supported",
        "connectors/kafka/security.py: SASL needs a user and a password",
        "connectors/kafka/security.py: The broker could not prove that it knows the password",
        "connectors/kafka/security.py: The broker does not offer SASL mechanism {}",
        "connectors/kafka/security.py: The broker refused the login: {}",
        "connectors/kafka/security.py: The broker sent a broken SaslAuthenticate response",
        "connectors/kafka/security.py: The broker sent an unsafe SCRAM challenge",
    ),
    "Python functions that fail: golden/sql/python_functions.txt, unit/jobs/test_python_functions.py": (
        "engine/compile/aggregates/python.py: The accumulator of {} cannot be kept: {}",
        "engine/compile/aggregates/python.py: The function {} failed over a group of {} rows: {}",
        "engine/compile/aggregates/python.py: The function {} failed: {}",
        "engine/compile/aggregates/python.py: {} of {} failed: {}",
        "engine/compile/python_functions.py: The function {} failed for {}: {}",
        "engine/compile/python_functions.py: The function {} failed in row {} of {}, for ({}): {}",
        "engine/compile/python_functions.py: The function {} got columns of {} rows and returned {}",
        "engine/compile/python_functions.py: open of {} failed: {}",
    ),
    "a guard: the planner has judged the call; unit/compile": (
        "engine/compile/aggregates/lowering.py: {} cannot be computed: no such aggregate",
        "engine/compile/aggregates/quantiles.py: The share in {} must be a literal from 0 to 1",
        "engine/compile/expressions.py: {} cannot be computed: {} has no implementation",
        "engine/compile/regular_expressions.py: The regular expression of {} must be a literal",
        "engine/compile/structures.py: What stands for NULL in {} must be a literal",
        "engine/compile/temporal.py: Unknown unit {} in {}",
        "engine/compile/temporal.py: {} has no {}, in {}",
        "engine/compile/text.py: The regular expression {} of {} is not valid: {}",
        "engine/compile/variants.py: Whether {} takes doubles must be TRUE or FALSE",
        "engine/compile/variants.py: {} needs {}, got {}",
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
