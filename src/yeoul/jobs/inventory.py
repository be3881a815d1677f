"""SHOW and DESCRIBE of what is no table: names in columns, as Flink lists them. Called by sessions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from yeoul.catalog.memory import Catalog
from yeoul.errors import UserError, did_you_mean
from yeoul.jobs.functions import Functions
from yeoul.jobs.job import Job, JobStatus
from yeoul.plan.functions import AGGREGATES, RANKINGS, SCALARS
from yeoul.plan.statements import DescribeNamed, ShowTables
from yeoul.plan.tables import CATALOG

__all__ = ["described", "shown"]

Columns = Mapping[str, Sequence[str | None]]

_ALONE = {
    "catalogs": [CATALOG],
    "current catalog": [CATALOG],
    "modules": ["core"],
    "procedures": [],
    "models": [],
    "materialized tables": [],
    "jars": [],
}
_HEADS = {"user functions": "function name", "jars": "jars"}


def shown(
    statement: ShowTables, catalog: Catalog, functions: Functions, jobs: Iterable[Job], current_database: str
) -> Columns:
    """Returns the answer of SHOW as text columns: names, and what else belongs to them."""
    what, pattern = statement.what, statement.pattern
    if what == "jobs":
        found = sorted((job.name, job.status.value) for job in jobs if job.status is JobStatus.RUNNING)
        return {"job name": [name for name, _ in found], "status": [status for _, status in found]}
    if what == "full modules":
        return {"module name": ["core"], "used": ["TRUE"]}
    names = [current_database] if what == "current database" else _names(statement, catalog, functions)
    admitted = [name for name in names if pattern is None or pattern.admits(name)]
    return {_HEADS.get(what, f"{what.removesuffix('s')} name"): admitted}


def _names(statement: ShowTables, catalog: Catalog, functions: Functions) -> Sequence[str]:
    match statement.what:
        case "tables":
            return catalog.tables(statement.database)
        case "views":
            return catalog.views(statement.database)
        case "databases":
            return sorted(catalog.databases())
        case "functions":
            return sorted({*_built_in(), *functions.names()})
        case "user functions":
            return functions.names()
        case what:
            return _ALONE[what]


def _built_in() -> set[str]:
    """Returns the names of all functions that can be called."""
    return {name for one in (*SCALARS, *AGGREGATES) for name in one.names if name.isidentifier()}


def described(statement: DescribeNamed, catalog: Catalog, functions: Functions) -> Columns:
    """Returns the answer of DESCRIBE FUNCTION, CATALOG or DATABASE: what is known of it, line by line.

    Raises:
        UserError: There is no function of that name.
    """
    if statement.kind == "function":
        told = _function(statement.name, functions, extended=statement.extended)
    elif statement.kind == "catalog":
        told = {"name": CATALOG, "type": "generic_in_memory"}
    else:
        told = {"catalog_name": CATALOG, "database_name": statement.name}
        if statement.extended:
            told["comment"] = catalog.databases().get(statement.name, "")
    return {"info name": list(told), "info value": list(told.values())}


def _function(name: str, functions: Functions, *, extended: bool) -> dict[str, str]:
    own = functions.definitions.get(name.upper())
    if own is not None:
        of_all = {"is system function": "false", "is temporary": str(functions.is_temporary(name)).lower()}
        arguments = "..." if own.arguments is None else ", ".join(map(str, own.arguments))
        more = {
            "kind": own.kind.upper(),
            "is deterministic": str(own.deterministic).lower(),
            "signature": f"{own.name}({arguments}) => {own.result}",
            "function language": "PYTHON",
        }
        return {**of_all, **(more if extended else {})}
    for kind, table in (("SCALAR", SCALARS), ("AGGREGATE", AGGREGATES), ("AGGREGATE", RANKINGS)):
        for one in table:
            if name.upper() in one.names:
                more = {"kind": kind, "signature": one.usage, "description": one.summary}
                return {"is system function": "true", "is temporary": "false", **(more if extended else {})}
    known = {*_built_in(), *functions.names()}
    raise UserError(f"Unknown function {name!r} in DESCRIBE FUNCTION", hint=did_you_mean(name.upper(), known))
