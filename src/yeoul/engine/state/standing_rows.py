"""Rows by key that only come: what a join remembers of an input that takes nothing back.

Rows go only when they were untouched for too long. What is noted for each row stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.state.chained_rows import ChainedRows
from yeoul.engine.state.columns import Slots
from yeoul.engine.state.fingerprints import Lanes

__all__ = ["StandingRows"]

_TOUCHED = "$touched"


class StandingRows(ChainedRows):
    """Rows by key.

    Args:
        columns: Name and type of the rows' columns, the key's left out.
        keys: Those of the key; they may be none: all rows are of one key.
        notes: Name and type of what is noted for each row.

    Example:
        >>> rows = StandingRows({"v": pl.String()}, {"k": pl.Int64()})
        >>> rows.add(pl.DataFrame({"k": [1, 2, 1], "v": ["a", "b", "a"]})).tolist()
        [0, 1, 2]
        >>> found = rows.find(pl.DataFrame({"k": [3, 1]}))
        >>> found.places.tolist(), rows.read(found.slots)["v"].to_list()
        ([1, 1], ['a', 'a'])
    """

    def __init__(
        self,
        columns: Mapping[str, pl.DataType],
        keys: Mapping[str, pl.DataType],
        notes: Mapping[str, pl.DataType] | None = None,
    ) -> None:
        super().__init__({**columns, **(notes or {})}, keys)
        self._names, self._notes = list(columns), list(notes or {})

    def _begin(self) -> None:
        super()._begin()
        self._touched = np.zeros(0, np.int64)

    @property
    def size_bytes(self) -> int:
        """What they take in memory, about."""
        return super().size_bytes + self._touched.nbytes

    def add(self, rows: pl.DataFrame, notes: pl.DataFrame | None = None, lanes: Lanes | None = None) -> Slots:
        """Adds rows; returns their slots.

        Args:
            rows: With all columns and the key's.
            notes: What to note for each row.
            lanes: The fingerprints of the rows' keys, if they are known.
        """
        return self._put(rows if notes is None else rows.hstack(notes), lanes)[0]

    def read(self, slots: Slots, names: Sequence[str] | None = None) -> pl.DataFrame:
        """Returns rows, without the key's columns and the notes, or some of their columns."""
        return super().read(slots, self._names if names is None else names)

    def read_note(self, name: str, slots: Slots) -> pl.Series:
        """Returns what is noted for rows."""
        return self._columns.read(slots, [name]).to_series()

    def write_note(self, name: str, slots: Slots, values: pl.Series) -> None:
        """Notes something for rows, each of which stands once."""
        self._columns.write(slots, values.alias(name).to_frame(), [name])

    def touch(self, slots: Slots, now_ms: int) -> None:
        """Says that rows were in use at a time."""
        if self._used > len(self._touched):
            grown = np.zeros(max(self._used, len(self._touched) * 3 // 2), np.int64)
            grown[: len(self._touched)] = self._touched
            self._touched = grown
        self._touched[slots] = now_ms

    def untouched_since(self, before_ms: int) -> Slots:
        """Returns the rows whose last touch was before a time."""
        living = self._living()[2]
        return living[self._touched_at(living) < before_ms]

    def snapshot(self) -> pl.DataFrame:
        """Returns every row with its key, its notes and when it was last touched; each key's rows in their order."""
        keys, places, slots = self._living()
        touched = pl.Series(_TOUCHED, self._touched_at(slots)).to_frame()
        frames = [self._keys.read_keys(keys[places]), super().read(slots), touched]
        return pl.concat([frame for frame in frames if frame.width], how="horizontal")

    def restore(self, rows: pl.DataFrame) -> None:
        """Takes what an equal state's `snapshot` gave; to be called on an empty one."""
        if not rows.height:
            return
        slots = self.add(rows)
        if (rows[_TOUCHED] != 0).any():
            self.touch(slots, 0)
            self._touched[slots] = rows[_TOUCHED].to_numpy()

    def _touched_at(self, slots: Slots) -> NDArray[np.int64]:
        return self._touched[slots] if len(self._touched) else np.zeros(len(slots), np.int64)
