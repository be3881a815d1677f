"""The transaction coordinator: all transactional ids of one broker, as a pure event-sourced state machine.

The seam with the broker:

    coordinator = Coordinator(allocate_producer_id, TransactionConfig())
    # at start, every record of `__transaction_state`, in the order of its offsets:
    coordinator.replay(key, value)
    effects = coordinator.finish_replay(now_ms)      # completes what a crash left prepared
    # then, for each request (`messages`):
    effects = coordinator.handle(request, now_ms)
    # and whenever the clock passes `coordinator.next_deadline_ms()`:
    effects = coordinator.tick(now_ms)

Each effect is a `Reply`, a `Store` (append its record to `__transaction_state`, then, once it is durable, call
`stored`; when the append failed, the same with its error code), or `WriteMarkers` (then, once all of them are durable,
`markers_written`). These return effects as well. Effects are to be carried out in order, and stores reported in the
order they were asked for. `now_ms` is any clock that never runs backwards.

A transaction ends in steps: the decision is stored (prepared), the markers are written, the outcome is stored
(complete). Once the decision is durable nothing can change it: a restart goes on from there.

Invariants: a transactional id does one thing at a time, and requests that come meanwhile wait in the order of their
arrival, so no client has to ask again; the state in memory is what is stored, but for `complete`, which follows from
the markers and so may be acted on before it is durable (whatever could contradict it is stored after it).
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from yeoul.broker.transactions import transitions
from yeoul.broker.transactions.messages import (
    NO_PRODUCER_EPOCH,
    NO_PRODUCER_ID,
    AddPartitionsReply,
    AddPartitionsRequest,
    Effect,
    EndReply,
    EndRequest,
    InitReply,
    InitRequest,
    KeyValue,
    Reply,
    ReplyBody,
    Request,
    Store,
    TopicPartition,
    TransactionDescription,
    WriteMarkers,
)
from yeoul.broker.transactions.records import (
    State,
    TransactionValue,
    decode_key,
    decode_value,
    encode_key,
    encode_value,
)
from yeoul.wire.errors import ErrorCode

__all__ = ["Coordinator", "TransactionConfig"]

_MARKER_RETRY_MS = 1_000


@dataclass(frozen=True, slots=True)
class TransactionConfig:
    """Kafka's settings of the same names.

    Attributes:
        max_timeout_ms: The longest time-out that a producer may ask for (`transaction.max.timeout.ms`).
        expiration_ms: How long an unused transactional id is remembered (`transactional.id.expiration.ms`).
        waiting_requests: How many requests wait for one transactional id before further ones are refused.
    """

    max_timeout_ms: int = 900_000
    expiration_ms: int = 7 * 86_400_000
    waiting_requests: int = 1_000


@dataclass(slots=True)
class _Entry:
    """One transactional id.

    Attributes:
        value: What is stored of it; None before the first record, or after the last.
        appended: What the last record that was asked for says: a snapshot must not fall behind it.
        waiting: Requests that came while another one is under way.
        busy: One is.
        retry_ms: When to write the markers again, which the disk did not take.
    """

    transactional_id: str
    value: TransactionValue | None = None
    appended: TransactionValue | None = None
    waiting: deque[Request] = field(default_factory=deque)
    busy: bool = False
    retry_ms: int | None = None
    unfinished: EndRequest | InitRequest | None = None
    scheduled_ms: int | None = None


@dataclass(frozen=True, slots=True)
class _Pending:
    """A record on its way; `request` is None when nobody asked: a time-out, or the last step of an end."""

    transactional_id: str
    value: TransactionValue | None
    request: Request | None = None


class Coordinator:
    """All transactional ids; see the module for how to drive it.

    Args:
        allocate_producer_id: Returns an id that was never handed out before.
        config: The bounds.
    """

    def __init__(self, allocate_producer_id: Callable[[], int], config: TransactionConfig | None = None) -> None:
        self._allocate = allocate_producer_id
        self._config = config or TransactionConfig()
        self._entries: dict[str, _Entry] = {}
        self._pending: dict[int, _Pending] = {}
        self._marking: dict[int, str] = {}
        self._next_token = 1
        self._deadlines: list[tuple[int, str]] = []

    # -- requests -----------------------------------------------------------------------------------------------

    def handle(self, request: Request, now_ms: int) -> list[Effect]:
        """Takes one request; returns what to do now. Its own reply may be among the effects of a later call."""
        effects: list[Effect] = []
        error = self._request_error(request)
        if error:
            effects.append(_refusal(request, error))
            return effects
        entry = self._entries.get(request.transactional_id)
        if entry is None:
            if not isinstance(request, InitRequest):
                return [_refusal(request, ErrorCode.INVALID_PRODUCER_ID_MAPPING)]
            entry = self._entries[request.transactional_id] = _Entry(request.transactional_id)
        if not entry.busy:
            self._begin(entry, request, now_ms, effects)
        elif len(entry.waiting) < self._config.waiting_requests:
            entry.waiting.append(request)
        else:
            effects.append(_refusal(request, ErrorCode.CONCURRENT_TRANSACTIONS))
        return effects

    def _request_error(self, request: Request) -> ErrorCode:
        if not request.transactional_id:
            return ErrorCode.INVALID_REQUEST
        if isinstance(request, InitRequest) and not 0 < request.timeout_ms <= self._config.max_timeout_ms:
            return ErrorCode.INVALID_TRANSACTION_TIMEOUT
        return ErrorCode.NONE

    def _begin(self, entry: _Entry, request: Request, now_ms: int, effects: list[Effect]) -> None:
        if isinstance(request, AddPartitionsRequest):
            outcome = transitions.added(entry.value, request, now_ms)
        elif isinstance(request, EndRequest):
            outcome = transitions.ended(entry.value, request, now_ms, self._allocate)
        else:
            outcome = self._init(entry.value, request, now_ms)
        if isinstance(outcome, ErrorCode):
            effects.append(self._answer(entry, request, outcome))
        else:
            self._store(entry, outcome, request, effects)

    def _init(self, value: TransactionValue | None, request: InitRequest, now_ms: int) -> TransactionValue | ErrorCode:
        if value is not None:
            error = transitions.init_error(value, request)
            if error:
                return error
            if value.state is State.ONGOING:
                return transitions.fenced(value, now_ms)
        return transitions.began(value, request, now_ms, self._allocate)

    @staticmethod
    def _answer(entry: _Entry, request: Request, error: ErrorCode) -> Reply:
        value = entry.value
        body: ReplyBody
        if isinstance(request, AddPartitionsRequest):
            body = AddPartitionsReply(error)
        elif isinstance(request, EndRequest):
            body = EndReply(error)
            if request.epoch_bumping and not error and value is not None:
                body = EndReply(error, value.producer_id, value.producer_epoch)
        elif error or value is None:
            body = InitReply(error)
        else:
            body = InitReply(error, value.producer_id, value.producer_epoch)
        return Reply(request.request_id, body)

    # -- steps --------------------------------------------------------------------------------------------------

    def _store(
        self, entry: _Entry, value: TransactionValue | None, request: Request | None, effects: list[Effect]
    ) -> None:
        entry.busy = True
        entry.retry_ms = None
        entry.appended = value
        token = self._take_token()
        self._pending[token] = _Pending(entry.transactional_id, value, request)
        record = KeyValue(encode_key(entry.transactional_id), None if value is None else encode_value(value))
        effects.append(Store(token, record))

    def _take_token(self) -> int:
        self._next_token += 1
        return self._next_token - 1

    def stored(self, token: int, error: ErrorCode, now_ms: int) -> list[Effect]:
        """Takes the outcome of a `Store`; each token once."""
        pending = self._pending.pop(token)
        effects: list[Effect] = []
        if pending.value is not None and pending.value.state in (State.COMPLETE_COMMIT, State.COMPLETE_ABORT):
            return effects
        entry, request = self._entries[pending.transactional_id], pending.request
        if error:
            entry.appended = entry.value
            if request is not None:
                effects.append(self._answer(entry, request, error))
            self._rest(entry, now_ms, effects, failed=True)
            return effects
        entry.value = pending.value
        if entry.value is not None and entry.value.state.is_prepared:
            assert not isinstance(request, AddPartitionsRequest)
            entry.unfinished = request
            self._write_markers(entry, effects)
            return effects
        if request is not None:
            effects.append(self._answer(entry, request, ErrorCode.NONE))
        self._rest(entry, now_ms, effects)
        return effects

    def _write_markers(self, entry: _Entry, effects: list[Effect]) -> None:
        value = entry.value
        assert value is not None
        token = self._take_token()
        self._marking[token] = entry.transactional_id
        commit = value.state is State.PREPARE_COMMIT
        partitions = tuple(sorted(value.partitions))
        effects.append(WriteMarkers(token, value.producer_id, value.producer_epoch, commit, partitions))

    def markers_written(self, token: int, error: ErrorCode, now_ms: int) -> list[Effect]:
        """Takes the outcome of a `WriteMarkers`; each token once. What failed is tried again after a while."""
        entry = self._entries[self._marking.pop(token)]
        effects: list[Effect] = []
        if error:
            entry.retry_ms = now_ms + _MARKER_RETRY_MS
            self._schedule(entry)
            return effects
        assert entry.value is not None
        entry.value = transitions.completed(entry.value, now_ms)
        request, entry.unfinished = entry.unfinished, None
        self._store(entry, entry.value, None, effects)
        if isinstance(request, InitRequest):
            # What hung is settled; now the request itself, whose producer is known to be the right one.
            own = replace(request, producer_id=NO_PRODUCER_ID, producer_epoch=NO_PRODUCER_EPOCH)
            entry.waiting.appendleft(own)
        elif request is not None:
            effects.append(self._answer(entry, request, ErrorCode.NONE))
        self._rest(entry, now_ms, effects)
        return effects

    def _rest(self, entry: _Entry, now_ms: int, effects: list[Effect], *, failed: bool = False) -> None:
        """One request is done: begin the next ones, until one is under way or none is left."""
        entry.busy = False
        while entry.waiting and not entry.busy:
            self._begin(entry, entry.waiting.popleft(), now_ms, effects)
        if entry.busy:
            return
        if entry.value is None:
            del self._entries[entry.transactional_id]
            return
        if failed:
            entry.retry_ms = now_ms + _MARKER_RETRY_MS
        self._schedule(entry)

    # -- time ---------------------------------------------------------------------------------------------------

    def next_deadline_ms(self) -> int | None:
        """Returns when `tick` is due next at the latest; None when nothing is waiting for time to pass."""
        return self._deadlines[0][0] if self._deadlines else None

    def tick(self, now_ms: int) -> list[Effect]:
        """Does what is due: transactions that have run out of time, ids that nobody used for long, markers again."""
        effects: list[Effect] = []
        while self._deadlines and self._deadlines[0][0] <= now_ms:
            deadline_ms, transactional_id = heapq.heappop(self._deadlines)
            entry = self._entries.get(transactional_id)
            if entry is None or entry.scheduled_ms != deadline_ms:
                continue
            entry.scheduled_ms = None
            due_ms = self._deadline_ms(entry)
            if due_ms is not None and due_ms <= now_ms:
                entry.retry_ms = None
                self._expire(entry, now_ms, effects)
            self._schedule(entry)
        return effects

    def _expire(self, entry: _Entry, now_ms: int, effects: list[Effect]) -> None:
        value = entry.value
        assert value is not None
        if value.state.is_prepared:
            self._write_markers(entry, effects)
        elif value.state is State.ONGOING and value.start_ms + value.timeout_ms <= now_ms:
            self._store(entry, transitions.fenced(value, now_ms), None, effects)
        elif value.state is not State.ONGOING and value.update_ms + self._config.expiration_ms <= now_ms:
            self._store(entry, None, None, effects)

    def _deadline_ms(self, entry: _Entry) -> int | None:
        value = entry.value
        if entry.retry_ms is not None:
            return entry.retry_ms
        if value is None or entry.busy:
            return None
        if value.state is State.ONGOING:
            return value.start_ms + value.timeout_ms
        return value.update_ms + self._config.expiration_ms

    def _schedule(self, entry: _Entry) -> None:
        deadline_ms = self._deadline_ms(entry)
        if deadline_ms is not None and (entry.scheduled_ms is None or deadline_ms < entry.scheduled_ms):
            entry.scheduled_ms = deadline_ms
            heapq.heappush(self._deadlines, (deadline_ms, entry.transactional_id))

    # -- start --------------------------------------------------------------------------------------------------

    def replay(self, key: bytes, value: bytes | None) -> None:
        """Takes one record of `__transaction_state`.

        Raises:
            yeoul.errors.PeerError: It is damaged, or of a version that is not known.
        """
        transactional_id = decode_key(key)
        if transactional_id is None:
            return
        decoded = None if value is None else decode_value(value)
        if decoded is None or decoded.state is State.DEAD:
            self._entries.pop(transactional_id, None)
        else:
            self._entries[transactional_id] = _Entry(transactional_id, decoded, decoded)

    def finish_replay(self, now_ms: int) -> list[Effect]:
        """Ends replay: transactions that were decided but not completed are completed now."""
        effects: list[Effect] = []
        for entry in self._entries.values():
            assert entry.value is not None
            if entry.value.state.is_prepared:
                entry.busy = True
                self._write_markers(entry, effects)
            self._schedule(entry)
        return effects

    def snapshot_records(self) -> Iterator[KeyValue]:
        """Yields the records from which `replay` would rebuild all that is stored, or on its way, now."""
        for transactional_id, entry in self._entries.items():
            if entry.appended is not None:
                yield KeyValue(encode_key(transactional_id), encode_value(entry.appended))

    # -- queries ------------------------------------------------------------------------------------------------

    def verify(
        self, transactional_id: str, producer_id: int, producer_epoch: int, partition: TopicPartition
    ) -> ErrorCode:
        """Whether a producer's open transaction has a partition: `NONE`, or why its records may not be written."""
        entry = self._entries.get(transactional_id)
        return transitions.verified(entry.value if entry else None, producer_id, producer_epoch, partition)

    def values(self) -> dict[str, TransactionValue]:
        """Returns what is stored of each transactional id."""
        return {name: entry.value for name, entry in self._entries.items() if entry.value is not None}

    def describe(self, transactional_id: str) -> TransactionDescription | None:
        """Returns a transactional id's state; None when it is not known."""
        entry = self._entries.get(transactional_id)
        value = entry.value if entry is not None else None
        if value is None:
            return None
        is_open = value.state is State.ONGOING or value.state.is_prepared
        return TransactionDescription(
            transactional_id,
            value.state.label,
            value.producer_id,
            value.producer_epoch,
            value.timeout_ms,
            value.start_ms if is_open else -1,
            tuple(sorted(value.partitions)),
        )

    def list_transactions(
        self, states: Iterable[str] = (), producer_ids: Iterable[int] = (), open_since_ms: int | None = None
    ) -> list[TransactionDescription]:
        """Returns all transactional ids: those in the states named, of the producers named, open since a time."""
        wanted, ids = frozenset(states), frozenset(producer_ids)
        found = [self.describe(transactional_id) for transactional_id in self._entries]
        return [
            each
            for each in found
            if each is not None
            and (not wanted or each.state in wanted)
            and (not ids or each.producer_id in ids)
            and (open_since_ms is None or 0 <= each.start_ms <= open_since_ms)
        ]


def _refusal(request: Request, error: ErrorCode) -> Reply:
    if isinstance(request, InitRequest):
        return Reply(request.request_id, InitReply(error))
    if isinstance(request, EndRequest):
        return Reply(request.request_id, EndReply(error))
    return Reply(request.request_id, AddPartitionsReply(error))
