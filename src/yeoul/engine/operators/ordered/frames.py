"""Frames: what aggregates say of stretches of rows, all stretches of a batch at once.

Rows stand partition by partition in order; a frame is a first and a last place. Sums over frames are differences of
running sums, extremes are looked up in a table of powers of two, first and last values by the nearest place with one.
Any other aggregate is merged frame by frame, or, where frames begin with their partition, by doubling steps. No loop
over rows, partitions or frames. Pure functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.compile.aggregates import CompiledAggregate
from yeoul.engine.series import series_of, values_in
from yeoul.kernels.prefix_sums import range_sums
from yeoul.kernels.stretches import reaches
from yeoul.plan.expressions import AggregateCall
from yeoul.plan.ordering import Frame, FrameUnit

__all__ = ["Places", "Runs", "bounds", "first_values", "merged", "sums"]

Ints = NDArray[np.int64]
_AT = "$at"
_SUMS = frozenset({"count_star", "count", "sum", "sum0", "avg"})


@dataclass(frozen=True, slots=True)
class Places:
    """Frames: the places of their first and last rows."""

    starts: Ints
    ends: Ints


@dataclass(frozen=True, slots=True)
class Runs:
    """How rows stand.

    Attributes:
        starts: For each row the place of its partition's first row.
        ends: The place of the last.
        peer_starts: The first row that is equal in order.
        peer_ends: The last.
        times: Milliseconds along the order; None where no frame asks for them.
    """

    starts: Ints
    ends: Ints
    peer_starts: Ints
    peer_ends: Ints
    times: Ints | None

    def frames(self, frame: Frame, asked: Ints) -> Places:
        """Returns the frames of the rows at some places."""
        starts, ends = self.starts[asked], self.ends[asked]
        if frame.unit is FrameUnit.ROWS:
            starts = starts if frame.preceding is None else np.maximum(starts, asked - frame.preceding)
            ends = ends if frame.following is None else np.minimum(ends, asked + frame.following)
            return Places(starts, ends)
        if frame.preceding is not None:
            starts = (self._reach(-frame.preceding) if frame.preceding else self.peer_starts)[asked]
        if frame.following is not None:
            ends = (self._reach(frame.following + 1) - 1 if frame.following else self.peer_ends)[asked]
        return Places(starts, ends)

    def _reach(self, distance_ms: int) -> Ints:
        """Returns the first place of a row's partition that is not before the row's time and a distance."""
        assert self.times is not None
        return reaches(self.starts, self.ends, self.times, distance_ms)


def bounds(begins: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Returns, for each row, where its run begins and ends, by marks on the first row of each."""
    if not len(begins):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    first = np.flatnonzero(begins)
    run = np.cumsum(begins) - 1
    return first[run], (np.append(first[1:], len(begins)) - 1)[run]


def merged(
    rows: pl.DataFrame, call: AggregateCall, aggregate: CompiledAggregate, places: Places, starts: Ints
) -> list[pl.Series]:
    """Returns an aggregate's partial columns, merged over each frame.

    Args:
        rows: Have the partial columns, a row's own values in each.
        call: What they are of.
        aggregate: The same, compiled.
        places: The frames.
        starts: The first place of each row's partition.
    """
    names = [name for one in aggregate.partial if (name := one.meta.output_name())]
    if call.distinct or call.function not in _SUMS | {"min", "max", "first_value", "last_value"}:
        return _merged(rows.select(names), aggregate.merge, places, starts)
    columns = [rows[name] for name in names]
    match call.function:
        case "min" | "max":
            return [_extremes(column, places, least=call.function == "min") for column in columns]
        case "first_value":
            return [first_values(column, places) for column in columns]
        case "last_value":
            return [_last_values(column, places) for column in columns]
        case _:
            return [sums(column, places) for column in columns]


# --- sums


def sums(values: pl.Series, places: Places) -> pl.Series:
    """Returns the sums of values over frames, NULLs left out; exact but for doubles, which are as good as exact."""
    if values.dtype.is_float():
        return _float_sums(values, places)
    if values.dtype == pl.Int64:
        return _integer_sums(values, places)
    running = values.fill_null(0).cum_sum()
    before = running.shift(1, fill_value=0)
    return (_at(running, places.ends) - _at(before, places.starts)).cast(values.dtype).alias(values.name)


def _integer_sums(values: pl.Series, places: Places) -> pl.Series:
    running = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values_in(values.fill_null(0) if values.null_count() else values), out=running[1:])
    return series_of(values.name, running[places.ends + 1] - running[places.starts])


