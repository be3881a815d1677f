"""Frames as tables, rows as printed lines, side streams as tables."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from yeoul.connectors.frame.tables import as_frame, define_table
from yeoul.connectors.slices import FrameReader
from yeoul.engine.runtime.side_streams import SideStreams
from yeoul.errors import UserError
from yeoul.plan import types as t
from yeoul.plan.tables import Column, ColumnKind

FRAME = pl.DataFrame({"id": [1, 2, 3], "name": ["a", None, "c"], "at": [dt.datetime(2024, 1, 1)] * 3})


@pytest.mark.parametrize(
    "given",
    [FRAME, FRAME.lazy(), FRAME.to_arrow(), FRAME.to_pandas(), FRAME.to_dicts(), FRAME.to_dict(as_series=False)],
    ids=["polars", "lazy", "arrow", "pandas", "dicts", "dict"],
)
def test_frames_of_other_libraries_become_tables(tables: Any, read: Any, given: object) -> None:
    tables.frames["t"] = as_frame("t", given)
    table = define_table("t", tables.frames["t"])
    got = read(tables.source(table.columns, table.options))
    assert got.select("id", "name").equals(FRAME.select("id", "name"))
    assert [str(column.type) for column in table.columns][:2] == ["BIGINT", "STRING"]


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(UserError, match=r"Table 't': cannot take a object"):
        as_frame("t", object())
    with pytest.raises(UserError, match=r"Table 't': cannot take a Int64Array"):
        as_frame("t", pa.array([1]))
    with pytest.raises(UserError, match=r"Table 't', column 'o': no SQL type for Object"):
        define_table("t", pl.DataFrame({"o": pl.Series([object()], dtype=pl.Object)}))


def test_a_frame_that_was_not_given_is_named(tables: Any) -> None:
    tables.frames["clicks"] = FRAME
    with pytest.raises(UserError, match=r"no frame named 'click' was given. Did you mean 'clicks'"):
        tables.source([Column("id", t.BIGINT)], {"connector": "frame", "frame.name": "click"})


def test_values_that_do_not_fit_the_declared_type_are_refused(tables: Any) -> None:
    tables.frames["t"] = pl.DataFrame({"id": ["x"]})
    with pytest.raises(UserError, match=r"Table 't', column 'id': String values do not fit BIGINT"):
        tables.source([Column("id", t.BIGINT)], {"connector": "frame"})


def test_pandas_nullable_columns_keep_their_nulls() -> None:
    frame = pd.DataFrame({"i": pd.array([1, None], dtype="Int64"), "s": ["x", None]})
    assert as_frame("t", frame).rows() == [(1, "x"), (None, None)]


def test_a_frame_is_read_in_slices_and_from_a_position() -> None:
    frame = pl.DataFrame({"i": range(5_000)})
    reader = FrameReader(frame, ("i",), 100, "frame")
    first = reader.poll(("frame",), 1, 0.0)
    assert first.pieces[0].decode().frame["i"].to_list() == list(range(100, 1_124))
    assert first.pieces[0].position_after == 1_124
    assert first.lag == {"frame": 5_000 - 1_124}
    assert not first.finished
    rest = reader.poll(("frame",), 1 << 30, 0.0)
    assert rest.finished == {"frame"}
    assert rest.pieces[0].decode().recover(pl.Series([0]))["position"].to_list() == ["1124"]


PRINTED = (
    ("at", t.timestamp(3), [dt.datetime(2024, 1, 1, 10), dt.datetime(2024, 1, 1, 10, 0, 5, 120_000)]),
    ("ltz", t.timestamp_ltz(3), [dt.datetime(2024, 1, 1, 10, 0, 0, 123_000, dt.UTC), None]),
    ("r", t.row_of(t.RowField("a", t.INT), t.RowField("b", t.STRING)), [{"a": 1, "b": "x"}, {"a": None, "b": "y"}]),
    ("b", t.BYTES, [b"AB", b"\xff"]),
    ("x", t.DOUBLE, [1.0, 12345678.9]),
    ("f", t.FLOAT, [0.1, 1e-5]),
    ("d", t.decimal(6, 2), [Decimal("1.50"), None]),
    ("tags", t.array_of(t.STRING), [["a", None], []]),
    ("m", t.map_of(t.STRING, t.INT), [[{"key": "k", "value": 1}], []]),
    ("ok", t.BOOLEAN, [True, False]),
    ("day", t.DATE, [dt.date(2024, 1, 1), None]),
    ("time", t.time(3), [dt.time(10, 0), dt.time(10, 0, 1, 5_000)]),
    ("gap", t.INTERVAL_DAY_TIME, [dt.timedelta(hours=1, milliseconds=1_500), dt.timedelta(0)]),
)


def test_rows_are_printed_as_flink_prints_them(tables: Any) -> None:
    from yeoul.engine.compile.dtypes import polars_dtype

    columns = [Column(name, kind) for name, kind, _ in PRINTED]
    frame = pl.DataFrame([pl.Series(name, values, dtype=polars_dtype(kind)) for name, kind, values in PRINTED])
    sink = tables.sink(columns, {"connector": "print", "print-identifier": "ID"})
    sink.write(frame)
    sink.flush()
    sink.close()
    assert tables.output.getvalue().splitlines() == [
        "ID> +I[2024-01-01T10:00, 2024-01-01T10:00:00.123Z, +I[1, x], [65, 66], 1.0, 0.1, 1.50, [a, null], {k=1}, "
        "true, 2024-01-01, 10:00, PT1H1.5S]",
        "ID> +I[2024-01-01T10:00:05.120, null, +I[null, y], [-1], 1.23456789E7, 1.0E-5, null, [], {}, "
        "false, null, 10:00:01.005, PT0S]",
    ]


def test_printing_goes_to_standard_error_when_asked(tables: Any) -> None:
    sink = tables.sink([Column("i", t.INT)], {"connector": "print", "standard-error": "true"})
    sink.write(pl.DataFrame({"i": [1]}))
    assert (tables.output.getvalue(), tables.errors.getvalue()) == ("", "+I[1]\n")


def test_blackhole_takes_anything(tables: Any) -> None:
    sink = tables.sink([Column("i", t.INT)], {"connector": "blackhole"})
    sink.write(pl.DataFrame({"i": [1]}))
    sink.flush()
    sink.close()


def test_side_streams_are_read_as_tables(tables: Any, read: Any, tmp_path: Path) -> None:
    streams = SideStreams(tmp_path)
    dead = pl.DataFrame({"split": ["p"], "position": ["7"], "reason": ["bad"], "raw": [b"{\xff"]})
    streams.append("clicks", "dead", dead)
    streams.flush()
    columns = [Column("reason", t.STRING), Column("raw", t.BYTES), Column("split", t.STRING), Column("text", t.STRING)]
    options = {"connector": "side-stream", "path": str(tmp_path), "table": "clicks", "kind": "dead"}
    got = read(tables.source(columns, options, ["reason", "raw", "text"]))
    assert got.select("reason", "raw").rows() == [("bad", b"{\xff")]
    assert read(tables.source(columns, {**options, "table": "others"})).height == 0


def test_metadata_and_computed_columns_do_not_disturb_a_frame(tables: Any, read: Any) -> None:
    tables.frames["t"] = FRAME
    columns = [Column("id", t.BIGINT), Column("twice", t.BIGINT, ColumnKind.COMPUTED)]
    assert read(tables.source(columns, {"connector": "frame"}, ["id"])).columns == ["id"]
