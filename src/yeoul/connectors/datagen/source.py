"""Rows at a rate, from the wall clock.

Invariants: one split; a piece is a range of row numbers and costs nothing until it is decoded; the position is the next
row's number. When a reader falls behind (it was not polled), it catches up.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from yeoul.clock import Clock
from yeoul.connectors.batches import DecodedBatch, with_places
from yeoul.connectors.datagen.options import NUMBER_OF_ROWS, ROWS_PER_SECOND, SEED
from yeoul.connectors.datagen.values import Generator, Rows, make_generator, sequence_rows
from yeoul.engine.contract import Polled, Position
from yeoul.plan.nodes import Scan
from yeoul.plan.tables import ColumnKind

__all__ = ["SPLIT", "DatagenReader", "DatagenSource"]

SPLIT = "datagen"
_MOST_ROWS = 65_536
_TICKS_PER_SECOND = 20
_ROW_BYTES = 64


@dataclass(frozen=True, slots=True)
class DatagenPiece:
    """Rows `start` to `end`, to be made."""

    columns: Mapping[str, Generator]
    names: tuple[str, ...]
    start: int
    end: int
    now_ms: int
    split: str = SPLIT

    @property
    def size_bytes(self) -> int:
        return (self.end - self.start) * _ROW_BYTES

    @property
    def position_after(self) -> Position:
        return self.end

    def decode(self) -> DecodedBatch:
        rows = Rows(np.arange(self.start, self.end, dtype=np.uint64), self.now_ms)
        columns = [self.columns[name](rows).alias(name) for name in self.names]
        # A scan of no columns still has rows to count.
        frame = pl.DataFrame(columns) if columns else pl.DataFrame(height=len(rows))
        return DecodedBatch(frame, len(rows), recovery=self._recover)

    def _recover(self, rows: pl.Series) -> pl.DataFrame:
        numbers = rows.cast(pl.UInt64).to_numpy() + np.uint64(self.start)
        chosen = Rows(numbers, self.now_ms)
        whole = pl.DataFrame([make(chosen).alias(name) for name, make in self.columns.items()])
        return with_places(whole, self.split, numbers.tolist())


class DatagenReader:
    """Makes as many rows as have come due."""

    def __init__(self, source: DatagenSource, start: int) -> None:
        self._source = source
        self._next = start
        self._first = start
        self._started_s = source.clock.monotonic_s()
        self._woken = threading.Event()

    def splits(self) -> Sequence[str]:
        return (SPLIT,)

    def poll(self, splits: Collection[str], max_bytes: int, timeout_s: float) -> Polled:
        """Returns the rows that are due, waiting for the first of them."""
        if SPLIT not in splits:
            return Polled()
        due = self._due()
        if due <= self._next and not self._is_finished():
            self._woken.wait(min(timeout_s, 1 / min(_TICKS_PER_SECOND, self._source.rows_per_second)))
            self._woken.clear()
            due = self._due()
        end = min(due, self._next + min(_MOST_ROWS, max(1, max_bytes // _ROW_BYTES)))
        pieces = []
        if end > self._next:
            now_ms = self._source.clock.now_ms()
            pieces.append(DatagenPiece(self._source.columns, self._source.names, self._next, end, now_ms))
            self._next = end
        finished = frozenset({SPLIT}) if self._is_finished() else frozenset[str]()
        at_end = frozenset({SPLIT}) if self._next >= due else frozenset[str]()
        return Polled(pieces, at_end=at_end, finished=finished, lag={SPLIT: max(0, due - self._next)})

    def wake(self) -> None:
        """Ends a wait."""
        self._woken.set()

    def close(self) -> None:
        """Holds nothing."""

    def _due(self) -> int:
        elapsed_s = self._source.clock.monotonic_s() - self._started_s
        due = self._first + int(elapsed_s * self._source.rows_per_second)
        limit = self._source.number_of_rows
        return due if limit is None else min(due, limit)

    def _is_finished(self) -> bool:
        limit = self._source.number_of_rows
        return limit is not None and self._next >= limit


class DatagenSource:
    """Makes rows up for every column of a table.

    Args:
        scan: The table, and which columns are read.
        clock: Gives the rate, and the time for time columns.
    """

    def __init__(self, scan: Scan, clock: Clock) -> None:
        options = scan.options
        seed = SEED.read(options)
        chosen = random.randrange(1 << 32) if seed is None else seed
        physical = [column for column in scan.table.columns if column.kind is ColumnKind.PHYSICAL]
        limits = [sequence_rows(options, column.name) for column in physical]
        limits.append(NUMBER_OF_ROWS.read(options))
        self.clock = clock
        self.names = scan.schema.names
        self.rows_per_second = ROWS_PER_SECOND.read(options)
        self.number_of_rows = min((limit for limit in limits if limit is not None), default=None)
        self.columns = {column.name: make_generator(options, column.name, column.type, chosen) for column in physical}

    @property
    def is_bounded(self) -> bool:
        return self.number_of_rows is not None

    def open(self, positions: Mapping[str, Position]) -> DatagenReader:
        """Returns a reader from row `positions['datagen']` on."""
        start = positions.get(SPLIT)
        return DatagenReader(self, start if isinstance(start, int) else 0)
