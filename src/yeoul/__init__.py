"""yeoul: a Kafka-protocol log, an event-time engine and familiar doors to both, on one machine.

`sql` runs Flink-style SQL in this process; `Session` keeps tables and options between calls. Importing the package
loads nothing heavy: the engine is imported at the first use.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yeoul.errors import EnvironmentFailure, PeerError, UserError, YeoulError
    from yeoul.functions import (
        AggregateFunction,
        AsyncScalarFunction,
        FunctionContext,
        Row,
        ScalarFunction,
        TableFunction,
        udaf,
        udf,
        udtf,
    )
    from yeoul.jobs.job import Job
    from yeoul.jobs.result import Result
    from yeoul.jobs.session import Frame, Session

__all__ = [
    "AggregateFunction",
    "AsyncScalarFunction",
    "EnvironmentFailure",
    "FunctionContext",
    "Job",
    "PeerError",
    "Result",
    "Row",
    "ScalarFunction",
    "Session",
    "TableFunction",
    "UserError",
    "YeoulError",
    "__version__",
    "sql",
    "udaf",
    "udf",
    "udtf",
]

__version__ = "0.1.0"

_HOMES = {
    **dict.fromkeys(("EnvironmentFailure", "PeerError", "UserError", "YeoulError"), "yeoul.errors"),
    "Job": "yeoul.jobs.job",
    "Result": "yeoul.jobs.result",
    **dict.fromkeys(("AggregateFunction", "AsyncScalarFunction", "FunctionContext", "Row"), "yeoul.functions"),
    **dict.fromkeys(("ScalarFunction", "TableFunction", "udaf", "udf", "udtf"), "yeoul.functions"),
    "Session": "yeoul.jobs.session",
}


def sql(text: str, tables: Mapping[str, Frame] | None = None, /, **frames: Frame) -> Result:
    """Runs Flink-style SQL in this process and returns the rows of the last SELECT.

    The statements share a session that lives as long as the result: close it, or read it to its end. An INSERT over
    input that never ends runs on without its result, until the process ends. To go on with the same tables, or to ask
    for late and dead rows, use a `Session`.

    Args:
        text: One or more statements, separated by semicolons. SELECTs before the last one are not run. Without a
            SELECT, the result is what the last statement has to say.
        tables: Tables given as Polars, pandas or Arrow frames, by name; or anything that exports Arrow streams.
        frames: The same, by keyword.

    Returns:
        The rows: `.pl()`, `.arrow()`, `.rows()`, or batches by iteration as they come.

    Raises:
        UserError: A statement is wrong; the message says where, and what was probably meant.
        YeoulError: What the statements need is not there.

    Example:
        >>> import polars as pl
        >>> clicks = pl.DataFrame({"user": ["ann", "bob", "ann"], "ms": [12, 7, 30]})
        >>> sql("SELECT user, ms FROM clicks WHERE ms > 10", clicks=clicks).rows()
        [('ann', 12), ('ann', 30)]
        >>> for batch in sql("SELECT UPPER(user) AS name FROM clicks LIMIT 1", {"clicks": clicks}):
        ...     print(batch["name"].to_list())
        ['ANN']
    """
    from yeoul.jobs.session import Session

    session = Session({**(tables or {}), **frames})
    try:
        result = session.sql(text)
    except BaseException:
        session.close()
        raise
    result.also_close(session.close)
    return result


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'yeoul' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
