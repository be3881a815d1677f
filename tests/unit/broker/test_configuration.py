"""Settings under Kafka's names: what counts, what is refused, what is told, and that secrets stay secret."""

from __future__ import annotations

import json
import logging
import re
import time
from dataclasses import fields
from functools import partial
from pathlib import Path

import pytest

from yeoul.broker.config import BrokerConfig, Limits
from yeoul.broker.configuration.effective import Given, effective_settings, gather, make_config
from yeoul.broker.configuration.table import SETTINGS, TLS_SETTINGS
from yeoul.broker.log_lines import RepeatLimit, make_formatter
from yeoul.broker.tls import TlsSettings
from yeoul.errors import EnvironmentFailure, UserError
from yeoul.log.config import TOPIC_DEFAULTS


def config_of(tmp_path: Path, text: str = "", name: str = "server.properties", **flags: str) -> BrokerConfig:
    file = tmp_path / name
    file.write_text(text)
    return make_config(gather({key: Given(value, "flag") for key, value in flags.items()}, {}, file), tmp_path)


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(UserError) as caught:
        config_of(tmp_path, text)
    return str(caught.value).replace(f"{tmp_path}/", "")


def test_flags_go_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "server.properties"
    file.write_text("num.partitions=1\nmax.connections=10\nlog.dirs=/from/file\n")
    environment = {"KAFKA_NUM_PARTITIONS": "2", "YEOUL_BROKER_MAX_CONNECTIONS": "20", "KAFKA_MAX_CONNECTIONS": "30"}
    given = gather({"num.partitions": Given("3", "--partitions")}, environment, file)
    config = make_config(given, tmp_path)
    assert (config.num_partitions, config.limits.connections, config.data_dir) == (3, 20, Path("/from/file"))
    shown = {each.name: (each.value, each.origin) for each in effective_settings(config, given)}
    assert shown["num.partitions"] == ("3", "--partitions")
    assert shown["max.connections"] == ("20", "YEOUL_BROKER_MAX_CONNECTIONS")
    assert shown["log.dirs"] == ("/from/file", str(file))
    assert shown["auto.create.topics.enable"] == ("true", "default")


def test_the_file_that_kafka_ships_is_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = """
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:19092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL
num.network.threads=3
socket.request.max.bytes=104857600
log.dirs=/tmp/kraft-combined-logs
offsets.topic.replication.factor=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
"""
    with caplog.at_level(logging.INFO):
        config = config_of(tmp_path, text)
    [listener] = config.listeners
    assert (listener.url, listener.endpoint("")) == ("PLAINTEXT://127.0.0.1:9092", ("localhost", 19092))
    assert config.topic_defaults == {"retention.ms": "604800000", "segment.bytes": "1073741824"}
    told = [record.getMessage() for record in caplog.records]
    assert sum("a single node has no use for it" in line for line in told) == len(told) == 6


def test_finer_units_win_over_coarser_ones(tmp_path: Path) -> None:
    config = config_of(tmp_path, "log.retention.ms=5\nlog.retention.minutes=1\nlog.retention.hours=1\nlog.roll.hours=2")
    assert config.topic_defaults == {"retention.ms": "5", "segment.ms": "7200000"}
    assert config_of(tmp_path, "log.retention.minutes=-1").topic_defaults == {"retention.ms": "-1"}


def test_toml_says_the_same(tmp_path: Path) -> None:
    text = (
        'num.partitions = 4\nauto.create.topics.enable = false\n"listeners" = ["A://127.0.0.1:1", "B://127.0.0.1:2"]\n'
    )
    config = config_of(tmp_path, text + '"listener.security.protocol.map" = "A:PLAINTEXT,B:PLAINTEXT"', "broker.toml")
    assert (config.num_partitions, config.auto_create_topics) == (4, False)
    assert [listener.port for listener in config.listeners] == [1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("num.partitionz=1", "server.properties: Unknown setting 'num.partitionz'. Did you mean 'num.partitions'?"),
        ("num.partitions=x", "server.properties: num.partitions: expected a whole number, got 'x'"),
        ("auto.create.topics.enable=yes", "auto.create.topics.enable: expected true or false, got 'yes'"),
        ("log.dirs=/a,/b", "log.dirs: expected one directory, got '/a,/b': this broker keeps all of its data in one"),
        ("principal.builder.class=com.X", "principal.builder.class is not supported: principal builders are Java"),
        ("log.retention.ms=x", "expected a whole number from -1 to 9223372036854775807, got 'x'"),
        ("ssl.keystore.type=JKS", "ssl.keystore.type: expected PEM, got 'JKS'. Convert the store"),
        ("listeners=127.0.0.1:9092", "listeners: Expected NAME://HOST:PORT, got '127.0.0.1:9092'"),
        ("listeners=IN://127.0.0.1:9092", "No security protocol for listener 'IN'. Add IN:PLAINTEXT"),
        ("listeners=SSL://127.0.0.1:9092", "Listener SSL speaks SSL, which needs a certificate. Set ssl.keystore.type"),
        ("listeners=PLAINTEXT://127.0.0.1:1,PLAINTEXT://127.0.0.1:2", "Listener 'PLAINTEXT' is there twice"),
        ("listeners=PLAINTEXT://:9092", "Refused to listen on 'every address': other machines could reach it"),
        (
            "listeners=PLAINTEXT://127.0.0.1:1\nadvertised.listeners=PLAINTEXT://0.0.0.0:1",
            "advertised.listeners: '0.0.0.0' of PLAINTEXT is every address, not one",
        ),
        (
            "listeners=PLAINTEXT://127.0.0.1:1\nadvertised.listeners=PLAIN://h:1",
            "advertised.listeners: Unknown listener 'PLAIN'. Did you mean 'PLAINTEXT'?",
        ),
        (
            "listeners=SSL://:1\nssl.keystore.location=/x\nssl.client.auth=required",
            "ssl.client.auth=required needs the authorities that sign clients' certificates",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_place(tmp_path: Path, text: str, message: str) -> None:
    assert message in refusal(tmp_path, text)


def test_a_port_and_listeners_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="flag would set aside the listeners"):
        config_of(tmp_path, "listeners=PLAINTEXT://127.0.0.1:1", **{"yeoul.port": "9092"})


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure, match=r"Cannot read the configuration '.*nowhere': No such file"):
        gather({}, {}, tmp_path / "nowhere")


