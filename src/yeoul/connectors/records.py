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

from yeoul.connectors.batches import DecodedBatch, RecordPlaces
from yeoul.connectors.format_options import KEY, VALUE, format_metadata, make_decoder
from yeoul.connectors.record_parts import dead_of, gathered, joined_key, merged, with_ends, without_missing_keys
from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.contract import WEIGHT, DeadLetters
from yeoul.errors import PeerError
from yeoul.formats.contract import Decoder, FormatColumn, RecordBuffer
from yeoul.plan.nodes import Schema, columns_read
from yeoul.plan.tables import Column, ColumnKind, TableDefinition

__all__ = ["KeyOptions", "RecordPlan", "RecordSource", "Records", "decode_records"]


@dataclass(frozen=True, slots=True)
class KeyOptions:
    """Which columns are in the key, as `key.fields` and its companions say.

    Attributes:
        fields: Their names, in order.
        prefix: Taken off them in the key.
        in_value_too: Whether the value holds them, too.
        upserts: Whether a record is its key's row: then the key says what these columns are, and a null value that
            there is no row any more.
    """

    fields: tuple[str, ...] = ()
    prefix: str = ""
    in_value_too: bool = True
    upserts: bool = False


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one piece.

    Attributes:
        places: Returns where they come from: asked when one of them is dead or late.
        values: Their values.
        keys: Their keys, if the connector has any.
        metadata: Returns a metadata key for each of the given records, in that order.
    """

    places: Callable[[], RecordPlaces]
    values: RecordBuffer
    metadata: Callable[[str, NDArray[np.int64]], pl.Series]
    keys: RecordBuffer | None = None

    def __len__(self) -> int:
        return len(self.values)

    def take(self, indexes: NDArray[np.int64]) -> Records:
        """Returns some of the records."""
        whole, places = self.metadata, self.places
        return Records(
            lambda: places().take(indexes),
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
        metadata: (column, metadata key, type) of each metadata column that the connector gives.
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
        needs_before: Whether a change of a row has to say what the row was.
    """

    table: TableDefinition
    options: Mapping[str, str]
    schema: Schema
    key: KeyOptions = KeyOptions()
    fails: bool = False
    needs_before: bool = True
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
        reads_key = any(self._comes_from(column) == KEY for column in wanted)
        metadata = [(one, one.metadata_key or one.name) for one in wanted if one.kind is ColumnKind.METADATA]
        return RecordPlan(
            tuple(column.name for column in wanted),
            self._part(VALUE, wanted),
            self._part(KEY, wanted) if reads_key else None,
            tuple((one.name, key, polars_dtype(one.type)) for one, key in metadata if format_metadata(key) is None),
        )

    def _part(self, role: str, wanted: Sequence[Column]) -> _Part:
        prefix = self.key.prefix if role == KEY else ""
        record = [_format_column(column, prefix) for column in self._held(role)]
        chosen = [column for column in wanted if self._comes_from(column) == role]
        columns = [_format_column(column, prefix) for column in chosen]
        if not columns and len(record) == 1:
            # Formats of one column have no way to read none.
            columns = record
        metadata = self._format_metadata(wanted) if role == VALUE else {}
        decoder = make_decoder(self.options, role, columns, record, metadata, needs_before=self.needs_before)
        return _Part((*(one.name for one in chosen), *(one.name for one in metadata.values())), decoder)

    def _held(self, role: str) -> list[Column]:
        """Returns the columns that a part of the record has, in their order there."""
        physical = {column.name: column for column in self.table.columns if column.kind is ColumnKind.PHYSICAL}
        if role == KEY:
            return [physical[name] for name in self.key.fields]
        return [one for one in physical.values() if self.key.in_value_too or one.name not in self.key.fields]

    def _comes_from(self, column: Column) -> str | None:
        """Returns the part that a column is read from; None: from neither."""
        if column.kind is not ColumnKind.PHYSICAL:
            return None
        from_key = self.key.upserts or not self.key.in_value_too
        return KEY if from_key and column.name in self.key.fields else VALUE

    def _format_metadata(self, wanted: Sequence[Column]) -> dict[str, FormatColumn]:
        """Returns the metadata columns that the value's format gives, by its own keys."""
        named = ((column, format_metadata(column.metadata_key or "")) for column in wanted)
        return {key: _format_column(column, "") for column, key in named if key is not None}


