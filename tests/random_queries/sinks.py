"""Tables that a query is written to: their declaration, and what may stand in them in the end."""

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
    "rows": "'connector' = 'filesystem', 'path' = 'out', 'format' = 'json'",
}


@dataclass(frozen=True, slots=True)
class Sink:
    """A table.

    Attributes:
        name: Its name.
        columns: Those of the query, in the order of its declaration.
        listed: Those of the query in its order, if INSERT says it.
        key: The primary key, or nothing; rows with a NULL in it are left out.
        conflict: What becomes of several rows for a key; empty: there are none.
        told: What it takes: "upserts", "changes" or "rows".
    """

    name: str
    columns: tuple[Column, ...]
    listed: tuple[str, ...]
    key: tuple[str, ...]
    conflict: str
    told: str

    @property
    def declaration(self) -> str:
        columns = ", ".join(f"{one.name} {one.kind.value}" for one in self.columns)
        key = f", PRIMARY KEY ({', '.join(self.key)}) NOT ENFORCED" if self.key else ""
        return f"CREATE TABLE {self.name} ({columns}{key}) WITH ({_WITH[self.told]})"

    def insert(self, query: str) -> str:
        into = f"{self.name} ({', '.join(self.listed)})" if self.listed else self.name
        return f"INSERT INTO {into} {query}{f' ON CONFLICT DO {self.conflict}' if self.conflict else ''}"

    def key_of(self, row: tuple[object, ...]) -> tuple[object, ...]:
        return tuple(value for value, one in zip(row, self.columns, strict=True) if one.name in self.key)

    def accepts(self, given: Rows | None, answer: Rows, *, stands: bool) -> bool:
        """Tells whether rows may be what is left of a query's answer: of several for a key one.

        Args:
            given: The rows; None: the job failed, since there were several for a key.
            answer: The query's.
            stands: Whether the query never takes a row back, so that a conflict never goes away.
        """
        there = Counter({row: count for row, count in answer.items() if None not in self.key_of(row)})
        if self.conflict == "ERROR":
            is_single = len({self.key_of(row) for row in there}) == len(there)
            return given.keys() == there.keys() and is_single if given is not None else not (stands and is_single)
        if not self.conflict or given is None:
            return given == there
        keys = [self.key_of(row) for row in given.elements()]
        is_whole = self.conflict == "NOTHING" or set(keys) == {self.key_of(row) for row in there}
        return is_whole and len(keys) == len(set(keys)) and given.keys() <= there.keys()

    def left_of(self, changes: Iterable[tuple[str, tuple[object, ...]]]) -> Rows:
        """Returns the rows that are left when what it was told is carried out."""
        if self.told != "upserts":
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


def sink_of(d: Drawing, name: str, rows: Relation, changes: Changes, *, may_fail: bool) -> Sink:
    """Returns a table that rows can be written to; `may_fail`: the job may, for several rows of a key."""
    columns, listed = rows.columns, tuple[str, ...]()
    if d.chance(4):
        d.feature("INSERT with its columns")
        listed, columns = tuple(one.name for one in columns), tuple(reversed(columns))
    names = {one.name for one in rows.plain}
    fitting = sorted(sorted(key) for key in rows.keys if key and key <= names)
    told = d.one_of(["upserts", "changes", "rows"])
    if told == "rows" or not names:
        d.feature("sink: rows")
        return Sink(name, columns, listed, (), "", "rows")
    if fitting and not d.chance(3):
        d.feature(f"sink: {told} by the query's key")
        return Sink(name, columns, listed, tuple(d.one_of(fitting)), "", told)
    chosen = d.some_of(sorted(names), 1, 2)
    is_marked = len(changes.timed) == len(changes.tables)
    by_watermarks = ["NOTHING", "ERROR"] if may_fail else ["NOTHING"]
    conflict = d.one_of(["DEDUPLICATE", *(by_watermarks if is_marked else [])])
    d.feature(f"sink: {told}, ON CONFLICT DO {conflict}")
    return Sink(name, columns, listed, tuple(chosen), conflict, told)
