"""Comparisons with every row of a subquery, or with any: `x > ALL (SELECT y ...)`, `x <= SOME (SELECT y ...)`.

What holds for all holds for the greatest, or the least; so such a comparison is one with an extreme, and with counts,
for SQL's logic of three values: over no row ALL is TRUE and ANY is FALSE, and a NULL among the rows leaves open what
the others do not decide. Each of them is a subquery as a value, tied to the outer row as the one that was written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from yeoul.planner.dialects.flink.nodes import FunctionCall

__all__ = ["by_extremes"]

_FOR_ALL = {
    exp.GT: ("MAX",),
    exp.GTE: ("MAX",),
    exp.LT: ("MIN",),
    exp.LTE: ("MIN",),
    exp.EQ: ("MIN", "MAX"),
}
_FOR_ANY = {
    exp.GT: ("MIN",),
    exp.GTE: ("MIN",),
    exp.LT: ("MAX",),
    exp.LTE: ("MAX",),
    exp.NEQ: ("MIN", "MAX"),
}
_NOT_PLAIN = ("group", "having", "distinct", "order", "limit", "offset", "qualify", "with_")


def by_extremes(node: Any, is_grouped: Callable[[exp.Select], bool]) -> exp.Expr:
    """Returns a quantified comparison as CASE over subqueries that give values.

    Args:
        node: The comparison; `= ANY` and `<> ALL`, which are IN and NOT IN, are none.
        is_grouped: Tells whether a SELECT groups.
    """
    query, kind, is_all = node.args["query"], node.args["comparison"], node.args["all"]
    words = (_FOR_ALL if is_all else _FOR_ANY)[kind]
    parts = [kind(this=node.this.copy(), expression=_of(query, word, is_grouped)) for word in words]
    holds = parts[0] if len(parts) == 1 else (exp.And if is_all else exp.Or)(this=parts[0], expression=parts[1])
    rows, values = _of(query, "COUNT", is_grouped, star=True), _of(query, "COUNT", is_grouped)
    is_open = exp.Or(
        this=exp.Is(this=node.this.copy(), expression=exp.Null()),
        expression=exp.GT(this=rows.copy(), expression=values),
    )
    over_nothing = exp.EQ(this=rows, expression=exp.Literal.number(0))
    branches = [
        exp.If(this=over_nothing, true=exp.Boolean(this=is_all)),
        exp.If(this=exp.Not(this=holds) if is_all else holds, true=exp.Boolean(this=not is_all)),
        exp.If(this=is_open, true=exp.Null()),
    ]
    found = exp.Case(ifs=branches, default=exp.Boolean(this=is_all))
    for part in found.walk():
        part.meta.setdefault("start", node.meta["start"])
    return found


def _of(query: Any, word: str, is_grouped: Callable[[exp.Select], bool], *, star: bool = False) -> exp.Expr:
    """Returns a query for one aggregate of what a query gives."""
    select = query.this
    plain = isinstance(select, exp.Select) and not any(select.args.get(key) for key in _NOT_PLAIN)
    if plain and len(select.expressions) == 1 and not select.find(exp.Star) and not is_grouped(select):
        made = select.copy()
        value = made.expressions[0].unalias()
    else:
        alias = exp.TableAlias(this=exp.to_identifier("$all"), columns=[exp.to_identifier("$one")])
        made = exp.Select(from_=exp.From(this=exp.Subquery(this=select.copy(), alias=alias)))
        value = exp.column("$one")
    made.set("expressions", [FunctionCall(this=word, expressions=[] if star else [value], star=star)])
    return exp.Subquery(this=made)
