"""Statements: the tree of each kind becomes the value that a session carries out, its plan after the rules."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sqlglot import exp

from yeoul.errors import UserError, did_you_mean
from yeoul.plan import statements
from yeoul.plan.declarations import quoted
from yeoul.plan.explain import ExplainDetail
from yeoul.plan.functions import is_aggregate, is_scalar
from yeoul.plan.nodes import Node, Write
from yeoul.plan.tables import CATALOG, DATABASE, ViewDefinition, full_name
from yeoul.planner.binding.alterations import altered_elements
from yeoul.planner.binding.changes import with_settled_changes
from yeoul.planner.binding.context import BindContext
from yeoul.planner.binding.current_watermarks import tell_watermarks
from yeoul.planner.binding.inserts import bind_insert
from yeoul.planner.binding.queries import bind_query, bind_view
from yeoul.planner.binding.scans import IDLE_SETTING, scan
from yeoul.planner.binding.sources import renamed, unknown_table
from yeoul.planner.binding.tables import define_table, with_options
from yeoul.planner.dialects.flink.nodes import (
    AlterSyntax,
    CreateDatabaseSyntax,
    CreateFunctionSyntax,
    CreateTableSyntax,
    CreateViewSyntax,
    DescribeNamedSyntax,
    DescribeSyntax,
    DropDatabaseSyntax,
    DropSyntax,
    ExplainSyntax,
    InsertSyntax,
    ResetSyntax,
    SetSyntax,
    ShowSyntax,
    StatementSetSyntax,
    StopJobSyntax,
    UseSyntax,
)
from yeoul.planner.rules import as_one, optimised
from yeoul.units import parse_duration_ms

__all__ = ["ZONE_SETTING", "bind_statement"]

_ONE_CATALOG = f"There is one catalog, {CATALOG}"
ZONE_SETTING = "table.local-time-zone"


def bind_statement(context: BindContext, node: exp.Expr) -> statements.Statement:
    """Binds one statement.

    Raises:
        UserError: Something in it is unknown, does not fit, or is not supported.
    """
    reader = _READERS.get(type(node))
    if reader is not None:
        return reader(context, node)
    return statements.Select(_query(context, node))


def _query(context: BindContext, node: exp.Expr) -> Node:
    (plan,) = as_one([with_settled_changes(context, _planned(bind_query(context, node)), node)], context.settings)
    return plan


def _planned(bound: Node) -> Node:
    return optimised(tell_watermarks(bound))


def _create_table(context: BindContext, node: Any) -> statements.Statement:
    flags = (bool(node.args.get("if_not_exists")), bool(node.args.get("temporary")))
    query = node.args.get("query")
    if query is None:
        return statements.CreateTable(define_table(context, node), *flags)
    rows = bind_query(context, query)
    if node.args.get("must_be_there") and context.find(node.this) is None:
        raise unknown_table(context, node.this)
    made = define_table(context, node, rows.schema)
    columns = ", ".join(quoted(name) for name in rows.schema.names)
    filling = f"INSERT INTO {quoted(made.database)}.{quoted(node.this.name)} ({columns})\n{node.args['text']}"
    return statements.CreateTable(made, *flags, filling, bool(node.args.get("or_replace")))


def _create_view(context: BindContext, node: Any) -> statements.Statement:
    name, database = context.name_of(node.this), context.database_of(node.this)
    if database != context.database:
        _refuse_names_of_here(context, node.args["expression"])
    context = replace(context, database=database)
    rows = bind_query(context, node.args["expression"])
    if node.expressions:
        renamed(context, rows, node.expressions)
    columns = [column.name for column in node.expressions]
    view = ViewDefinition(name, node.args["text"], tuple(columns), node.args.get("comment") or "", database)
    flags = (bool(node.args.get(key)) for key in ("if_not_exists", "or_replace", "temporary"))
    return statements.CreateView(view, *flags)


def _refuse_names_of_here(context: BindContext, query: exp.Expr) -> None:
    """Refuses names without a database in a view that lies in another than the current one: they would change."""
    own = {one.alias for one in query.find_all(exp.CTE)}
    for table in query.find_all(exp.Table):
        if not table.args.get("db") and table.name not in own:
            raise context.error(
                f"A view of another database has to say where {table.name!r} lies",
                table,
                hint=f"Write {context.database}.{table.name}",
            )


def _create_function(context: BindContext, node: Any) -> statements.Statement:
    name: str = node.this.name
    if is_scalar(name) or is_aggregate(name):
        raise context.error(f"{name.upper()} is a built-in function", node.this, "Give the function another name")
    return statements.CreateFunction(
        name, node.args["path"], *(bool(node.args.get(key)) for key in ("if_not_exists", "or_replace", "temporary"))
    )


def _drop(context: BindContext, node: Any) -> statements.Statement:
    flags = (bool(node.args.get(key)) for key in ("if_exists", "temporary"))
    is_function = node.args["kind"] == "function"
    return statements.Drop(node.args["kind"], node.this.name if is_function else context.name_of(node.this), *flags)


def _create_database(context: BindContext, node: Any) -> statements.Statement:
    flag, comment = bool(node.args.get("if_not_exists")), node.args.get("comment") or ""
    return statements.CreateDatabase(_own_database(context, node), flag, comment)


def _drop_database(context: BindContext, node: Any) -> statements.Statement:
    name = _own_database(context, node)
    if name == context.database and name != DATABASE:
        raise context.error(f"Database {name!r} is in use", node, "USE another one first")
    return statements.DropDatabase(name, bool(node.args.get("if_exists")), bool(node.args.get("cascade")))


def _own_database(context: BindContext, node: Any) -> str:
    catalog, dot, name = node.this.rpartition(".")
    if dot and catalog != CATALOG:
        raise context.error(f"Unknown catalog {catalog!r}", node, _ONE_CATALOG)
    return str(name)


def _alter(context: BindContext, node: Any) -> statements.Statement:
    name, kind = context.name_of(node.this), node.args["kind"]
    found = context.find(node.this)
    if found is None:
        if node.args.get("if_exists"):
            return statements.Alter(name, None)
        raise unknown_table(context, node.this)
    if isinstance(found, ViewDefinition) != (kind == "view"):
        other = "view" if kind == "table" else "table"
        raise context.error(f"{name!r} is a {other}, not a {kind}", node.this, f"Write ALTER {other.upper()} {name}")
    if node.args.get("rename") is not None:
        new = node.args["rename"]
        if new.args.get("db") and context.database_of(new) != found.database:
            raise context.error("A table stays in its database", new, "CREATE TABLE ... LIKE makes one in another")
        return statements.Alter(name, replace(found, name=full_name(found.database, new.name)))
    if isinstance(found, ViewDefinition):
        bind_query(context, node.args["expression"])
        return statements.Alter(name, replace(found, query=node.args["text"], column_names=()))
    if any(node.args.get(key) is not None for key in ("add", "modify", "drop", "rename_column")):
        return statements.Alter(name, altered_elements(context, found, node))
    return statements.Alter(name, with_options(context, found, node))


def _use(context: BindContext, node: Any) -> statements.Statement:
    if node.args["kind"] == "catalog":
        if node.this != CATALOG:
            raise context.error(f"Unknown catalog {node.this!r}", node, _ONE_CATALOG)
        return statements.Use("catalog", CATALOG)
    return statements.Use("database", context.known_database(node.this, node))


def _insert(context: BindContext, node: Any) -> statements.Statement:
    (plan,) = _writes(context, [node])
    return statements.Insert(plan)


def _statement_set(context: BindContext, node: Any) -> statements.Statement:
    return statements.StatementSet(_writes(context, node.expressions))


def _writes(context: BindContext, nodes: Sequence[InsertSyntax]) -> tuple[Write, ...]:
    plans = [with_settled_changes(context, _planned(bind_insert(context, node)), node.this) for node in nodes]
    return tuple(plan for plan in as_one(plans, context.settings) if isinstance(plan, Write))


def _explain(context: BindContext, node: Any) -> statements.Statement:
    detail = ExplainDetail(node.args["detail"]) if node.args.get("detail") else None
    if isinstance(node.this, StatementSetSyntax):
        return statements.ExplainSet(_writes(context, node.this.expressions), detail)
    if isinstance(node.this, InsertSyntax):
        (write,) = _writes(context, [node.this])
        return statements.Explain(write, detail)
    return statements.Explain(_query(context, node.this), detail)


def _set(context: BindContext, node: Any) -> statements.Statement:
    key, value = node.this or "", node.args.get("expression") or ""
    check = _CHECKS.get(key)
    if check is not None:
        try:
            check(value)
        except UserError as error:
            raise context.error(f"SET {key!r}: {error.message}", node, error.hint) from None
    return statements.SetOption(key, value)


def _check_zone(text: str) -> None:
    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        hint = did_you_mean(text, zoneinfo.available_timezones())
        hint = hint if hint.startswith("Did") else "Names are as in 'Europe/Berlin', 'Asia/Seoul' or 'UTC'"
        raise UserError(f"Unknown time zone {text!r}", hint=hint) from None


_CHECKS: dict[str, Callable[[str], object]] = {ZONE_SETTING: _check_zone, IDLE_SETTING: parse_duration_ms}


def _reset(context: BindContext, node: Any) -> statements.Statement:
    return statements.ResetOption(node.this or "")


def _show(context: BindContext, node: Any) -> statements.Statement:
    table, pattern = node.args.get("expression"), _pattern(node)
    if table is None:
        return statements.ShowTables(node.this, pattern, _place(context, node.args.get("place") or "", node))
    if node.this == "columns":
        return replace(_described(context, table), pattern=pattern)
    found = context.find(table)
    if found is None:
        raise unknown_table(context, table)
    kind = node.this.removeprefix("create ")
    if isinstance(found, ViewDefinition) != (kind == "view"):
        other = "VIEW" if kind == "table" else "TABLE"
        raise context.error(f"{table.name!r} is no {kind}", table, hint=f"Write SHOW CREATE {other} {table.name}")
    return statements.ShowDeclaration(found)


def _pattern(node: Any) -> statements.NamePattern | None:
    text = node.args.get("pattern")
    flags = (bool(node.args.get(key)) for key in ("ignores_case", "negated"))
    return None if text is None else statements.NamePattern(text, *flags)


def _place(context: BindContext, place: str, node: exp.Expr) -> str:
    """Returns the database that SHOW ... FROM names: `database`, `catalog.database`, or the catalog alone."""
    return context.database if place in ("", CATALOG) else context.known_database(place, node)


def _describe(context: BindContext, node: Any) -> statements.Statement:
    return _described(context, node.this)


def _describe_named(context: BindContext, node: Any) -> statements.Statement:
    kind, name = node.args["kind"], node.this
    if kind == "function":
        return statements.DescribeNamed(kind, name.rpartition(".")[2], bool(node.args.get("extended")))
    if kind == "database":
        return statements.DescribeNamed(kind, context.known_database(name, node), bool(node.args.get("extended")))
    if name != CATALOG:
        raise context.error(f"Unknown catalog {name!r}", node, _ONE_CATALOG)
    return statements.DescribeNamed(kind, name)


def _described(context: BindContext, table: exp.Table) -> statements.DescribeTable:
    found = context.find(table)
    if found is None:
        raise unknown_table(context, table)
    if isinstance(found, ViewDefinition):
        return statements.DescribeTable(found, _planned(bind_view(context, found, table)))
    return statements.DescribeTable(found, optimised(scan(context, found, found.options)))


_READERS: dict[type[exp.Expr], Callable[[BindContext, Any], statements.Statement]] = {
    CreateDatabaseSyntax: _create_database,
    CreateFunctionSyntax: _create_function,
    CreateTableSyntax: _create_table,
    CreateViewSyntax: _create_view,
    DropSyntax: _drop,
    DropDatabaseSyntax: _drop_database,
    InsertSyntax: _insert,
    StatementSetSyntax: _statement_set,
    ExplainSyntax: _explain,
    SetSyntax: _set,
    ResetSyntax: _reset,
    ShowSyntax: _show,
    AlterSyntax: _alter,
    UseSyntax: _use,
    StopJobSyntax: lambda context, node: statements.StopJob(node.this),
    DescribeSyntax: _describe,
    DescribeNamedSyntax: _describe_named,
}
