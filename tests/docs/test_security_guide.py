"""Every command of the guide to security runs, in order, on one broker that is set up as the guide says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from tests.conformance.certificates import Authority
from tests.unit.cli.processes import yeoul_here as yeoul

from yeoul.broker import Broker
from yeoul.cli.kafka.properties import parse_properties_text

PAGE = (Path(__file__).parents[2] / "docs/security.md").read_text()
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_security_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = _BLOCK.findall(PAGE)
    server, client = (text for kind, text in blocks if kind == "properties")
    commands = [shlex.split(line) for kind, text in blocks if kind == "sh" for line in text.splitlines()]
    (tmp_path / "alice.properties").write_text(client.replace('"..."', '"a secret"'))
    Path(Authority(tmp_path).issue("server").both).rename(tmp_path / "server.pem")
    settings = parse_properties_text(server) | {"listeners": "INTERNAL://127.0.0.1:0,OUTSIDE://0.0.0.0:0"}
    monkeypatch.chdir(tmp_path)
    broker: Broker | None = None
    answers: list[str] = []
    try:
        for words in commands:
            given = words[words.index("yeoul") + 1 :]
            if given[0] == "broker":
                broker = Broker("shop", settings=settings)
                monkeypatch.setenv("YEOUL_BOOTSTRAP_SERVER", broker.addresses["INTERNAL"])
                continue
            if broker is not None:
                given = [broker.addresses["INTERNAL"] if word == "127.0.0.1:9092" else word for word in given]
            done = yeoul(*given, stdin="a secret\n")
            assert (done.code, done.err) == (0, ""), given
            answers.append(done.out)
    finally:
        if broker is not None:
            broker.close()
    assert answers[0] == "Added super user 'alice' for PLAIN, SCRAM-SHA-256, SCRAM-SHA-512.\n"
    assert [line.split()[0] for line in answers[3].splitlines()[2:]] == ["alice", "bob"]
    assert "DENY User:mallory ALL on TOPIC * from *" in answers[7]
    rules = [line.split()[5] for line in answers[8].splitlines()[2:]]
    assert sorted(rules) == ["create", "describe", "read", "read", "write"]
    assert answers[9] == "Removed: DENY User:mallory ALL on TOPIC * from *\n"
