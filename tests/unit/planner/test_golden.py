"""Plans and errors against files that can be read without knowing the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from yeoul.errors import UserError
from yeoul.plan.explain import explain, explain_details
from yeoul.plan.statements import CreateTable, CreateView, Explain, Insert, Select
from yeoul.plan.tables import ColumnKind, TableDefinition
from yeoul.planner import rules
from yeoul.planner.binding.context import BindContext
from yeoul.planner.binding.queries import bind_query
from yeoul.planner.dialects.flink.dialect import read_script
from yeoul.planner.positions import Positions

GOLDEN = Path(__file__).parents[2] / "golden"
PLANS = sorted((GOLDEN / "plans").glob("*.txt"))
RULES = sorted((GOLDEN / "plans" / "rules").glob("*.txt"))
ERRORS = sorted((GOLDEN / "errors").glob("sql_*.txt"))


def _name(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", PLANS, ids=_name)
def test_statement_gives_this_plan(path, catalog, check_golden):
    def answer(text):
        statement = catalog.copy().run(text)[-1]
        match statement:
            case Explain(plan, detail) if detail is not None:
                return {"details": explain_details(plan, detail)}
            case Select() | Insert() | Explain():
                return {"plan": explain(statement.plan)}
            case CreateTable(definition=table):
                return {"table": _declared(table)}
            case CreateView(definition=view):
                return {"view": f"{view.name}{view.column_names or ''}: {view.query}"}
            case other:
                return {"statement": str(other)}

    check_golden(path, answer)


def _declared(table: TableDefinition) -> str:
    lines = []
    for column in table.columns:
        source = {
            ColumnKind.PHYSICAL: "",
            ColumnKind.METADATA: f"  metadata {column.metadata_key!r}{' virtual' if column.virtual else ''}",
            ColumnKind.COMPUTED: f"  computed {_shown(column.expression)}",
        }[column.kind]
        lines.append(f"{column.name} {column.type}{source}")
    if table.watermark:
        lines.append(f"watermark for {table.watermark.column}: {_shown(table.watermark.expression)}")
    if table.primary_key:
        lines.append(f"primary key: {', '.join(table.primary_key)}")
    lines += [f"{key} = {value}" for key, value in table.options.items()]
    if table.comment:
        lines.append(f"comment: {table.comment}")
    return "\n".join(lines)


def _shown(expression):
    from yeoul.plan.explain import explain_expression

    return explain_expression(expression)


@pytest.mark.parametrize("path", RULES, ids=_name)
def test_rule_rewrites_like_this(path, catalog, check_golden):
    rule = {rule.__name__: rule for rule in (*rules.RULES, *rules.SHARING)}[path.stem]

    def answer(text):
        context = BindContext(catalog, {}, Positions(text))
        plans = [bind_query(context, tree) for tree, _, _ in read_script(text)]
        if rule not in rules.SHARING:
            return {"before": _together(plans), "after": _together(list(map(rule, plans)))}
        best = [rules.kept_apart(rules.optimised(plan)) for plan in plans]
        return {"before": _together(best), "after": _together(rule(best))}

    check_golden(path, answer)


def _together(plans):
    return "\n\n".join(explain(plan, plans) for plan in plans)


@pytest.mark.parametrize("rule", sorted({rule.__name__ for rule in (*rules.RULES, *rules.SHARING)}))
def test_every_rule_has_a_golden_file(rule):
    assert rule in [path.stem for path in RULES]


@pytest.mark.parametrize("path", ERRORS, ids=_name)
def test_mistake_gives_this_message(path, catalog, check_golden):
    def answer(text):
        with pytest.raises(UserError) as caught:
            catalog.copy().run(text)
        hint = f"\nhint: {caught.value.hint}" if caught.value.hint else ""
        return {"error": f"error: {caught.value.message}{hint}"}

    check_golden(path, answer)
