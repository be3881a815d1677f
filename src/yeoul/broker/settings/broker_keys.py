"""The broker's settings: what each is, how it is read from `BrokerConfig`, and which may change while it runs.

Kafka's names and meaning where Kafka has the setting (https://kafka.apache.org/documentation/#brokerconfigs). What may
change goes into effect at once: `num.partitions` and `auto.create.topics.enable` as well, which Kafka fixes at a start.
The settings that are topics' defaults (`log.retention.ms`, ...) are `topic_keys.BROKER_NAMES`. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from yeoul.broker.config import BrokerConfig
from yeoul.broker.settings.keys import ConfigKey, ConfigType, check
from yeoul.broker.settings.topic_keys import BROKER_NAMES, TOPIC_KEYS, topic_default_of
from yeoul.errors import UserError, did_you_mean

__all__ = ["BROKER_KEYS", "BrokerKey", "applied", "check_broker_entries", "key_of", "topic_defaults_among"]

_B, _S, _I, _L, _LIST = ConfigType.BOOLEAN, ConfigType.STRING, ConfigType.INT, ConfigType.LONG, ConfigType.LIST

Change = Callable[[BrokerConfig, str], BrokerConfig]


@dataclass(frozen=True, slots=True)
class BrokerKey:
    """One setting of the broker.

    Attributes:
        key: Its name, type and text.
        read: Its value, from what the broker was started with.
        change: Returns the settings with another value; None when only a start can change it.
    """

    key: ConfigKey
    read: Callable[[BrokerConfig], str]
    change: Change | None = None


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _limit(field: str) -> tuple[Callable[[BrokerConfig], str], Change]:
    """How one of the broker's bounds is read and changed."""

    def read(config: BrokerConfig) -> str:
        return str(getattr(config.limits, field))

    def change(config: BrokerConfig, value: str) -> BrokerConfig:
        changes: dict[str, int] = {field: int(value)}
        return replace(config, limits=replace(config.limits, **changes))

    return read, change


def _unlimited(name: str) -> BrokerKey:
    """A rate of replication: taken, so that tools that set it go on, though nothing is ever replicated."""
    text = "There is one copy of each partition: kept, not acted on."
    return BrokerKey(ConfigKey(name, _L, text, 0), lambda config: str(2**63 - 1), lambda config, value: config)


