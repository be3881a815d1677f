"""Users and rules on the disk: private, whole, there again after a restart, and loud when they are damaged."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from yeoul.broker.security.acl_store import AclStore, acls_file
from yeoul.broker.security.acls import Acl, AclFilter, Pattern, Permission
from yeoul.broker.security.mechanisms import offered_mechanisms
from yeoul.broker.security.operations import Operation, ResourceType
from yeoul.broker.security.scram import ScramMechanism
from yeoul.broker.security.stopped import stopped_broker
from yeoul.broker.security.users import User, Users, users_file
from yeoul.errors import EnvironmentFailure, UserError

BOTH = list(ScramMechanism)


def rule(name: str) -> Acl:
    return Acl(ResourceType.TOPIC, name, Pattern.LITERAL, "User:a", "*", Operation.READ, Permission.ALLOW)


def test_users_are_there_again_and_their_file_is_private_and_holds_no_password(tmp_path: Path) -> None:
    users = Users(tmp_path)
    users.change([User("al\u00efce", True).with_password("s3cret", BOTH, 4096), User("bob")])
    again = Users(tmp_path)
    assert again.by_name == users.by_name
    assert again.super_users == {"User:al\u00efce"}
    assert again.has_password("al\u00efce", "s3cret")
    assert not again.has_password("al\u00efce", "s3cre")
    assert not again.has_password("bob", "")
    file = users_file(tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert b"s3cret" not in file.read_bytes()
    assert [path.name for path in file.parent.iterdir()] == ["users.json"]


def test_a_file_that_others_could_read_is_replaced_by_a_private_one(tmp_path: Path) -> None:
    Users(tmp_path).change([User("a")])
    file = users_file(tmp_path)
    left_behind = file.with_name(file.name + ".partial")
    left_behind.write_text("of a crash")
    file.chmod(0o644)
    left_behind.chmod(0o644)
    Users(tmp_path).change([User("b")])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_nobody_looks_like_somebody(tmp_path: Path) -> None:
    users = Users(tmp_path)
    users.change([User(name).with_password("x", BOTH, 5000) for name in "abc"])
    for mechanism in BOTH:
        real, decoy = users.credential("a", mechanism), users.credential("nobody", mechanism)
        assert decoy.iterations == real.iterations
        assert len(decoy.salt) == len(real.salt)
        assert len(decoy.stored_key) == len(real.stored_key)
        assert decoy.salt == Users(tmp_path).credential("nobody", mechanism).salt
        assert decoy.salt != users.credential("nobody else", mechanism).salt
    assert not users.has_password("nobody", "x")


@pytest.mark.parametrize("name", ["", "x" * 300, "new\nline"])
def test_names_that_nobody_can_have_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="Expected a user name of 1 to 255"):
        Users(tmp_path).change([User(name)])


def test_weak_or_endless_hashing_is_refused() -> None:
    for iterations in (4095, 16385):
        with pytest.raises(UserError, match="Expected 4096 to 16384 iterations"):
            User("a").with_password("x", BOTH, iterations)


def test_rules_are_there_again(tmp_path: Path) -> None:
    store = AclStore(tmp_path)
    assert store.add([rule("a"), rule("b"), rule("a")]) == 2
    assert store.add([rule("a")]) == 0
    assert AclStore(tmp_path).acls == (rule("a"), rule("b"))
    assert store.remove([rule("a"), rule("z")]) == 1
    assert AclStore(tmp_path).find(AclFilter()) == [rule("b")]


def test_one_rule_that_cannot_be_kept_keeps_out_the_others(tmp_path: Path) -> None:
    store = AclStore(tmp_path)
    with pytest.raises(UserError):
        store.add([rule("a"), rule("")])
    assert store.acls == ()


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"version": 9, "users": {}, "acls": []}', '{"version": 1}'])
def test_a_damaged_file_keeps_a_broker_from_starting(tmp_path: Path, content: str) -> None:
    users_file(tmp_path).parent.mkdir()
    users_file(tmp_path).write_text(content)
    acls_file(tmp_path).write_text(content)
    with pytest.raises(EnvironmentFailure, match="no file of users"):
        Users(tmp_path)
    with pytest.raises(EnvironmentFailure, match="no file of access control lists"):
        AclStore(tmp_path)


def test_what_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    users, store = Users(tmp_path), AclStore(tmp_path)
    (tmp_path / "security").write_text("a file where the directory should be")
    with pytest.raises(EnvironmentFailure, match="Cannot write"):
        users.change([User("a")])
    with pytest.raises(EnvironmentFailure, match="Cannot write"):
        store.add([rule("a")])
    assert not users.by_name
    assert store.acls == ()


def test_a_directory_in_use_is_left_alone(tmp_path: Path) -> None:
    with (
        stopped_broker(tmp_path),
        pytest.raises(EnvironmentFailure, match="A broker runs on"),
        stopped_broker(tmp_path),
    ):
        pass
    with stopped_broker(tmp_path):
        pass


def test_plain_needs_a_connection_that_nobody_reads() -> None:
    assert offered_mechanisms((), is_private=True) == ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
    assert "PLAIN" not in offered_mechanisms((), is_private=False)
    with pytest.raises(UserError, match="Refused to offer PLAIN on a listener without TLS"):
        offered_mechanisms(["SCRAM-SHA-256", "plain"], is_private=False)
    with pytest.raises(UserError, match="Unknown mechanism 'SCRAM-SHA-1'") as refused:
        offered_mechanisms(["SCRAM-SHA-1"], is_private=True)
    assert "SCRAM-SHA-" in (refused.value.hint or "")
