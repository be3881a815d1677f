"""Fetching: one connection per leader, one answer always on its way.

Owns the positions of the partitions and the connections to their leaders. As soon as a large answer is in, the next
request goes out, so that the broker works while the former answer is decoded elsewhere; after a small one the caller
says when to ask again, so that what comes until then is one answer. Invariants: a partition's pieces are
handed over in the order of their offsets, none twice; what is held here is at most one answer per leader; losses are
mended by asking for the leaders again, with a growing pause, and said aloud once. Callers: the engine's runtime,
through `source`.
"""

from __future__ import annotations

import contextlib
import select
import socket
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from yeoul.connectors.kafka.cluster import EARLIEST, LATEST, Cluster, TopicPartition, Unavailable
from yeoul.connectors.kafka.connection import Connection, ConnectionLost
from yeoul.connectors.kafka.pieces import Aborted, FetchedRange, scan_batches
from yeoul.connectors.kafka.settings import Address
from yeoul.connectors.spec import ConnectorContext
from yeoul.engine.contract import Fetched, Polled
from yeoul.errors import PeerError, YeoulError
from yeoul.wire.errors import RETRIABLE, ErrorCode, ProtocolError, error_name
from yeoul.wire.messages.fetch import FETCH, FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData

__all__ = ["KafkaReader", "PartitionState", "ReaderSettings"]

_FETCH_BY_NAME = 12
_FIRST_BACKOFF_S = 0.05
_LONGEST_BACKOFF_S = 1.0
_SMALLEST_FETCH_BYTES = 64 << 10
_LARGEST_FETCH_BYTES = 1 << 30
_SESSIONLESS = -1
_WORTH_READING_AHEAD_BYTES = 64 << 10


@dataclass(slots=True)
class PartitionState:
    """How far one partition was read.

    Attributes:
        next_offset: What to fetch next.
        end_offset: Where to stop; None: never.
        leader: Who has it; None: to be found out.
        high_watermark: The end, as of the last answer; -1: no answer yet.
        held: Pieces that were fetched but not asked for.
        room_bytes: How much to ask for; grows when a batch does not fit.
    """

    partition: TopicPartition
    next_offset: int
    end_offset: int | None
    leader: Address | None
    room_bytes: int
    high_watermark: int = -1
    held: list[Fetched] = field(default_factory=list)

    @property
    def is_finished(self) -> bool:
        return self.end_offset is not None and self.next_offset >= self.end_offset

    @property
    def lag(self) -> int:
        end = self.high_watermark if self.end_offset is None else min(self.end_offset, self.high_watermark)
        return max(0, end - self.next_offset)

    @property
    def is_at_end(self) -> bool:
        return not self.held and self.high_watermark >= 0 and self.next_offset >= self.high_watermark


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """How a reader goes about it.

    Attributes:
        make_piece: Wraps what was fetched so that it can be decoded.
        topics: Names the topics to read now; asked again at each discovery.
        discovery_interval_ms: How often; 0: never.
        reconnect_timeout_ms: How long to try again before giving up.
    """

    make_piece: Callable[[FetchedRange], Fetched]
    topics: Callable[[], Sequence[str]]
    discovery_interval_ms: int
    reconnect_timeout_ms: int


@dataclass(slots=True)
class _Link:
    """The connection to one leader, and the splits of the request that is out."""

    connection: Connection
    asked: frozenset[str] = frozenset()
    asked_at_s: float = 0.0


