"""Parquet files, one row group a piece.

Owns reading and the check of the file's schema against the table's. Invariants: only the columns that are read are
touched; a file that lacks one is refused, with the nearest name. The position is the next row group. Of a row group in
which the scan wants no row, as the footer's statistics tell, no more is read than event time needs. Callers: `reader`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from yeoul.connectors.batches import DecodedBatch, with_places
from yeoul.connectors.filesystem.listing import explain_failure
from yeoul.connectors.filesystem.statistics import can_hold
from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.compile.expressions import EvaluationContext
from yeoul.engine.contract import Omitted, Position
from yeoul.errors import EnvironmentFailure, UserError, did_you_mean
from yeoul.plan.nodes import Schema, Sieve, columns_read
from yeoul.plan.tables import Column, ColumnKind, TableDefinition
from yeoul.plan.types import Kind

__all__ = ["ParquetFile", "ParquetPiece", "ParquetTable"]


@dataclass(frozen=True, slots=True)
class ParquetTable:
    """What is read of every file: the table's columns, what of them the scan wants, and of which rows."""

    table: TableDefinition
    schema: Schema
    sieve: Sieve | None = None
    context: EvaluationContext = field(default_factory=EvaluationContext)

    @property
    def wanted(self) -> list[Column]:
        """The columns that the scan reads, with the fields of rows that it does."""
        return columns_read(self.table, self.schema)

    @property
    def stored(self) -> list[Column]:
        """Every column that has a value."""
        return [column for column in self.table.columns if column.kind is not ColumnKind.COMPUTED]


class ParquetFile:
    """A file whose footer was read.

    Raises:
        EnvironmentFailure: It cannot be read or is no Parquet file.
        UserError: It lacks a column.
    """

    def __init__(self, path: str, table: ParquetTable, metadata: Callable[[str], object]) -> None:
        self.path = path
        self._table = table
        self._metadata = metadata
        try:
            with pq.ParquetFile(path) as file:
                self._footer = file.metadata
                held = file.schema_arrow.names
        except pa.ArrowInvalid as error:
            raise EnvironmentFailure(
                f"{path!r} is no Parquet file: {str(error).splitlines()[0]}", hint="Check 'path' and 'format'."
            ) from error
        except OSError as error:
            raise explain_failure("read", path, error) from error
        self._can_hold = can_hold(self._footer, None if table.sieve is None else table.sieve.predicate, table.context)
        for column in table.wanted:
            if column.kind is ColumnKind.PHYSICAL and column.name not in held:
                raise UserError(f"{path!r} has no column {column.name!r}", hint=did_you_mean(column.name, held))

    @property
    def row_groups(self) -> int:
        return int(self._footer.num_row_groups)

    def piece(self, row_group: int) -> ParquetPiece:
        """Returns one row group, to be read when it is decoded."""
        return ParquetPiece(self, row_group, self.path, int(self._footer.row_group(row_group).total_byte_size))

    def first_row(self, row_group: int) -> int:
        """Returns the number of a row group's first row in the file."""
        return sum(int(self._footer.row_group(index).num_rows) for index in range(row_group))

    def read(self, row_group: int, wanted: list[Column]) -> pl.DataFrame:
        """Returns some columns of a row group, with the types that they are wanted in."""
        physical = [column for column in wanted if column.kind is ColumnKind.PHYSICAL]
        held = self._footer.schema.to_arrow_schema()
        present = [path for column in physical if column.name in held.names for path in _paths(column, held)]
        try:
            with pq.ParquetFile(self.path, metadata=self._footer) as file:
                table = file.read_row_group(row_group, columns=present)
        except (OSError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0]
            raise EnvironmentFailure(f"Cannot read row group {row_group} of {self.path!r}: {reason}") from error
        height = self._height(row_group)
        frame = pl.DataFrame(pl.from_arrow(table)) if present else pl.DataFrame(height=height)
        columns = [
            self._cast(frame, one, height) if one.kind is ColumnKind.PHYSICAL else self._told(one, height)
            for one in wanted
        ]
        return pl.DataFrame(columns) if columns else pl.DataFrame(height=height)

    def _told(self, column: Column, height: int) -> pl.Series:
        value = self._metadata(column.metadata_key or column.name)
        return pl.Series(column.name, [value]).cast(polars_dtype(column.type)).new_from_index(0, height)

    def _cast(self, frame: pl.DataFrame, column: Column, height: int) -> pl.Series:
        dtype = polars_dtype(column.type)
        if column.name not in frame.columns:
            return pl.Series(column.name, [None], dtype=dtype).new_from_index(0, height)
        try:
            return frame[column.name].cast(dtype)
        except pl.exceptions.PolarsError as error:
            found = frame.schema[column.name]
            raise UserError(
                f"{self.path!r}, column {column.name!r}: {found} values do not fit {column.type}: {error}"
            ) from error

    def decode(self, row_group: int, split: str) -> DecodedBatch:
        """Returns the scan's columns of a row group; no row if its sieve wants none of them, as the footer tells."""
        height = self._height(row_group)
        if not self._can_hold[row_group]:
            return DecodedBatch(self._nothing(), height, omitted=self._omitted(row_group))
        frame = self.read(row_group, self._table.wanted)

        def recover(rows: pl.Series) -> pl.DataFrame:
            chosen: NDArray[Any] = rows.to_numpy() + np.int64(self.first_row(row_group))
            return with_places(self.read(row_group, self._table.stored)[rows], split, chosen.tolist())

        return DecodedBatch(frame, height, recovery=recover)

    def _omitted(self, row_group: int) -> Omitted | None:
        """Returns what event time is computed from, of a row group that is left out."""
        sieve = self._table.sieve
        if sieve is None or not sieve.times:
            return None
        times = [column for column in self._table.wanted if column.name in sieve.times]
        return Omitted(self.read(row_group, times), np.empty(0, np.int64))

    def _nothing(self) -> pl.DataFrame:
        return pl.DataFrame(schema={column.name: polars_dtype(column.type) for column in self._table.wanted})

    def _height(self, row_group: int) -> int:
        return int(self._footer.row_group(row_group).num_rows)


def _paths(column: Column, held: pa.Schema) -> list[str]:
    """Returns what of a file a column needs: of a row its fields."""
    kind = held.field(column.name).type
    if column.type.kind is not Kind.ROW or not pa.types.is_struct(kind):
        return [column.name]
    fields = [one.name for one in column.type.fields if kind.get_field_index(one.name) >= 0]
    return [f"{column.name}.{name}" for name in fields] or [column.name]


@dataclass(frozen=True, slots=True)
class ParquetPiece:
    """One row group."""

    file: ParquetFile
    row_group: int
    split: str
    size_bytes: int

    @property
    def position_after(self) -> Position:
        return self.row_group + 1

    def decode(self) -> DecodedBatch:
        return self.file.decode(self.row_group, self.split)
