"""One pane's groups in keyed state: for a pane that has many.

To merge frames takes a hash table of all their groups each time. With many groups, of which a batch has few, it is
cheaper to find each by the fingerprint of its key and to merge its values where they stand. Groups stay in the order in
which they first came; the pane is dropped whole. What comes in small pieces waits until there are some thousand rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from yeoul.engine.columnwise import chosen, together, without
from yeoul.engine.state.compact import compacted
from yeoul.engine.state.fingerprints import Lanes
from yeoul.engine.state.grouping import LANES, GroupedRows, Grouping, lanes_of
from yeoul.engine.state.keyed import KeyedState, lanes_by
from yeoul.engine.state.merging import Merging
from yeoul.kernels.grouping import group_rows

__all__ = ["KeyedMerge", "KeyedPane"]

_TAKEN_ROWS = 1 << 13
_TAKEN_FRAMES = 512


@dataclass(frozen=True, slots=True)
class KeyedMerge:
    """How groups are merged.

    Attributes:
        keys: The columns that make the key, one at least.
        within: Merges rows of equal key in a frame.
        merging: Merges a group's values with newer ones.
    """

    keys: Sequence[str]
    within: Grouping
    merging: Merging


class KeyedPane:
    """Groups by key.

    Args:
        merge: How they are merged.
        first: Partial aggregates that it has from the beginning: their keys, their values, nothing else but `LANES`.
    """

    def __init__(self, merge: KeyedMerge, first: pl.DataFrame) -> None:
        self._merge = merge
        types = without(first, LANES).schema
        self._names = list(types)
        keys = {name: types[name] for name in merge.keys}
        self._groups = KeyedState(keys, {name: dtype for name, dtype in types.items() if name not in keys})
        self._waiting: list[pl.DataFrame] = []
        self._waiting_rows = self._waiting_bytes = 0
        self.append(first)

    @property
    def rows(self) -> int:
        """How many groups there are, or somewhat more."""
        return len(self._groups) + self._waiting_rows

    @property
    def size_bytes(self) -> int:
        """What they take in memory, about."""
        return self._groups.size_bytes + self._waiting_bytes

    def append(self, part: pl.DataFrame) -> None:
        """Takes partial aggregates; other columns do not matter.

        Args:
            part: Keys may repeat, unless their fingerprints are there, as `LANES`.
        """
        if part.height >= _TAKEN_ROWS:
            self._settle()
            return self._take(part)
        part = compacted(chosen(part, self._names))
        self._waiting.append(part)
        self._waiting_rows += part.height
        self._waiting_bytes += int(part.estimated_size())
        if self._waiting_rows >= _TAKEN_ROWS or len(self._waiting) >= _TAKEN_FRAMES:
            self._settle()
        return None

    def groups(self) -> pl.DataFrame:
        """Returns all groups, each once: keys and values."""
        self._settle()
        slots = self._groups.living()
        return together([*self._groups.read_keys(slots).get_columns(), *self._groups.read(slots).get_columns()])

    def _settle(self) -> None:
        """Takes in what waits."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            self._waiting_rows = self._waiting_bytes = 0
            self._take(pl.concat(waiting))

    def _take(self, rows: pl.DataFrame) -> None:
        rows, lanes = self._each_once(rows)
        found = self._groups.upsert(rows, lanes)
        self._groups.merge(found, rows, self._merge.merging)

    def _each_once(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, Lanes]:
        """Returns rows with each key once, and the keys' fingerprints."""
        known = lanes_of(rows)
        if known is not None:
            return rows, known
        lanes = lanes_by(rows, self._merge.keys)
        groups = group_rows(*lanes)
        if groups.order is None:
            return rows, lanes
        merged = self._merge.within.aggregated(rows, GroupedRows(rows, lanes, groups))
        return merged, (lanes[0][groups.firsts], lanes[1][groups.firsts])
