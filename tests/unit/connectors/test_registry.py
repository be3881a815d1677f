"""What a WITH clause may say, and the messages for what it may not."""

from __future__ import annotations

import subprocess
import sys

import polars as pl
import pytest

from yeoul.connectors.registry import CONNECTORS, check_options, how_to_bound, is_bounded, open_sink, open_source
from yeoul.connectors.spec import ConnectorContext
from yeoul.errors import UserError
from yeoul.plan.nodes import Field, Scan, Schema, Values, Write
from yeoul.plan.tables import Column, ColumnKind, TableDefinition
from yeoul.plan.types import BIGINT, INT, STRING, RowField, row_of

COLUMNS = (Column("id", INT), Column("name", STRING))
KAFKA = {"connector": "kafka", "topic": "t", "properties.bootstrap.servers": "localhost:9092", "format": "json"}
FILE = {"connector": "filesystem", "path": "/tmp/a.json", "format": "json"}

GOLDEN = [
    (
        {},
        "A table needs the option 'connector'. Known: blackhole, datagen, filesystem, jdbc, kafka, print, upsert-kafka",
    ),
    ({"connector": "kafak"}, "Unknown connector 'kafak'. Did you mean 'kafka'?"),
    ({**FILE, "pth": "x"}, "Unknown option 'pth' for connector 'filesystem'. Did you mean 'path'?"),
    (
        {"connector": "filesystem", "format": "json"},
        "Connector 'filesystem' needs the option 'path'. Add 'path' = '...' to WITH: A file, a directory or a glob.",
    ),
    (
        {"connector": "filesystem", "path": "x"},
        "Connector 'filesystem' needs the option 'format'. For example 'format' = 'json'.",
    ),
    (
        {**FILE, "format": "jsn"},
        "Unknown format 'jsn' for connector 'filesystem'. Did you mean 'json'?",
    ),
    (
        {**FILE, "json.ignore-parse-error": "true"},
        "Unknown option 'json.ignore-parse-error'. Did you mean 'json.ignore-parse-errors'?",
    ),
    (
        {**FILE, "csv.field-delimiter": ";"},
        "Unknown option 'csv.field-delimiter' for connector 'filesystem'. "
        "It belongs to the format 'csv'; the table's is 'json'.",
    ),
    (
        {**FILE, "source.monitor-interval": "soon"},
        "Option 'source.monitor-interval': Expected a duration such as '200 ms', '5 s' or '1 min', got 'soon'",
    ),
    (
        {**FILE, "path": "s3://bucket/a.json"},
        "Option 'path': 's3' is not supported, got 's3://bucket/a.json'. Give a path on this machine.",
    ),
    (
        {**KAFKA, "scan.startup.mode": "earliest"},
        "Option 'scan.startup.mode': Expected one of 'earliest-offset', 'latest-offset', 'group-offsets', 'timestamp', "
        "'specific-offsets', got 'earliest'. Did you mean 'earliest-offset'?",
    ),
    (
        {**KAFKA, "scan.startup.mode": "timestamp"},
        "Option 'scan.startup.mode' = 'timestamp' needs the option 'scan.startup.timestamp-millis'",
    ),
    (
        {**KAFKA, "topic-pattern": "t.*"},
        "Connector 'kafka' needs either 'topic' or 'topic-pattern', got both. "
        "Say 'topic' = 'name' in WITH, or several as 'a;b'.",
    ),
    (
        {**KAFKA, "key.fields": "idd", "key.format": "raw"},
        "Option 'key.fields': the table has no column 'idd'. Did you mean 'id'?",
    ),
    (
        {**KAFKA, "key.fields": "id"},
        "Option 'key.fields' needs the option 'key.format'. For example 'key.format' = 'raw'.",
    ),
    (
        {**KAFKA, "scan.startup.specific-offsets": "0:42"},
        "Option 'scan.startup.specific-offsets': Expected 'partition:0,offset:42;partition:1,offset:300', got '0:42'",
    ),
    (
        {"connector": "datagen", "fields.idd.min": "1"},
        "Option 'fields.idd.min': the table has no column 'idd'. Did you mean 'id'?",
    ),
    (
        {"connector": "datagen", "rows-per-second": "0"},
        "Option 'rows-per-second': Expected a whole number of at least 1, got '0'",
    ),
]


