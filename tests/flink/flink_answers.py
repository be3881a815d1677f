"""What Flink says to each expression of a table; run by a Python that has PyFlink, see `__main__`.

It stands alone: nothing of yeoul or of the other test modules is imported here, since PyFlink has an environment of its
own. Expressions are read one a line from standard input; an answer a line, as JSON, goes to standard output: a pair of
type and value as text, or why there is none.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence

REFUSED, FAILED = "refused", "fails"
_BATCH = 8
_NOT_FOLDED = "not folded"
_FOLDED = re.compile(r"Calc\(select=\[(?:'(.*)'|null:VARCHAR\(2147483647\)) AS v\]\)\n\+- Values", re.DOTALL)
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

    def answers(self, expressions: Sequence[str]) -> list[Answer]:
        """Returns an answer for each expression, in order."""
        found = {one: self._planned(one) for one in expressions}
        types = {one: type for one, (type, value) in found.items() if value == _NOT_FOLDED}
        for start in range(0, len(types), _BATCH):
            found.update(self._values(list(types)[start : start + _BATCH], types))
        return [found[one] for one in expressions]

    def _planned(self, expression: str) -> Answer:
        """The type, and the value if the optimiser could work it out: most jobs are saved so."""
        try:
            table = self._environment.sql_query(f"SELECT {expression} AS v")
            type = str(table._j_table.getResolvedSchema().getColumnDataTypes().get(0).getLogicalType())
            plan = self._environment.sql_query(f"SELECT CAST({expression} AS STRING) AS v").explain()
        except Exception as error:  # whatever the planner of Flink throws
            print(f"{expression}: {_reason(error)}", file=sys.stderr)
            return REFUSED, None
        folded = _FOLDED.search(plan.split("== Optimized Execution Plan ==")[1])
        if folded is None:
            return type, _NOT_FOLDED
        # A decimal that does not fit is a NULL of a type without NULL, and folds to no digits.
        is_null = folded[1] is None or (not folded[1] and type.startswith("DECIMAL"))
        return type, "NULL" if is_null else json.dumps(folded[1], ensure_ascii=False)

    def _values(self, batch: Sequence[str], types: dict[str, str]) -> dict[str, Answer]:
        columns = ", ".join(f"CAST({one} AS STRING) AS c{index}" for index, one in enumerate(batch))
        try:
            with self._environment.execute_sql(f"SELECT {columns}").collect() as rows:
                found = list(rows)
        except Exception as error:
            if len(batch) == 1:
                print(f"{batch[0]}: {_reason(error)}", file=sys.stderr)
                return {batch[0]: (types[batch[0]], FAILED)}
            found = []
        if not found and len(batch) > 1:
            middle = len(batch) // 2
            return {**self._values(batch[:middle], types), **self._values(batch[middle:], types)}
        row = found[0] if found else [None]
        return {
            one: (types[one], "NULL" if value is None else json.dumps(value, ensure_ascii=False))
            for one, value in zip(batch, row, strict=True)
        }


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if "Caused by" in line or "Exception" in line]
    return lines[-1][:300] if lines else str(error)[:300]


if __name__ == "__main__":
    from pyflink.version import __version__

    found = Oracle(sys.argv[1]).answers([line.rstrip("\n") for line in sys.stdin if line.strip()])
    print(_MARK + json.dumps([__version__, found], ensure_ascii=False))
