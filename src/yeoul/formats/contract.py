"""What a format gives: a decoder from records to columns, an encoder back.

Both work on whole buffers and never on one Python object per record. A decoder is built once per job for the columns
that the job reads and is then called from several threads at once: it keeps no state that a call could spoil.

Columns are described by Polars data types, because that is what comes out:

| SQL | Polars |
| --- | --- |
| BOOLEAN, TINYINT ... BIGINT, FLOAT, DOUBLE | Boolean, Int8 ... Int64, Float32, Float64 |
| DECIMAL(p, s) | Decimal(p, s) |
| STRING, CHAR, VARCHAR / BYTES | String / Binary |
| DATE, TIME | Date, Time |
| TIMESTAMP(p) / TIMESTAMP_LTZ(p) | Datetime(unit) / Datetime(unit, "UTC"); unit ms for p <= 3, us for p <= 6, else ns |
| ARRAY, MAP, ROW | List, List(Struct(key, value)), Struct |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["ChangeEncoder", "DeadRows", "Decoded", "Decoder", "Encoder", "FormatColumn", "RecordBuffer"]


@dataclass(frozen=True, slots=True)
class RecordBuffer:
    """Records as they lie: one buffer, and where each record's bytes are in it.

    Attributes:
        data: The bytes, shape (n,), uint8. Never changed after this object is made: columns keep views into it.
            Under 2 GiB.
        offsets: Where each record starts in `data`, int64, shape (records,).
        lengths: Each record's length in bytes, int64, shape (records,); -1 is a null record (a tombstone).
    """

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets)

    def record(self, index: int) -> bytes | None:
        """Returns a copy of one record's bytes, None for a null record; for messages and dead letters."""
        length = int(self.lengths[index])
        if length < 0:
            return None
        start = int(self.offsets[index])
        return self.data[start : start + length].tobytes()


@dataclass(frozen=True, slots=True)
class FormatColumn:
    """A column to decode or encode: its name in the record and the type that comes out."""

    name: str
    dtype: pl.DataType
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class DeadRows:
    """Records that did not decode.

    Attributes:
        records: Their indexes in the RecordBuffer, ascending, int64.
        reasons: Why, one a record: where in the record, what was expected, what was found.
    """

    records: NDArray[np.int64]
    reasons: Sequence[str]

    def __len__(self) -> int:
        return len(self.records)


NO_DEAD_ROWS = DeadRows(np.empty(0, np.int64), ())


@dataclass(frozen=True, slots=True)
class Decoded:
    """What became of a RecordBuffer.

    Attributes:
        frame: The rows that decoded, in the order of their records, one column per FormatColumn, in that order.
        records: For each row of the frame, the index of its record, int64; None when every record became one row.
        dead: The records that did not decode.
        skipped: Records that were neither (null records, empty lines, what `ignore-parse-errors` passes over).
        weights: +1 for each row that comes, -1 for each that goes, int64; None: the format knows new rows only.
    """

    frame: pl.DataFrame
    records: NDArray[np.int64] | None
    dead: DeadRows
    skipped: int = 0
    weights: NDArray[np.int64] | None = None


class Decoder(Protocol):
    """Turns records into columns; thread-safe."""

    def decode(self, records: RecordBuffer) -> Decoded:
        """Decodes a whole buffer.

        A record that does not decode becomes a dead row, never an exception, unless the format's `fail-on-error`
        choice says otherwise. The frame may hold views into `records.data`.
        """
        ...


class Encoder(Protocol):
    """Turns columns into records; thread-safe."""

    def encode(self, frame: pl.DataFrame) -> RecordBuffer:
        """Encodes every row of a frame as one record, without a line end."""
        ...


class ChangeEncoder(Encoder, Protocol):
    """An encoder whose records can say, too, that a row is taken back."""

    def encode(self, frame: pl.DataFrame, gone: NDArray[np.bool_] | None = None) -> RecordBuffer:
        """Encodes every row of a frame as one record; `gone` says which are taken back, None: none."""
        ...
