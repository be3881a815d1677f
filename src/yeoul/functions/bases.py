"""The base classes of functions that are written as classes. `open` comes before the first call, `close` at the end.

Source: https://nightlies.apache.org/flink/flink-docs-stable/docs/dev/python/table/udfs/overview/
"""

from __future__ import annotations

__all__ = ["AggregateFunction", "AsyncScalarFunction", "FunctionContext", "ScalarFunction", "TableFunction"]


class FunctionContext:
    """What `open` is given."""

    def get_job_parameter(self, key: str, default_value: str) -> str:
        """Returns the default value: a job has no parameters of its own here."""
        return default_value


class _Opened:
    def open(self, function_context: FunctionContext) -> None:
        """Called once in a process, before the first call: the place to load a model or to connect."""

    def close(self) -> None:
        """Called when the process ends, if `open` was."""


class ScalarFunction(_Opened):
    """Base of a scalar function written as a class: `eval(self, *args)` gives one value."""


class AsyncScalarFunction(_Opened):
    """Base of a scalar function that waits for others: `async def eval(self, *args)` gives one value."""


class TableFunction(_Opened):
    """Base of a table function written as a class: `eval(self, *args)` yields rows."""


class AggregateFunction(_Opened):
    """Base of an aggregate function.

    `create_accumulator`, `accumulate(accumulator, *args)` and `get_value(accumulator)` have to be there. Accumulators
    are plain Python values that pickle; lists, dicts and objects are changed in place. With `merge(accumulator,
    accumulators)` groups are kept as accumulators, else as the values that went in; with `retract(accumulator, *args)`
    a row that is taken back is taken out of the accumulator.
    """

    def create_accumulator(self) -> object:
        """Returns what a group begins with."""
        raise NotImplementedError

    def get_value(self, accumulator: object) -> object:
        """Returns the group's result."""
        raise NotImplementedError
