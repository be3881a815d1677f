"""From records to a table's columns: value format, key format and metadata put together.

Owns `RecordPlan`, which says where each column of a scan comes from, and `decode_records`, which carries it out for one
piece. Invariants: only the columns that the scan reads are decoded; a record whose key or value does not decode becomes
a dead letter and no row; rows keep the order of their records; nothing here loops over records, dead ones apart.
Callers: `filesystem` and `kafka`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.connectors.batches import DecodedBatch, binary_of, dead_letters, with_places
from yeoul.connectors.format_options import KEY, VALUE, make_decoder
from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.contract import DeadLetters
from yeoul.errors import PeerError
from yeoul.formats.contract import Decoded, Decoder, FormatColumn, RecordBuffer
from yeoul.plan.nodes import Schema, columns_read
from yeoul.plan.tables import Column, ColumnKind, TableDefinition

__all__ = ["KeyOptions", "RecordPlan", "RecordSource", "Records", "decode_records"]


@dataclass(frozen=True, slots=True)
class KeyOptions:
    """Which columns are in the key, as `key.fields` and its companions say."""

    fields: tuple[str, ...] = ()
    prefix: str = ""
    in_value_too: bool = True


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one piece.

    Attributes:
        split: Where they come from.
        positions: Where each one stands in it: an offset, or a byte.
        values: Their values.
        keys: Their keys, if the connector has any.
        metadata: Returns a metadata key for each of the given records, in that order.
    """

    split: str
    positions: NDArray[np.int64]
    values: RecordBuffer
    metadata: Callable[[str, NDArray[np.int64]], pl.Series]
    keys: RecordBuffer | None = None

    def __len__(self) -> int:
        return len(self.values)

    def take(self, indexes: NDArray[np.int64]) -> Records:
        """Returns some of the records."""
        whole = self.metadata
        return Records(
            self.split,
            self.positions[indexes],
            _take(self.values, indexes),
            lambda key, chosen: whole(key, indexes[chosen]),
            None if self.keys is None else _take(self.keys, indexes),
        )


def _take(buffer: RecordBuffer, indexes: NDArray[np.int64]) -> RecordBuffer:
    return RecordBuffer(buffer.data, buffer.offsets[indexes], buffer.lengths[indexes])


@dataclass(frozen=True, slots=True)
class _Part:
    """The columns that one decoder fills: names in the table, and whether it must run at all."""

    names: tuple[str, ...]
    decoder: Decoder


@dataclass(frozen=True, slots=True)
class RecordPlan:
    """How records become some of a table's columns.

    Attributes:
        names: The columns to produce, in order.
        value: What the record's value fills.
        key: What its key fills, if anything.
        metadata: (column, metadata key, type) of each metadata column.
    """

    names: tuple[str, ...]
    value: _Part
    key: _Part | None
    metadata: tuple[tuple[str, str, pl.DataType], ...]


@dataclass(slots=True)
class RecordSource:
    """The plans of one scan: one for the columns that it reads, one, made when needed, for all of them.

    Args:
        table: What is read.
        options: Its options, dynamic ones on top.
        schema: The columns that the scan reads, with the fields of rows that it does.
        key: See there.
        fails: Whether a record that does not decode ends the job.
    """

    table: TableDefinition
    options: Mapping[str, str]
    schema: Schema
    key: KeyOptions = KeyOptions()
    fails: bool = False
    plan: RecordPlan = field(init=False)
    _whole: RecordPlan | None = field(init=False, default=None)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.plan = self._make(columns_read(self.table, self.schema))

    @property
    def uses_keys(self) -> bool:
        return self.plan.key is not None

    def whole(self) -> RecordPlan:
        """Returns the plan for every physical and metadata column."""
        with self._lock:
            if self._whole is None:
                declared = self.table.columns
                self._whole = self._make([one for one in declared if one.kind is not ColumnKind.COMPUTED])
            return self._whole

    def _make(self, wanted: Sequence[Column]) -> RecordPlan:
        reads_key = any(self._is_in(column, KEY) for column in wanted)
        return RecordPlan(
            tuple(column.name for column in wanted),
            self._part(VALUE, wanted, ""),
            self._part(KEY, wanted, self.key.prefix) if reads_key else None,
            tuple(
                (column.name, column.metadata_key or column.name, polars_dtype(column.type))
                for column in wanted
                if column.kind is ColumnKind.METADATA
            ),
        )

    def _part(self, role: str, wanted: Sequence[Column], prefix: str) -> _Part:
        held = [column for column in self.table.columns if self._is_in(column, role)]
        chosen = [column for column in wanted if self._is_in(column, role)]
        record = [_format_column(column, prefix) for column in held]
        columns = [_format_column(column, prefix) for column in chosen]
        if not columns and len(record) == 1:
            # Formats of one column have no way to read none.
            columns = record
        return _Part(tuple(column.name for column in chosen), make_decoder(self.options, role, columns, record))

    def _is_in(self, column: Column, role: str) -> bool:
        is_key = not self.key.in_value_too and column.name in self.key.fields
        return column.kind is ColumnKind.PHYSICAL and is_key == (role == KEY)


def _format_column(column: Column, prefix: str) -> FormatColumn:
    return FormatColumn(column.name.removeprefix(prefix), polars_dtype(column.type), column.type.nullable)


