"""Regular joins under test: histories of rows that come and go, as each state of a side allows; DuckDB's answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import duckdb
import polars as pl
from hypothesis import strategies as st

from yeoul.clock import SYSTEM_CLOCK
from yeoul.engine.contract import WEIGHT
from yeoul.engine.operators.joins.regular import Join
from yeoul.engine.operators.joins.sides import JoinSide, JoinSides
from yeoul.plan.join_state import COUNTED, RowsKept, SideState
from yeoul.plan.nodes import JoinKind

LEFT = {"k": pl.Int64(), "a": pl.String()}
RIGHT = {"j": pl.Int64(), "b": pl.Int64()}
ROWS = (
    st.tuples(st.sampled_from([1, 2, 3, None]), st.sampled_from(["x", "y", "a name longer than twelve bytes"])),
    st.tuples(st.sampled_from([1, 2, 3, None]), st.integers(0, 2)),
)


STANDING, ONE_PER_KEY = SideState(RowsKept.STANDING), SideState(RowsKept.ONE_PER_KEY)
BY_NAME, BY_NUMBER = SideState(RowsKept.UNIQUE, ("a",)), SideState(RowsKept.UNIQUE, ("b",))


def operator(
    kind: JoinKind,
    *,
    condition: bool = False,
    ttls_ms=(None, None),
    clock=SYSTEM_CLOCK,
    states=(COUNTED, COUNTED),
    nulls_meet: bool = False,
) -> Join:
    left, right = JoinSide(LEFT, [pl.col("k")], states[0]), JoinSide(RIGHT, [pl.col("j")], states[1])
    extra = pl.col("b") > pl.col("a").str.len_chars() - 1 if condition else None
    output = [*LEFT, *(RIGHT if kind.gives_right else ())]
    sides = JoinSides(left, right, kind, extra, output, [nulls_meet])
    return Join(sides, weighted=True, clock=clock, ttls_ms=ttls_ms)


def _same_identity(state: SideState, one: tuple, other: tuple, *, nulls_meet: bool) -> bool:
    """Whether two rows cannot both be there."""
    return one == other if state.kept is RowsKept.UNIQUE else one[0] == other[0] and (nulls_meet or one[0] is not None)


@st.composite
def histories(
    draw: st.DrawFn, states: tuple[SideState, SideState], *, nulls_meet: bool = False
) -> list[tuple[int, tuple, int]]:
    """Port, row, weight: rows that come and, some of them, go again; as the states of the sides allow."""
    living: list[list[tuple]] = [[], []]
    history = []
    for port in draw(st.lists(st.integers(0, 1), max_size=25)):
        row = draw(ROWS[port])
        if states[port].kept in (RowsKept.UNIQUE, RowsKept.ONE_PER_KEY):
            same = [one for one in living[port] if _same_identity(states[port], one, row, nulls_meet=nulls_meet)]
            for before in same:
                living[port].remove(before)
                history.append((port, before, -1))
        history.append((port, row, 1))
        living[port].append(row)
        if draw(st.booleans()) and not any(state.kept is RowsKept.STANDING for state in states):
            other = draw(st.integers(0, 1))
            if living[other]:
                history.append((other, living[other].pop(draw(st.integers(0, len(living[other]) - 1))), -1))
    return history


def expected(kind: JoinKind, sides: list[list[tuple]], *, condition: bool, nulls_meet: bool = False) -> Counter:
    lefts = pl.DataFrame(sides[0], schema=LEFT, orient="row")  # noqa: F841
    rights = pl.DataFrame(sides[1], schema=RIGHT, orient="row")  # noqa: F841
    on = f"k {'is not distinct from' if nulls_meet else '='} j" + (" and b > length(a) - 1" if condition else "")
    if kind.gives_right:
        return Counter(duckdb.sql(f"select k, a, j, b from lefts {kind.value} join rights on {on}").fetchall())
    negated = "not" if kind is JoinKind.ANTI else ""
    return Counter(
        duckdb.sql(f"select * from lefts where {negated} exists (select 1 from rights where {on})").fetchall()
    )


STATES = [
    (COUNTED, COUNTED),
    (STANDING, STANDING),
    (ONE_PER_KEY, ONE_PER_KEY),
    (BY_NAME, BY_NUMBER),
    (COUNTED, BY_NUMBER),
    (ONE_PER_KEY, COUNTED),
]


def sides_left(history: list[tuple[int, tuple, int]]) -> list[list[tuple]]:
    """The rows of both sides that are there at the end."""
    living: list[Counter] = [Counter(), Counter()]
    for port, row, weight in history:
        living[port][row] += weight
    return [list(side.elements()) for side in living]


def cut(data: st.DataObject, history: list[tuple[int, tuple, int]]) -> Iterator[tuple[int, pl.DataFrame]]:
    """Batches of any size, each of one port, in the history's order."""
    left = list(history)
    while left:
        port = left[0][0]
        longest = next((at for at, one in enumerate(left) if one[0] != port), len(left))
        size = data.draw(st.integers(1, longest))
        rows, left = left[:size], left[size:]
        schema = {**(LEFT, RIGHT)[port], WEIGHT: pl.Int64()}
        yield port, pl.DataFrame([(*row, weight) for _, row, weight in rows], schema=schema, orient="row")
