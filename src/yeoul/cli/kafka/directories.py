"""Where partitions lie and how large they are: what `yeoul log-dirs` shows, and the sizes of `yeoul topics list`."""

from __future__ import annotations

from collections.abc import Sequence

from yeoul.cli.kafka.requests import Requests, refusal
from yeoul.cli.rendering.listing import print_json, print_rows
from yeoul.units import format_size
from yeoul.wire.messages.describe_log_dirs import DESCRIBE_LOG_DIRS, DescribeLogDirsRequest, DescribeLogDirsResult

__all__ = ["describe", "sizes"]

Place = tuple[str, int]


def _directories(requests: Requests) -> list[tuple[int, DescribeLogDirsResult]]:
    found = []
    for broker in sorted(requests.brokers()):
        answer = requests.ask_broker(broker, DESCRIBE_LOG_DIRS, DescribeLogDirsRequest(topics=None))
        for code in (answer.error_code, *(one.error_code for one in answer.results)):
            if code:
                raise refusal(code, f"Describing the directories of broker {broker}")
        found += [(broker, one) for one in answer.results]
    return found


def sizes(requests: Requests) -> dict[Place, int]:
    """Returns how many bytes each partition takes, all its copies together.

    Raises:
        PeerError: A broker refuses or does not offer the request.
    """
    found: dict[Place, int] = {}
    for _, directory in _directories(requests):
        for topic in directory.topics:
            for one in topic.partitions:
                place = topic.name, one.partition_index
                found[place] = found.get(place, 0) + one.partition_size
    return found


def describe(requests: Requests, topics: Sequence[str], *, as_json: bool) -> None:
    """Prints each directory with its room, then each partition in it."""
    wanted = frozenset(topics)
    columns = ("broker", "directory", "topic", "partition", "size bytes", "lag", "moving")
    rows: list[Sequence[object]] = []
    for broker, directory in _directories(requests):
        _print_directory(broker, directory, as_json=as_json)
        rows += [
            (
                broker,
                directory.log_dir,
                topic.name,
                one.partition_index,
                one.partition_size,
                one.offset_lag,
                "yes" if one.is_future_key else "no",
            )
            for topic in sorted(directory.topics, key=lambda topic: topic.name)
            if not wanted or topic.name in wanted
            for one in sorted(topic.partitions, key=lambda one: one.partition_index)
        ]
    print_rows(columns, rows, numbers=columns[3:6], as_json=as_json, nothing="No partitions.")


def _print_directory(broker: int, directory: DescribeLogDirsResult, *, as_json: bool) -> None:
    total, usable = directory.total_bytes, directory.usable_bytes
    held = sum(one.partition_size for topic in directory.topics for one in topic.partitions)
    if as_json:
        print_json(
            {
                "broker": broker,
                "directory": directory.log_dir,
                "held_bytes": held,
                "total_bytes": total,
                "usable_bytes": usable,
            }
        )
        return
    room = f", {format_size(usable)} of {format_size(total)} free" if total >= 0 else ""
    print(f"broker {broker}: {directory.log_dir} holds {format_size(held)}{room}")