@pytest.mark.parametrize(("options", "message"), GOLDEN, ids=[message[:40] for _, message in GOLDEN])
def test_a_wrong_option_gives_one_clear_message(options: dict[str, str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        check_options(options, COLUMNS)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "options",
    [
        {**KAFKA, "properties.anything.at.all": "x", "scan.watermark.idle-timeout": "3 s"},
        {
            **KAFKA,
            "value.format": "json",
            "key.format": "raw",
            "key.fields": "id",
            "value.json.ignore-parse-errors": "true",
        },
        {**FILE, "json.ignore-parse-errors": "true", "scan.parallelism": "2"},
        {"connector": "datagen", "fields.id.kind": "sequence", "fields.id.start": "1", "fields.id.end": "5"},
        {"connector": "print", "print-identifier": "x"},
    ],
)
def test_known_options_pass(options: dict[str, str]) -> None:
    check_options(options, COLUMNS)


def test_an_unknown_metadata_key_names_the_nearest() -> None:
    columns = (*COLUMNS, Column("o", BIGINT, ColumnKind.METADATA, "offst"))
    with pytest.raises(UserError) as caught:
        check_options(KAFKA, columns)
    assert str(caught.value) == "Unknown metadata 'offst' of connector 'kafka', column 'o'. Did you mean 'offset'?"


def test_a_connector_that_only_writes_cannot_be_read() -> None:
    table = TableDefinition("t", COLUMNS, options={"connector": "print"})
    with pytest.raises(UserError, match=r"Table 't' cannot be read: connector 'print' only writes"):
        open_source(Scan(table, Schema(()), table.options), ConnectorContext())


def test_a_connector_that_only_reads_cannot_be_written() -> None:
    table = TableDefinition("t", COLUMNS, options={"connector": "datagen"})
    with pytest.raises(UserError, match=r"Table 't' cannot be written: connector 'datagen' only reads"):
        open_sink(Write(Values((), Schema(())), table, table.options), ConnectorContext())


def test_every_option_is_documented() -> None:
    for spec in CONNECTORS.values():
        for option in spec.options:
            assert option.doc.endswith((".", "'")), (spec.name, option.name)


def test_checking_options_loads_nothing_heavy() -> None:
    code = (
        "import sys, yeoul.connectors.registry as r\n"
        f"r.check_options({KAFKA!r}, ())\n"
        "print([m for m in ('polars', 'pyarrow', 'numba', 'numpy', 'confluent_kafka', 'ssl') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


SEQUENCE = {"fields.id.kind": "SEQUENCE", "fields.id.start": "1", "fields.id.end": "5"}


@pytest.mark.parametrize(
    ("options", "ends"),
    [
        (FILE, True),
        ({**FILE, "source.monitor-interval": "1 s"}, False),
        (KAFKA, False),
        ({**KAFKA, "scan.bounded.mode": "unbounded"}, False),
        ({**KAFKA, "scan.bounded.mode": "Latest-Offset"}, True),
        ({**KAFKA, "scan.bounded.mode": "timestamp", "scan.bounded.timestamp-millis": "5"}, True),
        ({"connector": "datagen"}, False),
        ({"connector": "datagen", "number-of-rows": "0"}, True),
        ({"connector": "datagen", "fields.id.kind": "random"}, False),
        ({"connector": "datagen", **SEQUENCE}, True),
        ({"connector": "datagen", "fields.at.f.kind": "sequence", "fields.at.f.start": "1"}, False),
        ({"connector": "frame"}, True),
        ({"connector": "side-stream", "path": "/tmp/none", "table": "t", "kind": "late"}, True),
    ],
)
def test_options_say_what_the_source_says_about_its_end(options: dict[str, str], ends: bool) -> None:
    columns = (*COLUMNS, Column("at", row_of(RowField("f", INT))))
    if options["connector"] == "kafka":
        options = {**options, "scan.startup.mode": "earliest-offset"}
    table = TableDefinition("t", columns, options=options)
    scan = Scan(table, Schema((Field("id", INT),)), options)
    frame = pl.DataFrame({"id": [1], "name": ["a"], "at": [{"f": 1}]})
    source = open_source(scan, ConnectorContext(frames={"t": frame}))
    assert (is_bounded(options), source.is_bounded) == (ends, ends)
    assert ends or how_to_bound(options)
