"""The `SourceBatch` that every source of ours hands over, and how dead records are laid out.

Invariants: `frame` has the scan's columns in the scan's order; `recover` never fails for a row that is in the frame.
Callers: the sources of each connector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from yeoul.engine.contract import DeadLetters, Omitted
from yeoul.formats.contract import RecordBuffer

__all__ = ["DecodedBatch", "RecordPlaces", "binary_of", "dead_letters", "with_places"]


def _no_recovery(rows: pl.Series) -> pl.DataFrame:
    raise AssertionError("This batch holds no rows to recover")


@dataclass(frozen=True, slots=True)
class DecodedBatch:
    """Rows of one split, and what is needed to get whole rows back.

    Attributes:
        frame: The scan's columns.
        dead: Records that did not decode, if any.
        records: How many records were read for it.
        recovery: Given row indexes, returns every physical and metadata column, `split` and `position`.
        omitted: What is told of rows that were left out, if any were.
    """

    frame: pl.DataFrame
    records: int
    dead: DeadLetters | None = None
    recovery: Callable[[pl.Series], pl.DataFrame] = field(default=_no_recovery)
    omitted: Omitted | None = None

    def recover(self, rows: pl.Series) -> pl.DataFrame:
        """Returns the given rows with all the table's columns."""
        return self.recovery(rows)


@dataclass(frozen=True, slots=True)
class RecordPlaces:
    """Where records come from.

    Attributes:
        positions: Where each one stands in its split: an offset, or a byte.
        splits: The splits that there are.
        owners: The index of each record's split; None: there is one only.

    Example:
        >>> places = RecordPlaces(np.array([7, 8, 3]), ("t-0", "t-1"), np.array([0, 0, 1]))
        >>> [column.to_list() for column in places.of(np.array([1, 2]))]
        [['t-0', 't-1'], ['8', '3']]
    """

    positions: NDArray[np.int64]
    splits: tuple[str, ...]
    owners: NDArray[np.int64] | None = None

    def take(self, indexes: NDArray[np.int64]) -> RecordPlaces:
        """Returns the places of some of the records."""
        owners = None if self.owners is None else self.owners[indexes]
        return RecordPlaces(self.positions[indexes], self.splits, owners)

    def of(self, indexes: NDArray[np.int64]) -> tuple[pl.Series, pl.Series]:
        """Returns `split` and `position` of some records, as strings."""
        splits = pl.Series("split", self.splits, dtype=pl.String)
        owners = np.zeros(len(indexes), np.int64) if self.owners is None else self.owners[indexes]
        return splits[pl.Series(owners)], pl.Series("position", self.positions[indexes]).cast(pl.String)


def binary_of(records: RecordBuffer, indexes: NDArray[np.int64]) -> pl.Series:
    """Returns some records' bytes as a Binary column of their own, null where the record is.

    Example:
        >>> data = np.frombuffer(b"abcd", np.uint8)
        >>> buffer = RecordBuffer(data, np.array([0, 2, 0]), np.array([2, 2, -1]))
        >>> binary_of(buffer, np.array([1, 2])).to_list()
        [b'cd', None]
    """
    lengths = records.lengths[indexes]
    kept = np.maximum(lengths, 0)
    ends = np.cumsum(kept)
    offsets = np.concatenate([np.zeros(1, np.int64), ends])
    within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], kept)
    data = records.data[np.repeat(records.offsets[indexes], kept) + within]
    validity = pa.py_buffer(np.packbits(lengths >= 0, bitorder="little"))
    buffers = [validity, pa.py_buffer(offsets), pa.py_buffer(data)]
    return pl.Series(pa.Array.from_buffers(pa.large_binary(), len(indexes), buffers), dtype=pl.Binary)


def dead_letters(
    places: RecordPlaces, indexes: NDArray[np.int64], reasons: Sequence[str], raw: pl.Series
) -> DeadLetters | None:
    """Returns some records as dead letters, None when there are none."""
    if not len(indexes):
        return None
    reason = pl.Series("reason", list(reasons), dtype=pl.String)
    return DeadLetters(pl.DataFrame([*places.of(indexes), reason, raw.alias("raw")]))


def with_places(frame: pl.DataFrame, split: str, positions: Sequence[int] | Sequence[str]) -> pl.DataFrame:
    """Adds `split` and `position` to recovered rows."""
    places = pl.Series("position", [str(position) for position in positions], dtype=pl.String)
    return frame.with_columns(pl.lit(split, dtype=pl.String).alias("split"), places)
