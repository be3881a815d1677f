"""What becomes of late rows where their order of arrival decides: worked out row by row, from the definitions.

DuckDB is told of it by lists, a value for each row of the case in its order of arrival.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from tests.random_queries.tables import Arrival, Changes, Table

__all__ = ["lifetimes", "sessions", "versions", "watermarks"]

_EPOCH = dt.datetime(1970, 1, 1)
_NONE = -(1 << 62)


def watermarks(changes: Changes, names: Collection[str]) -> str:
    """Returns DuckDB's list of the watermark of several tables before each row came, in ms; NULL: there was none."""
    return _listed([None if before == _NONE else before for _, _, before, _ in _judged(changes, names)])


def versions(changes: Changes, left: Table, key: int, right: Table) -> str:
    """Returns DuckDB's list of which arrival is the version of the right that a row of the left meets.

    Args:
        changes: What happens.
        left: Its rows wait until the watermark of both has passed their time.
        key: The place in its rows of what the right's key equals.
        right: A table of versions.
    """
    known: list[_Version] = []
    waiting: dict[int, Arrival] = {}
    met: list[int | None] = [None] * len(changes.arrivals)
    comings = dict(_comings(changes, right))
    for number, one, before, after in _judged(changes, {left.name, right.name}):
        if one.table == right.name:
            for key_value, time, made in comings.get(number, ()):
                known.append(_Version(key_value, max(time, before + 1), time, made))
        elif one.table == left.name and _time(one) <= before:
            found = _as_of(known, one.row[key], before)
            met[number] = found.number if found is not None and found.time <= _time(one) else None
        elif one.table == left.name:
            waiting[number] = one
        for due in [each for each, row in waiting.items() if _time(row) <= after]:
            row = waiting.pop(due)
            met[due] = _number(_as_of(known, row.row[key], _time(row)))
    for due, row in waiting.items():
        met[due] = _number(_as_of(known, row.row[key], _time(row)))
    return _listed(met)


def lifetimes(changes: Changes, table: Table) -> list[tuple[int, int | None, int | None]]:
    """Returns of a table of versions where nothing is late: which arrival, since when and until when it counts, in ms.

    What another of its key and time took the place of counts never: since when is None.
    """
    of_keys: dict[object, dict[int, int | None]] = {}
    given: dict[int, tuple[int | None, int | None]] = {}
    for number, parts in _comings(changes, table):
        for key, time, made in parts:
            of_keys.setdefault(key, {})[time] = made
        given[number] = (None, None)
    for timeline in of_keys.values():
        times = sorted(timeline)
        for time, until in zip(times, [*times[1:], None], strict=True):
            if (made := timeline[time]) is not None:
                given[made] = (time, until)
    return [(number, *bounds) for number, bounds in given.items()]


def _comings(changes: Changes, table: Table) -> Iterator[tuple[int, list[tuple[object, int, int | None]]]]:
    """Gives of each arrival at a table of versions which versions it makes: key, time, and the arrival; None: an end.

    What ends a key's row ends it from that row's own time on.
    """
    standing: dict[object, int] = {}
    for number, one in enumerate(changes.arrivals):
        if one.table != table.name:
            continue
        key = one.row[table.key_place]
        if one.weight > 0:
            standing[key] = _time(one)
            yield number, [(key, standing[key], number)]
        elif key in standing:
            yield number, [(key, standing.pop(key), None)]


@dataclass(frozen=True, slots=True)
class _Version:
    key: object
    start: int
    time: int
    number: int | None


def _as_of(known: Sequence[_Version], key: object, at: int) -> _Version | None:
    """Returns the newest version of a key that counts; an end that has passed is in nothing's way."""
    newest: _Version | None = None
    for one in sorted((one for one in known if key is not None and one.key == key), key=lambda one: one.start):
        if one.start > at:
            break
        over = newest is not None and newest.number is None and one.start > newest.start
        newest = one if newest is None or one.time >= newest.time or over else newest
    return None if newest is None or newest.number is None else newest


def _number(version: _Version | None) -> int | None:
    return None if version is None else version.number


def sessions(changes: Changes, table: Table, partition: Sequence[int], gap_ms: int) -> str:
    """Returns DuckDB's list of the session's start and end, in ms, of each row; NULL: it came too late.

    Args:
        changes: What happens.
        table: Whose rows.
        partition: The places of the columns that tell sessions apart.
        gap_ms: How long nothing may come within a session.
    """
    of_keys: dict[tuple[str, ...], list[_Session]] = {}
    for number, one, before, _ in _judged(changes, {table.name}):
        if one.table != table.name:
            continue
        key, time = tuple(_told_apart(one.row[place]) for place in partition), _time(one)
        own = _Session(time, time + gap_ms, (number,))
        there = of_keys.get(key, [])
        touched = [each for each in there if each.end - 1 > before and each.touches(own)]
        if not touched and own.end - 1 <= before:
            continue
        parts = [own, *touched]
        rows = tuple(row for each in parts for row in each.rows)
        whole = _Session(min(each.start for each in parts), max(each.end for each in parts), rows)
        of_keys[key] = [*(each for each in there if each not in touched), whole]
    bounds = {row: f"[{each.start}, {each.end}]" for there in of_keys.values() for each in there for row in each.rows}
    return _listed([bounds.get(number) for number in range(len(changes.arrivals))], "BIGINT[]")


@dataclass(frozen=True, slots=True)
class _Session:
    start: int
    end: int
    rows: tuple[int, ...]

    def touches(self, other: _Session) -> bool:
        return self.start <= other.end and other.start <= self.end


def _judged(changes: Changes, names: Collection[str]) -> Iterator[tuple[int, Arrival, int, int]]:
    """Gives each row with the watermark of several tables before it came, and behind it."""
    tables = {one.name: one for one in changes.tables}
    marks = {(name, split): _NONE for name in names for split in changes.splits}
    for number, one in enumerate(changes.arrivals):
        before = min(marks.values())
        if one.table in names and one.row[1] is not None:
            mark = _time(one) - tables[one.table].delay_s * 1000
            marks[one.table, one.split] = max(mark, marks[one.table, one.split])
        yield number, one, before, min(marks.values())


def _told_apart(value: object) -> str:
    """A key's value as text: NaN is its own equal, and both zeros are one."""
    return repr(value + 0.0 if isinstance(value, float) else value)


def _time(one: Arrival) -> int:
    time = one.row[1]
    assert isinstance(time, dt.datetime)
    return (time - _EPOCH) // dt.timedelta(milliseconds=1)


def _listed(values: Sequence[object], kind: str = "BIGINT") -> str:
    return f"CAST([{', '.join('NULL' if one is None else str(one) for one in values)}] AS {kind}[])"
