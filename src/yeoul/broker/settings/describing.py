"""Settings as DescribeConfigs tells them: each with its value, where that comes from, and what lies beneath it.

Pure, but for the levels of loggers. Callers: the handlers of DescribeConfigs, CreateTopics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from yeoul.broker.config import BrokerConfig
from yeoul.broker.settings.broker_keys import BROKER_KEYS
from yeoul.broker.settings.group_keys import GROUP_DEFAULTS, GROUP_KEYS
from yeoul.broker.settings.keys import ConfigKey, ConfigType, Source
from yeoul.broker.settings.loggers import LEVELS, logger_levels
from yeoul.broker.settings.overrides import Overrides
from yeoul.broker.settings.topic_keys import BROKER_NAMES, TOPIC_KEYS, topic_default_of
from yeoul.log.config import TOPIC_DEFAULTS

__all__ = ["Described", "Synonym", "broker_settings", "group_settings", "logger_settings", "topic_settings"]


@dataclass(frozen=True, slots=True)
class Synonym:
    """A value that a setting has, or would have if those before it were not."""

    name: str
    value: str | None
    source: Source


@dataclass(frozen=True, slots=True)
class Described:
    """One setting; its first synonym is what is in effect.

    Attributes:
        key: What it is.
        read_only: Only a start can change it.
        synonyms: In the order in which they win, at least one.
    """

    key: ConfigKey
    read_only: bool
    synonyms: tuple[Synonym, ...]

    @property
    def value(self) -> str | None:
        """What is in effect; None when it is a secret."""
        return None if self.key.is_sensitive else self.synonyms[0].value

    @property
    def source(self) -> Source:
        return self.synonyms[0].source


def topic_settings(
    entries: Mapping[str, str], overrides: Overrides, static_defaults: Mapping[str, str]
) -> list[Described]:
    """Returns all settings of a topic whose own are `entries`.

    Args:
        entries: The topic's own.
        overrides: What was set for the broker while it ran.
        static_defaults: `BrokerConfig.topic_defaults`.
    """
    return [
        Described(key, False, (*_own(name, entries, Source.TOPIC), *_defaults_of(name, overrides, static_defaults)))
        for name, key in TOPIC_KEYS.items()
    ]


def _own(name: str, entries: Mapping[str, str], source: Source) -> Sequence[Synonym]:
    return (Synonym(name, entries[name], source),) if name in entries else ()


def _defaults_of(name: str, overrides: Overrides, static_defaults: Mapping[str, str]) -> list[Synonym]:
    """What a topic's setting is where the topic says nothing: by the broker's settings, then Kafka's default."""
    found = []
    for entries, source in (
        (overrides.broker, Source.DYNAMIC_BROKER),
        (overrides.defaults, Source.DYNAMIC_DEFAULT_BROKER),
    ):
        for broker_name in sorted(entries, key=lambda one: one not in BROKER_NAMES):
            default = topic_default_of(broker_name, entries[broker_name])
            if default is not None and default[0] == name:
                found.append(Synonym(broker_name, default[1], source))
    broker_name = TOPIC_KEYS[name].broker_name or name
    if name in static_defaults:
        found.append(Synonym(broker_name, static_defaults[name], Source.STATIC_BROKER))
    found.append(Synonym(broker_name, TOPIC_DEFAULTS[name], Source.DEFAULT))
    return found


def broker_settings(static: BrokerConfig, overrides: Overrides, *, cluster_wide: bool) -> list[Described]:
    """Returns the broker's settings; with `cluster_wide`, only what was set for all brokers."""
    if cluster_wide:
        return [
            Described(_key(name), False, (Synonym(name, value, Source.DYNAMIC_DEFAULT_BROKER),))
            for name, value in overrides.defaults.items()
        ]
    untouched = BrokerConfig(Path("-"))
    found = []
    for name, one in BROKER_KEYS.items():
        value, default = one.read(static), one.read(untouched)
        beneath = [Synonym(name, default, Source.DEFAULT)]
        if value != default:
            beneath.insert(0, Synonym(name, value, Source.STATIC_BROKER))
        found.append(Described(one.key, one.change is None, (*_dynamic(name, overrides), *beneath)))
    for name, topic_name in BROKER_NAMES.items():
        beneath = [Synonym(name, TOPIC_DEFAULTS[topic_name], Source.DEFAULT)]
        if topic_name in static.topic_defaults:
            beneath.insert(0, Synonym(name, static.topic_defaults[topic_name], Source.STATIC_BROKER))
        found.append(Described(_key(name), False, (*_dynamic(name, overrides), *beneath)))
    return found


def _dynamic(name: str, overrides: Overrides) -> list[Synonym]:
    return [
        *_own(name, overrides.broker, Source.DYNAMIC_BROKER),
        *_own(name, overrides.defaults, Source.DYNAMIC_DEFAULT_BROKER),
    ]


def _key(name: str) -> ConfigKey:
    if name in BROKER_KEYS:
        return BROKER_KEYS[name].key
    if name in BROKER_NAMES:
        return replace(TOPIC_KEYS[BROKER_NAMES[name]], name=name)
    return ConfigKey(name, ConfigType.INT, "A topic's default, in other units.")


def group_settings(entries: Mapping[str, str]) -> list[Described]:
    """Returns all settings of a group whose own are `entries`."""
    return [
        Described(key, False, (*_own(name, entries, Source.GROUP), Synonym(name, GROUP_DEFAULTS[name], Source.DEFAULT)))
        for name, key in GROUP_KEYS.items()
    ]


def logger_settings() -> list[Described]:
    """Returns the levels of the broker's loggers."""
    text = "A logger's level."
    return [
        Described(
            ConfigKey(name, ConfigType.STRING, text, choices=tuple(LEVELS)),
            False,
            (Synonym(name, level, Source.DYNAMIC_BROKER_LOGGER),),
        )
        for name, level in logger_levels().items()
    ]
