"""Subqueries that name the outer query anywhere: they are bound beside the different values of the outer columns.

What a join cannot take out of a subquery's WHERE as `inner = outer` (an outer column in its SELECT list, in FROM, in a
subquery further in, in a branch of UNION) is bound by putting the outer columns among the subquery's own tables: FROM
begins with their different values, a row each, and from there on they are columns like any. What the subquery gives
carries them along, and is joined to the outer rows by them, NULL being a value like any. Called by `inner_queries`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from yeoul.plan.expressions import ColumnRef
from yeoul.plan.nodes import Aggregate, Field, Node, Projection, Schema
from yeoul.planner.binding.boundedness import computes_changes
from yeoul.planner.binding.context import BindContext, Relation, Scope
from yeoul.planner.binding.set_operations import combined, united
from yeoul.planner.dialects.flink.nodes import SetOperation, UnionAll

__all__ = ["all_rows", "different_rows", "is_named_further_in", "outer_names", "together"]


def outer_names(tree: exp.Expr, outer: Relation, *, qualified: bool = False) -> list[str]:
    """Returns the columns of the outer rows that a query may name; `qualified`: those only that it surely does."""
    own = _own_aliases(tree)
    found: dict[str, None] = {}
    for node in tree.walk():
        if isinstance(node, exp.Dot) and isinstance(node.this, exp.Column):
            alias, name = node.this.this.name, node.args["expression"].name
            columns = outer.find(name, alias) if alias in outer.aliases and alias not in own else []
        elif isinstance(node, exp.Column) and not qualified:
            columns = outer.find(node.this.name)
        else:
            continue
        found |= dict.fromkeys(columns if len(columns) == 1 else [])
    return list(found)


def is_named_further_in(tree: exp.Expr, outer: Relation) -> bool:
    """Tells whether a query names the outer rows elsewhere than in the conditions of its own WHERE."""
    if not isinstance(tree, exp.Select) or tree.args.get("from_") is None:
        return bool(outer_names(tree, outer, qualified=isinstance(tree, UnionAll | SetOperation)))
    own = _own_aliases(tree)
    theirs = tuple(scope for scope in outer.scopes if scope.alias and scope.alias not in own)
    if not theirs:
        return False
    where = tree.args.get("where")
    within = [] if where is None else list(where.find_all(exp.Subquery, exp.Exists, exp.In))
    within = [one for one in within if not isinstance(one, exp.In) or one.args.get("query") is not None]
    parts = [part for key, part in tree.args.items() if key != "where" and part is not None]
    flat = [one for part in parts for one in (part if isinstance(part, list) else [part])]
    shown = replace(outer, joined=theirs)
    return any(isinstance(one, exp.Expr) and outer_names(one, shown, qualified=True) for one in [*flat, *within])


def _own_aliases(tree: exp.Expr) -> set[str]:
    tables = {node.name for node in tree.find_all(exp.Table) if node.args.get("alias") is None}
    return tables | {node.this.name for node in tree.find_all(exp.TableAlias) if node.this is not None}


def different_rows(context: BindContext, outer: Relation, names: Sequence[str]) -> Relation:
    """Returns a row for each different value of columns of the outer rows, under the names that they have there."""
    schema = Schema(tuple(Field(name, outer.schema[name].type) for name in names))
    keys = tuple(Projection(one.name, ColumnRef(one.name, one.type)) for one in schema.fields)
    rows = Aggregate(outer.node, keys, (), schema, computes_changes(outer.node, context.settings))
    return Relation(rows, "", outer.title, _as_outer(outer, names))


def all_rows(outer: Relation) -> Relation:
    """Returns the outer rows as they are, as ones that a subquery's own tables come before."""
    return replace(outer, joined=_as_outer(outer, outer.schema.names))


def _as_outer(outer: Relation, names: Sequence[str]) -> tuple[Scope, ...]:
    kept = ({name: one for name, one in scope.columns.items() if one in names} for scope in outer.scopes)
    return tuple(
        replace(scope, columns=columns, is_outer=True) for scope, columns in zip(outer.scopes, kept, strict=True)
    )


def together(context: BindContext, tree: exp.Expr, branches: Sequence[Node]) -> Node:
    """Returns the rows of branches, or of VALUES, each of which carries the outer columns behind its own."""
    if isinstance(tree, UnionAll | exp.Values):
        return branches[0] if len(branches) == 1 else united(context, branches, tree.expressions)
    return combined(context, tree, *branches)
