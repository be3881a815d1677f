"""The table of expressions with Flink's answers, and what this project says to the same expressions.

`scalar_answers.tsv` is the table: expression, type, value. A value is a JSON string (what CAST to STRING gives), NULL,
`fails` where the job does, `refused` where the statement does not pass the planner. The types are compared without
nullability and without the lengths of strings and bytes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from yeoul.clock import ManualClock
from yeoul.engine.compile.expressions import EvaluationContext, compile_projections
from yeoul.engine.compile.faults import EvaluationError
from yeoul.errors import UserError
from yeoul.plan import statements
from yeoul.plan.expressions import Expression
from yeoul.plan.nodes import Project, Values
from yeoul.planner.sql import bind, parse

TABLE = Path(__file__).parent / "scalar_answers.tsv"
ZONE = "Europe/Berlin"
REFUSED, FAILS = "refused", "fails"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one expression; the type is empty where it was refused."""

    type: str
    value: str


class _NoTables:
    def find(self, name: str) -> None:
        return None

    def names(self) -> list[str]:
        return []


def rows() -> list[tuple[str, Answer]]:
    """Returns the table as it is in the repository."""
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    cells = [line.split("\t") for line in lines]
    return [(expression, Answer(type, value)) for expression, type, value in cells]


def ours(expression: str) -> Answer:
    """Returns what this project says to an expression."""
    try:
        (parsed,) = parse(f"SELECT CAST({expression} AS STRING) AS v, {expression} AS t")
        bound = bind(parsed, _NoTables(), {"table.local-time-zone": ZONE})
        assert isinstance(bound, statements.Select)
        type = str(bound.plan.schema["t"].type)
        text = _first_column(bound.plan)
    except EvaluationError:
        raise
    except UserError:
        return Answer("", REFUSED)
    try:
        value = text if isinstance(text, str | None) else _evaluated(text)
    except EvaluationError:
        return Answer(type, FAILS)
    except UserError:
        return Answer("", REFUSED)
    return Answer(type, "NULL" if value is None else json.dumps(value, ensure_ascii=False))


def _first_column(plan: object) -> str | Expression | None:
    if isinstance(plan, Values):
        value = plan.rows[0][0]
        assert value is None or isinstance(value, str)
        return value
    assert isinstance(plan, Project), plan
    return next(one.expression for one in plan.projections if one.name == "v")


def _evaluated(expression: Expression) -> str | None:
    context = EvaluationContext(ManualClock(wall_ms=1_700_000_000_123), ZONE)
    frame = pl.DataFrame({"row": [True]})
    value = frame.select(compile_projections([("v", expression)], context)).item()
    assert value is None or isinstance(value, str)
    return value


def comparable_type(written: str) -> str:
    """Returns a type's text without what is not compared.

    Example:
        >>> comparable_type("ROW<`a` CHAR(3) NOT NULL> NOT NULL"), comparable_type("INTERVAL SECOND(3) NOT NULL")
        ('ROW<a STRING>', 'INTERVAL DAY TO SECOND')
    """
    text = written.replace(" NOT NULL", "").replace("`", "")
    text = re.sub(r"\b(VAR)?CHAR\(\d+\)", "STRING", text)
    text = re.sub(r"\b(VAR)?BINARY\(\d+\)", "BYTES", text)
    text = re.sub(r"INTERVAL (DAY|HOUR|MINUTE|SECOND)\b.*", "INTERVAL DAY TO SECOND", text)
    return re.sub(r"INTERVAL (YEAR|MONTH)\b.*", "INTERVAL YEAR TO MONTH", text)
