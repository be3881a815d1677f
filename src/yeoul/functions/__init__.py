"""Python functions for SQL, as PyFlink has them: declared by `udf`, `udtf` and `udaf`, found by a key that plans hold.

A declared function is an object that knows its callable and the SQL types it takes and gives. A session makes it known
to SQL by a name: `session.create_function("name", f)`, or `CREATE FUNCTION name AS 'module.f' LANGUAGE PYTHON`.
Importing this package loads nothing heavy.
"""

from __future__ import annotations

from yeoul.functions.bases import (
    AggregateFunction,
    AsyncScalarFunction,
    FunctionContext,
    ScalarFunction,
    TableFunction,
)
from yeoul.functions.declaring import FunctionKind, PythonFunction, udaf, udf, udtf
from yeoul.functions.known import find_function, load_function, remember
from yeoul.functions.row import Row

__all__ = [
    "AggregateFunction",
    "AsyncScalarFunction",
    "FunctionContext",
    "FunctionKind",
    "PythonFunction",
    "Row",
    "ScalarFunction",
    "TableFunction",
    "find_function",
    "load_function",
    "remember",
    "udaf",
    "udf",
    "udtf",
]
