"""Tables by primary key that a query is written to: their declaration, and what may stand in them in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tests.random_queries.dialects import Column
from tests.random_queries.drawing import Drawing
from tests.random_queries.relations import Relation
from tests.random_queries.tables import Changes

__all__ = ["Rows", "Sink", "left_of", "sink_of"]

Rows = Counter[tuple[object, ...]]
_TAKEN_BACK = ("-U", "-D")
_WITH = {
    "upserts": "'connector' = 'upsert-kafka', 'topic' = 'out', 'properties.bootstrap.servers' = 'h:9',"
    " 'key.format' = 'json', 'value.format' = 'json'",
    "changes": "'connector' = 'filesystem', 'path' = 'out', 'format' = 'debezium-json'",
}


@dataclass(frozen=True, slots=True)
class Sink:
    """A table by primary key.

    Attributes:
        columns: Those of the query.
        key: The primary key; rows with a NULL in it are left out.
        conflict: What becomes of several rows for a key; empty: there are none.
        told: How it is told of changes: by "upserts" or by "changes".
    """

    columns: tuple[Column, ...]
    key: tuple[str, ...]
    conflict: str
    told: str

    @property
    def declaration(self) -> str:
        columns = ", ".join(f"{one.name} {one.kind.value}" for one in self.columns)
        key = f"PRIMARY KEY ({', '.join(self.key)}) NOT ENFORCED"
        return f"CREATE TABLE sink ({columns}, {key}) WITH ({_WITH[self.told]})"

    def insert(self, query: str) -> str:
        return f"INSERT INTO sink {query}{f' ON CONFLICT DO {self.conflict}' if self.conflict else ''}"

    def key_of(self, row: tuple[object, ...]) -> tuple[object, ...]:
        return tuple(value for value, one in zip(row, self.columns, strict=True) if one.name in self.key)

    def accepts(self, given: Rows, answer: Rows) -> bool:
        """Tells whether rows may be what is left of a query's answer: of several for a key one."""
        there = Counter({row: count for row, count in answer.items() if None not in self.key_of(row)})
        if not self.conflict:
            return given == there
        keys = [self.key_of(row) for row in given.elements()]
        is_whole = self.conflict == "NOTHING" or set(keys) == {self.key_of(row) for row in there}
        return is_whole and len(keys) == len(set(keys)) and given.keys() <= there.keys()

    def left_of(self, changes: Iterable[tuple[str, tuple[object, ...]]]) -> Rows:
        """Returns the rows that are left when what it was told is carried out."""
        if self.told == "changes":
            return left_of(changes)
        table: dict[tuple[object, ...], tuple[object, ...]] = {}
        for mark, row in changes:
            if mark in _TAKEN_BACK:
                assert table.pop(self.key_of(row), None) is not None, f"deleted, but not there: {row}"
            else:
                table[self.key_of(row)] = row
        return Counter(table.values())


def left_of(changes: Iterable[tuple[str, tuple[object, ...]]]) -> Rows:
    """Returns the rows that are left when changes are carried out."""
    left: Rows = Counter()
    for mark, row in changes:
        left[row] += -1 if mark in _TAKEN_BACK else 1
        assert left[row] >= 0, f"taken back, but not there: {row}"
    return +left


def sink_of(d: Drawing, rows: Relation, changes: Changes) -> Sink | None:
    """Returns a table that rows can be written to; None: they have no column that can be a key."""
    names = {one.name for one in rows.plain}
    fitting = sorted(sorted(key) for key in rows.keys if key and key <= names)
    told = d.one_of(["upserts", "changes"])
    if fitting and not d.chance(3):
        d.feature(f"sink: {told} by the query's key")
        return Sink(rows.columns, tuple(d.one_of(fitting)), "", told)
    chosen = d.some_of(sorted(names), 1, 2)
    if not chosen:
        return None
    conflict = "NOTHING" if len(changes.timed) == len(changes.tables) and d.chance(3) else "DEDUPLICATE"
    d.feature(f"sink: {told}, ON CONFLICT DO {conflict}")
    return Sink(rows.columns, tuple(chosen), conflict, told)
