"""Rows to CSV records: quotes only where they are needed, a quote within them twice, an escape character too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from yeoul.formats.contract import FormatColumn, RecordBuffer
from yeoul.formats.csv.dialect import PLAIN, CsvDialect, check_fields, parts_of
from yeoul.formats.csv.nested import nested_texts
from yeoul.formats.flat import flat_bytes
from yeoul.formats.json.encoder import value_texts

__all__ = ["CsvEncoder"]


@dataclass(frozen=True, slots=True)
class CsvEncoder:
    """Encodes rows as CSV records, fields in the order of the columns."""

    columns: tuple[FormatColumn, ...]
    dialect: CsvDialect = PLAIN

    def __post_init__(self) -> None:
        check_fields(self.columns)

    def encode(self, frame: pl.DataFrame) -> RecordBuffer:
        """Encodes every row of a frame as one record."""
        fields = [self._field(frame.get_column(column.name).cast(column.dtype)) for column in self.columns]
        joined = pl.DataFrame(fields).select(pl.concat_str(pl.all(), separator=self.dialect.delimiter or ""))
        data, offsets = flat_bytes(joined.to_series())
        return RecordBuffer(data, offsets[:-1], np.diff(offsets))

    def _field(self, series: pl.Series) -> pl.Series:
        is_nested = parts_of(series.dtype) is not None
        texts = nested_texts(series, self.dialect) if is_nested else value_texts(series)
        if is_nested or series.dtype in (pl.String, pl.Binary):
            # An empty array is an empty field as it stands: quotes would say nothing else.
            texts = self._quoted(texts, None if is_nested else self.dialect.null_literal or "")
        return texts.fill_null(self.dialect.null_literal or "").alias(series.name)

    def _quoted(self, texts: pl.Series, null: str | None) -> pl.Series:
        quote, escape = self.dialect.quote, self.dialect.escape
        if quote is None:
            return texts
        special = [quote, "\n", "\r", *filter(None, (self.dialect.delimiter, escape))]
        special += ["#"] if self.dialect.comments else []
        needed = texts.str.contains_any(special)
        if null is not None:
            needed |= texts == null
        inner = texts if escape is None else texts.str.replace_all(escape, escape * 2, literal=True)
        quoted = quote + inner.str.replace_all(quote, quote * 2, literal=True) + quote
        return quoted.zip_with(needed.fill_null(False), texts)
