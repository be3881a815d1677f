"""The settings of single groups (KIP-848): what a group may have otherwise than the broker says.

Source: https://kafka.apache.org/documentation/#groupconfigs. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from yeoul.broker.settings.keys import ConfigKey, ConfigType, check, find

__all__ = ["GROUP_DEFAULTS", "GROUP_KEYS", "check_group_entries"]

_KEYS = (
    ConfigKey(
        "consumer.heartbeat.interval.ms",
        ConfigType.INT,
        "How often members of a group of the consumer protocol are to be heard from.",
        100,
        60_000,
    ),
    ConfigKey(
        "consumer.session.timeout.ms",
        ConfigType.INT,
        "How long a member of a group of the consumer protocol may be silent.",
        3_000,
        600_000,
    ),
)

GROUP_KEYS: Mapping[str, ConfigKey] = MappingProxyType({key.name: key for key in _KEYS})
GROUP_DEFAULTS: Mapping[str, str] = MappingProxyType(
    {"consumer.heartbeat.interval.ms": "500", "consumer.session.timeout.ms": "45000"}
)


def check_group_entries(entries: Mapping[str, str]) -> None:
    """Raises UserError unless every entry is a group's setting and has a value that it may have."""
    for name, value in entries.items():
        check(find(name, GROUP_KEYS, "group"), value)
