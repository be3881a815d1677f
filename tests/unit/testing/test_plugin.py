"""The pytest plug-in, as other projects meet it: in a pytest process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

_PARTITIONS = """
from confluent_kafka.admin import AdminClient

def partitions(broker, topic="orders"):
    client = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    metadata = client.list_topics(topic, timeout=10)
    return len(metadata.topics[topic].partitions)
"""


@pytest.fixture(autouse=True)
def _only_this_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def _run(pytester: pytest.Pytester, test_code: str, *arguments: str, ini: str = "") -> pytest.RunResult:
    pytester.makeini("[pytest]\n" + ini)
    pytester.makepyfile(_PARTITIONS + test_code)
    return pytester.runpytest_subprocess("-p", "yeoul.testing.plugin", "--strict-markers", *arguments)


def test_importing_the_plugin_loads_nothing_but_itself() -> None:
    code = (
        "import json, sys, pytest; before = set(sys.modules); import yeoul.testing.plugin;"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert json.loads(output) == ["yeoul", "yeoul.testing", "yeoul.testing.plugin"]


def test_no_broker_code_is_loaded_in_a_run_that_asks_for_none(pytester: pytest.Pytester) -> None:
    result = _run(pytester, "def test_it():\n    import sys\n    assert 'yeoul.broker' not in sys.modules\n")
    result.assert_outcomes(passed=1)


def test_each_test_has_an_empty_broker_that_goes_with_its_data(pytester: pytest.Pytester) -> None:
    result = _run(
        pytester,
        """
import json, pytest
from pathlib import Path
from confluent_kafka import Producer

@pytest.mark.parametrize("turn", ["first", "second"])
def test_it(yeoul, turn):
    known = AdminClient({"bootstrap.servers": yeoul.bootstrap_servers}).list_topics(timeout=10).topics
    assert not known
    producer = Producer({"bootstrap.servers": yeoul.bootstrap_servers})
    producer.produce("orders", b"1")
    assert producer.flush(10) == 0
    assert yeoul.config.flush == "os"
    Path(f"{turn}.json").write_text(json.dumps([str(yeoul.data_dir), yeoul.pid]))
""",
    )
    result.assert_outcomes(passed=2)
    seen = [json.loads((pytester.path / f"{turn}.json").read_text()) for turn in ("first", "second")]
    assert seen[0] != seen[1]
    for data_dir, pid in seen:
        assert not Path(data_dir).exists()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_killed_broker_comes_back_at_its_port_with_what_was_acknowledged(pytester: pytest.Pytester) -> None:
    result = _run(
        pytester,
        """
from confluent_kafka import Consumer, Producer, TopicPartition

def test_it(yeoul):
    where = yeoul.bootstrap_servers
    for number, again in enumerate([yeoul.restart, lambda: (yeoul.kill(), yeoul.start())], 1):
        producer = Producer({"bootstrap.servers": where})
        producer.produce("orders", b"1")
        assert producer.flush(10) == 0
        again()
        assert yeoul.bootstrap_servers == where
        consumer = Consumer({"bootstrap.servers": where, "group.id": "g"})
        assert consumer.get_watermark_offsets(TopicPartition("orders", 0), timeout=10) == (0, number)
        consumer.close()

def test_killed_at_the_end(yeoul):
    yeoul.kill()
""",
    )
    result.assert_outcomes(passed=2)


def test_the_nearest_marker_wins_then_farther_ones_then_the_ini_file(pytester: pytest.Pytester) -> None:
    result = _run(
        pytester,
        """
import pytest

def test_ini(yeoul):
    assert (partitions(yeoul), yeoul.config.flush) == (4, "interval")

@pytest.mark.yeoul(partitions=3, flush="commit")
class TestMarked:
    def test_class(self, yeoul):
        assert (partitions(yeoul), yeoul.config.flush) == (3, "commit")

    @pytest.mark.yeoul(partitions=2)
    def test_function(self, yeoul):
        assert (partitions(yeoul), yeoul.config.flush) == (2, "commit")
""",
        ini="yeoul_partitions = 4\nyeoul_flush = interval\n",
    )
    result.assert_outcomes(passed=3)


def test_a_data_directory_is_relative_to_the_root_and_kept(pytester: pytest.Pytester) -> None:
    result = _run(
        pytester,
        """
import pytest
pytestmark = pytest.mark.yeoul(data_dir="kept")

def test_first(yeoul):
    partitions(yeoul)

def test_second(yeoul):
    topics = AdminClient({"bootstrap.servers": yeoul.bootstrap_servers}).list_topics(timeout=10).topics
    assert list(topics) == ["orders"]
""",
    )
    result.assert_outcomes(passed=2)
    assert any((pytester.path / "kept").iterdir())


def test_the_session_broker_is_shared(pytester: pytest.Pytester) -> None:
    result = _run(
        pytester,
        """
seen = set()

def test_first(yeoul_session):
    seen.add(yeoul_session.pid)

def test_second(yeoul_session):
    assert seen == {yeoul_session.pid}
    assert partitions(yeoul_session) == 2
""",
        ini="yeoul_partitions = 2\n",
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ("partition=3", "The marker 'yeoul' has no setting 'partition'; it has partitions, flush, data_dir"),
        ("3", "The marker 'yeoul' takes keywords only, got (3,)"),
        ("partitions='many'", "Expected a number of partitions for yeoul, got 'many'"),
        ("data_dir=3", "Expected a path as the marker's data_dir, got 3"),
        ("flush='never'", "Expected a flush mode of 'commit', 'interval' or 'os', got 'never'"),
    ],
)
def test_a_wrong_setting_is_said(pytester: pytest.Pytester, marker: str, message: str) -> None:
    result = _run(pytester, f"import pytest\n\n@pytest.mark.yeoul({marker})\ndef test_it(yeoul): pass\n")
    result.assert_outcomes(errors=1)
    assert message in result.stdout.str()
