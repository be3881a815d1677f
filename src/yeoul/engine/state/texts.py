"""Texts that are kept: bytes in buffers that only grow, shown by Arrow views that stand in a block of rows.

What is put in is copied once, cut loose from the batch that it came in; what is read shares the buffers and copies
nothing. A buffer is never changed where it was written, so a column that was read stays as it is. When most of what is
in the buffers is shown by no row any more, the rest moves into new ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from yeoul.engine.series import nulls_in, validity
from yeoul.kernels.addresses import address_of
from yeoul.kernels.blocks import Layout
from yeoul.kernels.texts import copy_texts, long_bytes, long_bytes_at, move_texts

__all__ = ["VIEW", "Texts"]

VIEW = np.dtype("V16")
"""How a view stands in an array."""
_LEAST_BYTES, _MOST_BYTES = 1 << 12, 1 << 26
_LEAST_GARBAGE_BYTES = 1 << 16


class Texts:
    """Strings and bytes.

    Example:
        >>> texts = Texts()
        >>> views = texts.put(pl.Series(["short", "a text of more than twelve bytes", None]))
        >>> texts.series(views[[1, 0, 2]], pl.String()).to_list()
        ['a text of more than twelve bytes', 'short', '']
    """

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._buffers: list[NDArray[np.uint8]] = []
        self._used = self._held = self._living = 0

    @property
    def size_bytes(self) -> int:
        """What the buffers take."""
        return sum(buffer.nbytes for buffer in self._buffers)

    @property
    def is_mostly_garbage(self) -> bool:
        """Whether most bytes are of texts that were dropped."""
        return self._held - self._living > max(_LEAST_GARBAGE_BYTES, self._living)

    def put(self, values: pl.Series) -> NDArray[np.generic]:
        """Takes texts in; returns their views, zeros for NULLs."""
        array = values.rechunk().to_arrow(compat_level=pl.CompatLevel.newest())
        targets = np.empty(len(values), VIEW)
        _, views, *data = array.buffers()
        if views is None:
            return np.zeros(len(values), VIEW)
        nulls = nulls_in(values)
        address = views.address + array.offset * VIEW.itemsize
        size_bytes = long_bytes(address, nulls, len(values))
        self._make_room(size_bytes)
        sources = np.array([each.address for each in data] or [0], np.int64)
        self._used = copy_texts(address, sources, nulls, targets, self._buffers[-1], self._used, len(self._buffers) - 1)
        self._held += size_bytes
        self._living += size_bytes
        return targets

    def series(
        self, views: NDArray[np.generic], dtype: pl.DataType, nulls: NDArray[np.bool_] | None = None
    ) -> pl.Series:
        """Returns the texts that views show, NULL where `nulls` is true."""
        kind = pa.string_view() if isinstance(dtype, pl.String) else pa.binary_view()
        buffers = [validity(nulls), pa.py_buffer(views), *(pa.py_buffer(buffer) for buffer in self._buffers)]
        return pl.Series("", pa.Array.from_buffers(kind, len(views), buffers), dtype)

    def drop(self, layout: Layout, offset: int, slots: NDArray[np.int64]) -> None:
        """Says that the texts of a field are not needed any more at slots."""
        self._living -= long_bytes_at(layout, offset, slots)

    def collect(self, blocks: Sequence[NDArray[np.uint8]], width: int, offsets: Sequence[int]) -> None:
        """Moves what all fields of blocks of rows show into new buffers, writing the views anew."""
        old, left = self._buffers, self._living
        sources = np.array([address_of(buffer) for buffer in old], np.int64)
        self._begin()
        for block in blocks:
            for offset in offsets:
                self._move(block, width, offset, sources, left)
        self._living = self._held

    def _move(self, block: NDArray[np.uint8], width: int, offset: int, sources: NDArray[np.int64], left: int) -> None:
        at, count = 0, len(block) // width
        while True:
            begun, room = self._used, self._buffers[-1] if self._buffers else np.empty(0, np.uint8)
            rows, number = range(at, count), len(self._buffers) - 1
            at, self._used = move_texts(address_of(block) + offset, width, rows, sources, room, begun, number)
            self._held += self._used - begun
            if at == count:
                return
            longest = int.from_bytes(block[at * width + offset :][:4].tobytes(), "little")
            self._add_buffer(max(min(left - self._held, _MOST_BYTES), longest))

    def _make_room(self, size_bytes: int) -> None:
        if not self._buffers or self._used + size_bytes > len(self._buffers[-1]):
            self._add_buffer(max(size_bytes, min(max(self._held, _LEAST_BYTES), _MOST_BYTES)))

    def _add_buffer(self, size_bytes: int) -> None:
        self._buffers.append(np.empty(size_bytes, np.uint8))
        self._used = 0
