"""The queue between a SELECT and its reader: bounded, in order, errors after rows, closing frees the job."""

import threading
from collections.abc import Callable

import polars as pl
import pytest

from yeoul.jobs.buffer import BatchBuffer


def frame(*values: int) -> pl.DataFrame:
    return pl.DataFrame({"n": list(values)}, schema={"n": pl.Int64})


def on_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_batches_come_in_order_and_then_the_end() -> None:
    buffer = BatchBuffer()
    for value in range(3):
        buffer.put(frame(value))
    buffer.finish()
    assert [buffer.take()["n"][0] for _ in range(3)] == [0, 1, 2]  # type: ignore[index]
    assert buffer.take() is None
    assert buffer.take() is None


def test_an_error_is_raised_after_the_rows_before_it() -> None:
    buffer = BatchBuffer()
    buffer.put(frame(1))
    buffer.finish(ValueError("broken"))
    assert buffer.take() is not None
    with pytest.raises(ValueError, match="broken"):
        buffer.take()


def test_a_full_queue_holds_the_job_until_a_batch_is_taken() -> None:
    buffer = BatchBuffer(limit_bytes=16)
    buffer.put(frame(1, 2))
    blocked = on_thread(lambda: buffer.put(frame(3)))
    blocked.join(0.05)
    assert blocked.is_alive()
    assert buffer.take() is not None
    blocked.join(10)
    assert not blocked.is_alive()
    assert buffer.take(1).equals(frame(3))  # type: ignore[union-attr]


def test_a_batch_larger_than_the_queue_is_let_in_alone() -> None:
    buffer = BatchBuffer(limit_bytes=1)
    buffer.put(frame(*range(100)))
    assert buffer.take().height == 100  # type: ignore[union-attr]


def test_closing_frees_a_job_that_waits_to_put() -> None:
    buffer = BatchBuffer(limit_bytes=1)
    buffer.put(frame(1))
    blocked = on_thread(lambda: buffer.put(frame(2)))
    buffer.close()
    blocked.join(10)
    assert not blocked.is_alive()
    assert buffer.take() is None


def test_closing_frees_a_reader_that_waits() -> None:
    buffer = BatchBuffer()
    taken: list[object] = []
    reader = on_thread(lambda: taken.append(buffer.take()))
    buffer.close()
    reader.join(10)
    assert taken == [None]


def test_nothing_in_time_is_a_timeout_not_an_end() -> None:
    with pytest.raises(TimeoutError):
        BatchBuffer().take(0.001)


def test_empty_batches_are_not_handed_on() -> None:
    buffer = BatchBuffer()
    buffer.put(frame())
    buffer.finish()
    assert buffer.take() is None


def test_an_abandoned_queue_frees_the_job_and_keeps_what_waits() -> None:
    buffer = BatchBuffer(limit_bytes=1)
    buffer.put(frame(1))
    blocked = on_thread(lambda: buffer.put(frame(2)))
    buffer.abandon()
    blocked.join(10)
    assert not blocked.is_alive()
    buffer.finish()
    assert buffer.take().equals(frame(1))  # type: ignore[union-attr]
    assert buffer.take() is None
