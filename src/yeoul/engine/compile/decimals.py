"""Decimals in columns: exact sums, products, quotients and remainders, rounded half up to the result's type.

The steps are taken by a kernel, in numbers three times as wide, so that none of them overflows. A result with too many
digits is NULL, and so is a division by zero: who wants it to fail asks before.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

from yeoul.kernels.decimals import ADD, DIVIDE, MULTIPLY, REMAINDER, combined
from yeoul.plan.functions.coercion import MAX_DIGITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["combined_decimals"]

Operation = Callable[..., object]
_KINDS: Mapping[Operation, int] = {
    operator.add: ADD,
    operator.sub: ADD,
    operator.mul: MULTIPLY,
    operator.truediv: DIVIDE,
    operator.mod: REMAINDER,
}


def combined_decimals(a: pl.Series, b: pl.Series, operation: Operation, dtype: pl.Decimal) -> pl.Series:
    """Returns `operation` of two columns of decimals or integers, one of which may be of length one.

    Args:
        a: The left numbers.
        b: The right numbers.
        operation: Of the module `operator`: add, sub, mul, truediv or mod.
        dtype: The type of the result, which decides where it is rounded.

    Example:
        >>> from decimal import Decimal
        >>> one, seven = pl.Series([Decimal(1), None]), pl.Series([7])
        >>> combined_decimals(one, seven, operator.truediv, pl.Decimal(38, 6)).to_list()
        [Decimal('0.142857'), None]
    """
    a, b = _as_decimals(a), _as_decimals(b)
    s1, s2, scale = _scale(a), _scale(b), dtype.scale
    if operation is operator.sub:
        b = -b
    if operation is operator.truediv:
        up, down = (scale + s2 - s1, 0), 0
    elif operation is operator.mul:
        up, down = (0, 0), s1 + s2 - scale
    else:
        working = max(s1, s2, scale)
        up, down = (working - s1, working - s2), working - scale
    words, holds = combined(_KINDS[operation], _words(a), _words(b), up=up, down=down, digits=dtype.precision)
    valid = holds & _are_known(a, len(holds)) & _are_known(b, len(holds))
    return _column(words, valid, dtype).alias(a.name)


def _as_decimals(column: pl.Series) -> pl.Series:
    return column if isinstance(column.dtype, pl.Decimal) else column.cast(pl.Decimal(MAX_DIGITS, 0))


def _scale(column: pl.Series) -> int:
    assert isinstance(column.dtype, pl.Decimal)
    return column.dtype.scale


def _are_known(column: pl.Series, rows: int) -> NDArray[np.bool_]:
    if column.null_count() == 0:
        return np.ones(rows, np.bool_)
    known = column.is_not_null().to_numpy()
    return known if len(known) == rows else np.repeat(known, rows)


def _words(column: pl.Series) -> NDArray[np.int64]:
    """The digits of each value as two words, the lower first."""
    array = column.rechunk().to_arrow()
    return np.frombuffer(array.buffers()[1], np.int64, 2 * len(array), 16 * array.offset)


def _column(words: NDArray[np.int64], valid: NDArray[np.bool_], dtype: pl.Decimal) -> pl.Series:
    present = None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))
    kind = pa.decimal128(dtype.precision, dtype.scale)
    made = pl.from_arrow(pa.Array.from_buffers(kind, len(valid), [present, pa.py_buffer(words)]))
    assert isinstance(made, pl.Series)
    return made
