"""Transactions through a whole broker, request by request: both versions of the protocol, crashes, refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from yeoul.broker.group_driver import GroupDriver
from yeoul.broker.groups.coordinator import Coordinator as GroupCoordinator
from yeoul.broker.transaction_driver import TransactionDriver
from yeoul.broker.transactions.coordinator import Coordinator
from yeoul.broker.transactions.records import State, encode_key, encode_value
from yeoul.clock import SYSTEM_CLOCK
from yeoul.wire import frames
from yeoul.wire.errors import ErrorCode
from yeoul.wire.messages.add_offsets_to_txn import ADD_OFFSETS_TO_TXN, AddOffsetsToTxnRequest
from yeoul.wire.messages.add_partitions_to_txn import (
    ADD_PARTITIONS_TO_TXN,
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnTopic,
)
from yeoul.wire.messages.api_versions import API_VERSIONS, ApiVersionsRequest
from yeoul.wire.messages.create_topics import CREATE_TOPICS, CreatableTopic, CreateTopicsRequest
from yeoul.wire.messages.describe_producers import DESCRIBE_PRODUCERS, DescribeProducersRequest, TopicRequest
from yeoul.wire.messages.describe_transactions import DESCRIBE_TRANSACTIONS, DescribeTransactionsRequest
from yeoul.wire.messages.end_txn import END_TXN, EndTxnRequest, EndTxnResponse
from yeoul.wire.messages.fetch import FETCH, FetchPartition, FetchRequest, FetchTopic, PartitionData
from yeoul.wire.messages.init_producer_id import INIT_PRODUCER_ID, InitProducerIdRequest, InitProducerIdResponse
from yeoul.wire.messages.list_offsets import LIST_OFFSETS, ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from yeoul.wire.messages.list_transactions import LIST_TRANSACTIONS, ListTransactionsRequest
from yeoul.wire.messages.offset_commit import (
    OFFSET_COMMIT,
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from yeoul.wire.messages.offset_fetch import (
    OFFSET_FETCH,
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
    OffsetFetchResponsePartitions,
)
from yeoul.wire.messages.produce import PRODUCE, PartitionProduceData, ProduceRequest, TopicProduceData
from yeoul.wire.messages.txn_offset_commit import (
    TXN_OFFSET_COMMIT,
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from yeoul.wire.records import Record, encode_batch, iter_batches

from .conftest import Bench, responses

Who = tuple[int, int]


def create(bench: Bench) -> None:
    wanted = CreatableTopic(name="t", num_partitions=3, replication_factor=1)
    bench.ask(CREATE_TOPICS, 7, CreateTopicsRequest(topics=[wanted]))


def init(bench: Bench, version: int = 5) -> Who:
    request = InitProducerIdRequest(transactional_id="x", transaction_timeout_ms=60_000)
    response = bench.ask(INIT_PRODUCER_ID, version, request)
    assert isinstance(response, InitProducerIdResponse)
    assert response.error_code == 0
    return response.producer_id, response.producer_epoch


def add(bench: Bench, who: Who, *numbers: int, topic: str = "t", version: int = 3) -> list[int]:
    topics = [AddPartitionsToTxnTopic(name=topic, partitions=list(numbers))]
    request = AddPartitionsToTxnRequest(
        v3_and_below_transactional_id="x",
        v3_and_below_producer_id=who[0],
        v3_and_below_producer_epoch=who[1],
        v3_and_below_topics=topics,
    )
    [result] = bench.ask(ADD_PARTITIONS_TO_TXN, version, request).results_by_topic_v3_and_below
    return [each.partition_error_code for each in result.results_by_partition]


def produce_request(
    who: Who, sequence: int, number: int, version: int, *, correlation_id: int = 1, name: str | None = "x"
) -> bytes:
    batch = encode_batch(
        [Record(0, 0, None, b"%d" % sequence)],
        producer_id=who[0],
        producer_epoch=who[1],
        base_sequence=sequence,
        transactional=True,
    )
    data = [TopicProduceData(name="t", partition_data=[PartitionProduceData(index=number, records=batch)])]
    message = ProduceRequest(transactional_id=name, acks=-1, topic_data=data)
    return bytes(frames.encode_request(PRODUCE, version, correlation_id, "c", message))


def produce(bench: Bench, who: Who, sequence: int, number: int = 0, *, version: int = 9, name: str | None = "x") -> int:
    connection, transport = bench.connect()
    bench.feed(connection, produce_request(who, sequence, number, version, name=name))
    bench.until(lambda: bool(responses(transport)))
    [frame] = responses(transport)
    return int(frames.read_response(PRODUCE, version, frame)[1].responses[0].partition_responses[0].error_code)


def end(bench: Bench, who: Who, *, commit: bool, version: int = 3) -> EndTxnResponse:
    request = EndTxnRequest(transactional_id="x", producer_id=who[0], producer_epoch=who[1], committed=commit)
    response = bench.ask(END_TXN, version, request)
    assert isinstance(response, EndTxnResponse)
    return response


def fetch(bench: Bench, number: int = 0, *, isolation: int = 1, version: int = 12) -> PartitionData:
    wanted = FetchPartition(partition=number, fetch_offset=0, partition_max_bytes=1 << 20)
    request = FetchRequest(isolation_level=isolation, topics=[FetchTopic(topic="t", partitions=[wanted])])
    found = bench.ask(FETCH, version, request).responses[0].partitions[0]
    assert isinstance(found, PartitionData)
    return found


def commit_offset(bench: Bench, who: Who, offset: int, version: int) -> int:
    partition = TxnOffsetCommitRequestPartition(partition_index=0, committed_offset=offset, committed_metadata="")
    request = TxnOffsetCommitRequest(
        transactional_id="x",
        group_id="g",
        producer_id=who[0],
        producer_epoch=who[1],
        topics=[TxnOffsetCommitRequestTopic(name="t", partitions=[partition])],
    )
    return int(bench.ask(TXN_OFFSET_COMMIT, version, request).topics[0].partitions[0].error_code)


def committed(bench: Bench, *, stable: bool = False, everything: bool = False) -> OffsetFetchResponsePartitions | None:
    topics = None if everything else [OffsetFetchRequestTopics(name="t", partition_indexes=[0])]
    group = OffsetFetchRequestGroup(group_id="g", topics=topics)
    response = bench.ask(OFFSET_FETCH, 8, OffsetFetchRequest(groups=[group], require_stable=stable))
    found = [partition for topic in response.groups[0].topics for partition in topic.partitions]
    return found[0] if found else None


def test_the_older_protocol_adds_partitions_before_it_writes(bench: Bench) -> None:
    create(bench)
    who = init(bench)
    assert produce(bench, who, 0) == ErrorCode.INVALID_TXN_STATE
    assert produce(bench, who, 0, version=11) == ErrorCode.TRANSACTION_ABORTABLE
    assert add(bench, who, 0, 1) == [0, 0]
    assert produce(bench, who, 0) == 0
    assert produce(bench, who, 0) == 0  # a retry: its sequence is known
    assert produce(bench, who, 0, 1, name=None) == ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    assert produce(bench, who, 0, 2) == ErrorCode.INVALID_TXN_STATE
    assert end(bench, who, commit=True).error_code == 0
    assert produce(bench, who, 1) == ErrorCode.INVALID_TXN_STATE
    assert (fetch(bench).last_stable_offset, fetch(bench).high_watermark) == (2, 2)


def test_what_cannot_be_added_adds_nothing(bench: Bench) -> None:
    create(bench)
    who = init(bench)
    assert add(bench, who, 0, 7) == [ErrorCode.OPERATION_NOT_ATTEMPTED, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]
    assert produce(bench, who, 0) == ErrorCode.INVALID_TXN_STATE


def test_older_versions_are_told_of_fencing_in_their_own_words(bench: Bench) -> None:
    create(bench)
    producer_id, epoch = init(bench)
    init(bench)
    zombie = (producer_id, epoch)
    assert add(bench, zombie, 0) == [ErrorCode.PRODUCER_FENCED]
    assert add(bench, zombie, 0, version=1) == [ErrorCode.INVALID_PRODUCER_EPOCH]
    assert end(bench, zombie, commit=True).error_code == ErrorCode.PRODUCER_FENCED
    assert end(bench, zombie, commit=True, version=1).error_code == ErrorCode.INVALID_PRODUCER_EPOCH
    assert produce(bench, zombie, 0, version=12) == ErrorCode.INVALID_PRODUCER_EPOCH


def test_the_newer_protocol_adds_a_partition_with_its_first_batch(bench: Bench) -> None:
    create(bench)
    producer_id, epoch = who = init(bench)
    assert produce(bench, who, 0, version=12) == 0
    assert produce(bench, who, 1, version=12) == 0
    assert produce(bench, who, 0, 1, version=12) == 0
    assert fetch(bench).last_stable_offset == 0
    ended = end(bench, who, commit=False, version=5)
    assert (ended.error_code, ended.producer_id, ended.producer_epoch) == (0, producer_id, epoch + 1)
    assert produce(bench, who, 2, version=12) == ErrorCode.INVALID_PRODUCER_EPOCH
    found = fetch(bench)
    assert [(each.producer_id, each.first_offset) for each in found.aborted_transactions or []] == [(producer_id, 0)]
    assert produce(bench, (producer_id, epoch + 1), 0, version=12) == 0
    assert end(bench, (producer_id, epoch + 1), commit=True, version=5).producer_epoch == epoch + 2


def test_batches_that_wait_for_their_partition_stay_in_order(bench: Bench) -> None:
    create(bench)
    who = init(bench)
    connection, transport = bench.connect()
    frames_sent = [produce_request(who, at // 2, at % 2, 12, correlation_id=at) for at in range(8)]
    bench.feed(connection, b"".join(frames_sent))
    bench.until(lambda: len(responses(transport)) == 8)
    answered = [frames.read_response(PRODUCE, 12, frame)[1] for frame in responses(transport)]
    results = [each.responses[0].partition_responses[0] for each in answered]
    assert [(each.error_code, each.base_offset) for each in results] == [(0, at // 2) for at in range(8)]


def test_a_batch_does_not_overtake_one_that_still_waits_when_the_partition_has_joined(bench: Bench) -> None:
    create(bench)
    who = init(bench)
    connection, transport = bench.connect()
    # The second batch of partition 0 waits behind what joins partitions 1 and 2, when partition 0 has long joined.
    first = [(0, 0), (0, 1), (0, 2), (1, 0)]
    bench.feed(connection, b"".join(produce_request(who, sequence, number, 12) for sequence, number in first))
    partition = bench.server.node.log.partition("t", 0)
    assert partition is not None
    bench.until(lambda: who[0] in partition.transactions.open)
    bench.feed(connection, produce_request(who, 2, 0, 12))
    bench.until(lambda: len(responses(transport)) == 5)
    answered = [frames.read_response(PRODUCE, 12, frame)[1] for frame in responses(transport)]
    results = [each.responses[0].partition_responses[0] for each in answered]
    assert [(each.error_code, each.base_offset) for each in results] == [(0, 0), (0, 0), (0, 0), (0, 1), (0, 2)]


def test_offsets_are_enlisted_by_request_or_with_the_first_commit(bench: Bench) -> None:
    create(bench)
    who = init(bench)
    assert commit_offset(bench, who, 3, 3) == ErrorCode.INVALID_TXN_STATE
    assert commit_offset(bench, who, 3, 4) == ErrorCode.TRANSACTION_ABORTABLE
    request = AddOffsetsToTxnRequest(transactional_id="x", producer_id=who[0], producer_epoch=who[1], group_id="g")
    assert bench.ask(ADD_OFFSETS_TO_TXN, 3, request).error_code == 0
    assert commit_offset(bench, who, 3, 3) == 0
    assert end(bench, who, commit=True).error_code == 0
    found = committed(bench)
    assert found is not None
    assert found.committed_offset == 3
    assert commit_offset(bench, who, 5, 5) == 0
    ended = end(bench, who, commit=True, version=5)
    assert ended.error_code == 0
    found = committed(bench)
    assert found is not None
    assert found.committed_offset == 5
    assert commit_offset(bench, who, 6, 5) == ErrorCode.INVALID_PRODUCER_EPOCH


@pytest.mark.parametrize("commit", [True, False])
def test_held_back_offsets_outlive_the_broker(make_bench: Callable[..., Bench], commit: bool) -> None:
    bench = make_bench()
    create(bench)
    who = init(bench)
    assert commit_offset(bench, who, 3, 5) == 0
    bench.close()
    bench = make_bench()
    found = committed(bench, stable=True)
    assert found is not None
    assert (found.error_code, found.committed_offset) == (ErrorCode.UNSTABLE_OFFSET_COMMIT, -1)
    assert committed(bench, everything=True) is None
    assert end(bench, who, commit=commit, version=5).error_code == 0
    for again in (bench, None):
        if again is None:
            bench.close()
            bench = make_bench()
        found = committed(bench, stable=True)
        assert found is not None
        assert (found.error_code, found.committed_offset) == (0, 3 if commit else -1)


@pytest.mark.parametrize("commit", [True, False])
def test_a_decided_transaction_is_completed_at_the_next_start(make_bench: Callable[..., Bench], commit: bool) -> None:
    """As after a kill between the decision and the markers: the decision is the last record there is."""
    bench = make_bench()
    create(bench)
    who = init(bench)
    assert produce(bench, who, 0, version=12) == 0
    assert produce(bench, who, 0, 1, version=12) == 0
    assert commit_offset(bench, who, 9, 5) == 0
    driver = bench.node.transactions
    value = driver.coordinator.values()["x"]
    decided = replace(value, state=State.PREPARE_COMMIT if commit else State.PREPARE_ABORT)
    partition = bench.node.log.partition("__transaction_state", 0)
    assert partition is not None
    record = encode_batch([Record(0, 0, encode_key("x"), encode_value(decided))])
    partition.append(record, [header for _, header in iter_batches(record)])
    bench.close()
    bench = make_bench()
    bench.until(lambda: bench.node.transactions.coordinator.values()["x"].state.name.startswith("COMPLETE"))
    assert [fetch(bench, number).last_stable_offset for number in (0, 1)] == [2, 2]
    assert bool(fetch(bench).aborted_transactions) is not commit
    found = committed(bench, stable=True)
    assert found is not None
    assert (found.error_code, found.committed_offset) == (0, 9 if commit else -1)
    assert end(bench, who, commit=commit).error_code == 0
    assert end(bench, who, commit=not commit).error_code == ErrorCode.INVALID_TXN_STATE


@pytest.mark.parametrize("commit", [True, False])
def test_offsets_are_held_back_over_a_trimmed_topic_and_a_restart(
    make_bench: Callable[..., Bench], commit: bool
) -> None:
    bench = make_bench()
    create(bench)
    node = bench.node
    driver = GroupDriver(GroupCoordinator(), node.log, SYSTEM_CLOCK, bench.loop, trim_bytes=5_000)
    driver.replay()
    node.groups = node.transactions._groups = driver
    who = init(bench)
    assert commit_offset(bench, who, 3, 5) == 0
    wanted = OffsetCommitRequestPartition(partition_index=0, committed_offset=1, committed_metadata="m" * 100)
    plain = OffsetCommitRequest(group_id="g", topics=[OffsetCommitRequestTopic(name="t", partitions=[wanted])])
    for _ in range(100):
        assert bench.ask(OFFSET_COMMIT, 8, plain).topics[0].partitions[0].error_code == 0
    partition = node.log.partition("__consumer_offsets", 0)
    assert partition is not None
    assert partition.start_offset > 1
    bench.close()
    bench = make_bench()
    found = committed(bench, stable=True)
    assert found is not None
    assert found.error_code == ErrorCode.UNSTABLE_OFFSET_COMMIT
    assert end(bench, who, commit=commit, version=5).error_code == 0
    bench.close()
    found = committed(make_bench(), stable=True)
    assert found is not None
    assert (found.error_code, found.committed_offset) == (0, 3 if commit else 1)


def test_a_transaction_over_a_deleted_topic_ends(bench: Bench) -> None:
    create(bench)
    who = init(bench)
    assert produce(bench, who, 0, version=12) == 0
    bench.node.delete_topic(bench.node.log.topic("t"))
    assert end(bench, who, commit=True, version=5).error_code == 0


def test_the_internal_topic_is_trimmed_and_nothing_is_forgotten(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    create(bench)
    log = bench.node.log
    driver = TransactionDriver(
        Coordinator(log.allocate_producer_id), bench.node.groups, log, SYSTEM_CLOCK, bench.loop, trim_bytes=5_000
    )
    driver.replay()
    bench.node.transactions = driver
    who = init(bench)
    for number in range(60):
        assert produce(bench, who, 0, version=12) == 0, number
        ended = end(bench, who, commit=True, version=5)
        who = (ended.producer_id, ended.producer_epoch)
    partition = log.partition("__transaction_state", 0)
    assert partition is not None
    assert partition.start_offset > 0
    before = driver.coordinator.values()
    driver.close()
    bench.close()
    assert make_bench().node.transactions.coordinator.values() == before


def test_the_end_for_committed_readers_is_the_last_stable_offset(bench: Bench) -> None:
    create(bench)
    who = init(bench)
    assert produce(bench, who, 0, version=12) == 0

    def end_offset(isolation: int, timestamp: int = -1) -> int:
        wanted = [ListOffsetsTopic(name="t", partitions=[ListOffsetsPartition(timestamp=timestamp)])]
        request = ListOffsetsRequest(isolation_level=isolation, topics=wanted)
        return int(bench.ask(LIST_OFFSETS, 7, request).topics[0].partitions[0].offset)

    assert (end_offset(0), end_offset(1)) == (1, 0)
    assert (end_offset(0, 0), end_offset(1, 0)) == (0, -1)
    assert (end_offset(0, -3), end_offset(1, -3)) == (0, -1)


def test_transactions_and_producers_are_described(bench: Bench) -> None:
    create(bench)
    producer_id, epoch = who = init(bench)
    assert produce(bench, who, 0, 1, version=12) == 0
    [state] = bench.ask(
        DESCRIBE_TRANSACTIONS, 0, DescribeTransactionsRequest(transactional_ids=["x"])
    ).transaction_states
    assert (state.transaction_state, state.producer_id, state.producer_epoch) == ("Ongoing", producer_id, epoch)
    assert [(topic.topic, topic.partitions) for topic in state.topics] == [("t", [1])]
    [unknown] = bench.ask(
        DESCRIBE_TRANSACTIONS, 0, DescribeTransactionsRequest(transactional_ids=["y"])
    ).transaction_states
    assert unknown.error_code == ErrorCode.TRANSACTIONAL_ID_NOT_FOUND
    listed = bench.ask(LIST_TRANSACTIONS, 1, ListTransactionsRequest(state_filters=["Ongoing", "Wrong"]))
    assert [each.transactional_id for each in listed.transaction_states] == ["x"]
    assert listed.unknown_state_filters == ["Wrong"]
    wanted = DescribeProducersRequest(topics=[TopicRequest(name="t", partition_indexes=[1, 9])])
    found, missing = bench.ask(DESCRIBE_PRODUCERS, 0, wanted).topics[0].partitions
    [producer] = found.active_producers
    assert (producer.producer_id, producer.last_sequence, producer.current_txn_start_offset) == (producer_id, 0, 0)
    assert missing.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_the_feature_that_negotiates_the_newer_protocol_is_told(bench: Bench) -> None:
    told = bench.ask(API_VERSIONS, 3, ApiVersionsRequest(client_software_name="c", client_software_version="1"))
    assert [(each.name, each.max_version_level) for each in told.finalized_features] == [
        ("group.version", 1),
        ("transaction.version", 2),
    ]
    assert told.finalized_features_epoch >= 0
