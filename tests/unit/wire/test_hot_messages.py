"""The hand-written Produce and Fetch say the same bytes as their tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yeoul.wire import fetch, frames, produce
from yeoul.wire.errors import ProtocolError
from yeoul.wire.messages.fetch import FETCH, AbortedTransaction, FetchableTopicResponse, FetchResponse, PartitionData
from yeoul.wire.messages.produce import (
    PRODUCE,
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
    TopicProduceResponse,
)

names = st.text(min_size=1, max_size=10)
int32s = st.integers(-(2**31), 2**31 - 1)
int64s = st.integers(-(2**63), 2**63 - 1)
codes = st.integers(-1, 130)
blobs = st.none() | st.binary(max_size=300)


@given(
    version=st.integers(3, 12),
    transactional_id=st.none() | names,
    acks=st.integers(-1, 1),
    topics=st.lists(st.tuples(names, st.lists(st.tuples(int32s, blobs), max_size=3)), max_size=3),
)
def test_produce_requests_read_as_the_table_writes_them(
    version: int, transactional_id: str | None, acks: int, topics: list[tuple[str, list[tuple[int, bytes | None]]]]
) -> None:
    table = ProduceRequest(
        transactional_id=transactional_id,
        acks=acks,
        timeout_ms=77,
        topic_data=[
            TopicProduceData(
                name=name, partition_data=[PartitionProduceData(index=i, records=r) for i, r in partitions]
            )
            for name, partitions in topics
        ],
    )
    frame = memoryview(b"head" + PRODUCE.encode_request(table, version))
    read = produce.read_request(frame, version, 4)
    assert (read.transactional_id, read.acks, read.timeout_ms) == (transactional_id, acks, 77)
    assert [(d.topic, d.partition, d.records) for d in read.data] == [
        (name, i, r) for name, partitions in topics for i, r in partitions
    ]


@given(
    version=st.integers(3, 12),
    topics=st.lists(
        st.tuples(
            names, st.lists(st.tuples(int32s, codes, int64s, int64s, int64s, st.none() | names), min_size=1, max_size=3)
        ),
        max_size=3,
        unique_by=lambda topic: topic[0],
    ),
)
def test_produce_responses_are_the_tables_bytes(version: int, topics: list[tuple[str, list[tuple]]]) -> None:
    table = ProduceResponse(
        throttle_time_ms=5,
        responses=[
            TopicProduceResponse(
                name=name,
                partition_responses=[
                    PartitionProduceResponse(
                        index=index,
                        error_code=code,
                        base_offset=base,
                        log_append_time_ms=time_ms,
                        log_start_offset=start,
                        error_message=text,
                    )
                    for index, code, base, time_ms, start, text in partitions
                ],
            )
            for name, partitions in topics
        ],
    )
    results = [produce.ProduceResult(name, *partition) for name, partitions in topics for partition in partitions]
    assert produce.encode_response(results, version, 5) == PRODUCE.encode_response(table, version)


@given(
    version=st.integers(4, 17),
    topics=st.lists(
        st.tuples(
            names,
            st.binary(min_size=16, max_size=16),
            st.lists(
                st.tuples(
                    int32s,
                    codes,
                    int64s,
                    int64s,
                    int64s,
                    st.lists(st.binary(min_size=1, max_size=200), max_size=2),
                    st.lists(st.tuples(int64s, int64s), max_size=3),
                ),
                min_size=1,
                max_size=3,
            ),
        ),
        max_size=3,
        unique_by=(lambda topic: topic[0], lambda topic: topic[1]),
    ),
)
def test_fetch_responses_are_the_tables_bytes(version: int, topics: list[tuple[str, bytes, list[tuple]]]) -> None:
    table = FetchResponse(
        error_code=3,
        session_id=8,
        responses=[
            FetchableTopicResponse(
                topic=name,
                topic_id=topic_id,
                partitions=[
                    PartitionData(
                        partition_index=index,
                        error_code=code,
                        high_watermark=high,
                        last_stable_offset=stable,
                        log_start_offset=start,
                        aborted_transactions=[
                            AbortedTransaction(producer_id=producer_id, first_offset=first)
                            for producer_id, first in aborted
                        ]
                        or None,
                        records=b"".join(records),
                    )
                    for index, code, high, stable, start, records, aborted in partitions
                ],
            )
            for name, topic_id, partitions in topics
        ],
    )
    results = [
        fetch.FetchResult(
            name, topic_id, *partition[:-1], size_bytes=sum(map(len, partition[-2])), aborted=partition[-1]
        )
        for name, topic_id, partitions in topics
        for partition in partitions
    ]
    parts = fetch.encode_response(99, version, results, error_code=3, session_id=8)
    expected = frames.encode_response(FETCH, version, 99, table)
    assert b"".join(parts) == expected


def test_record_data_is_never_copied() -> None:
    log = memoryview(bytearray(b"x" * 1000))
    parts = fetch.encode_response(1, 12, [fetch.FetchResult("t", b"", 0, records=[log], size_bytes=1000)])
    assert any(part is log for part in parts)
    request = PRODUCE.encode_request(
        ProduceRequest(
            topic_data=[TopicProduceData(name="t", partition_data=[PartitionProduceData(records=b"y" * 9)])]
        ),
        9,
    )
    [data] = produce.read_request(memoryview(request), 9, 0).data
    assert data.records is not None
    assert data.records.obj is request


@pytest.mark.parametrize("version", [3, 9])
def test_a_produce_request_cut_anywhere_is_a_protocol_error(version: int) -> None:
    whole = PRODUCE.encode_request(
        ProduceRequest(
            transactional_id="t",
            topic_data=[TopicProduceData(name="topic", partition_data=[PartitionProduceData(records=b"y" * 9)])],
        ),
        version,
    )
    produce.read_request(memoryview(whole), version, 0)
    for cut in range(len(whole)):
        with pytest.raises(ProtocolError):
            produce.read_request(memoryview(whole)[:cut], version, 0)
