"""`yeoul sql`: Flink-style SQL, from the command line, a file, a pipe or a prompt."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["RowFormat", "sql"]


class RowFormat(StrEnum):
    """How rows are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def sql(
    execute: Annotated[
        list[str] | None, typer.Option("--execute", "-e", metavar="SQL", help="Statements to run; repeatable.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="A file of statements to run; '-' is standard input.")
    ] = None,
    form: Annotated[RowFormat, typer.Option("--format", help="How rows are written.")] = RowFormat.TABLE,
    state_dir: Annotated[
        Path | None,
        typer.Option(
            "--state-dir", file_okay=False, help="Keep late and dead rows there, not in a temporary directory."
        ),
    ] = None,
    catalog: Annotated[
        Path | None,
        typer.Option("--catalog", dir_okay=False, help="Keep tables and views in this file; made if it is not there."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set this option first, as SET does; repeatable."),
    ] = None,
    trigger: Annotated[
        str | None,
        typer.Option(help="When jobs take what has arrived: 'as-fast-as-possible', '5 s', 'available-now' or 'once'."),
    ] = None,
) -> None:
    """Run SQL. Without -e and -f it reads standard input, or asks at a terminal.

    A SELECT writes its rows as they come, until its input ends or Ctrl-C. An INSERT runs as a job and shows its
    progress on stderr.
    """
    from yeoul.cli.options import parse_properties
    from yeoul.cli.sql.main import run

    if "" not in sys.path:
        sys.path.append("")  # CREATE FUNCTION finds modules in the working directory, as `python -m` would
    options = parse_properties(set_, "--set")
    raise typer.Exit(run(execute or [], file, form.value, state_dir, catalog, trigger, options))
