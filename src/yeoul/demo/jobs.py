"""The demo's jobs: a process that runs some INSERTs of `statements`, each in its own session, and reports on them.

`python -m yeoul.demo.jobs --bootstrap HOST:PORT --state-dir D JOB...` until SIGTERM. Each job goes on after the last
window that it answered in an earlier run, which the newest record of its result topic tells. A job that fails ends the
process with its error; the supervisor starts it again.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition

from yeoul.clock import SYSTEM_CLOCK, Clock
from yeoul.demo import reports, statements, topics
from yeoul.engine.runtime.progress import Progress
from yeoul.errors import PeerError, YeoulError
from yeoul.jobs.job import Job
from yeoul.jobs.session import Session

__all__ = ["continue_from_ms", "run_until"]

_REPORT_S = 0.5
_REPORTS_BETWEEN_SAMPLES = 4
_SAMPLES = 5
_TIMEOUT_S = 10.0

_RESULT_TOPICS = {
    "actions": topics.ACTIONS_BY_WINDOW,
    "traffic": topics.TRAFFIC,
    "pages": topics.TOP_PAGES,
    "slow-requests": topics.SLOW_REQUESTS,
    "host": topics.HOST_BY_WINDOW,
}


@dataclass(slots=True)
class _Running:
    """A job, its session, and the samples that were taken last."""

    name: str
    source: str
    session: Session
    job: Job
    sampled: tuple[int, int] = (0, 0)
    late: tuple[str, ...] = ()
    dead: tuple[reports.DeadSample, ...] = ()

    def report(self, at_ms: int) -> reports.JobReport:
        """Returns what there is to say now."""
        progress = self.job.progress()
        return reports.JobReport(
            job=self.name,
            at_ms=at_ms,
            rows_in=progress.rows_in,
            rows_out=progress.rows_out,
            late=progress.late,
            dead=progress.dead,
            watermark_ms=progress.watermark_ms,
            splits=[reports.SplitReport(one.split, one.watermark_ms, one.lag) for one in progress.splits],
            late_samples=list(self.late),
            dead_samples=list(self.dead),
        )

    def sample(self) -> None:
        """Looks at the newest late and dead rows, if there are new ones."""
        progress: Progress = self.job.progress()
        if (progress.late, progress.dead) == self.sampled:
            return
        self.sampled = (progress.late, progress.dead)
        if progress.late:
            late = (
                self.session.sql(f"SELECT TO_TIMESTAMP_LTZ(ts, 3), late_window_end, position FROM {self.source}$late")
                .pl()
                .tail(_SAMPLES)
            )
            self.late = tuple(_late_text(*row) for row in late.iter_rows())
        if progress.dead:
            dead = self.session.sql(f"SELECT reason, text FROM {self.source}$dead").pl().tail(_SAMPLES)
            self.dead = tuple(reports.DeadSample(reason, text) for reason, text in dead.iter_rows())


def _late_text(event_time: datetime, window_end: datetime, position: str) -> str:
    return f"of {event_time:%H:%M:%S}, offset {position}, missed the window until {window_end:%H:%M:%S}"


def continue_from_ms(bootstrap: str, job: str) -> int:
    """Returns the moment, ms since 1970, that a job has answered up to: 0 if it never ran."""
    topic = _RESULT_TOPICS[job].name
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "yeoul-demo-jobs", "enable.auto.commit": False, "log_level": 0}
    )
    try:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=_TIMEOUT_S)
        if high <= low:
            return 0
        consumer.assign([TopicPartition(topic, 0, high - 1)])
        messages = consumer.consume(1, timeout=_TIMEOUT_S)
        if not messages or messages[0].error() is not None:
            raise PeerError(f"The newest record of topic {topic!r} at {bootstrap} could not be read")
        row = msgspec.json.decode(messages[0].value() or b"{}")
        return reports.epoch_ms(row["produced_at"]) + 1 if "produced_at" in row else reports.epoch_ms(row["window_end"])
    finally:
        consumer.close()


def run_until(
    stop: threading.Event, bootstrap: str, state_dir: Path, names: Sequence[str], clock: Clock = SYSTEM_CLOCK
) -> None:
    """Runs the named jobs and reports on them until `stop` is set.

    Raises:
        YeoulError: A job failed.
    """
    topics.create_topics(bootstrap)
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "log_level": 0})
    encoder = msgspec.json.Encoder()
    running: list[_Running] = []
    try:
        running.extend(_start(name, bootstrap, state_dir / name) for name in names)
        rounds = 0
        while not stop.wait(_REPORT_S):
            rounds += 1
            for one in running:
                one.job.wait(timeout_s=0)
                if rounds % _REPORTS_BETWEEN_SAMPLES == 0:
                    one.sample()
                producer.produce(topics.JOB_PROGRESS.name, encoder.encode(one.report(clock.now_ms())))
            producer.poll(0)
    finally:
        for one in running:
            one.session.close()
        producer.flush(2)


def _start(name: str, bootstrap: str, state_dir: Path) -> _Running:
    since_ms = continue_from_ms(bootstrap, name)
    session = Session(state_directory=state_dir)
    jobs = [
        outcome
        for outcome in session.execute(statements.tables(name, bootstrap, since_ms) + statements.insert(name, since_ms))
        if isinstance(outcome, Job)
    ]
    return _Running(name, "host" if name == "host" else "clicks", session, jobs[0])


def main() -> int:
    """Runs until SIGTERM or Ctrl-C; returns the exit code."""
    parser = argparse.ArgumentParser(description="Runs the demo's SQL jobs against a Kafka-protocol broker.")
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("jobs", nargs="+", choices=list(statements.JOBS), metavar="JOB")
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        run_until(stop, options.bootstrap, options.state_dir, options.jobs)
    except YeoulError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
