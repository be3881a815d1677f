"""Aggregates in two phases, as Polars expressions for `group_by(...).agg(...)`.

The seam, for the operator:

1. `frame.group_by(keys).agg(*partial)` over a batch gives the keys and the partial columns, named `<name>$<part>`.
2. `pl.concat(partial_frames).group_by(keys).agg(*merge)` gives the same columns again, with the same types. Any number
   of frames may be merged at once, and merged frames may be merged again; merging rarely (when what waits has grown to
   the size of what is merged) is cheaper than merging after each batch, above all for sets.
3. `merged.select(keys, final)` gives the column `<name>` with exactly the type `polars_dtype(call.type)`.

There is no extra key level: DISTINCT keeps a set per group as a List column (`unique` in step 1, `explode` and `unique`
in step 2), which Polars does as fast as grouping by the extra key, so the operator treats all aggregates alike. That is
good where merging is rare: in windows, and where an answer is given once. Who merges each batch into what is there
would unite whole sets each time; it keeps the values one by one instead (`split_distinct`, `compile_distinct`).
APPROX_COUNT_DISTINCT keeps a sketch that is a set as well (see `sketches`). A set's column costs its values; everything
else is a number or two per group. Partial columns hold standard Arrow types only, so a snapshot can go to Arrow IPC.

FIRST_VALUE, LAST_VALUE, LISTAGG and ARRAY_AGG follow the order of rows within a frame and of frames in the concat.

Over rows with a weight (+1, or -1 for one that is taken back) counts, sums and means add and subtract; every other
aggregate keeps its values in a bag (see `bags`), which whoever merges has to settle after step 2, as sketches of
percentiles (see `quantiles`); these can take rows back. Aggregates of one grouping share what they keep alike.

FILTER and NULLs: rows that do not count are NULL to the aggregate. Over no row, COUNT is 0 and everything else NULL.
The argument is evaluated inside step 1; an error in it is an EvaluationError out of `agg`.
"""

from yeoul.engine.compile.aggregates.contract import CompiledAggregate, folds_of, settled_rows, tells_of
from yeoul.engine.compile.aggregates.distinct import (
    VALUE,
    DistinctValues,
    change_of,
    compile_distinct,
    split_distinct,
)
from yeoul.engine.compile.aggregates.lowering import compile_aggregate, compile_aggregates, compiled_aggregates

__all__ = [
    "VALUE",
    "CompiledAggregate",
    "DistinctValues",
    "change_of",
    "compile_aggregate",
    "compile_aggregates",
    "compile_distinct",
    "compiled_aggregates",
    "folds_of",
    "settled_rows",
    "split_distinct",
    "tells_of",
]
