"""The access control lists of a data directory, in `security/acls.json`.

Owns the file. Invariant: a change is durable before it counts. Callers: `guard` in a broker, `yeoul acls` on the
directory of a stopped one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from yeoul.broker.security.acls import Acl, AclFilter, Pattern, Permission
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.broker.security.private_file import read_private_file, replace_private_file
from yeoul.errors import EnvironmentFailure, UserError

__all__ = ["AclStore", "acls_file"]

_FORMAT = 1
_MOST_ACLS = 100_000


def acls_file(data_dir: Path) -> Path:
    """Returns where the rules of a data directory are kept."""
    return data_dir / "security" / "acls.json"


class AclStore:
    """All rules of a data directory.

    Args:
        data_dir: The broker's.

    Raises:
        EnvironmentFailure: The file cannot be read, or is no file of rules.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = acls_file(data_dir)
        self._acls: dict[Acl, None] = {}
        content = read_private_file(self._path)
        if content is not None:
            self._load(content)

    @property
    def acls(self) -> tuple[Acl, ...]:
        """The rules, in the order they were added."""
        return tuple(self._acls)

    def add(self, acls: Iterable[Acl]) -> int:
        """Adds rules; returns how many of them are new. Durable when it returns.

        Raises:
            UserError: One cannot be kept; nothing has changed then.
            EnvironmentFailure: The file cannot be written; nothing has changed then.
        """
        wanted = dict.fromkeys(acls)
        for acl in wanted:
            acl.check()
        after = self._acls | wanted
        if len(after) > _MOST_ACLS:
            raise UserError(f"There would be {len(after)} rules, more than the {_MOST_ACLS} that are kept")
        return self._put(after)

    def remove(self, acls: Iterable[Acl]) -> int:
        """Removes rules; returns how many there were. Durable when it returns."""
        unwanted = frozenset(acls)
        return self._put({acl: None for acl in self._acls if acl not in unwanted})

    def find(self, wanted: AclFilter) -> list[Acl]:
        """Returns the rules that a filter finds."""
        return [acl for acl in self._acls if wanted.finds(acl)]

    def _put(self, after: dict[Acl, None]) -> int:
        changed = abs(len(after) - len(self._acls))
        if changed:
            held = {"version": _FORMAT, "acls": [_encoded(acl) for acl in after]}
            replace_private_file(self._path, json.dumps(held, indent=1).encode() + b"\n")
            self._acls = after
        return changed

    def _load(self, content: bytes) -> None:
        try:
            held = json.loads(content)
            if held["version"] > _FORMAT:
                raise ValueError(f"format {held['version']}")
            self._acls = dict.fromkeys(_read(each) for each in held["acls"])
        except (ValueError, KeyError, TypeError) as error:
            raise EnvironmentFailure(
                f"{str(self._path)!r} is no file of access control lists: {error!r}",
                hint="Restore it from a backup: without it nobody could tell who may do what",
            ) from error


def _encoded(acl: Acl) -> dict[str, str]:
    return {
        "resource_type": acl.resource_type.name,
        "name": acl.name,
        "pattern": acl.pattern.name,
        "principal": acl.principal,
        "host": acl.host,
        "operation": acl.operation.name,
        "permission": acl.permission.name,
    }


def _read(held: dict[str, str]) -> Acl:
    return Acl(
        ResourceType[held["resource_type"]],
        held["name"],
        Pattern[held["pattern"]],
        held["principal"],
        held["host"],
        Operation[held["operation"]],
        Permission[held["permission"]],
    )
