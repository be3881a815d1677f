"""What Flink's connectors have and ours do not: connectors and options by name, each with the reason or the way round.

An option or a connector that is listed here is refused with its reason instead of a guess at what was meant. Called by
`registry`.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ABSENT_EVERYWHERE", "ABSENT_OPTIONS", "why_no_connector", "why_no_option"]

_NO_CHECKPOINTS = "There are no checkpoints yet, which it needs"
_NO_PARTITIONS = "Directories by partition are not in this version: each row is written whole"
_NO_COMPACTION = "Files are as large as 'sink.rolling-policy.file-size' and '.rollover-interval' let them grow"
_LOOKUPS_ONLY = "Tables of a database are looked up by key, neither read whole nor written"

_CONNECTORS: tuple[tuple[str, str], ...] = (
    ("elasticsearch", "INSERT into a topic or a file, and load that"),
    ("opensearch", "INSERT into a topic or a file, and load that"),
    ("mongodb", "INSERT into a topic or a file, and load that"),
    ("dynamodb", "INSERT into a topic or a file, and load that"),
    ("hbase", "INSERT into a topic or a file, and load that"),
    ("kinesis", "'kafka' reads and writes topics"),
    ("firehose", "INSERT into a topic or a file, and load that"),
    ("hive", "'filesystem' reads and writes Parquet"),
    ("iceberg", "'filesystem' reads and writes Parquet"),
    ("paimon", "'filesystem' reads and writes Parquet"),
    ("hudi", "'filesystem' reads and writes Parquet"),
    ("delta", "'filesystem' reads and writes Parquet"),
    ("mysql-cdc", "'kafka' with 'format' = 'debezium-json' reads what Debezium captures"),
    ("postgres-cdc", "'kafka' with 'format' = 'debezium-json' reads what Debezium captures"),
    ("faker", "'datagen' makes rows up"),
    ("socket", "'kafka' and 'filesystem' with 'source.monitor-interval' read what arrives"),
)
"""The beginnings of the names of connectors."""

ABSENT_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "filesystem": {
        "partition.default-name": _NO_PARTITIONS,
        "partition.time-extractor.class": _NO_PARTITIONS,
        "partition.time-extractor.kind": _NO_PARTITIONS,
        "partition.time-extractor.timestamp-formatter": _NO_PARTITIONS,
        "partition.time-extractor.timestamp-pattern": _NO_PARTITIONS,
        "sink.partition-commit.delay": _NO_PARTITIONS,
        "sink.partition-commit.policy.class": _NO_PARTITIONS,
        "sink.partition-commit.policy.class.parameters": _NO_PARTITIONS,
        "sink.partition-commit.policy.kind": _NO_PARTITIONS,
        "sink.partition-commit.success-file.name": _NO_PARTITIONS,
        "sink.partition-commit.trigger": _NO_PARTITIONS,
        "sink.partition-commit.watermark-time-zone": _NO_PARTITIONS,
        "sink.shuffle-by-partition.enable": _NO_PARTITIONS,
        "auto-compaction": _NO_COMPACTION,
        "compaction.file-size": _NO_COMPACTION,
        "source.report-statistics": "Plans do not depend on statistics",
        "sink.rolling-policy.inactivity-interval": "'sink.rolling-policy.rollover-interval' closes files in any case",
    },
    "kafka": {
        "sink.semantic": "Its name is 'sink.delivery-guarantee' since Flink 1.14",
        "sink.transactional-id-prefix": _NO_CHECKPOINTS,
        "sink.transaction-naming-strategy": _NO_CHECKPOINTS,
    },
    "upsert-kafka": {
        "scan.startup.mode": "A table of keys is read from its beginning",
        "sink.transactional-id-prefix": _NO_CHECKPOINTS,
        "sink.transaction-naming-strategy": _NO_CHECKPOINTS,
    },
    "jdbc": {
        "sink.buffer-flush.max-rows": _LOOKUPS_ONLY,
        "sink.buffer-flush.interval": _LOOKUPS_ONLY,
        "sink.max-retries": _LOOKUPS_ONLY,
        "scan.partition.column": _LOOKUPS_ONLY,
        "scan.partition.num": _LOOKUPS_ONLY,
        "scan.partition.lower-bound": _LOOKUPS_ONLY,
        "scan.partition.upper-bound": _LOOKUPS_ONLY,
        "scan.fetch-size": _LOOKUPS_ONLY,
        "scan.auto-commit": _LOOKUPS_ONLY,
        "compatible-mode": "The URL says which database it is",
        "connection.max-retry-timeout": "'lookup.max-retries' says how often a query that fails is tried again",
        "lookup.cache.max-rows": "Its name is 'lookup.partial-cache.max-rows' since Flink 1.16",
        "lookup.cache.ttl": "Its name is 'lookup.partial-cache.expire-after-write' since Flink 1.16",
        "lookup.cache.caching-missing-key": "Its name is 'lookup.partial-cache.cache-missing-key' since Flink 1.16",
    },
}
"""By connector, Flink's options that are not here."""

ABSENT_EVERYWHERE: Mapping[str, str] = {
    "scan.watermark.emit.on-event.gap": "Every row is judged by the watermark before it",
}
"""Those of Flink's options for every connector that are not here."""


def why_no_connector(name: str) -> str:
    """Returns what to do without a connector of Flink's; an empty text if nothing is known of it.

    Example:
        >>> why_no_connector("mysql-cdc")
        "'kafka' with 'format' = 'debezium-json' reads what Debezium captures"
    """
    return next((hint for beginning, hint in _CONNECTORS if name.lower().startswith(beginning)), "")


def why_no_option(connector: str, name: str) -> str:
    """Returns why a connector has no option of that name; an empty text if nothing is known of it.

    Example:
        >>> why_no_option("filesystem", "sink.partition-commit.delay")
        'Directories by partition are not in this version: each row is written whole'
    """
    return ABSENT_OPTIONS.get(connector, {}).get(name) or ABSENT_EVERYWHERE.get(name, "")
