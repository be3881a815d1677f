"""A catalog that survives a restart: declarations as SQL in one SQLite file, read anew when another process changed it.

Every change is one transaction that looks at the newest state first, so two processes on one file never overwrite each
other: the second to create a name is told that it is there. Declarations are bound when they are looked up, so that one
that cannot be read any more (its connector is gone) harms no other.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Container, Iterable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from yeoul.errors import EnvironmentFailure
from yeoul.plan.declarations import declaration_of
from yeoul.plan.tables import DATABASE, TableDefinition, ViewDefinition

__all__ = ["CatalogFile"]

Definition = TableDefinition | ViewDefinition
_VERSION = 3
_FUNCTION = "function "
"""Before a function's name: functions have names of their own, beside those of tables and views."""
_DATABASE = "database "
"""Before a database's name."""
_WAIT_S = 10.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
  name TEXT PRIMARY KEY, kind TEXT NOT NULL, statement TEXT NOT NULL, columns TEXT NOT NULL, comment TEXT NOT NULL
)
"""
_HINTS = {
    "SQLITE_BUSY": "Another process holds it: try again when that is done",
    "SQLITE_FULL": "Make room; nothing was changed",
    "SQLITE_READONLY": "It can be read only: may this user write the file and its directory?",
}
_T = TypeVar("_T")


class CatalogFile:
    """The declarations in a file.

    Args:
        path: The file; made if it is not there.

    Raises:
        EnvironmentFailure: It cannot be opened, is no catalog, or was written by a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = self._carry_out(
            lambda: sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
        )
        self._refuse_another_programs()
        version = self._carry_out(lambda: self._database.execute("PRAGMA user_version").fetchone()[0])
        if version > _VERSION:
            raise EnvironmentFailure(
                f"Catalog {str(path)!r} has version {version}, this yeoul knows {_VERSION}", hint="Update yeoul"
            )
        if version < _VERSION:
            self._carry_out(lambda: self._database.executescript(f"{_SCHEMA}; PRAGMA user_version = {_VERSION}"))

    def _refuse_another_programs(self) -> None:
        query = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid"
        tables = [name for (name,) in self._carry_out(lambda: self._database.execute(query).fetchall())]
        if tables and "entries" not in tables:
            raise EnvironmentFailure(
                f"Catalog {str(self._path)!r} is no catalog: it is another program's database, with {tables[0]!r}",
                hint="Name a file that is not there yet, to begin a catalog.",
            )

    def changed_at(self) -> int:
        """Returns a number that differs when another process has changed the file."""
        return int(self._carry_out(lambda: self._database.execute("PRAGMA data_version").fetchone()[0]))

    def read(self) -> dict[str, Definition | str]:
        """Returns what is declared, in order of creation: views as they are, tables as the text that declares them."""
        query = (
            "SELECT name, kind, statement, columns, comment FROM entries WHERE kind IN ('table', 'view') ORDER BY rowid"
        )
        rows = self._carry_out(lambda: self._database.execute(query).fetchall())
        databases = self.databases()
        return {
            name: text if kind == "table" else _view(name, text, columns, comment, databases)
            for name, kind, text, columns, comment in rows
        }

    def databases(self) -> dict[str, str]:
        """Returns the databases beside the default one, and the comment of each, in order of creation."""
        query = "SELECT name, comment FROM entries WHERE kind = 'database' ORDER BY rowid"
        rows = self._carry_out(lambda: self._database.execute(query).fetchall())
        return {name.removeprefix(_DATABASE): comment for name, comment in rows}

    def put_database(self, name: str, comment: str) -> None:
        """Stores a database; within `change`."""
        query = "INSERT INTO entries (name, kind, statement, columns, comment) VALUES (?, 'database', '', '', ?)"
        self._carry_out(lambda: self._database.execute(query, (_DATABASE + name, comment)))

    def remove_database(self, name: str, held: Iterable[str]) -> None:
        """Forgets a database and the tables and views that it holds; within `change`."""
        for one in (_DATABASE + name, *held):
            self.remove(one)

    def change(self, decide: Callable[[], _T]) -> _T:
        """Runs a change while no other process can make one; what it raises undoes it."""
        self._carry_out(lambda: self._database.execute("BEGIN IMMEDIATE"))
        try:
            decided = decide()
            self._carry_out(lambda: self._database.execute("COMMIT"))
        except BaseException:
            if self._database.in_transaction:  # where the disk is full SQLite has undone it
                self._database.execute("ROLLBACK")
            raise
        return decided

    def put(self, definition: Definition) -> None:
        """Stores a declaration, in the place of what had its name; within `change`."""
        if isinstance(definition, ViewDefinition):
            row = ("view", definition.query, json.dumps(definition.column_names), definition.comment)
        else:
            row = ("table", declaration_of(definition), "[]", definition.comment)
        query = "INSERT OR REPLACE INTO entries (name, kind, statement, columns, comment) VALUES (?, ?, ?, ?, ?)"
        self._carry_out(lambda: self._database.execute(query, (definition.name, *row)))

    def remove(self, name: str) -> None:
        """Forgets a declaration; within `change`."""
        self._carry_out(lambda: self._database.execute("DELETE FROM entries WHERE name = ?", (name,)))

    def functions(self) -> dict[str, tuple[str, str]]:
        """Returns the functions: by their names in upper case, the name as created and the path, `module.name`."""
        query = "SELECT name, columns, statement FROM entries WHERE kind = 'function' ORDER BY rowid"
        rows = self._carry_out(lambda: self._database.execute(query).fetchall())
        return {name.removeprefix(_FUNCTION): (written, path) for name, written, path in rows}

    def put_function(self, name: str, path: str) -> None:
        """Stores a function, in the place of what had its name."""
        query = (
            "INSERT OR REPLACE INTO entries (name, kind, statement, columns, comment) VALUES (?, 'function', ?, ?, '')"
        )
        self.change(
            lambda: self._carry_out(lambda: self._database.execute(query, (_FUNCTION + name.upper(), path, name)))
        )

    def remove_function(self, name: str) -> None:
        """Forgets a function."""
        self.change(lambda: self.remove(_FUNCTION + name.upper()))

    def close(self) -> None:
        """Lets go of the file; idempotent."""
        with closing(self._database):
            pass

    def _carry_out(self, work: Callable[[], _T]) -> _T:
        try:
            return work()
        except sqlite3.OperationalError as error:
            hint = _HINTS.get(error.sqlite_errorname, "Is the path right?")
            raise EnvironmentFailure(f"Catalog {str(self._path)!r}: {error}", hint=hint) from error
        except sqlite3.DatabaseError as error:
            raise EnvironmentFailure(
                f"Catalog {str(self._path)!r} is no catalog: {error}",
                hint="If it was one, put a copy of it in its place; else name another file.",
            ) from error


def _view(name: str, text: str, columns: str, comment: str, databases: Container[str]) -> ViewDefinition:
    owner, _, own = name.partition(".")
    database = owner if own and owner in databases else DATABASE
    return ViewDefinition(name, text, tuple(json.loads(columns)), comment, database)
