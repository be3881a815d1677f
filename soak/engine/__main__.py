"""`python -m soak.engine [--minutes 30] [--rate 2000] [--seed N] [--keep DIR]`: runs one, prints what was seen."""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from rich.console import Console
from rich.table import Table

from soak.engine.events import Stream
from soak.engine.jobs import JOBS, statements
from soak.engine.memory import WARM_UP, Growth, Sample, growth_of, sampled
from soak.engine.verify import differences
from yeoul.broker import Broker

PARTITIONS = 2
_SEGMENT_BYTES = 8 << 20
"""Of the topics: a broker holds the index of the segments that are being written, 16 bytes for each 4 KiB or batch, and
lets go of it when one is full. So many become full that what it holds is steady within the warm-up."""
_STEP_S = 0.05
_SAMPLE_S = 10.0
_TOPIC = "events"


def main() -> int:
    """Returns 0 if the answers are right and the memory is flat."""
    given = _parser().parse_args()
    seed = random.SystemRandom().randrange(1 << 31) if given.seed is None else given.seed
    directory = Path(given.keep or tempfile.mkdtemp(prefix=f"yeoul-soak-engine-{seed}-"))
    directory.mkdir(parents=True, exist_ok=True)
    console = Console()
    console.print(f"Again with: python -m soak.engine --seed {seed} --minutes {given.minutes:g} --rate {given.rate}")
    stream, count = Stream(seed, given.rate), int(given.minutes * 60 * given.rate)
    with Broker(directory / "data", settings={"log.segment.bytes": str(_SEGMENT_BYTES)}) as broker:
        samples = _flow(stream, count, broker, directory)
        found = differences(stream, count, broker.bootstrap_servers, directory / "visitors.txt")
    growths = growth_of(samples)
    _print(console, growths, found)
    is_good = all(one.is_flat for one in growths) and all(compared and not wrong for compared, wrong in found.values())
    if is_good and given.keep is None:
        shutil.rmtree(directory, ignore_errors=True)
    else:
        console.print(f"Kept: {directory}")
    return 0 if is_good else 1


def _flow(stream: Stream, count: int, broker: Broker, directory: Path) -> list[Sample]:
    """Lets the events flow, and returns what was seen of the processes meanwhile."""
    servers = broker.bootstrap_servers
    topics = [NewTopic(_TOPIC, PARTITIONS, 1), *(NewTopic(name, 1, 1) for name in JOBS)]
    admin = AdminClient({"bootstrap.servers": servers})
    for made in admin.create_topics(topics).values():
        made.result()
    (directory / "jobs.sql").write_text(statements(servers, _TOPIC))
    command = [sys.executable, "-m", "yeoul.cli", "sql", "-f", str(directory / "jobs.sql")]
    with (directory / "visitors.txt").open("w") as printed, (directory / "jobs.log").open("w") as told:
        jobs = subprocess.Popen([*command, "--state-dir", str(directory / "state")], stdout=printed, stderr=told)
        try:
            processes = {"broker": psutil.Process(broker.pid), "jobs": psutil.Process(jobs.pid)}
            return _watched(stream, count, servers, processes, directory)
        finally:
            jobs.terminate()
            jobs.wait(60)


def _watched(
    stream: Stream, count: int, servers: str, processes: dict[str, psutil.Process], directory: Path
) -> list[Sample]:
    feeder = threading.Thread(target=_feed, args=(stream, count, servers), daemon=True)
    feeder.start()
    samples: list[Sample] = []
    start_s = time.monotonic()
    while feeder.is_alive():
        feeder.join(_SAMPLE_S)
        if not processes["jobs"].is_running() or processes["jobs"].status() == psutil.STATUS_ZOMBIE:
            raise RuntimeError(f"The jobs ended: {(directory / 'jobs.log').read_text()[-2_000:]}")
        samples += sampled(processes, time.monotonic() - start_s, directory / "samples.ndjson")
    time.sleep(_SAMPLE_S)
    return samples


def _feed(stream: Stream, count: int, servers: str) -> None:
    """Produces the events at their rate, whatever happens to them."""
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 5, "queue.buffering.max.messages": 2_000_000})
    start_s, sent = time.monotonic(), 0
    while sent < count:
        due = min(count, int((time.monotonic() - start_s) * stream.per_s))
        if due > sent:
            for number, text in enumerate(stream.texts(sent, due - sent), sent):
                producer.produce(_TOPIC, text, partition=number % PARTITIONS)
            sent = due
        producer.poll(0)
        time.sleep(_STEP_S)
    producer.flush(60)


def _print(console: Console, growths: list[Growth], found: object) -> None:
    table = Table("process", "first MB", "last MB", "most MB", "MB/hour", "cores", "", title="Memory after the warm-up")
    for one in growths:
        figures = (one.first_mb, one.last_mb, one.most_mb, one.slope_mb_per_hour)
        verdict = "[green]flat" if one.is_flat else "[red]grows"
        table.add_row(one.who, *(f"{figure:.1f}" for figure in figures), f"{one.cores:.2f}", verdict)
    console.print(table)
    assert isinstance(found, dict)
    answers = Table("job", "answers", "differ from DuckDB", title="What was answered")
    for name, (compared, wrong) in found.items():
        answers.add_row(name, f"{compared:,}", f"[bold red]{wrong:,}" if wrong else "0")
    console.print(answers)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m soak.engine", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help=f"of events; {WARM_UP:.0%} of it is the warm-up")
    parser.add_argument("--rate", type=int, default=2_000, help="events a second")
    parser.add_argument("--seed", type=int, help="of the events; drawn, and printed, when not given")
    parser.add_argument("--keep", type=Path, help="a directory for data, answers and samples, kept in any case")
    return parser


if __name__ == "__main__":
    sys.exit(main())
