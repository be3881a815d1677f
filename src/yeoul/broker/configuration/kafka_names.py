"""The settings that Kafka knows and this broker does not act on: accepted, or refused where silence would mislead.

Names are those of Kafka 3.9 to 4.3. Callers: `effective`, and its hints.
"""

from __future__ import annotations

__all__ = ["NOT_BROKER_VARIABLES", "REFUSED", "UNUSED_PREFIXES", "is_unused"]

UNUSED_PREFIXES = (
    "add.partitions.to.txn.",
    "alter.log.dirs.replication.",
    "broker.heartbeat.",
    "broker.session.",
    "compression.",
    "confluent.",
    "controlled.shutdown.",
    "controller.",
    "delegation.token.",
    "eligible.leader.replicas.",
    "follower.",
    "group.coordinator.",
    "group.share.",
    "group.streams.",
    "internal.",
    "kafka.metrics.",
    "leader.",
    "log.cleaner.",
    "metadata.",
    "metrics.",
    "quota.",
    "remote.",
    "replica.",
    "replication.quota.",
    "sasl.kerberos.",
    "sasl.login.",
    "sasl.oauthbearer.",
    "share.",
    "socket.connection.setup.",
    "telemetry.",
    "transaction.state.log.",
    "unstable.",
    "zookeeper.",
)
"""Families about replication, controllers, threads, Java's metrics and clients of other brokers."""

_UNUSED_TEXT = """
advertised.host.name advertised.port auto.leader.rebalance.enable background.threads broker.id
broker.id.generation.enable broker.rack connection.failed.authentication.delay.ms connections.max.reauth.ms
control.plane.listener.name cordoned.log.dirs default.replication.factor
delete.records.purgatory.purge.interval.requests delete.topic.enable early.start.listeners
fetch.purgatory.purge.interval.requests group.consumer.assignment.interval.ms group.consumer.assignors
group.consumer.heartbeat.interval.ms group.consumer.max.assignment.interval.ms
group.consumer.max.heartbeat.interval.ms group.consumer.max.session.timeout.ms group.consumer.max.size
group.consumer.migration.policy group.consumer.min.assignment.interval.ms group.consumer.min.heartbeat.interval.ms
group.consumer.min.session.timeout.ms group.consumer.regex.refresh.interval.ms group.consumer.session.timeout.ms
group.coordinator.rebalance.protocols group.max.session.timeout.ms group.max.size group.min.session.timeout.ms
initial.broker.registration.timeout.ms inter.broker.listener.name inter.broker.protocol.version
log.dir.failure.timeout.ms log.flush.interval.messages log.flush.interval.ms
log.flush.offset.checkpoint.interval.ms log.flush.scheduler.interval.ms
log.flush.start.offset.checkpoint.interval.ms log.initial.task.delay.ms log.local.retention.bytes
log.local.retention.ms log.message.downconversion.enable log.message.format.version
log.message.timestamp.difference.max.ms log.retention.check.interval.ms max.connections.per.ip.overrides
max.incremental.fetch.session.cache.slots max.request.partition.size.limit metric.reporters node.id num.io.threads
num.network.threads num.recovery.threads.per.data.dir num.replica.alter.log.dirs.threads num.replica.fetchers
offset.metadata.max.bytes offsets.commit.required.acks offsets.commit.timeout.ms offsets.load.buffer.size
offsets.retention.check.interval.ms offsets.retention.minutes offsets.topic.compression.codec
offsets.topic.num.partitions offsets.topic.replication.factor offsets.topic.segment.bytes password.encoder.secret
process.roles producer.id.expiration.check.interval.ms producer.id.expiration.ms
producer.purgatory.purge.interval.requests queued.max.requests request.timeout.ms reserved.broker.max.id
sasl.mechanism.inter.broker.protocol sasl.server.max.receive.size security.inter.broker.protocol
server.max.startup.time.ms socket.listen.backlog.size socket.receive.buffer.bytes socket.send.buffer.bytes
ssl.allow.dn.changes ssl.allow.san.changes ssl.endpoint.identification.algorithm ssl.keymanager.algorithm
ssl.keystore.password ssl.keystore.type ssl.protocol ssl.provider ssl.secure.random.implementation
ssl.trustmanager.algorithm ssl.truststore.password ssl.truststore.type
transaction.abort.timed.out.transaction.cleanup.interval.ms transaction.partition.verification.enable
transaction.remove.expired.transaction.cleanup.interval.ms transaction.two.phase.commit.enable
transactional.id.expiration.ms unclean.leader.election.enable unclean.leader.election.interval.ms
"""
_UNUSED = frozenset(_UNUSED_TEXT.split())

REFUSED = {
    "alter.config.policy.class.name": "policies are Java classes",
    "client.quota.callback.class": "quota callbacks are Java classes",
    "config.providers": "configuration providers are Java classes; use the environment for secrets",
    "create.topic.policy.class.name": "policies are Java classes",
    "principal.builder.class": "principal builders are Java classes; see ssl.principal.mapping.rules",
    "sasl.client.callback.handler.class": "callback handlers are Java classes",
    "sasl.server.callback.handler.class": "callback handlers are Java classes",
    "security.providers": "security providers are Java classes",
    "ssl.engine.factory.class": "TLS engines are Java classes",
}
"""What changes who may do what, so that leaving it out in silence would be wrong; with the reason."""

_VARIABLES_TEXT = """
KAFKA_ADVERTISED_HOST_NAME KAFKA_CLUSTER_ID KAFKA_DEBUG KAFKA_GC_LOG_OPTS KAFKA_HEAP_OPTS KAFKA_HOME
KAFKA_JMX_HOSTNAME KAFKA_JMX_OPTS KAFKA_JMX_PORT KAFKA_JVM_PERFORMANCE_OPTS KAFKA_LOG4J_LOGGERS KAFKA_LOG4J_OPTS
KAFKA_LOG4J_ROOT_LOGLEVEL KAFKA_OPTS KAFKA_TOOLS_LOG4J_LOGLEVEL KAFKA_VERSION
"""
NOT_BROKER_VARIABLES = frozenset(_VARIABLES_TEXT.split())
"""Environment variables of Kafka's scripts, which are not settings of the broker."""


def is_unused(name: str) -> bool:
    """Whether Kafka knows a setting that one node has no use for.

    Example:
        >>> is_unused("zookeeper.connect"), is_unused("num.io.threads"), is_unused("num.partitionz")
        (True, True, False)
    """
    return name in _UNUSED or name.startswith(UNUSED_PREFIXES)
