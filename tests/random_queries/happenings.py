"""Tables are drawn, and what happens to them: rows out of order, over several splits, in an order of arrival.

Unless a case is about late rows no row is late: within its split each is less behind the latest than the watermark
allows, so DuckDB may count them all; and no row changes that the watermark has passed, unless its time tells versions
only.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

from tests.random_queries.dialects import Column, Kind, Sql, same
from tests.random_queries.drawing import Drawing
from tests.random_queries.expressions import Expressions, Term
from tests.random_queries.tables import EPOCH, PLAIN_ZONE, SPLITS, VALUES, ZONES, Arrival, Changes, Table, Zone

__all__ = ["LONG_MS", "tables_of"]

LONG_MS = 600_000
"""For how long nothing comes where state is to be forgotten."""


def tables_of(d: Drawing, *, of_jobs: bool) -> Changes:
    """Returns tables and what happens to them.

    Args:
        d: Chance.
        of_jobs: Whether the engine's own threads read them: then only the rows of a single split come in a known order.
    """
    zone = d.one_of([*[PLAIN_ZONE] * 5, *ZONES[1:]])
    is_single = of_jobs and d.chance(4)
    arrives = is_single or not of_jobs
    has_late_rows = arrives and not zone.has_jumps and d.chance(2 if is_single else 5)
    forgets = not of_jobs and not has_late_rows and d.chance(12)
    many = d.one_of([50, 200, 600]) if not of_jobs and not forgets and d.chance(24) else 1
    time_kind = Kind.LTZ if zone.name != PLAIN_ZONE.name or d.chance(8) else Kind.TIMESTAMP
    has_one = is_single or many > 1
    tables = [_table(d, time_kind, has_late_rows=has_late_rows) for _ in range(1 if has_one else d.number(1, 2))]
    for use in () if has_one or forgets else ("versions", "outside", "changes", "upserts"):
        if d.chance(4):
            tables.append(_table(d, time_kind, use, has_late_rows=has_late_rows))
    if of_jobs:
        tables = [replace(one, is_csv=_fits_csv(one) and d.chance(3)) for one in tables]
    if many > 1:
        tables = [replace(tables[0], many=many, has_unique_times=False)]
    splits = SPLITS[: d.one_of([1] if is_single else [1, 1, 2, 3])]
    pauses_ms = (0, 0, 0, LONG_MS) if forgets else (0, 0, 0, 0, 0, 0, 1_000, 7_500)
    arrivals = _arrivals(d, _Story(d, splits, zone, 30 if has_late_rows else 0, pauses_ms), tables)
    _count(d, tables, splits, zone, time_kind, has_late_rows)
    if many > 1:
        d.feature("input: many keys")
        arrivals = [each for one in arrivals for each in _widened(tables[0], one, many)]
    return Changes(tables, arrivals, splits, has_late_rows, zone, arrives, forgets)


def _count(
    d: Drawing, tables: list[Table], splits: tuple[str, ...], zone: Zone, time_kind: Kind, has_late_rows: bool
) -> None:
    if has_late_rows:
        d.feature("input: late rows")
    if time_kind is Kind.LTZ:
        d.feature(f"input: row time TIMESTAMP_LTZ{', clocks change' if zone.has_jumps else ''}")
    if zone.beginning < EPOCH:
        d.feature("input: row times before 1970")
    if len(splits) > 1:
        d.feature("input: several splits")
    for kind in sorted({one.kind.name for table in tables for one in table.others if not one.kind.is_usual}):
        d.feature(f"input: column of {kind}")
    for use in sorted({one.use for one in tables if one.time is not None and one.use not in ("rows", "versions")}):
        d.feature(f"input: row time of {use}")
    if any(one.is_csv for one in tables):
        d.feature("input: CSV")
    if any(one.is_sparse for one in tables):
        d.feature("input: columns almost all NULL")


def _table(d: Drawing, time_kind: Kind, use: str = "rows", *, has_late_rows: bool) -> Table:
    kinds = [Kind.INT, Kind.STRING, *d.some_of(list(Kind), 1, 3)]
    others = tuple(Column(d.name(kind.name[0].lower()), kind) for kind in kinds)
    number = Column(d.name("id"), Kind.BIGINT)
    has_time = use in ("rows", "versions") or (use != "outside" and d.chance(2))
    is_timed = has_time and not (use == "changes" and has_late_rows)
    time = Column(d.name("ts"), time_kind) if is_timed else None
    key = Column(d.name("k"), d.one_of([Kind.INT, Kind.STRING])) if use in ("versions", "upserts") else None
    unique = use == "versions" or d.chance(2)
    table = Table(d.name("t"), number, time, others, d.number(2, 12), unique, key, use, d.chance(8))
    if use == "upserts":
        return replace(table, changes_passed=time is not None and (has_late_rows or d.chance(3)))
    if d.chance(4) and not table.is_sparse:
        d.feature("input: columns that are NOT NULL")
        table = replace(table, required=frozenset(one.name for one in d.some_of(others, 1, 3)))
    if d.chance(5) and not has_late_rows:
        d.feature("input: computed columns")
        table = replace(table, computed=tuple(_computed(d, table) for _ in range(d.number(1, 2))))
    return table


def _fits_csv(table: Table) -> bool:
    return not table.is_changing and not any(one.kind.is_nested or one.kind is Kind.BYTES for one in table.columns)


def _computed(d: Drawing, table: Table) -> tuple[Column, Sql]:
    terms = [Term(same(one.name), one.kind) for one in table.columns]
    kind = d.one_of([Kind.INT, Kind.STRING, Kind.BOOLEAN, Kind.DOUBLE, Kind.DATE])
    return Column(d.name(), kind), Expressions(d, terms).of(kind, 1)


class _Story:
    """What happens to tables, one thing after the other.

    Args:
        d: Chance.
        splits: By which rows come.
        zone: Says when they begin.
        further_s: How far rows may be behind what the watermark has passed.
        pauses_ms: How much time may pass before a row.
    """

    def __init__(
        self, d: Drawing, splits: tuple[str, ...], zone: Zone, further_s: int, pauses_ms: Sequence[int]
    ) -> None:
        self._d, self._splits, self._zone, self._further_s = d, splits, zone, further_s
        self._pauses_ms = pauses_ms
        self._latest: dict[tuple[str, str], dt.datetime] = {}
        self._standing: dict[str, list[Arrival]] = {}

    def next(self, table: Table, number: int) -> Arrival | None:
        """Returns what happens to a table; None: nothing, since what would change is over."""
        d, standing = self._d, self._standing.setdefault(table.name, [])
        split = d.one_of(self._splits)
        if table.use == "changes" and standing and d.chance(3):
            gone = standing[d.number(0, len(standing) - 1)]
            if not self._may_change(table, gone):
                return None
            standing.remove(gone)
            return replace(gone, weight=-1, pause_ms=0, split=split if table.time is None else gone.split)
        if table.use == "upserts":
            return self._upsert(table, number)
        pause_ms = d.one_of(self._pauses_ms)
        came = Arrival(table.name, split, self._row(table, split, number), 1, pause_ms)
        standing.append(came)
        return came

    def _upsert(self, table: Table, number: int) -> Arrival | None:
        """Returns a row for a key, or the end of a key, which may have none; all of a key come by one split."""
        d, standing = self._d, self._standing[table.name]
        assert table.key is not None
        key = _key_value(d, table.key)
        split = SPLITS[0] if table.time is None else self._splits[_keys_of(table.key).index(key) % len(self._splits)]
        before = [one for one in standing if one.row[table.key_place] == key]
        if before and not self._may_change(table, before[0]):
            return None
        self._standing[table.name] = [one for one in standing if one not in before]
        if d.chance(4):
            nothing = [None] * (table.key_place - 1)
            return Arrival(table.name, split, (None, *nothing, key, *[None] * len(table.others)), -1)
        came = Arrival(table.name, split, self._row(table, split, number, key))
        self._standing[table.name].append(came)
        return came

    def _may_change(self, table: Table, standing: Arrival) -> bool:
        """Tells whether the watermark of a row's split has not passed the row."""
        if table.time is None or table.changes_passed:
            return True
        latest, time = self._latest[table.name, standing.split], standing.row[1]
        assert isinstance(time, dt.datetime)
        return time > latest - dt.timedelta(seconds=table.delay_s)

    def _row(self, table: Table, split: str, number: int, key: object = None) -> tuple[object, ...]:
        d, row = self._d, [number]
        parts: list[object] = list(row)
        if table.time is not None:
            parts.append(self._time(table, split, number))
        if table.key is not None:
            parts.append(_key_value(d, table.key) if key is None else key)
        return (*parts, *_values(d, table))

    def _time(self, table: Table, split: str, number: int) -> dt.datetime:
        d, beginning = self._d, self._zone.beginning
        further_s = self._further_s or (30 if table.changes_passed else 0)
        seen = (self._latest.get((table.name, split), beginning) - beginning) // dt.timedelta(seconds=1)
        behind = d.number(0, 1) * d.number(0, table.delay_s - 1 + further_s)
        second = max(0, seen + d.one_of((0, 1, 2, 5, 20)) - behind)
        time = beginning + dt.timedelta(seconds=second, milliseconds=number + 1 if table.has_unique_times else 0)
        self._latest[table.name, split] = max(self._latest.get((table.name, split), time), time)
        return time


