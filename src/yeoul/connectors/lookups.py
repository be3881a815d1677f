"""Lookups by key: the options that Flink names for them, and any bounded table as one, read whole.

Source: https://nightlies.apache.org/flink/flink-docs-stable/docs/connectors/table/jdbc/ ("Lookup Cache").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from yeoul.connectors.options import Option, choice, flag, parse_duration_ms, whole

if TYPE_CHECKING:
    import polars as pl

    from yeoul.engine.contract import CacheBounds, Source
    from yeoul.plan.nodes import Schema

__all__ = ["ALL_ROWS", "LOOKUP_OPTIONS", "MAX_RETRIES", "WholeTable", "cache_bounds"]

ALL_ROWS = 2**62
CACHE: Option[str] = Option("lookup.cache", choice(("none", "partial")), "none", "Whether found rows are kept.")
MAX_ROWS: Option[int | None] = Option("lookup.partial-cache.max-rows", whole(1), None, "How many rows are kept.")
AFTER_WRITE: Option[int | None] = Option(
    "lookup.partial-cache.expire-after-write", parse_duration_ms, None, "For how long a row is kept."
)
AFTER_ACCESS: Option[int | None] = Option(
    "lookup.partial-cache.expire-after-access",
    parse_duration_ms,
    None,
    "For how long a row is kept that nobody asks for.",
)
MISSING: Option[bool] = Option(
    "lookup.partial-cache.cache-missing-key", flag, True, "Whether it is kept, too, that a key has no row."
)
MAX_RETRIES: Option[int] = Option("lookup.max-retries", whole(0), 3, "How often a lookup that failed is tried again.")
LOOKUP_OPTIONS: tuple[Option[Any], ...] = (CACHE, MAX_ROWS, AFTER_WRITE, AFTER_ACCESS, MISSING, MAX_RETRIES)


def cache_bounds(options: Mapping[str, str]) -> CacheBounds:
    """Returns how much of what is looked up is kept.

    Example:
        >>> cache_bounds({"lookup.cache": "PARTIAL", "lookup.partial-cache.max-rows": "10"}).max_rows
        10
        >>> cache_bounds({}).max_rows
        0
    """
    from yeoul.engine.contract import CacheBounds

    if CACHE.read(options) == "none":
        return CacheBounds()
    most = MAX_ROWS.read(options) or ALL_ROWS
    return CacheBounds(most, AFTER_WRITE.read(options), AFTER_ACCESS.read(options), MISSING.read(options))


class WholeTable:
    """A bounded table, read once when it is first asked, and then looked up in memory.

    Args:
        source: Reads it.
        schema: The columns that are read.
    """

    def __init__(self, source: Source, schema: Schema) -> None:
        self._source, self._schema = source, schema
        self._rows: pl.DataFrame | None = None

    def find(self, keys: pl.DataFrame) -> pl.DataFrame:
        if self._rows is None:
            self._rows = self._read()
        return self._rows.join(keys, on=keys.columns, how="semi")

    def _read(self) -> pl.DataFrame:
        import polars as pl

        from yeoul.engine.compile.dtypes import polars_dtype

        reader = self._source.open({})
        frames: list[pl.DataFrame] = []
        try:
            left = set(reader.splits())
            while left:
                polled = reader.poll(left, 64 << 20, 1.0)
                frames += [piece.decode().frame for piece in polled.pieces]
                left = (left | set(reader.splits())) - set(polled.finished)
        finally:
            reader.close()
        empty = pl.DataFrame(schema={one.name: polars_dtype(one.type) for one in self._schema.fields})
        return pl.concat(frames) if frames else empty
