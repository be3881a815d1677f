"""CSV as Flink's `csv` format: fields by place, one record a row, no header line.

Reading is done by `yeoul.kernels.csv`; what a text may be for each type is the same as in JSON strings (SQL timestamps,
base64 bytes). An empty field is NULL unless its column is a STRING. Writing puts quotes only where they are needed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl

from yeoul.errors import UserError
from yeoul.formats.contract import DeadRows, Decoded, FormatColumn, RecordBuffer
from yeoul.formats.flat import flat_bytes
from yeoul.formats.json.columns import Assembly
from yeoul.formats.json.encoder import value_texts
from yeoul.formats.json.fields import json_fields, type_name
from yeoul.formats.json.reasons import Reasons
from yeoul.kernels.csv import CsvShape, read_csv
from yeoul.kernels.json.schema import JsonSchema

__all__ = ["CsvDecoder", "CsvDialect", "CsvEncoder"]

_NOTHING_DEAD: Final = DeadRows(np.empty(0, np.int64), ())


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """How fields are written.

    Attributes:
        delimiter: Between fields, one ASCII character.
        quote: Around fields that need it; None to have none.
        null_literal: The text of a NULL; None for an empty field.
        comments: Whether a record that begins with # is passed over.
    """

    delimiter: str = ","
    quote: str | None = '"'
    null_literal: str | None = None
    comments: bool = False


def _check(columns: tuple[FormatColumn, ...]) -> None:
    for column in columns:
        if isinstance(column.dtype, (pl.List, pl.Struct)):
            raise UserError(
                f"Column {column.name!r}: the csv format has no {type_name(column.dtype)}",
                hint="Use the json format, or a STRING column",
            )


@dataclass(frozen=True, slots=True)
class CsvDecoder:
    """Decodes CSV records.

    Attributes:
        columns: What to read.
        record: All columns of a record, in their order.
        dialect: How fields are written.
        ignore_parse_errors: Make a bad field null and skip a bad record.
    """

    columns: tuple[FormatColumn, ...]
    record: tuple[FormatColumn, ...]
    dialect: CsvDialect = CsvDialect()
    ignore_parse_errors: bool = False
    _schema: JsonSchema = field(init=False, repr=False)
    _shape: CsvShape = field(init=False, repr=False)

    def __post_init__(self) -> None:
        _check(self.columns)
        object.__setattr__(self, "_schema", JsonSchema(json_fields(self.columns)))
        leaf_of = {column.name: index for index, column in enumerate(self.columns)}
        known = {column.name for column in self.record}
        if missing := [name for name in leaf_of if name not in known]:
            raise UserError(f"Column {missing[0]!r} is not among the fields of a record")
        shape = CsvShape(
            [leaf_of.get(column.name, -1) for column in self.record],
            ord(self.dialect.delimiter),
            -1 if self.dialect.quote is None else ord(self.dialect.quote),
            self.dialect.comments,
            None if self.dialect.null_literal is None else self.dialect.null_literal.encode(),
        )
        object.__setattr__(self, "_shape", shape)

    def decode(self, records: RecordBuffer) -> Decoded:
        """Decodes a whole buffer; see `yeoul.formats.contract.Decoder`."""
        lenient = self.ignore_parse_errors
        parts = (records.data, records.offsets, records.lengths)
        read = read_csv(self._schema, self._shape, *parts, null_bad_fields=lenient)
        assembly = Assembly(read, records.data, 0, lenient)
        frame = assembly.frame(self.columns, self._schema.fields)
        rows, faults, skipped = read.records, read.dead, read.skipped
        if assembly.faults:
            late = np.array([(row, code, leaf, -1) for row, code, leaf in assembly.faults], np.int64)
            _, first = np.unique(late[:, 0], return_index=True)
            late = late[first]
            keep = np.ones(read.rows, bool)
            keep[late[:, 0]] = False
            late[:, 0] = rows[late[:, 0]]
            frame, rows = frame.filter(pl.Series(keep)), rows[keep]
            faults = np.concatenate([faults, late])
            faults = faults[np.argsort(faults[:, 0], kind="stable")]
        if lenient:
            skipped, faults = skipped + len(faults), faults[:0]
        indexes = None if len(frame) == len(records) else rows
        if not len(faults):
            return Decoded(frame, indexes, _NOTHING_DEAD, skipped)
        names = tuple((column.name, type_name(column.dtype)) for column in self.columns)
        return Decoded(frame, indexes, DeadRows(faults[:, 0], Reasons(records, faults, names)), skipped)


@dataclass(frozen=True, slots=True)
class CsvEncoder:
    """Encodes rows as CSV records, fields in the order of the columns."""

    columns: tuple[FormatColumn, ...]
    dialect: CsvDialect = CsvDialect()

    def __post_init__(self) -> None:
        _check(self.columns)

    def encode(self, frame: pl.DataFrame) -> RecordBuffer:
        """Encodes every row of a frame as one record."""
        fields = [self._field(frame.get_column(column.name).cast(column.dtype)) for column in self.columns]
        joined = pl.DataFrame(fields).select(pl.concat_str(pl.all(), separator=self.dialect.delimiter)).to_series()
        data, offsets = flat_bytes(joined)
        return RecordBuffer(data, offsets[:-1], np.diff(offsets))

    def _field(self, series: pl.Series) -> pl.Series:
        texts = value_texts(series)
        quote = self.dialect.quote
        if quote is not None and series.dtype in (pl.String, pl.Binary):
            special = [self.dialect.delimiter, quote, "\n", "\r", "#" if self.dialect.comments else quote]
            needed = texts.str.contains_any(special) | (texts == (self.dialect.null_literal or ""))
            quoted = quote + texts.str.replace_all(quote, quote * 2, literal=True) + quote
            texts = quoted.zip_with(needed.fill_null(False), texts)
        return texts.fill_null(self.dialect.null_literal or "").alias(series.name)
