"""Columns by slot: values that are read and overwritten at any slots, many at a time.

Values of fixed width stand in a NumPy array. All others are kept as they come, in chunks, and a slot holds the place of
its newest one; chunks are merged when they have become as large as the one before them, so that there are few, and all
are written anew without what is gone once that is the greater part.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from yeoul.engine.state.compact import compacted

__all__ = ["SlotColumn", "column_for"]

Slots = NDArray[np.int64]
_Item = TypeVar("_Item", bound=np.generic)
_RATIO = 4
_LEAST_GARBAGE = 4_096


class SlotColumn(Protocol):
    """One column of a keyed state."""

    dtype: pl.DataType

    def read(self, slots: Slots) -> pl.Series:
        """Returns the values of slots that were written."""
        ...

    def write(self, slots: Slots, values: pl.Series) -> None:
        """Puts values at slots, each of which stands once."""
        ...

    @property
    def size_bytes(self) -> int: ...


def column_for(dtype: pl.DataType) -> SlotColumn:
    """Returns an empty column for a type.

    Example:
        >>> column = column_for(pl.String())
        >>> column.write(np.array([0, 1]), pl.Series(["a", "b"]))
        >>> column.write(np.array([1]), pl.Series(["c"]))
        >>> column.read(np.array([1, 0, 1])).to_list()
        ['c', 'a', 'c']
    """
    return _Fixed(dtype) if _is_fixed(dtype) else _Chunked(dtype)


def _is_fixed(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or dtype.is_temporal() or isinstance(dtype, pl.Boolean)


class _Fixed:
    """Values in an array, nulls beside it from the first one on."""

    def __init__(self, dtype: pl.DataType) -> None:
        self.dtype = dtype
        self._wide = isinstance(dtype, pl.Decimal | pl.Int128)
        physical = pl.Series([], dtype=dtype).to_physical() if not self._wide else None
        kind = np.dtype("V16") if physical is None else np.asarray(physical.to_numpy()).dtype
        self._values = np.zeros(0, kind)
        self._nulls: NDArray[np.bool_] | None = None

    @property
    def size_bytes(self) -> int:
        return self._values.nbytes + (0 if self._nulls is None else self._nulls.nbytes)

    def read(self, slots: Slots) -> pl.Series:
        values = self._values[slots]
        series = self._from_wide(values) if self._wide else pl.Series(values).cast(self.dtype)
        if self._nulls is None:
            return series
        nulls = self._nulls[slots]
        return series.set(pl.Series(nulls), None) if nulls.any() else series

    def write(self, slots: Slots, values: pl.Series) -> None:
        if not len(slots):
            return
        top = int(slots.max()) + 1
        if top > len(self._values):
            self._grow(top)
        if values.null_count():
            if self._nulls is None:
                self._nulls = np.zeros(len(self._values), np.bool_)
            self._nulls[slots] = values.is_null().to_numpy()
        elif self._nulls is not None:
            self._nulls[slots] = False
        self._values[slots] = self._to_wide(values) if self._wide else self._plain(values)

    def _plain(self, values: pl.Series) -> NDArray[np.generic]:
        physical = values.cast(self.dtype).to_physical()
        if physical.null_count():
            physical = physical.fill_null(False if isinstance(physical.dtype, pl.Boolean) else 0)
        plain: NDArray[np.generic] = physical.to_numpy()
        return plain

    def _to_wide(self, values: pl.Series) -> NDArray[np.void]:
        decimals = values.cast(self._decimal())
        array = decimals.rechunk().to_arrow()
        whole = np.frombuffer(array.buffers()[1], np.dtype("V16"))
        return whole[array.offset : array.offset + len(array)]

    def _from_wide(self, values: NDArray[np.generic]) -> pl.Series:
        decimal = self._decimal()
        kind = pa.decimal128(38, decimal.scale)
        array = pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])
        series = pl.from_arrow(array)
        assert isinstance(series, pl.Series)
        return series.cast(self.dtype)

    def _decimal(self) -> pl.Decimal:
        scale = self.dtype.scale if isinstance(self.dtype, pl.Decimal) else 0
        return pl.Decimal(38, scale)

    def _grow(self, size: int) -> None:
        size = max(size, len(self._values) * 3 // 2, 1_024)
        self._values = _longer(self._values, size)
        if self._nulls is not None:
            self._nulls = _longer(self._nulls, size)


class _Chunked:
    """Values as they came, and where each slot's newest one is."""

    def __init__(self, dtype: pl.DataType) -> None:
        self.dtype = dtype
        self._chunks: list[pl.Series] = []
        self._places = np.zeros(0, np.int64)
        self._written = np.zeros(0, np.bool_)
        self._held = self._living = 0

    @property
    def size_bytes(self) -> int:
        return self._places.nbytes + self._written.nbytes + sum(int(each.estimated_size()) for each in self._chunks)

    def read(self, slots: Slots) -> pl.Series:
        if not len(slots):
            return pl.Series([], dtype=self.dtype)
        return self._all().gather(pl.Series(self._places[slots]))

    def write(self, slots: Slots, values: pl.Series) -> None:
        if not len(slots):
            return
        top = int(slots.max()) + 1
        if top > len(self._places):
            size = max(top, len(self._places) * 3 // 2, 1_024)
            self._places, self._written = _longer(self._places, size), _longer(self._written, size)
        self._living += int((~self._written[slots]).sum())
        self._written[slots] = True
        self._places[slots] = np.arange(self._held, self._held + len(slots))
        self._append(values.cast(self.dtype))
        if self._held - self._living > max(_LEAST_GARBAGE, self._living):
            self._collect()

    def _append(self, values: pl.Series) -> None:
        self._chunks.append(_own(values))
        self._held += len(values)
        while len(self._chunks) > 1 and len(self._chunks[-1]) * _RATIO > len(self._chunks[-2]):
            last = self._chunks.pop()
            self._chunks[-1] = pl.concat([self._chunks[-1], last], rechunk=True)

    def _collect(self) -> None:
        slots = np.flatnonzero(self._written)
        self._chunks = [_own(self._all().gather(pl.Series(self._places[slots])))]
        self._places[slots] = np.arange(len(slots))
        self._held = self._living = len(slots)

    def _all(self) -> pl.Series:
        return self._chunks[0] if len(self._chunks) == 1 else pl.concat(self._chunks, rechunk=False)


def _own(values: pl.Series) -> pl.Series:
    """Cuts values loose from the batch that they came in."""
    return compacted(values.to_frame("")).to_series()


def _longer(array: NDArray[_Item], size: int) -> NDArray[_Item]:
    grown = np.zeros(size, array.dtype)
    grown[: len(array)] = array
    return grown
