"""Asking the broker with our own wire, one request after another: offsets, watermarks, record batches.

Owns `Asker`, which keeps a connection and makes a new one after a failure, and what a consumer does with the list of
aborted transactions. Callers: `stored`, `workloads`' prober, `clients.native`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from soak.history import Place
from yeoul.connectors.kafka.connection import Connection, ConnectionLost
from yeoul.connectors.kafka.settings import Address, ClientSettings
from yeoul.errors import YeoulError
from yeoul.wire.compression import Buffer
from yeoul.wire.errors import ErrorCode, error_name
from yeoul.wire.markers import control_record_commits
from yeoul.wire.messages.fetch import FETCH, FetchPartition, FetchRequest, FetchTopic, PartitionData
from yeoul.wire.messages.offset_fetch import (
    OFFSET_FETCH,
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
)
from yeoul.wire.records import BatchHeader, Record, decode_records, iter_batches
from yeoul.wire.schema import Api, Message

__all__ = ["Asker", "AskingFailed", "Batch", "aborted_batches", "batches_of"]

_FETCH_BY_NAME = 12
_Request = TypeVar("_Request", bound=Message)
_Response = TypeVar("_Response", bound=Message)


class AskingFailed(Exception):
    """No answer, or one that is an error."""


class Batch(NamedTuple):
    """One record batch, decoded."""

    header: BatchHeader
    records: list[Record]

    @property
    def commits(self) -> bool | None:
        """Whether a control batch commits (True) or aborts (False); None for batches of data."""
        return control_record_commits(self.records[0]) if self.header.is_control else None


class Asker:
    """Asks one broker.

    Args:
        bootstrap: `host:port`.
        timeout_s: How long an answer may take.
    """

    def __init__(self, bootstrap: str, timeout_s: float = 5.0) -> None:
        host, _, port = bootstrap.rpartition(":")
        self._address = Address(host, int(port))
        self._settings = ClientSettings((self._address,), client_id="soak", request_timeout_ms=int(timeout_s * 1_000))
        self._timeout_s = timeout_s
        self._connection: Connection | None = None

    def ask(self, api: Api[_Request, _Response], request: _Request, highest: int | None = None) -> _Response:
        """Returns the answer.

        Raises:
            AskingFailed: There is none.
        """
        try:
            if self._connection is None or not self._connection.is_open:
                self._connection = Connection(self._address, self._settings, self._timeout_s)
            return self._connection.call(api, request, highest)
        except (ConnectionLost, YeoulError) as error:
            self.close()
            raise AskingFailed(error.message) from error

    def fetch(
        self, starts: Mapping[Place, int], *, committed: bool, wait_ms: int = 0, max_bytes: int = 1 << 20
    ) -> dict[Place, PartitionData]:
        """Returns what each partition answered; errors of single partitions are raised."""
        topics: dict[str, list[FetchPartition]] = {}
        for place, offset in starts.items():
            asked = FetchPartition(partition=place.partition, fetch_offset=offset, partition_max_bytes=max_bytes)
            topics.setdefault(place.topic, []).append(asked)
        request = FetchRequest(
            max_wait_ms=wait_ms,
            min_bytes=1,
            max_bytes=8 << 20,
            isolation_level=int(committed),
            topics=[FetchTopic(topic=name, partitions=asked) for name, asked in topics.items()],
        )
        response = self.ask(FETCH, request, _FETCH_BY_NAME)
        self._refuse(response.error_code, "Fetch")
        found = {}
        for topic in response.responses:
            for partition in topic.partitions:
                place = Place(topic.topic, partition.partition_index)
                self._refuse(partition.error_code, f"Fetch of {place} from {starts[place]}")
                found[place] = partition
        return found

    def committed(self, group: str, places: Sequence[Place]) -> dict[Place, int]:
        """Returns a group's stable committed offsets, -1 where there is none."""
        topics: dict[str, list[int]] = {}
        for place in places:
            topics.setdefault(place.topic, []).append(place.partition)
        asked = [OffsetFetchRequestTopics(name=name, partition_indexes=numbers) for name, numbers in topics.items()]
        request = OffsetFetchRequest(
            groups=[OffsetFetchRequestGroup(group_id=group, topics=asked)], require_stable=True
        )
        answer = self.ask(OFFSET_FETCH, request, 8).groups[0]
        self._refuse(answer.error_code, f"OffsetFetch of {group}")
        found = {}
        for topic in answer.topics:
            for partition in topic.partitions:
                self._refuse(partition.error_code, f"OffsetFetch of {group}, {topic.name}")
                found[Place(topic.name, partition.partition_index)] = partition.committed_offset
        return found

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _refuse(self, code: int, what: str) -> None:
        if code != ErrorCode.NONE:
            raise AskingFailed(f"{what}: {error_name(code)}")


def batches_of(data: Buffer | None) -> Iterator[Batch]:
    """Yields the whole batches of a fetched range, their CRCs checked."""
    buffer = bytes(data or b"")
    for position, header in iter_batches(buffer):
        if position + header.size_bytes > len(buffer):
            return
        yield Batch(header, decode_records(buffer, position))


def aborted_batches(batches: Sequence[Batch], aborted: Mapping[int, Sequence[int]]) -> list[bool]:
    """Says which batches a reader of committed records leaves out, as Kafka's consumers decide it.

    Args:
        batches: In order of offset.
        aborted: First offsets of aborted transactions, by producer id, as a broker's answer lists them.
    """
    waiting = {producer_id: sorted(firsts) for producer_id, firsts in aborted.items()}
    aborting: set[int] = set()
    left_out = []
    for batch in batches:
        header = batch.header
        firsts = waiting.get(header.producer_id, [])
        while firsts and firsts[0] <= header.last_offset:
            firsts.pop(0)
            aborting.add(header.producer_id)
        if header.is_control:
            if batch.commits is False:
                aborting.discard(header.producer_id)
            left_out.append(False)
        else:
            left_out.append(header.is_transactional and header.producer_id in aborting)
    return left_out
