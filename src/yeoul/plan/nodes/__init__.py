"""Logical nodes: a query as a tree of frozen values, from sources up to what the user sees.

Every node has a `schema`; the names in it are unique. Expressions refer to columns of the node's input by name. A
plan never names operators, threads or files: it says what, not how. Event time is one column of the schema marked
as row time; `AssignWatermark` says how the watermark follows from it, and every node above passes it on or loses it.

A module a family; what uses nodes takes them from here.
"""

from __future__ import annotations

from yeoul.plan.nodes.changes import ChangelogNormalize, DropUnchanged, SinkMaterialize
from yeoul.plan.nodes.groups import Aggregate, Settle
from yeoul.plan.nodes.joins import Join, JoinKey, JoinKind, LookupJoin
from yeoul.plan.nodes.ordered import Deduplicate, Over, Sort, TopN
from yeoul.plan.nodes.rows import Filter, Limit, Project, Unnest
from yeoul.plan.nodes.schema import Aggregation, Field, Projection, Schema
from yeoul.plan.nodes.sets import SetKind, SetOperation, Union
from yeoul.plan.nodes.tables import AssignWatermark, Scan, Sieve, Values, Write, columns_read
from yeoul.plan.nodes.tree import Node, inputs_of, is_row_wise, judges_lateness, readers_of, walk
from yeoul.plan.nodes.windows import (
    Emission,
    Window,
    WindowAggregate,
    WindowAssign,
    WindowKind,
    WindowProperty,
    WindowTopN,
)

__all__ = [
    "Aggregate",
    "Aggregation",
    "AssignWatermark",
    "ChangelogNormalize",
    "Deduplicate",
    "DropUnchanged",
    "Emission",
    "Field",
    "Filter",
    "Join",
    "JoinKey",
    "JoinKind",
    "Limit",
    "LookupJoin",
    "Node",
    "Over",
    "Project",
    "Projection",
    "Scan",
    "Schema",
    "SetKind",
    "SetOperation",
    "Settle",
    "Sieve",
    "SinkMaterialize",
    "Sort",
    "TopN",
    "Union",
    "Unnest",
    "Values",
    "Window",
    "WindowAggregate",
    "WindowAssign",
    "WindowKind",
    "WindowProperty",
    "WindowTopN",
    "Write",
    "columns_read",
    "inputs_of",
    "is_row_wise",
    "judges_lateness",
    "readers_of",
    "walk",
]
