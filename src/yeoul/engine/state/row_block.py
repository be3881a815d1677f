"""Values of fixed width by slot: all columns of a slot beside each other in one block of memory.

A key that is met by chance costs one miss of the caches, however many columns it has. Flags for NULL stand behind the
values, from the first NULL on that any column is given. Slots that were never written hold zeros.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from yeoul.kernels.row_blocks import FieldTable, gather_rows, scatter_rows

__all__ = ["RowBlock", "has_fixed_width"]

Slots = NDArray[np.int64]
_LEAST_ROWS = 1_024


def has_fixed_width(dtype: pl.DataType) -> bool:
    """Tells whether a type's values can stand in a block."""
    return dtype.is_numeric() or dtype.is_temporal() or isinstance(dtype, pl.Boolean)


@dataclass(slots=True)
class _Field:
    """One column: where it stands in a row, and whether any NULL was ever written."""

    number: int
    offset: int
    dtype: pl.DataType
    kind: np.dtype[np.generic]
    has_nulls: bool = False


class RowBlock:
    """Columns of fixed width.

    Args:
        dtypes: Name and type of each.

    Example:
        >>> block = RowBlock({"n": pl.Int64(), "b": pl.Boolean()})
        >>> block.write(np.array([2, 0]), {"n": pl.Series([7, None]), "b": pl.Series([True, False])})
        >>> [column.to_list() for column in block.read(np.array([0, 2]), ["n", "b"])]
        [[None, 7], [False, True]]
    """

    def __init__(self, dtypes: Mapping[str, pl.DataType]) -> None:
        self._fields: dict[str, _Field] = {}
        kinds = {name: _kind(dtype) for name, dtype in dtypes.items()}
        offset = 0
        for name in sorted(kinds, key=lambda name: -kinds[name].itemsize):
            self._fields[name] = _Field(len(self._fields), offset, dtypes[name], kinds[name])
            offset += kinds[name].itemsize
        self._values_bytes = offset
        self._flagged = False
        self._width = _aligned(offset)
        self._rows = np.zeros(0, np.uint8)

    @property
    def size_bytes(self) -> int:
        """What it takes."""
        return self._rows.nbytes

    def reserve(self, slot_count: int) -> None:
        """Makes room for slots below a number."""
        if slot_count * self._width > len(self._rows):
            rows = max(slot_count, len(self._rows) // self._width * 3 // 2, _LEAST_ROWS)
            # A new array, not one that is resized in place: NumPy asks for huge pages for it.
            grown = np.zeros(rows * self._width, np.uint8)
            grown[: len(self._rows)] = self._rows
            self._rows = grown

    def read(self, slots: Slots, names: Iterable[str]) -> list[pl.Series]:
        """Returns columns at slots for which there is room."""
        fields = [self._fields[name] for name in names]
        values = [np.empty(len(slots), field.kind) for field in fields]
        nulls = [np.empty(len(slots), np.bool_) if field.has_nulls else None for field in fields]
        slots = np.ascontiguousarray(slots, np.int64)
        gather_rows(self._rows, self._width, slots, self._table(fields, values, nulls))
        return [_series(*each) for each in zip(fields, values, nulls, strict=True)]

    def write(self, slots: Slots, columns: Mapping[str, pl.Series]) -> None:
        """Puts values of some columns at slots, each of which stands once."""
        if not len(slots) or not columns:
            return
        self.reserve(int(slots.max()) + 1)
        fields = [self._fields[name] for name in columns]
        nulls = [series.is_null().to_numpy() if series.null_count() else None for series in columns.values()]
        for field, flags in zip(fields, nulls, strict=True):
            field.has_nulls |= flags is not None
        if not self._flagged and any(field.has_nulls for field in fields):
            self._add_flags()
        values = [_plain(field, series) for field, series in zip(fields, columns.values(), strict=True)]
        slots = np.ascontiguousarray(slots, np.int64)
        table = self._table(fields, values, nulls)
        scatter_rows(self._rows, self._width, slots, table, flagged=self._flagged)

    def _table(
        self,
        fields: list[_Field],
        values: list[NDArray[np.generic]],
        nulls: list[NDArray[np.bool_] | None],
    ) -> FieldTable:
        entries = [
            (
                field.offset,
                field.kind.itemsize,
                column.ctypes.data,
                self._values_bytes + field.number,
                0 if flags is None else flags.ctypes.data,
            )
            for field, column, flags in zip(fields, values, nulls, strict=True)
        ]
        return np.array(entries, np.int64).reshape(-1, 5)

    def _add_flags(self) -> None:
        width = _aligned(self._values_bytes + len(self._fields))
        rows = np.zeros((len(self._rows) // self._width, width), np.uint8)
        rows[:, : self._values_bytes] = self._rows.reshape(-1, self._width)[:, : self._values_bytes]
        self._rows, self._width, self._flagged = rows.reshape(-1).copy(), width, True


def _aligned(size: int) -> int:
    """Rounds up so that rows begin where their widest values may."""
    unit = 8 if size > 4 else 4 if size > 2 else 1
    return -(-size // unit) * unit


def _is_wide(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Decimal | pl.Int128)


def _kind(dtype: pl.DataType) -> np.dtype[np.generic]:
    if _is_wide(dtype):
        return np.dtype("V16")
    return np.asarray(pl.Series([], dtype=dtype).to_physical().to_numpy()).dtype


def _plain(field: _Field, values: pl.Series) -> NDArray[np.generic]:
    """Returns values as a contiguous array, anything where they are NULL."""
    if _is_wide(field.dtype):
        array = values.cast(_decimal(field.dtype)).rechunk().to_arrow()
        whole = np.frombuffer(array.buffers()[1], field.kind)
        return whole[array.offset : array.offset + len(array)]
    physical = values.cast(field.dtype)
    if field.dtype.is_temporal():
        physical = physical.to_physical()
    if physical.null_count():
        physical = physical.fill_null(False if isinstance(physical.dtype, pl.Boolean) else 0)
    return np.ascontiguousarray(physical.to_numpy(), field.kind)


def _series(field: _Field, values: NDArray[np.generic], nulls: NDArray[np.bool_] | None) -> pl.Series:
    series = _from_wide(values, field.dtype) if _is_wide(field.dtype) else pl.Series(values).cast(field.dtype)
    return series.set(pl.Series(nulls), None) if nulls is not None and nulls.any() else series


def _from_wide(values: NDArray[np.generic], dtype: pl.DataType) -> pl.Series:
    kind = pa.decimal128(38, _decimal(dtype).scale)
    series = pl.from_arrow(pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)]))
    assert isinstance(series, pl.Series)
    return series.cast(dtype)


def _decimal(dtype: pl.DataType) -> pl.Decimal:
    return pl.Decimal(38, dtype.scale if isinstance(dtype, pl.Decimal) else 0)
