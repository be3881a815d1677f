"""What every join is told of its inputs, and rows that have no partner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from yeoul.engine.columnwise import together
from yeoul.plan.join_state import COUNTED, SideState
from yeoul.plan.nodes import JoinKind

__all__ = ["JoinSide", "JoinSides", "holding"]


@dataclass(frozen=True, slots=True)
class JoinSide:
    """One input of a join.

    Attributes:
        columns: Name and type of the columns that are given out or that the condition uses.
        keys: What has to equal the other side's, over its columns.
        state: How the regular join keeps its rows.
    """

    columns: Mapping[str, pl.DataType]
    keys: Sequence[pl.Expr]
    state: SideState = COUNTED


@dataclass(frozen=True, slots=True)
class JoinSides:
    """Both inputs of a join that gives each row once, and what it gives.

    Attributes:
        left: The left input, port 0.
        right: The right input, port 1; no name is on both sides.
        kind: What becomes of rows without a partner.
        condition: What must hold besides the keys, over the columns of both; None: nothing.
        output: The names of the columns given, in order.
        nulls_meet: For each key whether NULL equals NULL; empty: none does, and a row with NULL has no partner.
    """

    left: JoinSide
    right: JoinSide
    kind: JoinKind
    condition: pl.Expr | None
    output: Sequence[str]
    nulls_meet: Sequence[bool] = ()

    def __getitem__(self, port: int) -> JoinSide:
        return self.right if port else self.left

    @property
    def key_names(self) -> list[str]:
        """What the key's columns are called while a join works."""
        return [f"$key{index}" for index in range(len(self.left.keys))]

    def keyed(self, port: int, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns a batch's columns and its key's."""
        side = self[port]
        keys = [key.alias(name) for name, key in zip(self.key_names, side.keys, strict=True)]
        if not all(key.meta.is_column() for key in side.keys):
            return batch.select(*side.columns, *keys)
        key_columns = [batch[key.meta.root_names()[0]].alias(key.meta.output_name()) for key in keys]
        return together([*(batch[name] for name in side.columns), *key_columns])

    def has_key(self, rows: pl.DataFrame) -> pl.Series | None:
        """Tells which rows, as `keyed` gives them, can have a partner by their key; None: all of them."""
        has_key = None
        for name, nulls_meet in zip(self.key_names, self.nulls_meet or [False] * len(self.left.keys), strict=True):
            if not nulls_meet and rows[name].null_count():
                known = rows[name].is_not_null()
                has_key = known if has_key is None else has_key & known
        return has_key

    def keeps(self, port: int) -> bool:
        """Tells whether rows of a side without a partner are given, with NULLs for the other's columns."""
        return self.kind.keeps_right if port else self.kind.keeps_left

    def together(self, port: int, own: pl.DataFrame, partners: pl.DataFrame) -> pl.DataFrame:
        """Returns rows of a side beside their partners."""
        first, second = (own, partners) if port == 0 else (partners, own)
        return together([*(first[name] for name in self.left.columns), *(second[name] for name in self.right.columns)])

    def holding(self, both: pl.DataFrame) -> pl.Series | None:
        """Returns for which pairs of rows the condition holds; None if there is none."""
        return None if self.condition is None or not both.height else holding(self.condition, both)

    def alone(self, port: int, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns rows of a side with NULLs for the other's columns."""
        nulls = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in self[1 - port].columns.items()]
        return rows.with_columns(nulls).select(list(self.output))


def holding(condition: pl.Expr, both: pl.DataFrame) -> pl.Series:
    """Returns for which of some pairs of rows, at least one, a condition holds; it may be the same for all."""
    holds = both.select(condition.fill_null(False)).to_series()
    return holds if len(holds) == both.height else holds.new_from_index(0, both.height)
