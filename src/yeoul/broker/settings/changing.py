"""Changes of a resource's own entries: all at once (AlterConfigs) or one by one (IncrementalAlterConfigs). Pure.

Source: KIP-339. Callers: `altering`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from yeoul.broker.settings.keys import ConfigKey
from yeoul.wire.errors import ErrorCode, ProtocolError

__all__ = ["Change", "Operation", "changed"]


class Operation(IntEnum):
    """What is done to an entry, as IncrementalAlterConfigs numbers it."""

    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one entry; `value` is None only for a DELETE."""

    name: str
    operation: Operation
    value: str | None

    @classmethod
    def of(cls, name: str, operation: int, value: str | None) -> Change:
        """Returns a change as a request names it.

        Raises:
            ProtocolError: There is no such operation (`INVALID_REQUEST`), or a value is missing (`INVALID_CONFIG`).
        """
        if operation not in Operation._value2member_map_:
            raise ProtocolError(ErrorCode.INVALID_REQUEST, f"Unknown operation {operation} for configuration {name!r}")
        if not name:
            raise ProtocolError(ErrorCode.INVALID_REQUEST, "Expected the name of a configuration, got ''")
        if value is None and operation != Operation.DELETE:
            raise ProtocolError(ErrorCode.INVALID_CONFIG, f"Configuration {name!r}: expected a value, got null")
        return cls(name, Operation(operation), value)


def changed(
    held: Mapping[str, str],
    changes: Iterable[Change],
    key_of: Callable[[str], ConfigKey],
    in_effect: Callable[[str], str],
) -> dict[str, str]:
    """Returns the entries after some changes.

    Args:
        held: Before them.
        changes: Each of another entry.
        key_of: Returns what an entry is, or raises.
        in_effect: Returns the value that appending begins with when `held` has none.

    Raises:
        ProtocolError: An entry is changed twice (`INVALID_REQUEST`), or one that is no list is added to
            (`INVALID_CONFIG`).

    Example:
        >>> from yeoul.broker.settings.topic_keys import TOPIC_KEYS
        >>> append = Change("cleanup.policy", Operation.APPEND, "compact")
        >>> changed({}, [append], TOPIC_KEYS.__getitem__, lambda name: "delete")
        {'cleanup.policy': 'delete,compact'}
    """
    entries, seen = dict(held), set[str]()
    for change in changes:
        if change.name in seen:
            raise ProtocolError(ErrorCode.INVALID_REQUEST, f"Configuration {change.name!r} is named twice")
        seen.add(change.name)
        if change.operation is Operation.DELETE:
            entries.pop(change.name, None)
            continue
        key, value = key_of(change.name), change.value or ""
        if change.operation is Operation.SET:
            entries[change.name] = value
            continue
        if not key.is_list:
            word = change.operation.name.lower()
            raise ProtocolError(ErrorCode.INVALID_CONFIG, f"Cannot {word} to {change.name!r}: it is no list")
        items = _items(entries.get(change.name, in_effect(change.name)))
        given = _items(value)
        if change.operation is Operation.APPEND:
            items += [item for item in given if item not in items]
        else:
            items = [item for item in items if item not in given]
        entries[change.name] = ",".join(items)
    return entries


def _items(value: str) -> list[str]:
    return [item for part in value.split(",") if (item := part.strip())]
