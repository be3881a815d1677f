"""The yardstick query, 1-minute tumble by action, count and average latency: for yeoul, bare Polars and DuckDB."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl

CHUNK_BYTES = 4 << 20
SCHEMA = {"user_id": pl.String, "action": pl.String, "ts": pl.Int64, "page": pl.String, "latency": pl.Float64}

TABLE = """
CREATE TABLE events (
  user_id STRING, action STRING, ts BIGINT, page STRING, latency DOUBLE,
  event_time AS TO_TIMESTAMP_LTZ(ts, 3),
  WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND
) WITH ({options});
"""
QUERY = """
SELECT window_start, action, COUNT(*) AS events, AVG(latency) AS latency
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(event_time), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, action
"""


def yeoul(options: dict[str, str]) -> pl.DataFrame:
    """Runs the query in yeoul over the table that the options describe."""
    import yeoul as ours

    written = ", ".join(f"'{key}' = '{value}'" for key, value in options.items())
    with ours.sql("SET 'table.local-time-zone' = 'UTC';" + TABLE.format(options=written) + QUERY) as result:
        return result.pl()


def bare_polars(path: Path) -> pl.DataFrame:
    """Runs it in Polars alone: chunks of 4 MB cut at line ends, parsed and grouped, then the groups together."""
    parts = []
    with path.open("rb") as file:
        rest = b""
        while chunk := file.read(CHUNK_BYTES):
            cut = chunk.rfind(b"\n") + 1
            frame = pl.read_ndjson(rest + chunk[:cut], schema=SCHEMA)
            rest = chunk[cut:]
            parts.append(
                frame.group_by((pl.col("ts") // 60_000).alias("window"), "action").agg(
                    pl.len().alias("events"), pl.col("latency").sum(), pl.col("latency").count().alias("known")
                )
            )
    return (
        pl.concat(parts)
        .group_by("window", "action")
        .agg(pl.col("events").sum(), pl.col("latency").sum() / pl.col("known").sum())
    )


def expected(path: Path) -> pl.DataFrame:
    """Returns DuckDB's answer."""
    return duckdb.sql(
        f"""SELECT make_timestamp((ts // 60000) * 60000000)::TIMESTAMP_MS AS window_start, action,
               count(*) AS events, avg(latency) AS latency
            FROM read_json('{path}', format = 'newline_delimited', columns = {{ts: 'BIGINT', action: 'VARCHAR',
               latency: 'DOUBLE'}})
            GROUP BY ALL"""
    ).pl()


def check(answer: pl.DataFrame, truth: pl.DataFrame) -> None:
    """Raises AssertionError unless both hold the same rows, averages within 1e-9."""
    mine = answer.select("window_start", "action", "events", "latency").sort("window_start", "action")
    theirs = truth.select("window_start", "action", pl.col("events").cast(mine["events"].dtype), "latency").sort(
        "window_start", "action"
    )
    from polars.testing import assert_frame_equal

    assert_frame_equal(mine, theirs, check_dtypes=False, rel_tol=1e-9)
