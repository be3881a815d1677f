"""Where partitions start: what a table says counts for those that do not go on from a position of their own."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from yeoul.connectors.kafka.cluster import Cluster, TopicPartition
from yeoul.connectors.kafka.offsets import Starting, starting_offsets
from yeoul.connectors.kafka.settings import Address
from yeoul.errors import UserError

PARTITIONS = [TopicPartition("clicks", number) for number in range(3)]
LEADERS = dict.fromkeys(PARTITIONS, Address("localhost", 9092))


def at(**offsets: int) -> Starting:
    given = {int(name.removeprefix("p")): offset for name, offset in offsets.items()}
    return Starting("specific-offsets", offsets=given, timestamp_ms=0, group_id="", reset="earliest")


def test_a_job_that_goes_on_asks_only_for_the_partitions_that_it_had_not_read() -> None:
    cluster = Mock(spec=Cluster)
    known = [PARTITIONS[0].split, PARTITIONS[1].split]
    assert starting_offsets(cluster, LEADERS, at(p0=4, p1=5, p2=6), known) == {PARTITIONS[2]: 6}
    assert starting_offsets(cluster, LEADERS, at(p0=4), [*known, PARTITIONS[2].split]) == {}
    cluster.list_offsets.assert_not_called()


def test_a_partition_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"'scan[.]startup[.]specific-offsets': there is no partition 7") as raised:
        starting_offsets(Mock(spec=Cluster), LEADERS, at(p0=4, p7=5))
    assert raised.value.hint == "There are 3, from 0."
