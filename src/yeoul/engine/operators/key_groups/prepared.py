"""Key groups of operators that take more than rows and watermarks, and the way in: which are divided, and as what."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from yeoul.clock import Clock
from yeoul.engine.contract import WATERMARK
from yeoul.engine.operators.changes.materialize import FirstRows, LatestRows
from yeoul.engine.operators.changes.net import NetChanges
from yeoul.engine.operators.contract import EMPTY, END_OF_TIME, Operator, Output, Sized
from yeoul.engine.operators.groups.aggregate import Aggregate
from yeoul.engine.operators.groups.group_aggregate import GroupAggregate
from yeoul.engine.operators.joins.lookup import LookupJoin
from yeoul.engine.operators.key_groups.contract import Keyed, KeyedOperator
from yeoul.engine.operators.key_groups.divided import KeyGroups
from yeoul.engine.operators.windows.aggregate import PreparedPanes, WindowAggregate
from yeoul.engine.operators.windows.by_clock import ByClock, Windowed
from yeoul.engine.operators.windows.sessions import SessionAggregate
from yeoul.engine.state.memory import StateMemory

__all__ = [
    "AggregateKeyGroups",
    "ConflictKeyGroups",
    "WindowKeyGroups",
    "by_key_group",
    "is_undivided",
    "undivided",
]

_PANES = 1
"""The port on which aggregated rows wait beside those that have to be judged."""


class AggregateKeyGroups(KeyGroups):
    """An aggregate without a window by key group: what waits are batches that are aggregated already."""

    pattern: Aggregate | GroupAggregate

    def prepare(self, batch: pl.DataFrame) -> pl.DataFrame | None:
        """Aggregates a batch, None if it has no row; pure, callable from any thread."""
        return self.pattern.prepare(batch)

    def process_prepared(self, partial: pl.DataFrame) -> Output:
        """Takes an aggregated batch and gives the changes that it brings, or lets it wait."""
        return super().process(0, partial)

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        partial = self.prepare(batch)
        return EMPTY if partial is None else self.process_prepared(partial)

    def _stamped(self, batch: pl.DataFrame) -> pl.DataFrame:
        return batch

    def _process(self, operator: KeyedOperator, port: int, batch: pl.DataFrame) -> Output:
        assert isinstance(operator, Aggregate | GroupAggregate)
        return operator.process_prepared(operator.combined(batch) if self._whole is None else batch)


class WindowKeyGroups(KeyGroups):
    """A windowed aggregate by key group: batches that are aggregated wait beside rows that have to be judged."""

    pattern: WindowAggregate | SessionAggregate

    @property
    def time_column(self) -> str:
        """The row-time column."""
        return self.pattern.time_column

    def prepare(self, batch: pl.DataFrame) -> PreparedPanes | None:
        """Aggregates a batch, None if nothing of it can be; pure, callable from any thread."""
        return self.pattern.prepare(batch)

    def may_close(self, watermark_ms: int, earliest_ms: int, latest_ms: int) -> bool:
        """Tells whether a watermark may close a window of rows between two row times; pure."""
        return self.pattern.may_close(watermark_ms, earliest_ms, latest_ms)

    def process_prepared(self, prepared: PreparedPanes) -> bool:
        """Takes the aggregated rows, or lets them wait, unless some may be late after all: then False."""
        whole = self._whole
        if whole is not None:
            assert isinstance(whole, WindowAggregate | SessionAggregate)
            if not whole.process_prepared(prepared):
                return False
            self._straight(whole, EMPTY)
        elif prepared.first_end <= self.pattern.closed_by(self._told_ms):
            return False
        elif prepared.partial.height:
            self._wait(_PANES, prepared.partial)
        return True

    def _process(self, operator: KeyedOperator, port: int, batch: pl.DataFrame) -> Output:
        assert isinstance(operator, WindowAggregate | SessionAggregate)
        if port != _PANES:
            return operator.process(port, batch)
        operator.process_prepared(PreparedPanes(batch, END_OF_TIME))
        return EMPTY

    def _keys_of(self, port: int, batch: pl.DataFrame) -> pl.DataFrame:
        if port != _PANES:
            return super()._keys_of(port, batch)
        (keys,) = self._state_keys.values()
        return batch.select(keys)


class ConflictKeyGroups(KeyGroups):
    """What settles conflicts of a table's keys, by key group: rows wait with the watermark that they came after.

    Which rows are netted depends on the watermarks that came between them, not on those of the sources' rows.
    """

    pattern: FirstRows | LatestRows

    def _stamped(self, batch: pl.DataFrame) -> pl.DataFrame:
        return super()._stamped(batch.drop(WATERMARK, strict=False))

    def _process(self, operator: KeyedOperator, port: int, batch: pl.DataFrame) -> Output:
        assert isinstance(operator, FirstRows | LatestRows)
        return operator.process(port, batch) if self._whole is not None else operator.process_told(batch)


def undivided(operator: Operator | None) -> Operator | None:
    """Returns what an operator is of which key groups were made, or itself."""
    return operator.pattern if isinstance(operator, KeyGroups) else operator


def is_undivided(operator: Operator) -> bool:
    """Tells whether an operator keeps state that no one divides by key; some bound what they keep themselves."""
    if isinstance(operator, ByClock):
        return is_undivided(operator.inner)
    return isinstance(operator, Sized) and not isinstance(operator, KeyGroups | LookupJoin | NetChanges)


def by_key_group(operator: Operator, make: Callable[[], Operator], memory: StateMemory, clock: Clock) -> Operator:
    """Returns an operator by key group if its state falls apart by key, else as it is.

    Args:
        operator: The operator, without state.
        make: Makes another one like it.
        memory: What the job's state may take.
        clock: For how long rows wait.
    """
    if isinstance(operator, ByClock):
        inner = by_key_group(operator.inner, lambda: _inner_of(make()), memory, clock)
        assert isinstance(inner, Windowed)
        return operator.around(inner)
    if not isinstance(operator, Keyed) or not operator.state_keys:
        return operator
    return _kind_of(operator)(operator, make, memory, clock)  # type: ignore[arg-type]


def _kind_of(operator: Keyed) -> type[KeyGroups]:
    match operator:
        case Aggregate() | GroupAggregate():
            return AggregateKeyGroups
        case WindowAggregate() | SessionAggregate():
            return WindowKeyGroups
        case FirstRows() | LatestRows():
            return ConflictKeyGroups
        case _:
            return KeyGroups


def _inner_of(operator: Operator) -> Operator:
    assert isinstance(operator, ByClock)
    return operator.inner
