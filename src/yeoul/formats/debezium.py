"""`debezium-json`: a record is a change of a row, with what it was and what it is, as Debezium writes them.

Read: `c` and `r` are a row that comes, `d` one that goes, `u` both, what it was right before what it is. Written: `c`
for every row that comes and `d` for every one that goes, as Flink has it. Both work on columns: the record is read as
JSON with the rows nested in it, and the rows are put in order afterwards.

Source: https://nightlies.apache.org/flink/flink-docs-stable/docs/connectors/table/formats/debezium/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.formats.contract import DeadRows, Decoded, FormatColumn, RecordBuffer
from yeoul.formats.json.decoder import JsonDecoder
from yeoul.formats.json.encoder import JsonEncoder
from yeoul.kernels.json import writer
from yeoul.kernels.json.writer import WriterColumn, write_json

__all__ = ["DebeziumDecoder", "DebeziumEncoder"]

_PROPERTIES = pl.List(pl.Struct({"key": pl.String(), "value": pl.String()}))
_SOURCE: Final[Mapping[str, tuple[str, ...]]] = {
    "source.timestamp": ("ts_ms",),
    "source.database": ("db",),
    "source.schema": ("schema",),
    "source.table": ("table", "collection"),
}
"""Where in `source` a metadata key is; of several names the first that is there."""
_NO_NULLS: Final = np.empty(0, np.uint8)
_OPS = b"cd"


@dataclass(frozen=True, slots=True)
class DebeziumDecoder:
    """Decodes changes; `Decoded.weights` says which of the rows come and which go.

    Attributes:
        columns: What to read of a row, at least one column.
        metadata: What to read besides, by key; comes behind the columns.
        has_schema: Whether a record is `{"schema": ..., "payload": {...}}`.
        ignore_errors: Make a bad field null and skip a bad record, as Flink's option `ignore-parse-errors` does.
        iso: Read timestamps as ISO-8601 instead of SQL.
        needs_before: Whether an update has to say what the row was: nobody else remembers it.
    """

    columns: tuple[FormatColumn, ...]
    metadata: Mapping[str, FormatColumn] = field(default_factory=dict)
    has_schema: bool = False
    ignore_errors: bool = False
    iso: bool = False
    needs_before: bool = True
    _json: JsonDecoder = field(init=False, repr=False)

    def __post_init__(self) -> None:
        row = pl.Struct({column.name: column.dtype for column in self.columns})
        fields: dict[str, pl.DataType] = {"before": row, "after": row, "op": pl.String()}
        if "ingestion-timestamp" in self.metadata:
            fields["ts_ms"] = pl.Int64()
        if "source.properties" in self.metadata:
            fields["source"] = _PROPERTIES
        elif any(key in _SOURCE for key in self.metadata):
            names = (name for key in _SOURCE if key in self.metadata for name in _SOURCE[key])
            fields["source"] = pl.Struct({name: pl.Int64() if name == "ts_ms" else pl.String() for name in names})
        if self.has_schema:
            envelope: dict[str, pl.DataType] = {"payload": pl.Struct(fields)}
            fields = {**envelope, "schema": pl.String()} if "schema" in self.metadata else envelope
        read = tuple(FormatColumn(name, dtype) for name, dtype in fields.items())
        object.__setattr__(self, "_json", JsonDecoder(read, self.ignore_errors, False, self.iso))

    def decode(self, records: RecordBuffer) -> Decoded:
        """Decodes a whole buffer; a null record, which follows a delete, is skipped."""
        read = self._json.decode(records)
        frame = read.frame.with_columns(read.frame["payload"].struct.unnest()) if self.has_schema else read.frame
        owners = np.arange(frame.height, dtype=np.int64) if read.records is None else read.records
        faults = self._faults(frame)
        skipped = read.skipped + (len(faults) if self.ignore_errors else 0)
        dead = read.dead if self.ignore_errors or not faults else _with_faults(read.dead, owners, faults)
        if faults:
            kept = np.ones(frame.height, np.bool_)
            kept[list(faults)] = False
            frame, owners = frame.filter(pl.Series(kept)), owners[kept]
        rows, weights, at = self._rows(frame)
        return Decoded(rows, owners[at], dead, skipped, weights)

    def _rows(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, NDArray[np.int64], NDArray[np.int64]]:
        """Returns rows in order, +1 or -1 for each, and the place of each one's record."""
        op = frame["op"]
        come = np.flatnonzero((op != "d").to_numpy())
        gone = np.flatnonzero((op.is_in(["u", "d"]) & frame["before"].is_not_null()).to_numpy())
        rows = frame["after"].struct.unnest()
        at, weights = come, np.ones(len(come), np.int64)
        if len(gone):
            places = np.concatenate([gone, come])
            order = np.argsort(places, kind="stable")
            rows = pl.concat([frame["before"].struct.unnest()[gone], rows[come]])[order]
            at, weights = places[order], np.repeat(np.array([-1, 1]), [len(gone), len(come)])[order]
        return rows.hstack(self._metadata(frame)[at]) if self.metadata else rows, weights, at

    def _faults(self, frame: pl.DataFrame) -> dict[int, str]:
        """Returns why rows of JSON are no changes, by their places."""
        op, before, after = frame["op"], frame["before"], frame["after"]
        known = op.is_in(["c", "r", "u", "d"]).fill_null(False)
        lacks_after = known & (op != "d") & after.is_null()
        needs = ["u", "d"] if self.needs_before else ["d"]
        lacks_before = known & op.is_in(needs) & before.is_null()
        found = {at: f"op: expected 'c', 'r', 'u' or 'd', got {op[at] or 'NULL'!r}" for at in (~known).arg_true()}
        found |= {at: f"after: expected the row, as op is {op[at]!r}, got NULL" for at in lacks_after.arg_true()}
        how = "; PostgreSQL sends it after ALTER TABLE ... REPLICA IDENTITY FULL"
        found |= dict.fromkeys(lacks_before.arg_true(), f"before: expected the row as it was, got NULL{how}")
        return found

    def _metadata(self, frame: pl.DataFrame) -> pl.DataFrame:
        return pl.DataFrame(
            [self._value(key, frame).cast(one.dtype).alias(one.name) for key, one in self.metadata.items()]
        )

    def _value(self, key: str, frame: pl.DataFrame) -> pl.Series:
        match key:
            case "schema":
                return (
                    frame["schema"] if self.has_schema else pl.repeat(None, frame.height, dtype=pl.String, eager=True)
                )
            case "ingestion-timestamp":
                return _instants(frame["ts_ms"])
            case "source.properties":
                return frame["source"]
        parts = [_part(frame["source"], name) for name in _SOURCE[key]]
        value = parts[0] if len(parts) == 1 else pl.select(pl.coalesce(*parts)).to_series()
        return _instants(value.cast(pl.Int64)) if key == "source.timestamp" else value


