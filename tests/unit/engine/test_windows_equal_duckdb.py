"""Windows over random events, splits, interleavings, cuts and restores equal DuckDB over the rows that are in time."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pipelines import DELAY_MS, batch, rows_of, window_aggregate, windowed, with_ms
from window_oracle import NEVER, Merge, WindowSpec, aggregates, is_closed, local_ms

from yeoul.engine.runtime.pipeline import Pipeline

EXAMPLES = int(os.environ.get("YEOUL_FUZZ", "60"))
BASES = {
    None: 1_700_000_000_000,
    "UTC": 1_700_000_000_000,
    # Shortly before clocks go forward, go back, and in a zone that is half an hour off.
    "Europe/Berlin": 1_711_846_800_000,
    "America/New_York": 1_699_162_200_000,
    "Asia/Kolkata": 1_700_000_000_000,
}
Row = tuple[int, int | None, str | None, int | None, float | None]


@dataclass(frozen=True)
class Rows:
    lane: int
    split: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Quiet:
    lane: int
    split: str


@dataclass(frozen=True)
class Case:
    spec: WindowSpec
    zone: str | None
    lanes: int
    scale: int
    history: tuple[Rows | Quiet, ...]


@st.composite
def specs(draw: st.DrawFn, scale: int) -> WindowSpec:
    kind = draw(st.sampled_from(["TUMBLE", "HOP", "CUMULATE"]))
    slide = draw(st.integers(1, 6))
    size = slide * draw(st.integers(1, 4))
    if kind == "HOP" and draw(st.booleans()):
        size = draw(st.integers(1, 12))
    if kind == "TUMBLE":
        slide = size
    offset = draw(st.integers(-7, 7))
    return WindowSpec(kind, size * scale, slide * scale, offset * scale, scale)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    zone = draw(st.sampled_from(list(BASES)))
    scale = 1 if zone in (None, "UTC") else 900_000
    lanes = draw(st.sampled_from([1, 1, 2]))
    splits = [(lane, f"s{number}") for lane in range(lanes) for number in range(draw(st.integers(1, 3)))]
    clock = dict.fromkeys(splits, 0)
    history: list[Rows | Quiet] = []
    number = 0
    for _ in range(draw(st.integers(1, 8))):
        lane, split = draw(st.sampled_from(splits))
        if draw(st.integers(0, 6)) == 0:
            history.append(Quiet(lane, split))
            continue
        rows = []
        for _ in range(draw(st.integers(1, 7))):
            clock[lane, split] += draw(st.integers(0, 5)) * draw(st.sampled_from([1, 1, 1, 4]))
            lag = draw(st.sampled_from([0, 0, 0, 1, 2, 5, 12, 30]))
            time = BASES[zone] + (clock[lane, split] - lag) * scale
            null_time = draw(st.integers(0, 30)) == 0
            key = draw(st.sampled_from(["a", "b", None, "a key that is longer than twelve bytes"]))
            amount = draw(st.sampled_from([None, -1, 0, 5, 1 << 40]))
            price = draw(st.sampled_from([None, 0.5, -2.25, 1e6]))
            rows.append((number, None if null_time else time, key, amount, price))
            number += 1
        history.append(Rows(lane, split, tuple(rows)))
    return Case(draw(specs(scale)), zone, lanes, scale, tuple(history))


def delay_of(case: Case) -> int:
    return DELAY_MS if case.scale != 1 else 3


def splits_of(case: Case) -> set[tuple[int, str]]:
    return {(one.lane, one.split) for one in case.history}


def expected(case: Case) -> tuple[list[tuple[object, ...]], set[tuple[int, int, int, int]]]:
    """What DuckDB gives over the rows in time; and each late row, with a window it missed and the watermark."""
    top = Merge()
    lanes = {lane: Merge({split: NEVER for one, split in splits_of(case) if one == lane}) for lane in range(case.lanes)}
    top.values = {str(lane): NEVER for lane in lanes}
    counted, missed = [], set()
    for one in case.history:
        lane = lanes[one.lane]
        if isinstance(one, Quiet):
            lane.silence(one.split)
            top.observe(str(one.lane), lane.current) if len(lane.silent) < len(lane.values) else None
            if len(lane.silent) == len(lane.values):
                top.values[str(one.lane)] = max(top.values[str(one.lane)], lane.current)
                top.silence(str(one.lane))
            continue
        for number, time, key, amount, price in one.rows:
            if time is not None:
                for start, end in case.spec.windows_of(local_ms(time, case.zone)):
                    if is_closed(end, top.current, case.zone):
                        missed.add((number, start, end, top.current))
                    else:
                        counted.append((start, end, key, amount, price))
                lane.observe(one.split, time - delay_of(case))
            else:
                lane.observe(one.split, NEVER)
            top.observe(str(one.lane), lane.current)
    return aggregates(counted), missed


def pieces(case: Case, cuts: list[int]) -> list[Rows | Quiet]:
    """The same history, its batches cut into shorter ones."""
    cut: list[Rows | Quiet] = []
    turn = 0
    for one in case.history:
        rest = one.rows if isinstance(one, Rows) else ()
        if isinstance(one, Quiet):
            cut.append(one)
        while rest and isinstance(one, Rows):
            length = cuts[turn % len(cuts)]
            turn += 1
            cut.append(Rows(one.lane, one.split, rest[:length]))
            rest = rest[length:]
    return cut


def fresh(case: Case) -> Pipeline:
    spec = case.spec
    window = window_aggregate(spec.kind, spec.size, spec.slide, spec.offset, case.zone)
    pipeline = windowed(window, case.lanes, delay_of(case))
    for lane, split in sorted(splits_of(case)):
        pipeline.add_split(lane, split)
    return pipeline


@dataclass
class Seen:
    rows: list[tuple[object, ...]]
    missed: list[tuple[int, int, int, int]]
    dead: list[int]


def run(case: Case, cuts: list[int], restores: frozenset[int] = frozenset()) -> Seen:
    pipeline, seen = fresh(case), Seen([], [], [])
    pipeline.start()
    for step, one in enumerate(pieces(case, cuts)):
        if step in restores:
            state = pipeline.snapshot()
            pipeline = fresh(case)
            pipeline.restore(state)
        if isinstance(one, Quiet):
            effects = pipeline.set_idle(one.lane, one.split)
        else:
            source = batch(one.rows, case.zone is not None)
            prepared = pipeline.lanes[one.lane].prepare(source)
            effects = pipeline.process(one.lane, one.split, prepared)
            if prepared.dead is not None:
                seen.dead += source.frame[prepared.dead.to_list()]["id"].to_list()
            for _, late in effects.late:
                recovered = source.recover(late.frame["$row"])
                windows = with_ms(late.frame).select("window_start", "window_end", "watermark").iter_rows()
                seen.missed += [(int(a), *b) for a, b in zip(recovered["id"], windows, strict=True)]
        seen.rows += rows_of(effects)
    for lane in range(case.lanes):
        seen.rows += rows_of(pipeline.end_lane(lane))
    assert pipeline.is_done
    return seen


def ordered(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return sorted(rows, key=repr)


def test_the_oracle_agrees_with_a_case_worked_out_by_hand() -> None:
    rows = ((0, 0, "a", 1, 1.0), (1, 9, "a", 1, 1.0), (2, 1, "a", 1, 1.0))
    case = Case(WindowSpec("CUMULATE", 10, 5), None, 1, 1, (Rows(0, "s", rows),))
    answer, missed = expected(case)
    assert [row[:4] for row in sorted(answer)] == [(0, 5, "a", 1), (0, 10, "a", 3)]
    assert missed == {(2, 0, 5, 6)}


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    case=cases(),
    cuts=st.lists(st.integers(1, 5), min_size=1, max_size=5),
    restores=st.frozensets(st.integers(0, 30), max_size=6),
)
def test_windows_equal_duckdb_over_the_rows_that_are_not_late(
    case: Case, cuts: list[int], restores: frozenset[int]
) -> None:
    seen = run(case, cuts, restores)
    answer, missed = expected(case)
    got = [row[:12] for row in seen.rows]
    assert len(got) == len(answer)
    for one, other in zip(ordered(got), ordered(answer), strict=True):
        assert one[:6] == other[:6]
        assert one[7:] == other[7:]
        assert (one[6] is None) == (other[6] is None)
        assert one[6] is None or math.isclose(one[6], other[6], rel_tol=1e-9)
    assert sorted(seen.missed) == sorted(missed)
    assert len(set(seen.missed)) == len(seen.missed)
    no_time = [row[0] for one in case.history if isinstance(one, Rows) for row in one.rows if row[1] is None]
    assert seen.dead == no_time


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=cases(), cuts=st.lists(st.integers(1, 5), min_size=1, max_size=5))
def test_cutting_batches_differently_changes_nothing_not_even_the_order(case: Case, cuts: list[int]) -> None:
    whole, cut = run(case, [1_000]), run(case, cuts, frozenset(range(50)))
    assert [row[:6] for row in whole.rows] == [row[:6] for row in cut.rows]
    assert sorted(whole.missed) == sorted(cut.missed)


@settings(max_examples=30, deadline=None)
@given(case=cases())
def test_window_time_is_the_first_instant_that_closes_the_window(case: Case) -> None:
    for row in run(case, [1_000]).rows:
        end, time = row[1], row[12]
        assert isinstance(end, int)
        assert isinstance(time, int)
        assert is_closed(end, time, case.zone)
        assert not is_closed(end, time - 1, case.zone)


def test_a_frame_read_back_from_ipc_restores_as_well(tmp_path: Path) -> None:
    case = Case(WindowSpec("HOP", 10, 5), None, 1, 1, (Rows(0, "s", ((0, 1, "a", 1, 1.0), (1, 3, None, 2, 2.0))),))
    pipeline = fresh(case)
    pipeline.process(0, "s", pipeline.lanes[0].prepare(batch(case.history[0].rows, False)))  # type: ignore[union-attr]
    stored: dict[str, dict[str, pl.DataFrame]] = {}
    for part, state in pipeline.snapshot().items():
        stored[part] = {}
        for name, frame in state.items():
            frame.write_ipc(tmp_path / f"{part}.{name}.arrow")
            stored[part][name] = pl.read_ipc(tmp_path / f"{part}.{name}.arrow")
    again = fresh(case)
    again.restore(stored)
    assert rows_of(again.end_lane(0)) == rows_of(pipeline.end_lane(0))
