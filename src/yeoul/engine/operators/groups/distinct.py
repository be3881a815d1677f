"""The DISTINCT aggregates of a grouping: a batch's different values, and what they change.

Two phases, as for the groups themselves. A batch's different values of each group are found on any thread: a list of
them beside each group's row, so that they go where the group goes. Then they are held against those that are known
(`PairState`), and what is new, or gone, is aggregated: partial columns of the plain aggregates, merged into the groups'
like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from yeoul.engine.columnwise import Selection, without
from yeoul.engine.compile.aggregates import VALUE, DistinctValues, change_of
from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.contract import State
from yeoul.engine.state.fingerprints import Lanes, extended
from yeoul.engine.state.grouping import GroupedRows
from yeoul.engine.state.keyed import Found, KeyedState
from yeoul.engine.state.pairs import GROUP, HIGH, LOW, PairState, tally_columns
from yeoul.engine.totals import Totals
from yeoul.kernels.grouping import Groups, group_rows, in_groups, rows_by_group

__all__ = ["NUMBER", "DistinctParts"]

NUMBER = "$number"
"""The column of a group's number, by which its values know it."""
Words = NDArray[np.int64]
Ids = NDArray[np.uint32]
_FILTER = "$filter"


class DistinctParts:
    """All DISTINCT aggregates of a grouping.

    Args:
        distinct: The aggregates, by the values that they share.
        keys: The columns of a group's key.
        retracts: Whether rows of the input may be taken back.

    Attributes:
        aggregates: The plain aggregates that stand for them.
        states: What is known of their values.
        frames: Names of a snapshot's frames.
    """

    def __init__(self, distinct: Iterable[DistinctValues], keys: Sequence[str], *, retracts: bool) -> None:
        self._parts = [_Part(values, retracts=retracts) for values in distinct]
        self._keys = list(keys)
        self._names = [part.name for part in self._parts]
        self._numbered = 0
        self.aggregates = [one for part in self._parts for one in part.aggregates]
        self.states = [part.pairs for part in self._parts]
        self.frames = [name.removeprefix("$") for name in self._names]

    def __bool__(self) -> bool:
        return bool(self._parts)

    def beside(self, groups: pl.DataFrame, batch: pl.DataFrame, rows: GroupedRows) -> pl.DataFrame:
        """Returns a batch's groups with their different values."""
        return groups.with_columns(part.pairs_of(batch, rows) for part in self._parts)

    def combined(self, groups: pl.DataFrame, batches: pl.DataFrame, rows: GroupedRows) -> pl.DataFrame:
        """Returns groups of several batches, one behind the other, as those of one, with their different values."""
        return groups.with_columns(part.combined(batches[part.name], rows.groups) for part in self._parts)

    def over_nothing(self, groups: pl.DataFrame) -> pl.DataFrame:
        """Returns a batch's groups with what is kept for them beside, if no value changes anything."""
        nothing = [part.nothing(groups[part.name])[[0] * groups.height] for part in self._parts]
        numbers = pl.Series(NUMBER, np.zeros(groups.height, np.int64))
        columns = chain.from_iterable(frame.get_columns() for frame in nothing)
        return pl.DataFrame([*without(groups, self._names).get_columns(), numbers, *columns])

    def taken(self, state: KeyedState, groups: pl.DataFrame, found: Found, now_ms: int | None) -> pl.DataFrame:
        """Takes in a batch's different values; returns its groups with the aggregates of what that changes."""
        numbers = np.arange(self._numbered, self._numbered + groups.height)
        known = ~found.is_new
        numbers[known] = state.read_column(NUMBER, found.slots[known]).to_numpy()
        self._numbered += groups.height
        columns = [*without(groups, self._names).get_columns(), pl.Series(NUMBER, numbers)]
        totals = (part.changes(groups[part.name], numbers, now_ms) for part in self._parts)
        return pl.DataFrame([*columns, *chain.from_iterable(totals)])

    def snapshot(self, state: KeyedState) -> State:
        """Returns the values with their groups' keys; those of groups that are gone are left out."""
        living = state.living()
        if not len(living):
            return {}
        numbers = state.read_column(NUMBER, living).to_numpy()
        order = np.argsort(numbers)
        frames = {}
        for name, part in zip(self.frames, self._parts, strict=True):
            pairs = part.pairs.snapshot()
            places = np.searchsorted(numbers, pairs[GROUP].to_numpy(), sorter=order)
            owners = order[np.minimum(places, len(order) - 1)]
            stand = numbers[owners] == pairs[GROUP].to_numpy()
            keys = state.read_keys(living[owners[stand]])
            if stand.any():
                frames[name] = pairs.filter(pl.Series(stand)).hstack(keys.get_columns())
        return frames

    def restore(self, state: State) -> None:
        """Takes what `snapshot` gave of an equal one, and the frame of its groups."""
        self._numbered = int(state["groups"].select(pl.col(NUMBER).max().fill_null(-1)).item()) + 1
        for name, part in zip(self.frames, self._parts, strict=True):
            if name in state:
                part.pairs.restore(state[name])


