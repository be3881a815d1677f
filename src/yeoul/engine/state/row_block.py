"""Values by slot: all columns of a slot beside each other in blocks of memory.

A key that is met by chance costs one miss of the caches, however many columns it has. Strings and bytes stand there as
views of sixteen bytes; what does not fit into a view lies in `Texts`. Flags for NULL stand behind the values, from the
first NULL on that any column is given. Slots that were never written hold zeros.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from yeoul.engine.series import frame_of, nulls_in, series_of, validity, values_in
from yeoul.engine.state.texts import VIEW, Texts
from yeoul.kernels.addresses import address_of
from yeoul.kernels.blocks import Blocks, Layout
from yeoul.kernels.folding import Fold, Tell, fold_rows
from yeoul.kernels.row_blocks import FieldTable, gather_rows, scatter_rows

__all__ = ["RowBlock", "fits_a_block"]

Slots = NDArray[np.int64]
_Column = tuple[NDArray[np.generic], NDArray[np.bool_] | None]
"""Values and flags for NULL."""
_Room = _Column | tuple[None, None]
_NOTHING: Final[Mapping[str, Tell]] = {}
_NOBODY: Final[Iterable[_Room]] = itertools.repeat((None, None))


def fits_a_block(dtype: pl.DataType) -> bool:
    """Tells whether a type's values can stand in a block."""
    return dtype.is_numeric() or dtype.is_temporal() or isinstance(dtype, pl.Boolean) or _is_text(dtype)


@dataclass(slots=True)
class _Field:
    """One column: where it stands in a row, and whether any NULL was ever written."""

    name: str
    number: int
    offset: int
    dtype: pl.DataType
    kind: np.dtype[np.generic]
    is_text: bool
    is_wide: bool
    has_nulls: bool = False


