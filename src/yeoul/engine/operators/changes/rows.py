"""From what rows were to what they are: which differ, and both as changes side by side."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.contract import WEIGHT
from yeoul.engine.series import series_of
from yeoul.kernels.turns import Turns, picked_words

__all__ = ["added_up", "as_changes", "differing", "picked", "replaced_at"]

_WORDS = frozenset((pl.Int64(), pl.Float64()))


def added_up(changes: pl.DataFrame) -> pl.DataFrame:
    """Returns equal rows as one, where the first of them came, with their weights added up: 0 is nothing left.

    Example:
        >>> added_up(pl.DataFrame({"a": [1, 2, 1], "$weight": [1, 1, -1]})).rows()
        [(1, 0), (2, 1)]
    """
    columns = [name for name in changes.columns if name != WEIGHT]
    return changes.group_by(columns, maintain_order=True).agg(pl.col(WEIGHT).sum())


def differing(before: pl.DataFrame, after: pl.DataFrame, names: Collection[str]) -> NDArray[np.bool_]:
    """Tells of rows in equal places whether some column differs; NULL is NULL's equal.

    Example:
        >>> differing(pl.DataFrame({"a": [1, None]}), pl.DataFrame({"a": [2, None]}), ["a"]).tolist()
        [True, False]
    """
    if not names:
        return np.zeros(before.height, np.bool_)
    differs = np.zeros(before.height, np.bool_)
    for name in names:
        was, is_ = before.get_column(name), after.get_column(name)
        if was.null_count() or is_.null_count() or was.dtype.is_nested():
            differs |= was.ne_missing(is_).to_numpy()
        elif was.dtype.is_integer():
            differs |= was.to_numpy() != is_.to_numpy()
        else:
            differs |= (was != is_).to_numpy()
        if differs.all():
            break
    return differs


def picked(before: pl.Series, after: pl.Series, turns: Turns) -> pl.Series:
    """Returns a column of what rows were and of what they are, each in its turn.

    Example:
        >>> from yeoul.kernels.turns import turns_of
        >>> is_new, lives, differs = np.array([False, True]), np.array([True, True]), np.array([True, True])
        >>> picked(pl.Series([1, 0]), pl.Series([2, 3]), turns_of(is_new, lives, differs)).to_list()
        [1, 2, 3]
    """
    if before.dtype in _WORDS and not before.null_count() and not after.null_count():
        return series_of(after.name, picked_words(before.to_numpy(), after.to_numpy(), turns))
    return before.clone().extend(after)[series_of("", turns.places)]


def replaced_at(changes: pl.DataFrame, names: Sequence[str]) -> NDArray[np.intp]:
    """Returns where a row goes and right behind it one comes that is its equal in some columns.

    Example:
        >>> changes = pl.DataFrame({"k": [1, 1, 2, 3], "v": [5, 6, 7, 7], "$weight": [-1, 1, -1, 1]})
        >>> replaced_at(changes, ["k"]).tolist(), replaced_at(changes, ["v"]).tolist()
        ([0], [2])
    """
    comes = changes.get_column(WEIGHT).to_numpy() > 0
    found = ~comes[:-1] & comes[1:]
    if not found.any():
        return np.flatnonzero(found)
    before, after = changes.head(len(found)), changes.slice(1)
    for name in sorted(names, key=lambda name: not changes.schema[name].is_numeric()):  # numbers are soon compared
        if not found.any():
            break
        found &= ~differing(before, after, [name])
    return np.flatnonzero(found)


def as_changes(
    gone: pl.DataFrame, gone_at: NDArray[np.int64], come: pl.DataFrame, come_at: NDArray[np.int64]
) -> pl.DataFrame:
    """Returns rows that go, -1, and rows that come, +1, in the order of their places; of one place, what goes first.

    Example:
        >>> rows = pl.DataFrame({"a": [10, 20]})
        >>> as_changes(rows[:1], np.array([1]), rows, np.array([0, 1])).rows()
        [(10, 1), (10, -1), (20, 1)]
    """
    weights = pl.Series(WEIGHT, np.repeat(np.array([-1, 1]), [gone.height, come.height]), dtype=pl.Int64)
    order = np.argsort(np.concatenate([gone_at, come_at]), kind="stable")
    return pl.concat([gone, come.select(gone.columns)]).with_columns(weights)[order]