def _format_column(column: Column, prefix: str) -> FormatColumn:
    return FormatColumn(column.name.removeprefix(prefix), polars_dtype(column.type), column.type.nullable)


def decode_records(source: RecordSource, records: Records) -> DecodedBatch:
    """Decodes one piece.

    Raises:
        PeerError: A record does not decode, and the table says to fail then.
    """
    frame, kept, dead = _decode(source.plan, records, source.key)
    if dead is not None and source.fails:
        _fail(source.table.name, dead)

    def recover(rows: pl.Series) -> pl.DataFrame:
        return _recover(source, records, frame, rows.to_numpy().astype(np.int64), kept)

    return DecodedBatch(frame, len(records), dead, recover)


def _decode(
    plan: RecordPlan, records: Records, key: KeyOptions
) -> tuple[pl.DataFrame, NDArray[np.int64] | None, DeadLetters | None]:
    """Returns (rows, the record of each row or None if they are all of them in order, dead letters)."""
    decoded = plan.value.decoder.decode(records.values)
    frame = decoded.frame if plan.value.names else pl.DataFrame(height=decoded.frame.height)
    kept = decoded.records
    dead = [dead_of(records.places, records.values, decoded, "")]
    if key.upserts:
        frame, kept = with_ends(records.values, frame, kept)
    elif decoded.weights is not None:
        frame = frame.with_columns(pl.Series(WEIGHT, decoded.weights))
    if plan.key is not None and records.keys is not None:
        keys = plan.key.decoder.decode(records.keys)
        frame, kept = joined_key(keys, plan.key.names, frame, kept, len(records))
        dead.append(dead_of(records.places, records.keys, keys, "key: "))
        if key.upserts:
            frame, kept, keyless = without_missing_keys(records.places, records.keys, frame, kept, plan.key.names)
            dead.append(keyless)
    if plan.metadata:
        rows = np.arange(frame.height, dtype=np.int64) if kept is None else kept
        columns = [records.metadata(key, rows).cast(dtype).alias(name) for name, key, dtype in plan.metadata]
        frame = frame.hstack(columns) if frame.width else pl.DataFrame(columns)
    names = (*plan.names, *([WEIGHT] if WEIGHT in frame.columns else []))
    return frame if tuple(frame.columns) == names else frame.select(names), kept, merged(*dead)


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
    again, of_rows, _ = _decode(source.whole(), records.take(distinct), source.key)
    own = np.arange(again.height) if of_rows is None else of_rows
    # A record may have given several rows, in the same order as before.
    within = np.zeros(len(rows), np.int64) if kept is None else rows - np.searchsorted(kept, indexes)
    places = np.searchsorted(own, back) + within
    present = places < len(own)
    present[present] = own[places[present]] == back[present]
    whole = gathered(again, np.where(present, places, -1)).with_columns(frame[pl.Series(rows)].get_columns())
    whole = whole.drop(WEIGHT, strict=False)
    return whole.with_columns(records.places().of(indexes))


def _fail(table: str, dead: DeadLetters) -> None:
    first = dead.frame.row(0, named=True)
    more = f" (and {dead.frame.height - 1} more in this batch)" if dead.frame.height > 1 else ""
    raise PeerError(
        f"Table {table!r}: the record at {first['position']} of {first['split']!r} does not decode: "
        f"{first['reason']}{more}",
        hint=f"'on-malformed' = 'dead' keeps such records in {table}$dead and goes on.",
    )