class RowBlock:
    """Columns of fixed width, and texts.

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
            dtype, kind = dtypes[name], kinds[name]
            number = len(self._fields)
            self._fields[name] = _Field(name, number, offset, dtype, kind, _is_text(dtype), _is_wide(dtype))
            offset += kinds[name].itemsize
        self._values_bytes = offset
        self._texts = Texts()
        self._text_offsets = [field.offset for field in self._fields.values() if field.is_text]
        self._flagged = False
        self._kinds: dict[tuple[str, ...], pa.StructType] = {}
        self._blocks = Blocks(_aligned(offset))

    @property
    def size_bytes(self) -> int:
        """What it takes."""
        return self._blocks.size_bytes + self._texts.size_bytes

    @property
    def row_bytes(self) -> int:
        """What a slot takes."""
        return self._blocks.width

    def reserve(self, slot_count: int) -> None:
        """Makes room for slots below a number."""
        self._blocks.reserve(slot_count)

    @property
    def _layout(self) -> Layout:
        return self._blocks.layout

    def read(self, slots: Slots, names: Iterable[str]) -> list[pl.Series]:
        """Returns columns at slots for which there is room."""
        fields = [self._fields[name] for name in names]
        values = [np.empty(len(slots), field.kind) for field in fields]
        nulls = [np.empty(len(slots), np.bool_) if field.has_nulls else None for field in fields]
        slots = np.ascontiguousarray(slots, np.int64)
        gather_rows(self._layout, slots, self._table(fields, values, nulls))
        return [self._series(*each) for each in zip(fields, values, nulls, strict=True)]

    def write(self, slots: Slots, columns: Mapping[str, pl.Series]) -> None:
        """Puts values of some columns at slots, each of which stands once."""
        if not len(slots) or not columns:
            return
        self.reserve(int(slots.max()) + 1)
        fields = [self._fields[name] for name in columns]
        nulls = [nulls_in(series) for series in columns.values()]
        self._flag(fields, nulls)
        slots = np.ascontiguousarray(slots, np.int64)
        self._drop_texts(slots, [field.offset for field in fields if field.is_text])
        values = [self._plain(field, series) for field, series in zip(fields, columns.values(), strict=True)]
        table = self._table(fields, values, nulls)
        scatter_rows(self._layout, slots, table, flagged=self._flagged)
        self._collect_if_worthwhile()

    def can_fold(self, name: str, fold: Fold) -> bool:
        """Tells whether newer values of a column can be merged where the older ones stand."""
        field = self._fields[name]
        if fold is Fold.SUM:
            return field.kind in (np.int64, np.float64)
        return field.kind in (np.int32, np.int64) or (field.kind == np.float64 and fold in (Fold.FIRST, Fold.LAST))

    def fold(
        self, slots: Slots, fresh: Mapping[str, pl.Series], folds: Mapping[str, Fold], is_new: NDArray[np.bool_]
    ) -> None:
        """Merges newer values of some columns into those at slots, each of which stands once; new ones are put.

        Args:
            slots: There is room for them.
            fresh: The columns, as `folds` names them.
            folds: As `can_fold` allows.
            is_new: A truth for each slot.
        """
        fields, given = self._to_be_folded(fresh)
        self._fold(slots, fields, given, folds, is_new)

    def folded(
        self, slots: Slots, fresh: Mapping[str, pl.Series], folds: Mapping[str, Fold], is_new: NDArray[np.bool_]
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Does the same; returns what was there and what is there now."""
        fields, given = self._to_be_folded(fresh)
        was, now = ([_room(field, len(slots)) for field in fields] for _ in range(2))
        self._fold(slots, fields, given, folds, is_new, now=now, was=was)
        kind = self._kind_of(tuple(folds))
        return frame_of(kind, was), frame_of(kind, now)

    def told(
        self,
        slots: Slots,
        fresh: Mapping[str, pl.Series],
        folds: Mapping[str, Fold],
        is_new: NDArray[np.bool_],
        tells: Mapping[str, Tell],
    ) -> tuple[pl.DataFrame, NDArray[np.bool_]]:
        """Does the same; returns what is there now, and which rows are new or differ in what `tells` says."""
        fields, given = self._to_be_folded(fresh)
        now = [_room(field, len(slots)) for field in fields]
        differs = self._fold(slots, fields, given, folds, is_new, tells, now)
        return frame_of(self._kind_of(tuple(folds)), now), differs

    def _to_be_folded(self, fresh: Mapping[str, pl.Series]) -> tuple[list[_Field], list[_Column]]:
        """Readies the flags for NULL; returns the fields and their columns."""
        fields = [self._fields[name] for name in fresh]
        nulls = [nulls_in(series) for series in fresh.values()]
        self._flag(fields, nulls)
        values = [_plain(field, series) for field, series in zip(fields, fresh.values(), strict=True)]
        return fields, list(zip(values, nulls, strict=True))

    def _fold(
        self,
        slots: Slots,
        fields: Sequence[_Field],
        fresh: Sequence[_Column],
        folds: Mapping[str, Fold],
        is_new: NDArray[np.bool_],
        tells: Mapping[str, Tell] = _NOTHING,
        now: Iterable[_Room] = _NOBODY,
        was: Iterable[_Room] = _NOBODY,
    ) -> NDArray[np.bool_]:
        entries = [
            (
                field.offset,
                field.kind.itemsize,
                folds[field.name],
                field.kind.kind == "f",
                self._values_bytes + field.number if self._flagged else -1,
                tells.get(field.name, Tell.NOTHING),
                *(0 if array is None else address_of(array) for column in columns for array in column),
            )
            for field, *columns in zip(fields, fresh, now, was, strict=False)
        ]
        slots, is_new = np.ascontiguousarray(slots, np.int64), np.ascontiguousarray(is_new)
        return fold_rows(self._layout, slots, is_new, np.array(entries, np.int64))

    def _kind_of(self, names: tuple[str, ...]) -> pa.StructType:
        """Plain columns as Arrow has them."""
        kind = self._kinds.get(names)
        if kind is None:
            arrays = [(name, pl.Series([], dtype=self._fields[name].dtype).to_arrow().type) for name in names]
            kind = self._kinds[names] = pa.struct(arrays)
        return kind

    def forget(self, slots: Slots) -> None:
        """Says that what was written at slots is not needed any more."""
        if not self._text_offsets or not len(slots):
            return
        slots = np.ascontiguousarray(slots, np.int64)
        self._drop_texts(slots, self._text_offsets)
        fields = [field for field in self._fields.values() if field.is_text]
        nothing = np.zeros(len(slots), VIEW)
        table = self._table(fields, [nothing] * len(fields), [None] * len(fields))
        scatter_rows(self._layout, slots, table, flagged=self._flagged)
        self._collect_if_worthwhile()

    def _drop_texts(self, slots: Slots, offsets: Iterable[int]) -> None:
        for offset in offsets:
            self._texts.drop(self._layout, offset, slots)

    def _collect_if_worthwhile(self) -> None:
        if self._texts.is_mostly_garbage:
            self._texts.collect(self._blocks.arrays, self._blocks.width, self._text_offsets)

    def _plain(self, field: _Field, values: pl.Series) -> NDArray[np.generic]:
        return self._texts.put(values.cast(field.dtype)) if field.is_text else _plain(field, values)

    def _series(self, field: _Field, values: NDArray[np.generic], nulls: NDArray[np.bool_] | None) -> pl.Series:
        if field.is_text:
            return self._texts.series(values, field.dtype, nulls).alias(field.name)
        return _series(field, values, nulls)

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
                address_of(column),
                self._values_bytes + field.number,
                0 if flags is None else address_of(flags),
            )
            for field, column, flags in zip(fields, values, nulls, strict=True)
        ]
        return np.array(entries, np.int64).reshape(-1, 5)

    def _flag(self, fields: Iterable[_Field], nulls: Iterable[NDArray[np.bool_] | None]) -> None:
        """Gives rows their flags for NULL once a column has some."""
        for field, flags in zip(fields, nulls, strict=True):
            field.has_nulls |= flags is not None
        if self._flagged or not any(field.has_nulls for field in fields):
            return
        self._blocks = self._blocks.widened(_aligned(self._values_bytes + len(self._fields)), self._values_bytes)
        self._flagged = True


