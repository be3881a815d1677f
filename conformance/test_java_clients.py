"""Java's kafka-clients, the last of 3.x and the current 4.x: the same checks, in programs/java, for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bench.apache_kafka import KAFKA_VERSION, class_path

from conformance.driver import Driver
from conformance.places import PROGRAMS, java_classes, need
from yeoul.broker import Broker

need("java", "javac", "mvn")

_CHECKS = [
    "acks_0",
    "acks_1",
    "acks_all",
    "compression_none",
    "compression_gzip",
    "compression_snappy",
    "compression_lz4",
    "compression_zstd",
    "headers_keys_timestamps",
    "idempotent_order",
    "large_records",
    "log_append_time",
    "seek_pause_position",
    "offsets_for_times",
    "offset_out_of_range",
    "auto_created_topic",
    "partitions_added_later",
    "classic_range",
    "classic_roundrobin",
    "classic_sticky",
    "classic_cooperative_sticky",
    "classic_committed_offsets",
    "classic_auto_commit",
    "classic_static_member_returns",
    "classic_static_member_is_fenced",
    "classic_pattern",
    "classic_member_that_stops_polling",
    "classic_new_partitions_are_assigned",
    "consumer_protocol_uniform",
    "consumer_protocol_range",
    "consumer_protocol_committed_offsets",
    "consumer_protocol_auto_commit",
    "consumer_protocol_static_member_returns",
    "consumer_protocol_pattern",
    "consumer_protocol_new_partitions_are_assigned",
    "group_changes_protocol_when_empty",
    "transactions_commit_and_abort",
    "transactions_open_ones_are_not_read",
    "transactions_consume_transform_produce",
    "transactions_consume_transform_produce_consumer_protocol",
    "transactions_aborted_offsets_are_not_kept",
    "transactions_zombie_is_fenced",
    "transactions_time_out",
    "transactions_many_small_ones",
    "transactions_aborted_by_closing",
    "admin_topics",
    "admin_topics_by_id",
    "admin_refusals",
    "admin_validate_only",
    "admin_create_partitions",
    "admin_describe_cluster",
    "admin_topic_configs",
    "admin_broker_configs",
    "admin_list_offsets",
    "admin_delete_records",
    "admin_consumer_groups",
    "admin_consumer_group_offsets",
    "admin_remove_members",
    "admin_log_dirs",
    "admin_elect_leaders",
    "admin_partition_reassignments",
    "admin_producers_and_transactions",
    "admin_abort_transaction",
    "admin_fence_producers",
    "admin_features",
    "admin_client_quotas",
    "admin_scram_credentials",
]
_OLD_VERSION = "3.9.2"
_OWN_CHECKS = {
    _OLD_VERSION: ["admin_alter_configs_replaces"],
    KAFKA_VERSION: [
        "consumer_protocol_server_side_pattern",
        "admin_list_groups",
        "admin_describe_classic_groups",
        "admin_list_config_resources",
    ],
}
_QUIET = "-Dorg.slf4j.simpleLogger.defaultLogLevel=off"


@pytest.fixture(scope="module")
def drivers(broker: Broker) -> Iterator[dict[str, Driver]]:
    """The programs that run so far, by the client's version."""
    running: dict[str, Driver] = {}
    yield running
    for each in running.values():
        each.close()


def _start(version: str, broker: Broker) -> Driver:
    clients = class_path(f"org.apache.kafka:kafka-clients:{version}", "org.slf4j:slf4j-simple:1.7.36")
    java = PROGRAMS / "java"
    sources = sorted(java.glob("*.java")) + sorted((java / f"v{version[0]}").glob("*.java"))
    classes = java_classes(f"kafka-clients-{version}", clients, *sources)
    driver = Driver(["java", "-Xmx256m", _QUIET, "-cp", f"{classes}:{clients}", "Main", broker.bootstrap_servers])
    assert driver.names() == {*_CHECKS, *_OWN_CHECKS[version]}
    return driver


@pytest.mark.parametrize(
    ("version", "check"),
    [
        pytest.param(version, check, id=f"{version}-{check}", marks=pytest.mark.client("Java kafka-clients", version))
        for version, own in _OWN_CHECKS.items()
        for check in [*_CHECKS, *own]
    ],
)
def test_java_client(
    drivers: dict[str, Driver], broker: Broker, version: str, check: str, record_property: pytest.RecordProperty
) -> None:
    record_property("what", check.replace("_", " "))
    if version not in drivers:
        drivers[version] = _start(version, broker)
    drivers[version].check(check)
