"""The Python functions that golden cases call, under decorators that yeoul and PyFlink share.

Cases name them by `CREATE TEMPORARY FUNCTION size AS 'tests.golden.python_functions.size' LANGUAGE PYTHON`; on PyFlink
the same file is imported by its Python.
"""

from __future__ import annotations

import asyncio
import sys

try:
    from yeoul import AggregateFunction, Row, ScalarFunction, udaf, udf, udtf

    BIGINT, BIGINTS, DOUBLE = "BIGINT", "ARRAY<BIGINT>", "DOUBLE"
except ImportError:  # the environment of PyFlink, which has no yeoul, and takes no names for the types of aggregates
    from pyflink.common import Row
    from pyflink.table import AggregateFunction, DataTypes, ScalarFunction
    from pyflink.table.udf import udaf, udf, udtf

    BIGINT, BIGINTS, DOUBLE = DataTypes.BIGINT(), DataTypes.ARRAY(DataTypes.BIGINT()), DataTypes.DOUBLE()

__all__ = [
    "celsius",
    "counted",
    "greeting",
    "halves",
    "is_even",
    "later",
    "ratio",
    "seen",
    "size",
    "span",
    "strict_total",
    "swapped",
    "tripled",
    "weighted_mean",
    "words",
    "wrong",
]


@udf(result_type="STRING", input_types=["BIGINT"])
def size(latency):
    return "unknown" if latency is None else "slow" if latency > 100 else "quick"


@udf(result_type="DOUBLE", input_types=["DOUBLE"], func_type="pandas")
def celsius(fahrenheit):
    return (fahrenheit - 32) / 1.8


@udf(result_type="DOUBLE", input_types=["BIGINT", "BIGINT"])
def ratio(part, whole):
    return part / whole


@udtf(result_types=["STRING", "INT"], input_types=["STRING"])
def words(text):
    for word in (text or "").split():
        yield word, len(word)


class Greeting(ScalarFunction):
    def open(self, function_context):
        self.word = function_context.get_job_parameter("word", "hello")

    def eval(self, name):
        return f"{self.word} {name}"


greeting = udf(Greeting(), result_type="STRING", input_types=["STRING"])


@udf(result_type="BIGINT", input_types=["BIGINT"])
async def later(value):
    await asyncio.sleep(0)
    return value * 2


@udf(
    result_type="STRING",
    input_types=[
        "DECIMAL(10, 2)",
        "TIMESTAMP(3)",
        "ARRAY<INT>",
        "MAP<STRING, INT>",
        "ROW<name STRING, places ARRAY<INT>>",
    ],
)
def seen(price, at, numbers, counts, row):
    return f"{price + 1} {at.isoformat()} {numbers[-1]} {counts['a']} {row.name} {row['places']} {row[0]} {len(row)}"


@udf(result_type="ROW<a BIGINT, b BIGINT>", input_types=["ROW<x BIGINT, y BIGINT>"])
def swapped(row):
    return Row(b=row.x, a=row.y)


@udf(result_type="MAP<STRING, ARRAY<INT>>", input_types=["STRING"])
def counted(text):
    return {letter: [index for index, one in enumerate(text) if one == letter] for letter in text}


@udf(result_type="BOOLEAN", input_types=["BIGINT"])
def is_even(value):
    return value is not None and value % 2 == 0


tripled = udf(lambda value: value * 3, result_type="BIGINT", input_types=["BIGINT"], name="tripled")


@udf(result_type="BIGINT", input_types=["BIGINT"])
def wrong(value):
    return value if value < 3 else f"{value}"


@udf(result_type="BIGINT", input_types=["BIGINT"])
def leaving(value):
    if value > 1:
        sys.exit(3)
    return value


@udtf(result_types=["BIGINT"], input_types=["BIGINT"])
def halves(value):
    if value % 2:
        raise ValueError("odd")
    yield value // 2
    yield value // 2


class StrictTotal(AggregateFunction):
    def create_accumulator(self):
        return [0]

    def accumulate(self, accumulator, value):
        if value is None:
            raise ValueError("nothing")
        accumulator[0] += value

    def get_value(self, accumulator):
        return accumulator[0]


strict_total = udaf(
    StrictTotal(), result_type=BIGINT, input_types=[BIGINT], accumulator_type=BIGINTS, name="strict_total"
)


class WeightedMean(AggregateFunction):
    def create_accumulator(self):
        return [0, 0]

    def accumulate(self, accumulator, value, weight):
        accumulator[0] += value * weight
        accumulator[1] += weight

    def retract(self, accumulator, value, weight):
        self.accumulate(accumulator, value, -weight)

    def merge(self, accumulator, accumulators):
        for total, weight in accumulators:
            accumulator[0] += total
            accumulator[1] += weight

    def get_value(self, accumulator):
        return accumulator[0] / accumulator[1] if accumulator[1] else None


weighted_mean = udaf(
    WeightedMean(), result_type=DOUBLE, input_types=[BIGINT, BIGINT], accumulator_type=BIGINTS, name="weighted_mean"
)
span = udaf(
    lambda values: values.max() - values.min(),
    result_type="BIGINT",
    input_types=["BIGINT"],
    func_type="pandas",
    name="span",
)
