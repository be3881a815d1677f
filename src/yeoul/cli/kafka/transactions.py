"""What `yeoul transactions` does: looking at transactional ids, finding transactions that hang, ending them.

A transaction hangs when a partition still has it open although its coordinator knows of none (KIP-664): readers of
committed records then wait for ever.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from yeoul.cli.kafka.requests import TRANSACTION, Requests, refusal
from yeoul.cli.rendering.listing import print_json, print_rows
from yeoul.errors import UserError
from yeoul.wire.messages.describe_producers import DESCRIBE_PRODUCERS, DescribeProducersRequest, TopicRequest
from yeoul.wire.messages.describe_transactions import (
    DESCRIBE_TRANSACTIONS,
    DescribeTransactionsRequest,
    TransactionState,
)
from yeoul.wire.messages.list_transactions import LIST_TRANSACTIONS, ListTransactionsRequest
from yeoul.wire.messages.write_txn_markers import (
    WRITE_TXN_MARKERS,
    WritableTxnMarker,
    WritableTxnMarkerTopic,
    WriteTxnMarkersRequest,
)

__all__ = ["abort", "describe", "describe_producers", "find_hanging", "show_all"]

_ONGOING = frozenset({"Ongoing", "PrepareCommit", "PrepareAbort", "PrepareEpochFence"})


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """A producer's transaction that is open in one partition."""

    topic: str
    partition: int
    producer_id: int
    producer_epoch: int
    coordinator_epoch: int
    start_offset: int
    last_timestamp_ms: int


def show_all(
    requests: Requests, *, states: Sequence[str], producer_ids: Sequence[int], open_for_ms: int | None, as_json: bool
) -> None:
    """Prints one line a transactional id."""
    request = ListTransactionsRequest(
        state_filters=list(states),
        producer_id_filters=list(producer_ids),
        duration_filter=-1 if open_for_ms is None else open_for_ms,
    )
    rows: list[tuple[str, int, int, str]] = []
    for broker in requests.brokers():
        answer = requests.ask_broker(broker, LIST_TRANSACTIONS, request)
        if answer.error_code:
            raise refusal(answer.error_code, "Listing transactions")
        if answer.unknown_state_filters:
            raise UserError(
                f"Unknown state {answer.unknown_state_filters[0]!r}",
                hint="Known: Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort.",
            )
        rows += [
            (one.transactional_id, broker, one.producer_id, one.transaction_state) for one in answer.transaction_states
        ]
    columns = ("transactional id", "coordinator", "producer id", "state")
    print_rows(columns, sorted(rows), numbers=columns[1:3], as_json=as_json, nothing="No transactions.")


def _state_of(requests: Requests, transactional_id: str) -> TransactionState:
    request = DescribeTransactionsRequest(transactional_ids=[transactional_id])
    answer = requests.ask_coordinator(TRANSACTION, transactional_id, DESCRIBE_TRANSACTIONS, request)
    [state] = answer.transaction_states
    if state.error_code:
        raise refusal(state.error_code, f"Describing transactional id {transactional_id!r}")
    return state


def describe(requests: Requests, transactional_id: str, *, as_json: bool) -> None:
    """Prints one transactional id and the partitions that its transaction has written to."""
    state = _state_of(requests, transactional_id)
    started_ms = state.transaction_start_time_ms
    facts: dict[str, object] = {
        "transactional_id": transactional_id,
        "state": state.transaction_state,
        "producer_id": state.producer_id,
        "producer_epoch": state.producer_epoch,
        "timeout_ms": state.transaction_timeout_ms,
        "open_for_ms": max(0, int(time.time() * 1_000) - started_ms) if started_ms >= 0 else None,
        "partitions": [f"{topic.topic}-{number}" for topic in state.topics for number in topic.partitions],
    }
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        print(f"{name.replace('_', ' ')}: {'-' if shown in (None, '') else shown}")


