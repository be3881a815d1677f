"""What `yeoul topics` does, on a connected cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from confluent_kafka import KafkaException
from confluent_kafka.admin import ConfigResource, NewPartitions, NewTopic, OffsetSpec

from yeoul.cli.kafka.client import REQUEST_TIMEOUT_S, Cluster, ends_of, outcome
from yeoul.cli.kafka.directories import sizes
from yeoul.cli.kafka.requests import Requests
from yeoul.cli.rendering.listing import print_json, print_rows
from yeoul.errors import PeerError, YeoulError
from yeoul.units import format_size

__all__ = ["Cluster", "alter", "create", "delete", "describe", "show_all"]


def create(
    cluster: Cluster,
    names: Sequence[str],
    *,
    partitions: int,
    replication_factor: int,
    config: Mapping[str, str],
    if_not_exists: bool,
) -> None:
    """Creates topics, saying each one's name; the first that fails is raised after the others are done."""
    standing = {name for name in names if name in cluster.topics} if if_not_exists else set()
    for name in sorted(standing):
        print(f"Topic {name!r} stands already.")
    wanted = [
        NewTopic(name, partitions, replication_factor, config=dict(config)) for name in names if name not in standing
    ]
    if not wanted:
        return
    answers = cluster.admin.create_topics(wanted, request_timeout=REQUEST_TIMEOUT_S)
    failures: list[YeoulError] = []
    for name, future in answers.items():
        try:
            outcome(future, f"Creating topic {name!r}")
            print(f"Created topic {name!r} with {partitions} partition{'s' if partitions > 1 else ''}.")
        except YeoulError as error:
            failures.append(error)
    if failures:
        raise failures[0]


def show_all(cluster: Cluster, requests: Requests, *, internal: bool, as_json: bool) -> None:
    """Prints one line a topic: partitions, records, and bytes where the brokers tell."""
    names = [name for name in cluster.topics if internal or not name.startswith("__")]
    places = [(name, partition) for name in names for partition in cluster.partitions(name)]
    first, last = ends_of(cluster, places, OffsetSpec.earliest()), ends_of(cluster, places, OffsetSpec.latest())
    held = _sizes(requests)
    rows = []
    for name in names:
        own = [(name, partition) for partition in cluster.partitions(name)]
        size_bytes = sum(held.get(place, 0) for place in own) if held is not None else None
        shown = size_bytes if as_json or size_bytes is None else format_size(size_bytes)
        rows.append((name, len(own), sum(last[place] - first[place] for place in own), shown))
    columns = ("topic", "partitions", "records", "size_bytes" if as_json else "size")
    nothing = "No topics. `yeoul topics create TOPIC` makes one."
    print_rows(columns, rows, numbers=columns[1:], as_json=as_json, nothing=nothing)


def _sizes(requests: Requests) -> dict[tuple[str, int], int] | None:
    """What each partition takes; None where a broker does not tell, or not this user."""
    try:
        return sizes(requests)
    except PeerError:
        return None


def describe(cluster: Cluster, requests: Requests, name: str, *, as_json: bool) -> None:
    """Prints one line a partition, then the settings that are not the default, where the broker tells them."""
    places = [(name, partition) for partition in cluster.partitions(name)]
    first, last = ends_of(cluster, places, OffsetSpec.earliest()), ends_of(cluster, places, OffsetSpec.latest())
    partitions = cluster.metadata.topics[name].partitions
    held = _sizes(requests) or {}
    rows = [
        (
            partition,
            partitions[partition].leader,
            ",".join(map(str, partitions[partition].replicas)),
            ",".join(map(str, partitions[partition].isrs)),
            first[name, partition],
            last[name, partition],
            last[name, partition] - first[name, partition],
            held.get((name, partition)),
        )
        for _, partition in places
    ]
    columns = ("partition", "leader", "replicas", "in sync", "earliest", "latest", "records", "size bytes")
    print_rows(columns, rows, numbers=columns, as_json=as_json)
    settings = _settings(cluster, name)
    if as_json:
        print_json({"topic": name, "settings": settings})
        return
    for key, value in sorted(settings.items()):
        print(f"{key} = {value}")


def alter(cluster: Cluster, name: str, *, partitions: int) -> None:
    """Grows a topic.

    Raises:
        UserError: There is no such topic.
        PeerError: It has as many partitions already, or the broker refuses.
    """
    held = len(cluster.partitions(name))
    answers = cluster.admin.create_partitions([NewPartitions(name, partitions)], request_timeout=REQUEST_TIMEOUT_S)
    outcome(answers[name], f"Growing topic {name!r}")
    print(f"Topic {name!r} has {partitions} partitions now, {partitions - held} more.")


def _settings(cluster: Cluster, name: str) -> dict[str, str]:
    resource = ConfigResource(ConfigResource.Type.TOPIC, name)
    try:
        (future,) = cluster.admin.describe_configs([resource], request_timeout=REQUEST_TIMEOUT_S).values()
        entries = future.result(timeout=REQUEST_TIMEOUT_S)
    except KafkaException:  # a broker that does not offer DescribeConfigs has still described its partitions
        return {}
    return {key: str(entry.value) for key, entry in entries.items() if not entry.is_default}


def delete(cluster: Cluster, names: Sequence[str], *, if_exists: bool) -> None:
    """Deletes topics, saying each one's name.

    Raises:
        UserError: There is no such topic; nothing is deleted then.
    """
    if not if_exists:
        for name in names:
            cluster.require(name)
    present = [name for name in names if name in cluster.topics]
    if not present:
        print("Nothing to delete.")
        return
    answers = cluster.admin.delete_topics(present, request_timeout=REQUEST_TIMEOUT_S)
    for name, future in answers.items():
        outcome(future, f"Deleting topic {name!r}")
        print(f"Deleted topic {name!r}.")