def decode_records(source: RecordSource, records: Records) -> DecodedBatch:
    """Decodes one piece.

    Raises:
        PeerError: A record does not decode, and the table says to fail then.
    """
    frame, kept, dead = _decode(source.plan, records)
    if dead is not None and source.fails:
        _fail(source.table.name, dead)

    def recover(rows: pl.Series) -> pl.DataFrame:
        return _recover(source, records, frame, rows.to_numpy().astype(np.int64), kept)

    return DecodedBatch(frame, len(records), dead, recover)


def _decode(plan: RecordPlan, records: Records) -> tuple[pl.DataFrame, NDArray[np.int64] | None, DeadLetters | None]:
    """Returns (rows, the record of each row or None if they are all of them in order, dead letters)."""
    decoded = plan.value.decoder.decode(records.values)
    frame = decoded.frame if plan.value.names else pl.DataFrame(height=decoded.frame.height)
    kept = decoded.records
    dead = _dead_of(records, records.values, decoded, "")
    if plan.key is not None and records.keys is not None:
        frame, kept, dead_keys = _join_key(plan.key, records, frame, kept)
        dead = _merge(dead, dead_keys)
    if plan.metadata:
        rows = np.arange(frame.height, dtype=np.int64) if kept is None else kept
        columns = [records.metadata(key, rows).cast(dtype).alias(name) for name, key, dtype in plan.metadata]
        frame = frame.hstack(columns) if frame.width else pl.DataFrame(columns)
    if tuple(frame.columns) != plan.names:
        frame = frame.select(plan.names)
    return frame, kept, dead


def _join_key(
    key: _Part, records: Records, frame: pl.DataFrame, kept: NDArray[np.int64] | None
) -> tuple[pl.DataFrame, NDArray[np.int64] | None, DeadLetters | None]:
    """Puts the key's columns beside the value's rows; a null key gives nulls."""
    assert records.keys is not None
    decoded = key.decoder.decode(records.keys)
    columns = decoded.frame.rename(dict(zip(decoded.frame.columns, key.names, strict=True)))
    if decoded.records is None and kept is None:
        return _beside(frame, columns), None, None
    row_of_record = np.full(len(records), -1, np.int64)
    own = np.arange(columns.height) if decoded.records is None else decoded.records
    row_of_record[own[::-1]] = np.arange(columns.height)[::-1]
    is_dead = np.zeros(len(records), np.bool_)
    is_dead[decoded.dead.records] = True
    of_rows = np.arange(frame.height, dtype=np.int64) if kept is None else kept
    alive = ~is_dead[of_rows]
    if not alive.all():
        frame, of_rows = frame.filter(pl.Series(alive)), of_rows[alive]
    chosen = pl.Series(row_of_record[of_rows])
    chosen = chosen.to_frame("row").select(pl.when(pl.col("row") >= 0).then(pl.col("row"))).to_series()
    return _beside(frame, _gathered(columns, chosen)), of_rows, _dead_of(records, records.keys, decoded, "key: ")


def _gathered(frame: pl.DataFrame, places: pl.Series) -> pl.DataFrame:
    """Returns the rows at the places; a null place gives a row of nulls."""
    return frame[places.cast(pl.UInt32)]  # with other integers, Polars 2.1 stumbles over places that are all null


def _beside(frame: pl.DataFrame, columns: pl.DataFrame) -> pl.DataFrame:
    return frame.hstack(columns.get_columns()) if frame.width else columns


def _dead_of(records: Records, buffer: RecordBuffer, decoded: Decoded, prefix: str) -> DeadLetters | None:
    if not len(decoded.dead):
        return None
    indexes = decoded.dead.records
    reasons = [prefix + reason for reason in decoded.dead.reasons]
    return dead_letters(records.split, records.positions[indexes], reasons, binary_of(buffer, indexes))


def _merge(first: DeadLetters | None, second: DeadLetters | None) -> DeadLetters | None:
    if first is None or second is None:
        return first or second
    return DeadLetters(pl.concat([first.frame, second.frame]))


def _recover(
    source: RecordSource,
    records: Records,
    frame: pl.DataFrame,
    rows: NDArray[np.int64],
    kept: NDArray[np.int64] | None,
) -> pl.DataFrame:
    """Decodes the records behind some rows again, every column of them.

    With all columns asked for, a record may fail that passed with a few: what was read of it stays, the rest is null.
    """
    indexes = rows if kept is None else kept[rows]
    distinct, back = np.unique(indexes, return_inverse=True)
    again, of_rows, _ = _decode(source.whole(), records.take(distinct))
    own = np.arange(again.height) if of_rows is None else of_rows
    # A record may have given several rows, in the same order as before.
    within = np.zeros(len(rows), np.int64) if kept is None else rows - np.searchsorted(kept, indexes)
    places = np.searchsorted(own, back) + within
    present = places < len(own)
    present[present] = own[places[present]] == back[present]
    chosen = pl.DataFrame({"place": places, "present": present}).select(
        pl.when(pl.col("present")).then(pl.col("place"))
    )
    whole = _gathered(again, chosen.to_series()).with_columns(frame[pl.Series(rows)].get_columns())
    return with_places(whole, records.split, records.positions[indexes].tolist())


def _fail(table: str, dead: DeadLetters) -> None:
    first = dead.frame.row(0, named=True)
    more = f" (and {dead.frame.height - 1} more in this batch)" if dead.frame.height > 1 else ""
    raise PeerError(
        f"Table {table!r}: the record at {first['position']} of {first['split']!r} does not decode: "
        f"{first['reason']}{more}",
        hint=f"'on-malformed' = 'dead' keeps such records in {table}$dead and goes on.",
    )
