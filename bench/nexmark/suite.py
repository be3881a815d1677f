"""The queries, what they need, and their right answers from DuckDB.

`queries/qNN.sql` is what a user writes for Flink; `oracle/qNN.sql` asks DuckDB for the same over three plain tables and
was written for the meaning, not translated. `answer` brings a query's rows, changes or not, to one form in which both
can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb
import polars as pl

from bench.nexmark.events import Events

__all__ = [
    "NAMES",
    "NOT_YET",
    "SIDE_ROWS",
    "answer",
    "differences",
    "expected",
    "query",
    "side_input",
    "spark_job",
    "tables",
]

_HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in (_HERE / "queries").glob("q*.sql"))
NOT_YET: Mapping[str, str] = {
    "q06": "OVER over rows that change, in streaming mode; over bounded input it runs",
}
"""Queries that yeoul refuses today, in some mode at least, and what is missing."""
SIDE_ROWS = 10_000
_SPARK_SCHEMA = (
    "event_type int, person struct<id: bigint, name: string, emailAddress: string, creditCard: string, city: string, "
    "state: string, dateTime: timestamp, extra: string>, auction struct<id: bigint, itemName: string, "
    "description: string, initialBid: bigint, reserve: bigint, dateTime: timestamp, expires: timestamp, "
    "seller: bigint, category: bigint, extra: string>, bid struct<auction: bigint, bidder: bigint, price: bigint, "
    "channel: string, url: string, dateTime: timestamp, extra: string>"
)
_OP = "op"
_GONE = ("-U", "-D")
_TIMED_BID = "CREATE VIEW timed_bid AS SELECT *, PROCTIME() AS seen_at FROM bid;\n"
_SIDE = "CREATE TABLE side_input (`key` BIGINT, `value` STRING) WITH ({});\n"


def query(name: str) -> str:
    """Returns the SELECT of a query."""
    return (_HERE / "queries" / f"{name}.sql").read_text().strip()


def tables(name: str, events: Mapping[str, str], side: Mapping[str, str] | None = None) -> str:
    """Returns the statements that declare what a query reads.

    Args:
        name: The query.
        events: Options of the table of events.
        side: Options of the side table, for q13.
    """
    declared = (_HERE / "queries" / "tables.sql").read_text().replace("{options}", _written(events))
    if name in ("q12", "q13"):
        declared += _TIMED_BID
    if name == "q13":
        assert side is not None, "q13 looks rows up in a side table"
        declared += _SIDE.format(_written(side))
    return declared


def spark_job(name: str) -> dict[str, object] | None:
    """Returns a query in Spark's words, with its views, schema and output mode; None where it has not been written.

    Spark has no window functions over streams in SQL and refuses DISTINCT aggregates; the first line says the mode.
    """
    path = _HERE / "spark" / f"{name}.sql"
    if not path.exists():
        return None
    head, _, text = path.read_text().partition("\n")
    views = {}
    for number, kind in enumerate(("person", "auction", "bid")):
        views[kind] = f"SELECT {kind}.*, dateTime AS at FROM events WHERE event_type = {number}"
    return {"query": text.strip(), "mode": head.removeprefix("-- ").strip(), "views": views, "schema": _SPARK_SCHEMA}


def _written(options: Mapping[str, str]) -> str:
    return ", ".join(f"'{key}' = '{value}'" for key, value in options.items())


def side_input() -> pl.DataFrame:
    """Returns what q13 looks up: a text for each number."""
    keys = pl.Series("key", range(SIDE_ROWS), dtype=pl.Int64)
    return pl.DataFrame({"key": keys, "value": pl.select(pl.format("side {}", keys)).to_series()})


def expected(name: str, events: Events) -> pl.DataFrame:
    """Returns DuckDB's answer."""
    with duckdb.connect() as base:
        for kind in ("person", "auction", "bid"):
            base.register(kind, getattr(events, kind))
        base.register("side_input", side_input())
        return base.sql((_HERE / "oracle" / f"{name}.sql").read_text()).pl()


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


def _texts(frame: pl.DataFrame) -> pl.DataFrame:
    """All columns as texts in one spelling, since two engines give a number or a time different types."""
    spelled = []
    for name, dtype in frame.schema.items():
        column = pl.col(name)
        if isinstance(dtype, pl.Datetime):
            column = column.cast(pl.Datetime("ms"))
        elif dtype.is_float():
            column = column.round_sig_figs(9)
        spelled.append(column.cast(pl.String))
    return frame.select(spelled)
