"""UNION ALL: rows of every input as they come, under the first input's names.

Whoever feeds it has merged `$watermark` over its ports already (`WatermarkMerge`).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.rows.relabel import Relabel

__all__ = ["Union"]


class Union(Relabel):
    """Hands on each port's rows, columns matched by position.

    Args:
        columns: Output name and data type, in order.
        weighted: Whether some port's rows can be taken back: then the others' get a weight, too.
    """

    def __init__(self, columns: Sequence[tuple[str, pl.DataType]], *, weighted: bool = False) -> None:
        super().__init__(columns)
        self._weighted = weighted

    def transform(self, batch: pl.DataFrame) -> pl.DataFrame:
        given = super().transform(batch)
        stands = self._weighted and WEIGHT not in given.columns
        return given.with_columns(pl.lit(1, dtype=pl.Int64).alias(WEIGHT)) if stands else given
