"""Each row once for each element of a collection that it has: UNNEST, and table functions, which give collections."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from yeoul.engine.operators.contract import Stateless

__all__ = ["Unnest"]

_ELEMENT = "$element"
_NUMBER = "$number"


class Unnest(Stateless):
    """Repeats rows, beside each an element.

    Args:
        collection: A list; its elements are structs if they fill several columns.
        columns: The names of the columns that an element fills.
        fields: The fields of an element, one a column; empty: the element itself is the one column.
        number: The name of the column that counts the elements from 1, if there is one.
        keeps_empty: Whether a row without elements is given once, with NULLs.
    """

    def __init__(
        self,
        collection: pl.Expr,
        columns: Sequence[str],
        fields: Sequence[str],
        *,
        number: str | None,
        keeps_empty: bool,
    ) -> None:
        self._collection, self._number, self._keeps_empty = collection.alias(_ELEMENT), number, keeps_empty
        element = pl.col(_ELEMENT)
        parts = [element.struct.field(field) for field in fields] or [element]
        self._columns = [part.alias(name) for name, part in zip(columns, parts, strict=True)]

    def transform(self, batch: pl.DataFrame) -> pl.DataFrame:
        rows = batch.with_columns(self._collection)
        if not self._keeps_empty:
            rows = rows.filter(pl.col(_ELEMENT).list.len() > 0)
        if self._number is None:
            return rows.explode(_ELEMENT, empty_as_null=self._keeps_empty).with_columns(self._columns).drop(_ELEMENT)
        count = pl.col(_ELEMENT).list.len().cast(pl.Int32)
        counted = rows.with_columns(pl.int_ranges(1, count + 1, dtype=pl.Int32).alias(_NUMBER))
        exploded = counted.explode(_ELEMENT, _NUMBER, empty_as_null=self._keeps_empty)
        return exploded.with_columns(*self._columns, pl.col(_NUMBER).alias(self._number)).drop(_ELEMENT, _NUMBER)
