"""The broker's settings for groups and their offsets. Callers: `server`, the coordinator."""

from __future__ import annotations

from dataclasses import dataclass, field

from yeoul.broker.groups.consumer.group import ConsumerGroupConfig

__all__ = ["GroupConfig"]


@dataclass(frozen=True, slots=True)
class GroupConfig:
    """The broker's limits for groups; Kafka's defaults but for the initial delay.

    Attributes:
        min_session_timeout_ms: `group.min.session.timeout.ms`.
        max_session_timeout_ms: `group.max.session.timeout.ms`.
        max_size: `group.max.size`: the members of one classic group.
        initial_rebalance_delay_ms: `group.initial.rebalance.delay.ms`: how long an empty group waits for more members
            after the first one. Kafka's 3 s would only be a wait here; but none at all makes the first leader assign
            before its metadata has come, and the rebalance that follows at once trips kafka-python 3 when it polls with
            short time-outs (it drops the assignment of a leader whose poll ended during the join).
        max_offset_metadata_bytes: `offset.metadata.max.bytes`.
        offsets_retention_ms: `offsets.retention.minutes`: how long offsets outlive their group's last member.
        offsets_check_interval_ms: `offsets.retention.check.interval.ms`.
        consumer: For groups of the consumer protocol.
    """

    min_session_timeout_ms: int = 6_000
    max_session_timeout_ms: int = 1_800_000
    max_size: int = (1 << 31) - 1
    initial_rebalance_delay_ms: int = 100
    max_offset_metadata_bytes: int = 4_096
    offsets_retention_ms: int = 7 * 86_400_000
    offsets_check_interval_ms: int = 600_000
    consumer: ConsumerGroupConfig = field(default_factory=ConsumerGroupConfig)
