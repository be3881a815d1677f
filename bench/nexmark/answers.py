"""Answers compared: what a query's rows come to, in one spelling, against the right rows, in any order.

Two engines give a number or a time different types. What counts as equal: columns by their place; times to the
millisecond; numbers that are not whole to nine digits; where the right answer is whole, a number's whole part, since
SQL's AVG of whole numbers is one and other dialects' is not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

__all__ = ["KEYS", "answer", "differences", "read_answer"]

KEYS: Mapping[str, Sequence[int]] = {
    "q04": (0,),
    "q12": (0, 2, 3),
    "q15": (0,),
    "q16": (0, 1),
    "q17": (0, 1),
    "q18": (0, 1),
}
"""By query, the places of the columns that tell its rows apart: where an engine gives a row anew without taking back
what it was, the last one of a key counts."""
_OP = "op"
_GONE = ("-U", "-D", "update_before", "delete")


def answer(name: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Returns what a query's rows come to: changes carried out, and what is another's at each run left out."""
    if _OP in rows.columns:
        weight = pl.when(pl.col(_OP).is_in(_GONE)).then(-1).otherwise(1).sum().alias("$weight")
        left = rows.group_by(pl.exclude(_OP)).agg(weight)
        assert (left["$weight"] >= 0).all(), "a row is taken back that was never given"
        left = left.filter(pl.col("$weight") > 0)
        rows = left.select(pl.exclude("$weight").repeat_by("$weight")).explode(pl.all())
    if name == "q12":
        return rows.group_by("bidder").agg(pl.col("bids").sum())
    return rows


def differences(name: str, rows: pl.DataFrame, right: pl.DataFrame) -> list[str]:
    """Compares a query's rows, in any order, with the right ones; returns what differs, at most ten lines."""
    ours, theirs = _texts(answer(name, rows)), _texts(right)
    if ours.columns != theirs.columns:
        return [f"columns: {ours.columns} against {theirs.columns}"]
    counted = [frame.group_by(frame.columns).len(marker) for frame, marker in ((ours, "ours"), (theirs, "right"))]
    both = counted[0].join(counted[1], on=ours.columns, how="full", coalesce=True, nulls_equal=True)
    odd = both.filter(pl.col("ours").fill_null(0) != pl.col("right").fill_null(0))
    return [str(row) for row in odd.head(10).rows(named=True)]


def read_answer(name: str, path: Path, right: pl.DataFrame) -> pl.DataFrame:
    """Returns the rows that an engine's program wrote, typed and named as the right ones are.

    Args:
        name: The query.
        path: The kind of change and the values, one JSON list a line.
        right: The right answer.
    """
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    if not any(kind in _GONE for kind, *_ in rows) and name in KEYS:
        rows = _last_of_each(rows, KEYS[name])
    schema, width = right.schema, right.width
    columns = [pl.Series(_OP, [row[0] for row in rows], dtype=pl.String)]
    for place, (column, dtype) in enumerate(schema.items()):
        found = [row[1 + place] if place + 1 < len(row) else None for row in rows]
        columns.append(_typed(column, found, dtype))
    extra = max((len(row) - 1 - width for row in rows), default=0)
    if extra > 0 and name != "q12":
        columns.append(pl.Series(f"{extra} more columns", [None] * len(rows)))
    return pl.DataFrame(columns)


def _last_of_each(rows: Sequence[Sequence[object]], key: Sequence[int]) -> list[Sequence[object]]:
    last = {tuple(row[1 + place] for place in key if place + 1 < len(row)): row for row in rows}
    return list(last.values())


def _typed(name: str, values: list[object], dtype: pl.DataType) -> pl.Series:
    if isinstance(dtype, pl.Datetime):
        if any(isinstance(value, int) for value in values):
            return pl.Series(name, values, dtype=pl.Int64).cast(pl.Datetime("ms"))
        texts = pl.Series(name, values, dtype=pl.String).str.replace("T", " ", literal=True)
        return texts.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us").cast(pl.Datetime("ms"))
    if dtype == pl.String or isinstance(dtype, pl.Decimal):
        return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String).cast(dtype)
    numbers = pl.Series(name, [None if value is None else float(str(value)) for value in values], dtype=pl.Float64)
    return numbers.floor().cast(pl.Int64) if dtype.is_integer() else numbers


def _texts(frame: pl.DataFrame) -> pl.DataFrame:
    spelled = []
    for name, dtype in frame.schema.items():
        column = pl.col(name)
        if isinstance(dtype, pl.Datetime):
            column = column.cast(pl.Datetime("ms"))
        elif dtype.is_float():
            column = column.round_sig_figs(9)
        spelled.append(column.cast(pl.String))
    return frame.select(spelled)
