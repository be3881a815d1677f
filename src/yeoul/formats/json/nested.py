"""ARRAY and MAP columns: JSON texts taken apart by the kernel, level by level, each level's values read as one column.

Nothing is done per row: all elements of a batch's arrays are one column, read by the same code as any other, and what
ties them to their rows are offsets. An object is read as a MAP's pairs, or as a ROW if the type says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from yeoul.formats.contract import FormatColumn
from yeoul.formats.json.fields import instance, json_fields
from yeoul.kernels.json.arrays import FITTING, OTHER, Members, members_of, read_values
from yeoul.kernels.json.codes import JSON_NULL, NOT_OBJECT, TOP_LEVEL_ARRAY, WRONG_TYPE
from yeoul.kernels.json.reader import JsonColumns, read_json
from yeoul.kernels.json.schema import JsonField, JsonSchema
from yeoul.kernels.machine import SLACK_BYTES

__all__ = ["Assemble", "NestedTexts", "is_map"]

_ROW_BEGINNINGS = tuple(b"{n")
"""What an object begins with, and null."""

Ints = NDArray[np.int64]
Codes = NDArray[np.uint8]
Faults = list[tuple[int, int, int]]
Assemble = Callable[
    [JsonColumns, NDArray[np.uint8], tuple[FormatColumn, ...], tuple[JsonField, ...]], tuple[pl.DataFrame, Faults]
]
"""Makes a frame of what the kernel read, and says in which rows it found more that is wrong: row, code, leaf."""


def is_map(dtype: pl.List) -> bool:
    """Tells whether a list holds a MAP's pairs.

    Example:
        >>> is_map(pl.List(pl.Struct({"key": pl.String, "value": pl.Int64}))), is_map(pl.List(pl.Int64))
        (True, False)
    """
    inner = dtype.inner
    return isinstance(inner, pl.Struct) and [part.name for part in inner.fields] == ["key", "value"]


@lru_cache(maxsize=256)
def _schema_of(columns: tuple[FormatColumn, ...]) -> JsonSchema:
    return JsonSchema(json_fields(columns))


@dataclass(frozen=True, slots=True)
class NestedTexts:
    """Reads JSON texts as lists.

    Attributes:
        style: How timestamps are spelled.
        null_bad_fields: Whether a value that cannot be what its type wants is null; else its whole text is faulty.
        assemble: Makes columns of what the kernel reads.
    """

    style: int
    null_bad_fields: bool
    assemble: Assemble

    def column(self, texts: pl.Series, dtype: pl.List) -> tuple[pl.Series, Codes]:
        """Returns texts, valid JSON or null, as a column; and for each 0 or the code of what is wrong with it."""
        arrow = texts.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.large_string())
        _, ends, held = arrow.buffers()
        places = np.frombuffer(ends, np.int64, len(texts) + 1, arrow.offset * 8)
        data = np.zeros(int(places[-1]) + SLACK_BYTES, np.uint8)
        if held is not None:
            data[: int(places[-1])] = np.frombuffer(held, np.uint8, int(places[-1]))
        lengths = np.diff(places)
        if texts.null_count():
            lengths = np.where(texts.is_null().to_numpy(), -1, lengths)
        return self._values(dtype, data, places[:-1], lengths)

    def _values(self, dtype: pl.DataType, data: NDArray[np.uint8], offsets: Ints, lengths: Ints) -> _Read:
        if isinstance(dtype, pl.Struct):
            return self._rows(dtype, data, offsets, lengths)
        if not isinstance(dtype, pl.List):
            return self._plain(dtype, data, offsets, lengths)
        if not is_map(dtype):
            return self._lists(dtype, data, offsets, members_of(data, offsets, lengths, objects=False))
        members = members_of(data, offsets, lengths, objects=True)
        series, codes = self._lists(dtype, data, offsets, members)
        others = np.flatnonzero(members.shapes == OTHER)
        if not len(others):
            return series, codes
        # The type is as well that of an ARRAY of ROWs with these two fields; an array of anything else is no MAP.
        arrays = members_of(data, offsets[others], lengths[others], objects=False)
        no_rows = np.flatnonzero(~np.isin(data[arrays.spans[:, 2]], _ROW_BEGINNINGS))
        arrays.shapes[np.searchsorted(arrays.ends, no_rows, side="right")] = OTHER
        instead, codes[others] = self._lists(dtype, data, offsets[others], arrays, pairs=False)
        place = np.arange(len(offsets))
        place[others] = len(offsets) + np.arange(len(others))
        return pl.concat([series, instead]).gather(pl.Series(place)), codes

    def _plain(self, dtype: pl.DataType, data: NDArray[np.uint8], offsets: Ints, lengths: Ints) -> _Read:
        columns = (FormatColumn("value", dtype),)
        schema = _schema_of(columns)
        read, codes = read_values(
            schema, data, offsets, lengths, null_bad_fields=self.null_bad_fields, style=self.style
        )
        frame, faults = self.assemble(read, data, columns, schema.fields)
        for row, code, _ in faults:
            codes[row] = code
        return frame.to_series(), codes

    def _rows(self, dtype: pl.Struct, data: NDArray[np.uint8], offsets: Ints, lengths: Ints) -> _Read:
        columns = tuple(FormatColumn(part.name, instance(part.dtype)) for part in dtype.fields)
        schema = _schema_of(columns)
        read = read_json(schema, data, offsets, lengths, null_bad_fields=self.null_bad_fields, style=self.style)
        frame, faults = self.assemble(read, data, columns, schema.fields)
        codes = np.zeros(len(offsets), np.uint8)
        if not self.null_bad_fields:
            found = read.dead[:, 1]
            shaped = np.isin(found, (NOT_OBJECT, TOP_LEVEL_ARRAY))
            codes[read.dead[:, 0]] = np.where(found == JSON_NULL, 0, np.where(shaped, WRONG_TYPE, found))
        for row, code, _ in faults:
            codes[read.records[row]] = code
        series = frame.to_struct("value") if columns else pl.Series([{}] * read.rows, dtype=dtype)
        if read.rows == len(offsets):
            return series, codes
        place = np.full(len(offsets), -1)
        place[read.records] = np.arange(read.rows)
        there = pl.Series(place).replace(-1, None) if read.rows else pl.Series([None] * len(offsets), dtype=pl.Int64)
        return (series.gather(there) if read.rows else pl.Series([None] * len(offsets), dtype=dtype)), codes

    def _lists(
        self, dtype: pl.List, data: NDArray[np.uint8], offsets: Ints, members: Members, *, pairs: bool = True
    ) -> _Read:
        spans = members.spans
        inner = instance(dtype.inner)
        if pairs and is_map(dtype):
            assert isinstance(inner, pl.Struct)
            values, bad = self._pairs(inner, data, members)
        else:
            values, bad = self._values(inner, data, spans[:, 2], spans[:, 3])
        codes = np.zeros(len(offsets), np.uint8)
        faulty = np.flatnonzero(bad)[::-1]
        codes[np.searchsorted(members.ends, faulty, side="right")] = bad[faulty]
        if not self.null_bad_fields:
            codes[members.shapes == OTHER] = WRONG_TYPE
        lists = _as_lists(values, members.ends, members.shapes == FITTING)
        return (_last_of_each_key(lists, values, members.ends) if pairs and is_map(dtype) else lists), codes

    def _pairs(self, inner: pl.Struct, data: NDArray[np.uint8], members: Members) -> _Read:
        spans = members.spans
        key_type, value_type = (instance(part.dtype) for part in inner.fields)
        # The key's span holds its colon, which ends no string and no number in it: reading stops before it.
        keys, bad_keys = self._values(key_type, data, spans[:, 0], spans[:, 1])
        values, bad = self._values(value_type, data, spans[:, 2], spans[:, 3])
        pairs = pl.DataFrame([keys.alias("key"), values.alias("value")]).to_struct("value")
        return pairs, np.where(bad_keys > 0, bad_keys, bad)


_Read = tuple[pl.Series, Codes]


def _as_lists(values: pl.Series, ends: Ints, is_there: NDArray[np.bool_]) -> pl.Series:
    """Returns runs of values as lists."""
    items = values.to_arrow(compat_level=pl.CompatLevel.newest())
    offsets = pa.py_buffer(np.concatenate([np.zeros(1, np.int64), ends]))
    marks = None if is_there.all() else pa.py_buffer(np.packbits(is_there, bitorder="little"))
    lists = pa.Array.from_buffers(pa.large_list(items.type), len(ends), [marks, offsets], children=[items])
    series = pl.from_arrow(lists)
    assert isinstance(series, pl.Series)
    return series


def _last_of_each_key(lists: pl.Series, pairs: pl.Series, ends: Ints) -> pl.Series:
    """Returns maps in which of a key that stands twice the last pair is left."""
    rows = np.searchsorted(ends, np.arange(len(pairs)), side="right")
    keyed = pl.DataFrame([pl.Series("row", rows), pairs.struct.field("key")])
    if not keyed.is_duplicated().any():
        return lists
    last = keyed.with_row_index("at").unique(["row", "key"], keep="last", maintain_order=True)
    counts = np.bincount(last["row"].to_numpy(), minlength=len(ends))
    return _as_lists(pairs.gather(last["at"]), np.cumsum(counts), lists.is_not_null().to_numpy())
