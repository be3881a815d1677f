"""What the engine asks of a connector, and what it hands on.

A `Source` is opened at positions and gives a `Reader`; the reader is polled by one thread of the runtime and hands
over `Fetched` pieces, still undecoded; `Fetched.decode` runs on the decode pool, several at once, and gives a
`SourceBatch` of columns. Pieces of one split are handed to the operators in the order in which they were polled.

A `Position` is whatever the connector needs to go on after a piece: JSON values only, so that a checkpoint can hold it.

Reserved column names begin with `$` and never reach a sink:
`$watermark` (Int64, ms): the watermark as it stood before this row; present above an AssignWatermark if an operator
judges lateness. `$row` (UInt32): the row's index in its SourceBatch, so that a late row can be recovered whole;
present under the same condition. `$weight` (Int64): +1 insert, -1 retract; absent on an append-only stream; a row that
changes is -1 for what it was and, right behind, +1 for what it is. A source whose records are changes gives it, too;
where they are upserts, +1 is a key's row from now on, and of -1 only the key counts: the key has no row any more.

`$change` (UInt8) does reach sinks that take changes, and results: 0 for +I, 1 for -U, 2 for +U, 3 for -D, the numbers
that Flink's RowKind has.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = [
    "CHANGE",
    "CHANGE_MARKS",
    "ROW",
    "WATERMARK",
    "WEIGHT",
    "CacheBounds",
    "DeadLetters",
    "Fetched",
    "Joinable",
    "Lookup",
    "Omitted",
    "Polled",
    "Position",
    "Reader",
    "Sink",
    "Source",
    "SourceBatch",
]

WATERMARK = "$watermark"
ROW = "$row"
WEIGHT = "$weight"
CHANGE = "$change"
CHANGE_MARKS = ("+I", "-U", "+U", "-D")
"""How each kind of change is written for people, by its number."""

Position = None | bool | int | float | str | list["Position"] | dict[str, "Position"]


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Records that could not become rows.

    Attributes:
        frame: Columns `split` (String), `position` (String: an offset, or a byte), `reason` (String), `raw` (Binary).
    """

    frame: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Omitted:
    """What is told of rows that a source left out because the scan's sieve does not want them.

    Attributes:
        times: The columns that the sieve names for event time, of all rows that were read, those left out and those in
            the frame, in the order of arrival.
        kept: For each row of the frame its index in `times`, ascending, int64.
    """

    times: pl.DataFrame
    kept: NDArray[np.int64]


class SourceBatch(Protocol):
    """Rows of one split, decoded."""

    @property
    def frame(self) -> pl.DataFrame:
        """One column per field of the scan's schema, same names and order; rows in the order of arrival.

        Behind them `$weight`, if the scan's records are changes.
        """
        ...

    @property
    def dead(self) -> DeadLetters | None:
        """What did not decode, if anything."""
        ...

    @property
    def records(self) -> int:
        """How many records were read for it: rows, dead, skipped and left out together."""
        ...

    @property
    def omitted(self) -> Omitted | None:
        """What is told of rows that were left out; None if none were."""
        ...

    def recover(self, rows: pl.Series) -> pl.DataFrame:
        """Returns the given rows (indexes into `frame`) with every physical and metadata column of the table.

        Columns that the job does not read are decoded again from the record where the connector can, else null.
        Adds `split` and `position` (String). Called for late rows only, so it may be slow.
        """
        ...


class Fetched(Protocol):
    """A piece of one split, read but not decoded; holds on to the bytes it needs."""

    @property
    def split(self) -> str: ...

    @property
    def size_bytes(self) -> int:
        """What it costs while it waits: the buffers behind it."""
        ...

    @property
    def position_after(self) -> Position:
        """Where to open the split to read what follows this piece."""
        ...

    def decode(self) -> SourceBatch:
        """Decodes the piece; called once, on any thread, while others are decoded."""
        ...


class Joinable(Protocol):
    """A `Fetched` that can be put together with others of its table before they are decoded.

    Small pieces that wait are cheaper to decode as one; a source whose pieces cost something each should offer it.
    """

    def joined_with(self, others: Sequence[Fetched]) -> Fetched:
        """Returns this piece and others, those of a split in their order, as one."""
        ...


@dataclass(frozen=True, slots=True)
class Polled:
    """The answer of one poll.

    Attributes:
        pieces: What was read, in order for each split; empty when nothing came within the time.
        at_end: Splits that were read to their present end, with nothing left behind (they may be idle).
        finished: Splits that will never give more.
        lag: Records (files: bytes) between what was read and the end of the split, where the connector knows.
    """

    pieces: Sequence[Fetched] = ()
    at_end: frozenset[str] = frozenset()
    finished: frozenset[str] = frozenset()
    lag: Mapping[str, int] = field(default_factory=dict)


class Reader(Protocol):
    """An open source; used by one thread at a time, except `close` and `wake`."""

    def splits(self) -> Sequence[str]:
        """Returns the names of the splits known now; grows when partitions or files appear."""
        ...

    def poll(self, splits: Collection[str], max_bytes: int, timeout_s: float) -> Polled:
        """Reads from the given splits, at most about `max_bytes`, waiting at most `timeout_s` for the first byte.

        Raises:
            PeerError, EnvironmentFailure: The source cannot be read any more; transient losses are retried inside.
        """
        ...

    def wake(self) -> None:
        """Makes a poll that is waiting return soon; callable from any thread."""
        ...

    def close(self) -> None:
        """Gives back sockets and files; idempotent."""
        ...


class Source(Protocol):
    """A table as something to read, bound to the columns of one scan."""

    def open(self, positions: Mapping[str, Position]) -> Reader:
        """Opens every split, at its given position or where the table's options say.

        Raises:
            UserError, PeerError, EnvironmentFailure: with a hint.
        """
        ...

    @property
    def is_bounded(self) -> bool:
        """Whether every split finishes."""
        ...


@dataclass(frozen=True, slots=True)
class CacheBounds:
    """How much of what was looked up is kept, and for how long.

    Attributes:
        max_rows: How many rows, a key without any counting as one; 0: nothing is kept beyond a batch.
        after_write_ms: For how long after it was found; None: for ever.
        after_access_ms: For how long after it was asked for the last time; None: for ever.
        keeps_missing: Whether it is kept, too, that a key has no row.
    """

    max_rows: int = 0
    after_write_ms: int | None = None
    after_access_ms: int | None = None
    keeps_missing: bool = True


class Lookup(Protocol):
    """A table outside, asked by key; used by one thread."""

    def find(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Returns the rows that have any of the keys, with the columns of the scan it was opened for.

        Args:
            keys: One column for each key column, of its name; every row once, no NULL.

        Raises:
            UserError, PeerError, EnvironmentFailure: The table cannot be asked.
        """
        ...


class Sink(Protocol):
    """A table as something to write; used by one thread."""

    def write(self, frame: pl.DataFrame) -> None:
        """Takes rows whose columns are the table's writable ones, same names and order; may block (back-pressure).

        A sink whose connector takes changes finds them in `$change`; without that column every row is an insert. One
        that is told by key finds each key at most once: +U for its row, -D for a key that has none any more.
        """
        ...

    def flush(self) -> None:
        """Returns when everything written is safe with the peer; raises if some of it is lost."""
        ...

    def close(self) -> None:
        """Flushes nothing: gives back what it holds; idempotent."""
        ...
