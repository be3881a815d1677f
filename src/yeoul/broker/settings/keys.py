"""A setting's name, type, bounds and text, and where its value comes from.

Names, types and defaults are Kafka's; the texts are ours. Pure. Callers: the tables beside this file, `describing`,
`changing`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from yeoul.errors import UserError, did_you_mean

__all__ = ["ConfigKey", "ConfigType", "Source", "check", "find"]

_INT_MAX = 2**31 - 1
_LONG_MAX = 2**63 - 1


class ConfigType(IntEnum):
    """What a value is, as DescribeConfigs numbers it."""

    UNKNOWN = 0
    BOOLEAN = 1
    STRING = 2
    INT = 3
    SHORT = 4
    LONG = 5
    DOUBLE = 6
    LIST = 7
    CLASS = 8
    PASSWORD = 9


class Source(IntEnum):
    """Where a value comes from, as DescribeConfigs numbers it; the lower of two wins."""

    TOPIC = 1
    DYNAMIC_BROKER = 2
    DYNAMIC_DEFAULT_BROKER = 3
    STATIC_BROKER = 4
    DEFAULT = 5
    DYNAMIC_BROKER_LOGGER = 6
    CLIENT_METRICS = 7
    GROUP = 8


@dataclass(frozen=True, slots=True)
class ConfigKey:
    """One setting.

    Attributes:
        name: As Kafka calls it.
        type: What its values are.
        text: What it does, for people.
        low: The least number allowed; None for none.
        high: The largest.
        choices: The words allowed; empty for any.
        broker_name: The broker's setting that is a topic's default, for topics' settings.
    """

    name: str
    type: ConfigType
    text: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    broker_name: str | None = None

    @property
    def is_sensitive(self) -> bool:
        """Whether its value is never told."""
        return self.type is ConfigType.PASSWORD

    @property
    def is_list(self) -> bool:
        return self.type is ConfigType.LIST


_WHOLE = {ConfigType.INT: _INT_MAX, ConfigType.LONG: _LONG_MAX, ConfigType.SHORT: 2**15 - 1}


def check(key: ConfigKey, value: str) -> None:
    """Raises UserError unless a value is of the key's type and within its bounds.

    Example:
        >>> check(ConfigKey("a.ms", ConfigType.LONG, "", low=1), "0")
        Traceback (most recent call last):
        ...
        yeoul.errors.UserError: Invalid value '0' for configuration 'a.ms': expected at least 1
    """
    if key.type in _WHOLE:
        _check_number(key, value, _whole(key, value), high=_WHOLE[key.type])
    elif key.type is ConfigType.DOUBLE:
        _check_number(key, value, _real(key, value), high=math.inf)
    elif key.type is ConfigType.BOOLEAN and value.strip().lower() not in ("true", "false"):
        raise _invalid(key, value, "expected true or false")
    elif key.choices:
        words = [word.strip() for word in value.split(",") if word.strip()] if key.is_list else [value]
        for word in words:
            if word not in key.choices:
                raise _invalid(key, value, f"expected {'some' if key.is_list else 'one'} of {', '.join(key.choices)}")


def find(name: str, keys: Mapping[str, ConfigKey], what: str) -> ConfigKey:
    """Returns a key by its name.

    Raises:
        UserError: There is none.
    """
    try:
        return keys[name]
    except KeyError:
        raise UserError(f"Unknown {what} configuration {name!r}", hint=did_you_mean(name, keys)) from None


def _check_number(key: ConfigKey, value: str, number: float, high: float) -> None:
    low = key.low if key.low is not None else -high - 1
    high = min(high, key.high) if key.high is not None else high
    if number < low:
        raise _invalid(key, value, f"expected at least {low}")
    if number > high:
        raise _invalid(key, value, f"expected at most {high}")


def _whole(key: ConfigKey, value: str) -> int:
    try:
        return int(value.strip())
    except ValueError:
        raise _invalid(key, value, f"expected a number of type {key.type.name}") from None


def _real(key: ConfigKey, value: str) -> float:
    try:
        number = float(value.strip())
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise _invalid(key, value, "expected a number of type DOUBLE")
    return number


def _invalid(key: ConfigKey, value: str, expected: str) -> UserError:
    return UserError(f"Invalid value {value!r} for configuration {key.name!r}: {expected}")