class _Part:
    """The different values of one argument.

    Args:
        values: The argument, its filters, and the aggregates over what changes.
        retracts: Whether rows of the input may be taken back.

    Attributes:
        name: The column of a batch's pairs, a list for each group.
        aggregates: As given.
        pairs: What is known.
    """

    def __init__(self, values: DistinctValues, *, retracts: bool) -> None:
        self.name, self.aggregates = values.name, values.aggregates
        self._retracts, self._keeps_value = retracts, values.keeps_value
        self._filters = [None if one is None else f"{_FILTER}{at}" for at, one in enumerate(values.filters)]
        named = zip(values.filters, self._filters, strict=True)
        filters = [one.alias(name) for one, name in named if one is not None and name]
        self._selection = Selection([values.value.alias(VALUE), *filters])
        self._tallies = tally_columns(len(values.filters), retracts=retracts)
        self._partial = [expression for one in values.aggregates for expression in one.partial]
        self._nothing: pl.DataFrame | None = None
        self._totals = Totals(self._partial)
        self.pairs = PairState(len(values.filters), retracts=retracts)

    # --- of a batch, on any thread

    def pairs_of(self, batch: pl.DataFrame, rows: GroupedRows) -> pl.Series:
        """Returns each group's different values of a batch: their fingerprints, and under which filters they count."""
        found = self._selection.of(batch)
        value = found[VALUE]
        tallies = self._tallied(batch, found)
        lanes, ids = extended(rows.lanes, value), rows.groups.ids
        counts = np.logical_or.reduce([tally != 0 for tally in tallies])
        if not counts.all():
            which = np.flatnonzero(counts)
            lanes, ids = (lanes[0][which], lanes[1][which]), ids[which]
            tallies, value = [tally[which] for tally in tallies], value[which]
        return self._united(lanes, ids, len(rows.groups.firsts), tallies, value if self._keeps_value else None)

    def combined(self, lists: pl.Series, groups: Groups) -> pl.Series:
        """Returns the pairs of several batches' groups, which are one behind the other, as those of one."""
        pairs, sizes = _flat(lists)
        tallies = [pairs[name].to_numpy() for name in self._tallies]
        ids = np.repeat(groups.ids, sizes)
        value = pairs[VALUE] if self._keeps_value else None
        return self._united(_lanes(pairs), ids, len(groups.firsts), tallies, value)

    def _tallied(self, batch: pl.DataFrame, found: pl.DataFrame) -> list[Words]:
        """Returns what each row says of its value: the filters that let it through, or how often it counts for each."""
        value = found[VALUE]
        is_there = value.is_not_null().to_numpy() if value.null_count() else np.ones(len(value), np.bool_)
        passes = [is_there if name is None else is_there & _holds(found[name]) for name in self._filters]
        if self._retracts:
            weights = batch[WEIGHT].to_numpy()
            return [np.where(each, weights, 0) for each in passes]
        bits = np.zeros(len(value), np.int64)
        for number, each in enumerate(passes):
            bits |= np.left_shift(each.view(np.uint8), number, dtype=np.int64)
        return [bits]

    def _united(
        self, lanes: Lanes, ids: Ids, group_count: int, tallies: list[Words], value: pl.Series | None
    ) -> pl.Series:
        """Returns pairs as a list for each group, each pair once."""
        groups = group_rows(*lanes)
        which = groups.firsts
        if groups.order is not None:
            begins, how = np.cumsum(groups.sizes) - groups.sizes, np.add if self._retracts else np.bitwise_or
            tallies = [how.reduceat(tally[groups.order], begins) for tally in tallies]
            if self._retracts:
                left = np.logical_or.reduce([tally != 0 for tally in tallies])
                which, tallies = which[left], [tally[left] for tally in tallies]
        sizes = np.array([len(which)], np.int64)
        if group_count > 1:
            order, sizes = rows_by_group(np.ascontiguousarray(ids[which]), group_count)
            which, tallies = which[order], [tally[order] for tally in tallies]
        columns = {LOW: lanes[0][which], HIGH: lanes[1][which], **dict(zip(self._tallies, tallies, strict=True))}
        pairs = pl.DataFrame(columns)
        return _lists(self.name, pairs if value is None else pairs.with_columns(value[which].alias(VALUE)), sizes)

    # --- against what is known

    def changes(self, lists: pl.Series, numbers: Words, now_ms: int | None) -> list[pl.Series]:
        """Takes in a batch's pairs and returns the aggregates of what that changes, a row for each group.

        Args:
            lists: Of a batch.
            numbers: Each group's number.
            now_ms: The time, if values have a time to live.
        """
        pairs, sizes = _flat(lists)
        owners = np.repeat(np.arange(len(lists)), sizes)
        tallies = [pairs[name].to_numpy() for name in self._tallies]
        which, changes = self.pairs.take(_lanes(pairs), numbers[owners], tallies, now_ms)
        changed = pl.DataFrame([pl.Series(change_of(number), change) for number, change in enumerate(changes)])
        if self._keeps_value:
            changed = changed.with_columns(pairs[VALUE][which].alias(VALUE))
        sizes = np.bincount(owners[which], minlength=len(lists))
        if sizes.all():
            return self._totals.of(changed, in_groups(sizes))
        return self._totals_of(changed, sizes, self.nothing(lists))

    def nothing(self, lists: pl.Series) -> pl.DataFrame:
        """Returns the aggregates of no change, as one row."""
        if self._nothing is None:
            pairs, _ = _flat(lists.clear())
            changes = {change_of(number): pl.Int64() for number in range(len(self._filters))}
            schema = {**changes, VALUE: pairs.schema[VALUE]} if self._keeps_value else changes
            self._nothing = pl.DataFrame(schema=schema).select(self._partial)
        return self._nothing

    def _totals_of(self, changed: pl.DataFrame, sizes: Words, nothing: pl.DataFrame) -> list[pl.Series]:
        """Returns the aggregates of what changed, where for some groups nothing did."""
        some = sizes > 0
        places = np.zeros(len(sizes), np.uint32)
        if some.any():
            totals = pl.DataFrame(self._totals.of(changed, in_groups(sizes[some])))
            places[some] = np.arange(1, totals.height + 1)
            nothing = nothing.vstack(totals.select(nothing.columns))
        return nothing[places].get_columns()


def _holds(condition: pl.Series) -> NDArray[np.bool_]:
    return (condition.fill_null(value=False) if condition.null_count() else condition).to_numpy()


def _lanes(pairs: pl.DataFrame) -> Lanes:
    return pairs[LOW].to_numpy(), pairs[HIGH].to_numpy()


def _lists(name: str, rows: pl.DataFrame, sizes: Words) -> pl.Series:
    """Returns rows as lists of so many each."""
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    structs = rows.to_struct("").to_arrow(compat_level=pl.CompatLevel.newest())
    return pl.Series(name, pa.LargeListArray.from_arrays(pa.array(offsets), structs))


def _flat(lists: pl.Series) -> tuple[pl.DataFrame, Words]:
    """Returns the rows of all lists, and how many each has."""
    sizes = lists.list.len().to_numpy().astype(np.int64)
    full = lists if sizes.all() else lists.filter(pl.Series(sizes > 0))
    return full.explode().struct.unnest(), sizes
