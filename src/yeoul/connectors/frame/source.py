"""A frame in memory as one bounded split.

Invariant: columns are cast to the declared types once, when
the source is made.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from yeoul.connectors.slices import FrameReader
from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.contract import Position
from yeoul.errors import UserError, did_you_mean
from yeoul.plan.nodes import Scan
from yeoul.plan.tables import ColumnKind

__all__ = ["SPLIT", "FrameSource"]

SPLIT = "frame"


class FrameSource:
    """A frame that was given by name.

    Args:
        scan: Which columns, of which table.
        name: The frame's name among `frames`.
        frames: All that were given.
    """

    is_bounded = True

    def __init__(self, scan: Scan, name: str, frames: Mapping[str, pl.DataFrame]) -> None:
        if name not in frames:
            raise UserError(
                f"Table {scan.table.name!r}: no frame named {name!r} was given", hint=did_you_mean(name, frames)
            )
        self._names = scan.schema.names
        self._frame = _cast(scan, frames[name])

    def open(self, positions: Mapping[str, Position]) -> FrameReader:
        """Returns a reader from row `positions['frame']` on."""
        start = positions.get(SPLIT)
        return FrameReader(self._frame, self._names, start if isinstance(start, int) else 0, SPLIT)


def _cast(scan: Scan, frame: pl.DataFrame) -> pl.DataFrame:
    columns = []
    for column in scan.table.columns:
        if column.kind is ColumnKind.COMPUTED:
            continue
        where = f"Table {scan.table.name!r}, column {column.name!r}"
        if column.name not in frame.columns:
            raise UserError(f"{where}: the frame has no such column", hint=did_you_mean(column.name, frame.columns))
        try:
            columns.append(frame[column.name].cast(polars_dtype(column.type)))
        except pl.exceptions.PolarsError as error:
            found = frame.schema[column.name]
            raise UserError(f"{where}: {found} values do not fit {column.type}: {error}") from error
    return pl.DataFrame(columns)
