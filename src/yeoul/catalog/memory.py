"""The catalog of one session, in memory: tables and views by case-sensitive name, in one name space.

Invariants: a name is a table or a view, never both; names with `$` belong to the system tables and cannot be
created; a failed statement changes nothing. Called by sessions (to change it) and by the planner (to look up).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from yeoul.catalog.side_tables import SIDE_KINDS, side_table, split_side_name
from yeoul.errors import UserError, did_you_mean
from yeoul.plan.tables import TableDefinition, ViewDefinition

__all__ = ["Catalog"]

Definition = TableDefinition | ViewDefinition


class Catalog:
    """Names and what they mean.

    Args:
        side_streams: The directory behind `<table>$late` and `<table>$dead`.

    Example:
        >>> catalog = Catalog(Path("/tmp/side"))
        >>> catalog.create_table(TableDefinition("clicks", ()))
        True
        >>> list(catalog.names())
        ['clicks', 'clicks$late', 'clicks$dead']
        >>> catalog.find("Clicks") is None
        True
    """

    def __init__(self, side_streams: Path) -> None:
        self._side_streams = side_streams
        self._entries: dict[str, Definition] = {}

    def find(self, name: str) -> Definition | None:
        """Returns what a name means, system tables included; None if it means nothing."""
        found = self._entries.get(name)
        if found is not None:
            return found
        side = split_side_name(name)
        base = self._entries.get(side[0]) if side else None
        if side is None or not isinstance(base, TableDefinition):
            return None
        return side_table(base, side[1], self._side_streams)

    def names(self) -> Iterator[str]:
        """Yields every name that `find` knows, in order of creation."""
        for name, entry in self._entries.items():
            yield name
            if isinstance(entry, TableDefinition):
                yield from (f"{name}${kind}" for kind in SIDE_KINDS)

    def tables(self) -> list[str]:
        """Returns the names of tables and views, sorted, as SHOW TABLES lists them."""
        return sorted(self._entries)

    def views(self) -> list[str]:
        """Returns the names of views, sorted."""
        return sorted(name for name, entry in self._entries.items() if isinstance(entry, ViewDefinition))

    def create_table(self, definition: TableDefinition, *, if_not_exists: bool = False) -> bool:
        """Adds a table; returns whether it is new.

        Raises:
            UserError: The name is taken (unless `if_not_exists`), or is reserved for a system table.
        """
        return self._create(definition, if_not_exists=if_not_exists, replace=False)

    def create_view(self, definition: ViewDefinition, *, if_not_exists: bool = False, or_replace: bool = False) -> bool:
        """Adds a view, or with `or_replace` puts it in another view's place; returns whether it was added.

        Raises:
            UserError: The name is taken by something that may not be replaced, or is reserved.
        """
        return self._create(definition, if_not_exists=if_not_exists, replace=or_replace)

    def replace_table(self, definition: TableDefinition) -> None:
        """Adds a table or puts it in the place of whatever had its name: for frames handed in from Python."""
        _refuse_reserved(definition.name)
        self._entries[definition.name] = definition

    def drop(self, what: str, name: str, *, if_exists: bool = False) -> bool:
        """Removes a table or a view; returns whether there was one.

        Args:
            what: `table` or `view`.
            name: As created.
            if_exists: Whether a missing name is fine.

        Raises:
            UserError: There is no such name, or it is of the other kind.
        """
        entry = self._entries.get(name)
        if entry is None:
            if if_exists:
                return False
            raise UserError(f"Unknown {what} {name!r} in DROP {what.upper()}", hint=self._nearest(name, what))
        if _kind_of(entry) != what:
            raise UserError(
                f"{name!r} is a {_kind_of(entry)}, not a {what}", hint=f"Write DROP {_kind_of(entry).upper()} {name}."
            )
        del self._entries[name]
        return True

    def _create(self, definition: Definition, *, if_not_exists: bool, replace: bool) -> bool:
        _refuse_reserved(definition.name)
        standing = self._entries.get(definition.name)
        if standing is not None and not (replace and isinstance(standing, ViewDefinition)):
            if if_not_exists:
                return False
            raise UserError(
                f"There is a {_kind_of(standing)} named {definition.name!r} already",
                hint=f"Drop it first, or write CREATE {_kind_of(definition).upper()} IF NOT EXISTS.",
            )
        self._entries[definition.name] = definition
        return True

    def _nearest(self, name: str, what: str) -> str:
        return did_you_mean(name, (known for known, entry in self._entries.items() if _kind_of(entry) == what))


def _kind_of(entry: Definition) -> str:
    return "table" if isinstance(entry, TableDefinition) else "view"


def _refuse_reserved(name: str) -> None:
    if split_side_name(name) is not None:
        raise UserError(
            f"The name {name!r} is reserved: every table has its own '$late' and '$dead'",
            hint="Choose a name that does not end in $late or $dead.",
        )