def _room(field: _Field, rows: int) -> _Column:
    return np.empty(rows, field.kind), np.empty(rows, np.bool_) if field.has_nulls else None


def _aligned(size: int) -> int:
    """Rounds up so that rows begin where their widest values may."""
    unit = 8 if size > 4 else 4 if size > 2 else 1
    return -(-size // unit) * unit


def _is_text(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.String | pl.Binary)


def _is_wide(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Decimal | pl.Int128)


def _kind(dtype: pl.DataType) -> np.dtype[np.generic]:
    if _is_wide(dtype) or _is_text(dtype):
        return VIEW
    return np.asarray(pl.Series([], dtype=dtype).to_physical().to_numpy()).dtype


def _plain(field: _Field, values: pl.Series) -> NDArray[np.generic]:
    """Returns values as a contiguous array, anything where they are NULL."""
    if field.is_wide:
        array = values.cast(_decimal(field.dtype)).rechunk().to_arrow()
        whole = np.frombuffer(array.buffers()[1], field.kind)
        return whole[array.offset : array.offset + len(array)]
    physical = values if values.dtype == field.dtype else values.cast(field.dtype)
    if field.dtype.is_temporal():
        physical = physical.cast(pl.Int32 if field.kind.itemsize == 4 else pl.Int64)
    return np.ascontiguousarray(values_in(physical), field.kind)


def _series(field: _Field, values: NDArray[np.generic], nulls: NDArray[np.bool_] | None) -> pl.Series:
    if field.is_wide:
        return _from_wide(values, nulls, field.dtype).alias(field.name)
    series = series_of(field.name, values, nulls)
    return series if series.dtype == field.dtype else series.cast(field.dtype)


def _from_wide(values: NDArray[np.generic], nulls: NDArray[np.bool_] | None, dtype: pl.DataType) -> pl.Series:
    kind = pa.decimal128(38, _decimal(dtype).scale)
    series = pl.from_arrow(pa.Array.from_buffers(kind, len(values), [validity(nulls), pa.py_buffer(values)]))
    assert isinstance(series, pl.Series)
    return series.cast(dtype)


def _decimal(dtype: pl.DataType) -> pl.Decimal:
    return pl.Decimal(38, dtype.scale if isinstance(dtype, pl.Decimal) else 0)
