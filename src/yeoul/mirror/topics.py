"""Topics at the target made like those at the source: created, grown, configured. Nothing is ever deleted.

Owns what was said already, so that a refusal is told once. Callers: `session`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from yeoul.connectors.spec import ConnectorContext
from yeoul.mirror.client import Client, refusal
from yeoul.mirror.planning import NEVER_COPIED, Change, Setting, TopicPlan, config_changes
from yeoul.wire.errors import ErrorCode, error_name
from yeoul.wire.messages.create_partitions import (
    CREATE_PARTITIONS,
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from yeoul.wire.messages.create_topics import (
    CREATE_TOPICS,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from yeoul.wire.messages.describe_configs import (
    DESCRIBE_CONFIGS,
    DescribeConfigsRequest,
    DescribeConfigsResource,
)
from yeoul.wire.messages.incremental_alter_configs import (
    INCREMENTAL_ALTER_CONFIGS,
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)

__all__ = ["TopicKeeper", "create_topic"]

_TOPIC = 2
_OWN_SOURCE = 1
_SET, _DELETE = 0, 1
_TIMEOUT_MS = 30_000
_STAMPED = Setting("LogAppendTime", True)
_MAX_MESSAGE_BYTES = 1_048_588


def create_topic(
    client: Client, name: str, partitions: int, replication_factor: int, configs: Mapping[str, str] | None = None
) -> None:
    """Creates a topic; one that is there already is left as it is.

    Raises:
        PeerError: The cluster refuses.
    """
    topic = CreatableTopic(
        name=name,
        num_partitions=partitions,
        replication_factor=replication_factor,
        configs=[CreatableTopicConfig(name=key, value=value) for key, value in (configs or {}).items()],
    )
    request = CreateTopicsRequest(topics=[topic], timeout_ms=_TIMEOUT_MS)
    for one in client.ask_controller(CREATE_TOPICS, request).topics:
        if one.error_code not in (ErrorCode.NONE, ErrorCode.TOPIC_ALREADY_EXISTS):
            raise refusal(one.error_code, f"to create topic {name!r}", one.error_message)


class TopicKeeper:
    """Makes topics at the target.

    Args:
        source: Where settings come from.
        target: Where topics are made.
        replication_factor: Of new topics; -1: the target's default.
        context: For what has to be said.
        told: What was said already; outlives a session.
    """

    def __init__(
        self, source: Client, target: Client, replication_factor: int, context: ConnectorContext, told: set[str]
    ) -> None:
        self._source = source
        self._target = target
        self._replication_factor = replication_factor
        self._context = context
        self._told = told
        self._copied: dict[str, set[str]] = {}
        self.limits_bytes: dict[str, int] = {}

    def shape(self, plans: Collection[TopicPlan]) -> bool:
        """Creates and grows topics; returns whether anything was done.

        Raises:
            PeerError: The target refuses.
        """
        for plan in plans:
            if plan.create:
                create_topic(self._target, plan.target, plan.partitions, self._replication_factor)
            elif plan.grow:
                self._grow(plan)
        return any(plan.create or plan.grow for plan in plans)

    def _grow(self, plan: TopicPlan) -> None:
        topics = [CreatePartitionsTopic(name=plan.target, count=plan.partitions, assignments=None)]
        request = CreatePartitionsRequest(topics=topics, timeout_ms=_TIMEOUT_MS, validate_only=False)
        for one in self._target.ask_controller(CREATE_PARTITIONS, request).results:
            if one.error_code:
                raise refusal(one.error_code, f"more partitions for topic {plan.target!r}", one.error_message)

    def configure(self, plans: Collection[TopicPlan]) -> None:
        """Copies settings; those that the target does not take are told once and left out.

        Raises:
            PeerError: A cluster refuses to say what its settings are.
        """
        if not plans:
            return
        held = self._settings(self._source, [plan.source for plan in plans])
        there = self._settings(self._target, [plan.target for plan in plans])
        for plan in plans:
            source, target = held.get(plan.source, {}), there.get(plan.target, {})
            before = self._copied.get(plan.source, set())
            changes = config_changes(source, target, before)
            own = {name for name, setting in source.items() if setting.is_own}
            refused = self._alter(plan.target, changes) if changes else set()
            self._copied[plan.source] = own - refused
            self._tell_left_out(plan, own & NEVER_COPIED, source, target)
            self.limits_bytes[plan.target] = _limit_bytes(changes, refused, target)

    def _tell_left_out(
        self, plan: TopicPlan, names: Collection[str], source: Mapping[str, Setting], target: Mapping[str, Setting]
    ) -> None:
        for name in sorted(names):
            if name in target and target[name].value == source[name].value:
                continue
            self._tell(f"topic {plan.source!r}: {name} = {source[name].value} is not copied, it belongs to the cluster")
        stamp = target.get("message.timestamp.type")
        if stamp is not None and stamp.value == _STAMPED.value:
            self._tell(
                f"topic {plan.target!r} at the target has message.timestamp.type = LogAppendTime: "
                "copied records get the time of their copying"
            )

    def _alter(self, topic: str, changes: Sequence[Change]) -> set[str]:
        """Makes changes, one by one if they are not taken together; returns the names that were refused."""
        if self._try_to_alter(topic, changes) is None:
            return set()
        refused: set[str] = set()
        for change in changes:
            reason = self._try_to_alter(topic, [change])
            if reason is not None:
                refused.add(change.name)
                self._tell(f"topic {topic!r}: the target does not take {change.name} = {change.value}: {reason}")
        return refused

    def _try_to_alter(self, topic: str, changes: Sequence[Change]) -> str | None:
        configs = [
            AlterableConfig(
                name=change.name, config_operation=_DELETE if change.value is None else _SET, value=change.value
            )
            for change in changes
        ]
        resource = AlterConfigsResource(resource_type=_TOPIC, resource_name=topic, configs=configs)
        request = IncrementalAlterConfigsRequest(resources=[resource], validate_only=False)
        for one in self._target.ask_controller(INCREMENTAL_ALTER_CONFIGS, request).responses:
            if one.error_code:
                return one.error_message or error_name(one.error_code)
        return None

    def _settings(self, client: Client, topics: Sequence[str]) -> dict[str, dict[str, Setting]]:
        resources = [
            DescribeConfigsResource(resource_type=_TOPIC, resource_name=name, configuration_keys=None)
            for name in topics
        ]
        answer = client.anyone().call(DESCRIBE_CONFIGS, DescribeConfigsRequest(resources=resources))
        found: dict[str, dict[str, Setting]] = {}
        for one in answer.results:
            if one.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
                continue
            if one.error_code:
                raise refusal(one.error_code, f"the settings of topic {one.resource_name!r}", one.error_message)
            found[one.resource_name] = {
                config.name: Setting(config.value, config.config_source == _OWN_SOURCE)
                for config in one.configs
                if config.value is not None and not config.is_sensitive
            }
        return found

    def _tell(self, message: str) -> None:
        if message not in self._told:
            self._told.add(message)
            self._context.warn(message)


def _limit_bytes(changes: Sequence[Change], refused: Collection[str], target: Mapping[str, Setting]) -> int:
    """Returns how large a batch the target takes, after some changes to its settings."""
    name = "max.message.bytes"
    made = [change.value for change in changes if change.name == name and name not in refused and change.value]
    held = [target[name].value] if name in target else []
    return int((made + held + [str(_MAX_MESSAGE_BYTES)])[0])
