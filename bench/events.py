"""Click events as NDJSON, about 100 bytes a row, made fast and anew for each run.

Event time advances 1 ms a row; a row is up to 3 s out of order. Three ways to write the same rows: `compact`, `spaced`
(as `json.dumps` does), and `mixed` (any key order, one key in ten rows missing, escapes in one of a hundred).
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import polars as pl

START_MS = 1_760_000_000_000
ACTIONS = ["click", "view", "purchase", "scroll", "login", "logout", "search", "add_to_cart"]
STYLES = ("compact", "spaced", "mixed")
KEYS = ("user_id", "action", "ts", "page", "latency")


def _rows(count: int, seed: int, first: int) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    actions = np.minimum(random.exponential(1 / 0.6, count).astype(np.int64), len(ACTIONS) - 1)
    return pl.DataFrame(
        {
            "user_id": random.integers(0, 100_000, count),
            "action": pl.Series(ACTIONS).gather(actions),
            "ts": START_MS + first + np.arange(count) - random.integers(0, 3_001, count),
            "page": random.integers(0, 1_000, count),
            "latency": np.round(random.exponential(120, count), 2),
        }
    )


def _members(colon: str) -> dict[str, pl.Expr]:
    return {
        "user_id": pl.format(f'"user_id"{colon}"user-{{}}"', "user_id"),
        "action": pl.format(f'"action"{colon}"{{}}"', "action"),
        "ts": pl.format(f'"ts"{colon}{{}}', "ts"),
        "page": pl.format(f'"page"{colon}"/p/{{}}"', "page"),
        "latency": pl.format(f'"latency"{colon}{{}}', "latency"),
    }


def _mixed(rows: pl.DataFrame, seed: int) -> pl.Series:
    random = np.random.default_rng(seed + 1)
    count = len(rows)
    orders = list(itertools.permutations(KEYS))
    escaped = pl.Series(random.random(count) < 0.01)
    missing = pl.Series(np.where(random.random(count) < 0.1, random.choice([0, 3, 4], count), -1))
    members = rows.select(_members(":")[key].alias(key) for key in KEYS).with_columns(
        page=pl.when(escaped).then(pl.lit('"page":"/p/\\"\\u00e9\\n7"')).otherwise(pl.col("page")),
    )
    members = members.with_columns(
        pl.when(missing == index).then(None).otherwise(pl.col(key)).alias(key)
        for index, key in enumerate(KEYS)
        if key not in ("action", "ts")
    ).with_columns(order=pl.Series(random.integers(0, len(orders), count)), row=pl.int_range(count))
    written = [
        part.select("row", line=pl.concat_str(orders[part["order"][0]], separator=",", ignore_nulls=True))
        for part in members.partition_by("order")
    ]
    return pl.concat(written).sort("row")["line"]


def lines(count: int, seed: int, style: str, first: int = 0) -> pl.Series:
    """Returns rows `first` and following as JSON texts."""
    rows = _rows(count, seed, first)
    if style == "mixed":
        return pl.select(pl.concat_str(pl.lit("{"), _mixed(rows, seed), pl.lit("}"))).to_series()
    comma, colon = (", ", ": ") if style == "spaced" else (",", ":")
    joined = pl.concat_str(_members(colon).values(), separator=comma)
    return rows.select(pl.concat_str(pl.lit("{"), joined, pl.lit("}"))).to_series()


def write(path: Path, count: int, seed: int, style: str) -> None:
    """Writes the rows as NDJSON."""
    with path.open("wb") as file:
        for first in range(0, count, 500_000):
            chunk = lines(min(500_000, count - first), seed * 1_000 + first // 500_000, style, first)
            file.write("\n".join(chunk.to_list()).encode() + b"\n")
