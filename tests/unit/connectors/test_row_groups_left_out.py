"""Row groups in which a query wants no row are not read: answer, late and dead rows are those of a full read."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import yeoul
from yeoul.connectors.batches import DecodedBatch
from yeoul.connectors.filesystem import parquet
from yeoul.engine.contract import Omitted
from yeoul.engine.runtime.batches import JoinedBatch

ROWS = 6_000
WINDOW = "TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND))"


def made_rows() -> list[dict[str, object]]:
    """Rows a tenth of a second apart, some far behind those before; rare ones, and two without time, in some places."""
    draw = random.Random(7)
    rows: list[dict[str, object]] = []
    for number in range(ROWS):
        at_ms = max(0, number * 100 - (60_000 if draw.random() < 0.02 else draw.randrange(3_000)))
        ts = f"2024-01-01 00:{at_ms // 60_000:02}:{at_ms // 1_000 % 60:02}.{at_ms % 1_000:03}"
        kind = draw.choice(["rare", *["often"] * 9]) if number // 1_000 in (1, 4) else "often"
        rows.append({"id": number, "kind": kind, "ts": ts, "text": f"text {number}", "x": draw.random()})
    rows[2_500]["ts"] = rows[4_500]["ts"] = None
    return rows


@pytest.fixture
def session(tmp_path: Path) -> Iterator[yeoul.Session]:
    rows = pl.DataFrame(made_rows()).with_columns(pl.col("ts").str.to_datetime(time_unit="ms"))
    rows.write_parquet(tmp_path / "t.parquet", row_group_size=1_000)
    with yeoul.Session() as session:
        session.sql(
            "CREATE TABLE t (id BIGINT, kind STRING, ts TIMESTAMP(3), text STRING, x DOUBLE,"
            " WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)"
            f" WITH ('connector' = 'filesystem', 'path' = '{tmp_path}', 'format' = 'parquet')"
        )
        yield session


def told_and_not(query: str) -> tuple[str, str]:
    """Returns a query whose filter the scan is told of, and one with the same answer whose filter it is not."""
    return query.format("kind = 'rare'"), query.format("REPLACE(kind, 'x', 'y') = 'rare'")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id, text, x FROM t WHERE {} ORDER BY id",
        f"SELECT window_start, COUNT(*), MAX(text) FROM {WINDOW} WHERE {{}} GROUP BY window_start, window_end",
        "SELECT id, ts, COUNT(*) OVER (PARTITION BY kind ORDER BY ts) AS n, text FROM t WHERE {}",
    ],
)
def test_answer_late_and_dead_rows_are_those_of_a_full_read(session: yeoul.Session, query: str) -> None:
    seen = []
    for one in told_and_not(query):
        rows = sorted(session.sql(one).rows())
        seen.append(
            (rows, *(sorted(session.sql(f"SELECT * FROM t${side}").rows(), key=str) for side in ("late", "dead")))
        )
    (told, late, dead), (untold, both_late, both_dead) = seen
    assert len(told) > 10
    assert told == untold
    assert len(both_late) == 2 * len(late)
    assert both_late[::2] == late
    assert len(both_dead) == 2 * len(dead)
    assert bool(late) == ("window" in query or "OVER" in query)
    assert len(dead) == 2


def test_two_readers_of_a_table_each_get_what_they_want(session: yeoul.Session) -> None:
    query = "SELECT COUNT(*), MAX(text) FROM t WHERE {} UNION ALL SELECT COUNT(*), MAX(text) FROM t WHERE id < 40"
    told, untold = told_and_not(query)
    assert sorted(session.sql(told).rows()) == sorted(session.sql(untold).rows())


def test_a_row_group_in_which_nothing_can_hold_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = pl.DataFrame({"id": range(5_000), "text": [f"t{i}" for i in range(5_000)]})
    rows.write_parquet(tmp_path / "t.parquet", row_group_size=1_000)
    read: list[tuple[int, list[str]]] = []
    whole = parquet.ParquetFile.read

    def noting(self, row_group, wanted):  # type: ignore[no-untyped-def]
        read.append((row_group, [column.name for column in wanted]))
        return whole(self, row_group, wanted)

    monkeypatch.setattr(parquet.ParquetFile, "read", noting)
    with yeoul.Session() as session:
        session.sql(
            "CREATE TABLE t (id BIGINT, text STRING)"
            f" WITH ('connector' = 'filesystem', 'path' = '{tmp_path}', 'format' = 'parquet')"
        )
        for condition, expected, groups in [
            ("id = 2500", [2_500], [2]),
            ("id < 1500 AND id >= 1498", [1_498, 1_499], [1]),
            ("id IN (1, 4999)", [1, 4_999], [0, 4]),
            ("id BETWEEN 3999 AND 4000", [3_999, 4_000], [3, 4]),
            ("4999 <= id OR text = 't0'", [0, 4_999], [0, 4]),
            ("id IS NULL", [], []),
        ]:
            read.clear()
            found = session.sql(f"SELECT id, text FROM t WHERE {condition}").rows()
            assert sorted(found) == [(number, f"t{number}") for number in expected]
            assert sorted({group for group, _ in read}) == groups


def test_batches_that_are_joined_tell_of_all_rows_left_out() -> None:
    frame = pl.DataFrame({"ts": [1, 5], "x": [1, 2]})
    whole = DecodedBatch(frame, 2)
    told = DecodedBatch(frame, 4, omitted=Omitted(pl.DataFrame({"ts": [0, 1, 9, 5]}), np.array([1, 3])))
    omitted = JoinedBatch([told, whole, told]).omitted
    assert omitted is not None
    assert omitted.times["ts"].to_list() == [0, 1, 9, 5, 1, 5, 0, 1, 9, 5]
    assert omitted.kept.tolist() == [1, 3, 4, 5, 7, 9]


CONDITIONS = [
    "x > 0.5",
    "x < -0.5",
    "x = 0.0",
    "x >= 9.0",
    "d > 3.25",
    "d IN (1.5, 2.5)",
    "d BETWEEN 0 AND 1",
    "s >= 'é'",
    "s = 'b'",
    "s < 'B' OR s IS NULL",
    "at_time > TIMESTAMP '2024-01-01 00:00:02.500'",
    "day_of = DATE '2024-01-03'",
    "b = 3",
    "b > 2 AND s IS NULL",
    "seen < TO_TIMESTAMP_LTZ(1704067203000, 3)",
    "TIMESTAMP '2024-01-01 00:00:01' >= at_time",
    "n = 3",
    "n > 9",
    "x <> 0.0",
]


def test_no_row_is_lost_whatever_its_type(tmp_path: Path) -> None:
    draw = random.Random(3)
    choices = {
        "x": [None, float("nan"), -0.0, 0.0, -1.0, 1.0, 9.5],
        "d": [None, Decimal("1.50"), Decimal("2.50"), Decimal("-3.00"), Decimal("3.26")],
        "s": [None, "", "a", "b", "é", "\U0001f600", "B"],
        "at_time": [None, *(datetime(2024, 1, 1, 0, 0, s, 500_999) for s in range(4))],
        "seen": [None, *(datetime(2024, 1, 1, 0, 0, s, 999, UTC) for s in range(5))],
        "day_of": [None, *(date(2024, 1, d) for d in range(1, 5))],
        "b": [None, *range(-2, 5)],
        "n": [None, "3", "10", "9"],
    }
    dtypes = {"d": pl.Decimal(10, 2), "at_time": pl.Datetime("us"), "seen": pl.Datetime("us", "UTC"), "b": pl.Int16}
    groups = []
    for _ in range(60):
        few = {name: draw.sample(values, draw.choice([1, 2])) for name, values in choices.items()}
        columns = {name: [draw.choice(values) for _ in range(4)] for name, values in few.items()}
        groups.append(pl.DataFrame(columns, schema_overrides=dtypes))
    pl.concat(groups, how="vertical_relaxed").write_parquet(tmp_path / "t.parquet", row_group_size=4)
    declared = (
        "x DOUBLE, d DECIMAL(10, 2), s STRING, at_time TIMESTAMP(3), seen TIMESTAMP_LTZ(3), day_of DATE, b BIGINT"
    )
    with yeoul.Session() as session:
        session.sql(
            f"CREATE TABLE t ({declared}, n INT)"
            f" WITH ('connector' = 'filesystem', 'path' = '{tmp_path}', 'format' = 'parquet')"
        )
        for condition in CONDITIONS:
            asked = f"SELECT COUNT(*) FROM t WHERE {condition}"
            untold = f"SELECT SUM(CASE WHEN {condition} THEN 1 ELSE 0 END) FROM t"
            assert session.sql(asked).rows() == session.sql(untold).rows(), condition
