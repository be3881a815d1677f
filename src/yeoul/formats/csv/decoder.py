"""CSV records to rows.

Reading is done by `yeoul.kernels.csv`; what a text may be for each type is the same as in JSON strings (SQL timestamps,
base64 bytes). An empty field is NULL unless its column is a STRING. A field that is an ARRAY or a ROW is read as text
first and then taken apart, see `nested`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.errors import UserError
from yeoul.formats.contract import DeadRows, Decoded, FormatColumn, RecordBuffer
from yeoul.formats.csv.dialect import PLAIN, CsvDialect, check_fields, parts_of
from yeoul.formats.csv.nested import nested_column
from yeoul.formats.json.columns import Assembly
from yeoul.formats.json.fields import json_fields, type_name
from yeoul.formats.json.reasons import Reasons
from yeoul.kernels.csv import CsvShape, read_csv
from yeoul.kernels.json.codes import BAD_TEXT
from yeoul.kernels.json.schema import JsonSchema

__all__ = ["CsvDecoder"]

_NOTHING_DEAD: Final = DeadRows(np.empty(0, np.int64), ())


@dataclass(frozen=True, slots=True)
class CsvDecoder:
    """Decodes CSV records.

    Attributes:
        columns: What to read.
        record: All columns of a record, in their order.
        dialect: How fields are written.
        ignore_parse_errors: Make a bad field and a missing one null and skip a bad record.
    """

    columns: tuple[FormatColumn, ...]
    record: tuple[FormatColumn, ...]
    dialect: CsvDialect = PLAIN
    ignore_parse_errors: bool = False
    _flat: tuple[FormatColumn, ...] = field(init=False, repr=False)
    _schema: JsonSchema = field(init=False, repr=False)
    _shape: CsvShape = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_fields(self.columns)
        flat = tuple(one if parts_of(one.dtype) is None else replace(one, dtype=pl.String()) for one in self.columns)
        object.__setattr__(self, "_flat", flat)
        object.__setattr__(self, "_schema", JsonSchema(json_fields(flat)))
        leaf_of = {column.name: index for index, column in enumerate(self.columns)}
        known = {column.name for column in self.record}
        if missing := [name for name in leaf_of if name not in known]:
            raise UserError(f"Column {missing[0]!r} is not among the fields of a record")
        leaves = [leaf_of.get(column.name, -1) for column in self.record]
        object.__setattr__(self, "_shape", _shape_of(self.dialect, leaves, lenient=self.ignore_parse_errors))

    def decode(self, records: RecordBuffer) -> Decoded:
        """Decodes a whole buffer; see `yeoul.formats.contract.Decoder`."""
        lenient = self.ignore_parse_errors
        parts = (records.data, records.offsets, records.lengths)
        read = read_csv(self._schema, self._shape, *parts, null_bad_fields=lenient)
        assembly = Assembly(read, records.data, 0, lenient)
        frame = assembly.frame(self._flat, self._schema.fields)
        frame, nested = self._taken_apart(frame)
        rows, faults, skipped = read.records, read.dead, read.skipped
        found = [*assembly.faults, *(() if lenient else nested)]
        if found:
            frame, rows, late = _without_faulty(frame, rows, found)
            faults = np.concatenate([faults, late])
            faults = faults[np.argsort(faults[:, 0], kind="stable")]
        if lenient:
            skipped, faults = skipped + len(faults), faults[:0]
        indexes = None if len(frame) == len(records) else rows
        if not len(faults):
            return Decoded(frame, indexes, _NOTHING_DEAD, skipped)
        names = tuple((column.name, _shown(column.dtype)) for column in self.columns)
        return Decoded(frame, indexes, DeadRows(faults[:, 0], Reasons(records, faults, names)), skipped)

    def _taken_apart(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[tuple[int, int, int]]]:
        """Returns the rows with their arrays and rows, and which of those are none: (row, code, leaf)."""
        faults: list[tuple[int, int, int]] = []
        for leaf, column in enumerate(self.columns):
            if column is self._flat[leaf]:
                continue
            texts = frame.to_series(leaf)
            values, bad = nested_column(texts, column.dtype, self.dialect, self._parts)
            if bad.any():
                faults += [(row, BAD_TEXT, leaf) for row in np.flatnonzero(bad).tolist()]
            frame = frame.with_columns(values.alias(column.name))
        return frame, faults

    def _parts(self, column: FormatColumn, records: RecordBuffer) -> Decoded:
        """Reads the parts of a field, each of which is a record."""
        whole = replace(self.dialect, delimiter=None, quote=None, comments=False, escape=None)
        return CsvDecoder((column,), (column,), whole, self.ignore_parse_errors).decode(records)


def _shape_of(dialect: CsvDialect, leaves: list[int], *, lenient: bool) -> CsvShape:
    return CsvShape(
        leaves,
        _byte(dialect.delimiter),
        _byte(dialect.quote),
        dialect.comments,
        None if dialect.null_literal is None else dialect.null_literal.encode(),
        _byte(dialect.escape),
        dialect.trims,
        dialect.empty_is_null,
        dialect.takes_more,
        lenient and not dialect.needs_all,
        dialect.takes_last,
    )


def _byte(character: str | None) -> int:
    return -1 if character is None else ord(character)


def _without_faulty(
    frame: pl.DataFrame, rows: NDArray[np.int64], faults: list[tuple[int, int, int]]
) -> tuple[pl.DataFrame, NDArray[np.int64], NDArray[np.int64]]:
    """Returns the rows and the records without those that turned out to be bad, and these as the kernel tells them."""
    late = np.array([(row, code, leaf, -1) for row, code, leaf in faults], np.int64)
    _, first = np.unique(late[:, 0], return_index=True)
    late = late[first]
    keep = np.ones(len(frame), bool)
    keep[late[:, 0]] = False
    late[:, 0] = rows[late[:, 0]]
    return frame.filter(pl.Series(keep)), rows[keep], late


def _shown(dtype: pl.DataType) -> str:
    inner = parts_of(dtype)
    if inner is None:
        return type_name(dtype)
    shown = ", ".join(map(type_name, inner))
    return f"ARRAY<{shown}>" if isinstance(dtype, pl.List) else f"ROW<{shown}>"
