"""Keys and values of records side by side: the rows of each, and those of records that end a key.

Pure; nothing here loops over records, dead ones apart. Callers: `records`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.connectors.batches import RecordPlaces, binary_of, dead_letters
from yeoul.engine.contract import WEIGHT, DeadLetters
from yeoul.formats.contract import Decoded, RecordBuffer

__all__ = ["beside", "dead_of", "gathered", "joined_key", "merged", "with_ends", "without_missing_keys"]


def gathered(frame: pl.DataFrame, places: NDArray[np.int64]) -> pl.DataFrame:
    """Returns the rows at the places; a place below zero gives a row of nulls."""
    chosen = pl.DataFrame({"at": places}).select(pl.when(pl.col("at") >= 0).then(pl.col("at"))).to_series()
    return frame[chosen.cast(pl.UInt32)]  # with other integers, Polars 2.1 stumbles over places that are all null


def beside(frame: pl.DataFrame, columns: pl.DataFrame) -> pl.DataFrame:
    """Returns both frames' columns; a frame without any has no height to speak of."""
    return frame.hstack(columns.get_columns()) if frame.width else columns


def with_ends(
    values: RecordBuffer, frame: pl.DataFrame, kept: NDArray[np.int64] | None
) -> tuple[pl.DataFrame, NDArray[np.int64] | None]:
    """Returns the rows of values and, with nulls and the weight -1, of null values, which end their keys; in order.

    Args:
        values: The records' values.
        frame: What they gave; a format may make a row of a null value.
        kept: The record of each row; None: every record is one.
    """
    ends = np.flatnonzero(values.lengths < 0)
    of_rows = np.arange(frame.height, dtype=np.int64) if kept is None else kept
    if not len(ends):
        return frame.with_columns(pl.repeat(1, frame.height, dtype=pl.Int64, eager=True).alias(WEIGHT)), kept
    living = np.flatnonzero(values.lengths[of_rows] >= 0)
    records = np.concatenate([of_rows[living], ends])
    order = np.argsort(records, kind="stable")
    places = np.concatenate([living, np.full(len(ends), -1)])[order]
    weights = pl.Series(WEIGHT, np.where(places < 0, -1, 1))
    rows = gathered(frame, places) if frame.width else pl.DataFrame(height=len(places))
    return rows.with_columns(weights), records[order]


def joined_key(
    decoded: Decoded, names: Sequence[str], frame: pl.DataFrame, kept: NDArray[np.int64] | None, count: int
) -> tuple[pl.DataFrame, NDArray[np.int64] | None]:
    """Puts the keys' columns beside the values' rows; a null key gives nulls, a dead one takes the row with it.

    Args:
        decoded: What the keys gave.
        names: What their columns are called in the table.
        frame: The values' rows.
        kept: The record of each row; None: every record is one.
        count: How many records there are.
    """
    columns = decoded.frame.rename(dict(zip(decoded.frame.columns, names, strict=True)))
    if decoded.records is None and kept is None:
        return beside(frame, columns), None
    row_of_record = np.full(count, -1, np.int64)
    own = np.arange(columns.height) if decoded.records is None else decoded.records
    row_of_record[own[::-1]] = np.arange(columns.height)[::-1]
    is_dead = np.zeros(count, np.bool_)
    is_dead[decoded.dead.records] = True
    of_rows = np.arange(frame.height, dtype=np.int64) if kept is None else kept
    alive = ~is_dead[of_rows]
    if not alive.all():
        frame, of_rows = frame.filter(pl.Series(alive)), of_rows[alive]
    return beside(frame, gathered(columns, row_of_record[of_rows])), of_rows


def without_missing_keys(
    places: Callable[[], RecordPlaces],
    keys: RecordBuffer,
    frame: pl.DataFrame,
    kept: NDArray[np.int64] | None,
    names: Sequence[str],
) -> tuple[pl.DataFrame, NDArray[np.int64] | None, DeadLetters | None]:
    """Sets rows aside whose key has a NULL in it: nothing says which row they are."""
    missing = np.zeros(frame.height, np.bool_)
    for name in names:
        if frame[name].null_count():
            missing |= frame[name].is_null().to_numpy()
    if not missing.any():
        return frame, kept, None
    of_rows = np.arange(frame.height, dtype=np.int64) if kept is None else kept
    indexes = np.unique(of_rows[missing])
    reasons = [
        f"key: {', '.join(names)} must not be NULL" if keys.lengths[index] >= 0 else "key: expected one, got NULL"
        for index in indexes
    ]
    dead = dead_letters(places(), indexes, reasons, binary_of(keys, indexes))
    return frame.filter(pl.Series(~missing)), of_rows[~missing], dead


def dead_of(
    places: Callable[[], RecordPlaces], buffer: RecordBuffer, decoded: Decoded, prefix: str
) -> DeadLetters | None:
    """Returns what did not decode of a part of records, its reasons behind a prefix; None if all did."""
    if not len(decoded.dead):
        return None
    indexes = decoded.dead.records
    reasons = [prefix + reason for reason in decoded.dead.reasons]
    return dead_letters(places(), indexes, reasons, binary_of(buffer, indexes))


def merged(*parts: DeadLetters | None) -> DeadLetters | None:
    """Returns dead letters as one; None if there are none."""
    frames = [one.frame for one in parts if one is not None]
    return DeadLetters(pl.concat(frames)) if frames else None
