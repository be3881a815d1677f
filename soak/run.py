"""One run: a broker, a proxy, clients at work, faults, a calm, and then the reading of everything.

Owns the order of these and the time limits on each. Invariants: nothing runs on when `run` has returned; an interrupt
ends the faults early and the run is checked like any other.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from soak.checkers import Violation, check
from soak.clients.aio import AioFamily
from soak.clients.confluent import ConfluentFamily
from soak.clients.contract import Family
from soak.clients.kafka_python import KafkaPythonFamily
from soak.clients.native import NativeFamily
from soak.faults import FaultRunner
from soak.fetching import Asker, AskingFailed
from soak.history import CommittedRead, History, Place, Watermark, save
from soak.plan import Fault, FaultKind, draw_plan, private_chance
from soak.proxy import Proxy
from soak.server import BrokerProcess, StartFailed
from soak.stored import read_partition, read_watermark
from soak.workloads import Scene, Worker, copy, probe, read_as_group, tail, transact, write
from yeoul.wire.errors import ErrorCode, ProtocolError
from yeoul.wire.messages.create_topics import CREATE_TOPICS, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest

__all__ = ["CLIENTS", "Result", "SoakSettings", "new_seed", "run"]

CLIENTS = ("confluent", "kafka-python", "aiokafka", "yeoul")
_EVENTS, _LEDGER, _COPIES = "events", "ledger", "copies"
_PARTITIONS = 3
_CONFIG = {"segment.bytes": "200000", "index.interval.bytes": "1000", "retention.ms": "-1"}
_WATCHERS = "watchers"
_CALM_S = 90.0
_SETTLE_S = 60.0
_JOIN_S = 60.0


@dataclass(frozen=True, slots=True)
class SoakSettings:
    """What a run is.

    Attributes:
        seed: For plan and workload.
        duration_s: How long there are faults.
        clients: Which families take part.
        faults: Which kinds happen.
        flush: The broker's flush mode; anything but `commit` is a planted defect.
        directory: Where data, log and history go.
        mean_pause_s: Between two faults.
        pace: A factor on the clients' pauses.
    """

    seed: int
    duration_s: float
    clients: Sequence[str]
    faults: Collection[FaultKind]
    flush: str
    directory: Path
    mean_pause_s: float = 4.0
    pace: float = 1.0


@dataclass(slots=True)
class Result:
    """What came of a run."""

    history: History
    violations: dict[str, list[Violation]]
    faults: Counter[str]
    starts: int
    seconds: float
    failures: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        return not any(self.violations.values())


def run(settings: SoakSettings, say: Callable[[str, Scene, Counter[str]], None]) -> Result:
    """Runs and checks.

    Args:
        settings: See there.
        say: Told now and then how it goes: a word, what happened so far, faults by kind.
    """
    settings.directory.mkdir(parents=True, exist_ok=True)
    proxy = Proxy()
    chance = private_chance(settings.seed, "broker")
    log_path = settings.directory / "broker.log"
    broker = BrokerProcess(settings.directory / "data", proxy.port, settings.flush, chance.getrandbits(32), log_path)
    proxy.target_port = broker.port
    soak = _Soak(settings, broker, proxy, say)
    try:
        return soak.run()
    finally:
        broker.close()
        proxy.close()


class _Soak:
    def __init__(
        self,
        settings: SoakSettings,
        broker: BrokerProcess,
        proxy: Proxy,
        say: Callable[[str, Scene, Counter[str]], None],
    ) -> None:
        places = {name: [Place(name, at) for at in range(_PARTITIONS)] for name in (_EVENTS, _LEDGER, _COPIES)}
        self.settings = settings
        self.broker = broker
        self.proxy = proxy
        self.scene = Scene(History(), places, settings.pace)
        self.groups = [_WATCHERS]
        self.ending = threading.Event()
        self.faults = FaultRunner(broker, proxy, self.ending, self._say)
        self.bootstrap = f"127.0.0.1:{proxy.port}"
        self._tell = say

    def run(self) -> Result:
        plan = draw_plan(self.settings.seed, self.settings.duration_s, self.settings.faults, self.settings.mean_pause_s)
        (self.settings.directory / "plan.json").write_text(json.dumps([asdict(fault) for fault in plan], indent=1))
        forgetful = FaultKind.POWER in self.settings.faults
        self.broker.launch(forgetful=forgetful)
        self.broker.wait_ready()
        self._create_topics()
        families = _families(self.settings.clients, self.bootstrap)
        crew = list(self._crew(families))
        threads = [threading.Thread(target=work, name=worker.name, daemon=True) for worker, work in crew]
        workers = [worker for worker, _ in crew]
        for thread in threads:
            thread.start()
        stuck = self.scene.history.stuck
        try:
            self._under_faults(plan)
            stuck += self._calm(workers)
        except StartFailed as failure:
            stuck.append(str(failure))
        self.scene.stopping.set()
        stuck += self._join(threads)
        stuck += self.faults.problems + [f"{each.name} crashed: {each.crashed}" for each in workers if each.crashed]
        for family in families:
            family.close()
        if self.broker.is_running:
            self._read_everything()
        return self._judge(workers)

    def _say(self, word: str) -> None:
        self._tell(word, self.scene, self.faults.counts)

    def _create_topics(self) -> None:
        asker = Asker(self.bootstrap)
        configs = [CreatableTopicConfig(name=name, value=value) for name, value in _CONFIG.items()]
        topics = [
            CreatableTopic(name=name, num_partitions=_PARTITIONS, replication_factor=1, configs=configs)
            for name in self.scene.places
        ]
        for topic in asker.ask(CREATE_TOPICS, CreateTopicsRequest(topics=topics, timeout_ms=5_000)).topics:
            if topic.error_code not in (ErrorCode.NONE, ErrorCode.TOPIC_ALREADY_EXISTS):
                raise StartFailed(f"topic {topic.name} could not be made: error {topic.error_code}")
        asker.close()

    def _crew(self, families: Sequence[Family]) -> Iterator[tuple[Worker, Callable[[], None]]]:
        """Yields every workload of the run, as something to call in a thread."""
        for family in families:
            yield self._hired(family, "idempotent", lambda one: write(one, [_EVENTS, _LEDGER], idempotent=True))
            yield self._hired(family, "tail", lambda one: tail(one, list(self.scene.places)))
            if family.name != "yeoul":
                yield self._hired(family, "plain", lambda one: write(one, [_EVENTS], idempotent=False))
            if family.has_groups:
                yield self._hired(
                    family, "member", lambda one: read_as_group(one, _WATCHERS, [_EVENTS, _LEDGER], committed=True)
                )
            if family.has_transactions:
                yield self._hired(family, "transactions", lambda one: transact(one, [_LEDGER, _EVENTS]))
                yield self._copier(family, f"copier-of-{family.name}", "copier", as_member=False)
            if family.name == "kafka-python":
                for number in range(2):
                    yield self._copier(family, "sharing-copiers", f"sharing-{number}", as_member=True)
        worker = Worker("prober", families[0], private_chance(self.settings.seed, "prober"), self.scene)
        groups = tuple(self.groups[:1])
        yield worker, _guarded(worker, lambda one: probe(one, self.bootstrap, groups, [_EVENTS, _LEDGER]))

    def _copier(self, family: Family, group: str, name: str, *, as_member: bool) -> tuple[Worker, Callable[[], None]]:
        if group not in self.groups:
            self.groups.append(group)
        return self._hired(family, name, lambda one: copy(one, group, _EVENTS, _COPIES, as_member=as_member))

    def _hired(self, family: Family, name: str, work: Callable[[Worker], None]) -> tuple[Worker, Callable[[], None]]:
        full_name = f"{family.name}-{name}"
        worker = Worker(full_name, family, private_chance(self.settings.seed, full_name), self.scene)
        return worker, _guarded(worker, work)

    def _under_faults(self, plan: Sequence[Fault]) -> None:
        deadline_s = time.monotonic() + self.settings.duration_s
        failure: list[StartFailed] = []

        def carry_out() -> None:
            try:
                self.faults.run(plan)
            except StartFailed as error:
                failure.append(error)

        thread = threading.Thread(target=carry_out, name="soak-faults", daemon=True)
        thread.start()
        try:
            while time.monotonic() < deadline_s and not failure:
                time.sleep(0.5)
                self._say("running")
        except KeyboardInterrupt:
            self._say("interrupted: no more faults")
        self.ending.set()
        thread.join()
        self.proxy.heal()
        if failure:
            raise failure[0]

    def _calm(self, workers: Sequence[Worker]) -> list[str]:
        """Waits until everybody has done something since the faults ended; returns who could not."""
        since_s = self.scene.now_s()
        deadline_s = time.monotonic() + _CALM_S
        waiting = list(workers)
        while waiting and time.monotonic() < deadline_s:
            waiting = [worker for worker in waiting if worker.succeeded_at_s < since_s and not worker.crashed]
            self._say(f"calm, {len(waiting)} to recover")
            time.sleep(0.25)
        return [
            f"{worker.name} did nothing that worked for {_CALM_S:.0f} s; last failures {list(worker.failures)[-3:]}"
            for worker in waiting
        ]

    def _join(self, threads: Sequence[threading.Thread]) -> list[str]:
        deadline_s = time.monotonic() + _JOIN_S
        for thread in threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))
        return [
            f"{thread.name} did not end within {_JOIN_S:.0f} s; it is in {_stack_of(thread)}"
            for thread in threads
            if thread.is_alive()
        ]

    def _read_everything(self) -> None:
        """Waits for the transactions that were left open, then reads all partitions and committed offsets."""
        history, scene = self.scene.history, self.scene
        asker = Asker(self.bootstrap, 10.0)
        places = [place for each in scene.places.values() for place in each]
        deadline_s = time.monotonic() + _SETTLE_S
        while True:
            try:
                history.ends = self._ends(asker, places)
                if all(end.stable == end.high for end in history.ends) or time.monotonic() > deadline_s:
                    break
            except AskingFailed as failure:
                if time.monotonic() > deadline_s:
                    history.stuck.append(f"offsets cannot be asked for: {failure}")
                    return
            self._say("waiting for open transactions to time out")
            time.sleep(0.5)
        try:
            for end in history.ends:
                self._say(f"reading {end.place}")
                history.stored += read_partition(asker, end.place, end.start)
            inputs = [*scene.places[_EVENTS], *scene.places[_LEDGER]]
            for group in self.groups:
                now_s = scene.now_s()
                found = asker.committed(group, inputs if group == _WATCHERS else scene.places[_EVENTS])
                history.group_offsets += [
                    CommittedRead(group, place, offset, now_s, scene.now_s()) for place, offset in found.items()
                ]
        except (AskingFailed, ProtocolError) as failure:
            history.stuck.append(f"the log cannot be read: {failure}")
        asker.close()

    def _ends(self, asker: Asker, places: Sequence[Place]) -> list[Watermark]:
        return [read_watermark(asker, place, self.scene.now_s()) for place in places]

    def _judge(self, workers: Sequence[Worker]) -> Result:
        self._say("checking")
        seconds = self.scene.now_s()
        history = self.scene.history
        violations = check(history)
        if not history.stored:
            # Nothing could be read: that is the finding, not that everything is missing.
            violations = {name: found for name, found in violations.items() if "stuck" in name}
        save(history, self.settings.directory / "history.ndjson")
        failures = {worker.name: worker.failures for worker in workers if worker.failures}
        return Result(history, violations, self.faults.counts, self.broker.starts, seconds, failures)


def _stack_of(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)
    if frame is None:
        return "nothing any more"
    return " < ".join(
        f"{each.name} ({Path(each.filename).name}:{each.lineno})" for each in traceback.extract_stack(frame)[:-7:-1]
    )


def _guarded(worker: Worker, work: Callable[[Worker], None]) -> Callable[[], None]:
    def guarded() -> None:
        try:
            work(worker)
        except Exception as error:
            worker.crashed = "".join(traceback.format_exception(error))

    return guarded


def _families(names: Sequence[str], bootstrap: str) -> list[Family]:
    makers: dict[str, Callable[[], Family]] = {
        "confluent": lambda: ConfluentFamily(bootstrap),
        "kafka-python": lambda: KafkaPythonFamily(bootstrap),
        "aiokafka": lambda: AioFamily(bootstrap),
        "yeoul": lambda: NativeFamily(bootstrap, (_EVENTS, _LEDGER)),
    }
    return [makers[name]() for name in names]


def new_seed() -> int:
    """Returns a seed for a run that was given none."""
    return random.SystemRandom().randrange(1 << 31)
