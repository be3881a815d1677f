"""kcat, unmodified, as a user types it. Debian's is built on librdkafka 2.0."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid

import pytest

from yeoul.broker import Broker

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.skipif(shutil.which("kcat") is None, reason="kcat is not installed"),
]


def kcat(broker: Broker, *arguments: str, stdin: str = "") -> str:
    command = ["kcat", "-b", broker.bootstrap_servers, *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=30, check=True).stdout


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_lines_go_in_and_come_out(broker: Broker, compression: str) -> None:
    topic = f"kcat-{uuid.uuid4().hex[:8]}"
    lines = [f"{i}:value {i}" for i in range(100)]
    kcat(broker, "-P", "-t", topic, "-p", "0", "-K", ":", "-z", compression, stdin="\n".join(lines))
    read = kcat(broker, "-C", "-t", topic, "-p", "0", "-e", "-q", "-o", "beginning", "-f", "%k:%s\n")
    assert read.splitlines() == lines


def test_it_lists_the_cluster(broker: Broker) -> None:
    topic = f"kcat-{uuid.uuid4().hex[:8]}"
    kcat(broker, "-P", "-t", topic, stdin="x")
    listing = json.loads(kcat(broker, "-L", "-J"))
    assert [each["name"] for each in listing["brokers"]] == [broker.bootstrap_servers]
    assert topic in [each["topic"] for each in listing["topics"]]


def test_a_balanced_consumer_reads_a_group(broker: Broker) -> None:
    topic = f"kcat-{uuid.uuid4().hex[:8]}"
    kcat(broker, "-P", "-t", topic, stdin="a\nb\nc")
    arguments = ("-G", f"group-{topic}", "-c", "3", "-q", "-X", "auto.offset.reset=earliest", topic)
    assert sorted(kcat(broker, *arguments).split()) == ["a", "b", "c"]