def test_listeners_that_ask_who_one_is_may_be_reached_by_others(tmp_path: Path) -> None:
    tls = "ssl.keystore.location=/x\nssl.truststore.location=/y\n"
    assert config_of(tmp_path, f"{tls}listeners=SSL://:1\nssl.client.auth=required").listeners[0].authenticates
    own = "listeners=SSL://:1\nlistener.name.ssl.ssl.client.auth=required\nssl.client.auth=none"
    assert config_of(tmp_path, tls + own).listeners[0].authenticates
    assert "Refused to listen" in refusal(tmp_path, f"{tls}listeners=SSL://:1\nssl.client.auth=requested")
    assert not config_of(tmp_path, "listeners=PLAINTEXT://:1\nyeoul.insecure=true").listeners[0].authenticates


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    made = {"ssl.key.password": "tell-nobody", "listener.name.a.ssl.keystore.key": "tell-nobody"}
    given = {name: Given(text, "file") for name, text in made.items()}
    shown = effective_settings(make_config(given, tmp_path), given)
    assert "tell-nobody" not in repr(shown)
    assert [each.name for each in shown if each.value == "[hidden]"] == sorted(made)


def test_broker_wide_defaults_reach_topics_that_do_not_say_otherwise(make_bench) -> None:  # type: ignore[no-untyped-def]
    bench = make_bench(topic_defaults={"retention.ms": "5", "segment.bytes": "2048"})
    topic = bench.node.create_topic("t", 1, {"segment.bytes": "4096"})
    assert (topic.config.retention_ms, topic.config.segment_bytes) == (5, 4096)
    assert bench.node.log.set_config("t", {}).config.segment_bytes == 2048


def test_every_field_can_be_set_by_a_name() -> None:
    targets = {setting.target for setting in SETTINGS}
    own = {field.name for field in fields(BrokerConfig)} - {"listeners", "limits", "topic_defaults"}
    assert own | {f"limits.{field.name}" for field in fields(Limits)} == {
        target for target in targets if not target.startswith("topic.")
    }
    assert {target.removeprefix("topic.") for target in targets if target.startswith("topic.")} <= set(TOPIC_DEFAULTS)
    assert {field.name for field in fields(TlsSettings)} == {setting.target for setting in TLS_SETTINGS}


def test_a_line_break_never_makes_two_events_of_one_and_floods_are_cut() -> None:
    limit = RepeatLimit(period_s=0.05, lines=2)
    record = partial(logging.LogRecord, "yeoul.broker", logging.WARNING, "", 1)
    let_through = [limit.filter(record("From %s", (peer,), None)) for peer in range(10)]
    assert let_through == [True, True] + [False] * 8
    assert limit.filter(record("Another", (), None))
    deadline_s = time.monotonic() + 5
    while not limit.filter(last := record("From %s", (99,), None)) and time.monotonic() < deadline_s:
        pass
    assert re.fullmatch(r"From 99 \(and \d+ more like it were left out\)", last.getMessage())
    line = make_formatter("json").format(record('a\n"b"', (), None))
    assert json.loads(line) | {"time": ""} == {
        "time": "",
        "level": "warning",
        "logger": "yeoul.broker",
        "message": 'a\n"b"',
    }
    assert "\n" not in line
    assert make_formatter("text").format(record("a\r\nb", (), None)).endswith("WARNING a\\r\\nb")
