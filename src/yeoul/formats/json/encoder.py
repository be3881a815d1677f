"""The JSON encoder: a frame to records in the format that Flink's `json` writes.

Plain columns go to the kernel as they are. Doubles and decimals are spelled by Polars first; a ROW is encoded as
records of its own, an ARRAY or MAP as the encoded elements put together again, all column by column.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.errors import UserError
from yeoul.formats.contract import FormatColumn, RecordBuffer
from yeoul.formats.flat import flat_bytes
from yeoul.formats.json.fields import UNIT_DIGITS, instance
from yeoul.formats.json.nested import is_map
from yeoul.kernels.json import writer
from yeoul.kernels.json.writer import WriterColumn, write_json

__all__ = ["JsonEncoder", "value_texts"]

_NO_OFFSETS: Final = np.empty(0, np.int64)
_NO_NULLS: Final = np.empty(0, np.uint8)
_KEY_VALUE: Final = ("key", "value")
_WHOLE: Final = frozenset((pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.Int128))


@dataclass(frozen=True, slots=True)
class JsonEncoder:
    """Encodes rows as JSON objects, keys in the order of the columns.

    Attributes:
        columns: What to write.
        iso: Write timestamps as ISO-8601 instead of SQL.
        ignore_nulls: Leave null fields out instead of writing null.
        null_key_mode: What becomes of a map's entry whose key is NULL: FAIL, DROP, or LITERAL, which writes `null_key`.
        null_key: The key that LITERAL writes.
    """

    columns: tuple[FormatColumn, ...]
    iso: bool = False
    ignore_nulls: bool = False
    null_key_mode: str = "FAIL"
    null_key: str = "null"

    def __post_init__(self) -> None:
        for column in self.columns:
            _check(column.name, column.dtype)

    def encode(self, frame: pl.DataFrame) -> RecordBuffer:
        """Encodes every row of a frame as one record; see `yeoul.formats.contract.Encoder`."""
        data, places = self.objects(frame)
        return RecordBuffer(data, places[:-1], places[1:] - places[:-1])

    def objects(self, frame: pl.DataFrame) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Returns every row of a frame as a JSON object, one behind the other, and where each begins and ends."""
        return self._objects([_typed(frame.get_column(one.name), one.dtype) for one in self.columns], len(frame))

    def _objects(self, series: list[pl.Series], rows: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        columns = [self._column(one, _key(one.name)) for one in series]
        return write_json(columns, rows, skip_nulls=self.ignore_nulls)

    def _column(self, series: pl.Series, key: bytes) -> WriterColumn:
        nulls = series.is_null().to_numpy().astype(np.uint8) if series.null_count() else _NO_NULLS
        dtype = series.dtype
        if type(dtype) in _WHOLE:
            return WriterColumn(key, writer.INTEGER, _integers(series, dtype, nulls), _NO_OFFSETS, nulls)
        if isinstance(dtype, pl.Datetime):
            digits, zoned = UNIT_DIGITS[dtype.time_unit], dtype.time_zone is not None
            moments = _integers(series, dtype, nulls)
            return WriterColumn(key, writer.TIMESTAMP, moments, _NO_OFFSETS, nulls, digits, self.iso, zoned)
        if dtype == pl.Boolean:
            truth = (series.fill_null(False) if series.null_count() else series).cast(pl.UInt8).to_numpy()
            return WriterColumn(key, writer.BOOLEAN, truth, _NO_OFFSETS, nulls)
        if dtype == pl.Date:
            return WriterColumn(key, writer.DATE, _integers(series, dtype, nulls), _NO_OFFSETS, nulls)
        if dtype == pl.Time:
            seconds = _integers(series, dtype, nulls) // 1_000_000_000
            return WriterColumn(key, writer.TIME, seconds, _NO_OFFSETS, nulls)
        if isinstance(dtype, pl.Struct):
            data, places = self._objects(series.struct.unnest().get_columns(), len(series))
            return WriterColumn(key, writer.PLAIN, data, places, nulls)
        if isinstance(dtype, pl.List):
            return WriterColumn(key, writer.PLAIN, *flat_bytes(self._list_texts(series, dtype)), nulls)
        kind, texts = _texts(series)
        return WriterColumn(key, kind, *flat_bytes(texts), nulls)

    def _list_texts(self, series: pl.Series, dtype: pl.List) -> pl.Series:
        """Returns each list as JSON text: its elements are encoded as one long column and then joined."""
        if is_map(dtype):
            series = self._without_null_keys(series)
        sizes = series.list.len().fill_null(0).to_numpy().astype(np.int64)
        elements = series.filter(pl.Series(sizes > 0)).list.explode()
        entries = is_map(dtype)
        if not len(elements):
            texts = pl.Series([], dtype=pl.String)
        elif entries:
            keys, values = (elements.struct.field(name) for name in _KEY_VALUE)
            texts = self._values(keys.cast(pl.String)) + ":" + self._values(values)
        else:
            texts = self._values(elements)
        data, offsets = flat_bytes(texts + ",")
        runs = _strings(data, offsets[np.concatenate([[0], np.cumsum(sizes)])])
        opening, closing = ("{", "}") if entries else ("[", "]")
        return opening + runs.str.strip_suffix(",") + closing

    def _without_null_keys(self, series: pl.Series) -> pl.Series:
        """Returns maps without NULL among their keys.

        Raises:
            UserError: There is one, and the mode is FAIL.
        """
        key = pl.element().struct.field("key")
        frame = series.to_frame("m")
        if not frame.select(pl.col("m").list.eval(key.is_null()).list.any().any()).item():
            return series
        if self.null_key_mode == "FAIL":
            raise UserError(
                "A map has a NULL key, and JSON's keys are strings",
                hint="'json.map-null-key.mode' = 'DROP' leaves the entry out, 'LITERAL' writes a key for it.",
            )
        kept = pl.element().filter(key.is_not_null())
        if self.null_key_mode == "LITERAL":
            written = key.cast(pl.String).fill_null(self.null_key).alias("key")
            kept = pl.struct(written, pl.element().struct.field("value").alias("value"))
        return frame.select(pl.col("m").list.eval(kept)).to_series().alias(series.name)

    def _values(self, series: pl.Series) -> pl.Series:
        """Returns each value of a column as JSON text."""
        data, places = write_json([self._column(series, b"")], len(series), braces=False)
        return _strings(data, places)


@functools.lru_cache(4_096)
def _key(name: str) -> bytes:
    return json.dumps(name, ensure_ascii=False).encode() + b":"


def value_texts(series: pl.Series) -> pl.Series:
    """Returns each value of a plain column as text, as JSON spells it but without quotes; nulls stay null.

    Example:
        >>> from datetime import date
        >>> value_texts(pl.Series([date(2024, 2, 29), None])).to_list()
        ['2024-02-29', None]
    """
    if series.dtype.is_temporal() or series.dtype == pl.Boolean:
        data, places = write_json([JsonEncoder(())._column(series, b"")], len(series), braces=False)
        texts = _strings(data, places).str.strip_chars('"')
        return texts.set(series.is_null(), None) if series.null_count() else texts
    texts = _texts(series)[1]
    return texts.str.strip_chars('"') if series.dtype.is_float() else texts


def _typed(series: pl.Series, dtype: pl.DataType) -> pl.Series:
    return series if series.dtype == dtype else series.cast(dtype)


def _integers(series: pl.Series, dtype: pl.DataType, nulls: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Returns whole numbers; what has nothing to convert is not, since a query over a few rows is all overhead."""
    whole = series if isinstance(dtype, pl.Int64) else series.cast(pl.Int64)
    return (whole.fill_null(0) if len(nulls) else whole).to_numpy()


def _texts(series: pl.Series) -> tuple[int, pl.Series]:
    if series.dtype == pl.String:
        return writer.TEXT, series
    if series.dtype == pl.Binary:
        return writer.QUOTED, series.bin.encode("base64")
    if series.dtype.is_float():
        texts = series.cast(pl.String)
        known = series.drop_nulls() if series.null_count() else series
        if not np.isfinite(known.to_numpy()).all():
            named = {"NaN": '"NaN"', "inf": '"Infinity"', "-inf": '"-Infinity"'}
            texts = texts.replace(named)
        return writer.PLAIN, texts
    return writer.PLAIN, series.cast(pl.String)


def _strings(data: NDArray[np.uint8], places: NDArray[np.int64]) -> pl.Series:
    import pyarrow as pa

    buffers = [None, pa.py_buffer(np.ascontiguousarray(places)), pa.py_buffer(data)]
    return pl.Series("", pa.Array.from_buffers(pa.large_string(), len(places) - 1, buffers))


def _check(name: str, dtype: pl.DataType) -> None:
    if isinstance(dtype, pl.Struct):
        for part in dtype.fields:
            _check(f"{name}.{part.name}", instance(part.dtype))
    elif isinstance(dtype, pl.List):
        _check(name, instance(dtype.inner))
    elif not (dtype.is_numeric() or dtype.is_temporal() or dtype in (pl.String, pl.Binary, pl.Boolean, pl.Null)):
        raise UserError(f"Column {name!r}: the json format cannot write the type {dtype}")
    elif isinstance(dtype, pl.Duration):
        raise UserError(
            f"Column {name!r}: the json format cannot write an INTERVAL", hint="CAST it to BIGINT or STRING"
        )
