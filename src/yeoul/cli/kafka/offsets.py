"""Offsets of partitions: what `yeoul offsets` shows, and `yeoul delete-records` moves the beginning to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from confluent_kafka import TopicPartition
from confluent_kafka.admin import OffsetSpec

from yeoul.cli.kafka.client import REQUEST_TIMEOUT_S, Cluster, ends_of, outcome
from yeoul.cli.kafka.groups import parse_datetime_ms, parse_topics, within
from yeoul.cli.rendering.listing import print_rows, print_table
from yeoul.errors import UserError

__all__ = ["delete_records", "show"]

_NAMED: Mapping[str, OffsetSpec] = {
    "earliest": OffsetSpec.earliest(),
    "latest": OffsetSpec.latest(),
    "max-timestamp": OffsetSpec.max_timestamp(),
}


def show(cluster: Cluster, topics: Sequence[str], at: str | None, *, as_json: bool) -> None:
    """Prints the first offset, the end and the number of records of each partition, or the offset at one time.

    Args:
        cluster: Whom to ask.
        topics: `TOPIC` or `TOPIC:0,2`; none for all.
        at: `earliest`, `latest`, `max-timestamp`, an ISO time or milliseconds; None for first and end.
        as_json: For scripts.
    """
    names = topics or [name for name in cluster.topics if not name.startswith("__")]
    places = parse_topics(names, {topic: cluster.partitions(topic) for topic in cluster.topics})
    if at is not None:
        found = ends_of(cluster, places, _spec(at))
        rows = [(*place, found[place] if found[place] >= 0 else None) for place in places]
        columns: tuple[str, ...] = ("topic", "partition", "offset")
        print_rows(columns, rows, numbers=columns[1:], as_json=as_json, nothing="No partitions.")
        return
    first, last = ends_of(cluster, places, OffsetSpec.earliest()), ends_of(cluster, places, OffsetSpec.latest())
    spans = [(*place, first[place], last[place], last[place] - first[place]) for place in places]
    columns = ("topic", "partition", "earliest", "latest", "records")
    print_rows(columns, spans, numbers=columns[1:], as_json=as_json, nothing="No partitions.")


def _spec(at: str) -> OffsetSpec:
    if at in _NAMED:
        return _NAMED[at]
    spec: OffsetSpec = OffsetSpec.for_timestamp(int(at) if at.isdecimal() else parse_datetime_ms(at))
    return spec


def delete_records(
    cluster: Cluster,
    topics: Sequence[str],
    *,
    before_offset: int | None,
    before_datetime: str | None,
    everything: bool,
    execute: bool,
) -> None:
    """Moves the beginning of partitions forward, so that what lies before it is gone.

    Raises:
        UserError: It is not clear what is to go.
        PeerError: The broker refuses.
    """
    given = (before_offset is not None) + (before_datetime is not None) + everything
    if given != 1:
        raise UserError(
            f"Expected one thing that says which records are to go, got {given}",
            hint="Give one of --before-offset N, --before-datetime TIME, --all.",
        )
    places = parse_topics(topics, {topic: cluster.partitions(topic) for topic in cluster.topics})
    first, last = ends_of(cluster, places, OffsetSpec.earliest()), ends_of(cluster, places, OffsetSpec.latest())
    until = dict(last)
    if before_offset is not None:
        until = {place: within(before_offset, first[place], last[place]) for place in places}
    elif before_datetime is not None:
        found = ends_of(cluster, places, _spec(before_datetime))
        until = {place: found[place] if found[place] >= 0 else last[place] for place in places}
    rows = [(*place, first[place], until[place], until[place] - first[place]) for place in places]
    print_table(("topic", "partition", "from", "to", "records"), rows, numbers=("partition", "from", "to", "records"))
    if not execute:
        print("Dry run: nothing was deleted. Add --execute to do it; there is no way back.")
        return
    wanted = [TopicPartition(*place, offset) for place, offset in until.items() if offset > first[place]]
    count = 0
    if wanted:
        answers = cluster.admin.delete_records(wanted, request_timeout=REQUEST_TIMEOUT_S)
        for place, future in answers.items():
            low = outcome(future, f"Deleting records of {place.topic}-{place.partition}").low_watermark
            count += low - first[place.topic, place.partition]
    print(f"Deleted {count} records.")
