"""Fetch 4-17: record batches from offsets on, waiting for more when there is too little.

Deviations:
- fetch sessions (KIP-227) are declined, as a broker may: every response carries session id 0, so every request names
  all of its partitions;
- a response for a peer that does not take its earlier ones is empty, so that memory stays bounded.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from yeoul.broker.call import Call, RawHandler
from yeoul.broker.node import Node
from yeoul.broker.quotas import CONSUMED
from yeoul.broker.refusals import error_code_of
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.errors import YeoulError
from yeoul.log.errors import LogCorrupt
from yeoul.log.partition import ColdRead, Fetched, PartitionLog
from yeoul.log.recovery import LEADER_EPOCH
from yeoul.wire.errors import ErrorCode
from yeoul.wire.fetch import FetchResult, encode_response
from yeoul.wire.messages.fetch import FETCH, FetchRequest

__all__ = ["HANDLER"]

_READ_COMMITTED = 1


@dataclass(slots=True)
class _Wanted:
    """One partition of a request."""

    topic: str
    topic_id: bytes
    number: int
    offset: int
    max_bytes: int
    leader_epoch: int


class _Fetch:
    """One request on its way: read, perhaps wait, perhaps read from a cold disk, answer."""

    __slots__ = (
        "_awaited_bytes",
        "_call",
        "_listening",
        "_min_bytes",
        "_node",
        "_stable_only",
        "_timer",
        "_wake_scheduled",
        "budget",
        "wanted",
    )

    def __init__(
        self, node: Node, call: Call, wanted: list[_Wanted], budget: int, min_bytes: int, stable_only: bool
    ) -> None:
        self._node = node
        self._call = call
        self._min_bytes = min_bytes
        self._stable_only = stable_only
        self._listening: list[PartitionLog] = []
        self._timer: asyncio.TimerHandle | None = None
        self._wake_scheduled = False
        self._awaited_bytes = 0
        self.wanted = wanted
        self.budget = budget

    def begin(self, max_wait_ms: int) -> None:
        results, size_bytes, cold = self._read()
        if cold:
            self._read_cold(results, cold)
        elif size_bytes >= self._min_bytes or max_wait_ms <= 0 or any(result.error_code for result in results):
            self._answer(results)
        else:
            self._wait(max_wait_ms, self._min_bytes - size_bytes)

    # -- reading ------------------------------------------------------------------------------------------------

    def _read(self) -> tuple[list[FetchResult], int, list[tuple[int, ColdRead]]]:
        """Returns results, their size, and what has to be read in a thread for which of them."""
        results: list[FetchResult] = []
        cold: list[tuple[int, ColdRead]] = []
        budget, size_bytes = self.budget, 0
        for wanted in self.wanted:
            found = self._read_partition(wanted, min(wanted.max_bytes, budget - size_bytes), not size_bytes)
            if isinstance(found, ColdRead):
                # How much it will be shows in the thread; until then it counts as the answer's first data.
                cold.append((len(results), found))
                size_bytes += 1
                found = FetchResult(wanted.topic, wanted.topic_id, wanted.number)
            size_bytes += found.size_bytes
            results.append(found)
        return results, size_bytes, cold

    def _read_partition(self, wanted: _Wanted, max_bytes: int, first: bool) -> FetchResult | ColdRead:
        node = self._node
        topic = node.find_topic(wanted.topic, wanted.topic_id)
        name = wanted.topic if topic is None else topic.name
        if name and not node.allows(self._call, Operation.READ, ResourceType.TOPIC, name):
            return _refusal(wanted, ErrorCode.TOPIC_AUTHORIZATION_FAILED)
        partition = None if topic is None else node.log.partition(name, wanted.number)
        if partition is None:
            unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION if wanted.topic else ErrorCode.UNKNOWN_TOPIC_ID
            return _refusal(wanted, unknown)
        if wanted.leader_epoch >= 0 and wanted.leader_epoch != LEADER_EPOCH:
            fenced = wanted.leader_epoch < LEADER_EPOCH
            return _refusal(wanted, ErrorCode.FENCED_LEADER_EPOCH if fenced else ErrorCode.UNKNOWN_LEADER_EPOCH)
        try:
            fetched = partition.read(
                wanted.offset, max(0, max_bytes), whole_first_batch=first, stable_only=self._stable_only
            )
        except YeoulError as error:
            return _refusal(wanted, error_code_of(error))
        return fetched if isinstance(fetched, ColdRead) else _result(wanted, fetched)

    def _read_cold(self, results: list[FetchResult], cold: list[tuple[int, ColdRead]]) -> None:
        """One thread reads what the page cache lacks; the rest of the answer is ready."""

        def load() -> list[tuple[int, Fetched | OSError | LogCorrupt]]:
            return [(index, _load(read)) for index, read in cold]

        def loaded(found: list[tuple[int, Fetched | OSError | LogCorrupt]] | BaseException) -> None:
            if isinstance(found, BaseException):
                raise found
            for index, fetched in found:
                wanted = self.wanted[index]
                if isinstance(fetched, Fetched):
                    results[index] = _result(wanted, fetched)
                else:
                    results[index] = _refusal(wanted, ErrorCode.KAFKA_STORAGE_ERROR)
            self._answer(results)

        self._node.in_thread(load, loaded)

    # -- waiting ------------------------------------------------------------------------------------------------

    def _wait(self, max_wait_ms: int, missing_bytes: int) -> None:
        node = self._node
        for wanted in self.wanted:
            partition = node.find_partition(wanted.topic, wanted.topic_id, wanted.number)
            if partition is not None:
                partition.add_listener(self._notice)
                self._listening.append(partition)
        self._awaited_bytes = self._held_bytes() + missing_bytes
        self._timer = node.loop.call_later(max_wait_ms / 1_000, self._finish)
        self._call.on_cancel = self._stop_waiting

    def _held_bytes(self) -> int:
        return sum(partition.size_bytes for partition in self._listening)

    def _notice(self) -> None:
        """A high watermark moved: look again at the end of this tick, once for all partitions."""
        if not self._wake_scheduled:
            self._wake_scheduled = True
            self._node.loop.call_soon(self._look_again)

    def _look_again(self) -> None:
        self._wake_scheduled = False
        if self._timer is None:
            return
        # What a marker makes stable was there before, so for a read_committed reader sizes tell nothing.
        if self._min_bytes > 1 and not self._stable_only and self._held_bytes() < self._awaited_bytes:
            return
        results, size_bytes, cold = self._read()
        if size_bytes >= self._min_bytes or cold:
            self._stop_waiting()
            if cold:
                self._read_cold(results, cold)
            else:
                self._answer(results)

    def _finish(self) -> None:
        """Time is up: whatever there is."""
        self._stop_waiting()
        results, _, cold = self._read()
        if cold:
            self._read_cold(results, cold)
        else:
            self._answer(results)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for partition in self._listening:
            partition.remove_listener(self._notice)
        self._listening.clear()
        self._call.on_cancel = None

    def _answer(self, results: list[FetchResult]) -> None:
        call = self._call
        if call.origin.is_congested():
            results = [result._replace(records=(), size_bytes=0, aborted=()) for result in results]
        traffic = self._node.traffic
        if traffic is not None:
            for result in results:
                topic = self._node.find_topic(result.topic, result.topic_id)
                if topic is not None:
                    traffic.fetched(topic.name, result.size_bytes, failed=bool(result.error_code))
        if self._node.quotas.is_active:
            self._node.charge(call, CONSUMED, sum(result.size_bytes for result in results))
        throttle_ms = call.throttle_ms
        call.answer_parts(encode_response(call.correlation_id, call.version, results, throttle_time_ms=throttle_ms))


def _load(read: ColdRead) -> Fetched | OSError | LogCorrupt:
    try:
        return read.load()
    except (OSError, LogCorrupt) as error:
        return error


def _result(wanted: _Wanted, fetched: Fetched) -> FetchResult:
    data, high_watermark, start_offset = fetched.data, fetched.high_watermark, fetched.start_offset
    return FetchResult(
        wanted.topic,
        wanted.topic_id,
        wanted.number,
        0,
        high_watermark,
        fetched.last_stable_offset,
        start_offset,
        (data,),
        len(data),
        fetched.aborted,
    )


def _refusal(wanted: _Wanted, code: ErrorCode) -> FetchResult:
    return FetchResult(wanted.topic, wanted.topic_id, wanted.number, code)


def _wanted(request: FetchRequest) -> list[_Wanted]:
    return [
        _Wanted(
            topic.topic,
            topic.topic_id,
            each.partition,
            each.fetch_offset,
            each.partition_max_bytes,
            each.current_leader_epoch,
        )
        for topic in request.topics
        for each in topic.partitions
    ]


def _serve(node: Node, call: Call, frame: memoryview, position: int) -> None:
    request = FETCH.decode_request(frame, call.version, position)
    # A first request (epoch 0) and one that ends its session (-1) name all partitions, whatever their session's id.
    if request.session_epoch > 0:
        parts = encode_response(call.correlation_id, call.version, (), error_code=ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
        call.answer_parts(parts)
        return
    budget = min(request.max_bytes, node.config.limits.fetch_bytes)
    stable_only = request.isolation_level == _READ_COMMITTED
    _Fetch(node, call, _wanted(request), budget, request.min_bytes, stable_only).begin(request.max_wait_ms)


HANDLER = RawHandler(FETCH, 4, 17, _serve)