_KEYS = (
    _unlimited("follower.replication.throttled.rate"),
    _unlimited("leader.replication.throttled.rate"),
    _unlimited("replica.alter.log.dirs.io.max.bytes.per.second"),
    BrokerKey(
        ConfigKey("auto.create.topics.enable", _B, "Whether asking for an unknown topic creates it."),
        lambda config: _flag(config.auto_create_topics),
        lambda config, value: replace(config, auto_create_topics=value.strip().lower() == "true"),
    ),
    BrokerKey(ConfigKey("broker.id", _I, "This broker's number; there is but one."), lambda config: "1"),
    BrokerKey(ConfigKey("node.id", _I, "This broker's number; there is but one."), lambda config: "1"),
    BrokerKey(
        ConfigKey("process.roles", _LIST, "The one process is broker and controller."),
        lambda config: "broker,controller",
    ),
    BrokerKey(ConfigKey("default.replication.factor", _I, "There is one copy of each partition."), lambda config: "1"),
    BrokerKey(
        ConfigKey("offsets.topic.replication.factor", ConfigType.SHORT, "There is one copy."), lambda config: "1"
    ),
    BrokerKey(
        ConfigKey("transaction.state.log.replication.factor", ConfigType.SHORT, "There is one copy."),
        lambda config: "1",
    ),
    BrokerKey(ConfigKey("delete.topic.enable", _B, "Whether topics may be deleted: they may."), lambda config: "true"),
    BrokerKey(
        ConfigKey("fetch.max.bytes", _I, "The most that one Fetch response holds, give or take a batch.", 1024),
        *_limit("fetch_bytes"),
    ),
    BrokerKey(
        ConfigKey(
            "group.initial.rebalance.delay.ms", _I, "How long a new group waits for more members before it begins.", 0
        ),
        lambda config: str(config.group_initial_rebalance_delay_ms),
    ),
    BrokerKey(
        ConfigKey("log.cleaner.enable", _B, "Whether compacted topics are compacted."),
        lambda config: _flag(config.cleaner_enable),
    ),
    BrokerKey(
        ConfigKey("log.cleaner.backoff.ms", _L, "How often it is looked whether a topic needs compaction.", 1),
        lambda config: str(config.cleaner_backoff_ms),
    ),
    BrokerKey(
        ConfigKey("log.cleaner.dedupe.buffer.size", _L, "The most memory for the keys of one cleaning.", 1),
        lambda config: str(config.cleaner_dedupe_buffer_bytes),
    ),
    BrokerKey(
        ConfigKey(
            "log.cleaner.io.max.bytes.per.second", ConfigType.DOUBLE, "What a cleaning reads and writes at most.", 1
        ),
        lambda config: str(config.cleaner_io_max_bytes_per_second),
    ),
    BrokerKey(
        ConfigKey("log.retention.check.interval.ms", _L, "How often old segments are looked for.", 1),
        lambda config: str(config.retention_check_interval_ms),
    ),
    BrokerKey(
        ConfigKey(
            "group.min.session.timeout.ms", _I, "The shortest session that a member of a classic group may ask for.", 1
        ),
        lambda config: str(config.group_min_session_timeout_ms),
    ),
    BrokerKey(
        ConfigKey(
            "group.max.session.timeout.ms", _I, "The longest session that a member of a classic group may ask for.", 1
        ),
        lambda config: str(config.group_max_session_timeout_ms),
    ),
    BrokerKey(
        ConfigKey("group.max.size", _I, "The most members of a classic group.", 1),
        lambda config: str(config.group_max_size),
    ),
    BrokerKey(
        ConfigKey(
            "group.consumer.session.timeout.ms",
            _I,
            "How long a member of a group of the consumer protocol may be silent.",
            1,
        ),
        lambda config: str(config.group_consumer_session_timeout_ms),
    ),
    BrokerKey(
        ConfigKey(
            "group.consumer.heartbeat.interval.ms", _I, "How often members of a group of the consumer protocol come.", 1
        ),
        lambda config: str(config.group_consumer_heartbeat_interval_ms),
    ),
    BrokerKey(
        ConfigKey("group.consumer.max.size", _I, "The most members of a group of the consumer protocol.", 1),
        lambda config: str(config.group_consumer_max_size),
    ),
    BrokerKey(
        ConfigKey("offsets.retention.minutes", _I, "How long committed offsets outlive their use.", 1),
        lambda config: str(config.offsets_retention_minutes),
    ),
    BrokerKey(
        ConfigKey("offsets.retention.check.interval.ms", _I, "How often it is looked for offsets to drop.", 1),
        lambda config: str(config.offsets_retention_check_interval_ms),
    ),
    BrokerKey(
        ConfigKey("group.consumer.assignors", ConfigType.LIST, "What members may ask for, the broker's choice first."),
        lambda config: ",".join(config.group_consumer_assignors),
    ),
    BrokerKey(ConfigKey("log.dirs", _S, "The data directory; there is but one."), lambda config: str(config.data_dir)),
    BrokerKey(
        ConfigKey("max.connections", _I, "Open connections at most; further ones are closed at once.", 1),
        *_limit("connections"),
    ),
    BrokerKey(
        ConfigKey("max.connections.per.ip", _I, "Open connections of one address at most; 0 for no bound.", 0),
        *_limit("connections_per_address"),
    ),
    BrokerKey(
        ConfigKey("max.connection.creation.rate", _I, "New connections a second; further ones wait. 0: no bound.", 0),
        *_limit("connections_per_second"),
    ),
    BrokerKey(ConfigKey("connections.max.idle.ms", _L, "How long a connection may be silent."), _limit("idle_ms")[0]),
    BrokerKey(
        ConfigKey("listeners", _LIST, "Where the broker listens."),
        lambda config: ",".join(listener.url for listener in config.bound_listeners),
    ),
    BrokerKey(
        ConfigKey("advertised.listeners", _LIST, "What clients are told of where the broker listens."),
        lambda config: ",".join(listener.advertised_url for listener in config.bound_listeners),
    ),
    BrokerKey(
        ConfigKey("num.partitions", _I, "Partitions of a topic that is created without saying how many.", 1),
        lambda config: str(config.num_partitions),
        lambda config, value: replace(config, num_partitions=int(value)),
    ),
    BrokerKey(ConfigKey("socket.request.max.bytes", _I, "The largest Produce request.", 1), _limit("request_bytes")[0]),
    BrokerKey(
        ConfigKey("transaction.max.timeout.ms", _I, "The longest time-out that a transaction may ask for.", 1),
        lambda config: str(config.transaction_max_timeout_ms),
    ),
    BrokerKey(
        ConfigKey(
            "yeoul.flush",
            _S,
            "When an append is acknowledged: once it is on the disk (commit), or at once (interval, os).",
            choices=("commit", "interval", "os"),
        ),
        lambda config: config.flush,
    ),
    BrokerKey(
        ConfigKey("yeoul.disk.reserve.bytes", _L, "Free space that clients may not use up.", 0),
        lambda config: str(config.disk_reserve_bytes),
    ),
    BrokerKey(
        ConfigKey("yeoul.flush.interval.ms", _I, "The pause between flush rounds under `interval`.", 1),
        lambda config: str(config.flush_interval_ms),
    ),
    BrokerKey(ConfigKey("yeoul.max.partitions", _I, "Partitions over all topics, at most.", 1), *_limit("partitions")),
)

