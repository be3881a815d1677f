"""Kafka Connect, standalone: lines of one file become records, and these the lines of another file."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from bench.apache_kafka import KAFKA_VERSION, class_path

from conformance.places import need
from yeoul.broker import Broker

need("java", "mvn")

pytestmark = pytest.mark.client("Kafka Connect", KAFKA_VERSION)

_PATIENCE_S = 90.0
_WORKER = """bootstrap.servers={servers}
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
offset.storage.file.filename={folder}/offsets
offset.flush.interval.ms=500
listeners=http://127.0.0.1:0
plugin.discovery=only_scan
plugin.path={plugins}
"""
_CONNECTOR = """name={name}
connector.class=org.apache.kafka.connect.file.FileStream{kind}Connector
tasks.max=1
{topic_setting}=connected
file={file}
"""


def test_a_file_goes_through_a_topic_into_another_file(broker: Broker, tmp_path: Path) -> None:
    jars = class_path(
        f"org.apache.kafka:connect-runtime:{KAFKA_VERSION}",
        f"org.apache.kafka:connect-file:{KAFKA_VERSION}",
        "org.slf4j:slf4j-simple:1.7.36",
    )
    lines = [f"line {i}" for i in range(500)]
    source, sink, plugins = tmp_path / "in.txt", tmp_path / "out.txt", tmp_path / "plugins"
    plugins.mkdir()
    source.write_text("".join(f"{line}\n" for line in lines))
    files = []
    for name, text in {
        "worker": _WORKER.format(servers=broker.bootstrap_servers, folder=tmp_path, plugins=plugins),
        "source": _CONNECTOR.format(name="in", kind="Source", topic_setting="topic", file=source),
        "sink": _CONNECTOR.format(name="out", kind="Sink", topic_setting="topics", file=sink),
    }.items():
        file = tmp_path / f"{name}.properties"
        file.write_text(text)
        files.append(str(file))
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"
    command = ["java", "-Xmx256m", quiet, "-cp", jars, "org.apache.kafka.connect.cli.ConnectStandalone", *files]
    with (tmp_path / "log").open("w+") as log, subprocess.Popen(command, stdout=log, stderr=log) as worker:
        try:
            deadline_s = time.monotonic() + _PATIENCE_S
            while not sink.exists() or sink.read_text().splitlines() != lines:
                assert worker.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < deadline_s, (tmp_path / "log").read_text()[-3_000:]
                time.sleep(0.1)
            assert sink.read_text().splitlines() == lines
        finally:
            worker.terminate()
            worker.wait(30)
