"""Stateless operators one above the other, as one."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from yeoul.engine.operators.contract import Stateless

__all__ = ["Chain"]


class Chain(Stateless):
    """Does what several do, one after the other; with no row left, those that remain have nothing to do.

    Args:
        operators: The first one sees the rows first.
    """

    def __init__(self, operators: Sequence[Stateless]) -> None:
        self._operators = list(operators)

    def transform(self, batch: pl.DataFrame) -> pl.DataFrame:
        for operator in self._operators:
            if not batch.height:
                return batch
            batch = operator.transform(batch)
        return batch
