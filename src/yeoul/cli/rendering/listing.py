"""Small tables for people, and the same as JSON for scripts: the answers of the commands about a cluster."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["print_json", "print_rows", "print_table"]


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Iterable[str] = ()) -> None:
    """Prints rows under a header, the columns in `numbers` to the right; whole when the output is no terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=100_000)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    right = set(numbers)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold", no_wrap=False)
    for row in rows:
        table.add_row(*(Text("-" if value is None else str(value)) for value in row))
    console.print(table)


def print_json(value: Mapping[str, object]) -> None:
    """Prints one object on one line."""
    print(json.dumps(value, ensure_ascii=False), file=sys.stdout)


def print_rows(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    numbers: Iterable[str] = (),
    as_json: bool = False,
    nothing: str = "",
) -> None:
    """Prints a table, or with `as_json` one object a row whose names are the columns', with `_` for spaces.

    Args:
        columns: The header.
        rows: What is below it.
        numbers: The columns that stand to the right.
        as_json: For scripts.
        nothing: What to say to people when there are no rows.
    """
    if as_json:
        names = [column.replace(" ", "_") for column in columns]
        for row in rows:
            print_json(dict(zip(names, row, strict=True)))
        return
    held = list(rows)
    if held or not nothing:
        print_table(columns, held, numbers=numbers)
    else:
        print(nothing)
