"""Late rows and dead records as a bounded source; the files are the engine's (`yeoul.engine.runtime.side_streams`).

Invariant: a reader sees what was there when it was opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from yeoul.connectors.slices import FrameReader
from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.contract import Position
from yeoul.engine.runtime.side_streams import SideStreams
from yeoul.plan.nodes import Scan
from yeoul.plan.tables import ColumnKind

__all__ = ["SPLIT", "SideStreamSource"]

SPLIT = "side-stream"


class SideStreamSource:
    """What a job set aside of one table.

    Args:
        scan: `<table>$late` or `<table>$dead`, and which columns are read.
        path: The directory of the side streams.
        table: The table whose rows were set aside.
        kind: `late` or `dead`.
    """

    is_bounded = True

    def __init__(self, scan: Scan, path: str, table: str, kind: str) -> None:
        self._names = scan.schema.names
        self._types = {
            column.name: polars_dtype(column.type)
            for column in scan.table.columns
            if column.kind is not ColumnKind.COMPUTED
        }
        self._path = Path(path)
        self._table = table
        self._kind = kind

    def open(self, positions: Mapping[str, Position]) -> FrameReader:
        """Returns a reader of the rows that are there now."""
        held = SideStreams(self._path).read(self._table, self._kind)
        columns = [
            held[name].cast(dtype)
            if name in held.columns
            else pl.Series(name, [None], dtype=dtype).new_from_index(0, held.height)
            for name, dtype in self._types.items()
        ]
        start = positions.get(SPLIT)
        return FrameReader(pl.DataFrame(columns), self._names, start if isinstance(start, int) else 0, SPLIT)