def _float_sums(values: pl.Series, places: Places) -> pl.Series:
    plain = values.cast(pl.Float64).fill_null(0.0).to_numpy()
    is_finite = np.isfinite(plain)
    total = range_sums(np.where(is_finite, plain, 0.0), places.starts, places.ends)
    if not is_finite.all():
        for odd in (np.inf, -np.inf, np.nan):
            marks = np.isnan(plain) if np.isnan(odd) else plain == odd
            running = np.concatenate([[0], np.cumsum(marks)])
            with np.errstate(invalid="ignore"):
                total = np.where(running[places.ends + 1] > running[places.starts], total + odd, total)
    return pl.Series(values.name, total).cast(values.dtype)


# --- extremes, first and last


def _extremes(values: pl.Series, places: Places, *, least: bool) -> pl.Series:
    codes, different = _codes(values)
    absent = len(different) if least else -1
    codes = np.where(codes < 0, absent, codes)
    found = _range_extremes(codes, places, np.minimum if least else np.maximum)
    known = (found >= 0) & (found < len(different))
    picked = different.gather(pl.Series(np.where(known, found, 0))) if len(different) else values.clear()
    if not len(different):
        return pl.Series(values.name, [None], dtype=values.dtype).new_from_index(0, len(found))
    return picked.set(pl.Series(~known), None).alias(values.name) if not known.all() else picked.alias(values.name)


def _codes(values: pl.Series) -> tuple[Ints, pl.Series]:
    """Returns values by their place among the different ones in order, -1 for NULL; and the different ones."""
    order = values.arg_sort(nulls_last=True)
    count = len(values) - values.null_count()
    ordered = values.gather(order.head(count))
    begins = np.ones(count, np.bool_)
    begins[1:] = ordered.slice(1).ne_missing(ordered.head(max(count - 1, 0))).to_numpy() if count else begins[1:]
    codes = np.full(len(values), -1, np.int64)
    codes[order.head(count).to_numpy()] = np.cumsum(begins) - 1
    return codes, ordered.filter(pl.Series(begins))


def _range_extremes(codes: Ints, places: Places, better: np.ufunc) -> Ints:
    """Looks at each frame as two stretches, of a power of two each, that cover it."""
    lengths = places.ends - places.starts + 1
    found = np.empty(len(lengths), np.int64)
    powers = np.frexp(lengths.astype(np.float64))[1] - 1
    level = codes
    greatest = int(powers.max(initial=-1))
    for power in range(greatest + 1):
        asked = powers == power
        found[asked] = better(level[places.starts[asked]], level[places.ends[asked] - (1 << power) + 1])
        if power < greatest:
            level = better(level[: len(level) - (1 << power)], level[1 << power :])
    return found


def first_values(values: pl.Series, places: Places) -> pl.Series:
    """Returns the first value of each frame that is not NULL."""
    own = np.arange(len(values))
    here = np.where(values.is_not_null().to_numpy(), own, len(values))
    following = np.minimum.accumulate(here[::-1])[::-1]
    found = following[places.starts]
    return _at(values, found, found <= places.ends)


def _last_values(values: pl.Series, places: Places) -> pl.Series:
    here = np.where(values.is_not_null().to_numpy(), np.arange(len(values)), -1)
    found = np.maximum.accumulate(here)[places.ends]
    return _at(values, found, found >= places.starts)


def _at(values: pl.Series, places: Ints, there: NDArray[np.bool_] | None = None) -> pl.Series:
    if there is None or there.all():
        return values.gather(pl.Series(places))
    return values.gather(pl.select(pl.when(pl.Series(there)).then(pl.Series(places))).to_series())


# --- any other aggregate


def _merged(rows: pl.DataFrame, merge: Sequence[pl.Expr], places: Places, starts: Ints) -> list[pl.Series]:
    if (places.starts == starts[places.ends]).all():
        return _scanned(rows, merge, starts)[places.ends].get_columns()
    lengths = places.ends - places.starts + 1
    frame = np.repeat(np.arange(len(lengths)), lengths)
    place = np.arange(len(frame)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + places.starts[frame]
    return _grouped(rows[place], frame, merge).get_columns()


def _scanned(rows: pl.DataFrame, merge: Sequence[pl.Expr], starts: Ints) -> pl.DataFrame:
    """Merges each row with all before it in its partition, in steps that reach twice as far each time."""
    own, step = np.arange(rows.height), 1
    while True:
        earlier = own - step
        reaches = np.flatnonzero(earlier >= starts)
        if not len(reaches):
            return rows
        pairs = np.concatenate([earlier[reaches], own])
        target = np.concatenate([reaches, own])
        rows = _grouped(rows[pairs], target, merge)
        step *= 2


def _grouped(rows: pl.DataFrame, groups: Ints, merge: Sequence[pl.Expr]) -> pl.DataFrame:
    """Merges rows by group, each group's in the order given."""
    numbered = rows.with_columns(pl.Series(_AT, groups))
    return numbered.group_by(_AT, maintain_order=True).agg(merge).sort(_AT).drop(_AT)