def _part(source: pl.Series, name: str) -> pl.Series:
    """Returns one field of `source`, read as a row or as a map."""
    if isinstance(source.dtype, pl.Struct):
        return source.struct.field(name)
    of_name = pl.element().filter(pl.element().struct.field("key") == name).struct.field("value")
    return source.to_frame("source").select(pl.col("source").list.eval(of_name).list.first()).to_series()


def _instants(milliseconds: pl.Series) -> pl.Series:
    return milliseconds.cast(pl.Datetime("ms")).dt.replace_time_zone("UTC")


def _with_faults(dead: DeadRows, owners: NDArray[np.int64], faults: Mapping[int, str]) -> DeadRows:
    places = owners[list(faults)]
    records = np.concatenate([dead.records, places])
    reasons = [*dead.reasons, *faults.values()]
    order = np.argsort(records, kind="stable")
    return DeadRows(records[order], [reasons[at] for at in order])


@dataclass(frozen=True, slots=True)
class DebeziumEncoder:
    """Encodes rows that come as `c`, rows that go as `d`.

    Attributes:
        row: Encodes the row itself.
    """

    row: JsonEncoder

    def encode(self, frame: pl.DataFrame, gone: NDArray[np.bool_] | None = None) -> RecordBuffer:
        """Encodes every row of a frame as one record.

        Args:
            frame: The rows.
            gone: Which of them are taken back; None: none.
        """
        goes = (np.zeros(frame.height, np.bool_) if gone is None else gone).astype(np.uint8)
        rows, places = self.row.objects(frame)
        ops = np.frombuffer(_OPS, np.uint8)[goes]
        columns = [
            WriterColumn(b'"before":', writer.PLAIN, rows, places, 1 - goes),
            WriterColumn(b'"after":', writer.PLAIN, rows, places, goes),
            WriterColumn(b'"op":', writer.QUOTED, ops, np.arange(frame.height + 1), _NO_NULLS),
        ]
        data, ends = write_json(columns, frame.height, skip_nulls=self.row.ignore_nulls)
        return RecordBuffer(data, ends[:-1], np.diff(ends))
