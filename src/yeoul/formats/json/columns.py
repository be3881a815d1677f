"""From the kernel's plain arrays to Polars columns, without a copy where the layouts agree.

Views and numbers are handed over as Arrow buffers; null marks become validity bitmaps. Values that the kernel left for
Python (numbers of very many digits) are settled here, row by row: they are rare. Arrays and maps are read by `nested`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from yeoul.formats.contract import FormatColumn
from yeoul.formats.json.fields import instance
from yeoul.formats.json.nested import NestedTexts
from yeoul.kernels.json import state
from yeoul.kernels.json.codes import OUT_OF_RANGE
from yeoul.kernels.json.reader import JsonColumns
from yeoul.kernels.json.schema import JsonField

__all__ = ["Assembly"]

_NARROW: Final[Mapping[type[pl.DataType], tuple[type[np.signedinteger[Any]], pa.DataType]]] = {
    pl.Int8: (np.int8, pa.int8()),
    pl.Int16: (np.int16, pa.int16()),
    pl.Int32: (np.int32, pa.int32()),
}
_VIEWED: Final = (state.STRING, state.BYTES)


@dataclass(slots=True)
class Assembly:
    """Builds the columns of one decoded buffer.

    Attributes:
        read: What the kernel gave.
        data: The buffer that views point into.
        style: How timestamps inside arrays and maps are spelled.
        faults: (row, code, leaf) for rows that turned out to be bad only here.
    """

    read: JsonColumns
    data: NDArray[np.uint8]
    style: int
    null_bad_fields: bool
    faults: list[tuple[int, int, int]] = field(default_factory=list)
    _next: int = 0

    def frame(self, columns: tuple[FormatColumn, ...], fields: tuple[JsonField, ...]) -> pl.DataFrame:
        """Returns one Polars column for each field."""
        if not fields:
            return pl.DataFrame(height=self.read.rows)
        made = [self._column(spec, column.dtype) for spec, column in zip(fields, columns, strict=True)]
        first, *others = [_imported(column.name, each) for column, each in zip(columns, made, strict=True)]
        return first.to_frame().hstack(others)

    def _column(self, spec: JsonField, dtype: pl.DataType) -> pa.Array | pl.Series:
        leaf = self._next
        self._next += 1
        if spec.kind == state.ROW:
            return self._row(spec, dtype, leaf)
        if spec.kind == state.JSON_TEXT:
            return self._nested(dtype, leaf)
        if self.read.waiting:
            self._settle(spec, leaf)
        buffers = self._buffers() if spec.kind in _VIEWED else []
        return _array(spec, dtype, self.read.values[leaf], self._validity(leaf), self.read.rows, buffers)

    def _buffers(self) -> list[pa.Buffer]:
        """What the views of texts point into."""
        return [pa.py_buffer(self.data), pa.py_buffer(self.read.side)]

    def _validity(self, leaf: int) -> pa.Buffer | None:
        marks = self.read.marks
        if marks is None or not marks[leaf].any():
            return None
        return pa.py_buffer(np.packbits(marks[leaf] == state.PRESENT, bitorder="little"))

    def _row(self, spec: JsonField, dtype: pl.DataType, leaf: int) -> pa.Array | pl.Series:
        assert isinstance(dtype, pl.Struct)
        parts = zip(spec.fields, dtype.fields, strict=True)
        inner = [(part.name, self._column(part, instance(kind.dtype))) for part, kind in parts]
        arrays = [column for _, column in inner if isinstance(column, pa.Array)]
        if arrays and len(arrays) == len(inner):
            kind = pa.struct([(name, array.type) for (name, _), array in zip(inner, arrays, strict=True)])
            return pa.Array.from_buffers(kind, self.read.rows, [self._validity(leaf)], children=arrays)
        columns = [_imported(name, column) for name, column in inner]
        series = pl.DataFrame(columns).to_struct("row") if columns else pl.Series([{}] * self.read.rows, dtype=dtype)
        marks = self.read.marks
        if marks is not None and marks[leaf].any():
            present = pl.Series(marks[leaf] == state.PRESENT)
            series = pl.select(pl.when(present).then(series)).to_series()
        return series

    def _settle(self, spec: JsonField, leaf: int) -> None:
        """Replaces the values of a leaf that wait for Python."""
        marks, slots = self.read.marks, self.read.values[leaf]
        for row, text in self.read.waiting_texts(leaf, self.data):
            assert marks is not None
            marks[leaf, row] = state.PRESENT
            if spec.kind == state.DOUBLE:
                slots.view(np.float64)[row] = float(text)
            elif spec.kind == state.DECIMAL:
                unscaled = _unscaled(text, spec.low, spec.high)
                marks[leaf, row] = state.NULL if unscaled is None else state.PRESENT
                slots[row] = _halves(unscaled or 0)
            else:
                whole = int(Decimal(text))
                slots[row] = whole if spec.low <= whole <= spec.high else 0
                if not spec.low <= whole <= spec.high:
                    self._fault(leaf, row, OUT_OF_RANGE)

    def _fault(self, leaf: int, row: int, code: int) -> None:
        assert self.read.marks is not None
        self.read.marks[leaf, row] = state.NULL
        if not self.null_bad_fields:
            self.faults.append((row, code, leaf))

    def _nested(self, dtype: pl.DataType, leaf: int) -> pl.Series:
        """Turns the JSON text of arrays and maps into lists."""
        views, validity = self.read.values[leaf], self._validity(leaf)
        texts = pl.from_arrow(_array(_TEXT, pl.String(), views, validity, self.read.rows, self._buffers()))
        assert isinstance(texts, pl.Series)
        assert isinstance(dtype, pl.List)
        series, codes = NestedTexts(self.style, self.null_bad_fields, self._assembled).column(texts, dtype)
        bad = np.flatnonzero(codes)
        if len(bad):
            self.faults += [(row, code, leaf) for row, code in zip(bad.tolist(), codes[bad].tolist(), strict=True)]
        return series

    def _assembled(
        self,
        read: JsonColumns,
        data: NDArray[np.uint8],
        columns: tuple[FormatColumn, ...],
        fields: tuple[JsonField, ...],
    ) -> tuple[pl.DataFrame, list[tuple[int, int, int]]]:
        inner = Assembly(read, data, self.style, self.null_bad_fields)
        return inner.frame(columns, fields), inner.faults


_TEXT: Final = JsonField("", state.STRING)


def _imported(name: str, column: pa.Array | pl.Series) -> pl.Series:
    """A column as Polars has it; by itself, for whole batches of Arrow are handed to Polars' pool first."""
    return column.alias(name) if isinstance(column, pl.Series) else pl.Series(name, column)


