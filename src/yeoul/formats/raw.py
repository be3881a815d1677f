"""`raw`: a record is one value: its text, its bytes, or a number in as many bytes as its type has, as Flink's `raw`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa

from yeoul.errors import UserError
from yeoul.formats.contract import DeadRows, Decoded, FormatColumn, RecordBuffer
from yeoul.formats.flat import flat_bytes
from yeoul.formats.json.fields import type_name
from yeoul.kernels.text import view_records

__all__ = ["RawDecoder", "RawEncoder"]

_NOTHING_DEAD: Final = DeadRows(np.empty(0, np.int64), ())
_NUMBERS: Final[dict[type[pl.DataType], str]] = {
    pl.Int8: "i1",
    pl.Int16: "i2",
    pl.Int32: "i4",
    pl.Int64: "i8",
    pl.Float32: "f4",
    pl.Float64: "f8",
    pl.Boolean: "?",
}


def _only(columns: tuple[FormatColumn, ...]) -> FormatColumn:
    if len(columns) != 1:
        raise UserError(f"The raw format has exactly one column, got {len(columns)}")
    dtype = columns[0].dtype
    if not isinstance(dtype, (pl.String, pl.Binary)) and type(dtype) not in _NUMBERS:
        raise UserError(
            f"Column {columns[0].name!r}: the raw format cannot hold {type_name(dtype)}",
            hint="It holds STRING, BYTES, BOOLEAN, TINYINT to BIGINT, FLOAT and DOUBLE",
        )
    return columns[0]


@dataclass(frozen=True, slots=True)
class RawDecoder:
    """Decodes records that are one bare value.

    Attributes:
        columns: The one column.
        little_endian: Byte order of numbers.
    """

    columns: tuple[FormatColumn, ...]
    little_endian: bool = False

    def __post_init__(self) -> None:
        _only(self.columns)

    def decode(self, records: RecordBuffer) -> Decoded:
        """Decodes a whole buffer; a null record becomes NULL. See `yeoul.formats.contract.Decoder`."""
        dtype = self.columns[0].dtype
        if isinstance(dtype, (pl.String, pl.Binary)):
            return self._decode_text(records, text=isinstance(dtype, pl.String))
        return self._decode_numbers(records, np.dtype(_NUMBERS[type(dtype)]))

    def _decode_text(self, records: RecordBuffer, *, text: bool) -> Decoded:
        views, bad = view_records(records.data, records.offsets, records.lengths, check=text)
        validity = pa.py_buffer(np.packbits(records.lengths >= 0, bitorder="little"))
        kind = pa.string_view() if text else pa.binary_view()
        buffers = [validity, pa.py_buffer(views), pa.py_buffer(records.data)]
        series = pl.Series(self.columns[0].name, pa.Array.from_buffers(kind, len(records), buffers))
        return _without(series.to_frame(), bad.astype(bool), "not text: invalid UTF-8")

    def _decode_numbers(self, records: RecordBuffer, kind: np.dtype[np.generic]) -> Decoded:
        fits = records.lengths == kind.itemsize
        places = records.offsets[fits, None] + np.arange(kind.itemsize)
        order = kind.newbyteorder("<" if self.little_endian else ">")
        numbers = records.data[places].view(order).ravel().astype(kind)
        values = np.zeros(len(records), kind)
        values[fits] = numbers
        series = pl.Series(self.columns[0].name, values)
        present = pl.Series(records.lengths >= 0)
        frame = pl.select(pl.when(present).then(series).alias(series.name))
        reason = f"expected {kind.itemsize} bytes"
        return _without(frame, ~fits & (records.lengths >= 0), reason)


def _without(frame: pl.DataFrame, bad: np.ndarray[tuple[int], np.dtype[np.bool_]], reason: str) -> Decoded:
    if not bad.any():
        return Decoded(frame, None, _NOTHING_DEAD)
    dead = np.flatnonzero(bad)
    kept = np.flatnonzero(~bad)
    return Decoded(frame.filter(pl.Series(~bad)), kept, DeadRows(dead, [reason] * len(dead)))


@dataclass(frozen=True, slots=True)
class RawEncoder:
    """Encodes one column as bare values; NULL becomes a null record."""

    columns: tuple[FormatColumn, ...]
    little_endian: bool = False

    def __post_init__(self) -> None:
        _only(self.columns)

    def encode(self, frame: pl.DataFrame) -> RecordBuffer:
        """Encodes every row of a frame as one record."""
        series = frame.get_column(self.columns[0].name)
        null = series.is_null().to_numpy()
        dtype = self.columns[0].dtype
        if isinstance(dtype, (pl.String, pl.Binary)):
            data, offsets = flat_bytes(series)
            lengths = np.diff(offsets)
        else:
            kind = np.dtype(_NUMBERS[type(dtype)])
            order = kind.newbyteorder("<" if self.little_endian else ">")
            filled = series.cast(dtype).fill_null(False if kind.kind == "b" else 0)
            data = filled.to_numpy().astype(order).view(np.uint8)
            offsets = np.arange(len(series) + 1, dtype=np.int64) * kind.itemsize
            lengths = np.full(len(series), kind.itemsize, np.int64)
        return RecordBuffer(data, offsets[:-1].copy(), np.where(null, -1, lengths))
