"""The JSON decoder: a buffer of records to a frame, with what became of every record.

Invariants: every record becomes one row, a dead row, or is skipped (a record that is an array of objects becomes one
row an object, or is dead as a whole); rows keep the order of their records; a decoder holds nothing that a call
changes, so several threads may use it at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.formats.contract import DeadRows, Decoded, FormatColumn, RecordBuffer
from yeoul.formats.json.columns import Assembly
from yeoul.formats.json.fields import instance, json_fields, type_name
from yeoul.formats.json.reasons import Reasons
from yeoul.kernels.json.arrays import array_elements
from yeoul.kernels.json.codes import MISSING_FIELD, TOP_LEVEL_ARRAY
from yeoul.kernels.json.reader import read_json
from yeoul.kernels.json.schema import JsonSchema
from yeoul.kernels.json.state import MISSING
from yeoul.kernels.json.temporal import ISO, SQL

__all__ = ["JsonDecoder"]

_NOTHING_DEAD = DeadRows(np.empty(0, np.int64), ())


@dataclass(frozen=True, slots=True)
class JsonDecoder:
    """Decodes records that are JSON objects.

    Attributes:
        columns: What to read, by exact name.
        ignore_parse_errors: Make a bad field null and skip a bad record, as Flink's option of that name does.
        fail_on_missing_field: Make a record dead that lacks a column's field.
        iso: Read timestamps as ISO-8601 instead of SQL.
    """

    columns: tuple[FormatColumn, ...]
    ignore_parse_errors: bool = False
    fail_on_missing_field: bool = False
    iso: bool = False
    _schema: JsonSchema = field(init=False, repr=False)
    _names: tuple[tuple[str, str], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_schema", JsonSchema(json_fields(self.columns)))
        object.__setattr__(self, "_names", tuple(_paths([(c.name, c.dtype) for c in self.columns], "")))

    def decode(self, records: RecordBuffer) -> Decoded:
        """Decodes a whole buffer; see `yeoul.formats.contract.Decoder`."""
        frame, rows, faults, skipped = self._read(records)
        if len(faults) and (faults[:, 1] == TOP_LEVEL_ARRAY).any():
            frame, rows, faults, skipped = self._read_arrays(records, frame, rows, faults, skipped)
        if self.ignore_parse_errors:
            skipped += len(faults)
            faults = faults[:0]
        indexes = None if len(frame) == len(records) and not len(faults) and not skipped else rows
        if not len(faults):
            return Decoded(frame, indexes, _NOTHING_DEAD, skipped)
        return Decoded(frame, indexes, DeadRows(faults[:, 0], Reasons(records, faults, self._names)), skipped)

    def _read(self, records: RecordBuffer) -> tuple[pl.DataFrame, NDArray[np.int64], NDArray[np.int64], int]:
        style = ISO if self.iso else SQL
        read = read_json(
            self._schema,
            records.data,
            records.offsets,
            records.lengths,
            null_bad_fields=self.ignore_parse_errors,
            style=style,
        )
        assembly = Assembly(read, records.data, style, self.ignore_parse_errors)
        frame = assembly.frame(self.columns, self._schema.fields)
        if self.fail_on_missing_field and read.marks is not None:
            leaves, gaps = np.nonzero(read.marks == MISSING)
            assembly.faults += [
                (row, MISSING_FIELD, leaf) for row, leaf in zip(gaps.tolist(), leaves.tolist(), strict=True)
            ]
        if not assembly.faults:
            return frame, read.records, read.dead, read.skipped
        late = np.array(sorted({row: (row, code, leaf, -1) for row, code, leaf in assembly.faults}.values()), np.int64)
        keep = np.ones(read.rows, bool)
        keep[late[:, 0]] = False
        late[:, 0] = read.records[late[:, 0]]
        dead = np.concatenate([read.dead, late])
        dead = dead[np.argsort(dead[:, 0], kind="stable")]
        return frame.filter(pl.Series(keep)), read.records[keep], dead, read.skipped

    def _read_arrays(
        self,
        records: RecordBuffer,
        frame: pl.DataFrame,
        rows: NDArray[np.int64],
        faults: NDArray[np.int64],
        skipped: int,
    ) -> tuple[pl.DataFrame, NDArray[np.int64], NDArray[np.int64], int]:
        """Reads records that are arrays once more, element by element."""
        arrays = faults[faults[:, 1] == TOP_LEVEL_ARRAY, 0]
        offsets, lengths, owners = [], [], []
        for index in arrays.tolist():
            start = int(records.offsets[index])
            where, size = array_elements(records.data[start : start + int(records.lengths[index])])
            offsets.append(where + start)
            lengths.append(size)
            owners.append(np.full(len(where), index))
        owner = np.concatenate(owners)
        elements = RecordBuffer(records.data, np.concatenate(offsets), np.concatenate(lengths))
        more, more_rows, more_faults, _ = self._read(elements)
        # A place is told from the start of the record, not of the element.
        moved = elements.offsets[more_faults[:, 0]] - records.offsets[owner[more_faults[:, 0]]]
        more_faults[:, 3] += np.where(more_faults[:, 3] >= 0, moved, 0)
        more_faults[:, 0] = owner[more_faults[:, 0]]
        _, first = np.unique(more_faults[:, 0], return_index=True)
        more_faults = more_faults[first]
        keep = np.ones(len(more), bool)
        if not self.ignore_parse_errors:
            keep = ~np.isin(owner[more_rows], more_faults[:, 0])
        else:
            more_faults = more_faults[:0]
        all_rows = np.concatenate([rows, owner[more_rows[keep]]])
        order = np.argsort(all_rows, kind="stable")
        whole = pl.concat([frame, more.filter(pl.Series(keep))])[order]
        dead = np.concatenate([faults[faults[:, 1] != TOP_LEVEL_ARRAY], more_faults])
        dead = dead[np.argsort(dead[:, 0], kind="stable")]
        empty = len(arrays) - len(np.unique(np.concatenate([owner[more_rows[keep]], more_faults[:, 0]])))
        return whole, all_rows[order], dead, skipped + empty


def _paths(columns: Sequence[tuple[str, pl.DataType]], prefix: str) -> list[tuple[str, str]]:
    """Returns path and SQL type of every leaf, in the kernel's order."""
    found = []
    for name, dtype in columns:
        found.append((prefix + name, type_name(dtype)))
        if isinstance(dtype, pl.Struct):
            inner = [(f.name, instance(f.dtype)) for f in dtype.fields]
            found += _paths(inner, f"{prefix}{name}.")
    return found