class KafkaReader:
    """Reads partitions; see `yeoul.engine.contract.Reader`.

    Args:
        cluster: Where from; closed with the reader.
        partitions: Where each one stands.
        settings: See there.
        context: Clock and warnings.
    """

    def __init__(
        self,
        cluster: Cluster,
        partitions: Iterable[PartitionState],
        settings: ReaderSettings,
        context: ConnectorContext,
    ) -> None:
        self._cluster = cluster
        self._settings = settings
        self._context = context
        self._states = {state.partition.split: state for state in partitions}
        self._links: dict[Address, _Link] = {}
        client = cluster.settings
        self._patience_s = (client.request_timeout_ms + client.fetch_max_wait_ms) / 1_000
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._closed = False
        self._lost_at_s: float | None = None
        self._retry_at_s = 0.0
        self._backoff_s = _FIRST_BACKOFF_S
        self._discover_at_s = context.clock.monotonic_s() + settings.discovery_interval_ms / 1_000

    def splits(self) -> Sequence[str]:
        """Returns the partitions known now, as `topic-partition`."""
        return tuple(self._states)

    def poll(self, splits: Collection[str], max_bytes: int, timeout_s: float) -> Polled:
        """Returns what has come for `splits`; see the contract."""
        deadline_s = self._now_s() + timeout_s
        wanted = [self._states[split] for split in splits if split in self._states]
        while True:
            pieces = self._take_held(wanted)
            try:
                self._mend(wanted)
                self._ask(wanted, max_bytes)
                left_s = 0.0 if pieces else deadline_s - self._now_s()
                self._listen(max(0.0, left_s), wanted, max_bytes)
            except YeoulError:
                if self._closed:
                    return Polled()
                raise
            pieces += self._take_held(wanted)
            is_done = all(state.is_finished for state in wanted)
            if pieces or is_done or self._closed or self._drain_wakes() or self._now_s() >= deadline_s:
                return self._polled(pieces, wanted)

    def wake(self) -> None:
        """Makes a waiting poll return; callable from any thread."""
        with contextlib.suppress(OSError):
            self._waker.send(b"\0")

    def close(self) -> None:
        """Closes every connection; idempotent, callable from any thread."""
        if self._closed:
            return
        self._closed = True
        self.wake()
        for link in list(self._links.values()):
            link.connection.close()
        self._cluster.close()
        self._waker.close()

    def _now_s(self) -> float:
        return self._context.clock.monotonic_s()

    def _polled(self, pieces: list[Fetched], wanted: list[PartitionState]) -> Polled:
        return Polled(
            pieces,
            at_end=frozenset(state.partition.split for state in wanted if state.is_at_end),
            finished=frozenset(split for split, state in self._states.items() if state.is_finished and not state.held),
            lag={split: state.lag for split, state in self._states.items() if state.high_watermark >= 0},
        )

    def _take_held(self, wanted: list[PartitionState]) -> list[Fetched]:
        pieces: list[Fetched] = []
        for state in wanted:
            if state.held:
                pieces += state.held
                state.held = []
        return pieces

    def _drain_wakes(self) -> bool:
        with contextlib.suppress(BlockingIOError, OSError):
            return bool(self._woken.recv(4_096))
        return False

    # Requests and answers.

    def _ask(self, wanted: list[PartitionState], max_bytes: int) -> None:
        """Sends a request to every leader that has none, for the partitions of it that are wanted."""
        by_leader: dict[Address, list[PartitionState]] = defaultdict(list)
        for state in wanted:
            if state.leader is not None and not state.held and not state.is_finished:
                by_leader[state.leader].append(state)
        for address, states in by_leader.items():
            link = self._links.get(address)
            if link is not None and link.asked:
                continue
            try:
                if link is None:
                    link = self._links[address] = _Link(self._cluster.connect(address))
                link.connection.send(FETCH, self._request(states, max_bytes), _FETCH_BY_NAME)
                link.asked = frozenset(state.partition.split for state in states)
                link.asked_at_s = self._now_s()
            except ConnectionLost as error:
                self._lose(address, error)

    def _request(self, states: list[PartitionState], max_bytes: int) -> FetchRequest:
        settings = self._cluster.settings
        most_bytes = max(_SMALLEST_FETCH_BYTES, min(max_bytes, settings.fetch_max_bytes))
        by_topic: dict[str, list[FetchPartition]] = defaultdict(list)
        # The broker fills the answer in this order, which is that of the caller: what is wanted most comes first.
        for state in states:
            topic, partition = state.partition
            room_bytes = max(state.room_bytes, settings.partition_max_bytes)
            if state.room_bytes <= settings.partition_max_bytes:
                room_bytes = min(room_bytes, most_bytes)
            by_topic[topic].append(
                FetchPartition(partition=partition, fetch_offset=state.next_offset, partition_max_bytes=room_bytes)
            )
        return FetchRequest(
            max_wait_ms=settings.fetch_max_wait_ms,
            min_bytes=settings.fetch_min_bytes,
            max_bytes=max(most_bytes, *(state.room_bytes for state in states)),
            isolation_level=int(settings.read_committed),
            session_epoch=_SESSIONLESS,
            topics=[FetchTopic(topic=topic, partitions=parts) for topic, parts in by_topic.items()],
        )

    def _listen(self, timeout_s: float, wanted: list[PartitionState], max_bytes: int) -> None:
        """Takes in the answers that are there, waiting for the first one."""
        poller = select.poll()
        poller.register(self._woken, select.POLLIN)
        by_descriptor = {}
        for address, link in self._links.items():
            descriptor = link.connection.fileno()
            if link.asked and descriptor >= 0:
                by_descriptor[descriptor] = address
                poller.register(descriptor, select.POLLIN)
        until_s = [link.asked_at_s + self._patience_s for link in self._links.values() if link.asked]
        if self._lost_at_s is not None:
            until_s.append(self._retry_at_s)
        timeout_s = max(0.0, min(timeout_s, *(moment_s - self._now_s() for moment_s in until_s), timeout_s))
        for descriptor, _ in poller.poll(max(0, int(timeout_s * 1_000 + 0.999))):
            if descriptor in by_descriptor and self._take_in(by_descriptor[descriptor]) >= _WORTH_READING_AHEAD_BYTES:
                self._ask(wanted, max_bytes)
        self._lose_silent()

    def _lose_silent(self) -> None:
        """Gives up connections whose broker owes an answer for too long."""
        for address, link in list(self._links.items()):
            if link.asked and self._now_s() >= link.asked_at_s + self._patience_s:
                self._lose(address, ConnectionLost(f"Broker {address} does not answer"))

    def _take_in(self, address: Address) -> int:
        """Takes in an answer; returns how many bytes of records it held."""
        link = self._links[address]
        try:
            response: FetchResponse = link.connection.receive()
            if response.error_code:
                raise ConnectionLost(f"Broker {address} refused a fetch: {error_name(response.error_code)}")
        except ConnectionLost as error:
            self._lose(address, error)
            return 0
        link.asked = frozenset()
        healthy, size_bytes = True, 0
        for topic in response.responses:
            for data in topic.partitions:
                state = self._states.get(TopicPartition(topic.topic, data.partition_index).split)
                if state is not None:
                    healthy &= self._take_in_partition(state, data)
                    size_bytes += len(data.records or b"")
        if healthy and self._lost_at_s is not None and all(state.leader is not None for state in self._states.values()):
            self._recovered()
        return size_bytes

    def _take_in_partition(self, state: PartitionState, data: PartitionData) -> bool:
        """Returns whether the partition is well."""
        if data.error_code:
            self._take_in_error(state, data.error_code)
            return False
        readable_to = data.last_stable_offset if self._cluster.settings.read_committed else data.high_watermark
        state.high_watermark = readable_to if readable_to >= 0 else data.high_watermark
        if not data.records:
            return True
        start = state.next_offset
        try:
            records = memoryview(data.records)
            spans, next_offset, cut_bytes = scan_batches(records, start)
        except ProtocolError as error:
            raise self._damaged(state, error.message) from error
        if not spans:
            if cut_bytes == 0:
                raise self._damaged(state, f"the broker answered with records before offset {start}")
            self._make_room(state)
            return True
        state.next_offset = next_offset
        state.room_bytes = 0
        aborted = tuple(Aborted(one.producer_id, one.first_offset) for one in data.aborted_transactions or ())
        fetched = FetchedRange(state.partition, records, spans, start, state.end_offset, next_offset, aborted)
        state.held.append(self._settings.make_piece(fetched))
        return True

    def _make_room(self, state: PartitionState) -> None:
        """Asks for more: brokers before 0.10.1 and odd ones cut the first batch off."""
        current = max(state.room_bytes, self._cluster.settings.partition_max_bytes)
        if current >= _LARGEST_FETCH_BYTES:
            raise self._damaged(state, f"a record batch of more than {_LARGEST_FETCH_BYTES} bytes")
        state.room_bytes = current * 2

    def _damaged(self, state: PartitionState, what: str) -> PeerError:
        topic, partition = state.partition
        return PeerError(
            f"Topic {topic!r}, partition {partition}, offset {state.next_offset}: {what}",
            hint="The log or the way to it is damaged; start behind it with scan.startup.mode = 'specific-offsets'.",
        )

    # What can go wrong.

    def _take_in_error(self, state: PartitionState, code: int) -> None:
        if code == ErrorCode.OFFSET_OUT_OF_RANGE:
            self._reset(state)
            return
        topic, partition = state.partition
        where = f"Topic {topic!r}, partition {partition}"
        if code not in RETRIABLE:
            hint = "Check the permissions of this user." if "AUTHORIZATION" in error_name(code) else ""
            raise PeerError(f"{where}: the broker refused a fetch: {error_name(code)}", hint=hint)
        state.leader = None
        self._trouble(Unavailable(f"{where}: {error_name(code)}"))

    def _reset(self, state: PartitionState) -> None:
        """Goes on where there are records, or fails, as `properties.auto.offset.reset` says."""
        topic, partition = state.partition
        reset = self._cluster.settings.reset or "earliest"
        gone = f"Topic {topic!r}, partition {partition}: offset {state.next_offset} is not there any more"
        if reset == "none":
            raise PeerError(
                gone,
                hint="Records were deleted. 'properties.auto.offset.reset' = 'earliest' goes on with what is left.",
            )
        if state.leader is None:
            return
        at = EARLIEST if reset == "earliest" else LATEST
        offset = self._cluster.list_offsets({state.partition: state.leader}, at)[state.partition]
        self._context.warn(f"{gone}; going on at {offset} ('properties.auto.offset.reset' = '{reset}')")
        state.next_offset = offset

    def _lose(self, address: Address, error: ConnectionLost) -> None:
        link = self._links.pop(address, None)
        if link is not None:
            link.connection.close()
        if self._closed:
            raise error
        for state in self._states.values():
            if state.leader == address:
                state.leader = None
        self._trouble(error)

    def _trouble(self, error: PeerError) -> None:
        """Notes that something is to be mended, after a pause that grows; gives up in the end."""
        now_s = self._now_s()
        patience_ms = self._settings.reconnect_timeout_ms
        if self._lost_at_s is None:
            self._lost_at_s = now_s
            self._backoff_s = _FIRST_BACKOFF_S
            self._context.warn(f"{error.message}; trying again for up to {patience_ms // 1_000} s")
        elif now_s - self._lost_at_s > patience_ms / 1_000:
            raise PeerError(
                f"{error.message}; gave up after {patience_ms // 1_000} s",
                hint="'scan.reconnect-timeout' says how long to try.",
            ) from error
        if now_s >= self._retry_at_s:
            self._retry_at_s = now_s + self._backoff_s
            self._backoff_s = min(2 * self._backoff_s, _LONGEST_BACKOFF_S)

    def _recovered(self) -> None:
        assert self._lost_at_s is not None
        self._context.warn(f"Kafka answers again after {self._now_s() - self._lost_at_s:.1f} s")
        self._lost_at_s = None

    def _mend(self, wanted: list[PartitionState]) -> None:
        """Finds the leaders that are not known, and new partitions when it is time."""
        now_s = self._now_s()
        if self._settings.discovery_interval_ms and now_s >= self._discover_at_s:
            self._discover_at_s = now_s + self._settings.discovery_interval_ms / 1_000
            self._discover()
        lost = [state for state in self._states.values() if state.leader is None and not state.is_finished]
        if not lost or now_s < self._retry_at_s:
            return
        try:
            leaders = self._cluster.leaders_now(sorted({state.partition.topic for state in lost}))
        except ConnectionLost as error:
            self._trouble(error)
            return
        for state in lost:
            state.leader = leaders.get(state.partition)
        if any(state.leader is None for state in lost):
            self._trouble(Unavailable(f"Partition {lost[0].partition.split} has no leader"))

    def _discover(self) -> None:
        """Adds partitions that appeared; they are read from their start."""
        try:
            leaders = self._cluster.leaders_now(self._settings.topics())
        except PeerError as error:
            self._context.warn(f"Could not look for new partitions: {error.message}")
            return
        new = {partition: address for partition, address in leaders.items() if partition.split not in self._states}
        if not new:
            return
        for partition, offset in self._cluster.list_offsets(new, EARLIEST).items():
            self._states[partition.split] = PartitionState(partition, offset, None, new[partition], 0)
