"""What a windowed query should give, worked out one row at a time in plain Python, and its aggregates by DuckDB.

Nothing here knows the engine's code: watermarks, lateness and windows are written down again from their definitions.
"""

from __future__ import annotations

import datetime
import functools
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import duckdb
import polars as pl

NEVER = -(2**63)
UTC = datetime.UTC


@dataclass
class Merge:
    """Watermark over several inputs: the least of those that are active, never falling."""

    values: dict[str, int] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    current: int = NEVER

    def observe(self, name: str, value: int) -> None:
        self.silent.discard(name)
        self.values[name] = max(self.values.get(name, NEVER), value)
        self.settle()

    def silence(self, name: str) -> None:
        self.silent.add(name)
        self.settle()

    def settle(self) -> None:
        speaking = [value for name, value in self.values.items() if name not in self.silent]
        self.current = max(self.current, min(speaking) if speaking else max(self.values.values()))


@dataclass(frozen=True)
class WindowSpec:
    kind: str
    size: int
    slide: int
    offset: int = 0
    grid: int = 1
    """What size, slide and offset are multiples of."""

    def windows_of(self, time: int) -> list[tuple[int, int]]:
        """All windows that contain a reading, by trying every one near."""
        near = time // self.grid * self.grid
        starts = range(near - self.size, near + 1, self.grid)
        if self.kind == "CUMULATE":
            cycle = next(one for one in starts if (one - self.offset) % self.size == 0 and one + self.size > time)
            ends = [cycle + step for step in range(self.slide, self.size + 1, self.slide)]
            return [(cycle, end) for end in ends if end > time]
        return [
            (one, one + self.size) for one in starts if (one - self.offset) % self.slide == 0 and one + self.size > time
        ]


@functools.cache
def local_ms(instant: int, zone: str | None) -> int:
    """The wall clock's reading at an instant, both in ms."""
    if zone is None:
        return instant
    seconds, rest = divmod(instant, 1000)
    there = datetime.datetime.fromtimestamp(seconds, UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=UTC)
    return int(there.timestamp()) * 1000 + rest


@functools.cache
def is_closed(end: int, watermark: int, zone: str | None) -> bool:
    """Whether no instant after the watermark can be read as earlier than `end`.

    Clocks are changed on quarter hours only, so the least reading to come is that of the next instant or of a
    quarter hour after it.
    """
    if watermark == NEVER:
        return False
    following = watermark + 1
    if zone is None:
        return following >= end
    quarter = 900_000
    to_come = [following, *range(following // quarter * quarter + quarter, following + 90_000_000, quarter)]
    return min(local_ms(instant, zone) for instant in to_come) >= end


def aggregates(pairs: list[tuple[int, int, str | None, int | None, float | None]]) -> list[tuple[object, ...]]:
    """Aggregates (window start, window end, key, amount, price) by window and key."""
    schema = {"ws": pl.Int64, "we": pl.Int64, "k": pl.String, "n": pl.Int64, "p": pl.Float64}
    rows = pl.DataFrame(pairs, schema=schema, orient="row")
    with duckdb.connect() as connection:
        connection.register("rows", rows.to_arrow())
        return connection.execute(
            "SELECT ws, we, k, count(*), count(n), sum(n)::BIGINT, avg(p), min(p), max(k), count(DISTINCT n), "
            "count(DISTINCT n), sum(n) FILTER (WHERE n > 0)::BIGINT FROM rows GROUP BY ws, we, k"
        ).fetchall()
