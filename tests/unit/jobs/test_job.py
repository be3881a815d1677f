"""The life of a job, against a stand-in for the engine."""

import subprocess
import sys
import threading

import pytest

from yeoul.errors import UserError
from yeoul.jobs.job import Job, JobStatus


class FakeExecution:
    """Runs until it is stopped or told to end; fails if told to."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.started = threading.Event()
        self.ending = threading.Event()
        self.stops = 0
        self.runs = 0
        self._failure = failure

    def run(self) -> None:
        self.runs += 1
        self.started.set()
        assert self.ending.wait(30)
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        self.stops += 1
        self.ending.set()

    def progress(self) -> object:
        return self.runs


def job_of(execution: FakeExecution, **options: object) -> Job:
    return Job(execution, "t", is_bounded=True, **options)  # type: ignore[arg-type]


def test_a_job_goes_from_created_over_running_to_finished() -> None:
    execution = FakeExecution()
    job = job_of(execution)
    assert job.status is JobStatus.CREATED
    job.start()
    assert execution.started.wait(10)
    assert job.status is JobStatus.RUNNING
    assert not job.wait(0.001)
    execution.ending.set()
    assert job.wait(10)
    assert job.status is JobStatus.FINISHED


def test_starting_twice_runs_once() -> None:
    execution = FakeExecution()
    execution.ending.set()
    job = job_of(execution)
    job.start()
    job.start()
    assert job.wait(10)
    job.start()
    assert execution.runs == 1


def test_a_failure_keeps_its_form_and_reaches_every_waiter() -> None:
    failure = UserError("Unknown column 'x'", hint="Did you mean 'y'?")
    execution = FakeExecution(failure)
    execution.ending.set()
    job = job_of(execution)
    job.start()
    for _ in range(2):
        with pytest.raises(UserError) as raised:
            job.wait(10)
        assert raised.value is failure
    assert job.status is JobStatus.FAILED
    assert job.failure is failure


def test_cancel_returns_when_nothing_runs_any_more() -> None:
    execution = FakeExecution()
    job = job_of(execution)
    job.start()
    assert execution.started.wait(10)
    job.cancel()
    assert job.status is JobStatus.CANCELED
    assert job.wait(0)
    job.cancel()
    assert execution.stops == 1


def test_cancel_before_start_never_runs() -> None:
    execution = FakeExecution()
    job = job_of(execution)
    job.cancel()
    job.start()
    assert job.wait(0)
    assert job.status is JobStatus.CANCELED
    assert execution.runs == 0


def test_a_failure_while_stopping_is_not_hidden() -> None:
    execution = FakeExecution(UserError("The sink refused"))
    job = job_of(execution)
    job.start()
    assert execution.started.wait(10)
    job.cancel()
    assert job.status is JobStatus.FAILED
    with pytest.raises(UserError, match="The sink refused"):
        job.wait(0)


def test_the_end_is_told_before_waiters_go_on() -> None:
    told: list[BaseException | None] = []
    execution = FakeExecution()
    execution.ending.set()
    job = job_of(execution, on_end=told.append)
    job.start()
    assert job.wait(10)
    assert told == [None]


def test_the_end_of_the_interpreter_stops_what_runs() -> None:
    code = (
        "import yeoul\n"
        "result = yeoul.sql(\"CREATE TABLE t (n BIGINT) WITH ('connector' = 'datagen'); SELECT n FROM t\")\n"
        "print(result.next_batch().height > 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")
