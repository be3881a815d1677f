"""Windows: table functions and their spelling in GROUP BY, and what DuckDB computes in their place."""

from __future__ import annotations

from dataclasses import dataclass

from tests.random_queries.drawing import Drawing

__all__ = ["WindowSpec", "window_spec"]


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """A windowing function's arguments, in seconds; `by_clock`: a session is over when the clock says so."""

    kind: str
    size: int
    step: int
    offset: int = 0
    by_clock: bool = False

    @property
    def lengths(self) -> str:
        """The arguments behind the time."""
        given = [self.size] if self.kind in ("TUMBLE", "SESSION") else [self.step, self.size]
        given += [self.offset] if self.offset else []
        return ", ".join(f"INTERVAL '{one}' SECOND" for one in given)

    def duckdb_rows(self, rows: str, time: str, partition: list[str]) -> str:
        """Returns a query of the rows with `window_start` and `window_end`, each row as often as it has windows.

        Args:
            rows: What FROM takes.
            time: What a clock on the wall reads at each row's time.
            partition: The columns that tell sessions apart.
        """
        at, size, step, offset = f"epoch_ms({time})", self.size * 1000, self.step * 1000, self.offset * 1000
        if self.kind == "SESSION":
            return _sessions(rows, time, size, partition, ">=" if self.by_clock else ">")
        if self.kind == "CUMULATE":
            cycle = f"{at} - {_rest(at, offset, size)}"
            first = f"{_rest(at, offset, size)} // {step} * {step} + {step}"
            bounds = f"{cycle} AS first_ms, {cycle} + unnest(generate_series({first}, {size}, {step})) AS last_ms"
        else:
            latest = f"{at} - {_rest(at, offset, step)}"
            bounds = f"unnest(generate_series({latest} - {(size - 1) // step * step}, {latest}, {step})) AS first_ms"
            bounds += f", first_ms + {size} AS last_ms"
        inner = f"SELECT *, {bounds} FROM {rows}"
        if self.kind == "HOP" and size % step:
            inner = f"SELECT * FROM ({inner}) WHERE last_ms > {at}"
        outer = "* EXCLUDE (first_ms, last_ms), make_timestamp_ms(first_ms) AS window_start"
        return f"SELECT {outer}, make_timestamp_ms(last_ms) AS window_end FROM ({inner})"


def _rest(at: str, offset: int, length: int) -> str:
    """Returns how long after the last multiple of a length, moved by an offset, a time is, also before 1970."""
    return f"((({at} - {offset}) % {length} + {length}) % {length})"


def _sessions(rows: str, time: str, gap_ms: int, partition: list[str], is_over: str) -> str:
    by = f"PARTITION BY {', '.join(partition)} " if partition else ""
    quiet = f"epoch_ms({time}) - lag(epoch_ms({time})) OVER ({by}ORDER BY {time}) {is_over} {gap_ms}"
    marked = f"SELECT *, CASE WHEN {quiet} THEN 1 ELSE 0 END AS begins FROM {rows}"
    numbered = f"SELECT *, sum(begins) OVER ({by}ORDER BY {time}) AS number FROM ({marked})"
    of_one = f"OVER (PARTITION BY {', '.join([*partition, 'number'])})"
    bounds = (
        f"min({time}) {of_one} AS window_start, max({time}) {of_one} + INTERVAL '{gap_ms}' MILLISECOND AS window_end"
    )
    return f"SELECT * EXCLUDE (begins, number), {bounds} FROM ({numbered})"


def window_spec(d: Drawing, *, sessions: bool = True, functions_only: bool = False) -> WindowSpec:
    """Returns a window.

    Args:
        d: Chance.
        sessions: Whether it may be one.
        functions_only: Whether it may be what only a table function can say.
    """
    kinds = ["TUMBLE", "HOP", *(["CUMULATE"] if functions_only else []), *(["SESSION"] if sessions else [])]
    kind = d.one_of(kinds)
    step = d.one_of([2, 5, 10, 1, 3, 7])
    size = step if kind == "TUMBLE" else step * d.number(1, 4)
    if kind == "HOP" and not functions_only and d.chance(3):
        size = d.number(1, 3 * step)
    offset = d.one_of([0, 0, 1, -3]) if kind != "SESSION" else 0
    return WindowSpec(kind, size, step, offset)
