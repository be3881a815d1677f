"""The catalog of a session: tables and views by case-sensitive full name, in one name space, in memory or in a file.

Temporary ones are kept in memory in any case, and hide others of their name. Invariants: a name is a table or a view,
never both; in another database than the default one it begins with the database's and a dot; names with `$` belong to
the system tables and cannot be created; a failed statement changes nothing. Called by sessions (to change it) and by
the planner (to look up).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from yeoul.catalog.side_tables import SIDE_KINDS, side_table, split_side_name
from yeoul.catalog.stored import CatalogFile
from yeoul.errors import UserError, did_you_mean
from yeoul.plan.tables import DATABASE, TableDefinition, ViewDefinition, full_name

__all__ = ["Catalog"]

Definition = TableDefinition | ViewDefinition
_T = TypeVar("_T")


class Catalog:
    """Names and what they mean.

    Args:
        side_streams: The directory behind `<table>$late` and `<table>$dead`.
        stored: Where what is not temporary is kept; None: in memory.

    Example:
        >>> catalog = Catalog(Path("/tmp/side"))
        >>> catalog.create_table(TableDefinition("clicks", ()))
        True
        >>> list(catalog.names())
        ['clicks', 'clicks$late', 'clicks$dead']
        >>> catalog.find("Clicks") is None
        True
    """

    def __init__(self, side_streams: Path, stored: CatalogFile | None = None) -> None:
        self._side_streams = side_streams
        self._stored = stored
        self._changed_at = -1
        self._kept: dict[str, Definition | str] = {}
        self._temporary: dict[str, Definition] = {}
        self._databases: dict[str, str] = {DATABASE: ""}
        self._refresh()

    def find(self, name: str) -> Definition | None:
        """Returns what a name means, system tables included; None if it means nothing.

        Raises:
            UserError: It was declared in a stored catalog and cannot be read any more.
        """
        self._refresh()
        found = self._entry(name)
        if found is not None:
            return found
        side = split_side_name(name)
        base = self._entry(side[0]) if side else None
        if side is None or not isinstance(base, TableDefinition):
            return None
        return side_table(base, side[1], self._side_streams)

    def names(self) -> Iterator[str]:
        """Yields every name that `find` knows, in order of creation."""
        for name, kind in self._kinds().items():
            yield name
            if kind == "table":
                yield from (f"{name}${kind}" for kind in SIDE_KINDS)

    def tables(self, database: str = DATABASE) -> list[str]:
        """Returns the names of a database's tables and views, sorted, as SHOW TABLES lists them."""
        return sorted(self._names_within(database))

    def views(self, database: str = DATABASE) -> list[str]:
        """Returns the names of a database's views, sorted."""
        return sorted(name for name, kind in self._names_within(database).items() if kind == "view")

    def databases(self) -> Mapping[str, str]:
        """Returns the databases and the comment of each, in order of creation."""
        self._refresh()
        return self._databases

    def create_database(self, name: str, comment: str = "", *, if_not_exists: bool = False) -> bool:
        """Adds a database; returns whether it is new.

        Raises:
            UserError: The name is taken, or tables of the default database have names that begin so.
        """
        return self._change(lambda: self._created_database(name, comment, if_not_exists))

    def drop_database(self, name: str, *, if_exists: bool = False, cascade: bool = False) -> bool:
        """Removes a database; returns whether there was one.

        Raises:
            UserError: There is none of that name, or there are tables in it and `cascade` does not say so.
        """
        return self._change(lambda: self._dropped_database(name, if_exists, cascade))

    def _created_database(self, name: str, comment: str, if_not_exists: bool) -> bool:
        if name in self._databases:
            if if_not_exists:
                return False
            raise UserError(f"There is a database named {name!r} already", hint="Write CREATE DATABASE IF NOT EXISTS.")
        taken = next((one for one in self._kinds() if one.startswith(f"{name}.")), None)
        if taken is not None:
            raise UserError(f"The table {taken!r} would be taken for one of database {name!r}", hint="Rename it first.")
        self._databases[name] = comment
        if self._stored is not None:
            self._stored.put_database(name, comment)
        return True

    def _dropped_database(self, name: str, if_exists: bool, cascade: bool) -> bool:
        if name == DATABASE:
            raise UserError(f"{DATABASE!r} cannot be dropped", hint="DROP TABLE forgets what is in it.")
        if name not in self._databases:
            if if_exists:
                return False
            raise UserError(f"Unknown database {name!r} in DROP DATABASE", hint=did_you_mean(name, self._databases))
        held = [full_name(name, one) for one in self._names_within(name)]
        if held and not cascade:
            raise UserError(
                f"Database {name!r} is not empty: {', '.join(held[:3])}{', ...' if len(held) > 3 else ''}",
                hint="DROP DATABASE ... CASCADE forgets what is in it, too.",
            )
        for entries in (self._kept, self._temporary):
            for one in held:
                entries.pop(one, None)
        del self._databases[name]
        if self._stored is not None:
            self._stored.remove_database(name, held)
        return True

    def _names_within(self, database: str) -> dict[str, str]:
        """Returns the names in a database, without its own, and whether each is a table or a view."""
        found = {}
        for name, kind in self._kinds().items():
            owner, _, own = name.partition(".")
            lies_in = owner if own and owner in self._databases and owner != DATABASE else DATABASE
            if lies_in == database:
                found[own if lies_in != DATABASE else name] = kind
        return found

    def close(self) -> None:
        """Lets go of the file; idempotent."""
        if self._stored is not None:
            self._stored.close()

    def create_table(
        self, definition: TableDefinition, *, if_not_exists: bool = False, temporary: bool = False
    ) -> bool:
        """Adds a table; returns whether it is new.

        Raises:
            UserError: The name is taken (unless `if_not_exists`), or is reserved for a system table.
        """
        return self._create(definition, if_not_exists=if_not_exists, replace=False, temporary=temporary)

    def create_view(
        self,
        definition: ViewDefinition,
        *,
        if_not_exists: bool = False,
        or_replace: bool = False,
        temporary: bool = False,
    ) -> bool:
        """Adds a view, or with `or_replace` puts it in another view's place; returns whether it was added.

        Raises:
            UserError: The name is taken by something that may not be replaced, or is reserved.
        """
        return self._create(definition, if_not_exists=if_not_exists, replace=or_replace, temporary=temporary)

    def replace_table(self, definition: TableDefinition) -> None:
        """Adds a temporary table or puts it in the place of whatever had its name: for frames handed in from Python."""
        _refuse_reserved(definition.name)
        if self._stored is None:
            self._kept.pop(definition.name, None)
        self._temporary[definition.name] = definition

    def drop(self, what: str, name: str, *, if_exists: bool = False, temporary: bool = False) -> bool:
        """Removes a table or a view; returns whether there was one.

        Args:
            what: `table` or `view`.
            name: As created.
            if_exists: Whether a missing name is fine.
            temporary: Whether only a temporary one is meant.

        Raises:
            UserError: There is no such name, or it is of the other kind, or a temporary one hides it.
        """
        return self._change(lambda: self._drop(what, name, if_exists, temporary))

    def alter(self, name: str, definition: Definition) -> None:
        """Changes what a name means; under another name it is renamed.

        Raises:
            UserError: There is no such name any more, or the new one is taken or reserved.
        """
        _refuse_reserved(definition.name)
        self._change(lambda: self._alter(name, definition))

    def _alter(self, name: str, definition: Definition) -> None:
        entries = self._temporary if name in self._temporary else self._kept
        if name not in entries:
            raise UserError(f"Unknown table or view {name!r}", hint=did_you_mean(name, self._kinds()))
        if definition.name != name and definition.name in entries:
            raise UserError(f"There is a {self._kinds()[definition.name]} named {definition.name!r} already")
        entries[definition.name] = definition
        if definition.name != name:
            del entries[name]
        if self._stored is not None and entries is self._kept:
            self._stored.put(definition)
            if definition.name != name:
                self._stored.remove(name)

    def _drop(self, what: str, name: str, if_exists: bool, temporary: bool) -> bool:
        hidden = name in self._temporary
        if hidden and not temporary and name in self._kept:
            raise UserError(
                f"A temporary {_kind_of(self._temporary[name])} hides {name!r}",
                hint=f"Drop it first: DROP TEMPORARY {_kind_of(self._temporary[name]).upper()} {name}.",
            )
        kind = None if temporary and not hidden else self._kinds().get(name)
        if kind is None:
            if if_exists:
                return False
            raise UserError(f"Unknown {what} {name!r} in DROP {what.upper()}", hint=self._nearest(name, what))
        if kind != what:
            raise UserError(f"{name!r} is a {kind}, not a {what}", hint=f"Write DROP {kind.upper()} {name}.")
        if hidden:
            del self._temporary[name]
            return True
        del self._kept[name]
        if self._stored is not None:
            self._stored.remove(name)
        return True

    def _create(self, definition: Definition, *, if_not_exists: bool, replace: bool, temporary: bool) -> bool:
        _refuse_reserved(definition.name)
        return self._change(lambda: self._created(definition, if_not_exists, replace, temporary))

    def _created(self, definition: Definition, if_not_exists: bool, replace: bool, temporary: bool) -> bool:
        entries = self._temporary if temporary else self._kept
        taken = self._temporary.get(definition.name) or self._kept.get(definition.name)
        standing = entries.get(definition.name) if self._stored is not None or temporary else taken
        if standing is not None and not (replace and isinstance(standing, ViewDefinition)):
            if if_not_exists:
                return False
            raise UserError(
                f"There is a {_kind_of(standing)} named {definition.name!r} already",
                hint=f"Drop it first, or write CREATE {_kind_of(definition).upper()} IF NOT EXISTS.",
            )
        entries[definition.name] = definition
        if self._stored is not None and not temporary:
            self._stored.put(definition)
        return True

    def _change(self, decide: Callable[[], _T]) -> _T:
        """Makes a change; in a stored catalog against its newest state, as one transaction."""
        if self._stored is None:
            return decide()

        def decided() -> _T:
            self._refresh()
            return decide()

        try:
            return self._stored.change(decided)
        except BaseException:
            self._changed_at = -1
            raise

    def _refresh(self) -> None:
        """Takes over what other processes have changed."""
        if self._stored is None:
            return
        changed_at = self._stored.changed_at()
        if changed_at != self._changed_at:
            self._databases = {DATABASE: "", **self._stored.databases()}
            self._kept = dict(self._stored.read())
            self._changed_at = changed_at

    def _entry(self, name: str) -> Definition | None:
        found = self._temporary.get(name) or self._kept.get(name)
        if not isinstance(found, str):
            return found
        try:
            self._kept[name] = bound = self._bound(found)
        except UserError as error:
            raise UserError(
                f"Table {name!r} of the stored catalog cannot be read: {error.message}", hint=error.hint
            ) from None
        return bound

    def _bound(self, text: str) -> Definition:
        from yeoul.plan.statements import CreateTable
        from yeoul.planner.sql import bind, parse

        statement = bind(parse(text)[0], self, {})
        assert isinstance(statement, CreateTable)
        return statement.definition

    def _kinds(self) -> dict[str, str]:
        """Returns every name and whether it is a table or a view, in order of creation."""
        self._refresh()
        return {name: _kind_of(entry) for name, entry in (*self._kept.items(), *self._temporary.items())}

    def _nearest(self, name: str, what: str) -> str:
        return did_you_mean(name, (known for known, kind in self._kinds().items() if kind == what))


def _kind_of(entry: Definition | str) -> str:
    return "view" if isinstance(entry, ViewDefinition) else "table"


def _refuse_reserved(name: str) -> None:
    if split_side_name(name) is not None:
        raise UserError(
            f"The name {name!r} is reserved: every table has its own '$late' and '$dead'",
            hint="Choose a name that does not end in $late or $dead.",
        )
