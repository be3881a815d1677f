"""What was set while the broker ran: kept in the data directory, in effect at once and after every start.

Owns `dynamic-settings.json`: the cluster's defaults for all brokers, this broker's own, and groups'. Invariants: a
change is durable before it is in effect; what a start cannot use any more is refused aloud, not dropped. Callers:
`Node`, and through it the config handlers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from yeoul.broker.config import BrokerConfig
from yeoul.broker.settings.broker_keys import applied, topic_defaults_among
from yeoul.errors import EnvironmentFailure

__all__ = ["FILE", "Overrides", "Settings", "Store"]

FILE = "dynamic-settings.json"
_VERSION = 1


class Store(Protocol):
    """Where small files are kept: the log's data directory."""

    def kept(self, name: str) -> bytes | None:
        """Returns what a file holds, None when there is none."""
        ...

    def keep(self, name: str, content: bytes) -> None:
        """Replaces a file; durable when the call returns."""
        ...


@dataclass(frozen=True, slots=True)
class Overrides:
    """All that was set while a broker ran.

    Attributes:
        defaults: Of all brokers (`--entity-default`).
        broker: Of this broker; they win.
        groups: By group.

    Example:
        >>> changed = Overrides().with_broker({"num.partitions": "3"})
        >>> Overrides.decode(changed.encode()) == changed
        True
    """

    defaults: Mapping[str, str] = field(default_factory=dict)
    broker: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def with_defaults(self, entries: Mapping[str, str]) -> Overrides:
        return replace(self, defaults=dict(entries))

    def with_broker(self, entries: Mapping[str, str]) -> Overrides:
        return replace(self, broker=dict(entries))

    def with_group(self, group: str, entries: Mapping[str, str]) -> Overrides:
        groups = {name: held for name, held in self.groups.items() if name != group}
        return replace(self, groups=groups | ({group: dict(entries)} if entries else {}))

    @property
    def merged(self) -> dict[str, str]:
        """The broker's settings, its own over the cluster's."""
        return {**self.defaults, **self.broker}

    def over(self, config: BrokerConfig) -> BrokerConfig:
        """Returns a broker's settings with these over them.

        Raises:
            UserError: Together they are none that a broker can have.
        """
        return applied(config, self.merged)

    def topic_defaults(self) -> dict[str, str]:
        """Topics' settings where they do not say otherwise."""
        return {**topic_defaults_among(self.defaults), **topic_defaults_among(self.broker)}

    def encode(self) -> bytes:
        body = {
            "version": _VERSION,
            "defaults": dict(self.defaults),
            "broker": dict(self.broker),
            "groups": {name: dict(entries) for name, entries in self.groups.items()},
        }
        return json.dumps(body, indent=1, sort_keys=True).encode() + b"\n"

    @classmethod
    def decode(cls, content: bytes | None) -> Overrides:
        """Raises:
        EnvironmentFailure: The file is not what was written.
        """
        if content is None:
            return cls()
        try:
            body = json.loads(content)
            if body["version"] > _VERSION:
                raise ValueError(f"version {body['version']}")
            groups = {str(name): _texts(entries) for name, entries in body["groups"].items()}
            return cls(_texts(body["defaults"]), _texts(body["broker"]), groups)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise EnvironmentFailure(
                f"{FILE} in the data directory does not hold a broker's settings: {error!r}",
                hint="Mend it, or take it away: the broker then starts with what it is given.",
            ) from error


def _texts(entries: Mapping[str, object]) -> dict[str, str]:
    return {str(name): str(value) for name, value in entries.items()}


@dataclass(slots=True)
class Settings:
    """A running broker's settings: what it was started with, and what was set since.

    Args:
        static: What it was started with.
        store: Where changes are kept.
        put_in_effect: Called with the settings and topics' defaults, now and after each change.

    Raises:
        EnvironmentFailure: What was kept cannot be read.
        UserError: What was kept cannot be used together with what the broker was started with.
    """

    static: BrokerConfig
    store: Store
    put_in_effect: Callable[[BrokerConfig, Mapping[str, str]], None]
    overrides: Overrides = field(init=False)

    def __post_init__(self) -> None:
        self.overrides = Overrides.decode(self.store.kept(FILE))
        self._apply()

    def change(self, overrides: Overrides) -> None:
        """Keeps what was set and puts it in effect.

        Raises:
            UserError: The settings are none that a broker can have; nothing was changed.
            LogFull, DiskRefused: They could not be kept; nothing was changed.
        """
        overrides.over(self.static)
        self.store.keep(FILE, overrides.encode())
        self.overrides = overrides
        self._apply()

    def _apply(self) -> None:
        topic_defaults = {**self.static.topic_defaults, **self.overrides.topic_defaults()}
        self.put_in_effect(self.overrides.over(self.static), topic_defaults)