def _producers(requests: Requests, topic: str, partitions: Sequence[int]) -> list[tuple[int, OpenTransaction, int]]:
    """Each producer of the partitions: (partition, its transaction or where it would begin, last sequence)."""
    leaders = requests.leaders([topic])
    wanted = [number for name, number in sorted(leaders) if name == topic and (not partitions or number in partitions)]
    found = []
    for number in wanted:
        request = DescribeProducersRequest(topics=[TopicRequest(name=topic, partition_indexes=[number])])
        answer = requests.ask_broker(leaders[topic, number], DESCRIBE_PRODUCERS, request)
        [one] = answer.topics[0].partitions
        if one.error_code:
            raise refusal(one.error_code, f"Describing the producers of {topic}-{number}", one.error_message)
        for each in one.active_producers:
            opened = OpenTransaction(
                topic,
                number,
                each.producer_id,
                each.producer_epoch,
                each.coordinator_epoch,
                each.current_txn_start_offset,
                each.last_timestamp,
            )
            found.append((number, opened, each.last_sequence))
    return found


def describe_producers(requests: Requests, topic: str, partitions: Sequence[int], *, as_json: bool) -> None:
    """Prints who has written to a topic's partitions, and where a transaction of theirs began that is open."""
    columns = ("partition", "producer id", "producer epoch", "last sequence", "last timestamp ms", "open since offset")
    rows = [
        (
            number,
            one.producer_id,
            one.producer_epoch,
            sequence,
            one.last_timestamp_ms,
            one.start_offset if one.start_offset >= 0 else None,
        )
        for number, one, sequence in _producers(requests, topic, partitions)
    ]
    print_rows(columns, rows, numbers=columns, as_json=as_json, nothing="No producers are remembered.")


def find_hanging(requests: Requests, topics: Sequence[str], *, older_than_ms: int, as_json: bool) -> int:
    """Prints transactions that are open in a partition and nowhere else; returns how many there are."""
    names = list(topics) or sorted({name for name, _ in requests.leaders(None)})
    now_ms = int(time.time() * 1_000)
    opened = [
        one
        for name in names
        for _, one, _ in _producers(requests, name, ())
        if one.start_offset >= 0 and now_ms - one.last_timestamp_ms >= older_than_ms
    ]
    known = _known_partitions(requests) if opened else set()
    hanging = [one for one in opened if (one.producer_id, one.topic, one.partition) not in known]
    columns = ("topic", "partition", "producer id", "producer epoch", "start offset", "idle ms")
    rows = [
        (
            one.topic,
            one.partition,
            one.producer_id,
            one.producer_epoch,
            one.start_offset,
            now_ms - one.last_timestamp_ms,
        )
        for one in hanging
    ]
    print_rows(columns, rows, numbers=columns[1:], as_json=as_json, nothing="No transaction hangs.")
    return len(hanging)


def _known_partitions(requests: Requests) -> set[tuple[int, str, int]]:
    """What coordinators know of: (producer id, topic, partition)."""
    known = set()
    for broker in requests.brokers():
        listed = requests.ask_broker(broker, LIST_TRANSACTIONS, ListTransactionsRequest())
        for one in listed.transaction_states:
            if one.transaction_state in _ONGOING:
                state = _state_of(requests, one.transactional_id)
                known |= {
                    (state.producer_id, topic.topic, number) for topic in state.topics for number in topic.partitions
                }
    return known


def abort(requests: Requests, topic: str, partition: int, start_offset: int, *, execute: bool) -> None:
    """Ends the transaction that began at an offset of a partition, past its coordinator.

    Raises:
        UserError: None began there.
        PeerError: The broker refuses.
    """
    found = [one for _, one, _ in _producers(requests, topic, [partition]) if one.start_offset == start_offset]
    if not found:
        raise UserError(
            f"No transaction that is open in {topic}-{partition} began at offset {start_offset}",
            hint=f"`yeoul transactions find-hanging --topic {topic}` shows those that hang.",
        )
    one = found[0]
    what = f"the transaction of producer {one.producer_id}, epoch {one.producer_epoch}, in {topic}-{partition}"
    if not execute:
        print(f"Dry run: would abort {what}. Add --execute to do it.")
        return
    marker = WritableTxnMarker(
        producer_id=one.producer_id,
        producer_epoch=one.producer_epoch,
        transaction_result=False,
        topics=[WritableTxnMarkerTopic(name=topic, partition_indexes=[partition])],
        coordinator_epoch=max(0, one.coordinator_epoch),
    )
    leader = requests.leaders([topic])[topic, partition]
    answer = requests.ask_broker(leader, WRITE_TXN_MARKERS, WriteTxnMarkersRequest(markers=[marker]))
    code = answer.markers[0].topics[0].partitions[0].error_code
    if code:
        raise refusal(code, f"Aborting {what}")
    print(f"Aborted {what}.")