def _arrivals(d: Drawing, story: _Story, tables: list[Table]) -> list[Arrival]:
    happened = [story.next(d.one_of(tables), number) for number in range(d.number(0, d.one_of([24, 24, 24, 60])))]
    return [one for one in happened if one is not None]


def _widened(table: Table, one: Arrival, many: int) -> list[Arrival]:
    """Returns the rows of many keys in place of one row, all within its second."""
    given: list[Arrival] = []
    number, time, _, _, *others = one.row
    assert isinstance(number, int)
    assert isinstance(time, dt.datetime)
    for each in range(number * many, (number + 1) * many):
        key, at = each * 7 % (3 * many), time + dt.timedelta(milliseconds=each % 997)
        row = (each, at, key, f"the key of number {key % many}", *others)
        given.append(replace(one, row=row, pause_ms=0 if given else one.pause_ms))
    return given


def _keys_of(key: Column) -> list[object]:
    return [value for value in VALUES[key.kind] if value is not None][:3]


def _key_value(d: Drawing, key: Column) -> object:
    return d.one_of(_keys_of(key))


def _values(d: Drawing, table: Table) -> list[object]:
    return [None if table.is_sparse and not d.chance(4) else d.one_of(_possible(table, one)) for one in table.others]


def _possible(table: Table, column: Column) -> list[object]:
    return [one for one in VALUES[column.kind] if one is not None or column.name not in table.required]
