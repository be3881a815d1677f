"""Pipelines put together by hand, and source batches in memory, for tests of operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from yeoul.engine.compile.aggregates import CompiledAggregate, compile_aggregate
from yeoul.engine.contract import DeadLetters, Omitted
from yeoul.engine.operators.assign_watermark import AssignWatermark
from yeoul.engine.operators.rows.union import Union
from yeoul.engine.operators.time_axis import TimeAxis
from yeoul.engine.operators.watermarks import WatermarkMerge
from yeoul.engine.operators.windows.aggregate import WindowAggregate
from yeoul.engine.operators.windows.layout import WindowLayout
from yeoul.engine.runtime.lanes import Lane
from yeoul.engine.runtime.pipeline import Pipeline
from yeoul.engine.runtime.stages import Effects, Stage
from yeoul.plan.expressions import AggregateCall, Call, ColumnRef, Literal
from yeoul.plan.nodes import WindowKind, WindowProperty
from yeoul.plan.types import BIGINT, BOOLEAN, DOUBLE, STRING

SCHEMA = {"id": pl.Int64, "ts": pl.Int64, "k": pl.String, "n": pl.Int64, "p": pl.Float64}
DELAY_MS = 3_000


@dataclass(frozen=True, slots=True)
class MemoryBatch:
    """A decoded batch that recovers rows from itself."""

    frame: pl.DataFrame
    dead: DeadLetters | None = None
    omitted: Omitted | None = None

    @property
    def records(self) -> int:
        return self.frame.height

    def recover(self, rows: pl.Series) -> pl.DataFrame:
        return self.frame[rows.to_list()].with_columns(split=pl.lit("s"), position=pl.lit("0"))


def batch(rows: Sequence[tuple[object, ...]], zone: bool) -> MemoryBatch:
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    dtype = pl.Datetime("ms", "UTC") if zone else pl.Datetime("ms")
    return MemoryBatch(frame.with_columns(pl.col("ts").cast(dtype)))


def aggregates() -> list[CompiledAggregate]:
    amount, price = ColumnRef("n", BIGINT), ColumnRef("p", DOUBLE)
    calls = {
        "c": AggregateCall("count_star", (), BIGINT.not_null()),
        "cn": AggregateCall("count", (amount,), BIGINT.not_null()),
        "sum": AggregateCall("sum", (amount,), BIGINT),
        "avg": AggregateCall("avg", (price,), DOUBLE),
        "min": AggregateCall("min", (price,), DOUBLE),
        "max": AggregateCall("max", (ColumnRef("k", STRING),), STRING),
        "distinct": AggregateCall("count", (amount,), BIGINT.not_null(), distinct=True),
        "approx": AggregateCall("approx_count_distinct", (amount,), BIGINT.not_null()),
        "some": AggregateCall("sum", (amount,), BIGINT, filter=Call("greater", (amount, Literal(0, BIGINT)), BOOLEAN)),
    }
    return [compile_aggregate(call, name) for name, call in calls.items()]


OUTPUT = ["ws", "we", "key", "c", "cn", "sum", "avg", "min", "max", "distinct", "approx", "some", "wt"]


def window_aggregate(kind: str, size: int, slide: int, offset: int, zone: str | None) -> WindowAggregate:
    return WindowAggregate(
        WindowLayout(WindowKind(kind), size, slide, offset),
        TimeAxis(zone),
        "ts",
        [("key", pl.col("k"))],
        aggregates(),
        [("ws", WindowProperty.START), ("we", WindowProperty.END), ("wt", WindowProperty.TIME)],
        OUTPUT,
    )


def windowed(window: WindowAggregate, lanes: int = 1, delay_ms: int = DELAY_MS) -> Pipeline:
    """One lane straight into the window, or several through a union."""
    top = Stage("window", window, (None,))
    stages = [top]
    if lanes == 1:
        targets = [(top, 0)]
    else:
        ports = WatermarkMerge()
        for port in range(lanes):
            ports.add(str(port))
        union = Stage("union", _PassUnion([]), ((top, 0),), ports)
        stages.insert(0, union)
        targets = [(union, port) for port in range(lanes)]
    expression = pl.col("ts") - pl.duration(milliseconds=delay_ms)
    return Pipeline(
        [Lane([], AssignWatermark("ts", expression, judges=True), [], target, judges=True) for target in targets],
        stages,
    )


class _PassUnion(Union):
    def transform(self, batch: pl.DataFrame) -> pl.DataFrame:
        return batch


def rows_of(effects: Effects) -> list[tuple[object, ...]]:
    """The result's rows, times as ms."""
    return [row for frame in effects.rows for row in with_ms(frame).iter_rows()]


def with_ms(frame: pl.DataFrame) -> pl.DataFrame:
    times = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Datetime)]
    return frame.with_columns(pl.col(name).dt.epoch("ms") for name in times)
