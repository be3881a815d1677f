"""The Python functions that golden cases call, under decorators that yeoul and PyFlink share.

Cases name them by `CREATE TEMPORARY FUNCTION size AS 'tests.golden.python_functions.size' LANGUAGE PYTHON`; on PyFlink
the same file is imported by its Python.
"""

from __future__ import annotations

try:
    from yeoul import AggregateFunction, udaf, udf, udtf
except ImportError:  # the environment of PyFlink, which has no yeoul
    from pyflink.table import AggregateFunction
    from pyflink.table.udf import udaf, udf, udtf

__all__ = ["celsius", "ratio", "size", "span", "weighted_mean", "words"]


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
    WeightedMean(),
    result_type="DOUBLE",
    input_types=["BIGINT", "BIGINT"],
    accumulator_type="ARRAY<BIGINT>",
    name="weighted_mean",
)
span = udaf(
    lambda values: values.max() - values.min(),
    result_type="BIGINT",
    input_types=["BIGINT"],
    func_type="pandas",
    name="span",
)
