"""Rows that `datagen` makes: the same for one seed however they are cut, within bounds, at a rate."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.clock import ManualClock
from yeoul.connectors.datagen.source import DatagenSource
from yeoul.errors import UserError
from yeoul.plan import types as t
from yeoul.plan.nodes import Field, Scan, Schema
from yeoul.plan.tables import Column, TableDefinition

COLUMNS = (
    Column("n", t.BIGINT),
    Column("i", t.INT),
    Column("big", t.BIGINT),
    Column("x", t.DOUBLE),
    Column("d", t.decimal(8, 2)),
    Column("s", t.STRING),
    Column("b", t.BYTES),
    Column("flag", t.BOOLEAN),
    Column("at", t.timestamp(3)),
    Column("ltz", t.timestamp_ltz(3)),
    Column("day", t.DATE),
    Column("tags", t.array_of(t.INT)),
    Column("m", t.map_of(t.STRING, t.INT)),
    Column("r", t.row_of(t.RowField("a", t.INT), t.RowField("b", t.STRING))),
)
OPTIONS = {
    "connector": "datagen",
    "seed": "7",
    "number-of-rows": "100",
    "rows-per-second": "1000000",
    "fields.n.kind": "sequence",
    "fields.n.start": "1",
    "fields.n.end": "1000",
    "fields.i.min": "-3",
    "fields.i.max": "3",
    "fields.s.length": "10",
    "fields.b.length": "4",
    "fields.x.null-rate": "0.5",
    "fields.at.max-past": "1 min",
    "fields.tags.length": "3",
    "fields.tags.var-len": "true",
    "fields.m.length": "2",
}
NOW_MS = 1_700_000_000_000


def source(options: dict[str, str], clock: ManualClock) -> DatagenSource:
    table = TableDefinition("t", COLUMNS, options=options)
    return DatagenSource(Scan(table, Schema(tuple(Field(c.name, c.type) for c in COLUMNS)), options), clock)


def rows(options: dict[str, str], max_bytes: int = 1 << 20, start: int | None = None) -> pl.DataFrame:
    clock = ManualClock(NOW_MS)
    reader = source(options, clock).open({} if start is None else {"datagen": start})
    clock.advance_ms(1_000)
    frames = []
    while True:
        polled = reader.poll(reader.splits(), max_bytes, 0.0)
        frames += [piece.decode().frame for piece in polled.pieces]
        if polled.finished:
            return pl.concat(frames)


@given(st.integers(1, 5_000))
@settings(max_examples=10, deadline=None)
def test_rows_do_not_depend_on_how_they_are_cut(max_bytes: int) -> None:
    assert rows(OPTIONS, max_bytes).equals(rows(OPTIONS))


def test_a_reader_goes_on_at_a_row_with_what_would_have_come() -> None:
    assert rows(OPTIONS, start=40).equals(rows(OPTIONS)[40:])


def test_another_seed_gives_other_rows() -> None:
    assert not rows({**OPTIONS, "seed": "8"})["i"].equals(rows(OPTIONS)["i"])


def test_values_keep_to_their_options() -> None:
    made = rows(OPTIONS)
    assert made["n"].to_list() == list(range(1, 101))
    assert set(made["i"].to_list()) == set(range(-3, 4))
    assert made["s"].str.contains("^[0-9a-f]{10}$").all()
    assert made["b"].bin.size().unique().to_list() == [4]
    assert 20 < made["x"].null_count() < 80
    assert set(made["tags"].list.len().to_list()) == {0, 1, 2, 3}
    assert made["m"].list.len().unique().to_list() == [2]
    latest = datetime.fromtimestamp(NOW_MS / 1_000 + 1, UTC).replace(tzinfo=None)
    assert made["at"].max() <= latest
    assert (latest - made["at"].min()).total_seconds() <= 60
    assert made.schema["at"] == pl.Datetime("ms")
    assert made.schema["ltz"] == pl.Datetime("ms", "UTC")


def test_a_sequence_ends_the_source() -> None:
    assert rows({**OPTIONS, "fields.n.end": "12"}).height == 12


def test_rows_come_at_the_rate_asked_for() -> None:
    clock = ManualClock(NOW_MS)
    options = {"connector": "datagen", "rows-per-second": "10"}
    reader = source(options, clock).open({})
    assert not reader.poll(reader.splits(), 1 << 20, 0.0).pieces
    clock.advance_ms(550)
    polled = reader.poll(reader.splits(), 1 << 20, 0.0)
    assert polled.pieces[0].decode().frame.height == 5
    assert polled.at_end == {"datagen"}
    assert not polled.finished
    assert not source(options, clock).is_bounded


def test_late_rows_are_made_again_whole() -> None:
    clock = ManualClock(NOW_MS)
    reader = source(OPTIONS, clock).open({"datagen": 10})
    clock.advance_ms(1_000)
    batch = reader.poll(reader.splits(), 1 << 20, 0.0).pieces[0].decode()
    recovered = batch.recover(pl.Series([3, 5]))
    assert recovered.drop("split", "position").equals(batch.frame[[3, 5]])
    assert recovered["position"].to_list() == ["13", "15"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fields.i.min": "5", "fields.i.max": "1"}, "Column 'i': expected min <= max within INT's range"),
        ({"fields.i.max": "3000000000"}, "Column 'i': expected min <= max within INT's range"),
        ({"fields.i.max": "many"}, "Option 'fields.i.max': expected a number for INT, got 'many'"),
        ({"fields.n.start": "9", "fields.n.end": "1"}, "Option 'fields.n.end': expected at least the start 9, got 1"),
    ],
)
def test_impossible_bounds_are_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        source({**OPTIONS, **options}, ManualClock())
