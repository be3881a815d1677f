"""What Flink says to each expression of a table; run by a Python that has PyFlink, see `__main__`.

It stands alone: nothing of yeoul or of the other test modules is imported here, since PyFlink has an environment of its
own. Standard input holds lists of expressions, as JSON; a list is asked in one job, in halves where that job does not
come to a row. The answers go to standard output, as JSON: by expression a pair of type and value as text, or why there
is none.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from typing import Any

REFUSED, FAILED = "refused", "fails"
_NOT_FOLDED = "not folded"
_FOLDED = re.compile(r"Calc\(select=\[(?:'(.*)'|null:VARCHAR\(2147483647\)) AS c0\]\)\n\+- Values", re.DOTALL)
_MARK = "@@answer@@"

Answer = tuple[str, str | None]


class Oracle:
    """A batch environment of Flink."""

    def __init__(self, zone: str) -> None:
        from pyflink.table import EnvironmentSettings, TableEnvironment

        self._environment = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
        config = self._environment.get_config()
        config.set("table.local-time-zone", zone)
        config.set("parallelism.default", "1")
        config.set("table.exec.sink.not-null-enforcer", "DROP")  # a NULL of a type that has none leaves no row

    def answers(self, together: Sequence[str]) -> dict[str, Answer]:
        """Returns an answer for each expression; several are asked in one job."""
        if len(together) == 1:
            return {together[0]: self._alone(together[0])}
        try:
            found = self._row([f"CAST({one} AS STRING)" for one in together])
            types = self._types(together)
        except Exception:  # whatever Flink throws: those that are asked alone say what
            found = None
        if found is None:
            middle = len(together) // 2
            return {**self.answers(together[:middle]), **self.answers(together[middle:])}
        return {one: (type, _text(value)) for one, type, value in zip(together, types, found, strict=True)}

    def _alone(self, expression: str) -> Answer:
        type, value = self._planned(expression)
        if value != _NOT_FOLDED:
            return type, value
        try:
            row = self._row([f"CAST({expression} AS STRING)"])
        except Exception as error:
            print(f"{expression}: {_reason(error)}", file=sys.stderr)
            return type, FAILED
        return type, "NULL" if row is None else _text(row[0])

    def _types(self, expressions: Sequence[str]) -> list[str]:
        types = self._query(expressions)._j_table.getResolvedSchema().getColumnDataTypes()
        return [str(types.get(place).getLogicalType()) for place in range(len(expressions))]

    def _row(self, expressions: Sequence[str]) -> list[object] | None:
        with self._query(expressions).execute().collect() as rows:
            return next((list(row) for row in rows), None)

    def _query(self, expressions: Sequence[str]) -> Any:
        columns = ", ".join(f"{one} AS c{place}" for place, one in enumerate(expressions))
        return self._environment.sql_query(f"SELECT {columns}")

    def _planned(self, expression: str) -> Answer:
        """The type, and the value if the optimiser could work it out: most jobs are saved so."""
        try:
            (type,) = self._types([expression])
            plan = self._query([f"CAST({expression} AS STRING)"]).explain()
        except Exception as error:  # whatever the planner of Flink throws
            print(f"{expression}: {_reason(error)}", file=sys.stderr)
            return REFUSED, None
        folded = _FOLDED.search(plan.split("== Optimized Execution Plan ==")[1])
        if folded is None:
            return type, _NOT_FOLDED
        # A decimal that does not fit is a NULL of a type without NULL, and folds to no digits.
        is_null = folded[1] is None or (not folded[1] and type.startswith("DECIMAL"))
        return type, "NULL" if is_null else json.dumps(folded[1], ensure_ascii=False)


def _text(value: object) -> str:
    return "NULL" if value is None else json.dumps(value, ensure_ascii=False)


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if "Caused by" in line or "Exception" in line]
    return lines[-1][:300] if lines else str(error)[:300]


if __name__ == "__main__":
    from pyflink.version import __version__

    oracle = Oracle(sys.argv[1])
    found = [oracle.answers(together) for together in json.load(sys.stdin)]
    print(_MARK + json.dumps([__version__, {one: answer for each in found for one, answer in each.items()}]))
