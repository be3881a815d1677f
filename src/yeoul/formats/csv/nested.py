"""ARRAY and ROW as one field of CSV: its text is cut at the element delimiter, and each part read as a field is.

Nothing is done per row: all parts of a batch's texts are one column, read by the same code as any other field, and what
ties them to their rows are offsets. As in Flink an empty field is an array without elements, and a ROW of nothing NULL;
fields of a ROW that are too many are passed over, too few are a fault. A part of nothing is NULL where it is no text.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from yeoul.formats.contract import Decoded, FormatColumn, RecordBuffer
from yeoul.formats.csv.dialect import CsvDialect, parts_of
from yeoul.formats.flat import flat_bytes
from yeoul.formats.json.encoder import value_texts

__all__ = ["ReadValues", "nested_column", "nested_texts"]

Marks = NDArray[np.bool_]
ReadValues = Callable[[FormatColumn, RecordBuffer], Decoded]
"""Reads records that are one field each."""


def nested_column(
    texts: pl.Series, dtype: pl.DataType, dialect: CsvDialect, read: ReadValues
) -> tuple[pl.Series, Marks]:
    """Returns texts as arrays or rows, and which of them are neither.

    Args:
        texts: Of whole fields, NULL where the field is.
        dtype: Of the column, a list or a struct.
        dialect: How its parts are written.
        read: Reads the parts.
    """
    is_row = isinstance(dtype, pl.Struct)
    missing = texts.is_null().to_numpy() | ((texts == "").fill_null(False).to_numpy() & is_row)
    parts = texts.fill_null("").str.split(dialect.element_delimiter)
    sizes = parts.list.len().to_numpy().astype(np.int64)
    sizes[(texts.fill_null("") == "").to_numpy()] = 0
    elements = parts.filter(pl.Series(sizes > 0)).list.explode() if sizes.any() else pl.Series([], dtype=pl.String)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    types = parts_of(dtype)
    assert types is not None
    if not is_row:
        values, bad = _values(elements, types[0], dialect, read)
        faulty = np.zeros(len(texts), bool)
        faulty[np.repeat(np.arange(len(texts)), sizes)[bad]] = True
        kept = pa.array(missing)
        made = pa.LargeListArray.from_arrays(pa.array(offsets), values.to_arrow(), mask=kept)
        return pl.Series(made, dtype=dtype), faulty
    assert isinstance(dtype, pl.Struct)
    faulty = (sizes < len(types)) & ~missing
    whole = np.flatnonzero(~missing & ~faulty)
    columns = []
    for index, (part, type) in enumerate(zip(dtype.fields, types, strict=True)):
        values, bad = _values(elements.gather(offsets[whole] + index), type, dialect, read)
        faulty[whole[bad]] = True
        columns.append(values.alias(part.name))
    rows = pl.DataFrame(columns).to_struct("row") if columns else pl.Series("row", [], dtype)
    places = np.full(len(texts), -1, np.int64)
    places[whole] = np.arange(len(whole))
    return _gathered(rows, places), faulty


def _values(texts: pl.Series, dtype: pl.DataType, dialect: CsvDialect, read: ReadValues) -> tuple[pl.Series, Marks]:
    """Returns the parts of fields as values, and which of them are none."""
    given = texts.is_not_null() if dialect.null_literal is None else (texts != dialect.null_literal)
    if dtype == pl.String:
        return texts.set(~given, None), np.zeros(len(texts), bool)
    present = np.flatnonzero((given & (texts != "")).to_numpy())
    data, offsets = flat_bytes(texts.gather(present))
    decoded = read(FormatColumn("part", dtype), RecordBuffer(data, offsets[:-1], np.diff(offsets)))
    places = np.full(len(texts), -1, np.int64)
    read_of = present if decoded.records is None else present[decoded.records]
    places[read_of] = np.arange(len(read_of))
    bad = np.zeros(len(texts), bool)
    bad[present] = places[present] < 0
    return _gathered(decoded.frame.to_series(), places), bad


def _gathered(values: pl.Series, places: NDArray[np.int64]) -> pl.Series:
    """Returns the values at some places, NULL where one is below 0."""
    wanted = pl.Series(places)
    return values.gather(wanted.set(wanted < 0, None))


def nested_texts(series: pl.Series, dialect: CsvDialect) -> pl.Series:
    """Returns arrays or rows as the texts of their fields, NULL where they are."""
    null = dialect.null_literal or ""
    if isinstance(series.dtype, pl.Struct):
        parts = [value_texts(part).fill_null(null) for part in series.struct.unnest().get_columns()]
        joined = pl.DataFrame(parts).select(pl.concat_str(pl.all(), separator=dialect.element_delimiter)).to_series()
        return joined.set(series.is_null(), None)
    sizes = series.list.len().fill_null(0).to_numpy().astype(np.int64)
    if not sizes.any():
        return pl.Series("", [""] * len(series), dtype=pl.String).set(series.is_null(), None)
    texts = value_texts(series.filter(pl.Series(sizes > 0)).list.explode()).fill_null(null)
    offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]))
    lists = pa.LargeListArray.from_arrays(offsets, texts.to_arrow().cast(pa.large_string()))
    return pl.Series(lists).list.join(dialect.element_delimiter).set(series.is_null(), None)
