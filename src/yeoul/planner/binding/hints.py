"""SELECT's own hints, `/*+ STATE_TTL('a' = '1d'), LOOKUP('table' = 'b') */`: checked, and what they say of state.

A hint that is unknown, or names a table that is not in FROM, is an error, as it is in Flink. Those that choose how a
batch join is run say nothing here, and those that tune a lookup change no row.

Source: https://nightlies.apache.org/flink/flink-docs-stable/docs/sql/reference/queries/hints/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from sqlglot import exp

from yeoul.errors import UserError, did_you_mean
from yeoul.plan.nodes import Aggregate, Filter, Node, Project
from yeoul.planner.binding.context import BindContext, Relation
from yeoul.planner.dialects.flink.nodes import HintSyntax, OptionPair
from yeoul.units import parse_duration_ms

__all__ = ["check_hinted_tables", "state_ttl_of", "state_ttls", "with_group_ttl"]

_BATCH_JOINS = ("BROADCAST", "SHUFFLE_HASH", "SHUFFLE_MERGE", "NEST_LOOP", "MULTI_JOIN")
_KNOWN = ("STATE_TTL", "LOOKUP", *_BATCH_JOINS)
_LOOKUP_OPTIONS = ("table", "async", "output-mode", "capacity", "timeout", "shuffle")
_LOOKUP_RETRIES = ("retry-predicate", "retry-strategy", "fixed-delay", "max-attempts")


def state_ttls(context: BindContext, select: exp.Select) -> Mapping[str, int]:
    """Returns for how many ms the state of tables is kept that STATE_TTL names; 0: for ever.

    Raises:
        UserError: A hint is unknown, or says something that it cannot.
    """
    found: dict[str, int] = {}
    for hint in _hints(select):
        if hint.this not in _KNOWN:
            tip = did_you_mean(hint.this, _KNOWN) or f"Known: {', '.join(_KNOWN)}"
            tip = "OPTIONS stands behind a table's name" if hint.this == "OPTIONS" else tip
            raise context.error(f"Unknown hint {hint.this}", hint, tip)
        if hint.this == "LOOKUP":
            _check_lookup(context, hint)
        if hint.this == "STATE_TTL":
            for pair in _pairs(context, hint, "STATE_TTL('table' = '1 d')"):
                found[pair.this] = _duration_ms(context, pair)
    return found


def check_hinted_tables(context: BindContext, select: exp.Select, relation: Relation) -> None:
    """Checks that each table that a hint names stands in FROM.

    Raises:
        UserError: One does not.
    """
    for hint in _hints(select):
        for name, at in _tables_named(hint):
            if name not in relation.aliases:
                known = relation.aliases
                tip = did_you_mean(name, known) or f"In FROM: {', '.join(known)}"
                raise context.error(f"Hint {hint.this} names {name!r}, and no table in FROM is called so", at, tip)


def state_ttl_of(context: BindContext, relation: Relation) -> int | None:
    """Returns for how many ms the rows of a join's side are kept; None: as the session says."""
    return context.state_ttls.get(relation.aliases[0]) if len(relation.aliases) == 1 else None


def with_group_ttl(node: Node, ttl_ms: int | None) -> Node:
    """Returns a grouped query whose groups are kept for so many ms untouched; None: as the session says."""
    match node:
        case Aggregate() if ttl_ms is not None:
            return replace(node, ttl_ms=ttl_ms)
        case Project() | Filter() if ttl_ms is not None:
            return replace(node, input=with_group_ttl(node.input, ttl_ms))
        case _:
            return node


def _hints(select: exp.Select) -> list[HintSyntax]:
    return select.args.get("own_hints") or []


def _tables_named(hint: HintSyntax) -> list[tuple[str, exp.Expr]]:
    pairs = [one for one in hint.expressions if isinstance(one, OptionPair)]
    if hint.this == "STATE_TTL":
        return [(one.this, one) for one in pairs]
    if hint.this == "LOOKUP":
        return [(one.args["expression"], one) for one in pairs if one.this == "table"]
    return [(one.name, one) for one in hint.expressions if not isinstance(one, OptionPair)]


def _pairs(context: BindContext, hint: HintSyntax, form: str) -> list[OptionPair]:
    pairs = [one for one in hint.expressions if isinstance(one, OptionPair)]
    if not pairs or len(pairs) < len(hint.expressions):
        raise context.error(f"Hint {hint.this} takes options in quotes", hint, form)
    return pairs


def _duration_ms(context: BindContext, pair: OptionPair) -> int:
    return _read(context, pair, parse_duration_ms)


def _read(context: BindContext, pair: OptionPair, parse: Callable[[str], int]) -> int:
    try:
        return parse(pair.args["expression"])
    except UserError as error:
        raise context.error(f"Hint for {pair.this!r}: {error.message}", pair, error.hint) from None


def _check_lookup(context: BindContext, hint: HintSyntax) -> None:
    pairs = _pairs(context, hint, "LOOKUP('table' = 'b')")
    if all(pair.this != "table" for pair in pairs):
        raise context.error("Hint LOOKUP needs the option 'table'", hint, "LOOKUP('table' = 'b')")
    for pair in pairs:
        if pair.this in _LOOKUP_RETRIES:
            tip = "A key that is not found stays so; 'lookup.max-retries' of the table is for queries that fail"
            raise context.error(f"Option {pair.this!r} of hint LOOKUP is not supported", pair, tip)
        if pair.this not in _LOOKUP_OPTIONS:
            tip = did_you_mean(pair.this, _LOOKUP_OPTIONS)
            raise context.error(f"Unknown option {pair.this!r} of hint LOOKUP", pair, tip)
