"""The queries, what they need, and their right answers from DuckDB.

`queries/qNN.sql` is what a user writes for Flink; `oracle/qNN.sql` asks DuckDB for the same over three plain tables and
was written for the meaning, not translated. `spark`, `ubik` and `clink` have the same queries in these engines' words:
rewritten where that makes an engine take them, in the plainest words where it does not; `flink` those that it refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb
import polars as pl

from bench.nexmark.events import Events, Layout

__all__ = ["NAMES", "NOT_YET", "SIDE_ROWS", "expected", "query", "query_for", "side_input", "tables"]

_HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in (_HERE / "queries").glob("q*.sql"))
NOT_YET: Mapping[str, str] = {"q06": "OVER over rows that change, in streaming mode; over bounded input it runs"}
"""Queries that yeoul refuses today, in some mode at least, and what is missing."""
SIDE_ROWS = 10_000
_TIMED_BID = "CREATE VIEW timed_bid AS SELECT *, PROCTIME() AS seen_at FROM bid;\n"
_SIDE = "CREATE TABLE side_input (`key` BIGINT, `value` STRING) WITH ({});\n"


def query(name: str) -> str:
    """Returns the SELECT of a query."""
    return (_HERE / "queries" / f"{name}.sql").read_text().strip()


def query_for(engine: str, name: str) -> tuple[str, str]:
    """Returns a query in another engine's words, and what its first line, a comment, says beside it.

    Flink has words of its own only where it does not take the suite's.
    """
    path = _HERE / engine / f"{name}.sql"
    if engine == "flink" and not path.exists():
        return query(name), ""
    head, _, text = path.read_text().partition("\n")
    return (text.strip(), head.removeprefix("-- ")) if head.startswith("-- ") else (f"{head}\n{text}".strip(), "")


def tables(
    name: str, events: Mapping[str, str], side: Mapping[str, str] | None = None, layout: Layout = "nested"
) -> str:
    """Returns the statements that declare what a query reads.

    Args:
        name: The query.
        events: Options of the table of events.
        side: Options of the side table, for q13.
        layout: How the events are written.
    """
    path = _HERE / "queries" / ("tables.sql" if layout == "nested" else "tables_flat.sql")
    declared = path.read_text().replace("{options}", _written(events))
    if name in ("q12", "q13"):
        declared += _TIMED_BID
    if name == "q13":
        assert side is not None, "q13 looks rows up in a side table"
        declared += _SIDE.format(_written(side))
    return declared


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
