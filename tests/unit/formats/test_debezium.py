"""`debezium-json`: changes as Debezium writes them become rows that come and go, and the other way as Flink has it."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.errors import UserError
from yeoul.formats.contract import Decoded, FormatColumn, RecordBuffer
from yeoul.formats.registry import make_change_encoder, make_decoder

COLUMNS = [FormatColumn("id", pl.Int64()), FormatColumn("name", pl.String())]
BEFORE, AFTER = {"id": 1, "name": "a"}, {"id": 1, "name": "b"}
_MAP = pl.List(pl.Struct({"key": pl.String(), "value": pl.String()}))


def buffer(records) -> RecordBuffer:
    texts = [one if isinstance(one, bytes | None) else json.dumps(one).encode() for one in records]
    lengths = np.array([-1 if one is None else len(one) for one in texts], np.int64)
    offsets = np.cumsum(np.maximum(lengths, 0)) - np.maximum(lengths, 0)
    return RecordBuffer(np.frombuffer(b"".join(one or b"" for one in texts) + b" ", np.uint8), offsets, lengths)


def decode(records, options=None, **more) -> Decoded:
    return make_decoder("debezium-json", COLUMNS, options, record=COLUMNS, **more).decode(buffer(records))


def changes(decoded: Decoded) -> list[tuple]:
    assert decoded.weights is not None
    return [(weight, *row) for weight, row in zip(decoded.weights.tolist(), decoded.frame.rows(), strict=True)]


def test_each_op_is_the_rows_that_come_and_go_an_update_what_was_right_before_what_is():
    decoded = decode(
        [
            {"before": None, "after": BEFORE, "op": "c", "source": {"db": "shop"}, "ts_ms": 1},
            {"before": BEFORE, "after": AFTER, "op": "u"},
            None,
            {"op": "r", "after": {"id": 2}},
            {"before": AFTER, "op": "d", "after": None},
        ]
    )
    assert changes(decoded) == [(1, 1, "a"), (-1, 1, "a"), (1, 1, "b"), (1, 2, None), (-1, 1, "b")]
    assert decoded.records is not None
    assert decoded.records.tolist() == [0, 1, 1, 3, 4]
    assert decoded.skipped == 1


BROKEN = [
    {"before": None, "after": AFTER, "op": "u"},
    {"before": None, "after": None, "op": "t"},
    {"op": "c", "after": None},
    {"id": 1},
    b"nonsense",
    {"op": "c", "after": {"id": "x"}},
]


def test_what_is_no_change_is_dead_with_its_reason_in_the_order_of_the_records():
    decoded = decode(BROKEN)
    assert decoded.frame.height == 0
    assert decoded.dead.records.tolist() == list(range(6))
    assert list(decoded.dead.reasons) == [
        "before: expected the row as it was, got NULL; PostgreSQL sends it after ALTER TABLE ... REPLICA IDENTITY FULL",
        "op: expected 'c', 'r', 'u' or 'd', got 't'",
        "after: expected the row, as op is 'c', got NULL",
        "op: expected 'c', 'r', 'u' or 'd', got 'NULL'",
        "not JSON: expected a value (byte 0: 'nonsense')",
        "field 'after.id': text cannot be read as BIGINT (byte 28: '\"x\"}}')",
    ]


def test_parse_errors_can_be_ignored_and_before_left_out_where_somebody_remembers():
    assert changes(decode(BROKEN, {"ignore-parse-errors": "true"})) == [(1, None, None)]
    assert changes(decode(BROKEN[:1], needs_before=False)) == [(1, 1, "b")]


def test_a_schema_around_the_payload_is_passed_over_and_metadata_is_read():
    source = {"ts_ms": 5, "db": "shop", "schema": "public", "table": "products", "pos": 7}
    record = {"schema": {"x": 1}, "payload": {"after": AFTER, "op": "c", "ts_ms": 9, "source": source}}
    texts = ("source.database", "source.schema", "source.table", "schema")
    times = ("ingestion-timestamp", "source.timestamp")
    metadata = {key: FormatColumn(key, pl.String()) for key in texts}
    metadata |= {key: FormatColumn(key, pl.Datetime("ms", "UTC")) for key in times}
    for more in ({}, {"source.properties": FormatColumn("source.properties", _MAP)}):
        read = {**metadata, **more}
        decoded = decode([record], {"schema-include": "true"}, metadata=read)
        (row,) = decoded.frame.with_columns(pl.col(*times).dt.epoch("ms")).to_dicts()
        assert [row[key] for key in texts] == ["shop", "public", "products", '{"x":1}']
        assert [row[key] for key in times] == [9, 5]
    pairs = {one["key"]: one["value"] for one in row["source.properties"]}
    assert pairs == {"ts_ms": "5", "db": "shop", "schema": "public", "table": "products", "pos": "7"}


ROWS = st.lists(st.tuples(st.booleans(), st.none() | st.integers(-9, 9), st.none() | st.text(max_size=14)))


@given(ROWS)
@settings(max_examples=80, deadline=None)
def test_what_is_written_is_read_back_the_same(rows):
    frame = pl.DataFrame([row[1:] for row in rows], schema={"id": pl.Int64, "name": pl.String}, orient="row")
    gone = np.array([row[0] for row in rows], np.bool_)
    written = make_change_encoder("debezium-json", COLUMNS).encode(frame, gone)
    decoded = make_decoder("debezium-json", COLUMNS, record=COLUMNS).decode(written)
    assert changes(decoded) == [(-1 if is_gone else 1, *row) for is_gone, *row in rows]


def test_rows_are_written_as_flink_writes_them():
    frame = pl.DataFrame({"id": [1, 1], "name": ["a", None]})
    written = make_change_encoder("debezium-json", COLUMNS).encode(frame, np.array([False, True]))
    assert [written.record(at) for at in range(2)] == [
        b'{"before":null,"after":{"id":1,"name":"a"},"op":"c"}',
        b'{"before":{"id":1,"name":null},"after":null,"op":"d"}',
    ]
    with pytest.raises(UserError, match="schema-include' cannot be true for a table that is written"):
        make_change_encoder("debezium-json", COLUMNS, {"schema-include": "true"})