BROKER_KEYS: Mapping[str, BrokerKey] = MappingProxyType({one.key.name: one for one in _KEYS})
"""The broker's own settings, by name."""


def key_of(name: str) -> ConfigKey:
    """Returns the key of a setting that may be changed: the broker's own, or one that is topics' default.

    Raises:
        UserError: There is none, or only a start can change it.
    """
    own = BROKER_KEYS.get(name)
    if own is not None:
        if own.change is None:
            raise UserError(f"Configuration {name!r} is fixed when the broker starts")
        return own.key
    if name in BROKER_NAMES:
        topic_key = TOPIC_KEYS[BROKER_NAMES[name]]
        return replace(topic_key, name=name, broker_name=None)
    if topic_default_of(name, "0") is not None:
        return ConfigKey(name, ConfigType.INT, "A topic's default, in other units.", low=-1)
    raise UserError(f"Unknown broker configuration {name!r}", hint=did_you_mean(name, [*BROKER_KEYS, *BROKER_NAMES]))


def check_broker_entries(config: BrokerConfig, entries: Mapping[str, str]) -> None:
    """Raises UserError unless every entry may be changed while the broker runs, to the value that it has."""
    for name, value in entries.items():
        check(key_of(name), value)
    applied(config, entries)


def applied(config: BrokerConfig, entries: Mapping[str, str]) -> BrokerConfig:
    """Returns the settings with some of the broker's own changed; others among `entries` are passed over.

    Raises:
        UserError: Together they are none that a broker can have.
    """
    for name, value in entries.items():
        own = BROKER_KEYS.get(name)
        if own is not None and own.change is not None:
            config = own.change(config, value)
    return config


def topic_defaults_among(entries: Mapping[str, str]) -> dict[str, str]:
    """Returns topics' settings that the broker's `entries` are the defaults of; the finer unit wins over the coarser.

    Example:
        >>> topic_defaults_among({"log.retention.hours": "1", "log.retention.ms": "5", "num.partitions": "3"})
        {'retention.ms': '5'}
    """
    found: dict[str, str] = {}
    for name in sorted(entries, key=lambda name: (name in BROKER_NAMES, name.endswith("minutes"))):
        default = topic_default_of(name, entries[name])
        if default is not None:
            found[default[0]] = default[1]
    return found