def _array(
    spec: JsonField,
    dtype: pl.DataType,
    slots: NDArray[Any],
    validity: pa.Buffer | None,
    rows: int,
    buffers: list[pa.Buffer],
) -> pa.Array:
    """Returns the Arrow array of one leaf."""
    if spec.kind in _VIEWED:
        kind = pa.string_view() if spec.kind == state.STRING else pa.binary_view()
        return pa.Array.from_buffers(kind, rows, [validity, pa.py_buffer(slots), *buffers])
    if spec.kind == state.BOOLEAN:
        bits = np.packbits(slots, bitorder="little")
        return pa.Array.from_buffers(pa.bool_(), rows, [validity, pa.py_buffer(bits)])
    kind = pa.int64()
    if spec.kind == state.INTEGER:
        if type(dtype) in _NARROW:
            narrow, kind = _NARROW[type(dtype)]
            slots = slots.astype(narrow)
    elif spec.kind == state.DOUBLE:
        slots, kind = slots.view(np.float64), pa.float64()
        if dtype == pl.Float32():
            with np.errstate(over="ignore"):
                slots, kind = slots.astype(np.float32), pa.float32()
    elif spec.kind == state.DECIMAL:
        kind = pa.decimal128(spec.low, spec.high)
    elif spec.kind == state.TIMESTAMP:
        assert isinstance(dtype, pl.Datetime)
        kind = pa.timestamp(dtype.time_unit, tz=dtype.time_zone)
    elif spec.kind == state.DATE:
        slots, kind = slots.astype(np.int32), pa.date32()
    elif spec.kind == state.TIME:
        kind = pa.time64("ns")
    return pa.Array.from_buffers(kind, rows, [validity, pa.py_buffer(slots)])


def _unscaled(text: str, precision: int, scale: int) -> int | None:
    """Returns a decimal times 10**scale, rounded half up; None if it has too many digits for its type."""
    with localcontext() as context:
        context.prec = max(len(text), precision) + 60
        unscaled = int(Decimal(text).scaleb(scale).quantize(Decimal(1), ROUND_HALF_UP))
    return unscaled if abs(unscaled) < 10**precision else None


def _halves(value: int) -> tuple[int, int]:
    """Returns the lower and the upper 64 bits of a 128-bit integer, as int64."""
    raw = value.to_bytes(16, "little", signed=True)
    return int.from_bytes(raw[:8], "little", signed=True), int.from_bytes(raw[8:], "little", signed=True)
