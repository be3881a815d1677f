"""A real Apache Kafka (one KRaft node) from Maven artifacts: the reference of benchmarks, the judge of conformance.

    with ApacheKafka(Path("data")) as kafka:
        producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})

    run_tool("4.3.1", "org.apache.kafka.tools.TopicCommand", "--bootstrap-server", kafka.bootstrap_servers, "--list")

Needs Java 17 and Maven; the jars are resolved once into the user's cache. Owns the server's process: leaving the block
ends it. The server listens on loopback only, on free ports.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["KAFKA_VERSION", "ApacheKafka", "class_path", "missing_tools", "run_tool"]

KAFKA_VERSION = "4.3.1"
_CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qk"
_RESOLVE_TIMEOUT_S = 600
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 30.0
_POLL_S = 0.02

_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>bench</groupId><artifactId>apache-kafka</artifactId><version>1</version>
  <dependencies>{dependencies}</dependencies>
</project>
"""
_SERVER = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data_dir}
num.partitions={num_partitions}
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
{more}
"""


def missing_tools() -> str | None:
    """Returns what this machine lacks for a real Kafka, None when it has all."""
    lacking = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
    return f"{' and '.join(lacking)} not found" if lacking else None


def class_path(*artifacts: str, version: str = KAFKA_VERSION) -> str:
    """Returns a Java class path with these artifacts and all that they need, resolved by Maven when first asked for.

    Args:
        artifacts: `group:artifact:version` each; without any, Kafka's server and command line tools.
        version: Of the server and tools.
    """
    wanted = artifacts or (
        f"org.apache.kafka:kafka_2.13:{version}",
        f"org.apache.kafka:kafka-tools:{version}",
        "org.slf4j:slf4j-simple:1.7.36",
    )
    name = "+".join(each.replace(":", "-") for each in wanted)
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "yeoul-bench" / name
    if not folder.exists():
        _resolve(wanted, folder)
    return f"{folder}/*"


def _resolve(artifacts: tuple[str, ...], folder: Path) -> None:
    """Copies the jars beside the folder first, so that what stands there is always whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        places = [each.split(":") for each in artifacts]
        dependencies = "".join(
            f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>"
            "</dependency>"
            for group, artifact, version in places
        )
        pom = Path(work) / "pom.xml"
        pom.write_text(_POM.format(dependencies=dependencies))
        command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={work}/lib"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_RESOLVE_TIMEOUT_S, check=False)
        if done.returncode:
            raise RuntimeError(f"Maven could not resolve {artifacts}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        try:
            (Path(work) / "lib").rename(folder)
        except OSError:
            # Another process was quicker.
            if not folder.exists():
                raise


def run_tool(
    main_class: str, *arguments: str, version: str = KAFKA_VERSION, stdin: str = "", timeout_s: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """Runs one of Kafka's command line tools to its end and returns what it said."""
    command = ["java", "-Xmx256m", "-cp", class_path(version=version), *_QUIET, main_class, *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False)


_QUIET = ("-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-Dlog4j2.level=ERROR")


class ApacheKafka:
    """One Kafka node in a process of its own.

    Args:
        data_dir: Where its data is; formatted when it is empty.
        num_partitions: Partitions of topics created without a number.
        version: Of Kafka.
        heap: The JVM's `-Xmx`, as Kafka's start script has it.
        properties: More lines for its server.properties.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        num_partitions: int = 1,
        version: str = KAFKA_VERSION,
        heap: str = "1G",
        properties: str = "",
    ) -> None:
        self.port, self.controller_port = _free_ports(2)
        self.data_dir = data_dir
        self.started_s = 0.0
        self._version = version
        self._heap = heap
        self._settings = data_dir / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None
        data_dir.mkdir(parents=True, exist_ok=True)
        self._settings.write_text(
            _SERVER.format(
                port=self.port,
                controller_port=self.controller_port,
                data_dir=data_dir / "log",
                num_partitions=num_partitions,
                more=properties,
            )
        )

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Returns once it accepts connections; `started_s` says how long that took, formatting left out."""
        settings = str(self._settings)
        if not (self.data_dir / "log" / "meta.properties").exists():
            done = run_tool(
                "kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", settings, version=self._version
            )
            if done.returncode:
                raise RuntimeError(f"Kafka's storage could not be formatted: {done.stdout}{done.stderr}")
        began_s = time.monotonic()
        command = [
            "java",
            f"-Xmx{self._heap}",
            f"-Xms{self._heap}",
            "-server",
            "-XX:+UseG1GC",
            "-XX:MaxGCPauseMillis=20",
            "-XX:+ExplicitGCInvokesConcurrent",
            *_QUIET,
            "-cp",
            class_path(version=self._version),
        ]
        with (self.data_dir / "kafka.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "kafka.Kafka", settings], stdout=log, stderr=log, start_new_session=True
            )
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() - began_s > _START_TIMEOUT_S:
                self.kill()
                raise RuntimeError(f"Kafka did not start: {(self.data_dir / 'kafka.log').read_text()[-2000:]}")
            time.sleep(_POLL_S)
        self.started_s = time.monotonic() - began_s

    def stop(self) -> None:
        """Ends it in order."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_TIMEOUT_S)
            finally:
                self.kill()

    def kill(self) -> None:
        """Ends it at this instant."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _free_ports(count: int) -> list[int]:
    """Returns ports that were free a moment ago, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
