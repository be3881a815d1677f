"""Rows, progress and errors as text."""

from __future__ import annotations

import csv
import datetime
import io
import json
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yeoul.cli.rendering.progress import RateMeter, progress_line
from yeoul.cli.rendering.rows import WRITERS
from yeoul.engine.runtime.progress import OperatorState, Progress
from yeoul.plan.nodes import Field, Schema
from yeoul.plan.types import (
    BIGINT,
    BOOLEAN,
    BYTES,
    DATE,
    DOUBLE,
    INT,
    INTERVAL_DAY_TIME,
    STRING,
    DataType,
    RowField,
    array_of,
    decimal,
    map_of,
    row_of,
    time,
    timestamp,
    timestamp_ltz,
)

UTC = datetime.UTC


def written(
    form: str,
    schema: Schema,
    *batches: pl.DataFrame,
    is_bounded: bool = True,
    zone: str = "UTC",
    stopped: bool = False,
) -> str:
    output = io.StringIO()
    writer = WRITERS[form](schema, output, is_bounded=is_bounded, zone=zone)
    for batch in batches:
        writer.write(batch)
    writer.finish(stopped=stopped)
    return output.getvalue()


def schema_of(**types: DataType) -> Schema:
    return Schema(tuple(Field(name, type) for name, type in types.items()))


PAIR = schema_of(name=STRING, n=BIGINT)


def pairs(*rows: tuple[str | None, int | None]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema={"name": pl.String, "n": pl.Int64}, orient="row")


@pytest.mark.parametrize("is_bounded", [True, False])
def test_a_table_that_is_stopped_says_what_came_so_far_and_nothing_of_a_set(is_bounded: bool) -> None:
    assert written("table", PAIR, is_bounded=is_bounded, stopped=True) == ""
    shown = written("table", PAIR, pairs(("a", 1)), is_bounded=is_bounded, stopped=True)
    assert shown.splitlines()[-1] == "1 row so far"


def test_a_bounded_table_is_as_wide_as_its_rows() -> None:
    assert written("table", PAIR, pairs(("ann", 1)), pairs(("바람", None), ("c", 12345))) == (
        "+------+--------+\n"
        "| name |      n |\n"
        "+------+--------+\n"
        "| ann  |      1 |\n"
        "| 바람 | <NULL> |\n"
        "| c    |  12345 |\n"
        "+------+--------+\n"
        "3 rows in set\n"
    )


def test_no_rows_are_an_empty_set() -> None:
    assert written("table", PAIR) == "Empty set\n"
    assert written("json", PAIR) == ""
    assert written("csv", PAIR) == "name,n\n"


def test_rows_that_never_end_are_shown_as_they_come() -> None:
    output = io.StringIO()
    writer = WRITERS["table"](PAIR, output, is_bounded=False, zone="UTC")
    writer.write(pairs(("a", 1)))
    assert output.getvalue().endswith(f"| a                    | {1:>20} |\n")
    writer.write(pairs(("b", 2)))
    assert output.getvalue().endswith(f"| b                    | {2:>20} |\n")


def test_the_kind_of_change_takes_no_more_room_than_it_needs() -> None:
    output = io.StringIO()
    writer = WRITERS["table"](PAIR, output, is_bounded=False, zone="UTC")
    writer.write(pairs(("+I", 1)))
    assert output.getvalue().endswith(f"| +I   | {1:>20} |\n")


def test_a_bounded_table_waits_for_enough_rows_to_know_its_widths_and_no_longer() -> None:
    output = io.StringIO()
    writer = WRITERS["table"](PAIR, output, is_bounded=True, zone="UTC")
    writer.write(pairs(*[("a", 1)] * 999))
    assert output.getvalue() == ""
    writer.write(pairs(("longer", 1)))
    assert output.getvalue().count("\n") == 1003


def test_a_cell_stays_on_its_line_and_a_very_long_one_is_cut() -> None:
    text = written("table", schema_of(s=STRING), pl.DataFrame({"s": ["a\nb\t\x1b[31m", "x" * 200]}))
    assert r"| a\nb\t\x1b[31m " in text
    assert f"| {'x' * 79}… |\n" in text


VALUES = {
    "at": (timestamp(3), pl.Datetime("ms"), datetime.datetime(2024, 1, 1, 10, 0, 0, 500_000)),
    "whole": (timestamp(3), pl.Datetime("ms"), datetime.datetime(2024, 1, 1, 10)),
    "ltz": (timestamp_ltz(3), pl.Datetime("ms", "UTC"), datetime.datetime(2024, 1, 1, 10, tzinfo=UTC)),
    "day": (DATE, pl.Date(), datetime.date(2024, 1, 2)),
    "clock": (time(3), pl.Time(), datetime.time(1, 2, 3)),
    "price": (decimal(10, 2), pl.Decimal(10, 2), Decimal("1.50")),
    "raw": (BYTES, pl.Binary(), b"\xff\x00"),
    "ok": (BOOLEAN, pl.Boolean(), True),
    "span": (INTERVAL_DAY_TIME, pl.Duration("ms"), datetime.timedelta(days=1, seconds=1)),
    "list": (array_of(INT), pl.List(pl.Int32()), [1, None]),
    "row": (
        row_of(RowField("a", INT), RowField("b", timestamp(3))),
        None,
        {"a": 1, "b": datetime.datetime(2024, 1, 1)},
    ),
    "map": (map_of(STRING, DOUBLE), None, [{"key": "k", "value": 1.5}]),
}


@pytest.fixture
def everything() -> tuple[Schema, pl.DataFrame]:
    schema = Schema(tuple(Field(name, type) for name, (type, _, _) in VALUES.items()))
    frame = pl.DataFrame([pl.Series(name, [value, None], dtype=dtype) for name, (_, dtype, value) in VALUES.items()])
    return schema, frame


def test_every_type_as_json(everything: tuple[Schema, pl.DataFrame]) -> None:
    first, second = (json.loads(line) for line in written("json", *everything).splitlines())
    assert first == {
        "at": "2024-01-01 10:00:00.5",
        "whole": "2024-01-01 10:00:00",
        "ltz": "2024-01-01 10:00:00Z",
        "day": "2024-01-02",
        "clock": "01:02:03",
        "price": 1.5,
        "raw": "/wA=",
        "ok": True,
        "span": "+1 00:00:01.000",
        "list": [1, None],
        "row": {"a": 1, "b": "2024-01-01 00:00:00"},
        "map": {"k": 1.5},
    }
    assert set(second.values()) == {None}
    assert '"price":1.50' in written("json", *everything)


def test_every_type_as_csv(everything: tuple[Schema, pl.DataFrame]) -> None:
    header, first, second = csv.reader(io.StringIO(written("csv", *everything)))
    cells = dict(zip(header, first, strict=True))
    assert cells["at"] == "2024-01-01 10:00:00.5"
    assert cells["price"] == "1.50"
    assert json.loads(cells["row"]) == {"a": 1, "b": "2024-01-01 00:00:00"}
    assert json.loads(cells["map"]) == {"k": 1.5}
    assert second == [""] * len(VALUES)


def test_every_type_in_a_table(everything: tuple[Schema, pl.DataFrame]) -> None:
    lines = written("table", *everything, zone="Asia/Seoul").splitlines()
    cells = [cell.strip() for cell in lines[3].strip("|").split("|")]
    assert dict(zip(VALUES, cells, strict=True)) == {
        "at": "2024-01-01 10:00:00.500",
        "whole": "2024-01-01 10:00:00.000",
        "ltz": "2024-01-01 19:00:00.000",
        "day": "2024-01-02",
        "clock": "01:02:03",
        "price": "1.50",
        "raw": "x'ff00'",
        "ok": "TRUE",
        "span": "+1 00:00:01.000",
        "list": "[1, NULL]",
        "row": "(1, 2024-01-01 00:00:00.000)",
        "map": "{k=1.5}",
    }
    assert {cell.strip() for cell in lines[4].strip("|").split("|")} == {"<NULL>"}


@given(st.lists(st.tuples(st.text() | st.none(), st.integers(-(2**63), 2**63 - 1) | st.none()), max_size=20))
def test_json_and_csv_give_back_what_went_in(rows: list[tuple[str | None, int | None]]) -> None:
    frame = pairs(*rows)
    lines = [line for line in written("json", PAIR, frame).split("\n") if line]
    assert [tuple(json.loads(line).values()) for line in lines] == rows
    back = pl.read_csv(written("csv", PAIR, frame).encode(), schema=frame.schema)
    assert back.equals(frame)


def progress(**changes: object) -> Progress:
    values = {
        "status": "running",
        "records_in": 1_510,
        "rows_in": 1_500,
        "rows_out": 12,
        "bytes_in": 0,
        "batches": 3,
        "late": 2,
        "dead": 10,
        "watermark_ms": 1_704_103_200_000,
        "latest_ms": None,
        "held_by": None,
        "splits": (),
        "started_ms": 0,
        "elapsed_s": 3.0,
    }
    return Progress(**(values | changes))  # type: ignore[arg-type]


def test_a_progress_line_holds_what_matters() -> None:
    assert progress_line("hits", "RUNNING", progress(), RateMeter(), 1.0) == (
        "INSERT INTO hits: running | rows in 1.5 k (0/s) | out 12 | watermark 2024-01-01 10:00:00.000 | lag - | "
        "late 2 | dead 10"
    )


def test_a_progress_line_says_what_state_takes_and_what_of_it_lies_on_disk() -> None:
    operators = (OperatorState("GROUP BY", 3 << 20, 5 << 30), OperatorState("TUMBLE", 1 << 20, 0))
    line = progress_line("hits", "RUNNING", progress(operators=operators), RateMeter(), 1.0)
    assert line.endswith(" | state 4.0 MB + 5.0 GB on disk")


def test_the_rate_at_the_end_is_that_of_the_whole_run() -> None:
    assert "rows in 1.5 k (500/s)" in progress_line("hits", "FINISHED", progress(), RateMeter(), 1.0)


def test_a_rate_is_that_of_the_last_seconds() -> None:
    meter = RateMeter()
    for second in range(20):
        meter.rate(0, float(second))
    assert meter.rate(6_000, 20.0) == pytest.approx(1_000, rel=0.2)
